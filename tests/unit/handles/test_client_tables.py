"""Making, ensuring and deleting tables against a scripted control plane: what is sent, and how it is waited for."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    CorruptResponseError,
    DeadlineExceededError,
    GlobalSecondaryIndex,
    ModelError,
    PartitionKey,
    ResourceInUseError,
    ResourceNotFoundError,
    SortKey,
    ValidationError,
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


# ── streams, and settings that an engine drops ──

STREAM_ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/watched/stream/2026-11-28T07:52:44.766"


@entity("watched", stream="new_and_old_images")
class Watched:
    watched_id: PartitionKey[str]


@entity("watched")
class Quiet:
    watched_id: PartitionKey[str]


@entity("watched", stream="keys_only")
class Otherwise:
    watched_id: PartitionKey[str]


def watched(view: str | None = "NEW_AND_OLD_IMAGES", **more: Any) -> dict[str, Any]:
    """Make the description of the watched table, with a stream or without one."""
    table = {
        "TableName": "watched",
        "TableStatus": "ACTIVE",
        "KeySchema": [{"AttributeName": "watched_id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "watched_id", "AttributeType": "S"}],
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        **more,
    }
    if view is not None:
        table |= {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": view}, "LatestStreamArn": STREAM_ARN}
    return table


async def test_a_table_is_created_with_the_stream_of_its_class(pauses):
    """The description shows the view and the ARN."""
    client, caller = await opened(pauses, CreateTable={}, DescribeTable=[MISSING, {"Table": watched()}])
    (table,) = await client.ensure_tables(Watched)
    assert (table.stream, table.stream_arn) == ("new_and_old_images", STREAM_ARN)
    create = caller.payloads[caller.operations.index("CreateTable")]
    assert create["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


async def test_a_stream_is_switched_on_where_there_is_none(pauses):
    """One request; a description from before the change is waited out, for the answer showed the change."""
    client, caller = await opened(
        pauses,
        DescribeTable=[*[{"Table": watched(None)}] * 4, {"Table": watched()}],
        UpdateTable={"TableDescription": watched(TableStatus="UPDATING")},
    )
    (table,) = await client.ensure_tables(Watched)
    assert table.stream == "new_and_old_images"
    (update,) = [body for body, name in zip(caller.payloads, caller.operations, strict=True) if name == "UpdateTable"]
    assert update == {
        "TableName": "watched",
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    }
    assert len(pauses.seconds) == 2


async def test_a_stream_that_is_on_is_left_alone(pauses):
    """Nothing is sent, nor where the class does not say."""
    for model in (Watched, Quiet):
        client, caller = await opened(pauses, DescribeTable={"Table": watched()})
        await client.ensure_tables(model)
        assert "UpdateTable" not in caller.operations


async def test_a_stream_with_another_view_is_refused(pauses):
    """A view cannot be changed: both are named."""
    client, caller = await opened(pauses, DescribeTable={"Table": watched("KEYS_ONLY")})
    with pytest.raises(ModelError, match="holds keys_only, not new_and_old_images"):
        await client.ensure_tables(Watched)
    assert "UpdateTable" not in caller.operations


@pytest.mark.parametrize("refusal", [ResourceInUseError("busy"), ValidationError("already has an enabled stream")])
async def test_another_client_may_switch_the_stream_on_meanwhile(pauses, refusal):
    """Its stream is as good as ours, unless it has another view; a refusal for another reason stands."""
    for after, outcome in ((watched(), None), (watched("KEYS_ONLY"), ModelError), (watched(None), type(refusal))):
        client, _ = await opened(
            pauses, DescribeTable=[{"Table": watched(None)}] * 2 + [{"Table": after}] * 9, UpdateTable=refusal
        )
        if outcome is None:
            assert (await client.ensure_tables(Watched))[0].stream == "new_and_old_images"
        else:
            with pytest.raises(outcome):
                await client.ensure_tables(Watched)


async def test_unlike_streams_of_one_table_are_refused_before_anything_is_sent(pauses):
    """Classes of one table, and the caller's own argument, say one view, or none."""
    client, caller = await opened(pauses)
    with pytest.raises(ModelError, match=r"Watched says stream='new_and_old_images', and Otherwise says"):
        await client.ensure_tables(Watched, Quiet, Otherwise)
    with pytest.raises(ModelError, match="leave one of them out"):
        await client.create_table(Watched, stream="old_image")
    assert caller.operations == []


async def test_the_caller_may_ask_for_a_stream(pauses):
    """Where the class does not say, and in lower case."""
    client, caller = await opened(pauses, CreateTable={}, DescribeTable={"Table": watched("OLD_IMAGE")})
    assert (await client.create_table(Quiet, stream="old_image")).stream == "old_image"
    wrong: Any = "OLD_IMAGE"
    with pytest.raises(ModelError, match="write 'old_image'"):
        await client.create_table(Quiet, stream=wrong)
    assert caller.operations == ["CreateTable", "DescribeTable"]


async def test_a_created_table_without_its_stream_is_an_error(pauses):
    """An engine that drops a setting is found at once, by the setting's name."""
    client, _ = await opened(pauses, CreateTable={}, DescribeTable={"Table": watched(None)})
    with pytest.raises(ModelError, match=r"accepted table 'watched' and made it without its stream of new_and_old_im"):
        await client.create_table(Watched)
    with pytest.raises(ModelError, match="without deletion protection"):
        await client.create_table(Quiet, deletion_protection=True)
    with pytest.raises(ModelError, match="without 3 read units and 2 write units"):
        await client.create_table(Quiet, read_units=3, write_units=2)


async def test_a_created_table_without_an_index_is_an_error(pauses):
    """The same for an index that was dropped, or made with another projection."""
    client, _ = await opened(pauses, CreateTable={}, DescribeTable=described(index=None))
    with pytest.raises(ModelError, match="made it without index 'by-status'"):
        await client.create_table(Order, read_units=3, write_units=2)
    smaller = described()
    smaller["Table"]["GlobalSecondaryIndexes"][0]["Projection"] = {"ProjectionType": "KEYS_ONLY"}
    client, _ = await opened(pauses, CreateTable={}, DescribeTable=smaller)
    with pytest.raises(ModelError, match=r"all of index 'by-status' \(it holds KEYS_ONLY\)"):
        await client.create_table(Order, read_units=3, write_units=2)


async def test_a_change_that_an_engine_drops_is_an_error(pauses):
    """Neither the answer nor the table shows it: waiting would not help."""
    client, _ = await opened(
        pauses, DescribeTable={"Table": watched(None)}, UpdateTable={"TableDescription": watched(None)}
    )
    with pytest.raises(ModelError, match="without its stream"):
        await client.ensure_tables(Watched)
    client, _ = await opened(pauses, DescribeTable=described(index=None), UpdateTable={})
    with pytest.raises(ModelError, match="without index 'by-status'"):
        await client.ensure_tables(Order)


async def test_tables_are_listed_page_by_page(pauses):
    """Every page of the list is read, each after the last name of the one before, and a prefix leaves names out."""
    pages = [
        {"TableNames": ["a", "dev-b"], "LastEvaluatedTableName": "dev-b"},
        {"TableNames": [], "LastEvaluatedTableName": "dev-c"},
        {"TableNames": ["dev-d"]},
    ]
    client, caller = await opened(pauses, ListTables=pages * 2)
    assert await client.list_tables() == ["a", "dev-b", "dev-d"]
    assert caller.payloads == [
        {},
        {"ExclusiveStartTableName": "dev-b"},
        {"ExclusiveStartTableName": "dev-c"},
    ]
    assert await client.list_tables(prefix="dev-") == ["dev-b", "dev-d"]


async def test_list_of_tables_that_goes_round_is_an_error(pauses):
    """A list whose last name comes again would never end: it is an error."""
    page = {"TableNames": ["a"], "LastEvaluatedTableName": "a"}
    client, _ = await opened(pauses, ListTables=[page, page])
    with pytest.raises(CorruptResponseError, match="the list of tables goes on after 'a' twice"):
        await client.list_tables()


@pytest.mark.parametrize(("reply", "exists"), [(MISSING, False), (described("DELETING"), True)])
async def test_table_exists_or_not(pauses, reply, exists):
    """A table exists in any state; of one that is missing there is no error."""
    client, caller = await opened(pauses, DescribeTable=[reply, reply])
    assert await client.table_exists(Order) is exists
    assert await client.table_exists("orders") is exists
    assert caller.payloads == [{"TableName": "orders"}] * 2
