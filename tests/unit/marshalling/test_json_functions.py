"""Instances to JSON and back: forms, errors that name the place, partial data, converters."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar

import attrs
import pydantic
import pytest
from pydantic import TypeAdapter

from mizzle_async import (
    Attribute,
    MarshallingError,
    ModelError,
    PartitionKey,
    SharedTable,
    SortKey,
    attribute,
    document,
    entity,
    from_builtins,
    from_json,
    make_converter,
    to_builtins,
    to_json,
)


@document
class Card:
    number: Attribute[str]


@document
class Cash:
    amount: Attribute[Decimal] = attribute(name="a", default=Decimal(0))


@document
class Line:
    sku: Attribute[str]
    price: Attribute[Decimal] = attribute(name="p", default=Decimal(0))


@entity("orders")
class Order:
    id: PartitionKey[str]
    total: Attribute[Decimal] = attribute(name="t", default=Decimal(0))
    lines: Attribute[list[Line]] = attribute(factory=list)
    payment: Attribute[Card | Cash | None] = attribute(default=None)
    due: Attribute[datetime | None] = attribute(default=None, datetime_format="epoch")
    note: Attribute[str | None]
    extra: Attribute[Any] = attribute(default=None)
    version: Attribute[int] = attribute(default=0, version=True)
    changed: Attribute[datetime | None] = attribute(default=None, updated_at=True)


def test_names_are_python_s_and_a_decimal_is_text():
    """JSON has the names of Python, and text for a Decimal with the digits that it was given."""
    order = Order(id="1", total=Decimal("12.50"), note=None, lines=[Line(sku="a", price=Decimal(3))])
    assert to_builtins(order) == {
        "id": "1",
        "total": "12.50",
        "lines": [{"sku": "a", "price": "3"}],
        "payment": None,
        "due": None,
        "note": None,
        "extra": None,
        "version": 0,
        "changed": None,
    }


@pytest.mark.parametrize("total", ["12.5", 12.5, Decimal("12.5")])
def test_decimal_is_read_from_text_and_from_a_number(total):
    """A Decimal is read from a text, a float and a Decimal, exactly."""
    assert from_builtins({"id": "1", "note": None, "total": total}, Order).total == Decimal("12.5")


def test_digits_of_a_number_survive():
    """A number of JSON with more digits than a double holds is read with all of them, and written as text."""
    digits = "1.2345678901234567890123456789012345678"
    order = from_json(f'{{"id": "1", "note": null, "total": {digits}}}', Order)
    assert order.total == Decimal(digits)
    assert json.loads(to_json(order))["total"] == digits


def test_large_integers_are_written():
    """An integer of more than 64 bits is written with every digit."""
    assert to_json({"n": 10**37}) == '{"n":10000000000000000000000000000000000000}'


def test_times_are_iso_texts_however_they_are_stored():
    """A datetime is ISO text in its own zone, although it is stored as a number, and comes back in UTC."""
    due = datetime(2026, 1, 31, 10, 5, tzinfo=timezone(timedelta(hours=1)))
    written = to_builtins(Order(id="1", note=None, due=due))
    assert written["due"] == "2026-01-31T10:05:00+01:00"
    assert from_builtins(written, Order).due == datetime(2026, 1, 31, 9, 5, tzinfo=UTC)


def test_classes_of_a_union_are_named():
    """Classes of a union without a Literal of their own have `_type`, and need it."""
    order = Order(id="1", note=None, payment=Cash(amount=Decimal(5)))
    written = to_builtins(order)
    assert written["payment"] == {"_type": "Cash", "amount": "5"}
    assert from_builtins(written, Order) == order
    with pytest.raises(MarshallingError, match=r"Order\.payment: expected an object with '_type' naming Card or Cash"):
        from_builtins(written | {"payment": {"amount": "5"}}, Order)


def test_undeclared_values_are_what_a_store_would_make_of_them():
    """Under Any a fraction is a number, as it came, and only text where a double does not hold its digits."""
    body = '{"id": "1", "note": null, "extra": {"a": [1.5, 2, null, true], "b": "x"}}'
    order = from_json(body, Order)
    assert order.extra == {"a": [Decimal("1.5"), 2, None, True], "b": "x"}
    assert json.loads(to_json(order))["extra"] == json.loads(body)["extra"]
    long = Decimal("0.12345678901234567890123")
    assert to_builtins(Order(id="1", note=None, extra=long))["extra"] == str(long)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"lines": [{"sku": "a"}, {"sku": 1}]}, "Order.lines[1].sku: expected text, found a number"),
        ({"lines": [{}]}, "Order.lines[0].sku: expected str, found no such attribute"),
        ({"lines": {}}, "Order.lines: expected a list, found an object"),
        ({"lines": ["a"]}, "Order.lines[0]: expected an object, found text"),
        ({"total": "NaN"}, "Order.total: expected a number, found text that is none"),
        ({"total": True}, "Order.total: expected a number or text, found true or false"),
        ({"total": "1" * 39}, "Order.total: expected a number of at most 38 digits"),
        ({"version": "1"}, "Order.version: expected a number, found text"),
        ({"version": 1.5}, "Order.version: expected a whole number, found N with a fraction"),
        ({"due": "2026-01-31T09:05:00"}, "Order.due: expected a datetime with a time zone, found a naive one"),
        ({"due": 3}, "Order.due: expected a datetime in ISO 8601, found a number"),
        ({"id": None}, "Order.id: expected text, found null"),
        ({"payment": {"_type": "Card", "number": 1}}, "Order.payment.number: expected text, found a number"),
        ({"extra": {"a": [object()]}}, 'Order.extra["a"][0]: expected a type that is stored by value, found object'),
    ],
)
def test_misfit_names_entity_and_path(data, message):
    """Data that does not fit is an error with the entity, the path, the expected kind and the one that is there."""
    with pytest.raises(MarshallingError) as caught:
        from_builtins({"id": "1", "note": None} | data, Order)
    assert str(caught.value).startswith(message)
    assert caught.value.path == message.partition(": ")[0]


def test_attribute_without_a_default_must_be_there():
    """An attribute without a default is missed, although it may be None."""
    with pytest.raises(MarshallingError, match=r"Order\.note: expected str \| None, found no such attribute"):
        from_builtins({"id": "1"}, Order)


def test_values_of_the_types_themselves_are_taken():
    """Values that are of the attributes' types already go in as they are."""
    line, due = Line(sku="a"), datetime(2026, 1, 1, tzinfo=UTC)
    order = from_builtins({"id": "1", "note": None, "lines": [line], "due": due, "payment": Card(number="1")}, Order)
    assert (order.lines, order.due, order.payment) == ([line], due, Card(number="1"))


@pytest.mark.parametrize("text", ["{", "[1,]", "", b"\xff", '{"id": NaN}'])
def test_text_that_is_no_json_is_an_error_of_ours(text):
    """A text that is no JSON is an error that names the class, and shows none of the text."""
    with pytest.raises(MarshallingError, match="Order: no "):
        from_json(text, Order)


# ── partial data ──


def test_partial_data_gives_the_values_that_are_there():
    """Partial data is a dict of typed values by names in Python, without defaults."""
    body = {"total": "3.50", "note": None, "lines": [{"sku": "a"}]}
    assert from_builtins(body, Order, partial=True) == {
        "total": Decimal("3.50"),
        "note": None,
        "lines": [Line(sku="a")],
    }
    assert from_json(json.dumps(body), Order, partial=True)["total"] == Decimal("3.50")


def test_partial_data_is_checked_by_name_and_type():
    """Partial data with a name that the class does not declare, or a value that does not fit, is refused."""
    with pytest.raises(MarshallingError, match=r'Order\["colour"\]: expected an attribute of Order') as caught:
        from_builtins({"colour": "red"}, Order, partial=True)
    assert "id, total, lines" in str(caught.value)
    with pytest.raises(MarshallingError, match=r"Order\.total: expected a number"):
        from_builtins({"total": []}, Order, partial=True)
    with pytest.raises(MarshallingError, match=r"Order: expected an object, found a list"):
        from_builtins([], Order, partial=True)
    with pytest.raises(ModelError, match=r"partial=True is for classes with attributes, and list\[Order\] is none"):
        from_builtins([], list[Order], partial=True)


# ── types ──


def test_types_that_json_cannot_tell_apart_are_refused():
    """A union whose members are both text in JSON is a ModelError that names the attribute and the types."""

    @entity("mixed")
    class Mixed:
        id: PartitionKey[str]
        value: Attribute[str | bytes | None] = attribute(default=None)

    with pytest.raises(ModelError, match=r"Mixed\.value: JSON cannot tell str and bytes apart, both are text there"):
        to_json(Mixed(id="1"))


def test_decimal_beside_text_is_a_number():
    """Beside text, a Decimal is a number, so that both come back as they are."""

    @document
    class Setting:
        value: Attribute[str | Decimal | bool]

    for value in ("1.5", Decimal("1.5"), Decimal(2), True):
        written = to_builtins(Setting(value=value))
        back = from_json(to_json(Setting(value=value)), Setting).value
        assert (back, type(back)) == (value, type(value))
        assert isinstance(written["value"], str) is isinstance(value, str)


def test_unknown_names_are_ignored_or_refused_as_the_class_says():
    """Names that a class does not declare are left out, unless it has `unknown="raise"`."""

    @document(unknown="raise")
    class Strict:
        name: Attribute[str]

    assert from_builtins({"id": "1", "note": None, "more": 1}, Order).id == "1"
    with pytest.raises(MarshallingError, match=r'Strict\["more"\]: expected an attribute of Strict, found another'):
        from_builtins({"name": "a", "more": 1}, Strict)


T = TypeVar("T")


@document
class Box(Generic[T]):
    content: Attribute[T]


def test_generic_classes_are_read_by_their_arguments():
    """A generic document is read with the types that its place gives it."""

    @entity("boxes")
    class Holder:
        id: PartitionKey[str]
        box: Attribute[Box[Decimal]]

    holder = Holder(id="1", box=Box(content=Decimal("1.50")))
    assert to_builtins(holder) == {"id": "1", "box": {"content": "1.50"}}
    assert from_builtins(to_builtins(holder), Holder) == holder


def test_entities_of_a_shared_table_have_their_attributes():
    """An entity of a shared table is its attributes in JSON, without the texts of its keys."""
    table = SharedTable("app", partition_key="pk", sort_key="sk")

    @entity(table, partition_key="CUSTOMER#{customer}", sort_key="ORDER#{number}")
    class Purchase:
        customer: PartitionKey[str]
        number: SortKey[int]

    purchase = Purchase(customer="c", number=7)
    assert to_builtins(purchase) == {"customer": "c", "number": 7}
    assert from_builtins({"customer": "c", "number": 7}, Purchase) == purchase


def test_validators_and_converters_of_a_class_work():
    """The class is called, so that its converters and validators see the values, and their error is the cause."""

    @document
    class Named:
        name: Attribute[str] = attribute(converter=str.lower, validator=attrs.validators.max_len(3))
        copy: Attribute[str] = attribute(factory=lambda: "made")

    named = from_builtins({"name": "ABC"}, Named)
    assert (named.name, named.copy) == ("abc", "made")
    with pytest.raises(MarshallingError, match=r"Named: expected attributes that Named accepts") as caught:
        from_builtins({"name": "ABCD"}, Named)
    assert isinstance(caught.value.__cause__, ValueError)


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.cents == self.cents

    __hash__ = None  # type: ignore[assignment]  # as a class with an equality alone has


def test_types_of_hooks_are_written_by_the_converter():
    """A type that only hooks know is written and read by the converter's hooks, and refused without them."""
    converter = make_converter()
    converter.register_unstructure_hook(Money, lambda money: money.cents)
    converter.register_structure_hook(Money, lambda cents, _: Money(int(cents)))

    @entity("prices")
    class Price:
        id: PartitionKey[str]
        money: Attribute[Money]

    price = Price(id="1", money=Money(250))
    assert to_builtins(price, converter=converter) == {"id": "1", "money": 250}
    assert from_json('{"id": "1", "money": 250}', Price, converter=converter) == price
    with pytest.raises(ModelError, match=r"Price\.money: Money has no place in DynamoDB"):
        from_builtins({}, Price)


def test_attribute_with_functions_of_its_own_has_the_form_of_its_type():
    """An attribute that is stored in a way of its own is its type's JSON, or else that of the encoded value."""

    @entity("notes")
    class Note:
        id: PartitionKey[str]
        text: Attribute[str] = attribute(default="", encode=str.encode, decode=bytes.decode, stored_as=bytes)
        money: Attribute[Money | None] = attribute(
            default=None, encode=lambda money: money.cents, decode=Money, stored_as=int
        )

    note = Note(id="1", text="ä", money=Money(3))
    assert to_builtins(note) == {"id": "1", "text": "ä", "money": 3}
    assert from_builtins(to_builtins(note), Note) == note


def test_values_without_a_class_are_written_by_their_types():
    """Lists and dicts of anything that an attribute may hold are written; a name is text."""
    data = {"order": Line(sku="a"), 7: {date(2026, 1, 2): Decimal("1.50")}, "set": {"b", "a"}, "raw": b"\xff"}
    assert json.loads(to_json(data)) == {
        "order": {"sku": "a", "price": "0"},
        "7": {"2026-01-02": "1.50"},
        "set": ["a", "b"],
        "raw": "/w==",
    }
    with pytest.raises(MarshallingError, match=r'dict\["x"\]\[1\]: expected a value that JSON has, found object'):
        to_json({"x": [1, object()]})


def test_value_that_does_not_fit_is_not_written():
    """An instance whose attribute holds another type than declared is refused, as it is in a write."""
    wrong: Any = Order(id="1", note=None, lines=[Line(sku=5)])  # type: ignore[arg-type]  # the mistake
    with pytest.raises(MarshallingError, match=r"Order\.lines\[0\]\.sku: expected str, found int"):
        to_json(wrong)


def test_literals_name_classes_by_python_s_names():
    """Where the classes of a union declare a Literal, its name in Python is the one in JSON."""

    @document
    class Square:
        kind: Attribute[Literal["square"]] = attribute(default="square", name="k")

    @document
    class Circle:
        kind: Attribute[Literal["circle"]] = attribute(default="circle", name="k")

    @document
    class Drawing:
        shape: Attribute[Square | Circle]

    assert to_builtins(Drawing(shape=Circle())) == {"shape": {"kind": "circle"}}
    assert from_builtins({"shape": {"kind": "square"}}, Drawing) == Drawing(shape=Square())


class Place(pydantic.BaseModel):
    city: str
    code: str | None = pydantic.Field(default=None, alias="zipCode")
    at: datetime | None = None

    @pydantic.field_serializer("at")
    def _stamp(self, at: datetime | None) -> int | None:
        return None if at is None else int(at.timestamp())


@entity("visits")
class Visit:
    id: PartitionKey[str]
    place: Attribute[Place]
    others: Attribute[list[Place]] = attribute(factory=list)


def test_models_of_pydantic_s_write_and_read_themselves():
    """A model of Pydantic's inside an entity has its own aliases and serializers, as it has in Pydantic and FastAPI."""
    visit = Visit(id="1", place=Place(city="Ulm", zipCode="1", at=datetime(2026, 1, 1, tzinfo=UTC)))
    written = to_builtins(visit)
    assert written["place"] == {"city": "Ulm", "zipCode": "1", "at": 1767225600}
    assert written == TypeAdapter(Visit).dump_python(visit, mode="json", by_alias=True)
    assert from_builtins(written, Visit) == TypeAdapter(Visit).validate_python(written) == visit
    with pytest.raises(MarshallingError, match=r"Visit\.others\[1\]\.city: expected what Place accepts") as caught:
        from_builtins(written | {"others": [{"city": "a"}, {"city": 5}]}, Visit)
    assert "string_type" in str(caught.value)
    assert from_builtins({"zipCode": "2"}, Place, partial=True) == {"code": "2"}
    with pytest.raises(MarshallingError, match=r'Place\["nope"\]'):
        from_builtins({"nope": 1}, Place, partial=True)


@document
class Tree:
    children: Attribute[list["Tree"]] = attribute(factory=list)


def test_values_without_an_end_are_errors_of_ours():
    """A value that contains itself, and one nested deeper than the stack, is an error, never a crash."""
    tree = Tree()
    tree.children.append(tree)
    with pytest.raises(MarshallingError, match="Tree: expected a value that ends"):
        to_json(tree)
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(MarshallingError, match="list: expected a value that ends"):
        to_builtins(endless)
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"children": [deep]}
    with pytest.raises(MarshallingError, match="Tree: expected a value that ends"):
        from_builtins(deep, Tree)
    with pytest.raises(MarshallingError):
        from_json('{"children": [' * 5_000 + "]}" * 5_000, Tree)


def test_partial_data_has_no_times_of_writes():
    """A caller of an HTTP service must not forge or remove them."""

    @entity("stamped")
    class Stamped:
        key: PartitionKey[str]
        note: Attribute[str] = attribute(default="")
        made: Attribute[datetime | None] = attribute(default=None, created_at=True)
        changed: Attribute[datetime | None] = attribute(default=None, updated_at=True)

    for name in ("made", "changed"):
        with pytest.raises(MarshallingError, match=rf'Stamped\["{name}"\]: the library writes'):
            from_builtins({name: None}, Stamped, partial=True)
    assert from_builtins({"note": "x"}, Stamped, partial=True) == {"note": "x"}
