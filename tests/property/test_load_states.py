"""Loads that are interrupted anywhere and resumed: no item is lost, and none that is settled is written again."""

import contextlib
from collections import Counter
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle_async import Attribute, BatchError, Client, PartitionKey, ThrottledError, attribute, entity
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.stub import StubCaller
from mizzle_async.types import WireRequest


@entity("rows")
class Row:
    """One item of the input."""

    name: PartitionKey[str]
    text: Attribute[str] = attribute(default="")


class Killed(BaseException):
    """Stands for a process that ends."""


class Table:
    """Takes items, leaves some unprocessed, and refuses the stubborn ones for a run."""

    def __init__(self) -> None:
        self.written: Counter[str] = Counter()
        self.stubborn: frozenset[str] = frozenset()
        self.caller = StubCaller({"BatchWriteItem": self.write})

    def write(self, request: WireRequest) -> dict[str, Any]:
        """Answer a batch."""
        entries = orjson.loads(request.body)["RequestItems"]["rows"]
        left = [entry for entry in entries if entry["PutRequest"]["Item"]["name"]["S"] in self.stubborn]
        if left and len(left) == len(entries):
            raise ThrottledError("too fast")
        self.written.update(entry["PutRequest"]["Item"]["name"]["S"] for entry in entries if entry not in left)
        return {"UnprocessedItems": {"rows": left} if left else {}}


@st.composite
def runs(draw: st.DrawFn) -> tuple[int, list[tuple[frozenset[str], int | None, int]]]:
    """A length of the input, and for each run its stubborn items, the items after which it is killed, its lanes."""
    length = draw(st.integers(0, 130))
    names = st.frozensets(st.sampled_from([f"n{number}" for number in range(max(length, 1))]), max_size=4)
    run = st.tuples(names, st.none() | st.integers(0, 130), st.integers(1, 4))
    return length, draw(st.lists(run, max_size=4))


@settings(max_examples=150, deadline=None)
@given(plan=runs())
def test_nothing_is_lost_and_little_is_repeated(plan: tuple[int, list[Any]], tmp_path_factory: Any) -> None:
    """Whatever interrupts the runs before, the last one leaves every item written, and writes no settled one again."""
    length, interrupted = plan
    state = tmp_path_factory.mktemp("state") / "state.json"
    table = Table()
    rows = [Row(name=f"n{number}") for number in range(length)]

    async def load(lanes: int, killed_after: int | None) -> Any:
        def progress(report: Any) -> None:
            if killed_after is not None and report.written >= killed_after:
                raise Killed

        async with Client(caller=table.caller) as client:
            work = client.table(Row).put_many(
                iter(rows), resume=state, concurrency=lanes, timeout=1.0, checkpoint_batches=1, progress=progress
            )
            return await work

    for stubborn, killed_after, lanes in interrupted:
        table.stubborn = stubborn
        with contextlib.suppress(BatchError, Killed):
            run_virtual(load(lanes, killed_after))
    table.stubborn = frozenset()
    before = Counter(table.written)
    report = run_virtual(load(2, None))
    assert report.is_complete
    assert set(table.written) == {row.name for row in rows}
    assert report.written + report.skipped == length
    # The state is saved when a run ends, however it ends: what was confirmed by then is never written again.
    repeated = {name for name in before if table.written[name] > before[name]}
    assert not repeated
    assert run_virtual(load(2, None)).skipped == length
