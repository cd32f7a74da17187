"""Values of a list, converted one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mizzle_async.model.scalars.misfit import Misfit


def in_turn(convert: Callable[[Any], Any], values: Iterable[Any]) -> list[Any]:
    """Return the converted values of a list. A misfit names the position."""
    converted: list[Any] = []
    try:
        for value in values:
            converted.append(convert(value))  # noqa: PERF401  (its length is the misfit's position)
    except Misfit as misfit:
        raise misfit.at_position(len(converted)) from misfit.__cause__
    return converted
