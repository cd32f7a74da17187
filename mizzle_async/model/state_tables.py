"""State tables: where the library keeps what must outlive a process."""

from __future__ import annotations

import re
from typing import Any, Final

from mizzle_async.errors import LimitError, ModelError
from mizzle_async.limits import TABLE_NAME_PATTERN


class StateTable:
    """A table for leases, marks of applied operations, positions of consumers and the state of resumable work.

    ``STATE = StateTable("app-state")``: `Client.ensure_tables` creates it, and `Client.state` opens it. One is enough
    for an application.

    Args:
        name: The table's name. ``Client(table_prefix=…, table_names=…)`` adapts it to a deployment.

    Raises:
        ModelError: The name is no text.
        LimitError: DynamoDB takes no such table name.
    """

    def __init__(self, name: str, /) -> None:
        untyped: Any = name
        if not isinstance(untyped, str):
            raise ModelError(f'StateTable takes the table\'s name, such as StateTable("app-state"), not {name!r}')
        if re.fullmatch(TABLE_NAME_PATTERN, name) is None:
            raise LimitError(
                f"StateTable({name!r}): DynamoDB takes names of 3 to 255 letters, digits, underscores, hyphens and dots"
            )
        self.name: Final = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StateTable) and other.name == self.name

    def __hash__(self) -> int:
        return hash((StateTable, self.name))

    def __repr__(self) -> str:
        return f"StateTable({self.name!r})"
