"""Resumable work whose state is a row of a state table, on each engine: killed, taken over, and refused."""

import asyncio
from datetime import timedelta

import pytest

from mizzle_async import (
    Attribute,
    BatchError,
    Client,
    ExpressionError,
    LimitError,
    PartitionKey,
    ResumeError,
    State,
    StateTable,
    attribute,
    entity,
    evolve,
)

STATE = StateTable("app-state")


@entity("rows")
class Row:
    name: PartitionKey[str]
    count: Attribute[int] = attribute(default=0)


class Target:
    """An export's target that lives outside of the process: it keeps what it had at each checkpoint."""

    def __init__(self):
        self.names = []

    def open(self, state):
        """Forget what came after the checkpoint."""
        del self.names[0 if state is None else state["written"] :]

    def write(self, items):
        """Take items."""
        self.names += [item["name"]["S"] for item in items]

    def checkpoint(self):
        """Return how many there are."""
        return {"written": len(self.names)}

    def close(self):
        """Do nothing."""


class StopHereError(Exception):
    """Ends a run as a kill would: nothing is saved after it."""


@pytest.fixture
async def state(client: Client) -> State:
    """Open an empty state table, beside a table of 200 rows."""
    await client.ensure_tables(STATE, Row)
    await client.table(Row).put_many([Row(name=f"n{number:03}") for number in range(200)])
    return client.state(STATE)


def stop_after(pages):
    """Return a progress function that ends the work after so many pages."""
    seen = []

    def progress(report):
        seen.append(report)
        if len(seen) == pages:
            raise StopHereError

    return progress


async def test_export_goes_on_from_the_row(client, state):
    """An export that failed goes on where it was, has each item once, and is complete then."""
    rows, target = client.table(Row), Target()
    with pytest.raises(StopHereError):
        await rows.scan(page_size=20).export(
            target, resume=state.resume("e"), checkpoint_pages=2, progress=stop_after(5)
        )
    assert 0 < len(target.names) < 200
    report = await rows.scan(page_size=20).export(target, resume=state.resume("e"), checkpoint_pages=2)
    assert 0 < report.written < 200
    assert sorted(target.names) == [f"n{number:03}" for number in range(200)]
    again = await rows.scan(page_size=20).export(target, resume=state.resume("e"))
    assert (again.evaluated, again.written) == (0, 0)


async def test_state_of_other_work_is_refused(client, state):
    """A key that another query, another verb or another table has used is refused, until it is forgotten."""
    rows = client.table(Row)
    await rows.scan().export(Target(), resume=state.resume("e"))
    with pytest.raises(ResumeError, match=r"state 'e' of table .* is the state of other work"):
        await rows.query(Row.name == "n001").export(Target(), resume=state.resume("e"))
    with pytest.raises(ResumeError, match="other work"):
        await rows.scan().rewrite(lambda row: None, resume=state.resume("e"))
    with pytest.raises(ResumeError, match="forget"):
        await rows.put_many([Row(name="a")], resume=state.resume("e"))
    await state.resume("e").forget()
    report = await rows.put_many([Row(name="a")], resume=state.resume("e"))
    assert report.written == 1


async def test_later_run_takes_over(client, state):
    """Of two runs at once the one that began last goes on, and the other one stops at its next checkpoint."""
    rows = client.table(Row)
    second = None

    async def change(row):
        nonlocal second
        if second is None and int(row.name[1:]) >= 0:
            second = asyncio.ensure_future(other())
            await second
        return evolve(row, count=row.count + 1) if row.count == 0 else None

    async def other():
        return await rows.scan(page_size=20).rewrite(
            lambda row: evolve(row, count=5) if row.count == 0 else None, resume=state.resume("r")
        )

    with pytest.raises(ResumeError, match="another process has gone on"):
        await rows.scan(page_size=20).rewrite(change, concurrency=1, resume=state.resume("r"))
    report = await second
    assert report.written + report.unchanged == 200
    assert {row.count for row in await rows.scan(consistent_read=True).all()} == {5}
    assert (await rows.scan(page_size=20).rewrite(change, resume=state.resume("r"))).taken == 0


async def test_load_stops_for_a_later_run(client, state):
    """A load whose state another process has taken over writes no further checkpoint, and says why it ends."""
    rows = client.table(Row)

    async def source():
        for number in range(400):
            if number == 210:
                await state.resume("l").read()
            yield Row(name=f"m{number:03}")

    with pytest.raises(ResumeError, match="another process"):
        await rows.put_many(source(), concurrency=1, resume=state.resume("l"), checkpoint_batches=1)


async def test_load_goes_on_from_the_row(client, state):
    """A load that failed goes on behind its last checkpoint; another input is refused."""
    rows = client.table(Row)
    items = [Row(name=f"m{number:03}") for number in range(200)]

    def source():
        yield from items[:150]
        raise StopHereError

    with pytest.raises(StopHereError):
        await rows.put_many(source(), concurrency=1, resume=state.resume("l"), checkpoint_batches=1)
    with pytest.raises(ResumeError, match="not those that were loaded before"):
        await rows.put_many(items[::-1], resume=state.resume("l"))
    report = await rows.put_many(items, resume=state.resume("l"))
    assert (report.skipped, report.written) == (150, 50)
    assert await rows.scan(consistent_read=True).count() == 400


async def test_deletion_and_own_loop_go_on_from_the_row(client, state):
    """`delete_where` and `resumable` take the same."""
    rows = client.table(Row)
    seen = []
    iterator = rows.scan(page_size=20).resumable(state.resume("i"))
    async for row in iterator:
        seen.append(row.name)
        if len(seen) == 50:
            break
    await iterator.aclose()
    rest = [row.name async for row in rows.scan(page_size=20).resumable(state.resume("i"))]
    assert len(rest) == 160  # the third page was not at its end
    assert sorted({*seen, *rest}) == [f"n{number:03}" for number in range(200)]
    with pytest.raises(StopHereError):
        await rows.scan(page_size=20).delete_where(Row.count == 0, resume=state.resume("d"), progress=stop_after(4))
    report = await rows.scan(page_size=20).delete_where(Row.count == 0, resume=state.resume("d"))
    assert 0 < report.written < 200
    assert await rows.scan(consistent_read=True).count() == 0


async def test_cancelled_work_saves_its_state(client, state):
    """A cancellation waits until the state is written, so that the next run does nothing twice."""
    rows = client.table(Row)
    reached = asyncio.Event()

    async def change(row):
        if row.name == "n000" or reached.is_set():
            return evolve(row, count=row.count + 1)
        return evolve(row, count=row.count + 1)

    work = rows.scan(page_size=20).rewrite(change, resume=state.resume("c"), progress=lambda _report: reached.set())
    task = asyncio.ensure_future(work.send())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    done = work.report.written
    assert 0 < done < 200
    undone = len(work.report.failed) + len(work.report.unknown)
    report = await rows.scan(page_size=20).rewrite(
        lambda row: evolve(row, count=1) if row.count == 0 else None, resume=state.resume("c")
    )
    assert report.taken <= 200 - done + 20 + undone
    assert {row.count for row in await rows.scan(consistent_read=True).all()} == {1}


async def test_many_that_begin_at_once_leave_one(client, state):
    """Of many processes that begin at once one is left, and every one reads the same state."""
    places = [state.resume("b") for _ in range(6)]
    await places[0].read()
    await places[0].write({"here": 1})
    assert await asyncio.gather(*(place.read() for place in places)) == [{"here": 1}] * 6
    outcomes = await asyncio.gather(*(place.write({"here": 2}) for place in places), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType"] + ["ResumeError"] * 5


async def test_state_has_a_time_and_a_size(client, state, clock):
    """A state that was not written for ``keep`` is gone, and one that does not fit a row is refused."""
    place = state.resume("k", keep=timedelta(hours=1))
    assert await place.read() is None
    await place.write({"here": 1})
    clock.now += 3599
    assert await state.resume("k").read() == {"here": 1}
    clock.now += 40 * 86_400
    assert await state.resume("k").read() is None
    place = state.resume("large")
    await place.read()
    with pytest.raises(LimitError, match="fewer segments"):
        await place.write({"here": "x" * 400_000})
    await place.write({"here": "x" * 390_000})
    with pytest.raises(ExpressionError, match="resume"):
        state.resume("")


async def test_failed_items_do_not_hide_a_state_that_could_not_be_written(client, state):
    """The work's own error is raised, with a note about the state."""
    rows = client.table(Row)
    rows_of_state = client.table("app-state", partition_key="scope", sort_key="row")

    async def source():
        yield Row(name="a")
        await rows_of_state.delete(scope="resume#f", row="state")
        raise StopHereError

    with pytest.raises(StopHereError) as raised:
        await rows.put_many(source(), resume=state.resume("f"))
    assert any("state was not written at the end" in note for note in raised.value.__notes__)
    assert not isinstance(raised.value, BatchError)
