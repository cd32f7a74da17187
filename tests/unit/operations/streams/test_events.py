"""Events of AWS Lambda, EventBridge Pipes and Kinesis: their records, and what is none."""

import json
from base64 import b64encode
from datetime import UTC, datetime

import pytest

from mizzle_async import (
    Attribute,
    Client,
    Inserted,
    Modified,
    PartialChange,
    PartitionKey,
    SharedTable,
    attribute,
    entity,
)
from mizzle_async.errors import ExpressionError, MarshallingError
from mizzle_async.operations.streams import records_of

ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders/stream/2026-11-28T07:52:44.766"


@entity("orders")
class Order:
    order_id: PartitionKey[str]
    photo: Attribute[bytes] = attribute(default=b"")
    parts: Attribute[set[bytes]] = attribute(factory=set)


@pytest.fixture(scope="module")
def orders():
    """The table of a client that is not open."""
    return Client().table(Order)


def record(order_id="a", number="100", **more):
    """Return a record as Lambda delivers it."""
    keys = {"order_id": {"S": order_id}}
    body = {
        "ApproximateCreationDateTime": 1428537600,
        "Keys": keys,
        "NewImage": keys | {"photo": {"B": "AQI="}, "parts": {"BS": ["AQ==", "Ag=="]}},
        "SequenceNumber": number,
        "SizeBytes": 26,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    entry = {"eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb", "awsRegion": "eu-west-1"}
    return entry | {"eventSourceARN": ARN, "dynamodb": body | more}


def from_kinesis(change=None, *, flat=False, **members):
    """Return a Kinesis record that carries a change, as Lambda or, flat, as Pipes delivers it."""
    carried = record()
    carried["dynamodb"].pop("SequenceNumber")
    carried |= {"recordFormat": "application/json", "tableName": "orders", "userIdentity": None}
    del carried["eventSourceARN"]
    carried["dynamodb"]["ApproximateCreationDateTime"] = 1640995200123
    carried["dynamodb"] |= members
    data = b64encode(json.dumps(carried if change is None else change).encode()).decode()
    envelope = {"data": data, "sequenceNumber": "4959033827149025660855969253836157109592157598913658889"}
    return {"eventSource": "aws:kinesis"} | (envelope if flat else {"kinesis": envelope})


# ── events that are some ──


def test_the_records_of_a_lambda_event_are_changes(orders):
    """Binary is base64 in events; the time is a number of seconds."""
    (change,) = orders.decode_records({"Records": [record()]})
    assert isinstance(change, Inserted)
    assert change.new == Order(order_id="a", photo=b"\1\2", parts={b"\1", b"\2"})
    assert (change.sequence_number, change.shard, change.region) == (100, None, "eu-west-1")
    assert change.at == datetime(2015, 4, 9, tzinfo=UTC)


def test_a_list_of_records_is_an_event_of_pipes(orders):
    """EventBridge Pipes delivers the records themselves."""
    assert [change.new.order_id for change in orders.decode_records([record("a"), record("b")])] == ["a", "b"]


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(
    ("members", "microseconds"),
    [
        ({}, 123_000),
        ({"ApproximateCreationDateTimePrecision": "MILLISECOND"}, 123_000),
        (
            {
                "ApproximateCreationDateTimePrecision": "MICROSECOND",
                "ApproximateCreationDateTime": 1640995200123456,
            },
            123_456,
        ),
    ],
)
def test_records_of_kinesis_are_changes(orders, flat, members, microseconds):
    """Their number is the Kinesis record's, by which a failure is reported; their times are finer."""
    (change,) = orders.decode_records({"Records": [from_kinesis(flat=flat, **members)]})
    assert change.new.photo == b"\1\2"
    assert change.at == datetime(2022, 1, 1, 0, 0, 0, microseconds, tzinfo=UTC)
    assert change.sequence_number > 10**50


def test_an_event_without_records_has_no_changes(orders):
    """Lambda's final call for a window brings none."""
    assert orders.decode_records({"Records": [], "isFinalInvokeForWindow": True}) == []


def test_a_record_that_names_no_table_is_taken(orders):
    """An event that was written by hand need not name its source."""
    bare = record()
    del bare["eventSourceARN"], bare["eventSource"]
    assert len(orders.decode_records([bare])) == 1


def test_smaller_views_are_partial(orders):
    """The records of a stream with keys alone."""
    keys_only = record(StreamViewType="KEYS_ONLY")
    del keys_only["dynamodb"]["NewImage"]
    (change,) = orders.decode_records([keys_only], view="keys_only")
    assert (type(change), change.kind, change.key) == (PartialChange, "inserted", orders.key("a"))
    with pytest.raises(ExpressionError, match="say view='keys_only'"):
        orders.decode_records([keys_only])


def test_a_table_with_a_prefix_expects_its_own_name():
    """The name at the service is compared."""
    orders = Client(table_prefix="dev-").table(Order)
    with pytest.raises(ExpressionError, match=r"table 'dev-orders': record 0 of the event is of table 'orders'"):
        orders.decode_records([record()])
    assert orders.decode_records([record() | {"eventSourceARN": ARN.replace("/orders", "/dev-orders")}])


# ── events that are none ──


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        "Records",
        b"[]",
        {"Records": None},
        {"Records": {}},
        {"Records": "abc"},
        {"records": [record()]},
        {"Records": [None]},
        {"Records": ["a"]},
        {"Records": [[]]},
        {"Records": [{}]},
        {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]},
        {"Records": [{"eventSource": "aws:s3", "s3": {}}]},
        {"Records": [record(number=None)]},
        {"Records": [record(number="")]},
        {"Records": [record(number=100)]},
        {"Records": [record(number="1a")]},
        {"Records": [record(), {"eventSource": "aws:dynamodb"}]},
        {"Records": [record() | {"dynamodb": None}]},
        {"Records": [record() | {"dynamodb": []}]},
        {"Records": [record() | {"eventName": "UPSERT"}]},
        {"Records": [record(Keys=None)]},
        {"Records": [record(Keys={})]},
        {"Records": [record(Keys={"order_id": "a"})]},
        {"Records": [record() | {"eventSourceARN": ARN.replace("/orders", "/invoices")}]},
        {"Records": [from_kinesis(change="not a change")]},
        {"Records": [from_kinesis(change={"dynamodb": 7})]},
        {"Records": [from_kinesis(change={"tableName": "invoices"} | record())]},
        {"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": "%", "sequenceNumber": "1"}}]},
        {"Records": [{"eventSource": "aws:kinesis", "kinesis": {}}]},
        {"Records": [{"eventSource": "aws:kinesis", "kinesis": None}]},
    ],
)
def test_no_other_event_is_taken_for_an_empty_one(orders, event):
    """Each is an error that names the table: a function that hears of nothing would be happy for ever."""
    with pytest.raises(ExpressionError, match="table 'orders'"):
        orders.decode_records(event)


def test_an_image_that_does_not_fit_is_an_error(orders):
    """Decoding has no other way to report it."""
    with pytest.raises(MarshallingError, match="record 100") as caught:
        orders.decode_records([record(NewImage={"order_id": {"S": "a"}, "photo": {"N": "7"}})])
    assert caught.value.key == {"order_id": {"S": "a"}}


# ── images ──


def test_images_are_decoded_and_encoded_by_the_handle(orders):
    """The client's converter applies; what is encoded is decoded to the same."""
    order = Order(order_id="a", photo=b"\1", parts={b"\2"})
    assert orders.encode(order) == {"order_id": {"S": "a"}, "photo": {"B": "AQ=="}, "parts": {"BS": ["Ag=="]}}
    assert orders.decode(orders.encode(order)) == order
    with pytest.raises(MarshallingError):
        orders.decode({"photo": {"B": "AQ=="}})


shop = SharedTable("shop", partition_key="PK", sort_key="SK")


@entity(shop, partition_key="CUSTOMER#{customer_id}", sort_key="PROFILE")
class Customer:
    customer_id: PartitionKey[str]


@entity(shop, partition_key="CUSTOMER#{customer_id}", sort_key="BASKET")
class Basket:
    customer_id: PartitionKey[str]
    lines: Attribute[int]


def test_a_collection_has_the_same_verbs():
    """Images and records of each of its entities."""
    both = Client().collection(Customer, Basket)
    basket = Basket(customer_id="c", lines=2)
    image = both.encode(basket)
    assert both.decode(image) == basket
    keys = {name: image[name] for name in ("PK", "SK")}
    entry = {"eventName": "MODIFY", "dynamodb": {"Keys": keys, "OldImage": image, "NewImage": image}}
    entry["dynamodb"]["SequenceNumber"] = "7"
    (change,) = both.decode_records([entry])
    assert isinstance(change, Modified)
    assert change.new == basket


def test_the_table_of_a_record_is_found_in_arn_or_name(orders):
    """An ARN of another partition of AWS, and a record without a source."""
    gov = record() | {"eventSourceARN": ARN.replace("arn:aws:", "arn:aws-us-gov:")}
    assert [each.number for each in records_of([gov], "orders")] == ["100"]


def test_the_records_of_a_table_that_is_named_by_arn_are_its_own():
    """The handle's name is an ARN, and a record has that of the stream, or the name of the table."""
    table = ARN.partition("/stream/")[0]
    entry = {**record(), "eventSourceARN": ARN}
    assert [each.number for each in records_of([entry], table)] == ["100"]
    assert [each.number for each in records_of([record() | {"tableName": "orders"}], table)] == ["100"]
    with pytest.raises(ExpressionError, match="is of table 'orders': decode it with the handle of that table"):
        records_of([entry], table.replace("111122223333", "444455556666"))
