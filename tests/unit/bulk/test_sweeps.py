import asyncio
import json

import orjson
import pytest

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    PartitionKey,
    ResumeError,
    ThrottledError,
    Throughput,
    attribute,
    entity,
    evolve,
)
from mizzle_async.bulk.exports import JsonLines
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.stub import StubCaller


@entity("rows")
class Row:
    name: PartitionKey[str]
    count: Attribute[int] = attribute(default=0)


class Rows(StubCaller):
    """A table whose scan comes in pages of ten, and whose updates are applied."""

    def __init__(self, count):
        super().__init__({"Scan": self.scan, "UpdateItem": self.update, "DeleteItem": self.delete})
        self.counts = {f"n{number:03}": 0 for number in range(count)}
        self.names = sorted(self.counts)

    async def call(self, request):
        await asyncio.sleep(0)
        answer = await super().call(request)
        await asyncio.sleep(0)
        return answer

    def scan(self, request):
        body = orjson.loads(request.body)
        start = body.get("ExclusiveStartKey", {"name": {"S": ""}})["name"]["S"]
        names = [name for name in self.names if name > start][:10]
        items = [{"name": {"S": name}, "count": {"N": str(self.counts.get(name, 0))}} for name in names]
        last = {"LastEvaluatedKey": {"name": {"S": names[-1]}}} if names and names[-1] != self.names[-1] else {}
        capacity = {"CapacityUnits": 5.0}
        return {"Items": items, "Count": len(items), "ScannedCount": len(items), "ConsumedCapacity": capacity, **last}

    def update(self, request):
        name = orjson.loads(request.body)["Key"]["name"]["S"]
        self.counts[name] += 1
        return {"Attributes": {"name": {"S": name}, "count": {"N": str(self.counts[name])}}}

    def delete(self, request):
        del self.counts[orjson.loads(request.body)["Key"]["name"]["S"]]
        return {}


def with_client(caller, use):
    """Run a coroutine function with an open client on a virtual clock."""

    async def main():
        async with Client(caller=caller) as client:
            return await use(client.table(Row))

    return run_virtual(main())


def once(row):
    """Count a row that was not counted."""
    return evolve(row, count=1) if row.count == 0 else None


async def cancelled_after(steps, work):
    """Do the work for as many steps of the loop; tell whether it was cancelled before its end."""
    task = asyncio.create_task(work.send())
    for _ in range(steps):
        await asyncio.sleep(0)
        if task.done():
            await task
            return False
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return True


def test_rewrite_that_is_cancelled_at_any_step_is_finished_by_the_next(tmp_path):
    """Wherever a rewrite is cancelled, its report is true, and a resumed one changes every item, none twice."""
    state = tmp_path / "state.json"

    async def attempt(steps):
        caller = Rows(25)
        state.unlink(missing_ok=True)
        async with Client(caller=caller) as client:
            rows = client.table(Row)
            work = rows.scan().rewrite(once, concurrency=4, resume=state)
            was_cancelled = await cancelled_after(steps, work)
            report = work.report
            undone = {entry.item.item["name"]["S"] for entry in (*report.failed, *report.unknown)}
            assert report.taken == report.written + report.unchanged + len(undone)
            assert report.written <= sum(caller.counts.values()) <= report.written + len(report.unknown)
            await rows.scan().rewrite(once, resume=state)
            assert set(caller.counts.values()) == {1}
        return was_cancelled

    steps = 0
    while run_virtual(attempt(steps)):
        steps += 1
    assert steps > 20


def test_export_that_is_cancelled_at_any_step_is_finished_by_the_next(tmp_path):
    """Wherever an export is cancelled, a resumed one has every item exactly once."""
    state, path = tmp_path / "state.json", tmp_path / "rows.jsonl"

    async def attempt(steps):
        state.unlink(missing_ok=True)
        async with Client(caller=Rows(45)) as client:
            rows = client.table(Row)
            was_cancelled = await cancelled_after(steps, rows.scan().export(path, resume=state, checkpoint_pages=2))
            await rows.scan().export(path, resume=state, checkpoint_pages=2)
        names = [orjson.loads(line)["Item"]["name"]["S"] for line in path.read_bytes().splitlines()]
        assert names == [f"n{number:03}" for number in range(45)]
        return was_cancelled

    steps = 0
    while run_virtual(attempt(steps)):
        steps += 1
    assert steps > 10


def test_export_that_is_cancelled_while_it_writes_keeps_that_page(tmp_path):
    """A page that is being written when the export is cancelled is finished, and counts: it is not exported again."""
    state, path = tmp_path / "state.json", tmp_path / "rows.jsonl"

    async def use(rows):
        class Interrupted(JsonLines):
            def write(self, items):
                super().write(items)
                task.cancel()  # the virtual clock's threads are its own

        work = rows.scan().export(Interrupted(path), resume=state)
        task = asyncio.create_task(work.send())
        with pytest.raises(asyncio.CancelledError):
            await task
        assert work.report.written == 10
        assert (await rows.scan().export(path, resume=state)).written == 35

    with_client(Rows(45), use)
    assert len(path.read_bytes().splitlines()) == 45


def test_export_keeps_to_its_read_units(tmp_path):
    """Pages are asked for as fast as the units that they consume allow."""

    async def use(rows):
        await rows.scan().export(tmp_path / "rows.jsonl", read_units_per_second=1.0)
        return asyncio.get_running_loop().time()

    assert with_client(Rows(100), use) > 30


class SlowRows(Rows):
    """A table that serves a page every so many seconds, and throttles otherwise."""

    def __init__(self, count, seconds):
        super().__init__(count)
        self.seconds = seconds
        self.served_at = None

    def scan(self, request):
        """Serve a page if it is time."""
        now = asyncio.get_running_loop().time()
        if self.served_at is not None and now - self.served_at < self.seconds:
            raise ThrottledError("too fast")
        self.served_at = now
        return super().scan(request)


def test_sweep_of_a_slow_table_goes_on_while_it_makes_progress(tmp_path):
    """A page that is throttled is asked for again, for as long as a page may take: exports and migrations go on."""

    async def use(rows):
        exported = await rows.scan().export(tmp_path / "rows.jsonl")
        deleted = await rows.scan().delete_where()
        return exported, deleted

    exported, deleted = with_client(SlowRows(40, 5.0), use)
    assert exported.written == 40
    assert deleted.written == 40
    assert exported.read_requests > 4


def test_sweep_of_a_table_that_serves_nothing_ends(tmp_path):
    """A page that is throttled for all of its time ends the work, and the state says how far it came."""
    state = tmp_path / "state.json"

    async def use(rows):
        with pytest.raises(ThrottledError):
            await rows.scan(timeout=3.0).export(tmp_path / "rows.jsonl", resume=state)
        assert 2 < asyncio.get_running_loop().time() < 4
        return await rows.scan().export(tmp_path / "rows.jsonl", resume=state)

    caller = SlowRows(40, 8.0)
    assert with_client(caller, use).written == 30
    assert len((tmp_path / "rows.jsonl").read_bytes().splitlines()) == 40


@pytest.mark.parametrize(
    "read",
    [
        lambda rows: rows.scan().all(),
        lambda rows: rows.scan().count(),
        lambda rows: rows.scan().rewrite(once).send(),
        lambda rows: rows.scan().delete_where().send(),
        lambda rows: rows.scan().project(Row.name).all(),
    ],
    ids=["all", "count", "rewrite", "delete_where", "project"],
)
def test_client_s_throughput_holds_reading_back(read):
    """Whatever reads page after page keeps to the client's read units, by what each page consumed."""

    async def main():
        async with Client(caller=Rows(100), throughput=Throughput(read_units_per_second=1.0)) as client:
            await read(client.table(Row))
            return asyncio.get_running_loop().time()

    assert run_virtual(main()) >= 44  # nine pages of five units had to be earned before the last was asked for


def test_client_s_throughput_leaves_single_calls_alone():
    """What a page or a first item consumes is not waited for."""

    async def main():
        async with Client(caller=Rows(100), throughput=Throughput(read_units_per_second=1.0)) as client:
            rows = client.table(Row)
            for _ in range(5):
                await rows.scan().first()
                await rows.scan().page(max_items=5)
            assert asyncio.get_running_loop().time() < 1

            async for _row in rows.scan():
                pass
            assert asyncio.get_running_loop().time() >= 44

    run_virtual(main())


def test_deletes_keep_to_their_write_units():
    """Deletes of a migration are sent as fast as their estimated units allow."""
    caller = Rows(30)

    async def use(rows):
        report = await rows.scan().delete_where(write_units_per_second=1.0)
        assert report.written == 30
        return asyncio.get_running_loop().time()

    assert with_client(caller, use) > 25
    assert not caller.counts


def test_items_that_need_no_write_are_not_waited_for():
    """A rewrite that leaves most items alone consumes no write units for them, and is not held back as if it did."""

    async def use(rows):
        report = await rows.scan().rewrite(lambda _row: None, write_units_per_second=1.0)
        assert report.unchanged == 100
        return asyncio.get_running_loop().time()

    assert with_client(Rows(100), use) < 1


def test_deletes_keep_to_the_units_that_the_service_reports():
    """A delete that consumes more than its size says, as with indexes, is charged so."""

    class Costly(Rows):
        def delete(self, request):
            return {**super().delete(request), "ConsumedCapacity": {"TableName": "rows", "CapacityUnits": 5.0}}

    async def use(rows):
        report = await rows.scan().delete_where(write_units_per_second=10.0)
        assert report.write_units == 150.0
        return asyncio.get_running_loop().time()

    assert with_client(Costly(30), use) >= 12


def test_item_that_was_being_changed_was_certainly_not_written():
    """A migration that is cancelled while the caller's function runs has written nothing of that item."""

    async def change(row):
        await asyncio.sleep(3600)
        return row

    async def use(rows):
        work = rows.scan().rewrite(change)
        task = asyncio.create_task(work.send())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert work.report.failed
        assert not work.report.unknown

    with_client(Rows(10), use)


def test_what_waited_for_its_turn_was_certainly_not_done():
    """Items of a migration that is cancelled while they wait for write units are not done, and nobody doubts it."""
    caller = Rows(30)

    async def use(rows):
        work = rows.scan().delete_where(write_units_per_second=1.0)
        task = asyncio.create_task(work.send())
        await asyncio.sleep(4.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return work.report

    report = with_client(caller, use)
    assert not report.unknown
    assert report.written == 30 - len(caller.counts) > 0
    assert report.taken == report.written + len(report.failed)


def test_positions_and_counts_do_not_mix(tmp_path):
    """`max_items` counts from the beginning, which a resumed run does not know: both at once are refused."""

    async def use(rows):
        with pytest.raises(ExpressionError, match="max_items"):
            await rows.scan(max_items=3).export(tmp_path / "rows.jsonl", resume=tmp_path / "state.json")
        with pytest.raises(ExpressionError, match="checkpoint_pages"):
            rows.scan().export(tmp_path / "rows.jsonl", checkpoint_pages=0)
        with pytest.raises(ExpressionError, match="checkpoint_pages"):
            rows.scan().resumable(tmp_path / "state.json", checkpoint_pages=0)
        with pytest.raises(ExpressionError, match="concurrency"):
            rows.scan().rewrite(once, concurrency=0)

    with_client(Rows(5), use)


def test_target_of_one_s_own(tmp_path):
    """Anything with four methods takes an export, and gets back what it last called durable."""
    opened = []

    class Target:
        def __init__(self):
            self.items = []

        def open(self, state):
            opened.append(state)

        def write(self, items):
            self.items += items

        def checkpoint(self):
            return {"rows": len(self.items)}

        def close(self):
            opened.append("closed")

    async def use(rows):
        for _ in range(2):
            await rows.scan().export(Target(), resume=tmp_path / "state.json")

    with_client(Rows(25), use)
    assert opened == [None, "closed", {"rows": 25}, "closed"]
    assert json.loads((tmp_path / "state.json").read_text())["work"] == "export"


def test_target_that_fails_has_not_taken_its_page():
    """What a target refuses is raised as it is, and not counted; it is closed all the same."""
    calls = []

    class Target:
        def open(self, state):
            calls.append("open")

        def write(self, items):
            calls.append(len(items))
            if len(calls) == 3:
                raise ZeroDivisionError

        def checkpoint(self):
            return None

        def close(self):
            calls.append("closed")

    async def use(rows):
        export = rows.scan().export(Target())
        with pytest.raises(ZeroDivisionError):
            await export
        assert export.report.taken == export.report.written == calls[1]

    with_client(Rows(25), use)
    assert calls[-1] == "closed"


def test_file_that_lost_lines_is_refused(tmp_path):
    """A file that is shorter than its state says is not added to."""
    target = JsonLines(tmp_path / "rows.jsonl")
    target.close()
    target.write([])
    assert target.checkpoint() is None
    with pytest.raises(ResumeError):
        target.open({"bytes": 10})


@pytest.mark.parametrize("damage", [{"segments": None}, {"segments": []}, {"segments": [{"key": 1}]}, {"segments": 5}])
def test_damaged_state_is_refused(tmp_path, damage):
    """A state file of this export whose positions are missing or none is refused, and nothing is written."""
    state, path = tmp_path / "state.json", tmp_path / "rows.jsonl"

    async def use(rows):
        await rows.scan().export(path, resume=state)
        content = json.loads(state.read_text()) | damage
        state.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
        before = path.read_bytes()
        with pytest.raises(ResumeError, match="damaged"):
            await rows.scan().export(path, resume=state)
        assert path.read_bytes() == before

    with_client(Rows(5), use)
