"""Spark: queries and exports as data frames, data frames as items."""

import asyncio
import gzip
import json
from collections.abc import Coroutine
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from mizzle_async import BatchError, Client, ExpressionError, ModelError
from mizzle_async.integrations.spark import read_export, read_query, write_frame, write_import

pytestmark = pytest.mark.filterwarnings("ignore")  # those of pyspark and its Python workers

COUNT = 300


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine, as a script does."""
    return asyncio.run(work)


@pytest.fixture(scope="module", autouse=True)
def orders(models: Any) -> None:
    """Three hundred orders."""

    async def fill() -> None:
        async with Client() as client:
            await client.ensure_tables(models.Order, models.Copy)
            await client.table(models.Order).put_many(
                models.Order(
                    customer_id=f"c{n % 7}",
                    number=n,
                    total=Decimal(n) / 8,
                    placed=datetime(2026, 1, 1, 12, n % 60, tzinfo=UTC) if n % 3 else None,
                    tags={"b", "a"} if n % 2 else set(),
                    lines=[models.Line(sku=f"s{n}", cents=n)] if n % 5 == 0 else [],
                    counts={"x": n} if n % 4 == 0 else {},
                    paid=n % 2 == 0,
                    ratio=n / 3 if n % 2 else None,
                    data=b"\x00\xff" if n == 1 else None,
                )
                for n in range(COUNT)
            )

    run(fill())


def scan(models: Any, **options: Any) -> Any:
    """Return a scan of the orders, of a client that is not open."""
    return Client().table(models.Order).scan(**options)


async def copies(models: Any) -> dict[int, Any]:
    """Return the copies by their number."""
    async with Client() as client:
        return {copy.number: copy async for copy in client.table(models.Copy).scan(consistent_read=True)}


async def clear(models: Any) -> None:
    """Delete the copies."""
    async with Client() as client:
        await client.table(models.Copy).scan().delete_where()


def test_a_scan_is_a_data_frame(spark: Any, models: Any) -> None:
    """Every type arrives exactly, in as many tasks as were asked for, whatever the session's time zone."""
    frame = read_query(spark, scan(models), parts=5)
    assert frame.count() == COUNT
    rows = {row["number"]: row for row in frame.collect()}
    assert sorted(rows) == list(range(COUNT))
    one = rows[5]
    assert (one["customer_id"], one["status"], one["total"]) == ("c5", "open", Decimal("0.625"))
    assert one["placed"].astimezone(UTC) == datetime(2026, 1, 1, 12, 5, tzinfo=UTC)
    assert (one["tags"], one["paid"], one["ratio"]) == (["a", "b"], False, 5 / 3)
    assert [tuple(line) for line in one["lines"]] == [("s5", 5)]
    assert rows[4]["counts"] == {"x": 4}
    assert rows[0]["placed"] is None
    assert bytes(rows[1]["data"]) == b"\x00\xff"
    sums = frame.selectExpr("sum(total) as total", "count(placed) as placed").collect()[0]
    assert (sums["total"], sums["placed"]) == (Decimal(sum(range(COUNT))) / 8, 200)
    assert frame.limit(3).count() == 3


def test_what_the_query_says_is_what_is_read(spark: Any, models: Any) -> None:
    """A projection, a query of one customer, a range, an empty result with its columns."""
    order = models.Order
    projected = read_query(spark, scan(models).project(order.number, order.total), parts=3)
    assert projected.columns == ["number", "total"]
    assert projected.agg({"number": "sum"}).collect()[0][0] == sum(range(COUNT))
    table = Client().table(order)
    one = read_query(spark, table.query(order.customer_id == "c3", order.number > 100))
    assert [row["number"] for row in one.collect()] == [n for n in range(101, COUNT) if n % 7 == 3]
    several = read_query(spark, table.query(order.customer_id.is_in(["c1", "c2"])), parts=2)
    assert several.count() == len([n for n in range(COUNT) if n % 7 in {1, 2}])
    empty = read_query(spark, table.query(order.customer_id == "nobody"))
    assert (empty.count(), len(empty.columns)) == (0, 11)


def test_parts_by_size_in_a_notebook(spark: Any, models: Any) -> None:
    """The driver asks for the table's size on a loop of its own: where a notebook runs one already, too."""

    async def notebook() -> int:
        return read_query(spark, scan(models)).count()

    assert run(notebook()) == COUNT


def test_errors_make_sense_on_the_driver(spark: Any, models: Any) -> None:
    """What can be known before a task runs is raised before; a task's error has no value of an item in it."""
    with pytest.raises(ExpressionError, match=r"needs connect=: this client has credentials="):
        read_query(spark, Client(credentials=("a", "b"), region_name="x").table(models.Order).scan(), parts=2)
    lock = Lock()
    with pytest.raises(ExpressionError, match="does not travel to Spark's workers"):
        read_query(spark, scan(models), parts=2, connect=lambda: lock)
    with pytest.raises(ModelError, match="is one part: leave parts= out"):
        read_query(spark, Client().table(models.Order).query(models.Order.customer_id == "c1"), parts=2)
    with pytest.raises(Exception, match=r"DeadlineExceededError|TransportError"):
        read_query(spark, scan(models), parts=2, connect=models.nothing).count()


def test_names_that_differ_in_case_are_refused(spark: Any) -> None:
    """Spark would take one for the other."""
    from mizzle_async import Attribute, PartitionKey, entity  # noqa: PLC0415  (this test's own)

    @entity("cases")
    class Case:
        name: PartitionKey[str]
        Name: Attribute[str]

    with pytest.raises(ModelError, match="'name' and 'Name' for one column"):
        read_query(spark, Client().table(Case).scan(), parts=1)


def test_a_frame_is_put_twice_and_once(spark: Any, models: Any) -> None:
    """A task that fails after its writes runs again: the table is right, and the report is that of what counted."""
    run(clear(models))
    source = read_query(spark, scan(models), parts=4).select("customer_id", "number", "total", "placed", "tags")
    table = Client().table(models.Copy)
    report = write_frame(source, table, write_units_per_second=100_000, connect=models.connect)
    assert (report.written, report.is_complete) == (COUNT, True)
    assert report.write_units >= COUNT
    stored = run(copies(models))
    assert len(stored) == COUNT
    assert stored[5].total == Decimal("0.625")
    assert stored[5].placed == datetime(2026, 1, 1, 12, 5, tzinfo=UTC)
    assert stored[5].tags == {"a", "b"}
    assert write_frame(source, table, verb="insert").written == COUNT  # as an attempt that comes again
    changed = source.where("number < 10").selectExpr("customer_id", "number", "total + 1 as total")
    cast = changed.selectExpr("customer_id", "number", "cast(total as decimal(20, 3)) as total")
    with pytest.raises(BatchError) as caught:
        write_frame(cast, table, verb="insert")
    failed = caught.value.report.failed
    assert len(failed) == 10
    assert {type(each.error).__name__ for each in failed} == {"ItemExistsError"}
    assert write_frame(source.where("number >= 100"), table, verb="delete").written == 200
    assert sorted(run(copies(models))) == list(range(100))


def test_a_task_that_fails_after_its_writes_comes_again(spark: Any, models: Any) -> None:
    """Spark runs it once more: each item is there once."""
    run(clear(models))
    marker = models.__file__ + ".failed"
    Path(marker).unlink(missing_ok=True)

    def flaky(batches: Any) -> Any:
        for batch in batches:
            yield batch
            if batch.num_rows and not Path(marker).exists():
                Path(marker).touch()
                raise RuntimeError("the task is lost")

    frame = read_query(spark, scan(models), parts=3).select("customer_id", "number", "total")
    report = write_frame(frame.mapInArrow(flaky, frame.schema), Client().table(models.Copy))
    assert Path(marker).exists()
    assert report.written == COUNT
    assert len(run(copies(models))) == COUNT


def test_rows_that_do_not_fit_are_reported_once(spark: Any, models: Any) -> None:
    """They fail no task: Spark would run it again for nothing. The report names them without their values."""
    frame = spark.createDataFrame([("", 1), ("ok", 2), (None, 3)], "customer_id string, number long")
    with pytest.raises(BatchError) as caught:
        write_frame(frame.coalesce(1), Client().table(models.Copy))
    report = caught.value.report
    assert report.failed
    assert "customer_id" in str(report.failed[0].error)


@pytest.mark.parametrize(
    ("make", "verb", "message"),
    [
        ("select customer_id, number, 1 as unheard from rows", "put", "does not declare: 'unheard'"),
        ("select customer_id from rows", "put", "no column 'number'"),
        ("select customer_id from rows", "delete", "no column number"),
        ("select customer_id, number, cast(now() as timestamp_ntz) as placed from rows", "put", "give it a time zone"),
        ("select customer_id, number, 0.5D as total from rows", "put", "a column of type double is not written"),
    ],
)
def test_columns_are_checked_before_a_task_runs(spark: Any, models: Any, make: str, verb: Any, message: str) -> None:
    """On the driver, as for any frame."""
    spark.createDataFrame([("a", 1)], "customer_id string, number long").createOrReplaceTempView("rows")
    with pytest.raises(ModelError, match=message):
        write_frame(spark.sql(make), Client().table(models.Copy), verb=verb)


def test_verbs_that_may_not_run_twice_are_refused(spark: Any, models: Any) -> None:
    """With the reason."""
    frame = spark.createDataFrame([("a", 1)], "customer_id string, number long")
    for verb in ("overwrite", "append", "update"):
        with pytest.raises(ExpressionError, match="may run twice"):
            write_frame(frame, Client().table(models.Copy), verb=verb)


def test_an_export_is_a_data_frame_and_a_frame_an_import(spark: Any, models: Any, tmp_path: Path) -> None:
    """Gzipped lines of DynamoDB's JSON, read and written by Spark itself."""

    async def export() -> None:
        async with Client() as client:
            await client.table(models.Order).scan().export(tmp_path / "data.jsonl")

    run(export())
    with gzip.open(tmp_path / "data.json.gz", "wb") as file:
        file.write((tmp_path / "data.jsonl").read_bytes())
    frame = read_export(spark, str(tmp_path / "data.json.gz"), models.Order)
    assert frame.count() == COUNT
    assert frame.agg({"total": "sum"}).collect()[0][0] == Decimal(sum(range(COUNT))) / 8
    write_import(frame.select("customer_id", "number", "total"), models.Copy, str(tmp_path / "import"))
    files = list((tmp_path / "import").glob("*.gz"))
    lines = [line for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert len(lines) == COUNT
    assert json.loads(lines[0])["Item"].keys() >= {"customer_id", "number", "total"}
    with pytest.raises(ModelError, match="no column 'number'"):
        write_import(frame.select("customer_id"), models.Copy, str(tmp_path / "other"))


def test_an_incremental_export_is_ready_for_a_merge(spark: Any, models: Any, tmp_path: Path) -> None:
    """Keys, change, both images and the time of the write as columns."""
    key = {"customer_id": {"S": "c1"}, "number": {"N": "1"}}
    line = {
        "Metadata": {"WriteTimestampMicros": {"N": "1769850300123456"}},
        "Keys": key,
        "NewImage": {**key, "total": {"N": "2"}},
    }
    (tmp_path / "data.json").write_text(json.dumps(line) + "\n")
    (row,) = read_export(spark, str(tmp_path / "data.json"), models.Copy, incremental=True).collect()
    assert (row["number"], row["change"], row["old"], row["new"]["total"]) == (1, "put", None, Decimal(2))
