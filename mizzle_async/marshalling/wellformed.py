"""Whether stored values are attribute values at all: asked only where an item could not be read.

The fast functions read the service's answers, and fail on everything else. Then this says which it was: an item that
does not fit its class, or JSON that is no item, as no service sends it.
"""

from __future__ import annotations

from typing import Any, Final, cast

from mizzle_async.errors import MarshallingError, MizzleError
from mizzle_async.limits import NESTING_LEVELS
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.model.scalars.numbers import read_decimal
from mizzle_async.types import Item

NO_ITEM: Final = (
    Misfit,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""The exceptions of reading where something else stands than an item."""

_DEEPEST: Final = NESTING_LEVELS + 1
_PAYLOADS: Final[dict[str, type[Any]]] = {
    "S": str,
    "N": str,
    "B": str,
    "BOOL": bool,
    "NULL": bool,
    "M": dict,
    "L": list,
    "SS": list,
    "NS": list,
    "BS": list,
}
_SET_TAGS: Final = frozenset({"SS", "NS", "BS"})


def malformed_path(item: Any) -> str | None:
    """Return the path of the first value in an item that is no attribute value, None where all are.

    Args:
        item: The value where an item should stand.
    """
    if not isinstance(item, dict):
        return ""
    rest: list[tuple[str, Any, int]] = [(f".{name}", value, 1) for name, value in item.items()]
    while rest:
        path, value, level = rest.pop()
        if not isinstance(value, dict) or len(value) != 1 or level > _DEEPEST:
            return path
        ((tag, payload),) = cast("dict[str, Any]", value).items()
        if not _is_right(tag, payload):
            return path
        if tag == "M":
            rest += [(f"{path}.{name}", each, level + 1) for name, each in payload.items()]
        elif tag == "L":
            rest += [(f"{path}[{position}]", each, level + 1) for position, each in enumerate(payload)]
    return None


def _is_right(tag: str, payload: Any) -> bool:
    """Tell whether a payload is of the kind that its type descriptor says, but for what is nested in it."""
    kind = _PAYLOADS.get(tag)
    if kind is None or not isinstance(payload, kind):
        return False
    if tag in _SET_TAGS:
        return all(_is_right(tag[0], each) for each in payload)
    if tag != "N":
        return True
    try:
        read_decimal(payload)
    except Misfit:
        return False
    return True


def unreadable(entity: str, error: Exception, key: Item | None = None) -> MizzleError:
    """Return the error of an item that could not be read.

    Args:
        entity: Its name in messages.
        error: The failure: a misfit, or any error that a value of the wrong kind led to.
        key: The item's key.
    """
    found: MizzleError
    if isinstance(error, MizzleError):
        return error
    if isinstance(error, Misfit):
        found = error.to_error(entity, key)
        found.__cause__ = error.__cause__
    else:
        text = f"{entity}: expected an item, found something else ({type(error).__name__})"
        found = MarshallingError(text, path=entity, key=key)
        found.__cause__ = error
    return found
