import copy
import pickle

import pytest

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import (
    AttributePath,
    CompositePartitionKeyPath,
    CompositeSortKeyPath,
    Condition,
    PartitionChoice,
    PartitionKeyCondition,
    PartitionKeyPath,
    Predicate,
    SortKeyCondition,
    SortKeyPath,
)


class Order:
    pass


class Address:
    pass


TOTAL = AttributePath(Order, ("total",))
ADDRESS = AttributePath(Order, ("adr",), labels=("address",))
CITY = AttributePath(Address, ("cty",), labels=("city",))


@pytest.mark.parametrize(
    ("path", "segments", "text"),
    [
        (TOTAL, ("total",), "Order.total"),
        (ADDRESS[CITY], ("adr", "cty"), "Order.address.city"),
        (ADDRESS["cty"], ("adr", "cty"), "Order.address.cty"),
        (TOTAL[0][2], ("total", 0, 2), "Order.total[0][2]"),
        (TOTAL["a.b"], ("total", "a.b"), "Order.total['a.b']"),
        (TOTAL[""], ("total", ""), "Order.total['']"),
        (AttributePath(None, ("x",)), ("x",), "item.x"),
    ],
)
def test_path_knows_its_stored_names_and_is_written_as_in_python(path, segments, text):
    """A path holds stored names and positions, and its text shows the Python names it was made with."""
    assert path.segments == segments
    assert str(path) == text
    assert repr(path) == f"<AttributePath {text}>"


def test_path_of_a_document_remembers_whose_member_it_takes():
    """A member taken by a document's path is known with its class and its depth, nested documents included."""
    zip_code = AttributePath(object, ("zip",))
    nested = ADDRESS[CITY[zip_code]]
    assert nested.segments == ("adr", "cty", "zip")
    assert nested.documents == ((1, Address), (2, object))
    assert ADDRESS[CITY][zip_code].documents == nested.documents


@pytest.mark.parametrize("key", [-1, True, slice(0, 1), 1.5, None, ("a",)])
def test_path_refuses_what_is_no_member(key):
    """Negative positions, slices and anything but names, positions and paths raise an error that says what to write."""
    with pytest.raises(ExpressionError, match=r"Order\.total\[…\] takes a member's path"):
        TOTAL[key]


def test_a_member_is_taken_by_brackets():
    """What is written as an attribute of a path, as other libraries have it, is told how it is written here."""
    with pytest.raises(AttributeError, match=r"Order\.address has no 'city': .* `Order\.address\['city'\]`"):
        _ = ADDRESS.city
    assert not hasattr(ADDRESS, "__deepcopy__")


def test_path_has_neither_hash_nor_truth_nor_elements():
    """A path cannot be hashed, tested, iterated or searched with `in`, because each would mean something else."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(TOTAL)
    with pytest.raises(TypeError, match=r"Order\.total has no truth value"):
        bool(TOTAL)
    with pytest.raises(TypeError, match="not iterable"):
        iter(TOTAL)
    with pytest.raises(TypeError, match=r"write `path\.contains\(value\)`"):
        assert 5 in TOTAL
    for path in (PartitionKeyPath(Order, ("p",)), SortKeyPath(Order, ("s",)), TOTAL.size()):
        with pytest.raises(TypeError, match="unhashable"):
            hash(path)
        with pytest.raises(TypeError, match="has no truth value"):
            bool(path)


def test_path_cannot_be_changed():
    """A path is a value: its parts cannot be assigned."""
    with pytest.raises(AttributeError):
        TOTAL.segments = ("other",)


def test_only_equality_with_a_value_is_a_partition_key_condition():
    """A partition key compared otherwise, or with another attribute, gives an ordinary condition."""
    path = PartitionKeyPath(Order, ("p",))
    assert type(path == "a") is PartitionKeyCondition
    for condition in (path == TOTAL, path != "a", path < "a", path.begins_with("a"), path.is_in([TOTAL])):
        assert type(condition) is Predicate


def test_one_of_several_partition_keys_is_a_choice_of_partitions():
    """A partition key that equals one of several values is what a query reads one after another."""
    path = PartitionKeyPath(Order, ("p",))
    assert type(path.is_in(["a", "b"])) is PartitionChoice


def test_ranges_of_a_sort_key_are_sort_key_conditions():
    """Every range with values is a sort key condition; anything else is an ordinary condition."""
    path = SortKeyPath(Order, ("s",))
    ranges = (path == "a", path < "a", path <= "a", path > "a", path >= "a", path.between("a", "b"))
    for condition in (*ranges, path.begins_with("a")):
        assert type(condition) is SortKeyCondition
    for condition in (path != "a", path.is_in(["a"]), path > TOTAL, path.between("a", TOTAL), path.contains("a")):
        assert type(condition) is Predicate


def test_key_condition_knows_its_index():
    """A key condition carries the index that made its path, or None for the table's key."""
    index = object()
    assert (PartitionKeyPath(Order, ("p",)) == 1).index is None
    assert (SortKeyPath(Order, ("s",), index=index) == 1).index is index
    assert (PartitionKeyPath(Order, ("p",), index=index) == 1).index is index


def test_values_may_stand_on_the_left():
    """A value compared with a path gives the mirrored condition."""
    assert str(5 < TOTAL) == "Order.total > …"
    assert str(5 >= TOTAL) == "Order.total <= …"
    assert str(5 == TOTAL) == "Order.total = …"


def test_attribute_type_takes_dynamodbs_types_only():
    """An unknown type descriptor is refused where it is written."""
    assert str(TOTAL.attribute_type("N")) == "attribute_type(Order.total, …)"
    with pytest.raises(ExpressionError, match=r"DynamoDB has no type 'STRING'; its types are S, N"):
        TOTAL.attribute_type("STRING")


def test_composite_path_has_nothing_inside():
    """A key of several attributes shows them all and cannot be indexed."""
    for kind in (CompositeSortKeyPath, CompositePartitionKeyPath):
        path = kind(Order, (), parts=(TOTAL, ADDRESS))
        assert str(path) == "(Order.total, Order.address)"
        with pytest.raises(ExpressionError, match="key of several attributes"):
            path["x"]


def test_paths_and_conditions_can_be_copied_and_pickled():
    """Copies of paths, conditions and operands say the same as the originals."""
    condition: Condition = ~((TOTAL > 5) | ADDRESS[CITY].begins_with("P")) & (TOTAL.size() == 3)
    for made in (condition, TOTAL[0], TOTAL + 5, TOTAL.size(), SortKeyPath(Order, ("s",)) == 1):
        for again in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made)):
            assert repr(again) == repr(made)
            assert type(again) is type(made)
