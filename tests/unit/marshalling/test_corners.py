"""What nobody does on purpose, and what only the careful way meets."""

import decimal
import sys
from datetime import date
from typing import Any, Literal, Never, Self

import attrs
import cattrs
import pytest

from mizzle_async import LimitError, MarshallingError, ModelError
from mizzle_async.expressions import Facet
from mizzle_async.marshalling import decode_any, diff, encode_any
from mizzle_async.model import Attribute, PartitionKey, SortKey, attribute, dict_schema, document, entity, schema_of
from mizzle_async.model.scalars.misfit import wire_name


class Money:
    pass


class Positive(int):
    def __new__(cls, value: int) -> Self:
        if value < 0:
            raise ValueError(value)
        return super().__new__(cls, value)


@document
class Line:
    sku: Attribute[str]
    tags: Attribute[set[str]] = attribute(factory=set)


@attrs.define
class Other:
    iban: str


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    number: SortKey[int]


@pytest.fixture
def converter() -> cattrs.Converter:
    """A converter whose hooks for money fail as ours do not."""
    converter = cattrs.Converter()
    converter.register_unstructure_hook(Money, lambda _: "x")
    converter.register_structure_hook(Money, lambda value, _: decode_any(value))
    return converter


@pytest.mark.parametrize(
    ("kind", "found", "sentence"),
    [
        (list[str], [{"S": 5}, {"N": "1"}], "[0]: expected text, found int"),
        (list[bool], [{"BOOL": 1}, {"N": "1"}], "[0]: expected true or false, found something else"),
        (list[str], [{"S": "a"}, {"N": "1"}], "[1]: expected S, found N"),
        (list[str], [{"S": "a", "N": "1"}, {"N": "1"}], "[0]: expected a value of one type, found one of 2"),
        (list[str], [{}], "[0]: expected S, found no attribute value"),
        (list[Positive], [{"N": "-1"}], "[0]: expected what Positive accepts, found ValueError"),
        (list[set], [{"NS": ["1"]}, {"SS": [5]}, {"S": "x"}], "[2]: expected SS, NS or BS, found S"),
    ],
)
def test_corrupt_values_are_found_by_the_careful_way(stored, kind, found, sentence):
    """When one value of many does not fit, every value is looked at closely."""
    with pytest.raises(MarshallingError) as caught:
        stored(kind).read({"L": found})
    assert str(caught.value) == f"Thing.value{sentence}"


def test_limits_hold_in_every_container(stored):
    """Lists, tuples, maps and sets of undeclared values count levels alike."""
    for kind, value in (
        (list[Any], []),
        (tuple[Any, str], (None, "a")),
        (dict[str, Any], {"a": None}),
        (list[list[Any]], [[]]),
    ):
        deep: Any = None
        for _ in range(30):
            deep = [deep]
        filled = {list: [deep], tuple: (deep, "a"), dict: {"a": deep}}[type(value)]
        attribute_of = stored(kind)
        accepted = kind != list[list[Any]]
        if accepted:
            assert attribute_of.read(attribute_of.write(filled)) == filled
        deeper = {list: [[deep]], tuple: ([deep], "a"), dict: {"a": [deep]}}[type(value)]
        with pytest.raises(LimitError, match="at most 32 levels of nesting"):
            attribute_of.write(deeper)


def test_declared_containers_count_levels_inside_undeclared_depth(stored):
    """A class that contains itself may hold tuples, maps and sets as deep as the service allows."""

    @attrs.define(eq=False)
    class Node:
        child: "Node | None" = None
        pair: tuple[int, str] | None = None
        labels: dict[str, int] | None = None
        line: Line | None = None

    def chain(**last: Any) -> Node:
        node = Node(**last)
        for _ in range(30):
            node = Node(node)
        return node

    nodes = stored(Node)
    assert nodes.write(chain())
    for last in ({"pair": (1, "a")}, {"labels": {"a": 1}}, {"line": Line(sku="s")}):
        with pytest.raises(LimitError, match=f"{next(iter(last))}: expected at most 32 levels"):
            nodes.write(chain(**last))


def test_names_of_maps_have_a_limit(stored):
    """65,535 bytes of name are accepted, one more is not, declared or not."""
    longest, longer = "x" * 65_535, "x" * 65_536
    for kind in (dict[str, int], Any):
        attribute_of = stored(kind)
        assert attribute_of.read(attribute_of.write({longest: 1})) == {longest: 1}
        with pytest.raises(LimitError, match="expected a name of 1 to 65,535 bytes, found one of 65,536"):
            attribute_of.write({longer: 1})
        with pytest.raises(LimitError, match="found one of 0"):
            attribute_of.write({"": 1})


def test_sets_inside_lists_are_checked(stored):
    """Open sets inside lists are empty lists when empty, and say what does not fit."""
    attribute_of = stored(list[set[Any]])
    assert attribute_of.write([set(), {1}]) == {"L": [{"L": []}, {"NS": ["1"]}]}
    assert attribute_of.read({"L": [{"L": []}, {"NS": ["1"]}]}) == [set(), {1}]


def test_hooks_raise_our_own_errors_through(stored, converter):
    """A hook that uses the library's own functions fails with what they say as its cause."""
    with pytest.raises(MarshallingError, match="expected what the structure hook of Money takes") as caught:
        stored(Money, converter).read({"S": "x"})
    assert isinstance(caught.value.__cause__, MarshallingError)


def test_what_has_hooks_cannot_stand_in_a_union(stored, converter):
    """How it is stored is not known, so nothing can be told apart from it; alone with None it may stand."""
    with pytest.raises(ModelError, match="how Money is stored is not known here"):
        stored(Money | str, converter)
    assert stored(Money | None, converter).write(Money()) == {"S": "x"}


def test_what_is_inside_a_hooked_type_goes_by_value(codec_of, converter):
    """An operand for a path inside what hooks made is stored by value."""

    @entity("things")
    class Thing:
        id: PartitionKey[str]
        money: Attribute[Money | None] = attribute(default=None)

    codec = codec_of(schema_of(Thing), converter)
    assert codec.encode_operand(5, Thing.money["amount"], Facet.WHOLE) == {"N": "5"}
    assert codec.encode_operand(5, Thing.money, Facet.ELEMENT) == {"N": "5"}


def test_a_union_of_a_union_with_itself_is_one_type(stored):
    """A literal of truth values and an optional of an optional are as plain as they look."""
    assert stored(Literal[True, False]).write(value=False) == {"BOOL": False}
    alias = str | None
    assert stored(alias | None).write(None) is None


def test_misfits_inside_a_union_say_where(stored):
    """What is wrong inside a member of a union is named by its path."""
    with pytest.raises(MarshallingError, match=r"^Thing\.value\.sku: expected str, found int"):
        stored(Line | str).write(Line(sku=5))
    with pytest.raises(MarshallingError, match=r'^Thing\.value\["a"\]: expected int, found str'):
        stored(dict[str, int] | str).write({"a": "b"})
    with pytest.raises(MarshallingError, match=r"^Thing\.value\.tags: expected set\[str\], found list"):
        stored(Line | Other).write(Line(sku="s", tags=["a"]))


def test_keys_of_pages_are_told_apart(codec_of):
    """What identifies an item is equal when the service takes the keys for the same; a missing part is named."""
    codec = codec_of(Order)
    one, same = ({"customer_id": {"S": "c"}, "number": {"N": text}, "x": {"S": text}} for text in ("1", "1.0"))
    assert codec.identify(one) == codec.identify(same)
    assert codec.identify(one) != codec.identify(one | {"number": {"N": "2"}})
    assert codec.identify_all([one, same]) == [codec.identify(one), codec.identify(same)]
    with pytest.raises(MarshallingError, match=r"^Order\.number: expected a key attribute"):
        codec.identify({"customer_id": {"S": "c"}})


def test_types_that_are_no_classes_are_refused(stored):
    """A special form that means nothing to DynamoDB is refused like a class."""
    with pytest.raises(ModelError, match="has no place in DynamoDB"):
        stored(Literal)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="`type X = …` is Python 3.12's")
def test_type_aliases_stand_for_their_types(stored):
    """An alias of Python 3.12, generic ones too, is what it stands for."""
    names: dict[str, Any] = {}
    exec("type Names = list[str]\ntype Pair[T] = tuple[T, T]", names)  # noqa: S102  (older Pythons cannot parse it)
    assert stored(names["Names"]).write(["a"]) == {"L": [{"S": "a"}]}
    assert stored(names["Pair"][int]).write((1, 2)) == {"L": [{"N": "1"}, {"N": "2"}]}


def test_stored_types_are_named():
    """Messages name what is stored by DynamoDB's type descriptors."""
    assert wire_name({"S": "x"}) == "S"
    assert wire_name("x") == "no attribute value"
    assert encode_any(value=True) == {"BOOL": True}


class Ordered(set[Any]):
    """A set that is iterated in the order of its making."""

    def __init__(self, *elements: Any) -> None:
        super().__init__(elements)
        self.elements = elements

    def __iter__(self) -> Any:
        return iter(self.elements)


class Numbers(list[Any]):
    pass


class Day(date):
    pass


def test_mixed_sets_are_refused_whatever_comes_first():
    """A set of text and numbers is refused, also where text is met first."""
    for elements in (("a", 1), (1, "a")):
        with pytest.raises(MarshallingError, match="found a set of N and S"):
            encode_any(Ordered(*elements))


def test_relatives_of_declared_types_are_stored_as_them(stored):
    """Subclasses of lists and dates are stored like their bases, and are checked like them."""
    assert stored(list[int]).write(Numbers([1])) == {"L": [{"N": "1"}]}
    assert stored(list[int] | str).write(Numbers([1])) == {"L": [{"N": "1"}]}
    with pytest.raises(MarshallingError, match=r"^Thing\.value\[0\]: expected int, found str"):
        stored(list[int] | str).write(Numbers(["a"]))
    assert stored(date).write(Day(2026, 1, 31)) == {"S": "2026-01-31"}


@pytest.mark.parametrize("text", ["x.1", "1.1.1", "--0.5"])
def test_text_that_only_looks_like_a_fraction_is_none(text):
    """Whatever the caller's decimal context makes of it, text that is no number is refused."""
    for traps in ([], [decimal.InvalidOperation]):
        with (
            decimal.localcontext(decimal.Context(traps=traps)),
            pytest.raises(MarshallingError, match="expected a number"),
        ):
            decode_any({"N": text})


def test_half_a_pair_of_hooks_works_the_careful_way(stored):
    """When another element does not fit, the one direction that is the library's is done carefully too."""
    writing, reading = cattrs.Converter(), cattrs.Converter()
    writing.register_unstructure_hook(int, str)
    reading.register_structure_hook(int, lambda value, _: int(value))
    with pytest.raises(MarshallingError, match=r"^Thing\.value\[1\]: expected N, found BOOL"):
        stored(list[int], writing).read({"L": [{"N": "1"}, {"BOOL": True}]})
    with pytest.raises(MarshallingError, match=r"^Thing\.value\[1\]: expected int, found str"):
        stored(list[int], reading).write([1, "a"])


def test_declared_unions_are_read_the_careful_way(stored):
    """A class that a Literal names is read carefully where one of its members asks for it."""

    @attrs.define
    class Cat:
        lives: int
        kind: Literal["cat"] = "cat"

    @attrs.define
    class Dog:
        kind: Literal["dog"] = "dog"

    assert stored(Cat | Dog).read({"M": {"kind": {"S": "cat"}, "lives": {"N": "9.0"}}}) == Cat(9)


def test_operands_and_changes_inside_optional_elements(codec_of):
    """A path through an element that may be None leads on; a map of optional documents changes entry by entry."""

    @entity("things")
    class Thing:
        id: PartitionKey[str]
        lines: Attribute[list[Line | None]] = attribute(factory=list)
        named: Attribute[dict[str, Line | None]] = attribute(factory=dict)

    codec = codec_of(Thing)
    assert codec.encode_operand("s", Thing.lines[0][Line.sku], Facet.WHOLE) == {"S": "s"}
    with pytest.raises(MarshallingError, match="expected str, found int"):
        codec.encode_operand(5, Thing.lines[0][Line.sku], Facet.WHOLE)
    old, new = (codec.encode(Thing(id="1", named={"a": Line(sku=sku)})) for sku in ("s", "t"))
    (clause,) = diff(codec, old, new).clauses.clauses
    assert clause.path.segments == ("named", "a", "sku")


def test_shapes_tell_what_is_inside(codec_of):
    """What lies inside an attribute is known by name and position, through optionals, unions and collections."""

    @entity("things")
    class Thing:
        id: PartitionKey[str]
        line: Attribute[Line | None]
        either: Attribute[Line | Other | str]
        pair: Attribute[tuple[int, str]]
        several: Attribute[set | None] = attribute(default=None)
        mixed: Attribute[list[int] | dict[str, bool] | None] = attribute(default=None)

    codec = codec_of(Thing)
    shapes = {name: codec.shape_of(name) for name in ("line", "either", "pair", "several", "mixed")}
    assert shapes["line"].member("sku").python == "str"
    assert shapes["line"].member("nothing") is None
    assert shapes["either"].member("iban").python == "str"
    assert shapes["either"].element() is None
    assert shapes["pair"].member(1).python == "str"
    assert shapes["pair"].member(2) is None
    assert shapes["several"].element().python == "Any"
    assert shapes["mixed"].member(0).python == "int"
    assert shapes["mixed"].member("a").python == "bool"
    assert shapes["mixed"].element().python == "int"
    assert codec.shape_of("undeclared") is None
    optional = codec_of(dict_schema("t", partition_key="pk")).shape_of("pk")
    assert optional.python == "Any"


def test_shapes_of_optional_elements_tell_what_is_inside(stored):
    """An element that may be None is stored as its type or as ``NULL``."""
    element = stored(list[Line | None]).codec.shape_of("value").element()
    assert element.tags == {"M", "NULL"}
    assert element.member("sku").python == "str"
    assert stored(list[list[int] | None]).codec.shape_of("value").element().element().python == "int"


def test_a_set_that_is_absent_by_mistake_is_named(stored):
    """Inside a tuple a set must be there, and the message says how it is stored."""
    with pytest.raises(MarshallingError, match=r"^Thing\.value\[0\]: expected SS, found S"):
        stored(list[set[str] | None]).read({"L": [{"S": "x"}]})
    with pytest.raises(MarshallingError, match=r"^Thing\.value\[…\]: expected a number, found text that is none"):
        stored(set).read({"NS": ["x"]})


def test_a_page_of_one_key_is_told_apart_too(codec_of):
    """Of a table whose key is one attribute, items are identified by that."""
    codec = codec_of(dict_schema("legacy", partition_key="pk"))
    assert codec.identify({"pk": {"S": "a"}, "x": {"N": "1"}}) == codec.identify({"pk": {"S": "a"}})
    assert codec.identify({"pk": {"N": "1.0"}}) == codec.identify({"pk": {"N": "1"}})
    for page in (
        [{"pk": {"S": "a"}}, {"pk": {"S": "b"}}],
        [{"pk": {"S": "a"}}, {"pk": {"N": "1"}}, {"pk": {"B": "eA=="}}],
    ):
        assert codec.identify_all(page) == [codec.identify(item) for item in page]
    with pytest.raises(MarshallingError, match=r"^legacy\.pk: expected a key attribute"):
        codec.identify({})


def test_types_that_are_special_forms_are_refused(stored):
    """``Never`` has no values to store."""
    with pytest.raises(ModelError, match=r"^Thing\.value: .*Never has no place in DynamoDB"):
        stored(Never)


def test_a_key_with_hooks_that_was_never_set_is_named(codec_of, converter):
    """The message for a missing key value names its type, whoever stores it."""

    @entity("purses")
    class Purse:
        money: PartitionKey[Money]

    with pytest.raises(MarshallingError, match=r"^Purse\.money: expected Money, found an attribute that was never set"):
        codec_of(schema_of(Purse), converter).encode(object.__new__(Purse))
