"""A clause that is accepted never makes an item unreadable, and none that fits is refused."""

import contextlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, Literal, Self
from uuid import UUID

import pytest
from attrs import validators

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    MarshallingError,
    PartitionKey,
    attribute,
    document,
    entity,
)


class Color(StrEnum):
    RED = "red"
    GREEN = "green"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Weekday(Enum):
    MONDAY = "mon"


class Positive(int):
    def __new__(cls, value: int) -> Self:
        if value <= 0:
            raise ValueError("not positive")
        return super().__new__(cls, value)


@document(unknown="raise")
class D:
    a: Attribute[int] = attribute(default=1)
    long: Attribute[str] = attribute(default="", name="short")
    pair: Attribute[tuple[int, str]] = attribute(default=(1, "x"))


@document(unknown="raise")
class R:
    needed: Attribute[int]


@entity("clauses")
class E:
    id: PartitionKey[str]
    i: Attribute[int] = attribute(default=1)
    f: Attribute[float] = attribute(default=1.5)
    dec: Attribute[Decimal] = attribute(default=Decimal(1))
    s: Attribute[str] = attribute(default="x")
    ints: Attribute[list[int]] = attribute(factory=lambda: [1])
    texts: Attribute[list[str]] = attribute(factory=lambda: ["x"])
    int_set: Attribute[set[int]] = attribute(factory=lambda: {1})
    dec_set: Attribute[set[Decimal]] = attribute(factory=lambda: {Decimal("1.5")})
    color: Attribute[Color] = attribute(default=Color.RED)
    letter: Attribute[Literal["a", "b"]] = attribute(default="a")
    one_or_two: Attribute[Literal[1, 2]] = attribute(default=1)
    at: Attribute[datetime] = attribute(default=datetime(2026, 1, 1, tzinfo=UTC))
    level: Attribute[Level] = attribute(default=Level.LOW)
    levels: Attribute[list[Level]] = attribute(factory=lambda: [Level.LOW])
    uuid: Attribute[UUID] = attribute(default=UUID(int=1))
    day: Attribute[date] = attribute(default=date(2026, 1, 1))
    positive: Attribute[Positive] = attribute(factory=lambda: Positive(1))
    pair: Attribute[tuple[int, str]] = attribute(default=(1, "x"))
    d: Attribute[D] = attribute(factory=D)
    r: Attribute[R] = attribute(factory=lambda: R(needed=1))
    by: Attribute[dict[str, str]] = attribute(factory=lambda: {"a": "x"})
    numbers: Attribute[dict[str, Decimal]] = attribute(factory=lambda: {"a": Decimal("1.5")})
    by_color: Attribute[dict[Color, int]] = attribute(factory=lambda: {Color.RED: 1})
    by_weekday: Attribute[dict[Weekday, int]] = attribute(factory=dict)
    by_uuid: Attribute[dict[UUID, int]] = attribute(factory=dict)
    by_day: Attribute[dict[date, int]] = attribute(factory=dict)
    by_letter: Attribute[dict[Literal["p", "q"], int]] = attribute(factory=dict)
    sec: Attribute[datetime] = attribute(default=datetime(2026, 1, 1, tzinfo=UTC), datetime_format="epoch")
    ms: Attribute[datetime] = attribute(default=datetime(2026, 1, 1, tzinfo=UTC), datetime_format="epoch_ms")
    ms2: Attribute[datetime] = attribute(default=datetime(2026, 1, 2, tzinfo=UTC), datetime_format="epoch_ms")
    took: Attribute[timedelta] = attribute(default=timedelta(seconds=1))
    u: Attribute[int | str | list[int]] = attribute(default="text")
    either: Attribute[str | set[str]] = attribute(default="text")
    dec_or_text: Attribute[Decimal | str] = attribute(default="text")
    by_union: Attribute[dict[str, int | str]] = attribute(factory=dict)
    data: Attribute[bytes] = attribute(default=b"x")
    low: Attribute[str] = attribute(default="", converter=str.lower)
    checked: Attribute[int] = attribute(default=1, validator=validators.ge(0))


C: Any = E


def refused(clause: Callable[[Any], Any]) -> None:
    """Make sure that a clause is refused where it is built, before anything is sent."""
    with pytest.raises(ExpressionError):
        clause(Client().table(E).update("x")).to_wire()


OPERANDS: dict[str, Callable[[Any], Any]] = {
    "a list of int from one of str": lambda u: u.set(C.ints, C.texts),
    "int elements from str elements": lambda u: u.set(C.ints, C.ints.list_append(C.texts)),
    "a set of int from one of Decimal": lambda u: u.set(C.int_set, C.dec_set),
    "a document from a dict": lambda u: u.set(C.d, C.by),
    "a dict from a document": lambda u: u.set(C.by, C.d),
    "int from float": lambda u: u.set(C.i, C.f),
    "int from Decimal": lambda u: u.set(C.i, C.dec),
    "a sum of int and float": lambda u: u.set(C.i, C.i + C.f),
    "an element from a wider number": lambda u: u.set(C.ints[0], C.dec),
    "a member from a wider number": lambda u: u.set(C.d[D.a], C.numbers["a"]),
    "an enum from str": lambda u: u.set(C.color, C.s),
    "a literal from str": lambda u: u.set(C.letter, C.s),
    "a time from str": lambda u: u.set(C.at, C.s),
    "a date from str": lambda u: u.set(C.day, C.s),
    "a UUID from str": lambda u: u.set(C.uuid, C.s),
    "an enum from a sum": lambda u: u.set(C.level, C.i + 5),
    "a default of a wider type": lambda u: u.set(C.i, C.i.if_not_exists(C.dec)),
}


@pytest.mark.parametrize("name", OPERANDS)
def test_an_operand_of_a_wider_type_is_refused(name: str) -> None:
    """What the service stores alike is told apart by the Python types of both places."""
    refused(OPERANDS[name])


async def test_an_operand_of_the_same_or_a_narrower_type_is_taken(client: Client) -> None:
    """A narrower type goes into a wider one, and the item is read afterwards."""
    await client.ensure_tables(E)
    table = client.table(E)
    await table.put(E(id="narrower"))
    update = table.update("narrower").set(C.s, C.color).set(C.dec, C.i).set(C.texts[0], C.letter)
    stored = await update
    assert (stored.s, stored.dec, stored.texts) == ("red", Decimal(1), ["a"])


REMOVALS: dict[str, Callable[[Any], Any]] = {
    "an element of a tuple": lambda u: u.remove(C.pair[0]),
    "an element of a tuple in a document": lambda u: u.remove(C.d[D.pair][1]),
    "a required member by its name": lambda u: u.remove(C.r["needed"]),
    "a required member by its path": lambda u: u.remove(C.r[R.needed]),
}


@pytest.mark.parametrize("name", REMOVALS)
def test_a_removal_that_leaves_no_instance_is_refused(name: str) -> None:
    """A path is judged by the shape at its end, however it is written."""
    refused(REMOVALS[name])


SUMS: dict[str, Callable[[Any], Any]] = {
    "an enum": lambda u: u.add(C.level, 5),
    "a literal": lambda u: u.add(C.one_or_two, 5),
    "an element that is an enum": lambda u: u.add(C.levels[0], 5),
    "a subclass of int": lambda u: u.add(C.positive, -5),
    "an enum by assignment": lambda u: u.set(C.level, C.level + 1),
}


@pytest.mark.parametrize("name", SUMS)
def test_a_sum_of_what_is_no_free_number_is_refused(name: str) -> None:
    """Enums, literals and subclasses of int take no sums."""
    refused(SUMS[name])


UNION_SUMS: dict[str, Callable[[Any], Any]] = {
    "a float onto a whole number": lambda u: u.add(C.u, 1.5),
    "a Decimal onto a whole number": lambda u: u.add(C.u, Decimal("2.5")),
    "a float onto a Decimal": lambda u: u.add(C.dec_or_text, 1.5),
    "by assignment": lambda u: u.set(C.u, C.u + 1.5),
    "in a dict": lambda u: u.add(C.by_union["x"], 1.5),
}


@pytest.mark.parametrize("name", UNION_SUMS)
def test_a_number_that_a_union_does_not_have_is_not_added_to_it(name: str) -> None:
    """The sum is read as the union's own number."""
    with pytest.raises((ExpressionError, MarshallingError)):
        UNION_SUMS[name](Client().table(E).update("x")).to_wire()


KEYS: dict[str, Callable[[Any], Any]] = {
    "no member of an enum": lambda u: u.set(C.by_weekday["nope"], 1),
    "no member of a text enum": lambda u: u.set(C.by_color["nope"], 1),
    "no UUID": lambda u: u.set(C.by_uuid["nope"], 1),
    "no date": lambda u: u.set(C.by_day["nope"], 1),
    "no literal": lambda u: u.set(C.by_letter["nope"], 1),
    "the Python name of a renamed member": lambda u: u.set(C.d["long"], "x"),
    "a removal of no member": lambda u: u.remove(C.by_weekday["nope"]),
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_no_read_could_make_is_refused(name: str) -> None:
    """A key of a dict, or a member of a document that takes no others, is judged by its type."""
    refused(KEYS[name])


async def test_a_typed_key_of_a_dict_is_taken_as_it_is(client: Client) -> None:
    """Paths into a dict take an enum's member, a UUID and a date, as the annotation says."""
    await client.ensure_tables(E)
    table = client.table(E)
    await table.put(E(id="keys"))
    identity, day = UUID(int=7), date(2026, 5, 6)
    update = table.update("keys").set(C.by_color[Color.GREEN], 2).set(C.by_weekday[Weekday.MONDAY], 3)
    stored = await update.set(C.by_uuid[identity], 4).set(C.by_day[day], 5)
    assert stored.by_color == {Color.RED: 1, Color.GREEN: 2}
    assert (stored.by_weekday, stored.by_uuid, stored.by_day) == ({Weekday.MONDAY: 3}, {identity: 4}, {day: 5})


@pytest.mark.parametrize("value", [0.1234567890123456, 71.68493817251, 1e-7, 3.0000000000000004])
async def test_a_sum_of_floats_leaves_the_item_readable(client: Client, value: float) -> None:
    """Such a sum is refused when it is built, or read as a float."""
    await client.ensure_tables(E)
    table = client.table(E)
    await table.put(E(id="float", f=33.17384910582911))
    with contextlib.suppress(ExpressionError):
        await table.update("float").add(C.f, value)
    stored = await table.get_one(id="float")
    assert stored.f == pytest.approx(33.17384910582911) or stored.f == pytest.approx(33.17384910582911 + value)


@pytest.mark.parametrize("digits", ["0.1234567890123456789", "1.00000000000000000001", "99999999999999999999.5"])
async def test_a_number_with_more_digits_than_a_float_is_read_as_the_nearest(client: Client, digits: str) -> None:
    """A table that another program wrote is read."""
    await client.ensure_tables(E)
    raw = client.table("clauses", partition_key="id")
    await raw.put({"id": "digits", "f": Decimal(digits)})
    assert (await client.table(E).get_one(id="digits")).f == float(digits)


UNITS: dict[str, Callable[[Any], Any]] = {
    "seconds into milliseconds": lambda t: t.update("x").set(C.ms, C.sec),
    "milliseconds into seconds": lambda t: t.update("x").set(C.sec, C.ms),
    "text into seconds": lambda t: t.update("x").set(C.sec, C.at),
    "a difference of milliseconds": lambda t: t.update("x").set(C.took, C.ms2 - C.ms),
    "equality": lambda t: t.update("x").set(C.s, "y").when(C.sec == C.ms),
    "equality with text": lambda t: t.update("x").set(C.s, "y").when(C.at == C.sec),
    "order": lambda t: t.update("x").set(C.s, "y").when(C.sec < C.ms),
    "a range": lambda t: t.update("x").set(C.s, "y").when(C.sec.between(C.ms, C.ms2)),
    "a choice": lambda t: t.update("x").set(C.s, "y").when(C.sec.is_in([C.ms, C.ms2])),
    "a default": lambda t: t.update("x").set(C.sec, C.sec.if_not_exists(C.ms)),
}


@pytest.mark.parametrize("name", UNITS)
def test_times_in_different_units_never_meet(name: str) -> None:
    """Two attributes whose times are stored differently are neither assigned nor compared."""
    with pytest.raises(ExpressionError):
        UNITS[name](Client().table(E)).to_wire()


NEVER: dict[str, Callable[[], Any]] = {
    "a number and a time as text": lambda: C.i == C.at,
    "a text and a time as a number": lambda: C.sec == C.s,
    "a date and a time as a number": lambda: C.day < C.sec,
    "a text contains a number": lambda: C.s.contains(C.i),
    "a text contains bytes": lambda: C.s.contains(b"x"),
    "bytes contain a text": lambda: C.data.contains("x"),
    "a list of numbers contains a text": lambda: C.ints.contains(C.s),
    "a set of numbers contains a text": lambda: C.int_set.contains(C.color),
    "a text begins with a number": lambda: C.s.begins_with(C.i),
    "a text begins with bytes": lambda: C.s.begins_with(b"x"),
    "a union contains what none of its members has": lambda: C.u.contains(C.data),
}


@pytest.mark.parametrize("name", NEVER)
def test_a_condition_that_can_never_be_true_is_refused(name: str) -> None:
    """Two paths, or a path and a part of it, that are never stored alike are not compared."""
    with pytest.raises((ExpressionError, MarshallingError)):
        Client().table(E).update("x").set(C.s, "y").when(NEVER[name]()).to_wire()


async def test_a_union_contains_what_any_of_its_members_may_contain(client: Client) -> None:
    """`contains` on a union of text and a list asks for a part of the text, or for an element."""
    await client.ensure_tables(E)
    table = client.table(E)
    await table.put(E(id="contains", u="text", either="text"))
    for condition in (C.u.contains("ex"), C.either.contains("ex")):
        stored = await table.update("contains").set(C.s, "found").when(condition)
        assert stored.s == "found"
    with pytest.raises((ExpressionError, MarshallingError)):
        table.update("contains").set(C.s, "found").when(C.u.contains(1.5)).to_wire()


DAY = timedelta(days=1)
MOVES: dict[str, Callable[[Any], Any]] = {
    "sum, seconds": lambda u: u.set(C.sec, C.sec + DAY),
    "sum, milliseconds": lambda u: u.set(C.ms, C.ms + DAY),
    "add, seconds": lambda u: u.add(C.sec, DAY),
    "add, milliseconds": lambda u: u.add(C.ms, DAY),
    "difference, milliseconds": lambda u: u.set(C.ms2, C.ms2 - DAY),
    "a duration": lambda u: u.add(C.took, DAY),
}


@pytest.mark.parametrize("name", MOVES)
async def test_a_timedelta_moves_a_time_by_itself_in_any_unit(client: Client, name: str) -> None:
    """A day is a day, whether seconds or milliseconds are stored."""
    await client.ensure_tables(E)
    table = client.table(E)
    before = await table.put(E(id="moved"))
    stored = await MOVES[name](table.update("moved"))
    places = ("sec", "ms", "ms2", "took")
    moved = {place: getattr(stored, place) - getattr(before, place) for place in places}
    assert sorted(abs(difference) for difference in moved.values()) == [timedelta()] * 3 + [DAY]


@pytest.mark.parametrize("name", ["list_append", "append", "add"])
def test_what_starts_from_nothing_fits_the_type_too(name: str) -> None:
    """Values are judged like operands: an element, an element of a set, and a number of the wrong type are refused."""
    values: dict[str, Callable[[Any], Any]] = {
        "list_append": lambda u: u.set(C.ints, C.ints.list_append(["x"])),
        "append": lambda u: u.append(C.ints, ["x"]),
        "add": lambda u: u.add(C.int_set, {Decimal("1.5")}),
    }
    with pytest.raises((ExpressionError, MarshallingError)):
        values[name](Client().table(E).update("x")).to_wire()
