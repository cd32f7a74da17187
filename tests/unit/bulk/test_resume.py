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


def holding_back(*numbers):
    """Return a table's refusal of these items."""
    return lambda _number, entries: [
        entry for entry in entries if entry["PutRequest"]["Item"]["number"]["N"] in numbers
    ]


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


def test_only_what_failed_is_tried_again(table, tmp_path):
    """The state keeps the items that are settled behind one that failed: the next run writes that one alone."""
    state = tmp_path / "state.json"
    table.leave = holding_back("30")
    with pytest.raises(BatchError):
        load(table, iter(rows(500)), state, timeout=1.0)
    assert json.loads(state.read_text())["done"] == 25
    table.leave = holding_back()
    table.batches.clear()
    assert load(table, iter(rows(500)), state).skipped == 499
    assert table.sizes == [1]
    assert len(table.items) == 500
    assert "beyond" not in json.loads(state.read_text())


def test_state_that_is_interrupted_again_forgets_nothing(table, tmp_path):
    """A run that ends before it has come to what an earlier one settled keeps that in the state."""
    state = tmp_path / "state.json"
    table.leave = holding_back("10", "200", "203")
    for _ in range(3):
        with pytest.raises(BatchError):
            load(table, iter(rows(300)), state, timeout=1.0, concurrency=1)
    table.leave = holding_back("10")
    with pytest.raises(BatchError):
        load(table, iter(rows(300)), state, timeout=1.0)
    table.leave = holding_back()
    table.batches.clear()
    assert load(table, iter(rows(300)), state).written == 1
    assert len(table.items) == 300


def test_item_that_stopped_a_load_is_tried_again(table, tmp_path):
    """A bad item that was not passed to `on_error` is not settled: mended, it is written by the next run."""
    state = tmp_path / "state.json"
    mended = rows(60)
    for position in (24, 30):
        broken = [*mended]
        broken[position] = Row(name="", number=position)
        table.items.clear()
        state.unlink(missing_ok=True)
        with pytest.raises(BatchError):
            load(table, iter(broken), state)
        assert len(table.items) == position
        report = load(table, iter(mended), state)
        assert (report.skipped, report.written) == (position, 60 - position)


def test_other_items_behind_the_gap_are_refused(table, tmp_path):
    """An input that differs where an earlier run has settled items behind its gap is refused; a shorter one also."""
    state = tmp_path / "state.json"
    table.leave = holding_back("30")
    with pytest.raises(BatchError):
        load(table, iter(rows(100)), state, timeout=1.0)
    saved = state.read_text()
    other = rows(100)
    other[60] = Row(name="b", number=60)
    table.leave = holding_back()
    for source in (other, rows(40)):
        state.write_text(saved)
        with pytest.raises(ResumeError, match=r"items of the input|the input has"):
            load(table, iter(source), state)
        assert len(table.items) <= 100
        assert ("rows", "b", "60") not in table.items


def test_state_of_an_older_version_is_read(table, tmp_path):
    """A state without items behind the gap, as versions before 0.2 wrote it, is gone on from."""
    state = tmp_path / "state.json"
    table.leave = holding_back("30")
    with pytest.raises(BatchError):
        load(table, iter(rows(100)), state, timeout=1.0)
    content = json.loads(state.read_text())
    del content["beyond"]
    state.write_text(json.dumps(content))
    table.leave = holding_back()
    assert load(table, iter(rows(100)), state).skipped == 25


@pytest.mark.parametrize(
    "beyond", [[[10, 5, "00"]], [[0, 5, "00"]], [[30, 40, "x"]], [[30, 40]], 7, [["30", 40, "00"]]]
)
def test_damaged_ranges_are_refused(table, tmp_path, beyond):
    """Ranges that are none are refused before anything is read."""
    state = tmp_path / "state.json"
    load(table, rows(25), state)
    content = json.loads(state.read_text()) | {"beyond": beyond}
    state.write_text(json.dumps(content))
    table.items.clear()
    with pytest.raises(ResumeError, match="damaged"):
        load(table, rows(60), state)
    assert not table.items


def test_state_is_written_to_a_new_file_of_its_owner(table, tmp_path):
    """A link that lies where the state is written first is not followed, and nobody else may read the state."""
    state, victim = tmp_path / "state.json", tmp_path / "victim"
    victim.write_text("precious")
    state.with_name("state.json.new").symlink_to(victim)
    load(table, rows(10), state)
    assert victim.read_text() == "precious"
    assert json.loads(state.read_text())["complete"]
    assert state.stat().st_mode & 0o777 == 0o600


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
