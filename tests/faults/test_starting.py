"""Updates of what is not stored yet: entries of absent maps, and values that are stored as nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    MizzleError,
    PartitionKey,
    attribute,
    document,
    entity,
)


@document
class Address:
    city: Attribute[str | None] = attribute(default=None)
    notes: Attribute[dict[str, int]] = attribute(factory=dict)


@entity("starting")
class E:
    id: PartitionKey[str]
    m: Attribute[dict[str, int]] = attribute(factory=dict)
    deep: Attribute[dict[str, dict[str, int]]] = attribute(factory=dict)
    lists: Attribute[dict[str, list[str]]] = attribute(factory=dict)
    sets: Attribute[dict[str, set[str]]] = attribute(factory=dict)
    n: Attribute[dict[str, int | None]] = attribute(factory=dict)
    words: Attribute[dict[str, list[str] | None]] = attribute(factory=dict)
    a: Attribute[Address | None] = attribute(default=None)
    total: Attribute[int | None] = attribute(default=None)
    history: Attribute[list[str] | None] = attribute(default=None)
    s: Attribute[str] = attribute(default="")


C: Any = E

ABSENT: dict[str, tuple[Callable[[Any], Any], Callable[[E], Any], Any]] = {
    "an entry": (lambda u: u.set(C.m["a"], 1), lambda e: e.m, {"a": 1}),
    "an entry of an entry": (lambda u: u.set(C.deep["a"]["b"], 1), lambda e: e.deep, {"a": {"b": 1}}),
    "a member": (lambda u: u.set(C.a[Address.city], "x"), lambda e: e.a, Address(city="x")),
    "a sum": (lambda u: u.add(C.m["a"], 2), lambda e: e.m, {"a": 2}),
    "an appended entry": (lambda u: u.append(C.lists["a"], ["x"]), lambda e: e.lists, {"a": ["x"]}),
    "an element of a set": (lambda u: u.add(C.sets["a"], {"x"}), lambda e: e.sets, {"a": {"x"}}),
    "a default": (lambda u: u.set_default(C.m["a"], 3), lambda e: e.m, {"a": 3}),
}


@pytest.mark.parametrize("verb", ["update", "upsert"])
@pytest.mark.parametrize("name", ABSENT)
async def test_an_entry_of_an_absent_map_is_written_in_one_call(dynamodb: Client, name: str, verb: str) -> None:
    """The item is from before the attribute existed, or not there at all."""
    clause, look, expected = ABSENT[name]
    await dynamodb.ensure_tables(E)
    if verb == "update":
        await dynamodb.table("starting", partition_key="id").put({"id": f"{verb} {name}"})
    stored = await clause(getattr(dynamodb.table(E), verb)(f"{verb} {name}"))
    assert look(stored) == expected


async def test_the_callers_condition_holds_for_the_map_that_is_made_too(dynamodb: Client) -> None:
    """Where the condition is false nothing is made."""
    await dynamodb.ensure_tables(E)
    raw = dynamodb.table("starting", partition_key="id")
    await raw.put({"id": "guarded", "s": "x"})
    with pytest.raises(ConditionalCheckFailedError):
        await dynamodb.table(E).update("guarded").set(C.m["a"], 1).when(C.s == "y")
    assert await raw.get_one(id="guarded") == {"id": "guarded", "s": "x"}


NOTHING: dict[str, tuple[dict[str, Any], Callable[[Any], Any], Callable[[E], Any], Any]] = {
    "add to None": ({"n": {"x": None}}, lambda u: u.add(C.n["x"], 1), lambda e: e.n, {"x": 1}),
    "default of None": ({"n": {"x": None}}, lambda u: u.set_default(C.n["x"], 5), lambda e: e.n, {"x": 5}),
    "append to None": (
        {"words": {"x": None}},
        lambda u: u.append(C.words["x"], ["a"]),
        lambda e: e.words,
        {"x": ["a"]},
    ),
    "add to an empty set": ({"sets": {"x": []}}, lambda u: u.add(C.sets["x"], {"a"}), lambda e: e.sets, {"x": {"a"}}),
    "discard from an empty set": (
        {"sets": {"x": []}},
        lambda u: u.discard(C.sets["x"], {"a"}),
        lambda e: e.sets,
        {"x": set()},
    ),
    "add to a stored NULL": ({"total": None}, lambda u: u.add(C.total, 2), lambda e: e.total, 2),
    "append to a stored NULL": ({"history": None}, lambda u: u.append(C.history, ["a"]), lambda e: e.history, ["a"]),
    "default of a stored NULL": ({"total": None}, lambda u: u.set_default(C.total, 4), lambda e: e.total, 4),
}


@pytest.mark.parametrize("name", NOTHING)
async def test_a_clause_starts_from_nothing_where_null_or_an_empty_list_is_stored(dynamodb: Client, name: str) -> None:
    """What the library itself stores for None and for an empty set is nothing to its own clauses."""
    stored, clause, look, expected = NOTHING[name]
    await dynamodb.ensure_tables(E)
    await dynamodb.table("starting", partition_key="id").put({"id": name, **stored})
    assert look(await clause(dynamodb.table(E).update(name))) == expected


async def test_an_operand_of_a_wrong_stored_type_is_named(dynamodb: Client) -> None:
    """The service says only that an operand is wrong: the error names the path."""
    await dynamodb.ensure_tables(E)
    await dynamodb.table("starting", partition_key="id").put({"id": "wrong", "m": {"a": "a text"}})
    with pytest.raises(MizzleError, match=r"E\.m\.a"):
        await dynamodb.table(E).update("wrong").add(C.m["a"], 1)


@pytest.mark.parametrize("stored", [{}, {"m": "a text"}], ids=["absent", "no map"])
async def test_a_missing_parent_in_a_transaction_is_named(dynamodb: Client, stored: dict[str, Any]) -> None:
    """The error of a transaction says which operation it is, and at which path."""
    await dynamodb.ensure_tables(E)
    await dynamodb.table("starting", partition_key="id").put({"id": "parent", **stored})
    table = dynamodb.table(E)
    with pytest.raises(MizzleError, match=r"E\.m"):
        await dynamodb.transact_write(table.put(E(id="other")), table.update("parent").set(C.m["a"], 1))


async def test_positions_of_one_removal_are_those_before_the_update(client: Client) -> None:
    """The embedded engine removes as DynamoDB does: no position shifts while the clauses are applied."""
    await client.ensure_tables(E)
    table = client.table(E)
    await table.put(E(id="positions", history=["a", "b", "c", "d"]))
    assert (await table.update("positions").remove(C.history[0], C.history[1])).history == ["c", "d"]
