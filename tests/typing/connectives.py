"""Conditions are joined by `&` and `|`. `and` and `or` would drop half: mypy refuses them after what is no comparison.

After a comparison mypy looks no further, and pyright nowhere: there they raise.
"""

from __future__ import annotations

from conditions import when
from entities import Order, Status

OPEN = Order.status == Status.OPEN

when(OPEN and Order.note.exists())  # type: ignore[truthy-bool]
when(OPEN or Order.note.exists())  # type: ignore[truthy-bool]
