"""The time that one call may take, as its caller says it."""

from __future__ import annotations

from mizzle_async.errors import ExpressionError


def check_timeout(timeout: object) -> None:
    """Refuse what is no number.

    Args:
        timeout: Seconds for a call, or None for the client's.

    Raises:
        ExpressionError: It is neither.
    """
    if timeout is not None and not isinstance(timeout, int | float):
        raise ExpressionError(
            f"timeout= takes seconds as a number, or None for the client's, not {type(timeout).__name__}"
        )
