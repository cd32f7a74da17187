import asyncio
from datetime import datetime

import pytest

from mizzle_async import (
    Attribute,
    BatchError,
    Client,
    ClientStateError,
    DeadlineExceededError,
    ExpressionError,
    LimitError,
    MarshallingError,
    PartitionKey,
    ResourceNotFoundError,
    SortKey,
    ThrottledError,
    TransportError,
    UnawaitedOperationWarning,
    ValidationError,
    WorkStoppedError,
    attribute,
    entity,
)
from mizzle_async.testing.clock import run_virtual
from mizzle_async.types import Outcome


@entity("rows")
class Row:
    name: PartitionKey[str]
    number: SortKey[int]
    text: Attribute[str] = attribute(default="")


@entity("others")
class Other:
    name: PartitionKey[str]


@entity("counted")
class Counted:
    name: PartitionKey[str]
    version: Attribute[int] = attribute(default=0, version=True)


@entity("singular")
class Singular:
    name: PartitionKey[str]
    email: Attribute[str] = attribute(unique=True)


@entity("brief")
class Brief:
    name: PartitionKey[str]
    until: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


def rows(count, **changes):
    """Make as many rows under one name."""
    return [Row(name="a", number=number, **changes) for number in range(count)]


def with_client(table, use, **settings):
    """Run a coroutine function with an open client on a virtual clock."""

    async def main():
        async with Client(caller=table.caller, **settings) as client:
            return await use(client)

    return run_virtual(main())


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (25, [25]), (26, [25, 1]), (60, [25, 25, 10])])
def test_puts_are_packed_by_25(table, count, sizes):
    """A load sends as few requests as DynamoDB allows, and says how much it wrote and what that cost."""
    report = with_client(table, lambda client: client.table(Row).put_many(iter(rows(count))).send())
    assert sorted(table.sizes, reverse=True) == sizes
    assert (report.written, report.taken, report.write_requests, report.write_units) == (
        count,
        count,
        len(sizes),
        float(count),
    )
    assert len(table.items) == count
    assert (report.read_requests, report.read_units) == (0, 0.0)
    assert str(report) == f"{count} written" + (f", {count:.1f} write units" if count else "")


def test_large_items_are_packed_by_size(table):
    """A request stays within 16 MB, whatever escaping makes of its items."""
    large = rows(60, text="\x01" * 200_000)  # 1.2 MB of JSON each
    with_client(table, lambda client: client.table(Row).put_many(large).send())
    assert len(table.items) == 60
    assert max(table.sizes) == 13


def test_source_that_has_more_than_its_length_says(table):
    """What a source says of its length is believed of nothing: a list may grow, and a lazy collection may not know."""

    class Lazy:
        def __len__(self):
            return 3

        def __iter__(self):
            return iter(rows(60))

    async def main():
        async with Client(caller=table.caller) as client:
            orders = client.table(Row)
            assert (await orders.put_many(Lazy())).written == 60
            growing = rows(20)
            load = orders.put_many(growing)
            growing += rows(30)[20:]
            assert (await load).written == 30
            empty = []
            load = orders.put_many(empty)
            empty += rows(1)
            assert (await load).written == 1

    run_virtual(main())


def test_async_source_is_read_as_needed(table):
    """An asynchronous iterable is a source like any other, of any length."""

    async def source():
        for row in rows(130):
            await asyncio.sleep(0.001)
            yield row

    report = with_client(table, lambda client: client.table(Row).put_many(source(), concurrency=3).send())
    assert report.written == len(table.items) == 130
    assert sum(table.sizes) == 130


def test_writes_to_one_item_stay_in_order(table):
    """The last of several writes to one item is what is stored, and no request has two of them."""
    repeated = [Row(name="a", number=number % 7, text=str(number)) for number in range(400)]
    report = with_client(table, lambda client: client.table(Row).put_many(repeated, concurrency=5).send())
    assert report.written == 400
    assert max(table.sizes) <= 7
    assert {int(item["text"]["S"]) for item in table.items.values()} == set(range(393, 400))


def test_deletes(table):
    """Keys, instances and key values are deleted in batches; what is missing counts as deleted."""

    async def use(client):
        table_of_rows, others = client.table(Row), client.table(Other)
        await table_of_rows.put_many(rows(30))
        await others.put_many([Other(name="x")])
        report = await table_of_rows.delete_many([*rows(29), table_of_rows.key(name="b", number=1)])
        assert report.written == 30
        assert (await others.delete_many(["x"])).written == 1

    with_client(table, use)
    assert [key[2] for key in table.items] == ["29"]


def test_batch_write_mixes_tables(table):
    """Puts and deletes of several tables share requests."""

    async def use(client):
        table_of_rows, others = client.table(Row), client.table(Other)
        operations = [table_of_rows.put(row) for row in rows(20)]
        operations += [others.put(Other(name=f"n{number}")) for number in range(20)]
        return await client.batch_write(*operations, others.delete("n3"), table_of_rows.delete(name="a", number=0))

    report = with_client(table, use)
    assert report.written == 42
    assert len(table.items) == 38
    assert any(len(batch) == 2 for batch in table.batches)


def test_batch_write_refuses_what_a_batch_cannot_do(table):
    """An update, a condition and an insert belong elsewhere, and the message says where."""

    async def use(client):
        orders = client.table(Row)
        for operation in (
            orders.insert(rows(1)[0]),
            orders.put(rows(1)[0]).when(Row.text == "x"),
            orders.update(name="a", number=1).set(Row.text, "x"),
        ):
            with pytest.raises(ExpressionError, match="send_all"):
                client.batch_write(operation)
            operation.to_wire()

    with_client(table, use)


@pytest.mark.parametrize(("model", "why"), [(Counted, "has a version"), (Singular, "unique attributes")])
@pytest.mark.parametrize("verb", ["put_many", "delete_many"])
def test_entities_that_need_conditions_are_refused(table, model, why, verb):
    """BatchWriteItem takes no condition: an entity that needs one is refused, saying why and what to do."""

    async def use(client):
        with pytest.raises(ExpressionError, match=why):
            getattr(client.table(model), verb)([])

    with_client(table, use)


def test_unprocessed_items_are_sent_again(table):
    """What comes back unprocessed is no error: it goes out again until it is done."""
    table.leave = lambda number, entries: entries[::2] if number < 4 else []
    report = with_client(table, lambda client: client.table(Row).put_many(rows(50)).send())
    assert report.written == len(table.items) == 50
    assert report.unprocessed > 0
    assert report.is_complete


@pytest.mark.parametrize("refused", [False, True])
def test_endless_refusal_ends_at_the_deadline(table, refused):
    """Items that the service never takes are named at the deadline, and nothing more is taken from the input."""

    def leave(_number, entries):
        if refused:
            raise ThrottledError("too fast")
        return entries

    table.leave = leave
    source = iter(rows(1000))

    async def use(client):
        load = client.table(Row).put_many(source, concurrency=2, timeout=20.0)
        with pytest.raises(BatchError, match="put_many: 0 done, 50 not done, 0 unknown") as caught:
            await load
        assert caught.value.report is load.report
        assert isinstance(caught.value.__cause__, ThrottledError if refused else DeadlineExceededError)
        assert 19.0 < asyncio.get_running_loop().time() <= 20.1
        return load.report

    report = with_client(table, use)
    assert report.taken == 50
    assert {undone.position for undone in report.failed} == set(range(50))
    assert next(source).number == 50
    assert not table.items


class Bucket:
    """A table that takes so many items a second, and saves none up."""

    def __init__(self, items_per_second):
        self._rate = items_per_second
        self._filled = 1.0
        self._at = None

    def leave(self, _number, entries):
        """Return the entries that are too many now; refuse the request where all are."""
        now = asyncio.get_running_loop().time()
        self._filled = min(1.0, self._filled + (now - (now if self._at is None else self._at)) * self._rate)
        self._at = now
        if self._filled < 1.0:
            raise ThrottledError("too fast")
        self._filled -= 1.0
        return entries[1:]


@pytest.mark.parametrize("items_per_second", [1.0, 0.2])
def test_load_into_a_slow_table_goes_on_while_it_makes_progress(table, items_per_second):
    """A table of one unit a second takes 200 items in its own time: the time of a batch begins anew with each item."""
    table.leave = Bucket(items_per_second).leave

    async def use(client):
        await client.table(Row).put_many(rows(200))
        return asyncio.get_running_loop().time()

    seconds = with_client(table, use)
    assert len(table.items) == 200
    assert seconds < 2 * 200 / items_per_second


def test_load_into_a_slow_table_sends_few_requests_in_vain(table):
    """While the service throttles, lanes stop starting batches and requests shrink: few items are sent in vain."""
    table.leave = Bucket(1.0).leave
    with_client(table, lambda client: client.table(Row).put_many(rows(200)).send())
    assert sum(table.sizes) < 2 * len(table.sizes)
    assert len(table.sizes) < 10 * 200


def test_get_many_from_a_slow_table_goes_on_while_it_makes_progress(table):
    """The time of a batch of keys begins anew with each item that is read."""
    with_client(table, lambda client: client.table(Row).put_many(rows(60)).send())
    table.leave = Bucket(0.5).leave

    async def use(client):
        return await client.table(Row).get_many([client.table(Row).key(name="a", number=n) for n in range(60)])

    assert with_client(table, use) == rows(60)


def test_waiting_for_units_is_not_waiting_for_the_service(table):
    """The time of a batch stands still while its own limit in units holds it back."""
    refused = []

    def leave(number, entries):
        if number % 2:
            refused.append(number)
            return entries[1:]
        return []

    table.leave = leave

    async def use(client):
        return await client.table(Row).put_many(rows(60), write_units_per_second=1.0, concurrency=2, timeout=5.0)

    assert with_client(table, use).written == 60
    assert refused


@pytest.mark.parametrize("is_async", [False, True])
def test_good_items_around_a_bad_one_are_written(table, is_async):
    """A bad item stops the load after what was taken is written; the report has it alone, and counts what is left."""
    items = [*rows(2), Row(name="", number=9), *rows(5)[3:]]

    async def source():
        for item in items:
            yield item

    async def use(client):
        with pytest.raises(BatchError) as caught:
            await client.table(Row).put_many(source() if is_async else items)
        return caught.value

    error = with_client(table, use)
    report = error.report
    assert len(table.items) == report.written == 2
    assert [(undone.position, type(undone.error)) for undone in report.failed] == [(2, LimitError)]
    assert report.taken == 3
    assert ("2 not taken" in str(error)) is not is_async


def test_what_was_never_sent_has_an_error_of_its_own(table):
    """Items that were taken and not sent, because the work stopped for others, say so, and not the others' reason."""

    def leave(number, entries):
        if number == 1:
            raise ResourceNotFoundError("no such table", code="ResourceNotFoundException")
        return entries

    table.leave = leave

    async def use(client):
        repeated = [Row(name="a", number=number % 20) for number in range(60)]
        with pytest.raises(BatchError) as caught:
            await client.table(Row).put_many(repeated, concurrency=1)
        return caught.value.report

    report = with_client(table, use)
    kinds = {undone.position: type(undone.error) for undone in report.failed}
    assert {kinds[position] for position in range(20)} == {ResourceNotFoundError}
    stopped = [undone for undone in report.failed if isinstance(undone.error, WorkStoppedError)]
    assert stopped
    assert len(stopped) == report.taken - 20
    assert "the work had stopped for ResourceNotFoundError: table 'rows' does not exist" in str(stopped[0].error)


def test_lost_answers_are_unknown(table):
    """A batch whose answers are lost until the deadline may have been written: its items are unknown, not failed."""

    def leave(_number, _entries):
        raise TransportError("lost", outcome=Outcome.UNKNOWN)

    table.leave = leave

    async def use(client):
        with pytest.raises(BatchError, match="0 done, 0 not done, 5 unknown") as caught:
            await client.table(Row).put_many(rows(5))
        return caught.value.report

    report = with_client(table, use)
    assert [undone.uncertain for undone in report.unknown] == [True] * 5


def test_refusal_of_everything_stops_the_load(table):
    """A missing table fails what was sent, once, and leaves the rest of the input alone."""

    def leave(_number, _entries):
        raise ResourceNotFoundError("no such table", code="ResourceNotFoundException")

    table.leave = leave

    async def use(client):
        rejected = []
        with pytest.raises(BatchError, match="ResourceNotFoundError") as caught:
            await client.table(Row).put_many(iter(rows(10_000)), concurrency=4, on_error=rejected.append)
        assert not rejected
        return caught.value.report

    report = with_client(table, use)
    assert len(report.failed) == report.taken <= 100
    assert len(table.batches) <= 4


def test_bad_item_is_found_by_halving(table):
    """One item that the service refuses does not take the 24 others with it."""

    def leave(_number, entries):
        if any(entry["PutRequest"]["Item"]["number"]["N"] == "17" for entry in entries):
            raise ValidationError("bad", code="ValidationException")
        return []

    table.leave = leave
    rejected = []
    report = with_client(table, lambda client: client.table(Row).put_many(rows(60), on_error=rejected.append).send())
    assert report.written == 59
    assert report.rejected == 1
    assert [undone.position for undone in rejected] == [17]
    assert "Row" not in repr(rejected[0])


def test_items_that_cannot_be_encoded(table):
    """They stop the load, or go to `on_error` with their place in the input, and everything else is written."""
    bad = [*rows(30), Row(name="", number=1), Row(name="a", number=99, text="x" * 500_000), *rows(31)[30:]]
    rejected = []

    async def use(client):
        with pytest.raises(BatchError) as caught:
            await client.table(Row).put_many(iter(bad))
        assert isinstance(caught.value.__cause__, LimitError | MarshallingError)
        assert next(undone.position for undone in caught.value.report.failed) >= 25
        return await client.table(Row).put_many(iter(bad), on_error=rejected.append)

    report = with_client(table, use)
    assert (report.written, report.rejected) == (31, 2)
    assert [undone.position for undone in rejected] == [30, 31]


def test_error_of_the_source_is_raised_as_it_is(table):
    """What the source raises reaches the caller; what it gave before is accounted for."""

    def source():
        yield from rows(40)
        raise OSError("disk")

    async def use(client):
        load = client.table(Row).put_many(source())
        with pytest.raises(OSError, match="disk") as caught:
            await load
        assert "put_many: " in caught.value.__notes__[0]
        return load.report

    report = with_client(table, use)
    assert report.taken == 40
    assert report.written + len(report.failed) == 40
    assert len(table.items) == report.written


def test_error_of_a_callback_is_raised_as_it_is(table):
    """A progress function that fails stops the load, and nothing is lost for it."""

    def progress(_report):
        raise ZeroDivisionError

    async def use(client):
        load = client.table(Row).put_many(rows(500), progress=progress, concurrency=2)
        with pytest.raises(ZeroDivisionError):
            await load
        return load.report

    report = with_client(table, use)
    assert report.written == len(table.items)
    assert report.written + len(report.failed) == report.taken


def test_progress_hears_of_every_request(table):
    """The report is live: it grows request by request."""
    seen = []

    def progress(report):
        seen.append(report.written)

    with_client(table, lambda client: client.table(Row).put_many(rows(100), concurrency=1, progress=progress).send())
    assert seen == [25, 50, 75, 100]


def test_cancellation_at_every_step_accounts_for_everything(table):
    """Wherever a load is cancelled, each item it took is written, not written, or unknown, and says so truly."""
    table.leave = lambda number, entries: entries[:5] if number % 3 == 0 else []

    answer = table.caller.call

    async def no_time(_seconds):
        await asyncio.sleep(0)

    async def call(request):
        await asyncio.sleep(0)
        response = await answer(request)
        await asyncio.sleep(0)
        return response

    table.caller.call = call

    async def attempt(steps):
        table.items.clear()
        async with Client(caller=table.caller, sleep=no_time) as client:
            load = client.table(Row).put_many(iter(rows(120)), concurrency=3)
            task = asyncio.create_task(load.send())
            for _ in range(steps):
                await asyncio.sleep(0)
                if task.done():
                    await task
                    return False
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        report = load.report
        assert report.written + len(report.failed) + len(report.unknown) == report.taken
        stored = {int(key[2]) for key in table.items}
        assert not stored & {undone.position for undone in report.failed}
        assert stored >= set(range(report.taken)) - {undone.position for undone in (*report.failed, *report.unknown)}
        return True

    steps = 0
    while run_virtual(attempt(steps)):
        steps += 1
    assert steps > 10


def test_load_is_awaited_once_and_not_forgotten(table):
    """Its input is used up by the first await; one that is never awaited warns."""

    async def use(client):
        load = client.table(Row).put_many(iter(rows(3)))
        await load
        with pytest.raises(ClientStateError, match="awaited before"):
            await load
        assert repr(load) == "<put_many of 'rows': 3 written, 3.0 write units>"
        with pytest.warns(UnawaitedOperationWarning, match="put_many of 'rows'"):
            client.table(Row).put_many([])  # dropped, and so warns, at once
        for wrong in (bool, list):
            with pytest.raises(TypeError, match="await"):
                wrong(client.table(Row).put_many([]))

    with_client(table, use)


@pytest.mark.parametrize(
    "wrong",
    [
        {"concurrency": 0},
        {"checkpoint_batches": 0},
        {"on_error": "skip"},
        {"write_units_per_second": 0},
        {"concurrency": True},
    ],
)
def test_options_that_mean_nothing_are_refused(table, wrong):
    """A concurrency of zero and its like are refused before anything is taken from the input."""

    async def use(client):
        with pytest.raises(ExpressionError, match=next(iter(wrong))):
            client.table(Row).put_many([], **wrong)

    with_client(table, use)


@pytest.mark.parametrize("one", ["abc", b"abc", {"name": "abc"}])
def test_one_item_is_not_many(table, one):
    """A single key, whose letters or names would pass for many, is refused before anything is read or deleted."""

    async def use(client):
        rows = client.table("rows", partition_key="name")
        for verb in (rows.put_many, rows.delete_many, rows.get_many):
            with pytest.raises(ExpressionError, match="put it into a list"):
                verb(one)

    with_client(table, use)
    assert not table.batches


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (Row(name="a", number=1), "takes many, and this is one Row: put it into a list"),
        (Client().table(Row).key(name="a", number=1), "takes many, and this is one Key: put it into a list"),
        (5, "takes many, and this is one int: put it into a list"),
        (None, "takes many, and this is None"),
    ],
)
def test_one_instance_is_not_many(table, one, message):
    """An instance, a key or nothing in the place of many is refused in the words of the library, as a text is."""

    async def use(client):
        rows = client.table(Row)
        for verb in (rows.put_many, rows.delete_many, rows.get_many):
            with pytest.raises(ExpressionError, match=rf"^{verb.__name__} {message}$"):
                verb(one)

    with_client(table, use)
    assert not table.batches


def test_what_is_iterated_by_position_is_many(table):
    """A sequence of a class of the caller's own is written as a list is, also where it has positions only."""

    class Rows:
        def __getitem__(self, position):
            return [Row(name="a", number=1), Row(name="b", number=1)][position]

    async def use(client):
        assert (await client.table(Row).put_many(Rows())).written == 2

    with_client(table, use)


def test_closed_client_fails_the_load(table):
    """On a client that is closed nothing is sent, and the error says so."""

    async def use(client):
        orders = client.table(Row)
        await client.aclose()
        with pytest.raises(BatchError) as caught:
            await orders.put_many(rows(3))
        assert isinstance(caught.value.__cause__, ClientStateError)
        assert len(caught.value.report.failed) == 3

    with_client(table, use)


@pytest.mark.parametrize("is_async", [False, True])
def test_item_that_a_converter_of_one_s_own_refuses(table, is_async, tmp_path):
    """Whatever encoding raises is about its item: it is reported as such, asynchronous source and resuming or not."""
    state = tmp_path / "state.json"
    bad = [*rows(3), "no row", *rows(5)[3:]]

    async def source():
        for row in bad:
            yield row

    async def use(client):
        rejected = []
        report = await client.table(Row).put_many(
            source() if is_async else bad, on_error=rejected.append, resume=state, concurrency=1
        )
        assert (report.written, report.rejected) == (5, 1)
        assert isinstance(rejected[0].error, MarshallingError)
        again = await client.table(Row).put_many(source() if is_async else bad, resume=state)
        assert (again.written, again.skipped) == (0, 6)

    with_client(table, use)


def test_expired_items_are_hidden_from_get_many(table):
    """An expired item is missing, unless it is asked for."""
    expired = {"name": {"S": "a"}, "until": {"N": "1000"}}
    table.items["brief", "a"] = expired

    async def use(client):
        brief = client.table(Brief)
        assert await brief.get_many(["a"]) == [None]
        assert [row and row.name for row in await brief.get_many(["a", "b"], include_expired=True)] == ["a", None]

    with_client(table, use, clock=lambda: 2000.0)
