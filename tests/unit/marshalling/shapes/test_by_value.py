import types
from collections import OrderedDict, namedtuple
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from mizzle_async import ExpressionError, LimitError, MarshallingError
from mizzle_async.marshalling import decode_any, encode_any
from mizzle_async.model import dict_schema

LEGACY = dict_schema("legacy", partition_key="pk", sort_key="sk")
TYPED = dict_schema("typed", partition_key="pk", partition_key_type=str, sort_key="sk", sort_key_type=int)
KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}
Point = namedtuple("Point", "x y")  # noqa: PYI024  (the untyped kind, too)


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a", {"S": "a"}),
        ("ä", {"S": "ä"}),
        (Text("a"), {"S": "a"}),
        (1, {"N": "1"}),
        (-(10**38), {"N": "-1" + "0" * 38}),
        (0.5, {"N": "0.5"}),
        (Decimal("0.50"), {"N": "0.5"}),
        (True, {"BOOL": True}),
        (None, {"NULL": True}),
        (b"x", {"B": "eA=="}),
        (bytearray(b"x"), {"B": "eA=="}),
        (memoryview(b"x"), {"B": "eA=="}),
        ([1, "a", [None]], {"L": [{"N": "1"}, {"S": "a"}, {"L": [{"NULL": True}]}]}),
        ((1,), {"L": [{"N": "1"}]}),
        (Point(1, 2), {"L": [{"N": "1"}, {"N": "2"}]}),
        ({"a": {"ä": 1}}, {"M": {"a": {"M": {"ä": {"N": "1"}}}}}),
        (OrderedDict(a=1), {"M": {"a": {"N": "1"}}}),
        (types.MappingProxyType({"a": 1}), {"M": {"a": {"N": "1"}}}),
        ({Text("a"): 1}, {"M": {"a": {"N": "1"}}}),
        ({"b", "a"}, {"SS": ["a", "b"]}),
        ({"ä"}, {"SS": ["ä"]}),
        ({1, Decimal("0.5")}, {"NS": ["0.5", "1"]}),
        (frozenset({b"x"}), {"BS": ["eA=="]}),
        (set(), {"L": []}),
        ({"a": set()}, {"M": {"a": {"L": []}}}),
    ],
)
def test_values_are_stored_by_what_they_are(value, found):
    """A value that nobody declared is stored as the type that DynamoDB has for it."""
    assert encode_any(value) == found
    assert all(type(text) is str for text in encode_any(value))


@pytest.mark.parametrize(
    ("found", "value"),
    [
        ({"S": ""}, ""),
        ({"N": "5"}, 5),
        ({"N": "-5"}, -5),
        ({"N": "5.0"}, 5),
        ({"N": "0.25"}, Decimal("0.25")),
        ({"N": "-0.25"}, Decimal("-0.25")),
        ({"N": "1E2"}, 100),
        ({"N": "1" + "0" * 125}, 10**125),
        ({"BOOL": False}, False),
        ({"NULL": True}, None),
        ({"B": "eA=="}, b"x"),
        ({"L": [{"N": "1"}, {"S": "a"}]}, [1, "a"]),
        ({"M": {"a": {"S": "b"}, "c": {"M": {}}}}, {"a": "b", "c": {}}),
        ({"SS": ["a"]}, {"a"}),
        ({"NS": ["1", "0.5"]}, {1, Decimal("0.5")}),
        ({"BS": ["eA=="]}, {b"x"}),
    ],
)
def test_values_are_read_by_what_they_are(found, value):
    """Whole numbers are ``int``, others ``Decimal``."""
    back = decode_any(found)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    "junk", [{}, {"X": 1}, {"BS": ["?"]}, {"B": "a"}, {"N": "x"}, {"N": 5}, {"L": 5}, 5, "S", None]
)
def test_junk_is_no_attribute_value(junk):
    """What is no attribute value raises a MarshallingError, whatever it is."""
    with pytest.raises(MarshallingError, match=r"^value"):
        decode_any(junk)


@pytest.mark.parametrize(
    ("value", "error", "sentence"),
    [
        (datetime.now(UTC), MarshallingError, "value: expected a type that is stored by value, found datetime"),
        ([1, object()], MarshallingError, "value[1]: expected a type that is stored by value, found object"),
        ({"a": {1: 2}}, MarshallingError, 'value["a"][…]: expected a name of type str, found int'),
        ({"": 1}, LimitError, 'value[""]: expected a name of 1 to 65,535 bytes, found one of 0'),
        ({"ä" * 32_768: 1}, LimitError, "expected a name of 1 to 65,535 bytes, found one of 65,536"),
        ({"\ud800": 1}, MarshallingError, "value['\\ud800']: expected a name that is text"),
        ({"a", 1}, MarshallingError, "value: expected a set of text, of numbers or of bytes"),
        ([10**5000], MarshallingError, "value[0]: expected a number of at most 38 digits"),
        ({"a": -(10**5000)}, MarshallingError, 'value["a"]: expected a number of at most 38 digits'),
        ({True}, MarshallingError, "value: expected a set of text, of numbers or of bytes"),
        ({"\ud800"}, MarshallingError, "half of a surrogate pair"),
        (float("nan"), MarshallingError, "value: expected a finite number, found NaN"),
        (10**39 - 1, MarshallingError, "value: expected a number of at most 38 digits"),
    ],
)
def test_what_has_no_place_is_refused(value, error, sentence):
    """A value that DynamoDB has no type for, or would refuse, raises and names the path."""
    with pytest.raises(error) as caught:
        encode_any(value)
    assert sentence in str(caught.value)


def nested(levels: int, inner: Any, make: Any) -> Any:
    """Return a value inside so many lists or maps."""
    for _ in range(levels):
        inner = make(inner)
    return inner


@pytest.mark.parametrize("make", [lambda inner: [inner], lambda inner: {"a": inner}])
def test_nesting_has_a_limit(make):
    """31 lists or maps inside the item are accepted, 32 are not; endless ones end there too."""
    assert decode_any(encode_any(nested(31, 5, make))) == nested(31, 5, make)
    with pytest.raises(LimitError, match="at most 32 levels of nesting, the item included, found more"):
        encode_any(nested(31, [], make))
    endless: list[Any] = []
    endless.append(make(endless))
    with pytest.raises(LimitError, match="at most 32 levels"):
        encode_any(endless)


def test_dicts_are_stored_and_read_by_value(codec_of):
    """A table without a class takes dicts; a top-level empty set is absent, as it would be with a class."""
    codec = codec_of(LEGACY)
    values = {"pk": "a", "sk": "b", "n": 1, "tags": {"x"}, "none": set(), "inner": {"none": set()}}
    item = codec.encode(values)
    assert item == KEY | {"n": {"N": "1"}, "tags": {"SS": ["x"]}, "inner": {"M": {"none": {"L": []}}}}
    assert codec.decode(item) == {"pk": "a", "sk": "b", "n": 1, "tags": {"x"}, "inner": {"none": []}}
    assert codec.encode(types.MappingProxyType(values)) == item
    assert codec.decode_at(("n",), {"N": "1"}) == 1
    assert codec.decode_at(("inner", "a", 0), {"S": "x"}) == "x"


def test_keys_of_dicts(codec_of):
    """The key of a dict is checked like any other; of no declared type, it may be text, a number or bytes."""
    codec = codec_of(LEGACY)
    assert codec.encode_key({"pk": "a", "sk": "b"}) == KEY
    assert codec.encode_key({"pk": 5, "sk": b"x"}) == {"pk": {"N": "5"}, "sk": {"B": "eA=="}}
    assert codec.key_of({"pk": "a", "sk": "b", "n": 1}) == KEY
    assert codec.key_of_item(KEY | {"n": {"N": "1"}}) == KEY
    typed = codec_of(TYPED)
    assert typed.encode({"pk": "a", "sk": 1}) == {"pk": {"S": "a"}, "sk": {"N": "1"}}


@pytest.mark.parametrize(
    ("schema", "values", "error", "sentence"),
    [
        (LEGACY, {"pk": "a"}, MarshallingError, 'legacy["sk"]: expected a key attribute, found no such entry'),
        (TYPED, {"pk": 5, "sk": 5}, MarshallingError, "text unless `client.table(…, partition_key_type=…)`"),
        (
            LEGACY,
            {"pk": [1], "sk": "b"},
            MarshallingError,
            "expected a partition key stored as S, N or B, found list, stored as L",
        ),
        (LEGACY, {"pk": None, "sk": "b"}, MarshallingError, "found NoneType, stored as NULL"),
        (
            LEGACY,
            {"pk": "", "sk": "b"},
            LimitError,
            'legacy["pk"]: expected a partition key of 1 to 2,048 bytes, found one of 0',
        ),
        (
            LEGACY,
            {"pk": "a", "sk": "ä" * 513},
            LimitError,
            "expected a sort key of 1 to 1,024 bytes, found one of 1,026",
        ),
        (LEGACY, {"pk": "a", "sk": b""}, LimitError, "found one of 0"),
        (LEGACY, {"pk": "a", "sk": "b", 5: 1}, MarshallingError, "legacy[…]: expected a name of type str, found int"),
        (
            LEGACY,
            {"pk": "a", "sk": "b", "x": object()},
            MarshallingError,
            'legacy["x"]: expected a type that is stored by',
        ),
        (LEGACY, 5, MarshallingError, "legacy: expected dict, found int"),
        (TYPED, {"pk": "a", "sk": "1"}, MarshallingError, 'typed["sk"]: expected int, found str'),
    ],
)
def test_dicts_that_cannot_be_stored(codec_of, schema, values, error, sentence):
    """A dict without its key, with a key of a wrong type or size, or with what cannot be stored, raises."""
    with pytest.raises(error) as caught:
        codec_of(schema).encode(values)
    assert sentence in str(caught.value)


def test_keys_of_dicts_have_exactly_their_attributes(codec_of):
    """A missing or a further name raises."""
    with pytest.raises(ExpressionError, match="legacy: the key is pk and sk; sk is missing, x is no part of it"):
        codec_of(LEGACY).encode_key({"pk": "a", "x": "b"})


def test_dicts_that_cannot_be_read_are_named(codec_of):
    """An attribute that is no attribute value raises with its name, and the item's key."""
    with pytest.raises(MarshallingError, match=r'^legacy\["x"\]: expected an attribute value') as caught:
        codec_of(LEGACY).decode(KEY | {"x": {"X": 1}})
    assert caught.value.key == KEY
