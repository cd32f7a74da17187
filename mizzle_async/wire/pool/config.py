"""The settings of a connection pool, and its numbers: plain values."""

from __future__ import annotations

from typing import Any

import attrs
from attrs import field, frozen

from mizzle_async.values import Value


def _positive(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    """Refuse zero, negative numbers and NaN."""
    if value is not None and not value > 0:
        raise ValueError(f"{type(instance).__name__}: {attribute.name} must be greater than 0, not {value!r}")


def _not_negative(instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not value >= 0:
        raise ValueError(f"{type(instance).__name__}: {attribute.name} must not be negative, not {value!r}")


@frozen(eq=False, repr=False, kw_only=True)
class PoolConfig(Value):
    """How many connections a client keeps to each host, and for how long.

    The numbers are chosen for DynamoDB: many small requests to one host, which closes idle connections and moves behind
    its DNS name.

    Attributes:
        max_connections: Maximum number of open connections to one host. Further calls wait their turn. One connection
            carries one request at a time, so at 5 ms a request 128 of them carry 25,000 requests a second, more than
            one process can make. While an aged connection is being replaced, one more may be open.
        keep_alive: Seconds after which an idle connection is closed. The service closes them itself after about 20
            seconds (90 have been seen as well); being first avoids sending a request on a connection that is being
            closed. For a write that must not be repeated that would end in `OutcomeUnknownError`.
        max_age: Seconds after which a connection is replaced, so that a busy client follows DNS, and leaves hosts that
            are taken out of it. Each connection draws its own age between 80 % and 100 % of this, so that they are not
            replaced all at once. The replacement is opened first; if that fails, the old connection stays.
        warm_up: Connections to open when the client opens, so that the first calls find DNS, TCP and TLS done. Set it
            to the number of calls you expect at once. With 0 each is opened when it is first needed.
        connect_timeout: Seconds for DNS, TCP and TLS together. 3.1 seconds let a lost SYN be sent twice more (after 1
            and 3 seconds). The call's own ``timeout`` applies as well.
        wait_timeout: Seconds that a call may wait for a connection before `PoolTimeoutError`. None waits as long as the
            call's ``timeout``.
    """

    max_connections: int = field(default=128, validator=_positive)
    keep_alive: float = field(default=15.0, validator=_positive)
    max_age: float = field(default=300.0, validator=_positive)
    warm_up: int = field(default=0, validator=_not_negative)
    connect_timeout: float = field(default=3.1, validator=_positive)
    wait_timeout: float | None = field(default=None, validator=_positive)


@frozen(eq=False, repr=False, kw_only=True)
class HostStatistics(Value):
    """One host's connections now, and since the pool was made.

    Attributes:
        host: Name and port.
        idle: Connections that wait for a request.
        in_use: Connections that carry one.
        opening: Connections that are being opened.
        waiting: Calls that wait for a connection.
        requests: Requests sent, since the beginning.
        opened: Connections opened, since the beginning.
        closed: Connections closed, since the beginning.
        failed: Attempts to open a connection that failed, since the beginning.
        replaced: Connections replaced for their age, since the beginning.
        silent: Connections closed because no byte of an answer came for too long, since the beginning.
        waited: Calls that had to wait for a connection, since the beginning.
        waited_seconds: Seconds that they waited, all together.
    """

    host: str
    idle: int
    in_use: int
    opening: int
    waiting: int
    requests: int
    opened: int
    closed: int
    failed: int
    replaced: int
    silent: int
    waited: int
    waited_seconds: float


def describe(host: HostStatistics) -> str:
    """Return one host's numbers in words."""
    return f"{host.host}: {host.in_use} in use, {host.idle} idle, {host.opening} opening, {host.waiting} waiting"


@frozen(eq=False, repr=False, kw_only=True)
class PoolStatistics(Value):
    """A pool's connections now, and since it was made.

    Attributes:
        hosts: One record for each host, in the order of their first request.
    """

    hosts: tuple[HostStatistics, ...] = ()

    @property
    def open(self) -> int:
        """Connections that are open now, to all hosts."""
        return self.idle + self.in_use

    @property
    def idle(self) -> int:
        """Connections that wait for a request, to all hosts."""
        return sum(host.idle for host in self.hosts)

    @property
    def in_use(self) -> int:
        """Connections that carry a request, to all hosts."""
        return sum(host.in_use for host in self.hosts)

    @property
    def opening(self) -> int:
        """Connections that are being opened, to all hosts."""
        return sum(host.opening for host in self.hosts)

    @property
    def waiting(self) -> int:
        """Calls that wait for a connection, to all hosts."""
        return sum(host.waiting for host in self.hosts)
