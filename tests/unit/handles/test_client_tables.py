"""Making, ensuring and deleting tables against a scripted control plane: what is sent, and how it is waited for."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    DeadlineExceededError,
    GlobalSecondaryIndex,
    ModelError,
    PartitionKey,
    ResourceInUseError,
    ResourceNotFoundError,
    SortKey,
    attribute,
    entity,
)
from mizzle_async.flow.tasks import run_together
from mizzle_async.testing.stub import StubCaller


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    number: SortKey[int]
    status: Attribute[str] = attribute(default="open")


BY_STATUS = GlobalSecondaryIndex("by-status", partition_key=Order.status)


@entity("plain")
class Plain:
    plain_id: PartitionKey[str]


MISSING = ResourceNotFoundError("no such table", code="ResourceNotFoundException")


def described(status: str = "ACTIVE", *, index: str | None = "ACTIVE", **more: Any) -> dict[str, Any]:
    """Make what DescribeTable answers for the orders."""
    table = {
        "TableName": "orders",
        "TableStatus": status,
        "KeySchema": [
            {"AttributeName": "number", "KeyType": "RANGE"},
            {"AttributeName": "customer_id", "KeyType": "HASH"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "customer_id", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
            {"AttributeName": "status", "AttributeType": "S"},
        ],
        "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2},
        "BillingModeSummary": {"BillingMode": "PROVISIONED"},
        **more,
    }
    if index is not None:
        table["GlobalSecondaryIndexes"] = [
            {
                "IndexName": "by-status",
                "IndexStatus": index,
                "KeySchema": [{"AttributeName": "status", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ]
    return {"Table": table}


class Pauses:
    """Sleeps not at all, and remembers."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Note a pause."""
        self.seconds.append(seconds)


@pytest.fixture
def pauses() -> Pauses:
    """How long was slept."""
    return Pauses()


async def opened(pauses: Pauses, **replies: Any) -> tuple[Client, StubCaller]:
    """Open a client on a scripted control plane."""
    caller = StubCaller(replies)
    return await Client(caller=caller, sleep=pauses).open(), caller


async def test_creation_is_waited_for_with_short_pauses(pauses):
    """A table is polled quickly at first and more slowly then, until it and its indexes can be used."""
    client, caller = await opened(
        pauses,
        CreateTable={},
        DescribeTable=[MISSING, described("CREATING"), described(index="CREATING"), described()],
    )
    table = await client.create_table(Order, read_units=3, write_units=2)
    assert table.is_ready
    assert table.read_units == 3
    assert pauses.seconds == pytest.approx([0.05, 0.075, 0.1125])
    assert caller.payloads[0] == {
        "TableName": "orders",
        "KeySchema": [
            {"AttributeName": "customer_id", "KeyType": "HASH"},
            {"AttributeName": "number", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "customer_id", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
            {"AttributeName": "status", "AttributeType": "S"},
        ],
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2},
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by-status",
                "KeySchema": [{"AttributeName": "status", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2},
            }
        ],
    }


async def test_waiting_ends(pauses):
    """A table that does not come in time is an error that says how it stands."""
    client, _ = await opened(pauses, CreateTable={}, DescribeTable=described("CREATING"))
    with pytest.raises(DeadlineExceededError, match="is CREATING after 0 seconds") as raised:
        await client.create_table(Order, wait_timeout=0)
    assert raised.value.timeout == 0


async def test_missing_index_is_added_like_its_table_is_provisioned(pauses):
    """An index that is added has the provision of its table."""
    client, caller = await opened(
        pauses, DescribeTable=[described(index=None), described(index=None), described()], UpdateTable={}
    )
    (table,) = await client.ensure_tables(Order)
    assert list(table.indexes) == ["by-status"]
    update = caller.payloads[caller.operations.index("UpdateTable")]
    assert update["GlobalSecondaryIndexUpdates"][0]["Create"]["ProvisionedThroughput"] == {
        "ReadCapacityUnits": 3,
        "WriteCapacityUnits": 2,
    }
    assert {each["AttributeName"] for each in update["AttributeDefinitions"]} == {"customer_id", "number", "status"}


async def test_missing_index_of_a_table_on_demand(pauses):
    """An index of a table that is billed on demand has no provision."""
    on_demand = {"BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}
    client, caller = await opened(
        pauses, DescribeTable=[described(index=None, **on_demand)] * 2 + [described(**on_demand)], UpdateTable={}
    )
    await client.ensure_tables(Order)
    update = caller.payloads[caller.operations.index("UpdateTable")]
    assert "ProvisionedThroughput" not in update["GlobalSecondaryIndexUpdates"][0]["Create"]


async def test_table_that_somebody_else_makes_is_waited_for(pauses):
    """Two programs may ensure one table at the same moment."""
    client, _ = await opened(
        pauses, DescribeTable=[MISSING, described("CREATING"), described()], CreateTable=ResourceInUseError("busy")
    )
    (table,) = await client.ensure_tables(Order)
    assert table.is_ready


async def test_differing_index_is_refused(pauses):
    """An index that exists with another key or another content is not touched."""
    other = described()
    other["Table"]["GlobalSecondaryIndexes"][0]["Projection"] = {
        "ProjectionType": "INCLUDE",
        "NonKeyAttributes": ["b", "a"],
    }
    client, _ = await opened(pauses, DescribeTable=other)
    with pytest.raises(ModelError, match="index 'by-status' holds keys and a, b, not ALL"):
        await client.ensure_tables(Order)


async def test_first_failure_of_several_tables_is_raised_as_it_is(pauses):
    """Ensuring several tables raises the error of the one that failed, in no group."""
    client, _ = await opened(pauses, DescribeTable=ModelError("wrong"))
    with pytest.raises(ModelError, match="wrong"):
        await client.ensure_tables(Order, Plain)


async def test_deletion_is_waited_for(pauses):
    """A table is gone when it can no longer be described."""
    client, _ = await opened(pauses, DeleteTable={}, DescribeTable=[described("DELETING"), MISSING])
    await client.delete_table("orders")
    assert len(pauses.seconds) == 1


@pytest.mark.parametrize("status", ["ENABLED", "ENABLING"])
async def test_other_time_to_live_is_refused(pauses, status):
    """A table that expires items by another attribute is not changed."""

    @entity("orders")
    class Expiring:
        customer_id: PartitionKey[str]
        number: SortKey[int]
        until: Attribute[Any] = attribute(default=None)

    @entity("orders")
    class Session:
        customer_id: PartitionKey[str]
        number: SortKey[int]
        until: Attribute[datetime | None] = attribute(default=None, time_to_live=True)

    client, _ = await opened(
        pauses,
        DescribeTable=described(),
        DescribeTimeToLive={"TimeToLiveDescription": {"TimeToLiveStatus": status, "AttributeName": "other"}},
    )
    with pytest.raises(ModelError, match="by 'other', not by 'until'"):
        await client.ensure_tables(Session)
    await client.ensure_tables(Expiring)


async def test_key_of_a_type_that_only_a_converter_knows():
    """A table cannot be made where the stored type of a key is not known."""

    class Code:
        pass

    import cattrs  # noqa: PLC0415  (the user's, not ours)

    converter = cattrs.Converter()
    converter.register_unstructure_hook(Code, lambda _code: "x")
    converter.register_structure_hook(Code, lambda _text, _type: Code())

    @entity("codes")
    class Coded:
        code: PartitionKey[Code]

    client = await Client(caller=StubCaller({}), converter=converter).open()
    with pytest.raises(ModelError, match="only the converter knows how Code is stored"):
        await client.create_table(Coded)


async def test_key_of_a_type_whose_hooks_the_converter_replaces():
    """Where the user's hooks store a type that the library knows, the library's own form is no guide."""
    import cattrs  # noqa: PLC0415  (the user's, not ours)

    converter = cattrs.Converter()
    converter.register_unstructure_hook(datetime, lambda moment: moment.year)
    converter.register_structure_hook(datetime, lambda year, _: datetime(year, 1, 1, tzinfo=UTC))

    @entity("events")
    class Dated:
        event_id: PartitionKey[str]
        day: Attribute[datetime]

    GlobalSecondaryIndex("by-day", partition_key=Dated.day)
    client = await Client(caller=StubCaller({}), converter=converter).open()
    with pytest.raises(ModelError, match="only the converter knows how datetime is stored"):
        await client.create_table(Dated)


async def test_running_nothing_together():
    """No coroutines give no results."""
    assert await run_together([]) == []
