"""Tables on each engine: made, ensured, described, deleted, waited for."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    GlobalSecondaryIndex,
    ItemCollectionLimitWarning,
    LocalSecondaryIndex,
    ModelError,
    PartitionKey,
    ResourceInUseError,
    ResourceNotFoundError,
    SortKey,
    attribute,
    entity,
)


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    number: SortKey[int] = attribute(name="no")
    status: Attribute[str] = attribute(default="open")
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    picture: Attribute[bytes] = attribute(default=b"-")
    expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


BY_STATUS = GlobalSecondaryIndex("by-status", partition_key=Order.status, sort_key=Order.expires)
BY_PICTURE = GlobalSecondaryIndex("by-picture", partition_key=Order.picture, projection=[Order.total, Order.status])
with pytest.warns(ItemCollectionLimitWarning):
    BY_TOTAL = LocalSecondaryIndex("by-total", sort_key=Order.total, projection="keys_only")


@entity("plain")
class Plain:
    plain_id: PartitionKey[str]
    kind: Attribute[str] = attribute(default="a")


async def test_create_describe_delete(client: Client):
    """A table is made with its keys and indexes, can be used at once, and is gone after it was deleted."""
    made = await client.create_table(Order)
    described = await client.describe_table(Order)
    assert made == described
    assert described.status == "ACTIVE"
    assert described.is_ready
    assert described.key == (("customer_id", "HASH"), ("no", "RANGE"))
    assert described.attribute_types == {
        "customer_id": "S",
        "no": "N",
        "status": "S",
        "expires": "N",
        "picture": "B",
        "total": "N",
    }
    assert described.indexes["by-status"].key == (("status", "HASH"), ("expires", "RANGE"))
    assert described.indexes["by-picture"].included == ("status", "total")
    assert described.indexes["by-total"].is_local
    assert described.on_demand
    with pytest.raises(ResourceInUseError):
        await client.create_table(Order)
    await client.delete_table(Order)
    with pytest.raises(ResourceNotFoundError):
        await client.describe_table(Order)
    with pytest.raises(ResourceNotFoundError):
        await client.delete_table(Order)
    await client.delete_table(Order, missing_ok=True)


async def test_options(client: Client):
    """A table may be provisioned, and have a stream."""
    made = await client.create_table(Plain, read_units=3, write_units=2, stream="new_and_old_images")
    assert (made.on_demand, made.read_units, made.write_units) == (False, 3, 2)
    assert made.stream == "new_and_old_images"


async def test_half_a_provision_is_refused(client: Client):
    """Read and write units come together."""
    with pytest.raises(ModelError, match="both"):
        await client.create_table(Plain, read_units=1)


async def test_ensure_creates_what_is_missing(client: Client):
    """Tables that are missing are made, those that are there are left as they are."""
    first = await client.ensure_tables(Plain, Order, Plain)
    plain = client.table(Plain)
    await plain.insert(Plain(plain_id="a"))
    assert [table.name for table in first] == [plain.name, client.table(Order).name, plain.name]
    again = await client.ensure_tables(Plain, Order)
    assert [table.name for table in again] == [table.name for table in first[:2]]
    assert await plain.get("a") is not None


async def test_ensure_enables_the_time_to_live(client: Client):
    """The time-to-live attribute is switched on, also in a table that is there already."""
    wide = client.table("orders", partition_key="customer_id", sort_key="no", sort_key_type=int)
    await client.ensure_tables(Order)
    for _ in range(2):
        described = await client.control("DescribeTimeToLive", {"TableName": wide.name})
        assert described["TimeToLiveDescription"]["AttributeName"] == "expires"
        await client.ensure_tables(Order)


async def test_ensure_adds_a_missing_index(client: Client):
    """A global index that the class gained is added to the table, and finds what was stored before."""
    await client.ensure_tables(Plain)
    await client.table(Plain).insert(Plain(plain_id="a", kind="k"))

    @entity("plain")
    class Wider:
        plain_id: PartitionKey[str]
        kind: Attribute[str] = attribute(default="a")

    by_kind: Any = GlobalSecondaryIndex("by-kind", partition_key=Wider.kind)
    (table,) = await client.ensure_tables(Wider)
    assert table.indexes["by-kind"].status == "ACTIVE"
    found = await client.table(Wider).query(by_kind.partition_key == "k").all()
    assert [each.plain_id for each in found] == ["a"]


async def test_ensure_of_entities_that_share_a_table(client: Client):
    """Entities in one table get what each of them needs; one whose key is another is refused."""

    @entity("shared")
    class First:
        pk: PartitionKey[str]
        a: Attribute[str]

    @entity("shared")
    class Second(First):
        b: Attribute[str]

    @entity("shared")
    class Third:
        pk: PartitionKey[int]

    GlobalSecondaryIndex("by-a", partition_key=First.a)
    GlobalSecondaryIndex("by-b", partition_key=Second.b)
    tables = await client.ensure_tables(First, Second, First)
    assert [sorted(table.indexes) for table in tables] == [["by-a", "by-b"]] * 3
    with pytest.raises(ModelError, match=r"Third: .* its key is pk \(S, partition\), not pk \(N, partition\)"):
        await client.ensure_tables(First, Third)
    with pytest.raises(ModelError, match=r"ensure_tables\(\*entities\)"):
        await client.ensure_tables([First, Second])


async def test_ensure_refuses_a_table_that_differs(client: Client):
    """A table with another key is not touched: the message says how it differs."""
    await client.ensure_tables(Plain)

    @entity("plain")
    class Other:
        plain_id: PartitionKey[int]
        at: SortKey[str]

    with pytest.raises(
        ModelError, match=r"its key is plain_id \(S, partition\), not plain_id \(N, partition\), at \(S, sort\)"
    ):
        await client.ensure_tables(Other)
    assert (await client.describe_table(Plain)).key == (("plain_id", "HASH"),)


async def test_ensure_refuses_a_missing_local_index(client: Client):
    """A local index can only be made with its table."""

    @entity("late")
    class Before:
        pk: PartitionKey[str]
        sk: SortKey[str]

    @entity("late")
    class After:
        pk: PartitionKey[str]
        sk: SortKey[str]
        name: Attribute[str]

    await client.ensure_tables(Before)
    with pytest.warns(ItemCollectionLimitWarning):
        LocalSecondaryIndex("by-name", sort_key=After.name)
    with pytest.raises(ModelError, match="local index 'by-name' is missing"):
        await client.ensure_tables(After)


async def test_table_names(engine, new_table_name):
    """A prefix is put before names, and a name of its own replaces both."""
    own = new_table_name()
    async with Client(
        endpoint_url=engine.endpoint_url,
        region_name=engine.region_name,
        credentials=engine.credentials,
        table_prefix=f"{own}-",
        table_names={"orders": own},
    ) as client:
        assert client.table(Order).name == own
        assert client.table(Plain).name == f"{own}-plain"
        await client.ensure_tables(Plain, Order)
        assert (await client.describe_table(own)).name == own


async def test_use_of_a_missing_table(client: Client):
    """Reading from a table that does not exist says so, with the service's code."""
    with pytest.raises(ResourceNotFoundError) as raised:
        await client.table(Plain).get("a")
    assert raised.value.code == "ResourceNotFoundException"
