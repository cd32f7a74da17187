"""Updates of places that are not stored, or hold nothing, on each engine."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    ItemNotFoundError,
    PartitionKey,
    TransactionCanceledError,
    ValidationError,
    attribute,
    document,
    entity,
)
from mizzle_async.handles.table import Table
from mizzle_async.testing import Engine


@document
class Address:
    city: Attribute[str]
    zip: Attribute[str | None] = attribute(default=None)
    notes: Attribute[dict[str, int]] = attribute(factory=dict)


@document
class Person:
    name: Attribute[str]
    born: Attribute[int]
    address: Attribute[Address | None] = attribute(default=None)


@entity("cards")
class Card:
    id: PartitionKey[str]
    counts: Attribute[dict[str, int] | None] = attribute(default=None)
    deep: Attribute[dict[str, dict[str, dict[str, int]]] | None] = attribute(default=None)
    lists: Attribute[dict[str, list[str]] | None] = attribute(default=None)
    sets: Attribute[dict[str, set[str]] | None] = attribute(default=None)
    texts: Attribute[dict[str, str | None]] = attribute(factory=dict)
    numbers: Attribute[dict[str, int | None]] = attribute(factory=dict)
    words: Attribute[dict[str, list[str] | None]] = attribute(factory=dict)
    tags: Attribute[dict[str, set[str]]] = attribute(factory=dict)
    address: Attribute[Address | None] = attribute(default=None)
    person: Attribute[Person | None] = attribute(default=None)
    total: Attribute[int | None] = attribute(default=None)
    history: Attribute[list[str] | None] = attribute(default=None)
    labels: Attribute[set[str]] = attribute(factory=set)
    left: Attribute[int] = attribute(default=7)


C: Any = Card
FILLED: dict[str, Any] = {"texts": {}, "numbers": {}, "words": {}, "tags": {}, "left": 7}


@pytest.fixture
async def cards(client: Client) -> Table[Card]:
    """The table of cards."""
    await client.ensure_tables(Card)
    return client.table(Card)


@pytest.fixture
async def raw(client: Client, cards: Table[Card]) -> Table[dict[str, Any]]:
    """The same table, without a class."""
    assert cards.name.endswith("cards")
    return client.table("cards", partition_key="id")


Clause = Callable[[Any], Any]

ABSENT: list[tuple[str, Clause, dict[str, Any]]] = [
    ("set", lambda u: u.set(C.counts["a"], 1), {"counts": {"a": 1}}),
    ("two entries", lambda u: u.set(C.counts["a"], 1).set(C.counts["b"], 2), {"counts": {"a": 1, "b": 2}}),
    (
        "two parents",
        lambda u: u.set(C.counts["a"], 1).append(C.lists["a"], ["x"]),
        {"counts": {"a": 1}, "lists": {"a": ["x"]}},
    ),
    ("levels", lambda u: u.set(C.deep["a"]["b"]["c"], 1), {"deep": {"a": {"b": {"c": 1}}}}),
    (
        "branches",
        lambda u: u.set(C.deep["a"]["b"]["c"], 1).set(C.deep["a"]["d"]["e"], 2),
        {"deep": {"a": {"b": {"c": 1}, "d": {"e": 2}}}},
    ),
    ("add", lambda u: u.add(C.counts["a"], 5), {"counts": {"a": 5}}),
    ("add to a set", lambda u: u.add(C.sets["a"], {"x"}), {"sets": {"a": {"x"}}}),
    ("default", lambda u: u.set_default(C.counts["a"], 3), {"counts": {"a": 3}}),
    ("append", lambda u: u.append(C.lists["a"], ["x"]), {"lists": {"a": ["x"]}}),
    ("prepend", lambda u: u.prepend(C.lists["a"], ["x"]), {"lists": {"a": ["x"]}}),
    ("counter", lambda u: u.set(C.counts["a"], C.counts["a"].if_not_exists(10) - 3), {"counts": {"a": 7}}),
    ("list", lambda u: u.set(C.lists["a"], C.lists["a"].if_not_exists([]).list_append(["x"])), {"lists": {"a": ["x"]}}),
    ("document", lambda u: u.set(C.address[Address.city], "Bonn"), {"address": {"city": "Bonn"}}),
    (
        "inside a document",
        lambda u: u.set(C.address[Address.city], "Bonn").set(C.address[Address.notes]["n"], 1),
        {"address": {"city": "Bonn", "notes": {"n": 1}}},
    ),
    ("beside others", lambda u: u.set(C.counts["a"], 1).add(C.left, 1), {"counts": {"a": 1}, "left": 8}),
    ("discard", lambda u: u.discard(C.sets["a"], {"x"}).add(C.left, 1), {"left": 8}),
    ("remove", lambda u: u.remove(C.counts["a"]).add(C.left, 1), {"left": 8}),
]  # fmt: skip


@pytest.mark.parametrize(("clause", "stored"), [case[1:] for case in ABSENT], ids=[case[0] for case in ABSENT])
@pytest.mark.parametrize("parent", ["absent", "null"])
async def test_an_entry_of_a_map_that_is_not_stored_is_set_in_one_call(  # noqa: PLR0917  (pytest gives them)
    cards: Table[Card],
    raw: Table[dict[str, Any]],
    engine: Engine,
    parent: str,
    clause: Clause,
    stored: dict[str, Any],
) -> None:  # fmt: skip
    """What clauses make of a missing parent, or of one that is stored as NULL, is stored with them at once."""
    if parent == "null" and engine.name != "dynamodb-local":
        pytest.skip("this engine writes into a NULL, and stores a value of two types: see test_differences")
    nulls = dict.fromkeys(("counts", "deep", "lists", "sets", "address"))
    await raw.put({"id": "a", **FILLED, **(nulls if parent == "null" else {})})
    result = await clause(cards.update("a"))
    item = await raw.get_one("a")
    expected = {"id": "a", **FILLED, **(nulls if parent == "null" else {}), **stored}
    assert item == expected
    assert result == await cards.get_one("a")


@pytest.mark.parametrize(("clause", "stored"), [case[1:] for case in ABSENT], ids=[case[0] for case in ABSENT])
async def test_an_upsert_makes_the_parents_as_well(
    cards: Table[Card], raw: Table[dict[str, Any]], clause: Clause, stored: dict[str, Any]
) -> None:
    """An item that an upsert creates has the parents that its clauses lead into."""
    await clause(cards.upsert("new"))
    item = await raw.get_one("new")
    assert item == {"id": "new", **stored, **({"left": 1} if "left" in stored else {})}


NOTHING: list[tuple[str, Clause, dict[str, Any]]] = [
    ("add", lambda u: u.add(C.numbers["x"], 5), {"numbers": {"x": 5}}),
    ("default", lambda u: u.set_default(C.numbers["x"], 5), {"numbers": {"x": 5}}),
    ("default of text", lambda u: u.set_default(C.texts["x"], "t"), {"texts": {"x": "t"}}),
    ("append", lambda u: u.append(C.words["x"], ["w"]), {"words": {"x": ["w"]}}),
    ("prepend", lambda u: u.prepend(C.words["x"], ["w"]), {"words": {"x": ["w"]}}),
    ("add to a set", lambda u: u.add(C.tags["x"], {"t"}), {"tags": {"x": {"t"}}}),
    ("default of a set", lambda u: u.set_default(C.tags["x"], {"t"}), {"tags": {"x": {"t"}}}),
    ("discard", lambda u: u.discard(C.tags["x"], {"t"}), {"tags": {"x": []}}),
    ("top level add", lambda u: u.add(C.total, 5), {"total": 5}),
    ("top level default", lambda u: u.set_default(C.total, 5), {"total": 5}),
    ("top level append", lambda u: u.append(C.history, ["w"]), {"history": ["w"]}),
    ("top level set", lambda u: u.add(C.labels, {"t"}), {"labels": {"t"}}),
    (
        "two",
        lambda u: u.add(C.numbers["x"], 5).append(C.words["x"], ["w"]),
        {"numbers": {"x": 5}, "words": {"x": ["w"]}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("clause", "stored"), [case[1:] for case in NOTHING], ids=[case[0] for case in NOTHING])
async def test_clauses_start_from_nothing_where_null_or_an_empty_list_is_stored(
    cards: Table[Card], raw: Table[dict[str, Any]], clause: Clause, stored: dict[str, Any]
) -> None:
    """NULL, and an empty list where a set belongs, are nothing to start from, whoever wrote them."""
    item = {
        "id": "a",
        "left": 7,
        "texts": {"x": None},
        "numbers": {"x": None},
        "words": {"x": None},
        "tags": {"x": []},
        "total": None,
        "history": None,
        "labels": [],
    }
    await raw.put(item)
    await clause(cards.update("a"))
    assert await raw.get_one("a") == item | stored


async def test_the_callers_condition_holds_for_the_parent_too(cards: Table[Card], raw: Table[dict[str, Any]]) -> None:
    """A false condition makes no parent; the version of another clause stays what it was."""
    await raw.put({"id": "a", **FILLED})
    with pytest.raises(ConditionalCheckFailedError):
        await cards.update("a").set(C.counts["a"], 1).when(Card.left == 8)
    assert await raw.get_one("a") == {"id": "a", **FILLED}
    await cards.update("a").set(C.counts["a"], 1).when(C.counts["a"].not_exists() & (Card.left == 7))
    with pytest.raises(ConditionalCheckFailedError):
        await cards.update("a").set(C.counts["a"], 2).when(C.counts["a"].not_exists())
    assert (await cards.get_one("a")).counts == {"a": 1}
    with pytest.raises(ItemNotFoundError):
        await cards.update("none").set(C.counts["a"], 1)
    assert await raw.get("none") is None


async def test_writers_that_make_one_parent_lose_no_entry(cards: Table[Card], raw: Table[dict[str, Any]]) -> None:
    """Of several writers one makes the parent, the others find it: every entry is there."""
    await raw.put({"id": "a", **FILLED})
    await asyncio.gather(*(cards.update("a").set(C.counts[f"k{number}"], number) for number in range(8)))
    assert (await cards.get_one("a")).counts == {f"k{number}": number for number in range(8)}


async def test_a_parent_that_could_not_be_read_is_not_made(cards: Table[Card], raw: Table[dict[str, Any]]) -> None:
    """Clauses that give no whole document are refused by name, and nothing is written."""
    await raw.put({"id": "a", **FILLED})
    with pytest.raises(ValidationError, match=r"\.person\.name: nothing is stored at Card\.person, and a value of"):
        await cards.update("a").set(C.person[Person.name], "Ada")
    with pytest.raises(ValidationError, match=r"Card\.history\[0\]: nothing is stored at Card\.history"):
        await cards.update("a").set(C.history[0], "x")
    with pytest.raises(ValidationError, match=r"Card\.counts\.a: a parent is not stored, and its value is read"):
        await cards.update("a").set(C.counts["a"], Card.left)
    assert await raw.get_one("a") == {"id": "a", **FILLED}
    await cards.update("a").set(C.person[Person.name], "Ada").set(C.person[Person.born], 1815)
    assert (await cards.get_one("a")).person == Person(name="Ada", born=1815)


async def test_a_value_of_another_type_is_named(cards: Table[Card], raw: Table[dict[str, Any]]) -> None:
    """Where something else is stored than a clause takes, the error names the place."""
    await raw.put({"id": "a", **FILLED, "total": "12", "counts": {"a": "x"}})
    with pytest.raises(ValidationError, match=r"Card\.counts\.a: a value of another type is stored there"):
        await cards.update("a").add(C.counts["a"], 1)
    with pytest.raises(ValidationError, match=r"Card\.total: a value of another type is stored there"):
        await cards.update("a").add(Card.total, 1)


async def test_in_a_transaction_a_missing_parent_is_named(
    client: Client, cards: Table[Card], raw: Table[dict[str, Any]]
) -> None:
    """A transaction cannot make parents: the error says the places, and nothing is written."""
    await raw.put({"id": "a", **FILLED})
    await raw.put({"id": "b", **FILLED})
    for operations in (
        [cards.update("a").set(C.counts["x"], 1)],
        [cards.update("b").add(Card.left, 1), cards.update("a").set(C.counts["x"], 1)],
        [cards.update("a").set(C.numbers["x"], 1).set(C.counts["x"], 1)],
    ):
        with pytest.raises((ValidationError, TransactionCanceledError), match=r"Card\.counts\.x"):
            await client.transact_write(*operations)
    with pytest.raises((ValidationError, TransactionCanceledError), match=r"Card\.counts\.x"):
        await cards.update("a").set(C.counts["x"], 1).exactly_once()
    assert await raw.get_one("a") == {"id": "a", **FILLED}


async def test_the_explanation_says_what_may_follow(cards: Table[Card], raw: Table[dict[str, Any]]) -> None:
    """`explain` shows the requests that follow where a parent is missing; the request itself is the plain one."""
    operation = cards.update("a").set(C.counts["a"], 1)
    explanation = operation.explain()
    assert explanation.expressions["update"] == "SET counts.a = 1"
    assert len(explanation.then) == 1
    assert "where Card.counts is not stored, a GetItem, then this update with Card.counts assigned" in str(explanation)
    assert cards.update("a").add(Card.left, 1).explain().then == ()
    await raw.put({"id": "a", **FILLED})
    await operation


async def test_everything_ends_within_one_time(cards: Table[Card], raw: Table[dict[str, Any]]) -> None:
    """The requests of one call share its time."""
    await raw.put({"id": "a", **FILLED})
    operation = cards.update("a", timeout=timedelta(seconds=30).total_seconds()).set(C.counts["a"], 1)
    await asyncio.wait_for(operation.send(), 30)
    assert (await cards.get_one("a")).counts == {"a": 1}
