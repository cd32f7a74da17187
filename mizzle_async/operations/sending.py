"""The sending of an operation, behind the operation's one attribute: the client's questions to it, and no user's."""

# ruff: noqa: SLF001  (this is the other face of the operation, which alone may call these methods)

from __future__ import annotations

from typing import Any, Generic, TypeVar

from mizzle_async.operations.target import BindTarget, DetachedTarget, Target
from mizzle_async.types import RepeatSafety, Sendable, WireRequest, WireResponse

ResultT_co = TypeVar("ResultT_co", covariant=True)


class Sending(Generic[ResultT_co]):
    """How one operation is sent: its request, and the meaning of the answer or the failure.

    Args:
        operation: The operation, which counts as used from now on.
    """

    __slots__ = ("_operation",)

    def __init__(self, operation: Any) -> None:
        operation._used = True
        self._operation: Any = operation

    @property
    def target(self) -> Target[Any]:
        """The table that the operation is about."""
        target: Target[Any] = self._operation._target
        return target

    @property
    def is_detached(self) -> bool:
        """Whether the operation came out of a pickle, and has no client's targets yet."""
        return type(self._operation._target) is DetachedTarget

    def bound(self, bind: BindTarget) -> Any:
        """Return the operation with the targets of the client that sends it.

        Args:
            bind: Returns the client's own target.
        """
        return self._operation._bound(bind)

    @property
    def entity_names(self) -> str | None:
        """The entity, or the entities, that the operation is about, for errors, or None where none is known."""
        names: str | None = self._operation._entity_names
        return names

    @property
    def safety(self) -> RepeatSafety:
        """Whether the request may be repeated after a lost answer."""
        safety: RepeatSafety = self._operation._safety
        return safety

    @property
    def settled(self) -> bool:
        """Whether the result is known without a request. Then `result` returns it."""
        settled: bool = self._operation._settled
        return settled

    def result(self) -> ResultT_co:
        """Return the result of a settled operation."""
        result: ResultT_co = self._operation._result()
        return result

    def opening(self, now: float, /) -> WireRequest | None:
        """Return the wire request, encoded, of an operation that is about to be sent.

        Args:
            now: The time in seconds since the epoch, by the client's clock.

        Returns:
            The request. None where the operation is settled, or `is_detached`.
        """
        operation = self._operation
        if operation._settled or type(operation._target) is DetachedTarget:
            return None
        operation._begin(now)
        return self.to_request()

    def begin(self, now: float, /) -> None:
        """Note that the operation is about to be sent, before `to_request` is called.

        Args:
            now: The time in seconds since the epoch, by the client's clock.
        """
        self._operation._begin(now)

    def to_request(self) -> WireRequest:
        """Return the wire request, encoded."""
        request: WireRequest = self._operation._to_request()
        return request

    def from_wire(self, response: WireResponse, now: float, /) -> ResultT_co:
        """Turn the answer into the result.

        Args:
            response: The checked answer.
            now: The time in seconds since the epoch, by the client's clock.
        """
        result: ResultT_co = self._operation._from_wire(response, now)
        return result

    def recover(self, error: Exception, now: float, /) -> ResultT_co:
        """Judge a failure: raise its meaning for this verb, or return the result where it means success.

        Args:
            error: The failure of the call.
            now: The time in seconds since the epoch, by the client's clock.
        """
        result: ResultT_co = self._operation._recover(error, now)
        return result

    def follow_up(self, error: Exception, now: float, /) -> Sendable[Any] | None:
        """Return the operation to send before this one is sent once more, or None where the failure stands.

        Args:
            error: The failure of the call.
            now: The time in seconds since the epoch, by the client's clock.
        """
        first: Sendable[Any] | None = self._operation._follow_up(error, now)
        return first

    def look(self, error: Exception, /) -> Sendable[Any] | None:
        """Return the read whose result `revised` takes, or None where it takes none.

        Args:
            error: The failure of the call.
        """
        read: Sendable[Any] | None = self._operation._look(error)
        return read

    def revised(self, error: Exception, item: Any, now: float, /) -> Sendable[ResultT_co] | None:
        """Return the operation to send in place of this one, which failed, or None where the failure stands.

        Args:
            error: The failure of the call.
            item: The result of the read that `look` returned, or None.
            now: The time in seconds since the epoch, by the client's clock.
        """
        revised: Sendable[ResultT_co] | None = self._operation._revised(error, item, now)
        return revised
