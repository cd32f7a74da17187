import asyncio
import json

import pytest

from mizzle_async import Attribute, BatchError, Client, PartitionKey, ResumeError, SortKey, attribute, entity
from mizzle_async.errors import ValidationError
from mizzle_async.testing.clock import run_virtual


@entity("rows")
class Row:
    name: PartitionKey[str]
    number: SortKey[int]
    text: Attribute[str] = attribute(default="")


def rows(count, first=0):
    """Make as many rows under one name."""
    return [Row(name="a", number=number) for number in range(first, first + count)]


def load(table, source, state, **options):
    """Load a source into the table, and return the report."""

    async def main():
        async with Client(caller=table.caller) as client:
            return await client.table(Row).put_many(source, resume=state, checkpoint_batches=2, **options)

    return run_virtual(main())


class Killed(BaseException):
    """Stands for a process that ends."""


def test_killed_load_goes_on_from_its_checkpoint(table, tmp_path):
    """After a kill the same input is loaded on: nothing is lost, and little is done twice."""
    state = tmp_path / "state.json"

    def progress(report):
        if report.written >= 500:
            raise Killed

    with pytest.raises(Killed):
        load(table, iter(rows(1000)), state, progress=progress)
    saved = json.loads(state.read_text())
    assert saved["table"] == "rows"
    assert not saved["complete"]
    written = len(table.items)
    report = load(table, iter(rows(1000)), state)
    assert len(table.items) == 1000
    assert report.skipped == saved["done"] >= 350
    assert report.written == 1000 - report.skipped <= 1000 - written + 8 * 25 + 50
    assert json.loads(state.read_text())["complete"]


def test_cancelled_load_saves_what_is_done(table, tmp_path):
    """A cancelled load leaves a state that knows everything that was confirmed without a gap."""
    state = tmp_path / "state.json"

    async def main():
        async with Client(caller=table.caller) as client:
            orders = client.table(Row)

            async def source():
                for row in rows(210):
                    yield row
                await asyncio.sleep(3600)

            task = asyncio.create_task(orders.put_many(source(), resume=state).send())
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run_virtual(main())
    assert json.loads(state.read_text())["done"] == 200
    report = load(table, rows(300), state)
    assert (report.skipped, report.written) == (200, 100)


def test_finished_load_can_be_resumed(table, tmp_path):
    """Begun again, a finished load writes nothing but what the input has gained."""
    state = tmp_path / "state.json"
    assert load(table, rows(63), state).written == 63
    again = load(table, rows(63), state)
    assert (again.written, again.skipped) == (0, 63)
    more = load(table, rows(90), state)
    assert (more.written, more.skipped) == (27, 63)
    assert len(table.items) == 90


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("other", [rows(100, first=1), rows(30), [*rows(20), *rows(80, first=40)]])
def test_other_input_is_refused(table, tmp_path, other, is_async):
    """An input that is shorter, longer at the front, or differs in between, is refused."""
    state = tmp_path / "state.json"
    load(table, rows(100), state)
    before = state.read_text()
    table.items.clear()

    async def source():
        for row in other:
            yield row

    with pytest.raises(ResumeError, match=r"the (first|input)"):
        load(table, source() if is_async else other, state)
    assert not table.items
    assert state.read_text() == before


def test_state_of_other_work_is_refused(table, tmp_path):
    """A state file that is about another table or verb, or no state file at all, is refused before anything is read."""
    state = tmp_path / "state.json"
    state.write_text("not JSON")
    with pytest.raises(ResumeError, match="no state file"):
        load(table, rows(1), state)
    state.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ResumeError, match="no state file"):
        load(table, rows(1), state)
    for content in ({"format": 1, "work": "put_many", "table": "else"}, {"format": 99}, []):
        state.write_text(json.dumps(content))
        with pytest.raises(ResumeError, match="state of other work"):
            load(table, rows(1), state)


@pytest.mark.parametrize("damage", [{"done": None}, {"done": "x"}, {"digest": 1}])
def test_damaged_state_is_refused(table, tmp_path, damage):
    """A state file of this load whose numbers are missing or none is refused before anything is read."""
    state = tmp_path / "state.json"
    load(table, rows(30), state)
    content = json.loads(state.read_text()) | damage
    state.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
    table.items.clear()
    with pytest.raises(ResumeError, match="damaged"):
        load(table, rows(30), state)
    assert not table.items


def test_state_that_could_not_be_written_is_refused(table, tmp_path):
    """A state file in a folder that does not exist is refused before anything is written to the table."""
    with pytest.raises(ResumeError, match="no folder"):
        load(table, rows(30), tmp_path / "nowhere" / "state.json")
    assert not table.items


@pytest.mark.parametrize("is_async", [False, True])
def test_others_have_their_turn_while_items_are_skipped(table, tmp_path, is_async):
    """Passing over what an earlier run has done does not keep the loop from everybody else."""
    state = tmp_path / "state.json"
    load(table, rows(5_000), state)

    async def main():
        turns = 0

        async def other():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async def source():
            for row in rows(5_000):
                yield row

        async with Client(caller=table.caller) as client:
            task = asyncio.create_task(other())
            given = source() if is_async else iter(rows(5_000))
            assert (await client.table(Row).put_many(given, resume=state)).skipped == 5_000
            task.cancel()
        return turns

    assert run_virtual(main()) >= 5_000 / (8 * 25)


def test_rejected_items_are_settled(table, tmp_path):
    """What went to `on_error` is not tried again when the load is resumed, and does not hold the checkpoint back."""
    state = tmp_path / "state.json"
    source = [*rows(10), Row(name="", number=1), *rows(49, first=10)]
    rejected = []

    def leave(_number, entries):
        if any(entry["PutRequest"]["Item"]["number"]["N"] == "40" for entry in entries):
            raise ValidationError("bad", code="ValidationException")
        return []

    table.leave = leave
    report = load(table, iter(source), state, on_error=rejected.append)
    assert (report.written, report.rejected) == (58, 2)
    assert json.loads(state.read_text())["done"] == 60
    again = load(table, iter(source), state, on_error=rejected.append)
    assert (again.skipped, again.written, again.rejected, len(rejected)) == (60, 0, 0, 2)


def test_failure_holds_the_checkpoint_back(table, tmp_path):
    """What failed is tried again by the next run, with all that came after it."""
    state = tmp_path / "state.json"

    def leave(_number, entries):
        return [entry for entry in entries if entry["PutRequest"]["Item"]["number"]["N"] == "30"]

    table.leave = leave
    with pytest.raises(BatchError):
        load(table, iter(rows(500)), state, timeout=1.0)
    assert json.loads(state.read_text())["done"] == 25
    table.leave = lambda _number, _entries: []
    assert load(table, iter(rows(500)), state).skipped == 25
    assert len(table.items) == 500


def test_load_stops_at_the_first_checkpoint_that_cannot_be_written(table, tmp_path):
    """What could not be resumed is not gone on with: the error is raised, although more of the input may come."""
    state = tmp_path / "folder" / "state.json"
    state.parent.mkdir()
    asked = []

    async def source():
        for row in rows(50):
            yield row
        await asyncio.sleep(3600)
        asked.append("more")

    def progress(_report):
        if state.parent.is_dir():
            state.parent.rmdir()
            state.parent.touch()

    with pytest.raises(NotADirectoryError):
        load(table, source(), state, progress=progress)
    assert len(table.items) == 50
    assert not asked
