import copy
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

import attrs
import pytest

from mizzle_async.errors import ModelError
from mizzle_async.expressions import AttributePath, PartitionKeyPath, SortKeyPath
from mizzle_async.model import (
    Attribute,
    PartitionKey,
    SortKey,
    asdict,
    attribute,
    document,
    entity,
    evolve,
    is_document,
    is_entity,
    schema_of,
)


class Status(StrEnum):
    OPEN = "open"
    PAID = "paid"


@document
class Address:
    city: Attribute[str]
    street: Attribute[str | None] = attribute(default=None)


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    total: Attribute[Decimal] = attribute(name="tot")
    address: Attribute[Address | None] = attribute(default=None)
    status: Attribute[Status] = attribute(default=Status.OPEN)
    tags: Attribute[set[str]] = attribute(factory=set)
    limit: ClassVar[int] = 5

    @property
    def is_open(self) -> bool:
        return self.status == Status.OPEN


@entity("special-orders")
class SpecialOrder(Order):
    discount: Attribute[Decimal] = attribute(default=Decimal(0))


@entity("frozen", frozen=True)
class Frozen:
    id: PartitionKey[str]
    size: Attribute[int] = attribute(default=1)


def make_order(**changes) -> Order:
    """Make an order like all others but for the changes."""
    return Order(**{"customer_id": "c1", "order_id": "1", "total": Decimal(5), **changes})


def test_class_gives_paths_and_instances_give_values():
    """Class access gives a path of the right kind under its stored name, instance access the value itself."""
    assert type(Order.customer_id) is PartitionKeyPath
    assert type(Order.order_id) is SortKeyPath
    assert type(Order.total) is AttributePath
    assert (Order.total.owner, Order.total.segments, str(Order.total)) == (Order, ("tot",), "Order.total")
    assert Order.address[Address.city].segments == ("address", "city")
    order = make_order()
    assert (order.customer_id, order.total, order.status, order.tags) == ("c1", Decimal(5), Status.OPEN, set())
    assert Order.limit == order.limit == 5
    assert order.is_open


def test_values_live_in_the_instances_dict():
    """The descriptor is no data descriptor: reading an attribute of an instance is a plain dict lookup."""
    order = make_order()
    assert vars(order)["total"] == Decimal(5)
    assert not hasattr(type(vars(Order)["total"]), "__set__")
    order.total = Decimal(7)
    assert vars(order)["total"] == Decimal(7)


def test_missing_value_is_an_attribute_error():
    """An instance without the value raises AttributeError, as any object does, and `hasattr` is false."""
    order = Order.__new__(Order)
    with pytest.raises(AttributeError, match="this Order has no value for 'total'"):
        _ = order.total
    assert not hasattr(order, "total")


def test_constructor_is_keyword_only_and_complete():
    """Positional, missing and unknown arguments raise TypeError, as in any keyword-only attrs class."""
    for arguments, keywords in (
        (("c1",), {}),
        ((), {"customer_id": "c1"}),
        ((), {"customer_id": "c", "order_id": "1", "total": 1, "x": 1}),
    ):
        with pytest.raises(TypeError):
            Order(*arguments, **keywords)


def test_instances_are_equal_by_value_and_show_it():
    """Equality and repr are attrs'."""
    assert make_order() == make_order()
    assert make_order() != make_order(total=Decimal(6))
    assert repr(Frozen(id="a")) == "Frozen(id='a', size=1)"


def test_instances_can_be_copied_pickled_and_evolved():
    """copy, deepcopy, pickle and evolve, attrs' own included, work on entities and keep the original."""
    order = make_order(address=Address(city="Paris"), tags={"a"})
    for again in (copy.copy(order), copy.deepcopy(order), pickle.loads(pickle.dumps(order)), evolve(order)):
        assert again == order
        assert again is not order
    changed = evolve(order, total=Decimal(9), status=Status.PAID)
    assert (changed.total, changed.status, order.total) == (Decimal(9), Status.PAID, Decimal(5))
    assert attrs.evolve(order, total=Decimal(9)).total == Decimal(9)
    with pytest.raises(TypeError):
        evolve(order, color="red")


def test_asdict_keeps_collections_as_they_are():
    """The dict has names in Python, nested instances as dicts, and leaves sets sets."""
    order = make_order(address=Address(city="Paris"), tags={"a"})
    assert asdict(order) == {
        "customer_id": "c1",
        "order_id": "1",
        "total": Decimal(5),
        "address": {"city": "Paris", "street": None},
        "status": Status.OPEN,
        "tags": {"a"},
    }


def test_frozen_entities_are_immutable_and_hashable():
    """`frozen=True` refuses assignment and allows hashing; paths, copies and pickles work the same."""
    item = Frozen(id="a")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        item.size = 2
    assert {item: 1}[Frozen(id="a")] == 1
    assert Frozen.size.segments == ("size",)
    assert evolve(item, size=3) == Frozen(id="a", size=3)
    assert pickle.loads(pickle.dumps(item)) == copy.deepcopy(item) == item
    with pytest.raises(TypeError, match="unhashable"):
        hash(make_order())


def test_inherited_paths_belong_to_the_class_they_are_reached_through():
    """A subclass's paths have it as owner, and its schema lists inherited attributes first."""
    assert SpecialOrder.total.owner is SpecialOrder
    assert Order.total.owner is Order
    schema = schema_of(SpecialOrder)
    assert schema.table == "special-orders"
    assert [one.field for one in schema.attributes][-2:] == ["tags", "discount"]
    assert schema.partition_key.field == "customer_id"
    assert schema.owns(Order)
    assert not schema_of(Order).owns(SpecialOrder)
    special = SpecialOrder(customer_id="c", order_id="1", total=Decimal(1))
    assert (special.discount, special.is_open) == (Decimal(0), True)


def test_subclass_that_is_not_decorated_has_paths_of_its_own_but_no_schema():
    """Forgetting the decorator on a subclass is found when its schema is needed, and its paths are not its parent's."""

    class Loose(Order):
        pass

    assert Loose.total.owner is Loose
    assert type(Loose.customer_id) is PartitionKeyPath
    with pytest.raises(ModelError, match=r'Loose inherits from Order but is not decorated itself: put @entity\("table'):
        schema_of(Loose)


def test_documents_are_mixins():
    """An entity inherits the attributes of documents, their roles included."""

    @document
    class Timestamps:
        created: Attribute[datetime | None] = attribute(default=None, created_at=True)
        changed: Attribute[datetime | None] = attribute(default=None, updated_at=True)

    @entity("things")
    class Thing(Timestamps):
        id: PartitionKey[str]

    schema = schema_of(Thing)
    assert schema.created_at.field == "created"
    assert schema.updated_at.field == "changed"
    assert Thing.created.owner is Thing
    assert Thing(id="a").created is None
    assert schema.owns(Timestamps)


def test_plain_attrs_classes_are_mixins_too():
    """Attributes of an inherited attrs class are attributes of the entity, slots or not, with paths of their own."""

    @attrs.define
    class Named:
        name: str = "x"

    @attrs.frozen(slots=False)
    class Sized:
        size: int = attrs.field(default=3)

    @entity("a")
    class A(Named):
        id: PartitionKey[str]

    @entity("b", frozen=True)
    class B(Sized):
        id: PartitionKey[str]

    assert A.name.segments == ("name",)
    assert (A(id="1").name, A(id="1", name="y").name) == ("x", "y")
    assert (B(id="1").size, B.size.segments) == (3, ("size",))
    assert {one.field: one.type for one in schema_of(A).attributes} == {"name": str, "id": str}
    assert pickle.loads(pickle.dumps(Frozen(id="b"))) == Frozen(id="b")


def test_attributes_can_be_declared_again():
    """A subclass may change an inherited attribute's type, name and default."""

    @entity("x")
    class Base:
        id: PartitionKey[str]
        count: Attribute[int] = attribute(default=1)

    @entity("x")
    class Derived(Base):
        count: Attribute[Decimal] = attribute(default=Decimal(2), name="cnt")

    assert Derived(id="a").count == Decimal(2)
    assert Derived.count.segments == ("cnt",)
    assert Base.count.segments == ("count",)
    assert schema_of(Derived).by_name["cnt"].type is Decimal


def test_validators_and_converters_are_attrs_own():
    """validator= and converter= act on construction and on assignment."""

    @entity("x")
    class Checked:
        id: PartitionKey[str]
        count: Attribute[int] = attribute(default=0, validator=attrs.validators.ge(0), converter=int)

    assert Checked(id="a", count="5").count == 5
    item = Checked(id="a")
    with pytest.raises(ValueError, match="must be >= 0"):
        item.count = -1
    with pytest.raises(ValueError, match="must be >= 0"):
        Checked(id="a", count=-1)


def test_underscored_attributes_keep_their_names_in_the_constructor():
    """A leading underscore is part of the argument's name, as type checkers expect."""

    @entity("x")
    class Hidden:
        id: PartitionKey[str]
        _secret: Attribute[str] = attribute(default="s", name="secret")

    assert Hidden(id="a", _secret="t")._secret == "t"
    assert evolve(Hidden(id="a"), _secret="u")._secret == "u"


def test_post_init_runs():
    """A class's own `__attrs_post_init__` is called."""

    @entity("x")
    class Derived:
        id: PartitionKey[str]
        double: Attribute[str] = attribute(default="")

        def __attrs_post_init__(self):
            self.double = self.id * 2

    assert Derived(id="ab").double == "abab"


def test_documents_are_decorated_with_or_without_parentheses():
    """`@document` and `@document(frozen=True)` both make documents, which are not entities."""

    @document(frozen=True, unknown="raise")
    class Line:
        price: Attribute[int]

    line = Line(price=5)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        line.price = 6
    assert {line: 1}
    assert (is_document(Line), is_entity(Line)) == (True, False)
    assert (is_document(Order), is_entity(Order)) == (False, True)
    assert (is_document(Address), is_entity("x"), is_document(int)) == (True, False, False)


def test_datetimes_and_defaults_are_in_the_schema():
    """The schema knows formats, defaults, what is required and what is optional."""

    @entity("x", unknown="raise")
    class Event:
        id: PartitionKey[str]
        at: SortKey[datetime] = attribute(datetime_format="epoch_ms")
        expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True, name="ttl")
        version: Attribute[int] = attribute(default=0, version=True)
        note: Attribute[str | None]
        tags: Attribute[frozenset[str]]
        names: Attribute[list[str]] = attribute(factory=list)
        title: Attribute[str]
        email: Attribute[str | None] = attribute(default=None, unique=True)

    schema = schema_of(Event)
    assert schema.unknown == "raise"
    assert schema.key_names == ("id", "at")
    assert schema.sort_key.datetime_format == "epoch_ms"
    assert schema.time_to_live.datetime_format == "epoch"
    assert schema.time_to_live.name == "ttl"
    assert schema.version.field == "version"
    assert [one.field for one in schema.unique] == ["email"]
    assert schema.required_fields == ("title",)
    required = {one.field for one in schema.attributes if one.required}
    assert required == {"id", "at", "title"}
    defaults = {one.field for one in schema.attributes if one.default is not attrs.NOTHING}
    assert defaults == {"expires", "version", "names", "email"}
    assert (schema.created_at, schema.updated_at) == (None, None)
    event = Event(id="a", at=datetime(2026, 1, 1, tzinfo=UTC), note=None, tags=frozenset(), title="t")
    assert event.names == []


def test_schema_of_a_class_is_pickled_by_reference():
    """A schema of a decorated class stays the same object through pickle and deepcopy."""
    schema = schema_of(Order)
    assert pickle.loads(pickle.dumps(schema)) is schema
    assert copy.deepcopy(schema) is schema
    assert schema_of(Order) is schema


def test_a_class_says_the_view_of_its_stream():
    """The schema has it; a class that says nothing has none."""

    @entity("watched", stream="old_image")
    class Watched:
        name: PartitionKey[str]

    assert schema_of(Watched).stream == "old_image"
    assert schema_of(Order).stream is None
    assert schema_of(pickle.loads(pickle.dumps(Order))).stream is None


@pytest.mark.parametrize(
    ("view", "advice"), [("NEW_IMAGE", "write 'new_image'"), ("all", "there are 'new_and_old_images'"), (True, "there")]
)
def test_a_view_that_does_not_exist_is_refused(view, advice):
    """Views are in lower case, and there are four."""
    with pytest.raises(ModelError, match=f"@entity\\('watched'\\): stream={view!r} is no view of a stream.*{advice}"):
        entity("watched", stream=view)
