"""The rules of leases, one by one, against an engine in memory."""

import orjson
import pytest

from mizzle_async import Client, StateTable
from mizzle_async.operations.transactions.write import transact_write
from mizzle_async.streams.state.lease_rules import Claim, LeaseRows, Standing, Tenure, Watch
from mizzle_async.streams.state.rows import BEAT, FENCE, Beat, Fence

SCOPE = "lease#nightly"


class Table:
    """Rows of leases in memory, and the operations on them."""

    def __init__(self, engine):
        client = Client(region_name="eu-west-1", credentials=("key", "secret"))
        state = client.state(StateTable("app-state"))
        self.rows: LeaseRows = state._leases
        self.spanning = client._catalog.spanning_target
        self.engine = engine

    def see(self):
        """Read the lease."""
        return Standing(self.read(self.rows.beats, BEAT), self.read(self.rows.fences, FENCE))

    def read(self, table, row):
        """Read a row."""
        item = self.engine.answer("GetItem", orjson.dumps(table.at(SCOPE, row).to_wire())).payload.get("Item")
        return None if item is None else table._target.codec.decode(item)

    def transact(self, operations):
        """Send a transaction, and return whether it was applied."""
        body = transact_write(self.spanning, operations, None, None).to_wire()
        return self.engine.answer("TransactWriteItems", orjson.dumps(body)).status == 200

    def put(self, operation):
        """Send a put, and return whether it was applied."""
        return self.engine.answer("PutItem", orjson.dumps(operation.to_wire())).status == 200


@pytest.fixture
def table(memory_engine):
    """Return an empty table."""
    return Table(memory_engine.MemoryEngine())


def test_renewal_before_the_taking_arrives_prevents_it(table):
    """A holder that renews after a waiter has looked for the last time keeps the lease."""
    held, take = table.rows.take(Claim(SCOPE, "a", 6.0), table.see())
    assert table.transact(take)
    _, late = table.rows.take(Claim(SCOPE, "b", 6.0), table.see())
    renewed, renewal = table.rows.renew(held)
    assert table.put(renewal)
    assert not table.transact(late)
    assert table.see().beat == renewed


def test_taking_before_the_renewal_arrives_prevents_that(table):
    """A holder whose renewal is late does not get the lease back."""
    held, take = table.rows.take(Claim(SCOPE, "a", 6.0), table.see())
    assert table.transact(take)
    _, renewal = table.rows.renew(held)
    second, taking = table.rows.take(Claim(SCOPE, "b", 6.0), table.see())
    assert table.transact(taking)
    assert not table.put(renewal)
    assert (second.epoch, table.see().fence.owner) == (2, "b")


def test_two_that_take_a_free_lease_are_one(table):
    """Of two takings of a lease as both saw it, one is applied, whether it was never held or released."""
    for epoch in (1, 2):
        seen = table.see()
        assert seen.is_free
        first, one = table.rows.take(Claim(SCOPE, f"a{epoch}", 6.0), seen)
        _, two = table.rows.take(Claim(SCOPE, f"b{epoch}", 6.0), seen)
        assert table.transact(one)
        assert not table.transact(two)
        assert first.epoch == epoch
        assert table.transact(table.rows.release(first, 1000.0))
        assert not table.transact(table.rows.release(first, 1000.0))


def test_check_holds_for_the_holder_alone(table):
    """The check of a taking is true while its row is the last one, and is no renewal's matter."""
    held, take = table.rows.take(Claim(SCOPE, "a", 6.0), table.see())
    assert table.transact(take)
    renewed, renewal = table.rows.renew(held)
    assert table.put(renewal)
    assert table.transact([table.rows.check(held)])
    assert table.transact(table.rows.release(renewed, 1000.0))
    assert not table.transact([table.rows.check(held)])


def test_watch_counts_from_the_first_sight_of_the_last_beat():
    """A renewal begins the time anew, and the holder's own time counts."""

    def beat(number, seconds=6.0):
        return Standing(Beat(scope=SCOPE, row=BEAT, owner="a", epoch=1, beat=number, seconds=seconds))

    watch = Watch().saw(beat(1), 60.0, 100.0)
    assert watch.left(103.0) == 3.0
    assert watch.saw(beat(1), 60.0, 104.0).left(104.0) == 2.0
    assert watch.saw(beat(2), 60.0, 104.0).left(104.0) == 6.0
    without = Standing(None, Fence(scope=SCOPE, row=FENCE, epoch=1, owner="a"))
    assert watch.saw(without, 60.0, 104.0).left(104.0) == 60.0
    assert watch.saw(Standing(), 60.0, 104.0).left(104.0) == 0.0


def test_holder_stops_before_a_waiter_begins():
    """Whenever the waiter saw the beat, the holder's time ends before the waiter's."""
    tenure = Tenure(100.0, 6.0)
    watch = Watch().saw(Standing(Beat(scope=SCOPE, row=BEAT, owner="a", epoch=1, beat=1, seconds=6.0)), 6.0, 100.0)
    assert tenure.renewed_at == 102.0
    assert tenure.ends == 105.0 < 100.0 + watch.left(100.0)
