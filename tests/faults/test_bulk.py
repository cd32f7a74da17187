"""Work on many items: it accounts for each item by its own reason, counts what it costs, and goes on where it can."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from mizzle_async import (
    Attribute,
    BatchError,
    BatchReport,
    Client,
    LimitError,
    MizzleError,
    PartitionKey,
    SortKey,
    attribute,
    entity,
    evolve,
)
from mizzle_async.testing import StubCaller, run_virtual
from mizzle_async.types import WireRequest


@entity("works")
class E:
    pk: PartitionKey[str]
    sk: SortKey[int]
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    body: Attribute[str] = attribute(default="")


@entity("slow")
class Slow:
    pk: PartitionKey[str]
    sk: SortKey[int]


async def fill(client: Client, partition: str, *, misfit: bool = True) -> None:
    """Put three items, one of which no read can make an instance of."""
    await client.ensure_tables(E)
    raw = client.table("works", partition_key="pk", sort_key="sk", sort_key_type=int)
    for number in range(3):
        total = "12.5" if misfit and number == 1 else Decimal(1)
        await raw.put({"pk": partition, "sk": number, "total": total})


async def report_of(work: Any) -> BatchReport:
    """Return the report of work, whether it ended in an error or not."""
    try:
        report: BatchReport = await work
    except BatchError as error:
        return error.report
    return report


async def test_deletions_that_happened_are_reported_as_done(client: Client) -> None:
    """What the item looked like does not matter to a deletion."""
    await fill(client, "deleted")
    report = await report_of(client.table(E).query(E.pk == "deleted").delete_where())
    assert (report.written, len(report.failed)) == (3, 0)
    assert await client.table(E).query(E.pk == "deleted").count() == 0


@pytest.mark.parametrize("conditional", [False, True])
async def test_a_deletion_by_key_says_that_it_happened(client: Client, *, conditional: bool) -> None:
    """The error of an answer that does not fit is of a class that says that the write was applied."""
    await fill(client, "by key")
    delete = client.table(E).delete(pk="by key", sk=1)
    try:
        await (delete.when(E.pk.exists()) if conditional else delete)
    except MizzleError as error:
        assert type(error).__name__ == "AppliedWriteError"  # noqa: PT017  (a class that is missing is the fault)
    assert await client.table(E).query(E.pk == "by key").count() == 2


async def test_a_rewrite_skips_what_its_scan_skips(client: Client) -> None:
    """`on_error="skip"` has one meaning for the scan and for the rewrite."""
    await fill(client, "skipped")
    query = client.table(E).query(E.pk == "skipped", on_error="skip")
    report = await report_of(query.rewrite(lambda item: evolve(item, body="new")))
    assert (report.written, len(report.failed), report.skipped) == (2, 0, 1)


GOOD, BAD = "x", "x" * 450_000


@pytest.mark.parametrize("source", ["list", "generator"])
async def test_good_items_beside_a_bad_one_are_written(client: Client, source: str) -> None:
    """One bad item among five has its own error; the others are written, or have an error of their own."""
    await client.ensure_tables(E)
    items = [E(pk=source, sk=number, body=BAD if number == 2 else GOOD) for number in range(5)]
    report = await report_of(client.table(E).put_many(items if source == "list" else iter(items)))
    assert [undone.item for undone in report.failed if isinstance(undone.error, LimitError)] == [items[2]]
    stored = {item.sk for item in await client.table(E).query(E.pk == source).all()}
    undone = {undone.item.sk for undone in report.failed}
    assert stored | undone >= set(range(report.taken))
    assert report.written == len(stored)
    assert stored >= {0, 1}


async def test_a_load_that_stops_says_how_many_items_it_did_not_take(client: Client) -> None:
    """Where the input has a length, what comes after the bad item is counted in the message."""
    await client.ensure_tables(E)
    items = [E(pk="left", sk=number, body=BAD if number == 2 else GOOD) for number in range(60)]
    with pytest.raises(BatchError) as caught:
        await client.table(E).put_many(items)
    left = len(items) - caught.value.report.taken
    assert left > 0
    assert f"{left} not taken" in str(caught.value)


WORK: dict[str, Callable[[Any], Any]] = {
    "delete_where": lambda table: table.query(E.pk == "units").delete_where(),
    "rewrite": lambda table: table.query(E.pk == "units").rewrite(lambda item: evolve(item, body="new")),
    "put_many": lambda table: table.put_many([E(pk="units", sk=number) for number in range(3)]),
    "delete_many": lambda table: table.delete_many([table.key(pk="units", sk=number) for number in range(3)]),
}


@pytest.mark.parametrize("name", WORK)
async def test_a_report_tells_units_and_requests_of_reads_and_of_writes(client: Client, name: str) -> None:
    """Each kind of work says what it read and what it wrote, from the service's own figures."""
    await fill(client, "units", misfit=False)
    report = await WORK[name](client.table(E))
    reads = name in {"delete_where", "rewrite"}
    figures = {
        figure: getattr(report, figure, None)
        for figure in ("read_units", "write_units", "read_requests", "write_requests")
    }
    told = {figure: None if value is None else value > 0 for figure, value in figures.items()}
    assert told == {"read_units": reads, "write_units": True, "read_requests": reads, "write_requests": True}


class Bucket:
    """A table that takes so many items a second, and leaves the rest unprocessed."""

    def __init__(self, items_per_second: float) -> None:
        self.rate, self.last, self.stored = items_per_second, 0.0, 0.0
        self.items: set[int] = set()

    def write(self, request: WireRequest) -> dict[str, Any]:
        """Answer a BatchWriteItem."""
        now = asyncio.get_running_loop().time()
        self.stored = min(self.rate, self.stored + (now - self.last) * self.rate)
        self.last = now
        ((table, entries),) = orjson.loads(request.body)["RequestItems"].items()
        taken = int(self.stored)
        self.stored -= min(taken, len(entries))
        self.items.update(int(entry["PutRequest"]["Item"]["sk"]["N"]) for entry in entries[:taken])
        return {"UnprocessedItems": {table: entries[taken:]} if entries[taken:] else {}}


def slow_load(bucket: Bucket, count: int, **options: Any) -> BatchReport:
    """Load items into a slow table, on the virtual clock."""

    async def main() -> BatchReport:
        async with Client(caller=StubCaller({"BatchWriteItem": bucket.write})) as client:
            items = [Slow(pk="a", sk=number) for number in range(count)]
            return await report_of(client.table(Slow).put_many(items, **options))

    return run_virtual(main())


@pytest.mark.parametrize("rate", [1.0, 3.0])
def test_a_load_into_a_slow_table_goes_on_while_it_makes_progress(rate: float) -> None:
    """A table of one unit a second takes 200 items: the time of a batch begins anew with each accepted item."""
    bucket = Bucket(rate)
    report = slow_load(bucket, 200)
    assert (report.written, len(report.failed), len(bucket.items)) == (200, 0, 200)


def test_the_state_keeps_what_is_done_beyond_a_gap(tmp_path: Path) -> None:
    """A load that ends goes on with what is left: what was settled behind the first open item is not sent again."""
    path = tmp_path / "state.json"
    sent: list[int] = []
    refuses = True

    def write(request: WireRequest) -> dict[str, Any]:
        ((table, entries),) = orjson.loads(request.body)["RequestItems"].items()
        numbers = [int(entry["PutRequest"]["Item"]["sk"]["N"]) for entry in entries]
        left = [entry for entry, number in zip(entries, numbers, strict=True) if refuses and number == 0]
        sent.extend(number for number in numbers if not (refuses and number == 0))
        return {"UnprocessedItems": {table: left} if left else {}}

    async def main() -> BatchReport:
        async with Client(caller=StubCaller({"BatchWriteItem": write})) as client:
            items = [Slow(pk="a", sk=number) for number in range(100)]
            return await report_of(client.table(Slow).put_many(items, resume=path, timeout=5.0, concurrency=2))

    run_virtual(main())
    first = set(sent)
    sent.clear()
    refuses = False
    run_virtual(main())
    assert 0 not in first
    assert len(first) >= 24
    assert set(sent) == set(range(100)) - first
    assert json.loads(path.read_text())
