import warnings

import pytest

from mizzle_async import (
    Attribute,
    Client,
    GlobalSecondaryIndex,
    ItemCollectionLimitWarning,
    LocalSecondaryIndex,
    PartitionKey,
    SortKey,
    UnindexedFilterWarning,
    entity,
)
from mizzle_async.testing.stub import StubCaller


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    status: Attribute[str]
    total: Attribute[int]
    note: Attribute[str]


BY_STATUS = GlobalSecondaryIndex("by-status", partition_key=Order.status)
BY_CUSTOMER_STATUS = GlobalSecondaryIndex("by-customer-status", partition_key=Order.customer_id, sort_key=Order.status)
with pytest.warns(ItemCollectionLimitWarning):
    BY_TOTAL = LocalSecondaryIndex("by-total", sort_key=Order.total)


@pytest.fixture
def orders():
    """A handle of a client that was never opened."""
    return Client().table(Order)


def advised(query, condition):
    """Return the advice about a filter, None where there is none."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        query.filter(condition)
    return str(caught[0].message) if caught else None


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        (Order.status == "open", "by-status"),
        ((Order.status == "open") & (Order.note == "x"), "by-status"),
        ((Order.customer_id == "c1") & (Order.total > 5), "by-total"),
        ((Order.customer_id == "c1") & (Order.status > "a"), "by-customer-status"),
    ],
    ids=str,
)
def test_index_for_a_filtered_scan_is_named(orders, condition, index):
    """A scan whose filter binds the key of an index is told which."""
    assert f"index '{index}' would serve it" in advised(orders.scan(), condition)


@pytest.mark.parametrize(
    "condition",
    [Order.customer_id == "c1", (Order.customer_id == "c1") & (Order.order_id > "5") & (Order.note == "a")],
    ids=str,
)
def test_query_of_the_table_is_named(orders, condition):
    """Where the filter binds the table's own key, no index is needed, only another verb."""
    assert "a query of the table would serve it" in advised(orders.scan(), condition)


def test_query_of_the_table_must_not_lose_the_partition(orders):
    """The table is no better where what an index selects would become a filter; an index that has both may be."""
    query = orders.query(BY_STATUS.partition_key == "open")
    assert "index 'by-customer-status' would serve it" in advised(query, Order.customer_id == "c1")


@pytest.mark.parametrize(
    "condition", [Order.note == "x", Order.status > "open", Order.note.contains("x"), ~(Order.status == "x")], ids=str
)
def test_filtered_scan_without_an_index_is_warned_about(orders, condition):
    """A filtered scan reads everything, whether or not an index could be made."""
    assert "reads the whole table" in advised(orders.scan(), condition)


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        (Order.status == "open", "by-customer-status"),
        (Order.total.between(1, 2), "by-total"),
        (Order.note == "x", None),
        ((Order.status == "a") | (Order.status == "b"), None),
        (Order.note.exists(), None),
    ],
    ids=str,
)
def test_index_for_a_filtered_query_is_named(orders, condition, index):
    """A query is told of an index that has its partition key and takes something off the filter; else nothing."""
    advice = advised(orders.query(Order.customer_id == "c1"), condition)
    assert advice is None if index is None else f"index '{index}'" in advice


def test_better_index_must_not_lose_the_range(orders):
    """An index that would turn the sort key's range into a filter is no better."""
    assert advised(orders.query(Order.customer_id == "c1", Order.order_id > "5"), Order.status == "open") is None


def test_index_in_use_is_not_advised(orders):
    """An index cannot replace itself."""
    query = orders.query(BY_CUSTOMER_STATUS.partition_key == "c1")
    assert advised(query, Order.note == "x") is None


def test_each_place_is_told_once(orders):
    """A loop is warned once, another line again."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            orders.scan().filter(Order.note == "x")
        orders.scan().filter(Order.note == "x")
    assert len(caught) == 2
    assert {(warning.category, warning.filename) for warning in caught} == {(UnindexedFilterWarning, __file__)}


def test_table_of_dicts_has_no_indexes_to_name():
    """A table without a class is told what a filtered scan costs."""
    legacy = Client().table("legacy", partition_key="pk")
    assert "reads the whole table" in advised(legacy.scan(), legacy.attribute("x") == 1)


def test_table_of_dicts_knows_its_key():
    """A table without a class is told of a query where the filter binds its key."""
    legacy = Client().table("legacy", partition_key="pk")
    assert "a query of the table would serve it" in advised(legacy.scan(), legacy.partition_key == "a")


def test_a_filter_that_no_index_serves_is_explained(orders):
    """Explaining a query says what its filter costs, also where nothing declared would be better; no warning comes."""
    for condition, names in [
        (Order.note == "x", "note"),
        (Order.note.exists(), "note"),
        ((Order.status == "a") | (Order.note == "b"), "status, note"),
    ]:
        query = orders.query(Order.customer_id == "c1")
        assert advised(query, condition) is None
        (text,) = query.filter(condition).explain().warnings
        assert f"the filter on {names} drops items after they were read and charged for" in text
    assert orders.query(Order.customer_id == "c1").explain().warnings == ()


def pages(evaluated, returned, count=10):
    """Answer so many pages of a query, each of which evaluates and returns so many items."""
    item = {name: {"S": "1"} for name in ("order_id", "status", "note")}
    item |= {"customer_id": {"S": "c1"}, "total": {"N": "1"}}
    last = {"customer_id": {"S": "c1"}}
    answer = {"Items": [item] * returned, "Count": returned, "ScannedCount": evaluated}
    return [answer | {"LastEvaluatedKey": last | {"order_id": {"S": str(number)}}} for number in range(count)] + [
        answer
    ]


@pytest.mark.parametrize(
    ("evaluated", "returned", "warned"), [(200, 2, 1), (200, 20, 1), (200, 21, 0), (90, 1, 0), (0, 0, 0)]
)
async def test_a_query_that_drops_nine_tenths_of_a_thousand_items_warns_once(evaluated, returned, warned):
    """What was measured counts: at least 1,000 items evaluated, and a tenth of them returned, or fewer."""
    async with Client(caller=StubCaller({"Query": pages(evaluated, returned) * 2})) as client:
        query = client.table(Order).query(Order.customer_id == "c1").filter(Order.note.exists())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            await query.all()
            await query.all()
    assert len(caught) == warned
    assert all("the filter on note has dropped nine tenths" in str(warning.message) for warning in caught)


async def test_a_query_without_a_filter_never_warns_of_waste():
    """Expired items that the library leaves out are no filter of the caller's."""
    async with Client(caller=StubCaller({"Query": pages(200, 1)})) as client:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            await client.table(Order).query(Order.customer_id == "c1").all()
    assert caught == []
