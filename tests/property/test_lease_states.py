"""Leases, step by step: workers whose clocks stop and whose requests and answers come late, or never.

The rules of leases are driven without a loop: each worker reads the rows, takes, renews, gives up and writes by the
operations of `LeaseRows`, against an engine in memory. Requests are on their way until a step delivers them.

- As long as no clock has stopped, two never believe at once that they hold the lease.
- Always, clocks stopped or not, the writes that check the lease come in the order of its epochs.
"""

import os
from types import ModuleType
from typing import Any, ClassVar

import orjson
from attrs import define, field
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mizzle_async import Client, StateTable
from mizzle_async.operations.transactions.write import transact_write
from mizzle_async.streams.state.lease_rules import Claim, LeaseRows, Standing, Tenure, Watch
from mizzle_async.streams.state.rows import BEAT, FENCE, Beat

SECONDS = 6.0
SCOPE = "lease#nightly"
OPTIONS = settings(
    max_examples=int(os.environ.get("MIZZLE_TEST_COUNT", "60")),
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
WORKERS = st.integers(0, 2)
TIMES = st.sampled_from([0.1, 0.5, 1.0, 2.0, 4.9, 5.1, 6.0, 7.0])


@define
class Worker:
    """A process, with a clock of its own."""

    name: str
    behind: float
    takings: int = 0
    watch: Watch = field(factory=Watch)
    seen: Standing | None = None
    held: Beat | None = None
    tenure: Tenure = field(factory=lambda: Tenure(float("-inf"), SECONDS))
    claim: Claim = field(factory=lambda: Claim(SCOPE, "", SECONDS))


@define
class Sent:
    """A request on its way."""

    worker: Worker
    kind: str
    body: dict[str, Any]
    started: float
    beat: Beat


class Leases(RuleBasedStateMachine):
    """Three workers, one lease, and the requests on their way."""

    memory: ClassVar[ModuleType]

    def __init__(self) -> None:
        super().__init__()
        client = Client(region_name="eu-west-1", credentials=("key", "secret"))
        state = client.state(StateTable("app-state"))
        self.rows: LeaseRows = state._leases
        self.spanning = client._catalog.spanning_target
        self.engine = self.memory.MemoryEngine()
        self.now = 1000.0
        self.sent: list[Sent] = []
        self.written = 0
        self.stopped = False
        self.workers: list[Worker] = []

    @initialize(behind=st.lists(st.floats(0, 900), min_size=3, max_size=3))
    def begin(self, behind: list[float]) -> None:
        self.workers = [Worker(name, each) for name, each in zip("abc", behind, strict=True)]

    def clock(self, worker: Worker) -> float:
        return self.now - worker.behind

    def believes(self, worker: Worker) -> bool:
        return worker.held is not None and self.clock(worker) < worker.tenure.ends

    # ── time ──

    @rule(seconds=TIMES)
    def pass_time(self, seconds: float) -> None:
        """Let time pass for all."""
        self.now += seconds

    @rule(number=WORKERS, seconds=TIMES)
    def stop_clock(self, number: int, seconds: float) -> None:
        """Let time pass for all but one, whose machine stands still with its clock."""
        self.now += seconds
        self.workers[number].behind += seconds
        self.stopped = True

    # ── requests ──

    @rule(number=WORKERS)
    def look(self, number: int) -> None:
        """Read the rows."""
        worker = self.workers[number]
        beat, fence = (self.read(table, row) for table, row in ((self.rows.beats, BEAT), (self.rows.fences, FENCE)))
        worker.seen = Standing(beat, fence)
        if beat is not None and beat.owner == worker.claim.owner and worker.held is None:
            self.send(worker, "renew", *self.renewal(beat))  # a taking whose answer was lost
        else:
            worker.watch = worker.watch.saw(worker.seen, SECONDS, self.clock(worker))

    @rule(number=WORKERS)
    def take(self, number: int) -> None:
        """Take the lease as it was seen, if that may be."""
        worker = self.workers[number]
        if worker.held is not None or worker.seen is None:
            return
        if not worker.seen.is_free and worker.watch.left(self.clock(worker)) > 0:
            return
        worker.takings += 1
        worker.claim = Claim(SCOPE, f"{worker.name}{worker.takings}", SECONDS)
        beat, operations = self.rows.take(worker.claim, worker.seen)
        self.send(worker, "take", beat, transact_write(self.spanning, operations, None, None).to_wire())

    @rule(number=WORKERS)
    def renew(self, number: int) -> None:
        """Renew a lease that is held."""
        worker = self.workers[number]
        if self.believes(worker) and worker.held is not None:
            self.send(worker, "renew", *self.renewal(worker.held))

    @rule(number=WORKERS)
    def give_up(self, number: int) -> None:
        """Release a lease: the worker does not hold it from this moment on."""
        worker = self.workers[number]
        if worker.held is not None:
            operations = self.rows.release(worker.held, self.now)
            body = transact_write(self.spanning, operations, None, None).to_wire()
            self.send(worker, "release", worker.held, body)
            worker.held, worker.seen = None, None
            worker.claim = Claim(SCOPE, "", SECONDS)  # entering again is another taking

    @rule(number=WORKERS)
    def write(self, number: int) -> None:
        """Write with a check, whether the worker is right to believe or not."""
        worker = self.workers[number]
        if worker.held is not None:
            check = self.rows.check(worker.held)
            body = transact_write(self.spanning, [check], None, None).to_wire()
            if self.apply("TransactWriteItems", body) is not None:
                assert worker.held.epoch >= self.written
                self.written = worker.held.epoch

    @rule(number=WORKERS)
    def take_at_once(self, number: int) -> None:
        """Read the rows and take the lease, if it is free, with nothing late or lost."""
        self.look(number)
        self.take(number)
        if self.sent and self.sent[-1].worker is self.workers[number]:
            self.arrive(self.sent.pop(), "answered")

    @rule(number=WORKERS, seconds=TIMES)
    def wait_and_take(self, number: int, seconds: float) -> None:
        """Watch a lease for its time, and send the taking if nothing has moved meanwhile."""
        self.look(number)
        self.now += seconds
        self.look(number)
        self.take(number)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), arrives=st.sampled_from(["answered", "answered", "answered", "unanswered", "lost"]))
    def deliver(self, data: st.DataObject, arrives: str) -> None:
        """Let a request arrive, and its answer, or neither."""
        self.arrive(self.sent.pop(data.draw(st.integers(0, len(self.sent) - 1))), arrives)

    def arrive(self, sent: Sent, arrives: str) -> None:
        """Let a request arrive, and its answer, or neither."""
        if arrives == "lost":
            return
        operation = "PutItem" if sent.kind == "renew" else "TransactWriteItems"
        answer = self.apply(operation, sent.body)
        worker = sent.worker
        ours = sent.beat.owner == worker.claim.owner
        if arrives == "unanswered" or sent.kind == "release" or not ours:
            return
        if answer is None:
            worker.held = None if sent.kind == "renew" else worker.held
        elif worker.held is None or sent.started > worker.tenure.started:
            worker.held, worker.tenure = sent.beat, Tenure(sent.started, SECONDS)

    def renewal(self, beat: Beat) -> tuple[Beat, dict[str, Any]]:
        renewed, operation = self.rows.renew(beat)
        return renewed, operation.to_wire()

    def send(self, worker: Worker, kind: str, beat: Beat, body: dict[str, Any]) -> None:
        self.sent.append(Sent(worker, kind, body, self.clock(worker), beat))

    def read(self, table: Any, row: str) -> Any:
        item = self.engine.answer("GetItem", orjson.dumps(table.at(SCOPE, row).to_wire())).payload.get("Item")
        return None if item is None else table._target.codec.decode(item)

    def apply(self, operation: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Apply a request, and return its answer, None where it was refused."""
        reply = self.engine.answer(operation, orjson.dumps(body))
        return reply.payload if reply.status == 200 else None

    # ── what holds always ──

    @invariant()
    def two_never_believe(self) -> None:
        """While no clock has stopped, one worker at most believes that it holds the lease."""
        if not self.stopped:
            assert sum(map(self.believes, self.workers)) <= 1


def test_two_never_hold_a_lease(memory_engine: ModuleType) -> None:
    """Whatever is late or lost, two never believe at once, and writes that check the lease are in its order."""
    Leases.memory = memory_engine
    run_state_machine_as_test(Leases, settings=OPTIONS)
