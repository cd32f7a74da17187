"""The settings of one consumer of a stream, checked where they are written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeAlias

from attrs import field, frozen

from mizzle_async.errors import ExpressionError, MarshallingError
from mizzle_async.streams.checkpoints import Checkpoints
from mizzle_async.streams.starts import Start, check_start
from mizzle_async.values import Record

MEGABYTE: Final = 1024 * 1024

OnPoison: TypeAlias = Literal["raise", "skip"] | Callable[[MarshallingError], object]
"""The fate of a change whose image does not fit its class: it raises, is passed over, or goes to a function."""

OnGap: TypeAlias = Literal["raise", "continue"]
"""The consequence of changes that the service does not have any more."""

Acknowledge: TypeAlias = Literal["next", "explicit"]
"""When a change counts as done: when the next one is asked for, or when the caller says so."""

Until: TypeAlias = Literal["closed", "caught_up"]
"""When handling ends: when the stream is closed, or once every change up to now is handled."""


@frozen(eq=False, repr=False, kw_only=True)
class ConsumerSettings(Record):
    """The settings of a consumer. `Table.changes` explains each.

    Attributes:
        start: Where a consumer without a position begins.
        consumer: The name whose positions these are, or None where no position is kept.
        checkpoints: The store of positions, or None.
        on_error: The fate of a change whose image does not fit.
        on_gap: The consequence of lost changes.
        acknowledge: When a change of ``async for`` counts as done.
        idle: Seconds between two requests for a shard in which nothing happens, at most.
        buffer_bytes: Bytes of changes that are read and not yet delivered, at most.
        drain_seconds: Seconds for which handlers that have begun may go on at the end.
        checkpoint_seconds: Seconds between two writings of a shard's position.
    """

    start: Start
    consumer: str | None = None
    checkpoints: Checkpoints | None = field(default=None, repr=False)
    on_error: OnPoison = "raise"
    on_gap: OnGap = "raise"
    acknowledge: Acknowledge = "next"
    idle: float = 1.0
    buffer_bytes: int = 16 * MEGABYTE
    drain_seconds: float = 10.0
    checkpoint_seconds: float = 5.0

    def __attrs_post_init__(self) -> None:
        check_start(self.start)
        check_choice("on_error", self.on_error, ("raise", "skip"), callable_too=True)
        check_choice("on_gap", self.on_gap, ("raise", "continue"))
        check_choice("acknowledge", self.acknowledge, ("next", "explicit"))
        for name, limit in (("idle", 0.01), ("buffer_bytes", 1), ("drain_seconds", 0), ("checkpoint_seconds", 0)):
            check_number(name, getattr(self, name), limit)
        self._check_checkpoints()

    def _check_checkpoints(self) -> None:
        """Raise an error where positions have a store without a name, or a name without a store."""
        store: Any = self.checkpoints
        if isinstance(store, str | bytes) or (store is not None and not isinstance(store, Checkpoints)):
            raise ExpressionError(
                f"checkpoints= takes a store of positions, such as FileCheckpoints(path), not {store!r}"
            )
        name: Any = self.consumer
        if name is not None and (not isinstance(name, str) or not name):
            raise ExpressionError(f"consumer={self.consumer!r} is no name: it says whose positions are kept")
        if (self.consumer is None) != (self.checkpoints is None):
            raise ExpressionError(
                "consumer= and checkpoints= belong together: the name says whose positions the store keeps. Without "
                "both, positions are not kept"
            )


def check_choice(name: str, value: Any, choices: tuple[str, ...], *, callable_too: bool = False) -> None:
    """Raise an error unless an option has one of its values.

    Raises:
        ExpressionError: It has another one.
    """
    if value in choices if isinstance(value, str) else callable_too and callable(value):
        return
    listed = " or ".join([*(f'"{choice}"' for choice in choices), *(["a function"] if callable_too else [])])
    raise ExpressionError(f"{name}={value!r} is not possible: {listed}")


def check_number(name: str, value: Any, limit: float) -> None:
    """Raise an error unless an option is a number, and no less than its limit.

    Raises:
        ExpressionError: It is something else, or less.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= limit:
        raise ExpressionError(f"{name}={value!r} is not possible: a number from {limit} on")


Handler: TypeAlias = Callable[[Any], Awaitable[object]]
"""Handles a change, or a list of changes."""
