"""Frames on the engines: what is put as a frame is read as the same frame, and as the same instances."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from mizzle_async import Attribute, Client, PartitionKey, SortKey, attribute, entity
from mizzle_async.integrations.arrow import arrow_batches_from_lines, arrow_schema, infer_schema


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    number: SortKey[int]
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    placed: Attribute[datetime | None] = attribute(default=None)
    tags: Attribute[set[str]] = attribute(factory=set)
    counts: Attribute[dict[str, int]] = attribute(factory=dict)


@entity("events")
class Event:
    device: PartitionKey[str] = attribute(shards=3)
    at: SortKey[int]
    note: Attribute[str | None] = attribute(default=None)


async def test_a_frame_comes_back(client: Client, tmp_path: Path):
    """Through put_arrow, scans in batches, a query, a projection, parts and an export."""
    await client.ensure_tables(Order)
    orders = client.table(Order)
    instances = [
        Order(
            customer_id=f"c{n % 3}",
            number=n,
            total=Decimal(n) / 8,
            placed=datetime(2026, 1, 1, 12, n % 60, 0, n, tzinfo=UTC) if n % 2 else None,
            tags={"a", "b"} if n % 3 else set(),
            counts={"x": n} if n % 5 else {},
        )
        for n in range(500)
    ]
    await orders.put_many(instances)
    table = await orders.scan().to_arrow()
    assert table.num_rows == 500
    await orders.scan().delete_where()
    report = await orders.put_arrow(table)
    assert report.written == 500
    stored = sorted(await orders.scan().all(), key=lambda order: order.number)
    assert stored == instances
    batches = [batch async for batch in orders.scan(page_size=70).arrow_batches(rows=120)]
    assert [batch.num_rows for batch in batches] == [120, 120, 120, 120, 20]
    parts = [await part.to_arrow() for part in orders.scan().split(5)]
    assert sum(part.num_rows for part in parts) == 500
    projected = await orders.query(Order.customer_id == "c1").project(Order.number, Order.total).to_arrow()
    assert projected.column("number").to_pylist() == [n for n in range(500) if n % 3 == 1]
    await orders.scan().export(tmp_path / "orders.jsonl")
    with (tmp_path / "orders.jsonl").open("rb") as lines:
        exported = pa.Table.from_batches(list(arrow_batches_from_lines(lines, Order)), schema=arrow_schema(Order))
    assert exported.sort_by("number").equals(table.sort_by("number"))


async def test_spread_keys_and_tables_without_a_class(client: Client):
    """Keys come without the suffix of their shard; a schema is inferred from what is there."""
    await client.ensure_tables(Event)
    events = client.table(Event)
    table = pa.table({"device": ["d"] * 40, "at": range(40), "note": ["n", None] * 20})
    assert (await events.put_arrow(table)).written == 40
    query = await events.query(Event.device == "d").to_arrow()
    assert query.column("device").to_pylist() == ["d"] * 40
    assert query.column("at").to_pylist() == list(range(40))
    legacy = client.table("events", partition_key="device", sort_key="at", sort_key_type=int)
    schema = await infer_schema(legacy.scan(), items=100)
    assert {field.name: str(field.type) for field in schema} == {"device": "string", "at": "int64", "note": "string"}
    assert schema.field("note").metadata == {b"mizzle.seen": b"20"}
    whole = await legacy.scan().to_arrow(schema=schema)
    assert sorted(whole.column("at").to_pylist()) == list(range(40))
