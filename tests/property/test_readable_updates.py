"""No update clause that is accepted makes an item unreadable: random classes, random clauses, on DynamoDB Local.

Each example makes a class of random attributes, stores an instance, and sends random clauses: values and paths of
whatever type, sums, removals, appends, into documents, unions, dicts and tuples. A clause may be refused when it is
built, and the service may refuse it; one that is applied leaves an item that its class can read.
``MIZZLE_TEST_COUNT`` says how many examples there are.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, Literal, NamedTuple
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    LimitError,
    MarshallingError,
    MizzleError,
    PartitionKey,
    ServiceError,
    attribute,
    document,
    entity,
)
from mizzle_async.testing import DynamoDBLocal

EXAMPLES = int(os.environ.get("MIZZLE_TEST_COUNT", "30"))
CLAUSES = 25
OPTIONS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)

_numbers = itertools.count(1)


class Color(StrEnum):
    RED = "red"
    GREEN = "green"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Plain(Enum):
    ON = "on"
    OFF = "off"


class Positive(int):
    """An int that is refused where it is not positive."""

    def __new__(cls, value: int) -> Positive:  # noqa: PYI034  (Hypothesis wants no self type here)
        """Refuse what is not positive."""
        if value <= 0:
            raise ValueError(value)
        return super().__new__(cls, value)


class Kind(NamedTuple):
    """A type, its values, and the ways into them."""

    annotation: Any
    values: st.SearchStrategy[Any]
    inside: tuple[tuple[Any, Kind], ...] = ()
    options: dict[str, Any] = {}  # noqa: RUF012  (it is never changed)


TEXTS = st.sampled_from(["", "a", "b", "red", "on", "2026-01-31", "x" * 9])
NUMBERS = st.integers(-3, 3) | st.sampled_from([10**20, -(10**30)])
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  (given one)
DECIMALS = st.decimals(-100, 100, places=3)

SCALARS: dict[str, Kind] = {
    "str": Kind(str, TEXTS),
    "int": Kind(int, NUMBERS),
    "float": Kind(float, st.floats(-100, 100) | st.just(0.1)),
    "Decimal": Kind(Decimal, DECIMALS),
    "bool": Kind(bool, st.booleans()),
    "bytes": Kind(bytes, st.binary(max_size=3)),
    "UUID": Kind(UUID, st.builds(UUID, int=st.integers(0, 5))),
    "date": Kind(date, st.dates(date(2000, 1, 1), date(2100, 1, 1))),
    "timedelta": Kind(timedelta, st.timedeltas(timedelta(-99), timedelta(99))),
    "Color": Kind(Color, st.sampled_from(Color)),
    "Level": Kind(Level, st.sampled_from(Level)),
    "Plain": Kind(Plain, st.sampled_from(Plain)),
    "ab": Kind(Literal["a", "b"], st.sampled_from(["a", "b"])),
    "one": Kind(Literal[1, 2], st.sampled_from([1, 2])),
    "Positive": Kind(Positive, st.builds(Positive, st.integers(1, 5))),
    "number": Kind(int | Decimal, NUMBERS | DECIMALS),
    "either": Kind(int | str, NUMBERS | TEXTS),
}
TIMES: dict[str, Kind] = {
    "iso": Kind(datetime, MOMENTS),
    "sec": Kind(datetime, MOMENTS, options={"datetime_format": "epoch"}),
    "ms": Kind(datetime, MOMENTS, options={"datetime_format": "epoch_ms"}),
}
KEYS: dict[str, st.SearchStrategy[Any]] = {"str": TEXTS.filter(bool), "Color": st.sampled_from(Color)}


@document
class Leaf:
    text: Attribute[str]
    count: Attribute[int] = attribute(default=0, name="n")
    maybe: Attribute[str | None] = attribute(default=None)
    tags: Attribute[set[str]] = attribute(factory=set)
    pair: Attribute[tuple[int, str]] = attribute(default=(0, ""))


@document(unknown="raise")
class Left:
    x: Attribute[int]
    same: Attribute[int] = attribute(default=0)
    odd: Attribute[int | None] = attribute(default=None)


@document
class Right:
    same: Attribute[int] = attribute(default=0)
    odd: Attribute[str] = attribute(default="")
    y: Attribute[list[int]] = attribute(factory=list)


@document
class Card:
    kind: Attribute[Literal["card"]]
    number: Attribute[int] = attribute(default=0)


@document
class Bank:
    kind: Attribute[Literal["bank"]]
    number: Attribute[Decimal] = attribute(default=Decimal(0))


S = SCALARS
LEAF = Kind(
    Leaf,
    st.builds(Leaf, text=TEXTS, count=NUMBERS, maybe=st.none() | TEXTS, tags=st.sets(TEXTS, max_size=2)),
    (
        (Leaf.text, S["str"]),
        ("text", S["str"]),
        (Leaf.count, S["int"]),
        ("n", S["int"]),
        ("count", S["int"]),
        (Leaf.maybe, S["str"]),
        ("maybe", S["str"]),
        (Leaf.tags, Kind(set[str], st.sets(TEXTS, max_size=2))),
        (Leaf.pair, Kind(tuple[int, str], st.tuples(NUMBERS, TEXTS), ((0, S["int"]), (1, S["str"])))),
        ("nope", S["int"]),
    ),
)
EITHER = Kind(
    Left | Right,
    st.builds(Left, x=NUMBERS, odd=st.none() | NUMBERS) | st.builds(Right, same=NUMBERS, odd=TEXTS),
    (
        (Left.x, S["int"]),
        (Left.same, S["int"]),
        ("same", S["int"]),
        (Left.odd, S["int"]),
        (Right.odd, S["str"]),
        ("odd", S["str"]),
        (Right.y, Kind(list[int], st.lists(NUMBERS, max_size=2), ((0, S["int"]),))),
        ("_type", S["str"]),
        ("nope", S["int"]),
    ),
)
PAYMENT = Kind(
    Card | Bank,
    st.builds(Card, kind=st.just("card"), number=NUMBERS) | st.builds(Bank, kind=st.just("bank"), number=DECIMALS),
    ((Card.number, S["int"]), (Bank.number, S["Decimal"]), ("number", S["Decimal"]), ("kind", S["str"])),
)
BASES = [*SCALARS.values(), LEAF, EITHER, PAYMENT]


def listed(of: Kind) -> Kind:
    """Return lists of a kind."""
    return Kind(list[of.annotation], st.lists(of.values, max_size=3), ((0, of), (1, of), (5, of)))


def varied(of: Kind) -> Kind:
    """Return tuples of any length."""
    return Kind(tuple[of.annotation, ...], st.lists(of.values, max_size=3).map(tuple), ((0, of), (2, of)))


def paired(first: Kind, second: Kind) -> Kind:
    """Return tuples of two."""
    values = st.tuples(first.values, second.values)
    return Kind(tuple[first.annotation, second.annotation], values, ((0, first), (1, second)))


def named(key: str, of: Kind) -> Kind:
    """Return dicts whose keys are of a type."""
    keys = KEYS[key]
    ways = (("red", of), ("a", of), (Color.GREEN, of))
    return Kind(dict[SCALARS[key].annotation, of.annotation], st.dictionaries(keys, of.values, max_size=3), ways)


def optional(of: Kind) -> Kind:
    """Return a kind or None."""
    return Kind(of.annotation | None, st.none() | of.values, of.inside, of.options)


def gathered(of: Kind) -> Kind:
    """Return sets."""
    return Kind(set[of.annotation], st.sets(of.values, max_size=3))


ELEMENTS = [S[name] for name in ("str", "int", "Decimal", "Color", "Level", "bytes", "UUID")]


@st.composite
def kinds(draw: Any, depth: int = 2) -> Kind:
    """Draw a type."""
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from([*BASES, *TIMES.values()] if depth == 2 else BASES))
    of = draw(kinds(depth - 1))
    return draw(
        st.sampled_from(
            [
                listed(of),
                varied(of),
                paired(of, draw(kinds(0))),
                named("str", of),
                named("Color", of),
                optional(of),
                gathered(draw(st.sampled_from(ELEMENTS))),
                named("str", optional(of)),
                listed(optional(of)),
                Kind(int | str | list[int], NUMBERS | TEXTS | st.lists(NUMBERS, max_size=2), ((0, S["int"]),)),
                Kind(Any, NUMBERS | TEXTS | st.lists(TEXTS, max_size=2), ((0, S["str"]), ("a", S["int"]))),
            ]
        )
    )


def make_class(members: list[Kind]) -> type[Any]:
    """Return an entity with these attributes."""
    annotations: dict[str, Any] = {"id": PartitionKey[str]}
    body: dict[str, Any] = {}
    for number, kind in enumerate(members):
        annotations[f"a{number}"] = Attribute[kind.annotation]
        if kind.options:
            body[f"a{number}"] = attribute(**kind.options)
    name = f"Thing{next(_numbers)}"
    return entity("things")(type(name, (), {"__annotations__": annotations, "__module__": __name__, **body}))


@st.composite
def places(draw: Any, cls: type[Any], members: list[Kind]) -> tuple[Any, Kind]:
    """Draw a path with what its class says lies there."""
    number = draw(st.integers(0, len(members) - 1))
    path, kind = getattr(cls, f"a{number}"), members[number]
    while kind.inside and draw(st.integers(0, 2)):
        step, kind = draw(st.sampled_from(kind.inside))
        path = path[step]
    return path, kind


@st.composite
def operands(draw: Any, cls: type[Any], members: list[Kind], kind: Kind) -> Any:
    """Draw something to assign: a value of the type or of another, a path, a sum, a default, a list with more."""
    value = draw(kind.values if draw(st.integers(0, 3)) else draw(st.sampled_from(BASES)).values)
    path, other = draw(places(cls, members))
    third, _ = draw(places(cls, members))
    return draw(
        st.sampled_from([
            lambda: value,
            lambda: path,
            lambda: path + value,
            lambda: path - third,
            lambda: path + draw(other.values),
            lambda: path + timedelta(days=1),
            lambda: path.if_not_exists(value),
            lambda: path.if_not_exists(value) + draw(kind.values),
            lambda: path.list_append(value if isinstance(value, list) else [value]),
            lambda: path.list_append(third),
        ])
    )()  # fmt: skip


@st.composite
def clauses(draw: Any, cls: type[Any], members: list[Kind]) -> Callable[[Any], Any]:
    """Draw a clause, as what adds it to an update."""
    path, kind = draw(places(cls, members))
    value = draw(kind.values)
    operand = draw(operands(cls, members, kind))
    many = value if isinstance(value, list) else [value]
    return draw(
        st.sampled_from([
            lambda update: update.set(path, operand),
            lambda update: update.set(path, operand),
            lambda update: update.set_default(path, operand),
            lambda update: update.add(path, value),
            lambda update: update.add(path, draw(NUMBERS)),
            lambda update: update.add(path, timedelta(hours=1)),
            lambda update: update.remove(path),
            lambda update: update.discard(path, value),
            lambda update: update.append(path, many),
            lambda update: update.prepend(path, operand),
        ])
    )  # fmt: skip


@pytest.mark.timeout(900)
def test_no_accepted_clause_makes_an_item_unreadable(dynamodb_local: DynamoDBLocal) -> None:
    """Whatever a clause that was accepted and applied leaves can be read by the class that it was written for."""
    applied = 0

    @OPTIONS
    @given(st.data(), st.lists(kinds(), min_size=3, max_size=7))
    def check(data: st.DataObject, members: list[Kind]) -> None:
        nonlocal applied
        cls = make_class(members)
        values = {f"a{number}": data.draw(kind.values) for number, kind in enumerate(members)}
        applied += asyncio.run(send_clauses(dynamodb_local, cls, cls(id="x", **values), members, data))

    check()
    assert applied > EXAMPLES  # of the random clauses enough were right


async def send_clauses(
    engine: DynamoDBLocal, cls: type[Any], instance: Any, members: list[Kind], data: st.DataObject
) -> int:
    """Send random clauses to one item, and read it after each; return how many were applied."""
    applied = 0
    async with Client(
        endpoint_url=engine.endpoint_url, region_name=engine.region_name, credentials=engine.credentials,
        table_prefix="readable-", timeout=60.0,
    ) as client:  # fmt: skip
        await client.ensure_tables(cls)
        table = client.table(cls)
        try:
            await table.put(instance)
        except (MarshallingError, LimitError):
            return 0
        for _ in range(CLAUSES):
            try:
                operation = data.draw(clauses(cls, members))(table.update("x"))
            except (ExpressionError, MarshallingError, LimitError, TypeError, AttributeError):
                continue  # refused when it was built
            try:
                text = f"{operation}"
                await operation
            except MarshallingError as error:
                raise AssertionError(f"{text} made the item unreadable: {error}") from error
            except ServiceError:
                continue  # what is stored does not go with it: nothing was written
            except MizzleError:
                continue
            applied += 1
            await table.get_one("x")
    return applied
