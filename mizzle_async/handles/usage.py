"""The use that a block of code makes of a client: its calls, their time and units, and limits on them.

The block is known by a context variable, so that tasks which are started in it count as well. A client on which no
block is open compares one attribute per call.
"""

# ruff: noqa: SLF001  (the gate is the other face of the usage, which shows its users' words only)

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Protocol, Self

from attrs import define

from mizzle_async.errors import ClientStateError, ExpressionError, LimitError
from mizzle_async.operations.capacity import reporting
from mizzle_async.types import CallRecord, RepeatSafety, WireRequest
from mizzle_async.values import Record
from mizzle_async.wire.session.adapter import control_safety


@define(eq=False, repr=False)
class TableUsage(Record):
    """The use of one table.

    Attributes:
        calls: Finished calls.
        read_units: Consumed read units.
        write_units: Consumed write units.
    """

    calls: int = 0
    read_units: float = 0.0
    write_units: float = 0.0


class Usage:
    """The use that a block makes of a client, made by `Client.usage`. Its numbers grow with each finished call.

    Attributes:
        calls: Finished calls, also those that failed or were cancelled.
        requests: Requests sent, repetitions and hedged reads included.
        retries: Requests sent again after a failure.
        seconds: The time of all calls together, with their pauses. Calls at the same time add up.
        read_units: Consumed read units, as the service reports them.
        write_units: Consumed write units, as the service reports them.
        tables: The same by table.
    """

    def __init__(
        self, runtime: Guarded, *, max_requests: int | None, max_read_units: float | None, max_write_units: float | None
    ) -> None:
        limits = {"requests": max_requests, "read_units": max_read_units, "write_units": max_write_units}
        for name, limit in limits.items():
            if limit is not None and not limit >= 0:
                raise ExpressionError(f"max_{name}={limit!r} must not be negative, or None for no limit")
        self.calls: int = 0
        self.requests: int = 0
        self.retries: int = 0
        self.seconds: float = 0.0
        self.read_units: float = 0.0
        self.write_units: float = 0.0
        self.tables: dict[str, TableUsage] = {}
        self._runtime = runtime
        self._limits = limits
        self._gate: UsageGate | None = None
        self._entered = False

    def __enter__(self) -> Self:
        if self._entered:
            raise ClientStateError("this usage has counted a block already: ask for another one, `client.usage()`")
        self._entered = True
        gate = self._gate = self._runtime.gate or UsageGate()
        gate.blocks += 1
        self._runtime.guard(gate)
        _blocks.set((*_blocks.get(), self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.blocks -= 1
            if not gate.blocks:
                self._runtime.guard(None)
        # Not by a token, which is good in its own context only: frameworks may leave a block in another one.
        _blocks.set(tuple(usage for usage in _blocks.get() if usage is not self))

    def _is_open_at(self, gate: UsageGate) -> bool:
        """Return whether the block is open, and counts the calls of a gate's client."""
        return self._gate is gate

    def _check(self, request: WireRequest) -> None:
        """Raise an error where a limit that a request would count against is used up.

        Raises:
            LimitError: It is. Nothing is sent.
        """
        is_read = request.safety is RepeatSafety.READ
        for name, limit in self._limits.items():
            if limit is None or getattr(self, name) < limit:
                continue
            if name == "requests" or (name == "read_units") is is_read:
                used = f"{getattr(self, name):,g} of {limit:,g} {name.replace('_', ' ')}"
                raise LimitError(
                    f"this block has used {used}: the call was not sent. Raise max_{name}= of client.usage(), or read"
                    " and write less",
                    operation=request.operation,
                    table=request.table or None,
                )

    def _count(self, record: CallRecord) -> None:
        """Count a finished call."""
        self.calls += 1
        self.requests += record.attempts
        self.retries += len(record.failures)
        self.seconds += record.seconds
        self.read_units += record.read_units
        self.write_units += record.write_units
        units = record.units
        for table in dict.fromkeys((*filter(None, record.table.split(", ")), *units)):
            used = self.tables.setdefault(table, TableUsage())
            used.calls += 1
            if record.is_read:
                used.read_units += units.get(table, 0.0)
            else:
                used.write_units += units.get(table, 0.0)

    def __repr__(self) -> str:
        return (
            f"<Usage: {self.calls:,} calls, {self.requests:,} requests, {self.retries:,} retries, {self.seconds:.3f} s,"
            f" {self.read_units:,g} read units, {self.write_units:,g} write units>"
        )


class UsageGate:
    """Admits and counts the calls of one client while a block is open.

    Attributes:
        blocks: Open blocks.
    """

    def __init__(self) -> None:
        self.blocks: int = 0

    def admit(self, request: WireRequest) -> WireRequest:
        """Return a request as it is to be sent: one of an open block asks for its capacity.

        Raises:
            LimitError: A limit is used up.
        """
        inside = False
        for usage in _blocks.get():
            if usage._is_open_at(self):
                usage._check(request)
                inside = True
        return reporting(request) if inside else request

    def admit_control(self, operation: str, parameters: Mapping[str, Any]) -> None:
        """Check a call of the control plane, which consumes no units.

        Raises:
            LimitError: A limit is used up.
        """
        self.admit(WireRequest(operation, b"", str(parameters.get("TableName", "")), control_safety(operation)))

    def call_finished(self, call: CallRecord) -> None:
        """Count a finished call in the open blocks around it."""
        for usage in _blocks.get():
            if usage._is_open_at(self):
                usage._count(call)


class Guarded(Protocol):
    """The sender of calls that a gate stands before, while a block is open."""

    gate: UsageGate | None

    def guard(self, gate: UsageGate | None, /) -> None:
        """Have a gate admit and count every call from now on, or none."""
        ...


_blocks: ContextVar[tuple[Usage, ...]] = ContextVar("mizzle_async_usage", default=())
"""The blocks around the running code, outermost first."""
