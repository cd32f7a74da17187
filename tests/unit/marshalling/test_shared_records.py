"""Pages of a shared table come as records where they can: with the instances, and the errors, of dicts."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzle_async import (
    Attribute,
    Client,
    GlobalSecondaryIndex,
    MarshallingError,
    PartitionKey,
    SharedTable,
    SortKey,
    attribute,
    entity,
    key_template,
)
from mizzle_async.marshalling.columns import columns_of
from mizzle_async.testing import StubCaller
from mizzle_async.writing.table_part import target_of

shop = SharedTable("shop", partition_key="PK", sort_key="SK")
GSI1 = shop.index("GSI1", partition_key="GSI1PK", sort_key="GSI1SK")


@entity(shop, partition_key="CUSTOMER#{customer}", sort_key="ORDER#{placed}#{number:06}")
class Order:
    customer: PartitionKey[str]
    placed: SortKey[datetime]
    number: SortKey[int]
    total: Attribute[Decimal]
    status: Attribute[str] = attribute(default="open")


BY_STATUS = GlobalSecondaryIndex(
    GSI1, partition_key=key_template("STATUS#{}", Order.status), sort_key=key_template("{}", Order.placed)
)


@entity(shop, partition_key="CUSTOMER#{customer}", sort_key="PROFILE")
class Customer:
    customer: PartitionKey[str]
    name: Attribute[str]


@entity(shop, partition_key="EVENT#{day}", sort_key="{name}")
class Event:
    day: PartitionKey[str]
    name: SortKey[str]


@entity(shop)
class Concert(Event):
    guests: Attribute[int] = attribute(default=0)


paths: Any = Order
CLIENT = Client(caller=StubCaller())
ORDERS = CLIENT.table(Order)
CODEC = target_of(ORDERS).codec
ORDER = Order(customer="c1", placed=datetime(2026, 1, 2, tzinfo=UTC), number=7, total=Decimal("1.50"))
STORED = CODEC.encode(ORDER)
OTHER = target_of(CLIENT.table(Customer)).codec.encode(Customer(customer="c1", name="Ada"))


def plan(query: Any) -> Any:
    """Return a query's plan."""
    return query._plan


def parsed(items: list[Any]) -> list[Any]:
    """Return the items of an answer as the query's records parse them."""
    records = plan(ORDERS.query(paths.customer == "c1")).records
    found: list[Any] = records.parse(orjson.dumps({"Items": items, "Count": len(items)}))["Items"]
    return found


def outcome(item: Any) -> Any:
    """Return the instance of an item, or the text of the error."""
    try:
        return CODEC.decode_all([item])[0]
    except MarshallingError as error:
        return str(error)


names = st.sampled_from([*STORED, "other"])
values = st.sampled_from([
    None, {"S": "c1"}, {"S": "CUSTOMER#c1"}, {"S": "CUSTOMER#c2"}, {"S": "Order"}, {"S": "Customer"}, {"N": "7"},
    {"N": "8"}, {"S": "a#b"}, {"S": "2026-01-02T00:00:00.000000Z"}, {"NULL": True},
])  # fmt: skip


@given(st.lists(st.tuples(names, values), max_size=3))
def test_a_record_gives_the_instance_or_the_error_of_its_item(changes: list[tuple[str, Any]]) -> None:
    """Whatever is missing, of another entity, or disagrees with its key."""
    item: dict[str, Any] = dict(STORED)
    for name, value in changes:
        item.pop(name, None)
        if value is not None:
            item[name] = value
    (found,) = parsed([item])
    foreign: Any = CODEC.foreign
    assert foreign(found) == foreign(item)
    if not foreign(item):
        assert outcome(found) == outcome(item)


def test_items_of_the_usual_form_are_records() -> None:
    """Else the comparison above would compare dicts with dicts; positions and index keys are there too."""
    (record,) = parsed([STORED])
    assert not isinstance(record, dict)
    query = plan(ORDERS.query(paths.customer == "c1"))
    assert query.position(record) == {name: STORED[name] for name in ("PK", "SK")}
    by_status = plan(ORDERS.query(BY_STATUS.partition_key == "open"))
    assert by_status.records is query.records
    assert by_status.position(record).keys() == {"PK", "SK", "GSI1PK", "GSI1SK"}


def test_pages_with_other_entities_leave_them_out() -> None:
    """One item that is no record makes all of the page dicts; the rows are the same."""
    page = parsed([STORED, OTHER])
    assert all(isinstance(item, dict) for item in page)
    hidden: Any = CODEC.foreign
    assert [CODEC.decode(item) for item in page if not hidden(item)] == [ORDER]


def test_page_of_own_items_is_seen_at_one_look() -> None:
    """Types tell that no item of a page is foreign. Where one may be, each item is looked at."""
    own = parsed([STORED, {**STORED, "total": {"N": "3"}}])
    plan_of_orders = plan(ORDERS.query(paths.customer == "c1"))
    assert CODEC.are_own(own)
    assert plan_of_orders.shown(own, 0.0) is own
    of_key_alone = parsed([STORED, {name: value for name, value in STORED.items() if name != "_type"}])
    assert not CODEC.are_own(of_key_alone)
    assert plan_of_orders.shown(of_key_alone, 0.0) == of_key_alone
    named_otherwise = parsed([STORED, {**STORED, "_type": {"S": "Other"}}])
    assert not CODEC.are_own(named_otherwise)
    assert plan_of_orders.shown(named_otherwise, 0.0) == named_otherwise[:1]
    dicts = [STORED, OTHER]
    assert not CODEC.are_own(dicts)
    assert plan_of_orders.shown(dicts, 0.0) == [STORED]
    assert not CODEC.are_own([])


def test_an_entity_that_others_inherit_from_has_no_records() -> None:
    """Its records would lack the attributes of theirs."""
    assert target_of(CLIENT.table(Event)).codec.records is None


@pytest.mark.parametrize(
    ("wrong", "path"),
    [({"PK": {"S": "CUSTOMER#c2"}}, "Order.customer"), ({"number": {"N": "x"}}, "Order.number")],
)
def test_columns_refuse_what_instances_refuse(wrong: dict[str, Any], path: str):
    """A key that disagrees with an attribute, and a misfit, are named, whether the item came as a record or not."""
    records = CODEC.records
    assert records is not None
    item = {**STORED, **wrong}
    record = records.parse_item(orjson.dumps(item))
    assert type(record) is records.cls
    columns = columns_of(CODEC)
    for found in (item, record):
        with pytest.raises(MarshallingError) as caught:
            columns.lists([found])
        assert caught.value.path == path
