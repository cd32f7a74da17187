"""The pool as a state machine: any order of calls, failures, losses, cancellations and time keeps its invariants."""

import asyncio
import random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mizzle_async.errors import ClientStateError, PoolTimeoutError, TransportError
from mizzle_async.testing.clock import VirtualClockLoop
from mizzle_async.wire.exchange import Endpoint
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.pool.host import HostPool, Purpose
from mizzle_async.wire.pool.reconnects import UnreachableError

LIMIT = 3
INDEX = st.integers(0, 99)
TURNS = st.integers(0, 3)


class FakeConnection:
    """What the pool knows of a connection."""

    def __init__(self, machine):
        self.machine = machine
        self.is_open = self.reusable = self.is_attached = True
        self.is_waiting = False
        self.retired = False
        self.served = 0
        self.address = "127.0.0.1"
        self.idle_since = self.retire_at = self.silent_since = 0.0

    def abort(self, reason=""):
        """Close; the loop reports the loss in its next turn."""
        assert reason
        if self.is_open:
            self.is_open = False
            self.machine.loop.call_soon(self.lose)

    def lose(self):
        """Let the socket be gone."""
        if self.is_attached:
            self.is_open = self.is_attached = False
            self.machine.host.lost(self)

    def fail_silent(self):
        """Fail the exchange, and close."""
        for number, held in self.machine.held.items():
            command = self.machine.calls[number][1]
            if held is self and not command.done():
                command.set_result("fail")
        self.abort("silent")

    def is_stale(self):
        """Say no: losses are events here."""
        return False


class Pool(RuleBasedStateMachine):
    """Calls take, hold and give back connections; Hypothesis decides what happens next."""

    patient = False
    refusal = TransportError("refused")

    def __init__(self):
        super().__init__()
        self.loop = VirtualClockLoop()
        config = PoolConfig(max_connections=LIMIT, keep_alive=20, max_age=60, wait_timeout=200)
        self.opening = []
        self.calls = {}
        self.held = {}
        self.served = set()
        self.host = HostPool(
            Endpoint("http", "127.0.0.1", 1),
            config,
            loop=self.loop,
            open_connection=lambda _host, purpose: self.begin_opening(purpose),
            generator=random.Random(0),
            patient=self.patient,
        )
        self.number = 0

    def begin_opening(self, purpose):
        """Note that a connection is being opened."""
        self.opening.append(purpose)

    # ── a call ──

    async def call(self, number, *, fresh):
        """Do what `ConnectionPool.carry` does, with an exchange that ends when the machine says so."""
        connection = None if fresh else self.host.take()
        if connection is None:
            connection = await self.host.wait(fresh=fresh)
        assert connection.is_open
        assert connection not in self.held.values()
        assert not (fresh and connection.served)
        connection.served += 1
        connection.reusable = False
        command = self.loop.create_future()
        self.held[number] = connection
        self.calls[number][1] = command
        try:
            if await command == "fail":
                raise TransportError("scripted")  # noqa: TRY301  (it must leave the way a failed exchange does)
        except BaseException:
            del self.held[number]
            self.host.discard(connection)
            raise
        del self.held[number]
        connection.reusable = command.result() == "answer"
        self.host.release(connection)

    def turn(self, turns):
        """Let the loop turn, without letting time pass."""
        for _ in range(turns):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    @rule(fresh=st.booleans(), turns=TURNS)
    def begin(self, fresh, turns):
        """A call begins."""
        self.number += 1
        self.calls[self.number] = [None, None]
        self.calls[self.number][0] = self.loop.create_task(self.call(self.number, fresh=fresh))
        self.turn(turns)

    @precondition(lambda self: self.held)
    @rule(which=INDEX, how=st.sampled_from(["answer", "answer", "poison", "fail"]), turns=TURNS)
    def finish(self, which, how, turns):
        """A call gets its answer, one that poisons its connection, or none."""
        number = sorted(self.held)[which % len(self.held)]
        command = self.calls[number][1]
        if not command.done():
            command.set_result(how)
        self.turn(turns)

    @precondition(lambda self: self.calls)
    @rule(which=INDEX, turns=TURNS)
    def cancel(self, which, turns):
        """A call is cancelled, wherever it is."""
        number = sorted(self.calls)[which % len(self.calls)]
        self.calls[number][0].cancel()
        self.turn(turns)

    # ── connections ──

    @precondition(lambda self: self.opening)
    @rule(which=INDEX, how=st.sampled_from(["open", "open", "fail", "closed at once"]), turns=TURNS)
    def open(self, which, how, turns):
        """A connection is opened, cannot be, or is lost in the same moment."""
        purpose = self.opening.pop(which % len(self.opening))
        if how == "fail":
            self.host.failed(self.refusal, purpose)
        else:
            connection = FakeConnection(self)
            if how != "open":
                connection.lose()
            self.host.opened(connection, purpose)
        self.turn(turns)

    @precondition(lambda self: self.host._connections)
    @rule(which=INDEX, turns=TURNS)
    def lose(self, which, turns):
        """The server closes a connection, whoever holds it."""
        connections = list(self.host._connections)
        connection = connections[which % len(connections)]
        connection.lose()
        for number, held in self.held.items():
            command = self.calls[number][1]
            if held is connection and not command.done():
                command.set_result("fail")
        self.turn(turns)

    @precondition(lambda self: self.held)
    @rule(which=INDEX, turns=TURNS)
    def fall_silent(self, which, turns):
        """A connection says nothing for too long: its idle siblings that are no younger go with it."""
        connection = self.held[sorted(self.held)[which % len(self.held)]]
        self.host._give_up_silent(connection)
        assert not [one for one in self.host._idle if one.idle_since <= connection.silent_since]
        self.turn(turns)

    @rule(seconds=st.sampled_from([0.06, 0.1, 1, 5, 19, 21, 60]))
    def wait(self, seconds):
        """Time passes."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    # ── what always holds ──

    @invariant()
    def the_bound_holds(self):
        """Open and being opened are within the limit, but for one replacement."""
        demanded = self.opening.count(Purpose.DEMAND)
        assert demanded == self.host._opening
        assert self.opening.count(Purpose.REPLACEMENT) == (self.host._sweeper.replacing is not None) <= 1
        retired = sum(connection.retired for connection in self.host._connections)
        assert len(self.host._connections) - retired + demanded <= LIMIT
        assert len(self.host._connections) + len(self.opening) <= LIMIT + 1

    @invariant()
    def nobody_waits_beside_an_idle_connection(self):
        """What is idle is open, held by nobody, and wanted by nobody."""
        idle = self.host._idle
        assert len(set(idle)) == len(idle)
        assert set(idle) <= self.host._connections.keys()
        assert not set(idle) & set(self.held.values())
        assert not (idle and self.host._waiters)
        assert all(connection.is_open and not connection.retired for connection in idle)
        assert list(idle) == sorted(idle, key=lambda connection: connection.idle_since)

    @invariant()
    def whoever_waits_is_served_one_day(self):
        """While calls wait, a connection is on its way, in use, or about to be tried."""
        waiting = len(self.host._waiters) + len(self.host._fresh_waiters)
        if waiting:
            in_use = len(self.host._connections) > len(self.host._idle)
            assert self.opening or in_use or self.host._retry is not None

    @invariant()
    def the_counts_agree(self):
        """The statistics are those of what is there."""
        statistics = self.host.statistics()
        assert statistics.opened - statistics.closed == len(self.host._connections)
        assert statistics.idle + statistics.in_use == len(self.host._connections)
        assert statistics.requests == self.served_in_all()

    def served_in_all(self):
        """Count what was served, by what the pool has and had."""
        return self.host._served_before + sum(connection.served for connection in self.host._connections)

    @rule()
    def settle(self):
        """When nothing more happens by itself, every connection is idle or held."""
        self.turn(6)
        assert {*self.host._idle, *self.held.values()} == self.host._connections.keys()
        assert not self.host._closing
        for number, (task, _) in list(self.calls.items()):
            if task.done():
                del self.calls[number]
                if not task.cancelled() and task.exception() is not None:
                    assert isinstance(task.exception(), TransportError | PoolTimeoutError)

    def teardown(self):
        """Closing ends every call, and leaves no connection."""
        emptied = self.host.close()
        for number in list(self.held):
            command = self.calls[number][1]
            if not command.done():
                command.set_result("fail")
        for purpose in self.opening:
            self.host.opened(FakeConnection(self), purpose)
        self.turn(8)
        assert emptied.done()
        assert not self.host._connections
        assert not self.host._closing
        for task, _ in self.calls.values():
            assert task.done()
            assert task.cancelled() or isinstance(task.exception(), ClientStateError | TransportError | None)
        self.loop.close()


class PatientPool(Pool):
    """The same where calls wait for an address that refuses: no refusal ends a call, and one connection asks."""

    patient = True
    refusal = UnreachableError("refused")

    def begin_opening(self, purpose):
        """While the address refuses, one connection asks whether it is back: none is opened beside it."""
        if purpose is Purpose.DEMAND and self.host.obstacle is not None:
            assert Purpose.DEMAND not in self.opening
        super().begin_opening(purpose)


SETTINGS = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
Pool.TestCase.settings = PatientPool.TestCase.settings = SETTINGS
TestPool = Pool.TestCase
TestPatientPool = PatientPool.TestCase
