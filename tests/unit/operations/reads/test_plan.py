from datetime import datetime
from typing import Any

import orjson
import pytest

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    GlobalSecondaryIndex,
    ItemCollectionLimitWarning,
    LocalSecondaryIndex,
    MarshallingError,
    PartitionKey,
    SortKey,
    UnindexedFilterWarning,
    attribute,
    entity,
)

NOW = 1_700_000_000.5


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    status: Attribute[str] = attribute(name="st")
    total: Attribute[int]
    country: Attribute[str] = attribute(default="DE")
    lines: Attribute[list[str]] = attribute(factory=list)


BY_STATUS = GlobalSecondaryIndex("by-status", partition_key=Order.status, sort_key=Order.total)
BY_COUNTRY = GlobalSecondaryIndex("by-country", partition_key=Order.country, projection="keys_only")
BY_PLACE = GlobalSecondaryIndex(
    "by-place", partition_key=(Order.country, Order.status), sort_key=(Order.total, Order.order_id)
)
with pytest.warns(ItemCollectionLimitWarning):
    BY_TOTAL = LocalSecondaryIndex("by-total", sort_key=Order.total, projection=[Order.status])


@entity("sessions")
class Session:
    user: PartitionKey[str]
    token: SortKey[str]
    expires: Attribute[datetime] = attribute(time_to_live=True)
    device: Attribute[str] = attribute(default="")


BY_EXPIRY = GlobalSecondaryIndex("by-expiry", partition_key=Session.device, sort_key=Session.expires)
BY_DEVICE = GlobalSecondaryIndex("by-device", partition_key=Session.device, projection="keys_only")


@entity("other")
class Other:
    customer_id: PartitionKey[str]
    status: Attribute[str]


@pytest.fixture
def client():
    """A client that was never opened, on a clock that stands still."""
    return Client(clock=lambda: NOW)


@pytest.fixture
def orders(client):
    """A handle of the entity with the indexes."""
    return client.table(Order)


@pytest.fixture
def sessions(client):
    """A handle of the entity with a time to live."""
    return client.table(Session)


def test_wire_form(orders):
    """A query is a key condition, in placeholders."""
    assert orders.query(Order.customer_id == "c1", Order.order_id.begins_with("2026-")).to_wire() == {
        "TableName": "orders",
        "KeyConditionExpression": "#customer_id = :customer_id AND begins_with(#order_id, :order_id)",
        "ExpressionAttributeNames": {"#customer_id": "customer_id", "#order_id": "order_id"},
        "ExpressionAttributeValues": {":customer_id": {"S": "c1"}, ":order_id": {"S": "2026-"}},
    }


def test_options_on_the_wire(orders):
    """Order, consistency and the limit of a request are the service's own members."""
    wire = orders.query(Order.customer_id == "c1", reverse=True, consistent_read=True, page_size=5).to_wire()
    assert (wire["ScanIndexForward"], wire["ConsistentRead"], wire["Limit"]) == (False, True, 5)


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        ({"max_items": 3}, 3),
        ({"max_items": 3, "page_size": 2}, 2),
        ({"max_evaluated": 4, "max_items": 9}, 4),
        ({}, None),
    ],
)
def test_first_request_asks_for_no_more_than_needed(orders, options, limit):
    """The smallest of the three numbers is the limit of the first request."""
    assert orders.query(Order.customer_id == "c1", **options).to_wire().get("Limit") == limit


@pytest.mark.parametrize(
    ("partition", "sort", "index", "text"),
    [
        (BY_STATUS.partition_key == "open", None, "by-status", "#st = :st"),
        (BY_STATUS.partition_key == "open", BY_STATUS.sort_key > 5, "by-status", "#st = :st AND #total > :total"),
        (
            Order.customer_id == "c1",
            BY_TOTAL.sort_key > 5,
            "by-total",
            "#customer_id = :customer_id AND #total > :total",
        ),
        (BY_TOTAL.partition_key == "c1", None, "by-total", "#customer_id = :customer_id"),
        (
            BY_PLACE.partition_key == ("DE", "open"),
            BY_PLACE.sort_key > (5, "7"),
            "by-place",
            "#country = :country AND #st = :st AND #total = :total AND #order_id > :order_id",
        ),
    ],
)
def test_index_follows_from_the_conditions(orders, partition, sort, index, text):
    """Which index is read is known from the index whose keys are compared."""
    query = orders.query(partition, sort).project(Order.status)
    assert query.to_wire()["IndexName"] == index
    assert query.to_wire()["KeyConditionExpression"] == text


def test_scan_has_no_condition(orders):
    """A scan is the table's name; of an index, its name too."""
    assert orders.scan().to_wire() == {"TableName": "orders"}
    assert orders.scan(index=BY_STATUS).to_wire() == {"TableName": "orders", "IndexName": "by-status"}
    assert orders.scan(segments=4).to_wire() == {"TableName": "orders", "Segment": 0, "TotalSegments": 4}


def test_filters_are_joined(orders):
    """Every filter must hold."""
    with pytest.warns(UnindexedFilterWarning):
        wire = orders.scan().filter(Order.total > 5).filter(Order.country == "DE").to_wire()
    assert wire["FilterExpression"] == "#total > :total AND #country = :country"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda orders: orders.query(Order.total == 5), "partition key"),
        (lambda orders: orders.query(Order.customer_id == "c1", Order.total == 5), "sort key"),
        (lambda orders: orders.query(None), "needs `partition key == value` first.*not NoneType"),
        (lambda orders: orders.query(Order.customer_id), "not PartitionKeyPath"),
        (lambda orders: orders.query(Order.customer_id == "c1", "7"), "sort key with a value, not str"),
        (lambda orders: orders.query(Other.customer_id == "c1"), "about Other"),
        (lambda orders: orders.query(Order.customer_id == "c1", BY_STATUS.sort_key > 5), "by-status"),
        (
            lambda orders: orders.query(BY_STATUS.partition_key == "x", consistent_read=True),
            "eventual consistency only",
        ),
        (lambda orders: orders.scan(index=BY_EXPIRY), "about Session"),
        (lambda orders: orders.query(Order.customer_id == "c1").filter(Order.order_id == "7"), "is a key of table"),
        (
            lambda orders: orders.query(BY_STATUS.partition_key == "x").filter(Order.total > 5),
            "key of index 'by-status'",
        ),
        (lambda orders: orders.scan().filter(Other.status == "x"), "about Other"),
        (lambda orders: orders.scan().filter("status"), "takes a condition"),
        (lambda orders: orders.scan().project(), "takes the attributes"),
        (lambda orders: orders.scan().project("status"), "takes attributes' paths"),
        (lambda orders: orders.scan().project(Other.status), "another entity"),
        (lambda orders: orders.scan().hydrate(), "lacks nothing"),
        (
            lambda orders: orders.scan(index="by-status"),
            "takes a GlobalSecondaryIndex or a LocalSecondaryIndex, not str",
        ),
        (lambda orders: orders.query(BY_COUNTRY.partition_key == "DE").filter(Order.lines.exists()), "does not hold"),
        (lambda orders: orders.scan(max_items=-1), "max_items=-1"),
        (lambda orders: orders.scan(page_size=0), "page_size=0"),
        (lambda orders: orders.scan(max_evaluated="5"), "max_evaluated='5'"),
        (lambda orders: orders.scan(segments=0), "segments=0"),
        (lambda orders: orders.scan(on_error="ignore"), "on_error="),
    ],
)
def test_wrong_query_is_refused_when_it_is_built(orders, build, message):
    """What DynamoDB would refuse, or what would not mean what it says, is refused where it is written."""
    with pytest.raises(ExpressionError, match=message):
        build(orders)


def test_wrong_key_value_is_refused(orders):
    """A key condition takes values of the key's type."""
    with pytest.raises(MarshallingError, match=r"Order\.customer_id"):
        orders.query(Order.customer_id == 5)


def test_index_must_hold_what_a_row_needs(orders):
    """Instances need every attribute: an index that lacks some is refused before it is read, naming them."""
    query = orders.query(BY_COUNTRY.partition_key == "DE")
    with pytest.raises(ExpressionError, match=r"does not hold Order\.status, Order\.total, Order\.lines"):
        query.to_wire()


def test_index_may_lack_what_no_row_needs(orders):
    """A projection of what an index holds needs nothing else; hydrating needs its keys only."""
    query = orders.query(BY_COUNTRY.partition_key == "DE")
    assert query.project(Order.order_id).to_wire()["ProjectionExpression"] == "#order_id, #country, #customer_id"
    assert query.hydrate().to_wire()["ProjectionExpression"] == "#country, #customer_id, #order_id"
    with pytest.raises(ExpressionError, match=r"does not hold Order\.total"):
        query.project(Order.total).to_wire()


def test_projection_asks_for_keys_too(orders):
    """Cursors need keys, so they always travel, each attribute once."""
    query = orders.query(Order.customer_id == "c1").project(Order.total, Order.order_id)
    assert query.to_wire()["ProjectionExpression"] == "#total, #order_id, #customer_id"


# ── expired items ──


def test_expired_items_are_filtered_by_the_service(sessions):
    """Expired items are left out where they lie; asking for them asks for no filter."""
    query = sessions.query(Session.user == "u")
    wire = query.to_wire()
    assert wire["FilterExpression"] == "NOT #expires BETWEEN :expires AND :expires_2"
    assert wire["ExpressionAttributeValues"][":expires_2"] == {"N": "1700000000"}
    assert "FilterExpression" not in sessions.query(Session.user == "u", include_expired=True).to_wire()


def test_filter_and_expiry_go_together(sessions):
    """The caller's filter and the rule about expired items both hold."""
    query = sessions.query(Session.user == "u").filter((Session.device == "a") | (Session.device == "b"))
    assert query.to_wire()["FilterExpression"] == (
        "(#device = :device OR #device = :device_2) AND NOT #expires BETWEEN :expires AND :expires_2"
    )


def test_expiry_that_is_a_key_is_filtered_here(sessions):
    """A query cannot filter by a key of its index: then expired items come and are dropped on arrival."""
    assert "FilterExpression" not in sessions.query(BY_EXPIRY.partition_key == "a").to_wire()
    assert "FilterExpression" in sessions.scan(index=BY_EXPIRY).to_wire()


def test_index_without_the_expiry_cannot_tell(sessions):
    """Rows of an index that lacks the time to live could be expired: refused, unless expired ones are wanted."""
    with pytest.raises(ExpressionError, match="the time to live"):
        sessions.query(BY_DEVICE.partition_key == "a").project(Session.token).to_wire()
    query = sessions.query(BY_DEVICE.partition_key == "a", include_expired=True).project(Session.token)
    assert query.to_wire()["IndexName"] == "by-device"


def test_projection_brings_the_expiry_along(sessions):
    """What is expired must be seen, whatever is projected."""
    query = sessions.query(Session.user == "u").project(Session.device)
    assert query.to_wire()["ProjectionExpression"] == "#device, #user, #token, #expires"


# ── rows ──


def test_items_may_be_records_where_they_are_only_decoded(orders, sessions):
    """Where anything else is asked of them, or some are left out, they are dicts."""
    query = orders.query(Order.customer_id == "c1")
    plain = [query, orders.scan(), orders.query(BY_STATUS.partition_key == "open")]
    plain += [sessions.query(Session.user == "u"), sessions.query(Session.user == "u", include_expired=True)]
    assert all(each._plan.records is each._plan.target.codec.records is not None for each in plain)
    projected = query.project(Order.total)
    assert projected._plan.records is projected._plan.target.codec.row_records is not None
    asked = [query.project(Order.total, Order.lines[0]), orders.scan(on_error="skip")]
    asked += [orders.query(BY_COUNTRY.partition_key == "DE").hydrate()]
    assert all(each._plan.records is None for each in asked)


def test_requests_say_how_their_answers_are_read(orders):
    """Only a page that was asked for in records is parsed into them."""
    plan = orders.query(Order.customer_id == "c1")._plan
    compiled = plan.compile(NOW)
    order = Order(customer_id="c1", order_id="o1", status="open", total=5)
    body = orjson.dumps({"Items": [plan.target.codec.encode(order)], "Count": 1})
    in_dicts, in_records = plan.page(compiled).sending, plan.page(compiled, records=plan.records).sending
    assert type(in_dicts.to_request().parse(body)["Items"][0]) is dict
    assert type(in_records.to_request().parse(body)["Items"][0]) is plan.records.cls


def test_projected_row_is_a_tuple_in_the_order_asked(orders):
    """A row has the attributes in the caller's order; what is absent has its default, or is None."""
    plan = orders.scan().project(Order.lines[1], Order.status, Order.country)._plan
    item = {"lines": {"L": [{"S": "a"}, {"S": "b"}]}, "st": {"S": "open"}}
    assert plan.row(item) == ("b", "open", "DE")
    assert plan.row({"st": {"S": "open"}, "lines": {"L": []}}) == (None, "open", "DE")


def test_list_is_asked_for_as_a_whole(orders):
    """Single elements come back as shorter lists, in which they could not be told apart."""
    wire = orders.scan().project(Order.lines[1], Order.lines[0], Order.lines).to_wire()
    assert wire["ProjectionExpression"] == "#lines, #customer_id, #order_id"


def test_row_that_does_not_fit_is_judged_by_the_caller(orders):
    """An item of another shape raises, is left out, or goes to a function."""
    seen: list[Any] = []
    error = MarshallingError("wrong")
    with pytest.raises(MarshallingError):
        orders.scan()._plan.judge(error)
    orders.scan(on_error="skip")._plan.judge(error)
    orders.scan(on_error=seen.append)._plan.judge(error)
    assert seen == [error]


# ── what belongs together ──


def test_digest_tells_queries_apart(client, orders):
    """A cursor belongs to table, index, key condition, filter and order, and to nothing else."""
    query = orders.query(Order.customer_id == "c1")
    same = [
        orders.query(Order.customer_id == "c1", page_size=5, max_items=7, consistent_read=True),
        query.project(Order.total),
    ]
    other = [
        orders.query(Order.customer_id == "c2"),
        orders.query(Order.customer_id == "c1", reverse=True),
        orders.query(Order.customer_id == "c1", Order.order_id > "a"),
        orders.query(BY_TOTAL.partition_key == "c1"),
        query.filter(Order.lines.exists()),
        orders.scan(),
        client.table(Order, name="archive").query(Order.customer_id == "c1"),
    ]
    assert {each._plan.digest for each in same} == {query._plan.digest}
    assert len({query._plan.digest, *(each._plan.digest for each in other)}) == len(other) + 1


def test_description_has_no_values(orders):
    """A query describes itself by names."""
    query = orders.query(Order.customer_id == "secret")
    assert "secret" not in str(query) + repr(query)
    assert repr(query) == "<Query 'orders' key condition customer_id = ?>"


def test_description_of_a_query_that_cannot_be_sent_does_not_fail(orders):
    """A query that still lacks something can be described."""
    assert str(orders.query(BY_COUNTRY.partition_key == "DE")) == "<query of Order, index 'by-country'>"


@pytest.mark.parametrize("misuse", [bool, len, iter, lambda query: query.__await__()])
def test_query_is_no_result(orders, misuse):
    """A query used as if it were its rows says how to read them."""
    query: Any = orders.query(Order.customer_id == "c1")
    with pytest.raises(TypeError, match=r"async for|count\(\)|first\(\)"):
        misuse(query)


def test_explanation(orders):
    """A query explains its index, its expressions with values, its cost and what is wrong with it."""
    with pytest.warns(UnindexedFilterWarning):
        explanation = orders.scan().filter(Order.status == "open").explain()
    assert explanation.operation == "Scan"
    assert explanation.expressions == {"filter": 'st = "open"'}
    assert explanation.capacity.at_least
    assert explanation.warnings == (
        "Order: the filter on st reads, and is charged for, what it drops: index 'by-status' would serve it",
    )
    assert "reads of each item" not in str(explanation)
    hydrated = orders.query(BY_COUNTRY.partition_key == "DE", reverse=True).hydrate().explain()
    assert hydrated.index == "by-country"
    assert "a read of each item from the table" in str(hydrated)
    assert "ScanIndexForward: False" in str(hydrated)


def test_a_filter_on_a_key_of_several_attributes_is_judged_by_each(orders):
    """A tuple's comparison is no filter of the index whose key it is, and one like any other of another index."""
    with pytest.raises(ExpressionError, match=r"Order\.total is a key of index 'by-place'"):
        orders.query(BY_PLACE.partition_key == ("DE", "open")).filter(BY_PLACE.sort_key > (5,))
    query = orders.query(Order.customer_id == "c1").filter(BY_PLACE.partition_key == ("DE", "open"))
    assert query.to_wire()["FilterExpression"] == "#country = :country AND #st = :st"
    with pytest.warns(UnindexedFilterWarning, match="index 'by-place' would serve it"):
        orders.scan().filter(BY_PLACE.partition_key == ("DE", "open")).filter(BY_PLACE.sort_key == (5,))


def test_a_filter_on_what_the_index_lacks_is_refused_although_items_are_read(orders):
    """The service filters an index's entries before their items are read: the message says so, and what to do."""
    query = orders.query(BY_COUNTRY.partition_key == "DE").hydrate()
    with pytest.raises(ExpressionError, match=r"before \.hydrate\(\) reads the items: filter them in Python"):
        query.filter(Order.total > 5)
