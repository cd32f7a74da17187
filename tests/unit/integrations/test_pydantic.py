"""Entities and documents in Pydantic and FastAPI: both directions, schemas, errors at their places."""

import dataclasses
import json
import pprint
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

import attrs
import httpx
import pytest
from fastapi import Body, FastAPI
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from mizzle_async import (
    Attribute,
    ModelError,
    Page,
    PartitionKey,
    SharedTable,
    SortKey,
    attribute,
    document,
    entity,
    to_builtins,
)


@document
class Card:
    """A payment by card."""

    number: Attribute[str]


@document
class Cash:
    amount: Attribute[Decimal] = attribute(default=Decimal(0))


@document
class Line:
    sku: Attribute[str]
    price: Attribute[Annotated[Decimal, Field(ge=0, description="for one")]]


@entity("orders")
class Order:
    """An order."""

    id: PartitionKey[str] = attribute(description="its number", examples=["2026-1"])
    total: Attribute[Decimal] = attribute(default=Decimal("0.50"), description="with tax", examples=[Decimal("1.20")])
    lines: Attribute[list[Line]] = attribute(factory=list)
    payment: Attribute[Card | Cash | None] = attribute(default=None)
    placed: Attribute[datetime | None] = attribute(default=None, created_at=True)
    tags: Attribute[set[str]] = attribute(factory=set)
    raw: Attribute[bytes] = attribute(default=b"\xff")
    version: Attribute[int] = attribute(default=0, version=True)


ORDERS = TypeAdapter(Order)
ORDER = Order(
    id="1",
    total=Decimal("12.50"),
    lines=[Line(sku="a", price=Decimal(3))],
    payment=Card(number="4111"),
    placed=datetime(2026, 1, 31, tzinfo=UTC),
    tags={"b", "a"},
    version=2,
)


def test_instance_becomes_json_and_comes_back():
    """An instance is dumped as `to_builtins` writes it, version and times included, and validated to an equal one."""
    written = ORDERS.dump_python(ORDER, mode="json")
    assert written == to_builtins(ORDER)
    assert (written["payment"], written["raw"]) == ({"_type": "Card", "number": "4111"}, "/w==")
    assert (written["tags"], written["placed"], written["version"]) == (["a", "b"], "2026-01-31T00:00:00Z", 2)
    assert ORDERS.validate_python(written) == ORDERS.validate_json(json.dumps(written)) == ORDER
    assert ORDERS.validate_python(ORDER) is ORDER


def test_defaults_and_factories_fill_in():
    """Attributes that are absent get their defaults, a factory's anew each time."""
    one, two = ORDERS.validate_python({"id": "1"}), ORDERS.validate_python({"id": "1"})
    assert one == two == Order(id="1")
    assert one.lines is not two.lines


@pytest.mark.parametrize(
    ("data", "place", "kind"),
    [
        ({}, ("id",), "missing"),
        ({"id": "1", "total": "x"}, ("total",), "decimal_parsing"),
        ({"id": "1", "total": "1" * 39}, ("total",), "value_error"),
        ({"id": "1", "lines": [{"sku": "a", "price": -1}]}, ("lines", 0, "price"), "greater_than_equal"),
        ({"id": "1", "payment": {"_type": "Cash", "amount": "x"}}, ("payment", "Cash", "amount"), "decimal_parsing"),
        ({"id": "1", "payment": {"amount": "1"}}, ("payment",), "union_tag_not_found"),
        ({"id": "1", "placed": "2026-01-31T00:00:00"}, ("placed",), "value_error"),
        ({"id": "1", "raw": "?"}, ("raw",), "value_error"),
    ],
)
def test_misfit_is_an_error_of_validation_at_its_place(data, place, kind):
    """Data that does not fit is Pydantic's error, with the place inside the entity."""
    with pytest.raises(ValidationError) as caught:
        ORDERS.validate_python(data)
    assert [(error["loc"], error["type"]) for error in caught.value.errors()] == [(place, kind)]


def test_schema_has_every_attribute():
    """The JSON schema has the types, defaults, descriptions and examples, and the classes' docstrings."""
    schema = ORDERS.json_schema()
    properties = schema["properties"]
    assert (schema["title"], schema["description"], schema["required"]) == ("Order", "An order.", ["id"])
    assert list(properties) == ["id", "total", "lines", "payment", "placed", "tags", "raw", "version"]
    assert (properties["id"]["description"], properties["id"]["examples"]) == ("its number", ["2026-1"])
    total = properties["total"]
    assert (total["default"], total["description"], total["examples"]) == ("0.50", "with tax", ["1.20"])
    assert {one["type"] for one in total["anyOf"]} == {"number", "string"}
    assert [properties[name]["default"] for name in ("lines", "tags", "raw", "version")] == [[], [], "/w==", 0]
    assert properties["raw"]["contentEncoding"] == "base64"
    assert schema["$defs"]["Line"]["properties"]["price"]["description"] == "for one"
    assert schema["$defs"]["Card"]["description"] == "A payment by card."
    choices = properties["payment"]["anyOf"][0]
    assert [choice["properties"]["_type"]["const"] for choice in choices["oneOf"]] == ["Card", "Cash"]
    written = ORDERS.json_schema(mode="serialization")["properties"]["total"]
    assert written["type"] == "string"


def test_frozen_and_slotted_classes_are_filled():
    """Frozen documents and foreign attrs classes, with slots or without, are made as they are meant to be."""

    @attrs.frozen
    class Point:
        x: int
        label: str = attrs.field(default="a", alias="title")

    @document(frozen=True)
    class Path:
        points: Attribute[tuple[Point, ...]]

    path = Path(points=(Point(1), Point(2, "b")))
    adapter = TypeAdapter(Path)
    assert adapter.dump_python(path) == {"points": ({"x": 1, "label": "a"}, {"x": 2, "label": "b"})}
    assert adapter.validate_python({"points": [{"x": 1}, {"x": 2, "label": "b"}]}) == path


def test_validators_and_converters_are_errors_at_their_attributes():
    """Validators and converters of attrs run; what a validator raises stands at its attribute."""

    @document
    class Named:
        name: Attribute[str] = attribute(converter=str.lower)
        size: Attribute[int] = attribute(default=1, validator=attrs.validators.in_([1, 2]))
        half: Attribute[float] = attribute(default=0.5, validator=attrs.validators.instance_of(float))

    adapter = TypeAdapter(Named)
    assert adapter.validate_python({"name": "ABC"}) == Named(name="abc")
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python({"name": "a", "size": 3})
    (error,) = caught.value.errors()
    assert (error["loc"], error["type"]) == (("size",), "value_error")
    assert "must be in [1, 2]" in error["msg"]
    instance = Named(name="a")
    assert adapter.validate_python(instance) is instance
    assert adapter.dump_python(instance) == {"name": "a", "size": 1, "half": 0.5}


def test_default_that_is_made_of_the_instance_is_made():
    """A default that takes the instance is made by the class, and may be given."""

    @attrs.define
    class Range:
        start: int
        end: int = attrs.field(default=attrs.Factory(lambda self: self.start + 1, takes_self=True))

    @document
    class Holder:
        range: Attribute[Range]

    adapter = TypeAdapter(Holder)
    assert adapter.validate_python({"range": {"start": 3}}) == Holder(range=Range(3, 4))
    assert adapter.validate_python({"range": {"start": 3, "end": 9}}) == Holder(range=Range(3, 9))
    assert "default" not in adapter.json_schema()["$defs"]["Range"]["properties"]["end"]


@document
class Tree:
    name: Attribute[str]
    children: Attribute[list["Tree"]] = attribute(factory=list)


class Forest(BaseModel):
    trees: list[Tree]
    oldest: Tree | None = None


def test_class_that_contains_itself_is_one_definition():
    """A recursive document is validated at any depth, alone and inside a model of Pydantic's."""
    tree = Tree(name="a", children=[Tree(name="b", children=[Tree(name="c")])])
    written = TypeAdapter(Tree).dump_python(tree, mode="json")
    assert TypeAdapter(Tree).validate_python(written) == tree
    forest = Forest(trees=[tree], oldest=tree)
    assert Forest.model_validate_json(forest.model_dump_json()) == forest
    assert list(Forest.model_json_schema()["$defs"]) == ["Tree"]


T = TypeVar("T")


@document
class Box(Generic[T]):
    content: Attribute[T]


def test_generic_documents_have_a_schema_for_each_argument():
    """A generic document is validated by its arguments, where it is nested and where it is asked for."""

    @entity("shelf")
    class Shelf:
        id: PartitionKey[str]
        one: Attribute[Box[int]]
        two: Attribute[Box[Box[str]]]

    shelf = Shelf(id="1", one=Box(content=1), two=Box(content=Box(content="x")))
    adapter = TypeAdapter(Shelf)
    assert adapter.validate_python(adapter.dump_python(shelf, mode="json")) == shelf
    with pytest.raises(ValidationError, match=r"two\.content\.content"):
        adapter.validate_python({"id": "1", "one": {"content": 1}, "two": {"content": {"content": []}}})
    assert TypeAdapter(Box[int]).validate_python({"content": "3"}) == Box(content=3)


def test_entities_of_a_shared_table_are_validated():
    """An entity of a shared table is its attributes, without the texts of its keys."""
    table = SharedTable("app", partition_key="pk", sort_key="sk")

    @entity(table, partition_key="CUSTOMER#{customer}", sort_key="ORDER#{number}")
    class Purchase:
        customer: PartitionKey[str]
        number: SortKey[int]

    adapter = TypeAdapter(Purchase)
    purchase = adapter.validate_python({"customer": "c", "number": 1})
    assert adapter.dump_python(purchase, mode="json") == {"customer": "c", "number": 1}


def test_unknown_names_are_refused_where_the_class_says_so():
    """Extra names are ignored, or forbidden where the class has `unknown="raise"`, which the schema says."""

    @document(unknown="raise")
    class Strict:
        name: Attribute[str]

    assert ORDERS.validate_python({"id": "1", "more": 1}) == Order(id="1")
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Strict).validate_python({"name": "a", "more": 1})
    assert [error["loc"] for error in caught.value.errors()] == [("more",)]
    assert TypeAdapter(Strict).json_schema()["additionalProperties"] is False


def test_literals_of_classes_are_discriminators():
    """Classes that declare a Literal are told apart by it, and the schema says which member that is."""

    @document
    class Square:
        kind: Attribute[Literal["square"]] = attribute(default="square", name="k")

    @document
    class Circle:
        kind: Attribute[Literal["circle"]] = attribute(default="circle", name="k")
        radius: Attribute[Decimal] = attribute(default=Decimal(1))

    @document
    class Drawing:
        shapes: Attribute[list[Square | Circle]]

    adapter = TypeAdapter(Drawing)
    drawing = Drawing(shapes=[Square(), Circle(radius=Decimal("2.5"))])
    assert adapter.validate_python(adapter.dump_python(drawing, mode="json")) == drawing
    assert adapter.json_schema()["properties"]["shapes"]["items"]["discriminator"] == {"propertyName": "kind"}


def test_types_that_json_cannot_tell_apart_are_refused():
    """A union whose members are both text is refused when the schema is made, with the attribute's name."""

    @document
    class Mixed:
        value: Attribute[str | bytes]

    with pytest.raises(ModelError, match=r"Mixed\.value: JSON cannot tell str and bytes apart"):
        TypeAdapter(Mixed)


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents


def test_type_that_only_hooks_know_is_named():
    """A type that neither Pydantic nor the library knows is Pydantic's error, with the attribute's name."""

    @document
    class Price:
        money: Attribute[Money]

    with pytest.raises(PydanticSchemaGenerationError, match=r"Price\.money: "):
        TypeAdapter(Price)


def test_attribute_with_functions_of_its_own_is_its_encoded_value():
    """An attribute of a type that only its functions know is validated as the encoded value."""

    @document
    class Price:
        money: Attribute[Money | None] = attribute(
            default=None, encode=lambda money: money.cents, decode=Money, stored_as=int
        )

    adapter = TypeAdapter(Price)
    price = adapter.validate_python({"money": 250})
    assert isinstance(price.money, Money)
    assert adapter.dump_python(price, mode="json") == {"money": 250}
    assert adapter.json_schema()["properties"]["money"]["anyOf"][0]["type"] == "integer"


def test_models_of_pydantic_s_hold_entities():
    """A model of Pydantic's with entities inside validates, dumps and describes them."""

    class Answer(BaseModel):
        orders: list[Order]
        cursor: str | None = None

    answer = Answer(orders=[ORDER])
    assert Answer.model_validate_json(answer.model_dump_json()) == answer
    assert "Order" in Answer.model_json_schema()["$defs"]


def test_values_that_cannot_be_json_are_not_written_silently():
    """An attribute that holds another type than declared is an error or a warning of Pydantic's, never other data."""
    wrong: Any = Order(id="1", raw="text")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(Exception, match="expected bytes, found str"):
        ORDERS.dump_json(wrong)


async def test_fastapi_serves_entities():
    """An entity is body, response model and OpenAPI schema of an endpoint; a wrong body is a 422 at its place."""
    app = FastAPI()

    @app.post("/orders")
    async def create(order: Order) -> Order:
        return order

    @app.post("/several")
    async def several(order: Annotated[Order, Body()], line: Line | None = None) -> Line | None:
        return line or order.lines[0]

    @app.get("/orders")
    async def read() -> list[Order]:
        return [ORDER]

    @app.get("/raw", response_model=Order)
    async def raw() -> Any:
        return ORDER

    @app.get("/page")
    async def page() -> Page[Order]:
        return Page([ORDER], "next", previous=None)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as web:
        expected = to_builtins(ORDER)
        assert (await web.get("/orders")).json() == [expected]
        assert (await web.get("/raw")).json() == expected
        assert (await web.get("/page")).json() == {"items": [expected], "cursor": "next", "previous": None}
        assert (await web.post("/orders", json=expected)).json() == expected
        two = {"order": expected, "line": {"sku": "z", "price": 1}}
        assert (await web.post("/several", json=two)).json() == {"sku": "z", "price": "1"}
        refused = await web.post("/orders", json=expected | {"lines": [{"sku": 1}]})
        assert refused.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert [error["loc"] for error in refused.json()["detail"]] == [
            ["body", "lines", 0, "sku"],
            ["body", "lines", 0, "price"],
        ]
        schemas = (await web.get("/openapi.json")).json()["components"]["schemas"]
    assert set(schemas["Order-Input"]["properties"]) == set(expected)


def test_the_seam_is_no_dependency():
    """A class has Pydantic's method whether Pydantic is installed or not; its own method stays."""
    assert "mizzle_async.integrations.pydantic" in sys.modules  # made by the tests above, by Pydantic's own call

    @document
    class Own:
        name: Attribute[str]

        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            del source
            return handler.generate_schema(int)

    assert TypeAdapter(Own).validate_python("3") == 3


def test_entities_are_recognised_as_dataclasses_are():
    """Libraries that know dataclasses see the attributes, their defaults and factories; instances stay ours."""
    assert dataclasses.is_dataclass(Order)
    fields = {field.name: field for field in dataclasses.fields(Order)}
    assert list(fields) == ["id", "total", "lines", "payment", "placed", "tags", "raw", "version"]
    assert (fields["total"].default, fields["lines"].default_factory) == (Decimal("0.50"), list)
    assert dataclasses.replace(ORDER, version=3) == attrs.evolve(ORDER, version=3)
    assert dataclasses.asdict(ORDER)["lines"] == [{"sku": "a", "price": Decimal(3)}]
    assert pprint.pformat(ORDER, width=10_000) == repr(ORDER)
    assert "__dataclass_fields__" not in vars(ORDER)


def test_defaults_that_take_the_instance_do_not_stand_in_the_way():
    """A default that is made of the instance shows as a factory, and the class itself makes it."""

    @document
    class Range:
        start: Attribute[int]
        end: Attribute[int] = attribute(default=attrs.Factory(lambda self: self.start + 1, takes_self=True))

    assert [field.name for field in dataclasses.fields(Range)] == ["start", "end"]
    assert TypeAdapter(Range).validate_python({"start": 3}) == Range(start=3, end=4)


def test_pages_are_their_items_and_cursors():
    """A page is written as its items and cursors, projected rows included, and read back."""
    adapter = TypeAdapter(Page[Order])
    page = Page([ORDER], "a", 5, 0.5, 1, "b")
    written = adapter.dump_python(page, mode="json")
    assert written == to_builtins(page) == {"items": [to_builtins(ORDER)], "cursor": "a", "previous": "b"}
    back = adapter.validate_python(written)
    assert (back.items, back.cursor, back.previous) == ([ORDER], "a", "b")
    assert adapter.validate_python(page) is page
    rows = Page([(Decimal("1.50"), "x")], None)
    assert to_builtins(rows)["items"] == [["1.50", "x"]]
    assert TypeAdapter(Page[tuple[Decimal, str]]).dump_python(rows, mode="json")["items"] == [["1.50", "x"]]
    assert adapter.json_schema()["title"] == "Page[Order]"
    with pytest.raises(ValidationError, match=r"items\.0\.id"):
        adapter.validate_python({"items": [{}]})


@pytest.mark.parametrize("text", ["1_0", "\u0661", "NaN", "Infinity", "0x1"])
def test_texts_that_stand_for_numbers_have_digits_of_ascii(text: str) -> None:
    """Pydantic takes more texts than DynamoDB does: one rule for every way in."""

    @entity("amounts")
    class Amount:
        name: PartitionKey[str]
        exact: Attribute[Decimal] = attribute(default=Decimal(0))
        whole: Attribute[int] = attribute(default=0)
        near: Attribute[float] = attribute(default=0.0)
        several: Attribute[list[Decimal]] = attribute(factory=list)

    adapter = TypeAdapter(Amount)
    for name, value in (("exact", text), ("whole", text), ("near", text), ("several", [text])):
        with pytest.raises(ValidationError) as caught:
            adapter.validate_python({"name": "a", name: value})
        assert [error["loc"][0] for error in caught.value.errors()] == [name]
    assert adapter.validate_json('{"name": "a", "exact": " 1.50 ", "whole": "10"}') == Amount(
        name="a", exact=Decimal("1.50"), whole=10
    )
    assert adapter.json_schema()["properties"]["whole"]["type"] == "integer"
