import copy
import pickle
import warnings
from decimal import Decimal

import attrs
import pytest

from mizzle_async.errors import ItemCollectionLimitWarning, ModelError
from mizzle_async.expressions import (
    AttributePath,
    Compiler,
    CompositePartitionKeyPath,
    CompositeSortKeyPath,
    PartitionKeyPath,
    SortKeyPath,
)
from mizzle_async.model import (
    Attribute,
    GlobalSecondaryIndex,
    LocalSecondaryIndex,
    PartitionKey,
    SortKey,
    attribute,
    dict_schema,
    document,
    entity,
    find_index,
    indexes_of,
    map_class,
    schema_of,
)


@document
class Address:
    city: Attribute[str]


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    status: Attribute[str | None] = attribute(default=None)
    country: Attribute[str] = attribute(default="nl", name="cc")
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    tags: Attribute[set[str]] = attribute(factory=set)
    address: Attribute[Address | None] = attribute(default=None)


@entity("customers")
class Customer:
    customer_id: PartitionKey[str]
    name: Attribute[str]


BY_STATUS = GlobalSecondaryIndex("by-status", partition_key=Order.status, sort_key=Order.total)
BY_COUNTRY = GlobalSecondaryIndex(
    "by-country",
    partition_key=(Order.country, Order.status),
    sort_key=(Order.total, Order.order_id),
    projection="keys_only",
)


def local(name="by-total", **options):
    """Make a local index without its warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ItemCollectionLimitWarning)
        return LocalSecondaryIndex(name, sort_key=options.pop("sort_key", Order.total), **options)


def test_index_gives_key_paths_that_know_it():
    """The paths of an index's key are key paths under stored names, and conditions on them carry the index."""
    assert type(BY_STATUS.partition_key) is PartitionKeyPath
    assert type(BY_STATUS.sort_key) is SortKeyPath
    assert BY_STATUS.partition_key.segments == ("status",)
    assert (BY_STATUS.partition_key == "x").index is BY_STATUS
    assert (BY_STATUS.sort_key > Decimal(1)).index is BY_STATUS
    assert (BY_STATUS.partition_key == "x").owners == (Order,)
    assert str(BY_STATUS.partition_key) == "Order.status"
    assert not BY_STATUS.is_local


def test_index_of_several_attributes_gives_composite_paths():
    """Keys of several attributes are compared with tuples."""
    assert type(BY_COUNTRY.partition_key) is CompositePartitionKeyPath
    assert type(BY_COUNTRY.sort_key) is CompositeSortKeyPath
    assert str(BY_COUNTRY.sort_key) == "(Order.total, Order.order_id)"
    compiler = Compiler(lambda value, path, facet: {"S": str(value)}, "Order")
    text = compiler.key_condition(BY_COUNTRY.partition_key == ("nl", "x"), BY_COUNTRY.sort_key > (1, "a"))
    assert text == "#cc = :cc AND #status = :status AND #total = :total AND #order_id > :order_id"
    assert BY_COUNTRY.key_names() == ("cc", "status", "total", "order_id")
    assert repr(BY_COUNTRY) == (
        "<GlobalSecondaryIndex 'by-country' on Order.country, Order.status, Order.total, Order.order_id>"
    )


def test_tuple_of_one_is_one_attribute():
    """A key given as a tuple of one path is that attribute's."""
    index = GlobalSecondaryIndex("by-one", partition_key=(Customer.name,))
    assert type(index.partition_key) is PartitionKeyPath
    assert index.sort_paths == ()
    with pytest.raises(ModelError, match="index 'by-one' has no sort key"):
        _ = index.sort_key


def test_local_index_shares_the_tables_partition_key():
    """A local index has the table's partition key and warns of the limit it brings, where it is made."""
    with pytest.warns(
        ItemCollectionLimitWarning, match=r"'by-total' limits every partition key value .* 10 GB"
    ) as caught:
        index = LocalSecondaryIndex("by-total", sort_key=Order.total)
    assert caught[0].filename == __file__
    assert index.is_local
    assert index.partition_key.segments == ("customer_id",)
    assert (index.partition_key == "c").index is index
    assert index.key_names() == ("customer_id", "total")
    assert index.sort_key.segments == ("total",)
    with pytest.raises(ModelError, match="one sort key attribute"):
        local(sort_key=(Order.total, Order.status))


def test_index_tells_what_it_holds():
    """Everything, keys only, or keys and the attributes given: by stored names, table keys included."""
    schema = schema_of(Order)
    included = GlobalSecondaryIndex(
        "by-x", partition_key=Order.status, projection=[Order.country, Order.total, Order.country]
    )
    assert BY_STATUS.held_names(schema) is None
    assert BY_COUNTRY.held_names(schema) == {"customer_id", "order_id", "cc", "status", "total"}
    assert included.projection == ("cc", "total")
    assert included.held_names(schema) == {"customer_id", "order_id", "status", "cc", "total"}


def test_indexes_are_found_through_their_entity():
    """Indexes are listed by entity in the order they were made; the same name replaces; subclasses have them too."""

    @entity("x")
    class Base:
        id: PartitionKey[str]
        a: Attribute[str]
        b: Attribute[str]

    @entity("y")
    class Derived(Base):
        c: Attribute[str]

    first = GlobalSecondaryIndex("first", partition_key=Base.a)
    second = GlobalSecondaryIndex("second", partition_key=Base.b)
    own = GlobalSecondaryIndex("own", partition_key=Derived.c, sort_key=Base.a)
    assert indexes_of(Base) == (first, second)
    assert own.owner is Derived
    assert GlobalSecondaryIndex("other", partition_key=Base.a, sort_key=Derived.c).owner is Derived
    again = GlobalSecondaryIndex("first", partition_key=Base.b)
    assert indexes_of(Base) == (again, second)
    assert indexes_of(Derived)[:3] == (again, second, own)
    assert find_index(Derived, "first") is again
    replaced = GlobalSecondaryIndex("first", partition_key=Derived.b)
    assert find_index(Derived, "first") is replaced
    assert find_index(Base, "first") is again
    with pytest.raises(ModelError, match="Base has no index 'nothing'"):
        find_index(Base, "nothing")
    assert indexes_of(Customer) == tuple(index for index in indexes_of(Customer) if index.owner is Customer)


def test_index_stays_the_same_object():
    """Copies and pickles of an index, and of conditions made with it, refer to the one that is registered."""
    for again in (pickle.loads(pickle.dumps(BY_STATUS)), copy.copy(BY_STATUS), copy.deepcopy(BY_STATUS)):
        assert again is BY_STATUS
    condition = pickle.loads(pickle.dumps(BY_STATUS.partition_key == "x"))
    assert condition.index is BY_STATUS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"partition_key": "status"}, r"partition_key= takes an attribute's path, such as Order\.status, .* not str"),
        ({"partition_key": (Order.status, "x")}, "not str"),
        ({"partition_key": ()}, "takes 1 to 4 attributes, not 0"),
        ({"partition_key": (Order.status,) * 5}, "takes 1 to 4 attributes, not 5"),
        ({"partition_key": BY_COUNTRY.partition_key}, "takes an attribute's path"),
        ({"partition_key": Order.address[Address.city]}, r"Order\.address\.city is inside an attribute"),
        ({"partition_key": Order.status, "sort_key": Order.status}, r"Order\.status is in its key twice"),
        ({"partition_key": Order.status, "sort_key": Customer.name}, "belong to different entities"),
        ({"partition_key": Order.tags}, r"Order\.tags: set\[str\] cannot be a key of index 'bad-index'"),
        ({"partition_key": Order.address}, "cannot be a key of index"),
        ({"partition_key": Order.status, "projection": "some"}, 'projection= is "all", "keys_only" or paths'),
        ({"partition_key": Order.status, "projection": []}, 'projection= is "all", "keys_only" or paths'),
        ({"partition_key": Order.status, "projection": ["total"]}, 'projection= is "all", "keys_only" or paths'),
        ({"partition_key": Order.status, "projection": [Order.address[Address.city]]}, "projection= is"),
        ({"partition_key": Order.status, "projection": [Customer.name]}, "an attribute of another entity"),
        ({"partition_key": AttributePath(Order, ("x" * 256,))}, "is longer than 255 bytes"),
    ],
)
def test_impossible_indexes_are_refused(options, message):
    """An index that DynamoDB could not have is refused where it is made, and not registered."""
    with pytest.raises(ModelError, match=message):
        GlobalSecondaryIndex("bad-index", **options)
    assert all(index.name != "bad-index" for index in indexes_of(Order))


@pytest.mark.parametrize("name", ["", "ab", "x" * 256, "a b", "a/b", 5, None])
def test_index_names_are_dynamodbs(name):
    """A name that DynamoDB would refuse is refused where the index is made."""
    with pytest.raises(ModelError, match="an index is named by 3 to 255 letters"):
        GlobalSecondaryIndex(name, partition_key=Order.status)


def test_index_over_a_table_of_dicts():
    """An index over a table without a class knows its paths and is registered nowhere."""
    schema = dict_schema("legacy", partition_key="pk", sort_key="sk")
    index = GlobalSecondaryIndex("by-kind", partition_key=schema.path("kind"), sort_key=schema.path("when"))
    assert index.owner is schema
    assert index.held_names(schema) is None
    assert local(sort_key=schema.path("when")).partition_key.segments == ("pk",)
    assert pickle.loads(pickle.dumps(index)).key_names() == ("kind", "when")
    assert indexes_of(dict) == ()


def test_index_over_a_class_mapped_from_outside():
    """A mapped class's paths make indexes; only its table handle knows the key that a local one shares."""
    plain = attrs.make_class("Plain", {"pk": attrs.field(type=str), "when": attrs.field(type=str)})
    schema = map_class(plain, name="plain", partition_key="pk")
    index = GlobalSecondaryIndex("by-when", partition_key=schema.path("when"))
    assert indexes_of(plain) == (index,)
    assert GlobalSecondaryIndex("by-set", partition_key=AttributePath(None, ("x",))).owner is None
    with pytest.raises(ModelError, match="Plain is no entity"):
        _ = local(sort_key=schema.path("when")).partition_key


def test_index_over_types_that_are_not_known_yet():
    """An index may be made before every annotation of its entity can be resolved."""

    @entity("x")
    class Early:
        id: PartitionKey[str]
        a: Attribute[str]
        later: "Attribute[Later]"  # noqa: F821  (there is none)

    assert GlobalSecondaryIndex("by-a", partition_key=Early.a).key_names() == ("a",)


def test_a_local_index_needs_a_table_with_a_sort_key():
    """A table whose key has one attribute can have no local index: that is said where the index is made."""

    @entity("flat")
    class Flat:
        id: PartitionKey[str]
        total: Attribute[int]

    with pytest.raises(ModelError, match="Flat has none: use a GlobalSecondaryIndex"):
        LocalSecondaryIndex("by-total", sort_key=Flat.total)
    assert indexes_of(Flat) == ()
