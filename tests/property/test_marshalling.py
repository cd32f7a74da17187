"""Marshalling on random types, values and items: round trips, the fast way against the careful one, differences."""

import base64
import copy
import dataclasses
import string
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import orjson
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mizzle_async.errors import LimitError, MarshallingError, MizzleError
from mizzle_async.expressions import (
    ClauseKind,
    Condition,
    Conjunction,
    Disjunction,
    ListAppend,
    Predicate,
    Size,
    UpdateClauses,
)
from mizzle_async.integrations.arrow.framing import entity_framer
from mizzle_async.integrations.arrow.writing import rows_maker
from mizzle_async.marshalling import (
    EntityCodec,
    Marshaller,
    StoredValue,
    canonical_key,
    decode_any,
    diff,
    encode_any,
    item_size,
    plain_item,
    value_size,
)
from mizzle_async.marshalling.entities import entity_shape
from mizzle_async.marshalling.resolve import Resolver
from mizzle_async.marshalling.shapes.hooks import NoHooks
from mizzle_async.model import Attribute, PartitionKey, attribute, dict_schema, document, entity, schema_of

settings.register_profile(
    "marshalling", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
PROFILE = settings.get_profile("marshalling")


class Status(StrEnum):
    OPEN = "open"
    PAID = "paid"


class Level(IntEnum):
    LOW = 0
    HIGH = 9


class Color(Enum):
    RED = "rot"
    BLUE = "blau"


@document
class Line:
    sku: Attribute[str]
    price: Attribute[Decimal] = attribute(name="p", default=Decimal(0))
    tags: Attribute[set[str]] = attribute(factory=set)


@attrs.frozen
class Point:
    x: int
    label: str | None = None


@dataclasses.dataclass
class Box:
    width: float
    inner: "Box | None" = None


@attrs.define
class Checked:
    size: int = attrs.field(validator=attrs.validators.instance_of(int), default=3)


class Entry(TypedDict):
    name: str
    size: NotRequired[int]
    line: NotRequired[Line | None]


class Pair(NamedTuple):
    left: int
    right: str | None = None


# ── values in normal form, by type ──

texts = st.text(max_size=8)
names = st.text(min_size=1, max_size=8)


@st.composite
def number_texts(draw: st.DrawFn, *, whole: bool = False) -> str:
    """A number as the service writes it: at most 38 digits, plain."""
    digits = str(draw(st.integers(1, 10 ** draw(st.integers(1, 38)) - 1)))
    exponent = draw(st.integers(0, 30) if whole else st.integers(-130, 125))
    value = Decimal(int(digits)).scaleb(0) if exponent == 0 else Decimal((0, tuple(map(int, digits)), exponent))
    assume(-130 <= value.adjusted() <= 125)
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return draw(st.sampled_from(["", "-"])) + text if value else "0"


decimals = number_texts().map(Decimal)
integers = st.integers(-(10**38) + 1, 10**38 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda value: value == 0 or 1e-130 <= abs(value) < 1e126
)
datetimes = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(fold=0))
whole_floats_are_integers = floats.filter(lambda value: not value.is_integer())
LEAVES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, texts),
    (bytes, st.binary(max_size=6)),
    (bool, st.booleans()),
    (int, integers),
    (float, floats.map(lambda value: value + 0.0 if value else 0.0)),
    (Decimal, decimals),
    (datetime, datetimes),
    (date, st.dates()),
    (timedelta, st.timedeltas()),
    (UUID, st.uuids()),
    (Status, st.sampled_from(Status)),
    (Level, st.sampled_from(Level)),
    (Color, st.sampled_from(Color)),
    (Literal["a", "b"], st.sampled_from(["a", "b"])),
    (Literal[1, "x"], st.sampled_from([1, "x"])),
    (int | str, integers | texts),
    (int | float, integers | whole_floats_are_integers),
    (time, st.times()),
    (IPv4Address, st.ip_addresses(v=4)),
    (IPv6Address, st.ip_addresses(v=6)),
    (ZoneInfo, st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]).map(ZoneInfo)),
    (Path, st.lists(st.text("abc.ä", min_size=1, max_size=4), max_size=3).map(lambda parts: Path(*parts))),
    (Status | str, st.sampled_from(Status) | texts.filter(lambda text: text not in list(Status))),
    (Level | int, st.sampled_from(Level) | integers.filter(lambda number: number not in list(Level))),
]
KEYS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, names),
    (Status, st.sampled_from(Status)),
    (UUID, st.uuids()),
    (int, integers),
    (Decimal, decimals),
    (Level, st.sampled_from(Level)),
    (IPv6Address, st.ip_addresses(v=6)),
]
SETTABLE = {str, bytes, int, Decimal, UUID, Status, Level, date, time, IPv4Address, ZoneInfo}
ELEMENTS = [(kind, values) for kind, values in LEAVES if isinstance(kind, type) and kind in SETTABLE]

by_value = st.recursive(
    st.none()
    | st.booleans()
    | texts
    | integers
    | decimals.filter(lambda n: n != n.to_integral_value())
    | st.binary(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(names, inner, max_size=3)
        | st.sets(texts, min_size=1, max_size=3)
        | st.sets(integers, min_size=1, max_size=3)
    ),
    max_leaves=8,
)
CLASSES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (Line, st.builds(Line, sku=texts, price=decimals, tags=st.sets(texts, max_size=2))),
    (Point, st.builds(Point, x=integers, label=st.none() | texts)),
    (Box, st.builds(Box, width=LEAVES[4][1], inner=st.none() | st.builds(Box, width=LEAVES[4][1]))),
    (Checked, st.builds(Checked, size=integers)),
    (
        Entry,
        st.fixed_dictionaries(
            {"name": texts}, optional={"size": integers, "line": st.none() | st.builds(Line, sku=texts)}
        ),
    ),
    (Pair, st.builds(Pair, left=integers, right=st.none() | texts)),
    (Line | Point, st.builds(Line, sku=texts) | st.builds(Point, x=integers)),
    (Any, by_value),
]


def collected(inner: st.SearchStrategy[tuple[Any, Any]]) -> st.SearchStrategy[tuple[Any, Any]]:
    """Types made of another, with strategies for their values."""
    return st.one_of(
        inner.map(lambda pair: (list[pair[0]], st.lists(pair[1], max_size=3))),
        inner.map(
            lambda pair: (
                (list[pair[0] | None], st.lists(st.none() | pair[1], max_size=3)) if pair[0] is not Any else pair
            )
        ),
        inner.map(lambda pair: (tuple[pair[0], ...], st.lists(pair[1], max_size=3).map(tuple))),
        st.tuples(inner, inner).map(lambda two: (tuple[two[0][0], two[1][0]], st.tuples(two[0][1], two[1][1]))),
        st.tuples(st.sampled_from(KEYS), inner).map(
            lambda two: (dict[two[0][0], two[1][0]], st.dictionaries(two[0][1], two[1][1], max_size=3))
        ),
        st.sampled_from(ELEMENTS).map(lambda pair: (set[pair[0]], st.sets(pair[1], max_size=3))),
        st.sampled_from(ELEMENTS).map(lambda pair: (frozenset[pair[0]], st.frozensets(pair[1], max_size=3))),
    )


typed = st.recursive(st.sampled_from(LEAVES + CLASSES), collected, max_leaves=4)


def codec_of(kind: Any, **given: Any) -> tuple[type[Any], EntityCodec[Any], Any]:
    """Return an entity with an attribute of a type, its codec, and the careful way of storing it."""
    body = {"__annotations__": {"id": PartitionKey[str], "value": Attribute[kind]}, "__module__": __name__, **given}
    model = entity("things")(type("Thing", (), body))
    schema = schema_of(model)
    return model, Marshaller().codec(schema), entity_shape(schema, Resolver(NoHooks()))


def check_wire(stored: Any, depth: int = 0) -> None:
    """Refuse what is not exactly DynamoDB's JSON in canonical form."""
    assert type(stored) is dict
    ((tag, payload),) = stored.items()
    match tag:
        case "S":
            payload.encode()
        case "N":
            check_number(payload)
        case "B":
            assert base64.b64encode(base64.b64decode(payload, validate=True)).decode() == payload
        case "BOOL" | "NULL":
            assert payload is True or (payload is False and tag == "BOOL")
        case "L" | "M":
            assert depth < 31
            assert tag == "L" or all(type(name) is str and name for name in payload)
            for element in payload if tag == "L" else payload.values():
                check_wire(element, depth + 1)
        case _:
            assert tag in {"SS", "NS", "BS"}
            assert payload
            assert sorted(set(payload)) == payload
            for element in payload:
                check_wire({tag[0]: element})


def attempt(function: Callable[[Any], Any], argument: Any) -> tuple[Any, MizzleError | None]:
    """Return what a function gives, or the error of ours that it raises; any other error fails the test."""
    try:
        return function(argument), None
    except MizzleError as error:
        return None, error


def wrapped(item: Any) -> dict[str, Any]:
    """Put an item where a request has it."""
    return {"Put": {"Item": item}}


def check_number(text: str) -> None:
    """Refuse what is not a number as the service writes it."""
    number = Decimal(text)
    assert set(text) <= set(string.digits + "-.")
    if not number:
        assert text == "0"
        return
    digits = text.lstrip("-").replace(".", "").strip("0")
    assert len(digits) <= 38
    assert -130 <= number.adjusted() <= 125
    whole, dot, fraction = text.lstrip("-").partition(".")
    assert whole == "0" or not whole.startswith("0")
    assert not dot or (fraction and not fraction.endswith("0"))


# ── round trips ──


@settings(PROFILE, max_examples=120)
@given(st.data())
def test_values_of_every_type_come_back(data):
    """Item → wire → item and wire → item → wire are identities in normal form; fast and careful agree."""
    kind, values = data.draw(typed)
    model, codec, careful = codec_of(kind)
    serialize = codec.serializer(wrapped)
    for _ in range(3):
        instance = model(id="1", value=data.draw(values))
        before = copy.deepcopy(instance)
        item = codec.encode(instance)
        assert instance == before
        assert serialize(instance) == (orjson.dumps(wrapped(item)), codec.identify(item))
        assert instance == before
        for stored in item.values():
            check_wire(stored)
        assert careful.encode_fields(instance, 31) == item
        back = codec.decode(copy.deepcopy(item))
        assert back == instance
        assert type(back.value) is type(instance.value)
        assert careful.decode_fields(item) == instance
        assert codec.encode(back) == item
        assert item_size(item) > 0


soup = st.one_of(
    *(values for _, values in LEAVES),
    by_value,
    st.floats(),
    st.integers(),
    st.decimals(),
    st.datetimes(),
    st.datetimes(timezones=st.just(timezone(timedelta(hours=14)))),
    st.text(st.characters(categories=["Cs", "L"]), max_size=3),
    st.lists(st.booleans() | texts, max_size=2),
    st.sets(st.integers() | texts | st.booleans(), max_size=3),
    st.dictionaries(st.integers() | texts, st.integers(), max_size=2),
    st.tuples(st.integers(), texts),
    st.just(object()),
    st.sampled_from([Status.OPEN, Level.LOW, Point(1), Box(0.5), bytearray(b"x")]),
)


@settings(PROFILE, max_examples=150)
@given(st.data())
def test_whatever_an_attribute_holds_is_stored_right_or_refused(data):
    """Of any value in an attribute of any type, encoding gives valid JSON that reads back, or an error of ours."""
    kind, _ = data.draw(typed)
    model, codec, careful = codec_of(kind)
    serialize = codec.serializer(wrapped)
    for _ in range(4):
        instance = model(id="1", value=data.draw(soup))
        item, error = attempt(codec.encode, instance)
        serialized, refusal = attempt(serialize, instance)
        assert (type(refusal), str(refusal)) == (type(error), str(error))
        if error is not None:
            assert isinstance(error, MarshallingError | LimitError)
            assert str(error).startswith("Thing.value")
            continue
        assert serialized == (orjson.dumps(wrapped(item)), codec.identify(item))
        for stored in item.values():
            check_wire(stored)
        assert careful.encode_fields(instance, 31) == item
        normal = codec.decode(item)
        assert codec.encode(normal) == item
        assert codec.decode(codec.encode(normal)) == normal


wire_leaves = st.one_of(
    texts.map(lambda text: {"S": text}),
    number_texts().map(lambda text: {"N": text}),
    st.binary(max_size=6).map(lambda octets: {"B": base64.b64encode(octets).decode()}),
    st.booleans().map(lambda truth: {"BOOL": truth}),
    st.just({"NULL": True}),
    st.sets(texts, min_size=1, max_size=3).map(lambda elements: {"SS": sorted(elements)}),
    st.sets(number_texts(), min_size=1, max_size=3).map(lambda elements: {"NS": sorted(elements)}),
    st.sets(st.binary(max_size=4), min_size=1, max_size=3).map(
        lambda elements: {"BS": sorted(base64.b64encode(octets).decode() for octets in elements)}
    ),
)
wire_values = st.recursive(
    wire_leaves,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda elements: {"L": elements})
        | st.dictionaries(names, inner, max_size=3).map(lambda entries: {"M": entries})
    ),
    max_leaves=8,
)


@settings(PROFILE, max_examples=150)
@given(st.data())
def test_whatever_is_stored_is_read_right_or_refused(data):
    """Of any stored value in an attribute of any type, decoding gives what stores again, or an error of ours."""
    kind, _ = data.draw(typed)
    _, codec, careful = codec_of(kind)
    for _ in range(4):
        item = {"id": {"S": "1"}, "value": data.draw(wire_values)}
        before = copy.deepcopy(item)
        instance, error = attempt(codec.decode, item)
        assert item == before
        if error is not None:
            assert isinstance(error, MarshallingError)
            assert error.key == {"id": {"S": "1"}}
            continue
        assert careful.decode_fields(item) == instance
        assert codec.decode(codec.encode(instance)) == instance


@settings(PROFILE, max_examples=150)
@given(st.data())
def test_records_are_decoded_as_items_are(data):
    """Of any stored values in an attribute of any type, records give what items give, or their error."""
    kind, values = data.draw(typed)
    optional, default = data.draw(st.booleans()), data.draw(st.booleans())
    given = {"value": attribute(default=None)} if optional and default else {}
    model, codec, _ = codec_of(kind | None if optional and kind is not Any else kind, **given)
    stored = values.map(lambda value: codec.encode(model(id="1", value=value)).get("value"))
    items = []
    for drawn in data.draw(st.lists(stored | wire_values | st.none(), min_size=1, max_size=4)):
        items.append({"id": {"S": str(len(items))}, "other": {"L": []}} | ({"value": drawn} if drawn else {}))
    assert codec.records is not None
    body = orjson.dumps({"Items": items, "Count": len(items), "More": None})
    found = codec.records.parse(body)["Items"]
    assert codec.identify_all(found) == list(map(codec.identify, items))
    for record, item in zip(found, items, strict=True):
        instance, error = attempt(codec.decode, item)
        of_record, refusal = attempt(lambda one: codec.decode_all([one])[0], record)
        assert (of_record, type(refusal), str(refusal)) == (instance, type(error), str(error))
        assert type(getattr(of_record, "value", None)) is type(getattr(instance, "value", None))


@settings(PROFILE, max_examples=150)
@given(wire_values)
def test_stored_values_survive_undeclared_attributes(stored):
    """Wire → value → wire is the identity by value, for every type."""
    assert encode_any(decode_any(stored)) == stored
    assert value_size(stored) == value_size(encode_any(decode_any(stored)))


@settings(PROFILE, max_examples=150)
@given(by_value)
def test_undeclared_values_come_back(value):
    """Value → wire → value is the identity by value, in normal form."""
    stored = encode_any(value)
    check_wire(stored)
    assert decode_any(stored) == value


@settings(PROFILE)
@given(st.dictionaries(names.filter(lambda name: name != "pk"), by_value, max_size=4), names)
def test_dicts_come_back(values, key):
    """A dict of any names is stored and read by value."""
    codec = Marshaller().codec(dict_schema("legacy", partition_key="pk"))
    whole = {"pk": key, **values}
    assert codec.decode(codec.encode(whole)) == whole
    assert codec.key_of(whole) == codec.encode_key({"pk": key}) == {"pk": {"S": key}}


# ── numbers ──


@settings(PROFILE, max_examples=150)
@given(st.decimals() | st.integers() | st.floats() | decimals | integers | floats)
def test_numbers_are_exact_or_refused(number):
    """What is written is the number itself, in the service's own form; what cannot be is refused."""
    exact = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    stored, error = attempt(encode_any, number)
    if error is not None:
        assert not exact.is_finite() or not -130 <= exact.adjusted() <= 125 or len(exact.as_tuple().digits) > 38
        return
    check_number(stored["N"])
    assert Decimal(stored["N"]) == exact


@settings(PROFILE, max_examples=150)
@given(number_texts(), st.integers(0, 5), st.sampled_from(["", "+"]))
def test_keys_do_not_depend_on_how_a_number_is_written(text, zeros, sign):
    """Zeros and exponents do not make another key."""
    padded = f"{sign if text[0] != '-' else ''}{text}" + ("0" * zeros if "." in text else "." + "0" * zeros)
    shifted = f"{Decimal(text):E}"
    keys = {canonical_key({"n": {"N": written}, "s": {"S": "x"}}) for written in (text, padded, shifted)}
    assert len(keys) == 1


# ── differences ──


@entity("orders")
class Order:
    id: PartitionKey[str]
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    nick: Attribute[str | None] = attribute(default=None)
    tags: Attribute[set[str]] = attribute(factory=set)
    counts: Attribute[set[int] | None] = attribute(default=None)
    lines: Attribute[list[Line]] = attribute(factory=list)
    notes: Attribute[list[str] | None] = attribute(default=None)
    main: Attribute[Line | Point | None] = attribute(default=None)
    extra: Attribute[dict[str, Any]] = attribute(factory=dict)
    anything: Attribute[Any] = attribute(default=None)


few_texts = st.sampled_from(["a", "b", "c"])
few = st.recursive(
    st.sampled_from([1, 2, "a", None, True, Decimal("0.5")]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(few_texts, inner, max_size=3)
        | st.sets(few_texts, min_size=1)
        | st.sets(st.integers(1, 3), min_size=1)
    ),
    max_leaves=6,
)
few_lines = st.builds(
    Line, sku=few_texts, price=st.sampled_from([Decimal(0), Decimal(1)]), tags=st.sets(few_texts, max_size=2)
)
orders = st.builds(
    Order,
    id=st.just("1"),
    total=st.sampled_from([Decimal(0), Decimal("1.5")]),
    nick=st.none() | few_texts,
    tags=st.sets(few_texts),
    counts=st.none() | st.sets(st.integers(1, 3), min_size=1),
    lines=st.lists(few_lines, max_size=3),
    notes=st.none() | st.lists(few_texts, max_size=3),
    main=st.none() | few_lines | st.builds(Point, x=st.integers(0, 1), label=st.none() | few_texts),
    extra=st.dictionaries(few_texts, few, max_size=3),
    anything=few,
)
ORDERS = Marshaller().codec(schema_of(Order))
LEGACY = Marshaller().codec(dict_schema("legacy", partition_key="id"))


def holder_of(item: dict[str, Any], segments: tuple[str | int, ...]) -> tuple[dict[str, Any], str]:
    """Return the map that has the last name of a path, and that name."""
    *inside, last = segments
    holder = item
    for segment in inside:
        holder = holder[segment]["M"]
    assert isinstance(last, str)
    return holder, last


def apply(clauses: UpdateClauses, item: Mapping[str, Any]) -> dict[str, Any]:
    """Apply an update as DynamoDB does, every clause to what was there before; knows the clauses of differences."""
    before, after = copy.deepcopy(dict(item)), copy.deepcopy(dict(item))
    for clause in clauses.clauses:
        source, name = holder_of(before, clause.path.segments)
        target, _ = holder_of(after, clause.path.segments)
        value = clause.value
        match clause.kind:
            case ClauseKind.SET if isinstance(value, StoredValue):
                target[name] = value.stored
            case ClauseKind.SET:
                assert isinstance(value, ListAppend)
                assert value.first.segments == clause.path.segments
                target[name] = {"L": source[name]["L"] + [element.stored for element in value.second]}
            case ClauseKind.APPEND:
                held = source.get(name, {"L": []})["L"]
                target[name] = {"L": held + [element.stored for element in value]}
            case ClauseKind.REMOVE:
                del target[name]
            case ClauseKind.ADD | ClauseKind.DISCARD:
                held = set(source.get(name, {}).get(value.tag, ()))
                held = held | value if clause.kind is ClauseKind.ADD else held - value
                if held:
                    target[name] = {value.tag: sorted(held)}
                else:
                    del target[name]
            case _:
                raise AssertionError(clause.kind)
    return after


def holds(guard: Condition[Any] | None, item: Mapping[str, Any]) -> bool:
    """Whether a guard of a difference is true of an item: about sizes, absence and whole values."""
    if guard is None:
        return True
    if isinstance(guard, Conjunction):
        return all(holds(part, item) for part in guard.parts)
    if isinstance(guard, Disjunction):
        return any(holds(part, item) for part in guard.parts)
    assert isinstance(guard, Predicate)
    left = guard.left
    holder, name = holder_of(dict(item), left.path.segments if isinstance(left, Size) else left.segments)
    if guard.operator == "attribute_not_exists":
        return name not in holder
    assert guard.operator == "="
    if isinstance(left, Size):
        return name in holder and len(next(iter(holder[name].values()))) == guard.arguments[0]
    return name in holder and holder[name] == guard.arguments[0].stored


def targets_overlap(clauses: UpdateClauses) -> bool:
    """Whether one clause writes inside what another writes, which DynamoDB refuses."""
    targets = [clause.path.segments for clause in clauses.clauses]
    return any(
        first[: len(second)] == second
        for position, first in enumerate(targets)
        for other, second in enumerate(targets)
        if position != other
    )


@settings(PROFILE, max_examples=250)
@given(orders, orders)
def test_a_difference_gives_exactly_the_new_item(old, new):
    """The update between two instances turns the old item into the new one; its guard is true of the old."""
    old_item, new_item = ORDERS.encode(old), ORDERS.encode(new)
    undeclared = {"undeclared": {"S": "x"}}
    difference = diff(ORDERS, old_item, new_item)
    assert not targets_overlap(difference.clauses)
    assert holds(difference.guard, old_item)
    assert apply(difference.clauses, old_item | undeclared) == new_item | undeclared
    assert difference.is_empty == (old_item == new_item)


@settings(PROFILE, max_examples=250)
@given(st.dictionaries(few_texts, few, max_size=3), st.dictionaries(few_texts, few, max_size=3))
def test_a_difference_of_dicts_gives_exactly_the_new_item(old, new):
    """So does the update between two dicts of a table without a class."""
    old_item, new_item = LEGACY.encode({"id": "1", **old}), LEGACY.encode({"id": "1", **new})
    difference = diff(LEGACY, old_item, new_item)
    assert not targets_overlap(difference.clauses)
    assert holds(difference.guard, old_item)
    assert apply(difference.clauses, old_item) == new_item


@settings(PROFILE, max_examples=150)
@given(orders, orders, orders)
def test_a_difference_leaves_other_writers_changes_alone(old, new, theirs):
    """The guard stops an append to a list whose length another writer changed; only what differs is touched."""
    old_item, new_item, their_item = map(ORDERS.encode, (old, new, theirs))
    difference = diff(ORDERS, old_item, new_item)
    appended = [clause.path for clause in difference.clauses.clauses if isinstance(clause.value, ListAppend)]
    for path in appended:
        name = str(path.segments[0])
        if len(path.segments) == 1 and len(their_item.get(name, {}).get("L", ())) != len(old_item[name]["L"]):
            assert not (name in their_item and holds(difference.guard, their_item))
    touched = difference.clauses.top_level_names
    assert touched <= {name for name in {*old_item, *new_item} if old_item.get(name) != new_item.get(name)}


# ── frames ──


@settings(PROFILE, max_examples=120)
@given(st.data())
def test_instances_frames_and_the_wire_are_equal(data):
    """Instances → wire → Arrow → wire → instances is an identity for every type, or an error of ours, never rounded."""
    kind, values = data.draw(typed)
    model, codec, _ = codec_of(data.draw(st.sampled_from([kind, kind | None]) if kind is not Any else st.just(Any)))
    items = [codec.encode(model(id=str(number), value=data.draw(values))) for number in range(3)]
    framer = entity_framer(codec)
    batch, error = attempt(framer.batch, items)
    if codec.records is not None:
        answer = {"Items": items, "Count": 3, "ScannedCount": 3}
        records = codec.records.parse(orjson.dumps(answer))["Items"]
        other, other_error = attempt(framer.batch, records)
        assert (batch, str(error)) == (other, str(other_error))
    if error is not None:
        assert isinstance(error, MarshallingError)
        assert error.path.startswith("Thing.value")
        assert error.key == {"id": error.key["id"]}
        return
    assert batch.schema == framer.schema
    batch.validate(full=True)
    back = rows_maker(codec)(batch)
    if "Any" not in str(kind):
        assert back == items
    else:
        assert [plain_item(item) for item in back] == [plain_item(item) for item in items]
