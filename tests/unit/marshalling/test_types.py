import dataclasses
from collections.abc import Mapping, MutableSequence, MutableSet, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum
from typing import Annotated, Any, Literal, NewType, TypeVar
from uuid import UUID

import attrs
import pytest

from mizzle_async import MarshallingError
from mizzle_async.model import Attribute, document


class Status(StrEnum):
    OPEN = "open"
    PAID = "paid"


class Level(IntEnum):
    LOW = 0
    HIGH = 9


class Color(Enum):
    RED = "rot"
    BLUE = "blau"


class Rate(Enum):
    HALF = Decimal("0.5")
    FULL = Decimal(1)


class Octets(Enum):
    NONE = b""
    ONE = b"\x01"


class Lenient(Enum):
    KNOWN = "known"
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> "Lenient":
        return cls.OTHER


class Access(Flag):
    READ = 1
    WRITE = 2


class Bits(IntFlag):
    A = 1
    B = 4


class Email(str):
    __slots__ = ()


class Cents(int):
    pass


@document
class Line:
    sku: Attribute[str]
    price: Attribute[Decimal]


@attrs.frozen
class Point:
    x: int
    y: int = 0


@dataclasses.dataclass
class Box:
    width: int
    tags: set[str] = dataclasses.field(default_factory=set)


@attrs.define
class Tree:
    name: str
    children: "list[Tree]" = attrs.Factory(list)


CustomerId = NewType("CustomerId", str)
Bound = TypeVar("Bound", bound=int)
Free = TypeVar("Free")
TWO_HOURS_EAST = timezone(timedelta(hours=2))
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
IDENTIFIER = UUID("12345678-90ab-cdef-1234-567890abcdef")

ROUND_TRIPS = [
    # text, bytes, truth
    (str, "", {"S": ""}),
    (str, "ä𝄞\x00", {"S": "ä𝄞\x00"}),
    (bytes, b"", {"B": ""}),
    (bytes, b"\x00\x01\x02", {"B": "AAEC"}),
    (bool, True, {"BOOL": True}),
    (bool, False, {"BOOL": False}),
    (Email, Email("a@example.com"), {"S": "a@example.com"}),
    (CustomerId, CustomerId("c1"), {"S": "c1"}),
    (Annotated[str, "a note"], "x", {"S": "x"}),
    # numbers
    (int, 0, {"N": "0"}),
    (int, -12, {"N": "-12"}),
    (int, 10**38, {"N": "1" + "0" * 38}),
    (int, -(10**125), {"N": "-1" + "0" * 125}),
    (Cents, Cents(5), {"N": "5"}),
    (float, 0.1, {"N": "0.1"}),
    (float, 3.0, {"N": "3"}),
    (float, 1e22, {"N": "10000000000000000000000"}),
    (float, -1.5e-7, {"N": "-0.00000015"}),
    (float, 0.30000000000000004, {"N": "0.30000000000000004"}),
    (Decimal, Decimal("129.95"), {"N": "129.95"}),
    (Decimal, Decimal("1E-130"), {"N": "0." + "0" * 129 + "1"}),
    (Decimal, Decimal("9." + "9" * 37 + "E+125"), {"N": "9" * 38 + "0" * 88}),
    (int | float, 2, {"N": "2"}),
    (int | float, 2.5, {"N": "2.5"}),
    (int | Decimal, Decimal("2.5"), {"N": "2.5"}),
    # time
    (datetime, NOON, {"S": "2026-01-31T12:00:00.000000Z"}),
    (datetime, NOON.replace(microsecond=5), {"S": "2026-01-31T12:00:00.000005Z"}),
    (datetime, datetime(1, 1, 1, tzinfo=UTC), {"S": "0001-01-01T00:00:00.000000Z"}),
    (date, date(2026, 1, 31), {"S": "2026-01-31"}),
    (timedelta, timedelta(days=1, microseconds=1), {"N": "86400.000001"}),
    (timedelta, -timedelta(milliseconds=1500), {"N": "-1.5"}),
    (timedelta, timedelta(), {"N": "0"}),
    (UUID, IDENTIFIER, {"S": "12345678-90ab-cdef-1234-567890abcdef"}),
    # choices
    (Status, Status.PAID, {"S": "paid"}),
    (Level, Level.LOW, {"N": "0"}),
    (Level, Level.HIGH, {"N": "9"}),
    (Color, Color.BLUE, {"S": "blau"}),
    (Rate, Rate.HALF, {"N": "0.5"}),
    (Octets, Octets.ONE, {"B": "AQ=="}),
    (Access, Access.READ | Access.WRITE, {"N": "3"}),
    (Bits, Bits.A | Bits.B, {"N": "5"}),
    (Literal["a", "b"], "b", {"S": "b"}),
    (Literal[1, 2], 2, {"N": "2"}),
    (Literal[True], True, {"BOOL": True}),
    (Literal[b"x"], b"x", {"B": "eA=="}),
    (Literal["a", 1], 1, {"N": "1"}),
    (Literal["a", None], "a", {"S": "a"}),  # noqa: PYI061  (both spellings)
    (Literal["a", None], None, None),  # noqa: PYI061  (both spellings)
    (Literal[Status.OPEN], Status.OPEN, {"S": "open"}),
    # sets
    (set[str], {"b", "a", "ä"}, {"SS": ["a", "b", "ä"]}),
    (set[str], set(), None),
    (set[int], {10, 9}, {"NS": ["10", "9"]}),
    (set[bytes], {b"x", b""}, {"BS": ["", "eA=="]}),
    (set[Status], {Status.OPEN}, {"SS": ["open"]}),
    (set[datetime], {NOON}, {"SS": ["2026-01-31T12:00:00.000000Z"]}),
    (frozenset[str], frozenset({"a"}), {"SS": ["a"]}),
    (frozenset[Decimal], frozenset({Decimal("0.5")}), {"NS": ["0.5"]}),
    (frozenset[str], frozenset(), None),
    (AbstractSet[str], frozenset({"a"}), {"SS": ["a"]}),
    (MutableSet[str], {"a"}, {"SS": ["a"]}),
    (set, {"a", "b"}, {"SS": ["a", "b"]}),
    (set, {1, Decimal("0.5")}, {"NS": ["0.5", "1"]}),
    (set[Any], {b"a"}, {"BS": ["YQ=="]}),
    (set, set(), None),
    # lists and maps
    (list[int], [1, 2], {"L": [{"N": "1"}, {"N": "2"}]}),
    (list[int], [], {"L": []}),
    (list[int | None], [1, None], {"L": [{"N": "1"}, {"NULL": True}]}),
    (list[set[str]], [{"a"}, set()], {"L": [{"SS": ["a"]}, {"L": []}]}),
    (list[frozenset[int]], [frozenset()], {"L": [{"L": []}]}),
    (list, ["a", 1, None], {"L": [{"S": "a"}, {"N": "1"}, {"NULL": True}]}),
    (Sequence[str], ["a"], {"L": [{"S": "a"}]}),
    (MutableSequence[str], ["a"], {"L": [{"S": "a"}]}),
    (tuple[int, ...], (1, 2), {"L": [{"N": "1"}, {"N": "2"}]}),
    (tuple[str, int], ("a", 1), {"L": [{"S": "a"}, {"N": "1"}]}),
    (tuple[()], (), {"L": []}),
    (tuple, ("a",), {"L": [{"S": "a"}]}),
    (dict[str, int], {"a": 1}, {"M": {"a": {"N": "1"}}}),
    (dict[str, int], {}, {"M": {}}),
    (dict[str, set[str]], {"a": set()}, {"M": {"a": {"L": []}}}),
    (dict[Status, int], {Status.OPEN: 1}, {"M": {"open": {"N": "1"}}}),
    (dict[UUID, int], {IDENTIFIER: 1}, {"M": {str(IDENTIFIER): {"N": "1"}}}),
    (Mapping[str, list[int]], {"ä": [1]}, {"M": {"ä": {"L": [{"N": "1"}]}}}),
    (dict, {"a": {"b": [1]}}, {"M": {"a": {"M": {"b": {"L": [{"N": "1"}]}}}}}),
    # classes
    (Line, Line(sku="s", price=Decimal(2)), {"M": {"sku": {"S": "s"}, "price": {"N": "2"}}}),
    (list[Line], [Line(sku="s", price=Decimal(2))], {"L": [{"M": {"sku": {"S": "s"}, "price": {"N": "2"}}}]}),
    (Point, Point(1), {"M": {"x": {"N": "1"}, "y": {"N": "0"}}}),
    (Box, Box(1, {"a"}), {"M": {"width": {"N": "1"}, "tags": {"SS": ["a"]}}}),
    (Box, Box(1), {"M": {"width": {"N": "1"}}}),
    (
        Tree,
        Tree("a", [Tree("b")]),
        {"M": {"name": {"S": "a"}, "children": {"L": [{"M": {"name": {"S": "b"}, "children": {"L": []}}}]}}},
    ),
    # optional and undeclared
    (str | None, None, None),
    (str | None, "", {"S": ""}),
    (set[str] | None, {"a"}, {"SS": ["a"]}),
    (list[int] | None, [], {"L": []}),
    (Point | None, Point(1, 2), {"M": {"x": {"N": "1"}, "y": {"N": "2"}}}),
    (dict[str, int | None], {"a": None}, {"M": {"a": {"NULL": True}}}),
    (Any, "x", {"S": "x"}),
    (Any, None, {"NULL": True}),
    (object, {"a": [1, Decimal("0.5")]}, {"M": {"a": {"L": [{"N": "1"}, {"N": "0.5"}]}}}),
    (Bound, 1, {"N": "1"}),
    (Free, 1, {"N": "1"}),
    # told apart by how they are stored
    (int | str, 1, {"N": "1"}),
    (int | str, "1", {"S": "1"}),
    (str | list[str] | None, ["a"], {"L": [{"S": "a"}]}),
    (bool | Decimal, True, {"BOOL": True}),
    (Point | str, "x", {"S": "x"}),
    (Point | str, Point(1), {"M": {"x": {"N": "1"}, "y": {"N": "0"}}}),
    (dict[str, int] | int, {"a": 1}, {"M": {"a": {"N": "1"}}}),
    (set[str] | int, {"a"}, {"SS": ["a"]}),
    (set[str] | int, set(), {"L": []}),
    (Status | int, Status.OPEN, {"S": "open"}),
]


@pytest.mark.parametrize(("kind", "value", "expected"), ROUND_TRIPS)
def test_a_value_is_stored_and_read_back(stored, kind, value, expected):
    """A value in normal form is stored as documented, and comes back equal and of the same type."""
    attribute = stored(kind)
    assert attribute.write(value) == expected
    back = attribute.read(expected)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("kind", "value", "normal"),
    [
        (bytes, bytearray(b"x"), b"x"),
        (bytes, memoryview(b"xyz")[::2], b"xz"),
        (float, -0.0, 0.0),
        (float, 2, 2.0),
        (Decimal, Decimal("1.10"), Decimal("1.1")),
        (Decimal, Decimal("-0.00"), Decimal(0)),
        (Decimal, 7, Decimal(7)),
        (int | float, 2.0, 2),
        (datetime, datetime(2026, 1, 31, 14, tzinfo=TWO_HOURS_EAST), NOON),
        (Sequence[int], (1, 2), [1, 2]),
        (set[str], frozenset({"a"}), {"a"}),
        (Any, (1, 2), [1, 2]),
        (Any, [set()], [[]]),
        (Any, 0.5, Decimal("0.5")),
        (Any, Status.OPEN, "open"),
        (Any, Level.HIGH, 9),
        (str, Status.OPEN, "open"),
        (int, Level.HIGH, 9),
        (set[str] | None, set(), None),
        (dict[str, int], {Status.OPEN: 1}, {"open": 1}),
    ],
)
def test_a_value_takes_its_normal_form(stored, kind, value, normal):
    """Storing and reading gives the documented normal form, and doing it again changes nothing."""
    attribute = stored(kind)
    once = attribute.read(attribute.write(value))
    assert once == normal
    assert type(once) is type(normal)
    assert attribute.read(attribute.write(once)) == normal
    assert attribute.write(once) == attribute.write(value)


@pytest.mark.parametrize(
    ("kind", "found", "value"),
    [
        (int, {"N": "1E3"}, 1000),
        (int, {"N": "1.0"}, 1),
        (int, {"N": "+5"}, 5),
        (int, {"N": "-0"}, 0),
        (float, {"N": "1E3"}, 1000.0),
        (float, {"N": "0.5000000000000000000000"}, 0.5),
        (float, {"N": "9007199254740992"}, 9007199254740992.0),
        (float, {"N": "9007199254740993"}, 9007199254740992.0),
        (float, {"N": "0.1234567890123456789"}, 0.12345678901234568),
        (float, {"N": "0.30000000000000000000000000000000000001"}, 0.3),
        (Decimal, {"N": "1" + "0" * 38}, Decimal(10) ** 38),
        (Level, {"N": "9.0"}, Level.HIGH),
        (Lenient, {"S": "new"}, Lenient.OTHER),
        (datetime, {"S": "2026-01-31T14:00:00+02:00"}, NOON),
        (datetime, {"S": "2026-01-31T12:00:00.000000000Z"}, NOON),
        (datetime, {"S": "2026-01-31T12:00Z"}, NOON),
        (UUID, {"S": "{12345678-90AB-CDEF-1234-567890ABCDEF}"}, IDENTIFIER),
        (UUID, {"S": "12345678-90AB-CDEF-1234-567890ABCDEF"}, IDENTIFIER),
        (str | None, {"NULL": True}, None),
        (set[str] | None, {"NULL": True}, None),
        (set[str], {"L": []}, set()),
        (set, {"L": []}, set()),
        (list[str | None], {"L": [{"NULL": True}]}, [None]),
        (Any, {"N": "1.0"}, 1),
        (Any, {"N": "-5"}, -5),
        (Any, {"N": "1E-3"}, Decimal("0.001")),
        (Any, {"BS": ["YQ=="]}, {b"a"}),
        (Any, {"B": "YQ=="}, b"a"),
        (int | float, {"N": "1.0"}, 1),
    ],
)
def test_other_forms_are_understood(stored, kind, found, value):
    """What another client may have written, or another engine may answer, is read as what it means."""
    back = stored(kind).read(found)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("kind", "value", "sentence"),
    [
        (str, 5, "expected str, found int"),
        (str, None, "expected str, found None"),
        (str, b"x", "expected str, found bytes"),
        (str, "\ud800", "expected text, found half of a surrogate pair; UTF-8 cannot carry it"),
        (bytes, "x", "expected bytes, found str"),
        (bool, 1, "expected bool, found int"),
        (int, True, "expected int, found bool"),
        (int, "1", "expected int, found str"),
        (int, 1.0, "expected int, found float"),
        (float, True, "expected float, found bool"),
        (float, "1", "expected float, found str"),
        (float, 2**53 + 1, "expected a number that a float holds, found N with more digits"),
        (float, float("nan"), "expected a finite number, found NaN"),
        (float, float("-inf"), "expected a finite number, found infinity"),
        (Decimal, 0.1, "expected Decimal, found float; make it from text"),
        (Decimal, True, "expected Decimal, found bool"),
        (Decimal, "1", "expected Decimal, found str"),
        (Decimal, Decimal("NaN"), "expected a finite number, found NaN"),
        (Decimal, Decimal("sNaN"), "expected a finite number, found NaN"),
        (Decimal, Decimal("Infinity"), "expected a finite number, found infinity"),
        (Decimal, Decimal("1." + "1" * 38), "found one of 39 digits; round it, or store it as text"),
        (Decimal, Decimal("1E126"), "between 1E-130 and 9.99…E+125, found a larger one"),
        (Decimal, Decimal("1E-131"), "between 1E-130 and 9.99…E+125, found a smaller one"),
        (int, 10**38 + 1, "found one of 39 digits"),
        pytest.param(int, 10**5000, "found a larger one", id="int-of-5000-digits"),
        (int | float, "1", "expected int | float, found str"),
        (datetime, NOON.replace(tzinfo=None), "expected a datetime with a time zone, found a naive one; give it"),
        (datetime, datetime(1, 1, 1, tzinfo=TWO_HOURS_EAST), "between the years 1 and 9999 in UTC, found one outside"),
        (datetime, date(2026, 1, 1), "expected datetime, found date"),
        (date, NOON, "expected date, found datetime"),
        (timedelta, 5, "expected timedelta, found int"),
        (UUID, str(IDENTIFIER), "expected UUID, found str"),
        (Status, "open", "expected Status, found str"),
        (Level, 9, "expected Level, found int"),
        (Access, 1, "expected Access, found int"),
        (Email, "a@example.com", "expected Email, found str"),
        (Literal["a"], "b", "expected a value of Literal['a'], found another"),
        (Literal[1], True, "expected int, found bool"),
        (set[str], ["a"], "expected set[str], found list"),
        (set[str], None, "expected set[str], found None"),
        (set[str], [], "expected set[str], found list"),
        (set[str], {1}, "value[…]: expected str, found int"),
        (set[int], {"a"}, "value[…]: expected int, found str"),
        (set, {1, "a"}, "expected a set of text, of numbers or of bytes, found a set of N and S; store it as a list"),
        (set, {("a",)}, "found a set of L; store it as a list"),
        (set, {object()}, "value[…]: expected a type that is stored by value, found object"),
        (set, 5, "expected set[Any], found int"),
        (list[int], (1,), "expected list[int], found tuple"),
        (list[int], [1, "a"], "value[1]: expected int, found str"),
        (list[list[int]], [[1], ["a"]], "value[1][0]: expected int, found str"),
        (tuple[int, ...], [1], "expected tuple[int, ...], found list"),
        (tuple[int, str], [1, "a"], "expected tuple[int, str], found list"),
        (tuple[int, str], (1, 2), "value[1]: expected str, found int"),
        (tuple[int, str], (1,), "expected a tuple of 2, found one of 1"),
        (dict[str, int], [], "expected dict[str, int], found list"),
        (dict[str, int], {"a": "b"}, 'value["a"]: expected int, found str'),
        (dict[str, int], {1: 1}, "value[…]: expected a name of type str, found int"),
        (dict[str, int], {"\ud800": 1}, "expected a name that is text, found half of a surrogate pair"),
        (Line, Line(sku="s", price=1.5), "value.price: expected Decimal, found float"),
        (Line, Point(1), "expected Line, found Point"),
        (Point | str, 5, "expected Point | str, found int"),
        (int | str, b"x", "expected int | str, found bytes"),
        (list[int] | str, ["a"], "value[0]: expected int, found str"),
        (str | None, 5, "expected str, found int"),
        (Any, NOON, "expected a type that is stored by value, found datetime; declare the attribute's type"),
        (Any, Point(1), "expected a type that is stored by value, found Point"),
        (Any, [1, {"a": NOON}], 'value[1]["a"]: expected a type that is stored by value, found datetime'),
        (Any, {1: 2}, "value[…]: expected a name of type str, found int"),
        (Any, "\ud800", "found half of a surrogate pair"),
        (Any, {"a": "\ud800"}, 'value["a"]: expected text, found half of a surrogate pair'),
    ],
)
def test_a_value_of_another_type_is_refused(stored, kind, value, sentence):
    """A value that is not of its attribute's type raises, naming entity, path and types."""
    with pytest.raises(MarshallingError, match=r"^Thing\.value") as caught:
        stored(kind).write(value)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "found", "sentence"),
    [
        (str, {"N": "1"}, "expected S, found N"),
        (str, {"NULL": True}, "expected S, found NULL"),
        (str, None, "expected S, found no such attribute"),
        (bytes, {"S": "x"}, "expected B, found S"),
        (bytes, {"B": "?"}, "expected base64 text, found text that is none"),
        (Any, {"B": "?"}, "expected base64 text, found text that is none"),
        (bool, {"N": "1"}, "expected BOOL, found N"),
        (int, {"S": "1"}, "expected N, found S"),
        (int, {"N": "2.5"}, "expected a whole number, found N with a fraction; declare the attribute Decimal or float"),
        (int, {"N": "x"}, "expected a number, found text that is none"),
        (int, {"N": "1E999999"}, "found a larger one"),
        (Decimal, {"N": "x"}, "expected a number, found text that is none"),
        (datetime, {"S": "yesterday"}, "expected a datetime in ISO 8601, found text that is none"),
        (datetime, {"S": "2026-01-31T12:00:00"}, "expected a datetime with a time zone, found a naive one"),
        (
            datetime,
            {"S": "2026-01-31T12:00:00.0000001Z"},
            "expected a datetime down to microseconds, found a finer one",
        ),
        (datetime, {"S": "20260131T120000,123456789+00"}, "expected a datetime down to microseconds, found a finer"),
        (datetime, {"S": "20260131T120000.1234567891Z"}, "expected a datetime down to microseconds, found a finer"),
        (datetime, {"S": "20260131T120000.1234567891+00:00"}, "expected a datetime down to microseconds, found a fi"),
        (date, {"S": "2026-31-01"}, "expected a date in ISO 8601, found text that is none"),
        (timedelta, {"N": "0.0000001"}, "expected a number down to microseconds, found a finer one"),
        (timedelta, {"N": "1E100"}, "expected a duration that a timedelta holds, found a longer one"),
        (UUID, {"S": "x"}, "expected a UUID, found text that is none"),
        (UUID, {"S": "x" * 36}, "expected a UUID, found text that is none"),
        (Status, {"S": "lost"}, "expected a value of Status, found another"),
        (Level, {"N": "5"}, "expected a value of Level, found another"),
        (Literal["a"], {"S": "b"}, "expected a value of Literal['a'], found another"),
        (set[str], {"NS": ["1"]}, "expected SS, found NS"),
        (set[str], {"NULL": True}, "expected SS, found NULL"),
        (set[int], {"NS": ["1", "2.5"]}, "value[…]: expected a whole number"),
        (set, {"S": "a"}, "expected SS, NS or BS, found S"),
        (list[int], {"M": {}}, "expected L, found M"),
        (list[int], {"L": [{"N": "1"}, {"S": "a"}]}, "value[1]: expected N, found S"),
        (tuple[int, str], {"M": {}}, "expected L, found M"),
        (tuple[int, str], {"L": [{"N": "1"}]}, "expected L of 2, found L of 1"),
        (tuple[int, str], {"L": [{"N": "1"}, {"N": "1"}]}, "value[1]: expected S, found N"),
        (dict[str, int], {"L": []}, "expected M, found L"),
        (dict[str, int], {"M": {"a": {"S": "x"}}}, 'value["a"]: expected N, found S'),
        (dict[UUID, int], {"M": {"a": {"N": "1"}}}, 'value["a"]: expected a UUID, found text that is none'),
        (Line, {"M": {"sku": {"S": "s"}}}, "value.price: expected N, found no such attribute"),
        (Line, {"L": []}, "expected M, found L"),
        (int | str, {"BOOL": True}, "expected N or S, found BOOL"),
        (list[Line], {"L": [{"M": {"sku": {"S": "s"}, "price": {"S": "x"}}}]}, "value[0].price: expected N, found S"),
        (Any, {"X": 1}, "expected an attribute value, found something else"),
    ],
)
def test_a_stored_value_of_another_type_is_refused(stored, kind, found, sentence):
    """A stored value that does not fit its attribute raises, naming entity, path and types, with the item's key."""
    with pytest.raises(MarshallingError, match=r"^Thing\.value") as caught:
        stored(kind).read(found)
    assert sentence in str(caught.value)
    assert caught.value.key == {"id": {"S": "1"}}


@pytest.mark.parametrize(
    ("stored_format", "moment", "text"),
    [
        ("epoch", NOON, "1769860800"),
        ("epoch", NOON + timedelta(milliseconds=250), "1769860800.25"),
        ("epoch", datetime(1969, 12, 31, 23, 59, 59, 500000, tzinfo=UTC), "-0.5"),
        ("epoch_ms", NOON, "1769860800000"),
        ("epoch_ms", NOON + timedelta(microseconds=1), "1769860800000.001"),
    ],
)
def test_datetimes_are_stored_as_numbers_where_asked(stored, stored_format, moment, text):
    """``datetime_format`` gives an exact number of seconds or milliseconds since 1970, also inside a list."""
    attribute = stored(datetime, datetime_format=stored_format)
    assert attribute.write(moment) == {"N": text}
    assert attribute.read({"N": text}) == moment
    listed = stored(list[datetime | None], datetime_format=stored_format)
    assert listed.write([moment, None]) == {"L": [{"N": text}, {"NULL": True}]}
    assert listed.read({"L": [{"N": text}]}) == [moment]


@pytest.mark.parametrize("found", [{"N": "1E30"}, {"N": "0.0000001"}, {"S": "now"}])
def test_numbers_that_are_no_point_in_time_are_refused(stored, found):
    """A number that lies outside the calendar, or is finer than a microsecond, raises."""
    with pytest.raises(MarshallingError, match=r"^Thing\.value: expected "):
        stored(datetime, datetime_format="epoch").read(found)


def test_text_of_datetimes_sorts_like_time(stored):
    """The stored texts of datetimes have a fixed width, so their order is the order of time."""
    attribute = stored(datetime)
    moments = [NOON + timedelta(microseconds=step) for step in (-86_400_000_000, -1, 0, 1, 999_999, 1_000_000)]
    texts = [attribute.write(moment)["S"] for moment in moments]
    assert texts == sorted(texts)
    assert {len(text) for text in texts} == {27}
