import asyncio
import gc
import threading

import orjson
import pytest

from mizzle_async import (
    Attribute,
    BatchError,
    Client,
    ClientStateError,
    ExpressionError,
    ItemNotFoundError,
    PartitionKey,
    SortKey,
    ThrottledError,
    UnawaitedOperationWarning,
    attribute,
    entity,
)
from mizzle_async.errors import ConditionalCheckFailedError
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.stub import StubCaller


@entity("rows")
class Row:
    name: PartitionKey[str]
    number: SortKey[int]
    count: Attribute[int] = attribute(default=0)


class Busy(StubCaller):
    """Answers each call a moment later than the one before it, and counts how many are under way."""

    def __init__(self):
        super().__init__({"UpdateItem": self.update, "BatchGetItem": {}})
        self.now = self.most = 0

    async def call(self, request):
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.now)
            return await super().call(request)
        finally:
            self.now -= 1

    def update(self, request):
        key = orjson.loads(request.body)["Key"]
        if key["number"]["N"] == "3":
            return ConditionalCheckFailedError("no", code="ConditionalCheckFailedException")
        if key["number"]["N"] == "4":
            return ThrottledError("too fast")
        return {"Attributes": {**key, "count": {"N": "1"}}}


def with_client(caller, use):
    """Run a coroutine function with an open client on a virtual clock."""

    async def main():
        async with Client(caller=caller) as client:
            return await use(client)

    return run_virtual(main())


@pytest.mark.parametrize("is_async", [False, True])
def test_each_operation_has_its_outcome(is_async):
    """Any operations are sent, so many at once; one that fails does not stop the others."""
    caller = Busy()

    async def use(client):
        rows = client.table(Row)
        operations = (rows.update(name="a", number=number).add(Row.count, 1) for number in range(20))

        async def source():
            for operation in operations:
                yield operation

        outcomes = {}
        sending = client.send_all(source() if is_async else operations, concurrency=4)
        async for operation, outcome in sending:
            outcomes[int(operation.to_wire()["Key"]["number"]["N"])] = outcome
        assert repr(sending) == "<SendAll: 0 under way>"
        return outcomes

    outcomes = with_client(caller, use)
    assert sorted(outcomes) == list(range(20))
    assert caller.most == 4
    assert [number for number, outcome in outcomes.items() if not outcome.succeeded] == [3, 4]
    assert outcomes[5].get().count == 1
    with pytest.raises(ItemNotFoundError):
        outcomes[3].get()


def test_leaving_the_loop_stops(recwarn):
    """Leaving cancels what is under way, and names it; nothing more is taken from the input."""
    caller = Busy()
    taken = []

    def source(rows):
        for number in range(5, 100):
            taken.append(number)
            yield rows.update(name="a", number=number).add(Row.count, 1)

    async def use(client):
        rows = client.table(Row)
        sending = client.send_all(source(rows), concurrency=3)
        async for _ in sending:
            break
        await sending.aclose()
        assert 2 <= len(sending.under_way) <= 6
        dropped = client.send_all(source(rows), concurrency=3)
        await anext(dropped)
        del dropped
        gc.collect()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert caller.now == 0

    with_client(caller, use)
    assert len(taken) < 20
    assert not recwarn.list


@pytest.mark.parametrize("verb", ["send_all", "get_many"])
def test_iterator_may_be_dropped_in_another_thread(verb):
    """The garbage collector works wherever it likes: what is under way is cancelled in its own loop all the same."""
    caller = Busy()

    async def main():
        async with Client(caller=caller) as client:
            rows = client.table(Row)
            keys = [rows.key(name="a", number=number) for number in range(5, 305)]
            updates = (rows.update(key).add(Row.count, 1) for key in keys)
            held = [aiter(client.send_all(updates, concurrency=3) if verb == "send_all" else rows.get_many(keys))]
            await anext(held[0])
            assert caller.now
            thread = threading.Thread(target=held.clear)
            thread.start()
            thread.join()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert caller.now == 0

    run_virtual(main(), debug=True)  # in which asyncio refuses what another thread does to a loop


def test_error_of_the_source_comes_last():
    """When the source raises, the outcomes of what it gave before come first."""
    caller = Busy()

    def source(rows):
        for number in range(5, 10):
            yield rows.update(name="a", number=number).add(Row.count, 1)
        raise OSError("disk")

    async def use(client):
        seen = []
        with pytest.raises(OSError, match="disk"):  # noqa: PT012  (reading is what raises)
            async for _, outcome in client.send_all(source(client.table(Row)), concurrency=2):
                seen.append(outcome)
        assert len(seen) == 5
        with pytest.raises(ExpressionError, match="concurrency"):
            client.send_all([], concurrency=0)

    with_client(caller, use)


@pytest.mark.parametrize("wrong", [5, None, "scan"])
def test_what_is_no_operation_is_refused(wrong):
    """Something else among the operations is refused, when the outcomes of those before it have come."""

    async def use(client):
        rows = client.table(Row)
        given = [rows.update(name="a", number=5).add(Row.count, 1), rows.scan() if wrong == "scan" else wrong]
        seen = []
        with pytest.raises(ExpressionError, match="takes operations"):  # noqa: PT012  (reading is what raises)
            async for operation, _ in client.send_all(given):
                seen.append(operation)
        assert seen == given[:1]

    with_client(Busy(), use)


def test_client_that_is_closed_meanwhile_is_no_end(recwarn):
    """When the client is closed before all is sent, the loop raises, and the iterator names what was under way."""

    async def main():
        client = Client(caller=Busy())
        await client.open()
        rows = client.table(Row)
        sending = client.send_all(rows.update(name="a", number=n).add(Row.count, 1) for n in range(5, 50))
        await anext(sending)
        await client.aclose()
        with pytest.raises(ClientStateError, match="closed"):
            async for _ in sending:
                pass
        assert sending.under_way
        with pytest.raises(StopAsyncIteration):
            await anext(sending)

    run_virtual(main())


def test_client_that_is_closed_before_anything_is_sent_ends_the_loop(recwarn):
    """Closed in the moment in which sending begins, the client leaves nobody waiting."""

    async def main():
        client = Client(caller=Busy())
        await client.open()
        rows = client.table(Row)
        sending = client.send_all(rows.get(name="a", number=number) for number in range(3))
        reading = asyncio.create_task(anext(sending))
        await asyncio.gather(client.aclose(), asyncio.wait([reading]))
        with pytest.raises(ClientStateError, match="closed before"):
            await reading

    run_virtual(main())


def stored(table, count):
    """Put rows into a table in memory."""
    for number in range(count):
        item = {"name": {"S": "a"}, "number": {"N": str(number)}, "count": {"N": str(number)}}
        table.items["rows", "a", str(number)] = item


def test_gets_of_one_tick_are_one_request(table):
    """Concurrent gets become one BatchGetItem; a key asked for twice is sent once."""
    stored(table, 50)

    async def use(client):
        rows = client.table(Row)
        async with rows.coalesced() as reads:
            found = await asyncio.gather(*(reads.get(name="a", number=number % 60) for number in range(120)))
            assert "0 waiting" in repr(reads)
        assert [None if row is None else row.count for row in found] == [
            number % 60 if number % 60 < 50 else None for number in range(120)
        ]
        assert found[0] == found[60]
        assert found[0] is not found[60]
        with pytest.raises(ClientStateError, match="within their block"):
            await reads.get(name="a", number=1)

    with_client(table.caller, use)
    assert table.sizes == [60]


def test_more_than_a_hundred_gets_are_several_requests(table):
    """What does not fit into one request goes into another at the same time."""
    stored(table, 250)

    async def use(client):
        async with client.table(Row).coalesced(consistent_read=True) as reads:
            found = await asyncio.gather(*(reads.get(Row(name="a", number=number)) for number in range(250)))
        assert all(found)

    with_client(table.caller, use)
    assert table.sizes == [100, 100, 50]


def test_cancelled_caller_does_not_touch_others(table):
    """One caller's cancellation leaves the others their answers, even of the same key."""
    stored(table, 3)

    async def use(client):
        async with client.table(Row).coalesced() as reads:
            tasks = [asyncio.create_task(reads.get(name="a", number=number)) for number in (0, 0, 1)]
            await asyncio.sleep(0)
            tasks[0].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert [row.count for row in results[1:]] == [0, 1]

    with_client(table.caller, use)


def test_error_reaches_those_whose_items_were_not_read(table):
    """Keys that stay unprocessed fail their callers, and nobody else."""
    stored(table, 3)
    table.leave = lambda _number, keys: [key for key in keys if key["number"]["N"] == "1"]

    async def use(client):
        async with client.table(Row).coalesced(timeout=1.0) as reads:
            results = await asyncio.gather(
                *(reads.get(name="a", number=number) for number in (0, 1, 2, 1)), return_exceptions=True
            )
        assert [type(result) for result in results] == [Row, BatchError, Row, BatchError]

    with_client(table.caller, use)


def test_closing_meanwhile_fails_the_callers(table):
    """A client that closes, or a block that is left by an error, fails those who wait, and says why."""
    table.leave = lambda _number, keys: keys

    async def use(client):
        rows = client.table(Row)
        reads = rows.coalesced(timeout=100.0)
        await reads.__aenter__()
        waiting = asyncio.create_task(reads.get(name="a", number=1))
        await asyncio.sleep(1)
        await reads.__aexit__(ValueError, ValueError(), None)
        with pytest.raises(ClientStateError, match="closed before"):
            await waiting
        with pytest.raises(ZeroDivisionError):  # noqa: PT012  (the block is what raises)
            async with rows.coalesced() as left:
                asking = asyncio.create_task(left.get(name="a", number=1))
                await asyncio.sleep(0)
                raise ZeroDivisionError
        with pytest.raises(ClientStateError, match="closed before"):
            await asking
        async with rows.coalesced() as later:
            asking = asyncio.create_task(later.get(name="a", number=1))
            await asyncio.sleep(0)
            await client.aclose()
            with pytest.raises(ClientStateError):
                await asking

    with_client(table.caller, use)


@pytest.mark.parametrize("count", [0, 1, 100, 101, 350])
def test_many_keys_are_read_once_each(table, count):
    """A list comes in the order of the keys; iterating gives each key as it was asked for, in the order of arrival."""
    stored(table, 200)

    async def use(client):
        rows = client.table(Row)
        keys = [rows.key(name="a", number=number // 2) for number in range(count)]
        asked = rows.get_many(keys, concurrency=2)
        assert repr(asked) == f"<get_many of {count} keys of 'rows'>"
        found = await asked
        assert [row and row.count for row in found] == [number // 2 for number in range(count)]
        requests = len(table.batches)
        iterated = [(key, row) async for key, row in rows.get_many(keys, read_units_per_second=1000.0)]
        assert sorted(key.item["number"]["N"] for key, _ in iterated) == sorted(key.item["number"]["N"] for key in keys)
        assert all(row is not None and str(row.count) == key.item["number"]["N"] for key, row in iterated)
        return requests

    requests = with_client(table.caller, use)
    distinct = -(-count // 2)
    assert requests == -(-distinct // 100)


def test_items_are_decoded_as_they_arrive(table):
    """The items of a request are instances before the next one is sent: raw, all of them would take far more memory."""
    stored(table, 250)
    decoded = []

    @entity("rows")
    class Watched(Row):
        count: Attribute[int] = attribute(default=0, converter=lambda count: decoded.append(count) or count)

    seen = []
    table.leave = lambda _number, _keys: seen.append(len(decoded)) or []

    async def use(client):
        rows = client.table(Watched)
        keys = [rows.key(name="a", number=number) for number in range(250)]
        found = await rows.get_many(keys, concurrency=1)
        assert [row.number for row in found] == list(range(250))

    with_client(table.caller, use)
    assert seen == [0, 100, 200]


def test_what_is_left_may_come_in_another_form(table):
    """An item that does not fit the common form comes as a dict, after others of its batch that came as records."""
    stored(table, 3)
    table.items["rows", "a", "1"]["count"] = {"N": "1e0"}
    table.items["rows", "a", "1"]["odd"] = {"L": []}

    @entity("rows")
    class Odd(Row):
        odd: Attribute[set[str]] = attribute(factory=set)

    table.leave = lambda number, keys: [key for key in keys if key["number"]["N"] == "1"] if number == 1 else []

    async def use(client):
        rows = client.table(Odd)
        found = await rows.get_many([rows.key(name="a", number=number) for number in range(3)])
        assert [row.count for row in found] == [0, 1, 2]

    with_client(table.caller, use)
    assert table.sizes[-2:] == [3, 1]


def test_a_repeated_key_has_an_instance_for_each_time(table):
    """What is done to one of them does not show in the other."""
    stored(table, 1)

    async def use(client):
        rows = client.table(Row)
        key = rows.key(name="a", number=0)
        first, missing, second = await rows.get_many([key, rows.key(name="a", number=7), key])
        assert first == second
        assert first is not second
        assert missing is None

    with_client(table.caller, use)
    assert table.sizes[-1] == 2


def test_reading_many_is_not_forgotten():
    """Reading that is dropped without an await warns, and to use it as its result raises."""
    rows = Client().table(Row)
    with pytest.warns(UnawaitedOperationWarning, match="get_many of 1 keys of 'rows'"):
        rows.get_many([rows.key(name="a", number=1)])
    for wrong in (bool, list):
        with pytest.raises(TypeError, match="did you forget `await`"):
            wrong(rows.get_many([]))


def test_reading_in_order_of_arrival_ends_with_its_reader(table):
    """An error ends the iteration; so does closing it, with what is under way."""
    stored(table, 10)

    def leave(number, keys):
        if number == 2:
            raise KeyError("gone")
        return []

    async def use(client):
        rows = client.table(Row)
        keys = [rows.key(name="a", number=number) for number in range(300)]
        table.leave = leave
        with pytest.raises(KeyError, match="gone"):
            [row async for row in rows.get_many(keys, concurrency=1)]
        table.leave = lambda _number, keys: []
        iterator = aiter(rows.get_many(keys))
        await anext(iterator)
        await iterator.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(iterator)
        dropped = aiter(rows.get_many(keys))
        await anext(dropped)
        del dropped

    with_client(table.caller, use)
