"""Classes that others decorated: their attributes, defaults, copies, and refusals."""

import dataclasses
from decimal import Decimal
from typing import Any, Generic, TypeVar

import attrs
import msgspec
import pydantic
import pytest
from attrs import NOTHING

from mizzle_async import Attribute, ModelError, asdict, document, evolve
from mizzle_async.model.foreign import field_types, fields_of, has_fields
from mizzle_async.model.mapping import map_class


@attrs.define
class Plain:
    _hidden: int
    amount: Decimal = Decimal(0)
    made: int = attrs.field(init=False, default=3)


@dataclasses.dataclass
class Data:
    name: str
    later: "Data | None" = None
    parts: list[int] = dataclasses.field(default_factory=list)
    made: int = dataclasses.field(init=False, default=3)


class Part(msgspec.Struct, rename="pascal"):
    name: str
    parts: list[int] = []


class Model(pydantic.BaseModel):
    name: str = pydantic.Field(alias="fullName")
    parts: list[int] = [1]
    more: dict[str, int] = pydantic.Field(default_factory=dict)
    chosen: str = pydantic.Field(default="x", validation_alias=pydantic.AliasChoices("other", "chosen"))


@pytest.mark.parametrize(
    ("cls", "arguments"),
    [
        (Plain, {"_hidden": "hidden", "amount": "amount", "made": None}),
        (Data, {"name": "name", "later": "later", "parts": "parts", "made": None}),
        (Part, {"name": "name", "parts": "parts"}),
        (Model, {"name": "fullName", "parts": "parts", "more": "more", "chosen": "other"}),
    ],
)
def test_attributes_are_listed_with_their_arguments(cls, arguments):
    """Attributes are listed by name in order, each with the name by which its class is called."""
    assert {each.name: each.argument for each in fields_of(cls)} == arguments


@pytest.mark.parametrize("cls", [int, str, dict, object, 5, list[int], None])
def test_other_types_have_no_attributes(cls):
    """A class that lists no attributes, and what is no class, has none."""
    assert not has_fields(cls)


def test_defaults_are_not_shared():
    """A list that is a default is made anew for each instance; an attribute without a default says so."""
    for cls in (Data, Part, Model):
        defaults = {each.name: each.default for each in fields_of(cls)}
        assert defaults["name"] is NOTHING
        one, two = defaults["parts"].factory(), defaults["parts"].factory()
        assert one == two
        assert one is not two


def test_annotations_that_are_text_are_resolved():
    """An annotation of a class that names itself is resolved; one that cannot be is Any."""
    assert field_types(Data)["later"] == Data | None

    @dataclasses.dataclass
    class Lost:
        value: "Nowhere"  # noqa: F821  (the missing name is the case)

    assert field_types(Lost) == {"value": Any}


def test_instances_are_copied_with_changes():
    """`evolve` copies an instance of any class, through its own checks, and refuses a name that it has not."""
    assert evolve(Data("a"), name="b") == Data("b")
    assert evolve(Part("a", [1]), name="b") == Part("b", [1])
    model = evolve(Model(fullName="a", other="y"), name="b")
    assert (model.name, model.chosen) == ("b", "y")
    assert evolve(Plain(1), amount=Decimal(2)) == Plain(1, Decimal(2))
    with pytest.raises(TypeError, match="Part has no attribute 'nope'; it has name, parts"):
        evolve(Part("a"), nope=1)
    with pytest.raises(pydantic.ValidationError):
        evolve(Model(fullName="a"), name=5)


def test_instances_become_dicts():
    """`asdict` takes instances of any class, nested ones too."""

    @document
    class Holder:
        data: Attribute[Data]
        many: Attribute[list[Part]]

    holder = Holder(data=Data("a", Data("b")), many=[Part("c")])
    later = {"name": "b", "later": None, "parts": [], "made": 3}
    assert asdict(holder) == {
        "data": {"name": "a", "later": later, "parts": [], "made": 3},
        "many": [{"name": "c", "parts": []}],
    }
    assert asdict(Model(fullName="a")) == {"name": "a", "parts": [1], "more": {}, "chosen": "x"}
    with pytest.raises(TypeError, match="asdict\\(\\) takes an instance of a class with attributes, not int"):
        asdict(5)


def test_model_that_takes_undeclared_attributes_is_refused():
    """A model with extra="allow" is refused: its extra attributes would be lost."""

    class Open(pydantic.BaseModel, extra="allow"):
        id: str

    with pytest.raises(ModelError, match=r'Open takes attributes that it does not declare \(extra="allow"\)'):
        map_class(Open, name="open", partition_key="id")


def test_alias_that_is_no_name_is_refused():
    """A model whose alias is a way into another value is refused, unless it takes names as well."""

    class Deep(pydantic.BaseModel):
        id: str
        value: int = pydantic.Field(validation_alias=pydantic.AliasPath("a", 0))

    with pytest.raises(ModelError, match=r"Deep\.value: its alias is no name"):
        map_class(Deep, name="deep", partition_key="id")

    class Named(pydantic.BaseModel, validate_by_name=True):
        id: str
        value: int = pydantic.Field(validation_alias=pydantic.AliasPath("a", 0))

    assert map_class(Named, name="deep", partition_key="id").by_field["value"].name == "value"


def test_model_that_was_not_complete_is_completed():
    """A model that names a class further down is completed when it is mapped."""

    class Early(pydantic.BaseModel):
        id: str
        part: "Late"

    class Late(pydantic.BaseModel):
        name: str

    Early.model_rebuild(_types_namespace={"Late": Late})
    assert map_class(Early, name="early", partition_key="id").by_field["part"].type is Late


T = TypeVar("T")


class Box(pydantic.BaseModel, Generic[T]):
    id: str
    content: T


def test_generic_models_have_the_types_of_their_arguments():
    """A generic model of Pydantic's is mapped with its arguments."""
    schema = map_class(Box[int], name="boxes", partition_key="id")
    assert schema.by_field["content"].type is int
