"""A patch loses no other writer's change in silence, and drops nothing that the class does not declare."""

from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    PartitionKey,
    attribute,
    document,
    entity,
    evolve,
)


@document(unknown="raise")
class X:
    x: Attribute[int]


@document(unknown="raise")
class Y:
    y: Attribute[int]


@document
class D:
    n: Attribute[int] = attribute(default=0)
    tags: Attribute[set[str]] = attribute(factory=set)
    words: Attribute[list[str]] = attribute(factory=list)


@entity("patched")
class E:
    id: PartitionKey[str]
    u: Attribute[X | Y | None] = attribute(default=None)
    many: Attribute[dict[str, X | Y]] = attribute(factory=dict)
    row: Attribute[list[X | Y]] = attribute(factory=list)
    d: Attribute[D] = attribute(factory=D)
    by: Attribute[dict[str, D]] = attribute(factory=dict)
    ds: Attribute[list[D]] = attribute(factory=list)
    sets: Attribute[dict[str, set[str]]] = attribute(factory=dict)
    words: Attribute[list[str]] = attribute(factory=list)
    counts: Attribute[dict[str, int]] = attribute(factory=dict)
    tags: Attribute[set[str]] = attribute(factory=set)


async def outcome(client: Client, old: E, theirs: E, mine: E) -> tuple[str, E | None]:
    """Store `old`, then `theirs`, patch `old` to `mine`, and return what came of it and what is stored."""
    await client.ensure_tables(E)
    table = client.table(E)
    await table.put(old)
    await table.put(theirs)
    try:
        await table.patch(old, to=mine)
    except ConditionalCheckFailedError:
        return "refused", await table.get(id=old.id)
    return "applied", await table.get(id=old.id)


@pytest.mark.parametrize(
    ("old", "theirs", "mine"),
    [
        ({"u": Y(y=1)}, {"u": X(x=5)}, {"u": Y(y=7)}),
        ({"many": {"k": Y(y=1)}}, {"many": {"k": X(x=5)}}, {"many": {"k": Y(y=7)}}),
        ({"row": [Y(y=1)]}, {"row": [X(x=5)]}, {"row": [Y(y=7)]}),
    ],
    ids=["attribute", "entry of a map", "element of a list"],
)
async def test_a_patch_inside_a_union_is_refused_where_another_class_is_stored(
    client: Client, old: dict[str, Any], theirs: dict[str, Any], mine: dict[str, Any]
) -> None:
    """What is stored stays readable, and the caller is told that the patch did not happen."""
    result = await outcome(client, E(id="a", **old), E(id="a", **theirs), E(id="a", **mine))
    assert result == ("refused", E(id="a", **theirs))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda tags: E(id="a", d=D(tags=tags)),
        lambda tags: E(id="a", by={"k": D(tags=tags)}),
        lambda tags: E(id="a", sets={"k": tags}),
        lambda tags: E(id="a", tags=tags),
    ],
    ids=["document", "document in a map", "entry of a map", "attribute"],
)
async def test_a_patch_of_a_set_keeps_what_another_writer_added(client: Client, wrap: Any) -> None:
    """Two writers add an element each: both are stored, or the second one is refused."""
    kind, stored = await outcome(client, wrap({"t"}), wrap({"t", "theirs"}), wrap({"t", "mine"}))
    assert (kind, stored) in [("refused", wrap({"t", "theirs"})), ("applied", wrap({"t", "theirs", "mine"}))]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda words: E(id="a", words=words),
        lambda words: E(id="a", d=D(words=words)),
        lambda words: E(id="a", by={"k": D(words=words)}),
    ],
    ids=["attribute", "document", "document in a map"],
)
async def test_a_patch_appends_only_to_the_list_that_was_read(client: Client, wrap: Any) -> None:
    """Another list of the same length is not appended to."""
    result = await outcome(client, wrap(["a", "b"]), wrap(["x", "y"]), wrap(["a", "b", "c"]))
    assert result == ("refused", wrap(["x", "y"]))


@pytest.mark.parametrize("changed", [40, 41, 120])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda numbers: E(id="a", counts=numbers),
        lambda numbers: E(id="a", by={name: D(n=number) for name, number in numbers.items()}),
    ],
    ids=["numbers", "documents"],
)
async def test_a_patch_of_many_entries_keeps_the_entries_of_others(client: Client, changed: int, wrap: Any) -> None:
    """Whatever the number of changed entries, an entry that another writer added is there, or the patch is refused."""
    old = {f"k{number}": 1 for number in range(changed)}
    mine = dict.fromkeys(old, 2)
    kind, stored = await outcome(client, wrap(old), wrap({**old, "theirs": 9}), wrap(mine))
    assert (kind, stored) in [("applied", wrap({**mine, "theirs": 9})), ("refused", wrap({**old, "theirs": 9}))]


UNDECLARED = {
    "id": "a",
    "d": {"n": 1, "other": "kept"},
    "by": {"k": {"n": 1, "other": "kept"}},
    "ds": [{"n": 1, "other": "kept"}, {"n": 2, "other": "kept as well"}],
}


@pytest.mark.parametrize("verb", ["replace", "patch"])
@pytest.mark.parametrize("place", ["d", "by", "ds"])
async def test_undeclared_members_of_documents_survive(client: Client, verb: str, place: str) -> None:
    """A change of one member leaves the members that the class does not declare, below maps and lists too."""
    await client.ensure_tables(E)
    raw = client.table("patched", partition_key="id")
    await raw.put(UNDECLARED)
    table = client.table(E)
    old = await table.get_one(id="a")
    changes: dict[str, Any] = {"d": D(n=7), "by": {"k": D(n=7)}, "ds": [D(n=7), D(n=2)]}
    new = evolve(old, **{place: changes[place]})
    await (table.replace(new) if verb == "replace" else table.patch(old, to=new))
    stored = await raw.get_one(id="a")
    others = [stored["d"].get("other"), stored["by"]["k"].get("other"), *(one.get("other") for one in stored["ds"])]
    assert others == ["kept", "kept", "kept", "kept as well"]
    assert (await table.get(id="a")) == new
