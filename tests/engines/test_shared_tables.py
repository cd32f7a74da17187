"""Many entities in one table, on both engines: what is written, what is read, and how index keys stay right."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import uuid4

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    ExpressionError,
    GlobalSecondaryIndex,
    ItemExistsError,
    MarshallingError,
    PartitionKey,
    SortKey,
    Table,
    attribute,
    entity,
    evolve,
)
from mizzle_async.model import SharedTable, key_template
from mizzle_async.testing import Engine

app = SharedTable("shop", partition_key="PK", sort_key="SK")
GSI1 = app.index("GSI1", partition_key="GSI1PK", sort_key="GSI1SK")
GSI2 = app.index("GSI2", partition_key="GSI2PK", sort_key="GSI2SK")
DAY = datetime(2026, 1, 1, tzinfo=UTC)


class Status(StrEnum):
    OPEN = "open"
    PAID = "paid"


@entity(app, partition_key="CUSTOMER#{customer_id}", sort_key="PROFILE")
class Customer:
    customer_id: PartitionKey[str]
    name: Attribute[str]


@entity(app, partition_key="CUSTOMER#{customer_id}", sort_key="ORDER#{placed_at}#{order_id}")
class Order:
    customer_id: PartitionKey[str]
    placed_at: SortKey[datetime]
    order_id: SortKey[str]
    total: Attribute[Decimal]
    status: Attribute[Status] = attribute(default=Status.OPEN)
    team: Attribute[str | None] = attribute(default=None)
    note: Attribute[str | None] = attribute(default=None)


BY_STATUS = GlobalSecondaryIndex(
    GSI1,
    partition_key=key_template("STATUS#{}#{}", Order.status, Order.team),
    sort_key=key_template("{}#{}", Order.placed_at, Order.order_id),
)
LARGE = GlobalSecondaryIndex(
    GSI2,
    partition_key=key_template("LARGE"),
    sort_key=key_template("{}", Order.placed_at),
    where=Order.total >= Decimal(1000),
)


@entity(app, partition_key="ORDER#{order_id}", sort_key="LINE#{number:04}")
class Line:
    order_id: PartitionKey[str]
    number: SortKey[int]
    sku: Attribute[str]


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[Client]:
    """A client with the table, empty."""
    async with Client(
        endpoint_url=engine.endpoint_url,
        region_name=engine.region_name,
        credentials=engine.credentials,
        table_prefix=f"{uuid4().hex[:8]}-",
    ) as opened:
        await opened.ensure_tables(app)
        yield opened
        await opened.delete_table(Order)


@pytest.fixture
def orders(client: Client) -> Table[Order]:
    """The orders."""
    return client.table(Order)


@pytest.fixture
def stored(client: Client) -> Table[dict[str, Any]]:
    """The table as it is stored."""
    return client.table("shop", partition_key="PK", sort_key="SK")


def order(number: int = 1, **changes: Any) -> Order:
    """Return an order of the customer c1."""
    values = {"customer_id": "c1", "placed_at": DAY.replace(day=number), "order_id": f"o{number}", "total": Decimal(5)}
    return Order(**{**values, **changes})


async def index_keys(stored: Table[dict[str, Any]]) -> dict[str, Any]:
    """Return the index keys of the only item."""
    (item,) = await stored.scan().all()
    return {name: value for name, value in item.items() if name.startswith("GSI")}


async def test_each_entity_is_read_as_itself(client, orders):
    """Queries, scans and counts of one entity see none of the others."""
    customers, lines = client.table(Customer), client.table(Line)
    ada = await customers.insert(Customer(customer_id="c1", name="Ada"))
    placed = [await orders.insert(order(number)) for number in range(1, 4)]
    line = await lines.insert(Line(order_id="o1", number=1, sku="s"))
    assert await customers.get("c1") == ada
    assert await orders.get(customer_id="c1", placed_at=DAY, order_id="o1") == placed[0]
    assert await orders.query(Order.customer_id == "c1").all() == placed
    assert await customers.query(Customer.customer_id == "c1").all() == [ada]
    assert await orders.query(Order.customer_id == "c1").count() == 3
    assert sorted(each.order_id for each in await orders.scan().all()) == ["o1", "o2", "o3"]
    assert (await orders.scan().count(), await customers.scan().count()) == (3, 1)
    assert await lines.query(Line.order_id == "o1", Line.number <= 10).all() == [line]
    with pytest.raises(ItemExistsError):
        await customers.insert(Customer(customer_id="c1", name="Eve"))


async def test_ranges_narrow_from_the_left(orders):
    """Equalities fill the key, and one range ends the query."""
    await orders.put_many(order(number) for number in range(1, 10))
    customer = Order.customer_id == "c1"

    async def numbers(*conditions: Any, **options: Any) -> list[int]:
        return [each.placed_at.day async for each in orders.query(customer, *conditions, **options)]

    day = DAY.replace(day=5)
    assert await numbers(Order.placed_at >= day) == [5, 6, 7, 8, 9]
    assert await numbers(Order.placed_at > day) == [6, 7, 8, 9]
    assert await numbers(Order.placed_at <= day, reverse=True) == [5, 4, 3, 2, 1]
    assert await numbers(Order.placed_at < day) == [1, 2, 3, 4]
    assert await numbers(Order.placed_at.between(DAY.replace(day=2), day)) == [2, 3, 4, 5]
    assert await numbers(Order.placed_at == day, Order.order_id.begins_with("o")) == [5]
    assert await numbers(Order.placed_at == day, Order.order_id < "o5") == []
    assert await numbers(Order.placed_at == day, Order.order_id <= "o5") == [5]
    assert await numbers(Order.placed_at.between(day, DAY)) == []
    empty = await orders.query(customer, Order.placed_at.between(day, DAY)).page()
    assert (empty.items, empty.cursor, empty.evaluated) == ([], None, 0)
    assert orders.query(customer, Order.placed_at.between(day, DAY)).to_wire() == {}


async def test_wrong_queries_say_what_is_missing(orders):
    """A gap, two ranges, an attribute that is no key: each is named before anything is sent."""
    customer = Order.customer_id == "c1"
    for conditions, message in [
        ((customer, Order.order_id == "o1"), "placed_at == … first"),
        ((customer, Order.placed_at >= DAY, Order.order_id >= "o"), "one range"),
        ((customer, customer), "compared twice"),
        ((BY_STATUS.partition_key == (Status.OPEN, "a"), Order.placed_at >= DAY), "one key"),
    ]:
        with pytest.raises(ExpressionError, match=message):
            orders.query(*conditions)


async def test_pages_have_cursors(orders):
    """A cursor continues where the page ended, and belongs to its query."""
    await orders.put_many(order(number) for number in range(1, 8))
    query = orders.query(Order.customer_id == "c1")
    first = await query.page(max_items=3)
    second = await query.page(first.cursor, max_items=3)
    assert [each.placed_at.day for each in (*first.items, *second.items)] == [1, 2, 3, 4, 5, 6]


async def test_index_is_queried_by_tuples_and_constants(orders):
    """A key of several parts is compared with a tuple, a constant with ()."""
    await orders.put_many(order(number, team="a", total=Decimal(number * 200)) for number in range(1, 8))
    team = BY_STATUS.partition_key == (Status.OPEN, "a")
    found = await orders.query(team, BY_STATUS.sort_key >= (DAY.replace(day=6),)).all()
    assert [each.placed_at.day for each in found] == [6, 7]
    large = await orders.query(LARGE.partition_key == (), LARGE.sort_key > DAY.replace(day=5)).all()
    assert [each.placed_at.day for each in large] == [6, 7]


async def test_every_verb_keeps_the_index_keys(orders, stored):
    """Insert, update, patch, replace, upsert, a transaction and a rewrite leave the keys of the item's values."""
    key = {"customer_id": "c1", "placed_at": DAY, "order_id": "o1"}
    place = {"GSI1SK": "2026-01-01T00:00:00.000000Z#o1", "GSI2SK": "2026-01-01T00:00:00.000000Z"}
    placed = await orders.insert(order(team="a"))
    assert await index_keys(stored) == {"GSI1PK": "STATUS#open#a", **place}
    paid = await orders.update(placed).set(Order.status, Status.PAID)
    assert await index_keys(stored) == {"GSI1PK": "STATUS#paid#a", **place}
    await orders.update(**key).set(Order.total, Decimal(2000))
    assert await index_keys(stored) == {"GSI1PK": "STATUS#paid#a", "GSI2PK": "LARGE", **place}
    await orders.patch(paid, to=evolve(paid, team="b"))
    assert (await index_keys(stored))["GSI1PK"] == "STATUS#paid#b"
    await orders.update(**key).remove(Order.team).when(Order.status == Status.PAID)
    assert "GSI1PK" not in await index_keys(stored)
    await orders.upsert(**key).set(Order.total, Decimal(1)).set(Order.status, Status.OPEN).set(Order.team, "c")
    assert await index_keys(stored) == {"GSI1PK": "STATUS#open#c", **place}
    await orders.replace(order(team="d", total=Decimal(1000)))
    assert await index_keys(stored) == {"GSI1PK": "STATUS#open#d", "GSI2PK": "LARGE", **place}
    await orders.scan().rewrite(lambda each: evolve(each, team="e"))
    assert (await index_keys(stored))["GSI1PK"] == "STATUS#open#e"
    assert await orders.update(**key).set(Order.note, "only this") == order(
        team="e", total=Decimal(1000), note="only this"
    )


async def test_update_that_does_not_know_a_part_is_refused(orders):
    """The refusal names the missing part and the four ways out; unknown values are refused too."""
    key = {"customer_id": "c1", "placed_at": DAY, "order_id": "o1"}
    with pytest.raises(
        ExpressionError, match=r"team is not known here: .set\(\) it too, update an instance, fix it by"
    ):
        await orders.update(**key).set(Order.status, Status.PAID)
    with pytest.raises(ExpressionError, match="its value after this update is not known"):
        await orders.update(**key).add(Order.total, Decimal(1))
    with pytest.raises(ExpressionError, match="is a key: an update cannot change it"):
        orders.update(**key).set(Order.order_id, "o2")
    with pytest.raises(ExpressionError, match=r"give (status|team) too"):
        await orders.upsert(**key).set(Order.team, "a").set(Order.total, Decimal(1))


async def test_condition_fixes_a_part_of_an_index_key(orders):
    """The value that `.when()` compares by equality is known, also once the condition is encoded."""
    update = orders.update(customer_id="c1", placed_at=DAY, order_id="o1").set(Order.status, Status.PAID)
    sent = update.when(Order.team == "a").to_wire()
    assert {"S": "STATUS#paid#a"} in sent["ExpressionAttributeValues"].values()


async def test_stale_instance_cannot_mix_an_index_key(orders, stored):
    """Of two writers of two parts of one key, the one whose instance is stale fails its check."""
    first = await orders.insert(order(team="a"))
    await orders.update(first).set(Order.team, "b")
    with pytest.raises(ConditionalCheckFailedError):
        await orders.update(first).set(Order.status, Status.PAID)
    assert (await index_keys(stored))["GSI1PK"] == "STATUS#open#b"


async def test_backfill_writes_what_differs_and_nothing_else(orders, stored):
    """After a new index `rewrite` of every item to itself adds its keys; run again it writes nothing."""
    await orders.put_many(order(number, team="a") for number in range(1, 4))
    async for item in stored.scan():
        await stored.update(PK=item["PK"], SK=item["SK"]).remove(stored.attribute("GSI1PK"), stored.attribute("GSI1SK"))
    assert await orders.query(BY_STATUS.partition_key == (Status.OPEN, "a")).all() == []
    report = await orders.scan().rewrite(lambda each: each)
    assert report.written == 3
    assert len(await orders.query(BY_STATUS.partition_key == (Status.OPEN, "a")).all()) == 3
    again = await orders.scan().rewrite(lambda each: each)
    assert (again.written, again.unchanged) == (0, 3)


async def test_transaction_and_batches_take_all_entities(client, orders):
    """Entities of one table go together, and one item twice is refused whatever its class."""
    customers = client.table(Customer)
    await client.transact_write(customers.insert(Customer(customer_id="c1", name="Ada")), orders.insert(order()))
    ada, placed = await client.transact_get(customers.get("c1"), orders.get(order()))
    assert (ada, placed) == (Customer(customer_id="c1", name="Ada"), order())
    report = await client.batch_write(customers.put(Customer(customer_id="c2", name="Bob")), orders.delete(order()))
    assert report.written == 2
    assert await orders.get_many([orders.key(order())]) == [None]


async def test_foreign_item_in_the_range_is_left_out(orders, stored):
    """An item of a type that no imported class has is not decoded as another, nor counted."""
    await orders.insert(order())
    await stored.put({"PK": "CUSTOMER#c1", "SK": "ORDER#2026-01-02T00:00:00.000000Z#o2", "_type": "Refund"})
    assert await orders.query(Order.customer_id == "c1").all() == [order()]
    assert await orders.query(Order.customer_id == "c1").count() == 1
    with pytest.raises(MarshallingError, match="found one of another type"):
        await orders.get(customer_id="c1", placed_at=DAY.replace(day=2), order_id="o2")


async def test_stored_texts_can_be_queried(orders):
    """The table's own paths ask for what no entity says."""
    await orders.put_many(order(number, team="a") for number in range(1, 4))
    found = await orders.query(app.partition_key == "CUSTOMER#c1", app.sort_key.begins_with("ORDER#2026-01-02")).all()
    assert found == [order(2, team="a")]
    assert len(await orders.query(GSI1.partition_key == "STATUS#open#a").all()) == 3


async def test_item_leaves_a_sparse_index_whatever_its_key_was(client):
    """Where values rule an index's condition out, its key is removed, and no other value need be known."""
    table = SharedTable("sparse", partition_key="PK", sort_key="SK")
    index = table.index("open", partition_key="OPEN", sort_key="SINCE")

    @entity(table, partition_key="JOB#{number}", sort_key="JOB")
    class Job:
        number: PartitionKey[str]
        queue: Attribute[str]
        is_open: Attribute[bool] = attribute(default=True)

    GlobalSecondaryIndex(
        index,
        partition_key=key_template("QUEUE#{}", Job.queue),
        sort_key=key_template("{}", Job.number),
        where=(Job.is_open == True) & (Job.queue != "none"),
    )
    jobs = client.table(Job)
    closing = jobs.update("1").set({"is_open": False}).to_wire()
    assert closing["UpdateExpression"] == "SET #is_open = :is_open REMOVE #OPEN"
    assert closing["ConditionExpression"] == "attribute_exists(#PK)"
    known = jobs.update(Job(number="1", queue="a")).set({"is_open": False}).to_wire()
    assert known["ConditionExpression"] == "attribute_exists(#PK)"
    with pytest.raises(ExpressionError, match="queue is not known here"):
        jobs.update("1").set({"is_open": True}).to_wire()
    with pytest.raises(ExpressionError, match=r"write `Job\.number == value`"):
        jobs.query()  # type: ignore[call-arg]  # the mistake
