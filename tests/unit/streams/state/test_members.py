"""Several processes that share the shards of a stream over one state table, on a virtual clock."""

import asyncio
import os
from contextlib import suppress
from random import Random

import pytest

from mizzle_async import Client, MizzleError, RetryPolicy, StateTable
from mizzle_async.streams.checkpoints import ShardProgress
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.stub import StubTransport

STATE = StateTable("app-state")
TABLE = "arn:aws:dynamodb:eu-west-1:000000000000:table/orders"
ARN = f"{TABLE}/stream/2026-11-28T00:00:00.000"
SECONDS = 6.0


def open_client(network, **options):
    """Return a client behind a network."""
    return Client(
        region_name="eu-west-1",
        credentials=("key", "secret"),
        transport=StubTransport(network),
        timeout=10.0,
        retry=RetryPolicy(randomness=network.random.random),
        **options,
    )


def time():
    """Return the virtual time."""
    return asyncio.get_running_loop().time()


async def join(client, arn=ARN, consumer="search"):
    """Begin to consume."""
    return await client.state(STATE).checkpoints(lease_seconds=SECONDS).join(consumer, arn)


@pytest.fixture
def world(memory_engine):
    """Return a function that runs a coroutine function with a network and a client behind it."""

    def run(use, **options):
        async def main():
            network = memory_engine.Network(memory_engine.MemoryEngine(), **options)
            async with open_client(network) as client:
                return await use(network, client)

        return run_virtual(main())

    return run


def shards(count):
    """Return ids of shards."""
    return {f"shard-{number:03}" for number in range(count)}


async def settle(members, ready, turns=6):
    """Let members take turns, drain what is asked for and give it up. Return the last holding of each."""
    holdings = {}
    for _ in range(turns):
        for member in members:
            holding = await member.turn(ready)
            if holding.wanted:
                await member.release(holding.wanted)
            holdings[member] = {shard for shard in holding.shards if shard not in holding.wanted}
        await asyncio.sleep(SECONDS / 3)
    return holdings


# ── the start ──


def test_first_start_wins(world):
    """Of several processes the first one's origin is kept, and a restart finds it."""

    async def use(_network, client):
        one, two = await join(client), await join(client)
        assert await one.read() is None
        assert (await one.begin(100.0)).origin == 100.0
        assert (await two.begin(200.0)).origin == 100.0
        saved = await (await join(client)).read()
        assert (saved.stream_arn, saved.origin, saved.shards) == (ARN, 100.0, {})
        assert await (await join(client, consumer="other")).read() is None

    world(use)


def test_another_stream_of_the_table_begins_anew(world):
    """The earlier stream's positions are shown until `begin`, which removes them."""

    async def use(network, client):
        old = await join(client)
        await old.begin(None)
        await old.turn({"a"})
        await old.save([ShardProgress("a", "0123")])
        new = await join(client, arn=f"{TABLE}/stream/later")
        saved = await new.read()
        assert (saved.stream_arn, saved.shards) == (ARN, {"a": ShardProgress("a", "0123")})
        saved = await new.begin(5.0)
        assert (saved.stream_arn, saved.origin, saved.shards) == (f"{TABLE}/stream/later", 5.0, {})
        assert [scope for _, scope, _ in network.engine.items if scope.endswith(ARN)] == []

    world(use)


# ── sharing ──


def test_one_process_holds_everything(world):
    """Alone, a process takes every shard that is ready, in one turn, and keeps what it saved."""

    async def use(network, client):
        member = await join(client)
        await member.begin(None)
        holding = await member.turn(shards(100))
        assert set(holding.shards) == shards(100)
        assert set(holding.shards.values()) == {1}
        assert member.valid_until == pytest.approx(time() + SECONDS * 5 / 6)
        network.engine.requests.clear()
        holding = await member.turn(shards(100))
        assert set(holding.shards) == shards(100)
        assert network.engine.requests == {"PutItem": 1, "Query": 2}

    world(use)


@pytest.mark.parametrize(("workers", "count"), [(2, 100), (3, 100), (4, 7), (5, 3)])
def test_shards_are_balanced_without_a_loss(world, workers, count):
    """A process that comes asks for its share, the others drain and give it: nobody is taken by surprise."""

    async def use(_network, client):
        members = [await join(client) for _ in range(workers)]
        await members[0].begin(None)
        holdings = await settle(members, shards(count))
        held = [len(each) for each in holdings.values()]
        assert set().union(*holdings.values()) == shards(count)
        assert sum(held) == count
        assert max(held) <= -(-count // workers)
        for member in members:
            assert await member.save([ShardProgress(each, "1") for each in holdings[member]]) == frozenset()

    world(use)


def test_process_that_leaves_gives_its_shards_at_once(world):
    """After `close` the others take the shards in their next turn."""

    async def use(network, client):
        members = [await join(client) for _ in range(2)]
        await members[0].begin(None)
        await settle(members, shards(10))
        await members[0].close()
        await members[0].close()
        holding = await members[1].turn(shards(10))
        assert set(holding.shards) == shards(10)
        assert sum(row.startswith("worker#") for _, _, row in network.engine.items) == 1

    world(use)


def test_killed_process_is_replaced_when_its_time_is_over(world):
    """Its shards are taken after `lease_seconds` without a heartbeat, not before, with the positions it saved."""

    async def use(_network, client):
        one, two = await join(client), await join(client)
        await one.begin(None)
        await settle([one, two], shards(10))
        last = await one.turn(shards(10))
        await one.save([ShardProgress(each, "7") for each in last.shards])
        died = time()
        while True:
            holding = await two.turn(shards(10))
            if len(holding.shards) == 10:
                break
            assert time() < one.valid_until + SECONDS
            await asyncio.sleep(SECONDS / 3)
        assert time() > one.valid_until
        assert died + SECONDS <= time() <= died + 2 * SECONDS
        assert {holding.progress[each].position for each in last.shards} == {"7"}
        assert await one.save([ShardProgress(each, "8") for each in last.shards]) == frozenset(last.shards)

    world(use)


def test_written_heartbeat_counts_while_the_turn_goes_on(world, memory_engine, monkeypatch):
    """The holding is good from the heartbeat on, however long the reading of the rows takes."""
    arrive = memory_engine.Network.arrive

    def only_heartbeats(network, operation, *rest):
        if operation == "PutItem":
            arrive(network, operation, *rest)

    async def use(_network, client):
        member = await join(client)
        await member.begin(None)
        await member.turn(shards(4))
        await asyncio.sleep(SECONDS / 3)
        begun = time()
        monkeypatch.setattr(memory_engine.Network, "arrive", only_heartbeats)
        turn = asyncio.ensure_future(member.turn(shards(4)))
        await asyncio.sleep(SECONDS / 3)
        assert not turn.done()
        assert member.valid_until == pytest.approx(begun + SECONDS * 5 / 6)
        monkeypatch.setattr(memory_engine.Network, "arrive", arrive)
        assert set((await turn).shards) == shards(4)

    world(use)


def test_holding_of_a_zombie_ends_although_it_joins_again(world, memory_engine, monkeypatch):
    """The heartbeat of the new worker says nothing about the shards of the old one: others may have them."""
    arrive = memory_engine.Network.arrive

    def no_reads(network, operation, *rest):
        if operation != "Query":
            arrive(network, operation, *rest)

    async def use(_network, client):
        one, two = await join(client), await join(client)
        await one.begin(None)
        await one.turn(shards(4))
        ends = one.valid_until
        for _ in range(6):
            await two.turn(shards(4))
            await asyncio.sleep(SECONDS / 3)
        worker = one.worker
        monkeypatch.setattr(memory_engine.Network, "arrive", no_reads)
        turn = asyncio.ensure_future(one.turn(shards(4)))
        await asyncio.sleep(SECONDS / 3)
        assert one.worker != worker
        assert one.valid_until == ends
        monkeypatch.setattr(memory_engine.Network, "arrive", arrive)
        await turn
        assert one.valid_until > ends

    world(use)


def test_zombie_cannot_beat_and_begins_again(world):
    """A process that was found dead loses every shard at its next turn, and takes its share as a new worker."""

    async def use(_network, client):
        one, two = await join(client), await join(client)
        await one.begin(None)
        before = await one.turn(shards(4))
        for _ in range(6):
            await two.turn(shards(4))
            await asyncio.sleep(SECONDS / 3)
        after = await one.turn(shards(4))
        assert set(before.shards) == shards(4)
        assert after.shards == {}
        holdings = await settle([one, two], shards(4))
        assert sorted(map(len, holdings.values())) == [2, 2]

    world(use)


def test_row_that_is_deleted_by_hand_is_taken_anew(world):
    """The position is gone: the shard has another epoch then, so that its handlers are cancelled and it starts anew."""

    async def use(network, client):
        member = await join(client)
        await member.begin(None)
        before = await member.turn({"a", "b"})
        await member.save([ShardProgress("a", "5"), ShardProgress("b", "5")])
        for key in [key for key in network.engine.items if key[2] == "shard#a"]:
            del network.engine.items[key]
        assert await member.save([ShardProgress("a", "6")]) == {"a"}
        after = await member.turn({"a", "b"})
        assert after.shards["b"] == before.shards["b"]
        assert after.shards["a"] > before.shards["a"]
        assert after.progress["a"] == ShardProgress("a")
        for key in [key for key in network.engine.items if key[2] == "fence#b"]:
            del network.engine.items[key]
        await member.release({"b"})
        assert set((await member.turn({"a", "b"})).shards) == {"a", "b"}

    world(use)


def test_shard_that_is_done_is_nobodys(world):
    """A shard that was saved as done is held by none, is not taken again, and keeps its children."""

    async def use(_network, client):
        member = await join(client)
        await member.begin(None)
        await member.turn({"a", "b"})
        done = ShardProgress("a", "9", 1234.5, ("c", "d"))
        assert await member.save([done]) == frozenset()
        holding = await member.turn({"b", "c"})
        assert set(holding.shards) == {"b", "c"}
        assert holding.progress["a"] == done
        assert (await (await join(client)).read()).shards["a"] == done
        await member.forget({"a"})
        assert "a" not in (await member.turn({"b", "c"})).progress

    world(use)


def test_shard_that_is_not_drained_is_taken_from_its_reader(world):
    """A reader that does not drain a shard loses it after twice the time, and it is released in the turn after that."""

    async def use(_network, client):
        one, two = await join(client), await join(client)
        await one.begin(None)
        await one.turn({"a", "b"})
        await two.turn({"a", "b"})
        begun = time()
        while len((holding := await one.turn({"a", "b"})).shards) == 2:
            assert len(holding.wanted) == 1
            assert (await two.turn({"a", "b"})).shards == {}
            await asyncio.sleep(SECONDS / 3)
        assert time() - begun == pytest.approx(2 * SECONDS)
        (kept,) = holding.shards
        assert (await two.turn({"a", "b"})).shards == {}
        (lost,) = {"a", "b"} - {kept}
        assert await one.save([ShardProgress(lost, "1")]) == {lost}
        assert set((await one.turn({"a", "b"})).shards) == {kept}
        assert set((await two.turn({"a", "b"})).shards) == {lost}

    world(use)


def test_turn_without_an_answer_keeps_the_last_holding(world):
    """A table that cannot be reached raises; afterwards everything goes on, if that was in time."""

    async def use(network, client):
        member = await join(client)
        await member.begin(None)
        before = await member.turn({"a"})
        network.is_cut = True
        with pytest.raises(MizzleError):
            await member.turn({"a"})
        network.is_cut = False
        assert (await member.turn({"a"})).shards == before.shards

    world(use)


# ── never two ──


class Readers:
    """Reads of shards by several processes, each checked as it happens.

    Attributes:
        ready: The shards.
        reading: Which reader reads which shard.
        saved: The last position of each shard that any reader had done.
        reads: How often a change was read.
    """

    def __init__(self, ready):
        self.ready = ready
        self.reading = {}
        self.saved = dict.fromkeys(ready, 0)
        self.reads = 0


class Reader:
    """One process: it reads its shards for as long as its holding is good, saves them, and gives up those wanted."""

    def __init__(self, readers, member, random):
        self.readers = readers
        self.member = member
        self.random = random
        self.held = {}

    async def run(self, until):
        """Take turns until the time is over, or until the process ends: killed, or with its leave."""
        while time() < until and self.random.random() > 0.05:
            with suppress(MizzleError):
                await self.turn()
            await asyncio.sleep(self.random.random() * SECONDS / 3)
        self.stop(self.readers.ready)
        if self.random.random() < 0.5:
            with suppress(MizzleError):
                await self.member.close()

    async def turn(self):
        """Take a turn, and read within the time of its holding."""
        holding = await self.member.turn(self.readers.ready)
        self.stop({shard for shard, epoch in self.held.items() if holding.shards.get(shard) != epoch})
        if time() >= self.member.valid_until:
            return
        for shard in holding.shards:
            assert self.readers.reading.get(shard) in {None, self}, shard
            self.readers.reading[shard] = self
            assert int(holding.progress[shard].position or 0) <= self.readers.saved[shard]
        self.held = dict(holding.shards)
        asyncio.get_running_loop().call_at(self.member.valid_until, self.time_is_up)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self.member.valid_until):
                await self.work(holding.wanted)

    def time_is_up(self):
        """Stop at the end of the last holding, which a heartbeat may have moved."""
        if time() < self.member.valid_until:
            asyncio.get_running_loop().call_at(self.member.valid_until, self.time_is_up)
        else:
            self.stop(self.readers.ready)

    async def work(self, wanted):
        """Read a change of each shard, save that, and give up the shards that are wanted."""
        self.stop(wanted)
        for shard in list(self.held):
            self.readers.saved[shard] += 1
            self.readers.reads += 1
            self.stop(await self.member.save([ShardProgress(shard, str(self.readers.saved[shard]))]))
        await self.member.release(wanted)
        await asyncio.sleep(self.random.random() * SECONDS)

    def stop(self, shards):
        """Read some shards no more."""
        for shard in shards:
            self.held.pop(shard, None)
            if self.readers.reading.get(shard) is self:
                del self.readers.reading[shard]


@pytest.mark.parametrize("seed", range(int(os.environ.get("MIZZLE_TEST_COUNT", "8"))))
def test_two_never_read_a_shard_whatever_the_network_does(memory_engine, seed):
    """Slow and lost requests, conflicts, kills and restarts: each shard has one reader at most, positions grow."""
    random = Random(seed)
    engine = memory_engine.MemoryEngine()
    readers = Readers(shards(7))

    async def process():
        while time() < 300:
            network = memory_engine.Network(engine, Random(random.random()), longest=2.0, lost=0.05, conflicts=0.1)
            async with open_client(network) as client:
                await Reader(readers, await join(client), random).run(300)
            await asyncio.sleep(random.random() * 10)

    async def main():
        async with open_client(memory_engine.Network(engine)) as client:
            await (await join(client)).begin(None)
        await asyncio.gather(*(process() for _ in range(3)))

    run_virtual(main())
    assert readers.reads > 50
