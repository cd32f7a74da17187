"""An operation whose requests and capacity units are counted, as its answers report them."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from mizzle_async.operations.capacity import consumed
from mizzle_async.operations.sending import Sending
from mizzle_async.types import RepeatSafety, Sendable, WireRequest, WireResponse

ResultT_co = TypeVar("ResultT_co", covariant=True)


class Meter(Protocol):
    """Counts requests and units, of reads and of writes."""

    def count_request(self, *, reads: bool) -> None:
        """Count a request that is about to be sent."""
        ...

    def count_units(self, units: float, *, reads: bool) -> None:
        """Count the units that an answer reports."""
        ...


class Metered(Generic[ResultT_co]):
    """An operation that is sent as it is, and counted.

    Attributes:
        operation: The operation.
        meter: Counts its requests and units.
        reads: Whether its request reads; known when it is sent.
    """

    __slots__ = ("meter", "operation", "reads")

    def __init__(self, operation: Sendable[ResultT_co], meter: Meter) -> None:
        self.operation: Sendable[ResultT_co] = operation
        self.meter: Meter = meter
        self.reads: bool = False

    @property
    def sending(self) -> _MeteredSending[ResultT_co]:
        """The operation's own steps, with those that count."""
        return _MeteredSending(self)


class _MeteredSending(Sending[ResultT_co]):
    """The steps of sending an operation. Each request and each answer is counted."""

    __slots__ = ("_metered",)

    def __init__(self, metered: Metered[ResultT_co]) -> None:
        super().__init__(metered.operation)
        self._metered = metered

    def to_request(self) -> WireRequest:
        """Return the wire request, encoded, and count it."""
        request = super().to_request()
        metered = self._metered
        metered.reads = request.safety is RepeatSafety.READ
        metered.meter.count_request(reads=metered.reads)
        return request

    def from_wire(self, response: WireResponse, now: float, /) -> ResultT_co:
        """Count the units of the answer, and turn it into the result."""
        metered = self._metered
        metered.meter.count_units(consumed(response.parsed) or 0.0, reads=metered.reads)
        return super().from_wire(response, now)

    def follow_up(self, error: Exception, now: float, /) -> Sendable[Any] | None:
        """Return the operation to send before this one is sent once more, which counts as well."""
        metered = self._metered
        first = super().follow_up(error, now)
        if first is None:
            return None
        metered.meter.count_request(reads=metered.reads)  # the request that is sent once more
        return Metered(first, metered.meter)

    def look(self, error: Exception, /) -> Sendable[Any] | None:
        """Return the read that `revised` takes the result of, which counts as well."""
        read = super().look(error)
        return None if read is None else Metered(read, self._metered.meter)

    def revised(self, error: Exception, item: Any, now: float, /) -> Sendable[ResultT_co] | None:
        """Return the operation to send in place of this one, which counts as well."""
        revised = super().revised(error, item, now)
        return None if revised is None else Metered(revised, self._metered.meter)
