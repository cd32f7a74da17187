"""One promise for the whole library: every public value travels by pickle and cloudpickle, and no secret with it."""

import copy
import inspect
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import cloudpickle
import pytest

import mizzle_async
from mizzle_async import (
    Attribute,
    BatchReport,
    CallRecord,
    CancellationReason,
    Capacity,
    ChangeFailure,
    Client,
    ConditionalCheckFailedError,
    Credentials,
    GlobalSecondaryIndex,
    Heat,
    HedgePolicy,
    HotKey,
    MizzleError,
    OperationOutcome,
    Outcome,
    PartitionKey,
    PoolConfig,
    RetryPolicy,
    ShardReport,
    SortKey,
    StatementResult,
    StateTable,
    TableUsage,
    ThrottlingReason,
    Throughput,
    UndoneWrite,
    attribute,
    configure_converter,
    entity,
    make_converter,
    raw,
)
from mizzle_async.model import StreamView
from mizzle_async.operations.streams import ChangeDecoder
from mizzle_async.testing.stub import StubCaller
from mizzle_async.types import Item
from mizzle_async.writing.table_part import target_of

CANARY = "c4n4ry-s3cr3t"


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    cents: Attribute[int] = attribute(default=0)
    placed: Attribute[datetime] = attribute(default=datetime(2026, 1, 1, tzinfo=UTC))


BY_CENTS = GlobalSecondaryIndex("by-cents", partition_key=Order.cents, sort_key=Order.placed)


@entity("accounts")
class Account:
    name: PartitionKey[str]
    email: Attribute[str] = attribute(unique=True)


class Money:
    """A type that only a converter knows how to store."""

    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.cents == self.cents

    __hash__ = None  # type: ignore[assignment]  # it is compared only


@entity("prices")
class Price:
    name: PartitionKey[str]
    amount: Attribute[Money]


CLIENT = Client(
    credentials=Credentials(f"id-{CANARY}", f"secret-{CANARY}", f"token-{CANARY}"),
    cursor_key=f"cursor-{CANARY}",
    region_name="eu-west-1",
)
ORDERS = CLIENT.table(Order)
ORDER = Order(customer_id="c1", order_id="1", cents=5)
GET = ORDERS.get(customer_id="c1", order_id="1")
REPORT = BatchReport()
REPORT.note(UndoneWrite("put", "orders", ORDER, MizzleError("no")))
FAILED = ConditionalCheckFailedError("no", item={"cents": {"N": "5"}}, code="ConditionalCheckFailedException")

CHANGED = {"customer_id": {"S": "c1"}, "order_id": {"S": "1"}, "cents": {"N": "5"}}


def decoded(name: str, view: StreamView = "new_and_old_images", **images: Item) -> Any:
    """Return the change that a record of a stream tells of."""
    body: dict[str, Any] = {"Keys": {name: CHANGED[name] for name in ("customer_id", "order_id")}}
    body |= {f"{which.title()}Image": image for which, image in images.items()}
    return ChangeDecoder(target_of(ORDERS), view).decode({"eventName": name, "dynamodb": body}, "7", "shard")


VALUES: dict[str, Any] = {
    "instance": ORDER,
    "Key": ORDERS.key(customer_id="c1", order_id="1"),
    "AttributePath": Order.cents,
    "PartitionKeyPath": Order.customer_id,
    "SortKeyPath": Order.order_id,
    "Condition": (Order.cents == 5) & Order.placed.exists(),
    "PartitionChoice": Order.customer_id.is_in(["c1", "c2"]),
    "PartitionKeyCondition": Order.customer_id == "c1",
    "SortKeyCondition": Order.order_id.begins_with("1"),
    "Operand": Order.cents + 5,
    "GlobalSecondaryIndex": BY_CENTS,
    "index condition": BY_CENTS.partition_key == 5,
    "Query": ORDERS.query(Order.customer_id == "c1", Order.order_id > "1", reverse=True),
    "ProjectedQuery": ORDERS.scan().project(Order.cents).part(1, of=2),
    "GetItem": GET,
    "GetOne": ORDERS.get_one(customer_id="c1", order_id="1").project(Order.cents),
    "raw": raw("f(#a, :b)", a=Order.cents, b=5),
    "PutItem": ORDERS.insert(ORDER),
    "UpdateItem": ORDERS.update(customer_id="c1", order_id="1").add(Order.cents, 1).when(Order.cents == 5),
    "ReplaceItem": ORDERS.replace(ORDER),
    "DeleteItem": ORDERS.delete(customer_id="c1", order_id="1"),
    "CheckItem": ORDERS.check(customer_id="c1", order_id="1").when(Order.cents == 5),
    "unique": CLIENT.table(Account).insert(Account(name="a", email="e")),
    "ExactlyOnce": ORDERS.put(ORDER).exactly_once(),
    "TransactWrite": CLIENT.transact_write(
        ORDERS.put(ORDER), ORDERS.check(customer_id="c1", order_id="2").when(Order.cents == 5)
    ),
    "TransactGet": CLIENT.transact_get(GET),
    "ExecuteBatch": CLIENT.execute_batch(CLIENT.execute("SELECT * FROM orders WHERE a=?", 1)),
    "ExecuteTransaction": CLIENT.execute_transaction(CLIENT.execute("SELECT * FROM orders WHERE a=?", 1)),
    "Statement": CLIENT.execute("SELECT * FROM orders"),
    "Explanation": GET.explain(),
    "Capacity": Capacity(read_units=1.0),
    "StateTable": StateTable("app-state"),
    "Inserted": decoded("INSERT", new=CHANGED),
    "Modified": decoded("MODIFY", old=CHANGED, new=CHANGED),
    "Removed": decoded("REMOVE", old=CHANGED),
    "PartialChange": decoded("REMOVE", view="keys_only"),
    "BatchReport": REPORT,
    "UndoneWrite": REPORT.failed[0] if REPORT.failed else None,
    "StatementResult": StatementResult(ORDER, None),
    "OperationOutcome": OperationOutcome(ORDER),
    "CallRecord": CallRecord("GetItem", "orders", None, 0.1, 1, "R1", None),
    "CancellationReason": CancellationReason(GET, "ConditionalCheckFailed", "no", {"a": {"S": "b"}}, FAILED),
    "ThrottlingReason": ThrottlingReason("a", "b"),
    "Outcome": Outcome.UNKNOWN,
    "HotKey": HotKey("orders", "c1", 1.0, 0.0, 0.5),
    "HeatReport": Heat().report(),
    "Throughput": Throughput(read_units_per_second=5),
    "PoolConfig": PoolConfig(),
    "RetryPolicy": RetryPolicy(),
    "HedgePolicy": HedgePolicy(),
    "ChangeFailure": ChangeFailure((decoded("REMOVE", old=CHANGED),), FAILED, 5),
    "ShardReport": ShardReport("shard-1", "7", 0, 0.0, failure=FAILED),
    "ChangeReport": ORDERS.changes(start="oldest").report,
    "TableDescription": None,
    "TableUsage": TableUsage(1, 0.5, 2.0),
    "FAILED": FAILED,
}
LIVING = {
    "BulkWork": "runs on a client",
    "ChangeStream": "runs on a client",
    "Changes": "runs on a client",
    "Client": "holds connections",
    "CollectionQuery": "is read with a client",
    "CoalescedReads": "runs on a client",
    "Credentials": "is a secret",
    "ExportTarget": "is a Protocol",
    "FileCheckpoints": "locks a file",
    "GetMany": "runs on a client",
    "Heat": "listens to a client",
    "Instrument": "is a Protocol",
    "ItemIterator": "runs on a client",
    "Lease": "runs on a client",
    "MemoryCheckpoints": "is a place that consumers share",
    "PageIterator": "runs on a client",
    "ProjectedQuery": "is read with a client",
    "Query": "is read with a client",
    "ResumableItems": "runs on a client",
    "ResumeState": "belongs to a client",
    "SendAll": "runs on a client",
    "State": "belongs to a client",
    "StateStore": "is a Protocol",
    "Stream": "runs on a client",
    "Table": "belongs to a client",
    "Transactable": "is a Protocol",
    "Usage": "counts the calls of a client",
    "Writer": "runs on a client",
}
ELSEWHERE = {
    "Attribute": "annotates",
    "HostStatistics": "below",
    "IndexDescription": "below",
    "LocalSecondaryIndex": "as the global one",
    "Operation": "the base of all operations",
    "Page": "below",
    "PartitionKey": "annotates",
    "PipelineStatistics": "below",
    "PoolStatistics": "below",
    "SecondaryIndex": "the base of both",
    "SortKey": "annotates",
    "TableDescription": "below",
}
TRAVELS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "cloudpickle": lambda value: pickle.loads(cloudpickle.dumps(value)),
}


def shown(value: Any) -> str:
    """What a value says about itself: its wire form, where it has one."""
    to_wire = getattr(value, "to_wire", None)
    return f"{value!r} {to_wire() if callable(to_wire) else ''}"


def test_every_public_class_is_tried_or_has_a_reason():
    """A class that is made public must be added here."""
    classes = {
        name
        for name in mizzle_async.__all__
        if inspect.isclass(found := getattr(mizzle_async, name)) and not issubclass(found, BaseException)
    }
    named = set(VALUES) | set(LIVING) | set(ELSEWHERE)
    shared = {"ByType", "Collection", "KeyTemplate", "SharedIndex", "SharedTable"}
    assert classes - named - shared == set()


@pytest.mark.parametrize("travel", TRAVELS)
@pytest.mark.parametrize("name", [name for name, value in VALUES.items() if value is not None])
def test_every_public_value_travels_without_a_secret(name: str, travel: str):
    """What arrives says the same about itself, and no credential, token or cursor key was in its bytes."""
    value = VALUES[name]
    data = (pickle if travel == "pickle" else cloudpickle).dumps(value)
    assert CANARY.encode() not in data
    arrived = pickle.loads(data)
    if name != "Statement":
        assert type(arrived).__name__ == type(value).__name__
        assert shown(arrived) == shown(value)
    if name in {"instance", "Key", "Throughput", "PoolConfig", "HedgePolicy", "Capacity", "Explanation", "CallRecord"}:
        assert arrived == value


@pytest.mark.parametrize("travel", TRAVELS)
async def test_values_that_only_a_client_makes_travel_too(travel: str):
    """Pages, descriptions of tables and statistics are values as well."""
    page = {"Items": [], "Count": 0, "ScannedCount": 0}
    table = {"TableName": "orders", "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}], "TableStatus": "ACTIVE"}
    async with Client(caller=StubCaller({"Scan": page, "DescribeTable": {"Table": table}})) as client:
        for value in (await client.table(Order).scan().page(), await client.describe_table("orders")):
            assert repr(TRAVELS[travel](value)) == repr(value)
    async with Client(endpoint_url="http://127.0.0.1:9", region_name="eu-west-1", credentials=("id", CANARY)) as client:
        statistics = client.statistics()
        assert TRAVELS[travel](statistics) == statistics
        assert CANARY not in repr(statistics)


@pytest.mark.parametrize(
    "error", [each for each in vars(mizzle_async).values() if inspect.isclass(each) and issubclass(each, MizzleError)]
)
@pytest.mark.parametrize("travel", TRAVELS)
def test_every_error_travels_with_what_it_tells(error: type[MizzleError], travel: str):
    """Class, message, context and text are the same on the other side."""
    raised = error("went wrong", operation="GetItem", table="orders", attempts=2, request_id="R1")
    raised.entity = "Order"
    arrived = TRAVELS[travel](raised)
    assert type(arrived) is error
    assert str(arrived) == str(raised)
    assert (arrived.entity, arrived.table, arrived.attempts) == ("Order", "orders", 2)


@pytest.mark.parametrize("value", [CLIENT, ORDERS], ids=lambda value: type(value).__name__)
def test_what_belongs_to_a_client_refuses_and_shows_no_secret(value: Any):
    """Connections do not travel: the refusal says what does."""
    for attempt in (pickle.dumps, cloudpickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError) as caught:
            attempt(value)
        assert CANARY not in str(caught.value)
    assert CANARY not in repr(value)


# ── who sends decodes ──


def dear(caller: StubCaller) -> Client:
    """A client whose converter stores money, and multiplies integers by a hundred."""
    converter = make_converter()
    converter.register_structure_hook(int, lambda value, _: int(value) * 100)
    converter.register_unstructure_hook(int, lambda value: value // 100)
    converter.register_structure_hook(Money, lambda value, _: Money(int(value)))
    converter.register_unstructure_hook(Money, lambda value: value.cents)
    configure_converter(converter)
    return Client(caller=caller, converter=converter)


STORED: Item = {"customer_id": {"S": "c1"}, "order_id": {"S": "1"}, "cents": {"N": "5"}}


async def test_an_operation_that_was_pickled_decodes_with_the_client_that_sends_it():
    """Otherwise it would silently decode with the default converter: the same number, a hundred times too small."""
    caller = StubCaller({"GetItem": {"Item": STORED}, "TransactGetItems": {"Responses": [{"Item": STORED}]}})
    async with dear(caller) as client:
        orders = client.table(Order)
        operation = orders.get_one(customer_id="c1", order_id="1")
        assert (await operation).cents == 500
        assert (await client.send(pickle.loads(pickle.dumps(operation)))).cents == 500
        (row,) = await client.send(pickle.loads(pickle.dumps(client.transact_get(operation))))
        assert row.cents == 500
        (row,) = await client.transact_get(pickle.loads(pickle.dumps(operation)))
        assert row.cents == 500


async def test_an_operation_that_was_pickled_encodes_with_the_client_that_sends_it():
    """A condition's values are encoded when it is sent, by the same converter."""
    caller = StubCaller({"UpdateItem": {"Attributes": STORED}, "TransactWriteItems": {}})
    async with dear(caller) as client:
        operation = (
            client.table(Order).update(customer_id="c1", order_id="1").set(Order.cents, 900).when(Order.cents == 700)
        )
        arrived = pickle.loads(pickle.dumps(operation))
        assert (await client.send(arrived)).cents == 500
        assert {"N": "7"} in caller.payloads[0]["ExpressionAttributeValues"].values()
        await client.transact_write(pickle.loads(pickle.dumps(operation)))
        action = caller.payloads[1]["TransactItems"][0]
        assert {"N": "7"} in next(iter(action.values()))["ExpressionAttributeValues"].values()


async def test_unpickling_needs_no_converter_only_sending_does():
    """A type that only a converter knows is no obstacle on the way."""
    caller = StubCaller({"PutItem": {}})
    async with dear(caller) as client:
        data = pickle.dumps(client.table(Price).put(Price(name="a", amount=Money(5))))
        arrived = pickle.loads(data)
        assert "PutItem" in repr(arrived)
        assert (await client.send(arrived)).amount == Money(5)
    async with Client(caller=StubCaller({"PutItem": {}})) as plain:
        with pytest.raises(mizzle_async.ModelError):
            await plain.send(pickle.loads(data))


async def test_one_operation_may_be_sent_by_several_clients():
    """Each decodes it its own way: what arrived belongs to none of them."""
    arrived = pickle.loads(pickle.dumps(ORDERS.get_one(customer_id="c1", order_id="1")))
    answers = {"GetItem": {"Item": STORED}}
    async with dear(StubCaller(answers)) as first, Client(caller=StubCaller(answers)) as second:
        assert (await first.send(arrived)).cents == 500
        assert (await second.send(arrived)).cents == 5
        assert (await first.send(arrived)).cents == 500


async def test_a_table_of_dicts_is_bound_once():
    """Its schema travels by value: a client that is sent many such operations keeps one target of it."""
    async with Client(caller=StubCaller({"GetItem": {}})) as client:
        operation = client.table("legacy", partition_key="pk").get("a")
        for _ in range(5):
            assert await client.send(pickle.loads(pickle.dumps(operation))) is None
        assert len(client._catalog._bound) == 1


# ── classes of __main__ and of notebooks ──


def test_an_index_of_a_module_stays_the_same_object():
    """By reference nothing is copied."""
    assert pickle.loads(pickle.dumps(BY_CENTS)) is BY_CENTS
    assert pickle.loads(cloudpickle.dumps(BY_CENTS)) is BY_CENTS
    assert pickle.loads(pickle.dumps(BY_CENTS.partition_key == 5)).index is BY_CENTS
