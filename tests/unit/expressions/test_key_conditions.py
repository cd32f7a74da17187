import pytest

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import (
    AttributePath,
    CompositePartitionKeyPath,
    CompositeSortKeyPath,
    PartitionKeyPath,
    SortKeyPath,
)


class Order:
    pass


class Index:
    def __init__(self, name, *, is_local=False):
        self.name = name
        self.is_local = is_local


BY_PLACE = Index("by-place")
PARTITION = PartitionKeyPath(Order, ("customer_id",))
SORT = SortKeyPath(Order, ("order_id",))
TOTAL = AttributePath(Order, ("total",))
COUNTRY, CITY = (AttributePath(Order, (name,), index=BY_PLACE) for name in ("country", "city"))
STATUS, DAY, NUMBER = (AttributePath(Order, (name,), index=BY_PLACE) for name in ("status", "day", "number"))
PLACE = CompositePartitionKeyPath(Order, (), index=BY_PLACE, parts=(COUNTRY, CITY))
WHEN = CompositeSortKeyPath(Order, (), index=BY_PLACE, parts=(STATUS, DAY, NUMBER))


@pytest.mark.parametrize(
    ("sort", "text"),
    [
        (None, ""),
        (SORT == "a", " AND #order_id = :order_id"),
        (SORT < "a", " AND #order_id < :order_id"),
        (SORT <= "a", " AND #order_id <= :order_id"),
        (SORT > "a", " AND #order_id > :order_id"),
        (SORT >= "a", " AND #order_id >= :order_id"),
        (SORT.between("a", "b"), " AND #order_id BETWEEN :order_id AND :order_id_2"),
        (SORT.begins_with("a"), " AND begins_with(#order_id, :order_id)"),
    ],
)
def test_key_condition_is_an_equality_and_a_range(compiler, sort, text):
    """A query's key condition is the partition key's equality and, where given, one range of the sort key."""
    assert compiler.key_condition(PARTITION == "c1", sort) == f"#customer_id = :customer_id{text}"


@pytest.mark.parametrize("wrong", [TOTAL == 1, SORT == "a", PARTITION > "a", PARTITION == TOTAL, None, PARTITION])
def test_only_a_partition_keys_equality_comes_first(compiler, wrong):
    """Any other condition in first place is refused, and the error says where it belongs."""
    with pytest.raises(ExpressionError, match=r"Order: a query needs `partition key == value` first, .* \.filter\(\)"):
        compiler.key_condition(wrong)


@pytest.mark.parametrize("wrong", [TOTAL == 1, PARTITION == "a", SORT != "a", SORT.is_in(["a"]), SORT > TOTAL])
def test_only_a_sort_keys_range_comes_second(compiler, wrong):
    """Any other condition in second place is refused, and the error says where it belongs."""
    with pytest.raises(ExpressionError, match=r"second argument compares the sort key with a value, .* \.filter\(\)"):
        compiler.key_condition(PARTITION == "c1", wrong)


@pytest.mark.parametrize(
    ("sort", "text"),
    [
        (WHEN == ("open",), "#status = :status"),
        (WHEN > ("open", 5), "#status = :status AND #day > :day"),
        (WHEN == ("open", 5, 6), "#status = :status AND #day = :day AND #number = :number"),
        (WHEN.begins_with(("open", "2026")), "#status = :status AND begins_with(#day, :day)"),
        (WHEN.between(("open", 1), ("open", 2)), "#status = :status AND #day BETWEEN :day AND :day_2"),
        (WHEN.between(("a",), ("b",)), "#status BETWEEN :status AND :status_2"),
    ],
)
def test_tuple_names_the_leading_parts_of_a_sort_key(compiler, sort, text):
    """All but the last part given are compared by equality, the last one by the operator."""
    compiled = compiler.key_condition(PLACE == ("nl", "ams"), sort)
    assert compiled == f"#country = :country AND #city = :city AND {text}"


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (lambda: (PLACE == ("nl",), None), r"needs all 2 attributes of the partition key"),
        (lambda: (PLACE == "nl", None), "compare it with a tuple"),
        (lambda: (PLACE == ("nl", "ams", "x"), None), "a tuple of 3 does not fit a key of 2 attributes"),
        (lambda: (PLACE == ("nl", "ams"), WHEN == ()), "a tuple of 0 does not fit a key of 3 attributes"),
        (lambda: (PLACE == ("nl", "ams"), WHEN == "open"), "compare it with a tuple"),
        (lambda: (PLACE == ("nl", "ams"), WHEN.between(("a", 1), ("b", 2))), "must be the same in both"),
        (lambda: (PLACE == ("nl", "ams"), WHEN.between(("a",), ("a", 2))), "must be the same in both"),
    ],
)
def test_tuples_that_do_not_fit_are_refused(compiler, condition, message):
    """A wrong number of parts, a value without a tuple, and bounds that differ before their last part raise."""
    with pytest.raises(ExpressionError, match=message):
        compiler.key_condition(*condition())


@pytest.mark.parametrize("wrong", [PLACE.exists(), WHEN.is_in([("a",)]), WHEN.contains("x"), PLACE != ("nl", "ams")])
def test_key_of_several_attributes_takes_comparisons_only(compiler, wrong):
    """Functions and other operators on a key of several attributes are refused."""
    with pytest.raises(ExpressionError, match="it takes comparisons with tuples, not"):
        compiler.condition(wrong)


def test_composite_condition_may_stand_in_a_condition(compiler):
    """Outside a query a comparison with a tuple is a conjunction, in parentheses where it is negated."""
    assert compiler.condition(~(PLACE == ("nl", "ams"))) == "NOT (#country = :country AND #city = :city)"
    assert (
        compiler.condition((TOTAL == 1) & (WHEN > ("x", 1)))
        == "#total = :total AND #status = :status AND #day > :total"
    )
    assert compiler.condition(WHEN > ("x",)) == "#status > :status"


def test_composite_key_reads_its_parts_and_nothing_else():
    """What a comparison with a tuple reads is each attribute; sizes and defaults of several attributes are refused."""
    assert list((WHEN > ("x", 1)).places()) == [STATUS, DAY, NUMBER]
    with pytest.raises(ExpressionError, match="has no size"):
        WHEN.size()
    with pytest.raises(ExpressionError, match="nothing can be set to it"):
        PLACE.if_not_exists(("nl", "ams"))


def test_composite_key_is_no_value(compiler):
    """A key of several attributes cannot be what another attribute is compared with."""
    with pytest.raises(ExpressionError, match="neither a value nor an attribute"):
        compiler.condition(TOTAL.between(1, PLACE))


def test_conditions_of_different_indexes_are_refused(compiler):
    """A query reads one index or the table; the error names both that were given."""
    index_sort = SortKeyPath(Order, ("total",), index=Index("by-total"))
    with pytest.raises(ExpressionError, match=r"is of the table, the sort key condition of index 'by-total'"):
        compiler.key_condition(PARTITION == "c", index_sort > 1)
    with pytest.raises(ExpressionError, match=r"is of index 'by-place', the sort key condition of the table"):
        compiler.key_condition(PLACE == ("nl", "ams"), SORT > "a")


def test_local_index_may_take_the_tables_partition_key(compiler):
    """A local index shares the table's partition key, so its condition may be written on the entity."""
    local = SortKeyPath(Order, ("total",), index=Index("by-total", is_local=True))
    assert compiler.key_condition(PARTITION == "c", local > 1).endswith("AND #total > :total")
