"""The time that one call may take, as its caller says it."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping

from mizzle_async.errors import ExpressionError
from mizzle_async.values import is_seconds


def check_timeout(timeout: object) -> None:
    """Raise an error unless a timeout is a number.

    Args:
        timeout: Seconds for a call, or None for the client's.

    Raises:
        ExpressionError: It is neither, or larger than any clock's number.
    """
    if timeout is not None and not isinstance(timeout, int | float):
        raise ExpressionError(
            f"timeout= takes seconds as a number, or None for the client's, not {type(timeout).__name__}"
        )
    if timeout is not None and not is_seconds(timeout):
        raise ExpressionError("timeout= is larger than any clock's number: math.inf waits for ever")


def check_at_least_one(verb: str, **numbers: object) -> None:
    """Raise an error unless each number is a whole number of one or more.

    Raises:
        ExpressionError: One of them is not.
    """
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ExpressionError(f"{verb}: {name}={number!r} must be an integer of 1 or more")


def check_many(verb: str, given: object) -> None:
    """Refuse one item, or one key, also where its letters or names would pass for many.

    Raises:
        ExpressionError: It is a text or a mapping, or nothing that can be iterated.
    """
    if given is None:
        raise ExpressionError(f"{verb} takes many, and this is None")
    is_many = isinstance(given, Iterable | AsyncIterable) or hasattr(type(given), "__getitem__")
    if isinstance(given, str | bytes | Mapping) or not is_many:
        raise ExpressionError(f"{verb} takes many, and this is one {type(given).__name__}: put it into a list")
