"""A patch loses no other writer's change in silence, on each engine."""

from dataclasses import dataclass
from typing import Any, Literal

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
from mizzle_async.handles.table import Table


@document(unknown="raise")
class Left:
    x: Attribute[int]


@document(unknown="raise")
class Right:
    y: Attribute[int]


@document
class Card:
    kind: Attribute[Literal["card"]]
    number: Attribute[int]


@document
class Bank:
    kind: Attribute[Literal["bank"]]
    number: Attribute[int]


@document
class Line:
    sku: Attribute[str]
    amount: Attribute[int] = attribute(default=1)
    note: Attribute[str | None] = attribute(default=None)


@document
class Settings:
    level: Attribute[int]
    tags: Attribute[set[str]] = attribute(factory=set)
    lines: Attribute[list[Line]] = attribute(factory=list)


@dataclass
class Box:
    width: int
    height: int = 0


@entity("states")
class State:
    id: PartitionKey[str]
    total: Attribute[int] = attribute(default=0)
    either: Attribute[Left | Right | None] = attribute(default=None)
    many: Attribute[dict[str, Left | Right]] = attribute(factory=dict)
    payment: Attribute[Card | Bank | None] = attribute(default=None)
    settings: Attribute[Settings] = attribute(factory=lambda: Settings(level=0))
    by_name: Attribute[dict[str, Settings]] = attribute(factory=dict)
    groups: Attribute[dict[str, set[str]]] = attribute(factory=dict)
    words: Attribute[list[str]] = attribute(factory=list)
    lines: Attribute[list[Line]] = attribute(factory=list)
    counts: Attribute[dict[str, int]] = attribute(factory=dict)
    maybe: Attribute[dict[str, int] | None] = attribute(default=None)
    boxes: Attribute[dict[str, Box]] = attribute(factory=dict)
    anything: Attribute[Any] = attribute(factory=dict)


@pytest.fixture
async def states(client: Client) -> Table[State]:
    """The table of states."""
    await client.ensure_tables(State)
    return client.table(State)


STATE = State(id="a", settings=Settings(level=1))

CONFLICTS: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("another class of a union", {"either": Right(y=1)}, {"either": Left(x=5)}, {"either": Right(y=7)}),
    (
        "another class of a union in a map",
        {"many": {"k": Right(y=1)}},
        {"many": {"k": Left(x=5)}},
        {"many": {"k": Right(y=7)}},
    ),
    (
        "another class told by its own attribute",
        {"payment": Card(kind="card", number=1)},
        {"payment": Bank(kind="bank", number=1)},
        {"payment": Card(kind="card", number=2)},
    ),
    (
        "a set in a document",
        {"settings": Settings(level=1, tags={"t"})},
        {"settings": Settings(level=1, tags={"t", "theirs"})},
        {"settings": Settings(level=1, tags={"t", "mine"})},
    ),
    (
        "the first elements of a set in a document",
        {"settings": Settings(level=1)},
        {"settings": Settings(level=1, tags={"theirs"})},
        {"settings": Settings(level=1, tags={"mine"})},
    ),
    ("a set in a map", {"groups": {"g": {"t"}}}, {"groups": {"g": {"t", "theirs"}}}, {"groups": {"g": {"t", "mine"}}}),
    (
        "the first elements of a set in a map",
        {"groups": {"g": set()}},
        {"groups": {"g": {"theirs"}}},
        {"groups": {"g": {"mine"}}},
    ),
    ("a list of the same length", {"words": ["a", "b"]}, {"words": ["x", "y"]}, {"words": ["a", "b", "c"]}),
    ("a list that shrinks", {"words": ["a", "b"]}, {"words": ["a", "b", "theirs"]}, {"words": ["b"]}),
    ("a list that is emptied", {"words": ["a"]}, {"words": ["a", "theirs"]}, {"words": []}),
    ("a list that changes", {"words": ["a", "b"]}, {"words": ["a", "b", "theirs"]}, {"words": ["a", "mine"]}),
    ("a list that is first filled", {"words": []}, {"words": ["theirs"]}, {"words": ["mine"]}),
    ("a map that comes into being", {"maybe": None}, {"maybe": {"theirs": 1}}, {"maybe": {"mine": 1}}),
    ("a map that goes", {"maybe": {"a": 1}}, {"maybe": {"a": 1, "theirs": 1}}, {"maybe": None}),
    (
        "an entry with parts that goes",
        {"by_name": {"k": Settings(level=1)}},
        {"by_name": {"k": Settings(level=2)}},
        {"by_name": {}},
    ),
    (
        "a member of an entry that is gone",
        {"by_name": {"k": Settings(level=1)}},
        {"by_name": {}},
        {"by_name": {"k": Settings(level=2)}},
    ),
    ("a list stored by value", {"anything": {"l": [1]}}, {"anything": {"l": [2]}}, {"anything": {"l": [1, 3]}}),
    (
        "a value of another kind",
        {"anything": {"v": {"theirs": 1}}},
        {"anything": {"v": {"theirs": 2}}},
        {"anything": {"v": "mine"}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("old", "theirs", "mine"), [case[1:] for case in CONFLICTS], ids=[c[0] for c in CONFLICTS])
async def test_a_patch_never_overwrites_another_writers_change_in_silence(
    states: Table[State], old: dict[str, Any], theirs: dict[str, Any], mine: dict[str, Any]
) -> None:
    """Where another writer changed the same container meanwhile, the patch is refused and what is stored stays."""
    before = evolve(STATE, **old)
    await states.put(before)
    await states.put(evolve(before, **theirs))
    with pytest.raises(ConditionalCheckFailedError) as caught:
        await states.patch(before, to=evolve(before, total=9, **mine))
    assert caught.value.stored(State) == evolve(before, **theirs)
    assert await states.get("a") == evolve(before, **theirs)


@pytest.mark.parametrize(("old", "mine"), [(case[1], case[3]) for case in CONFLICTS], ids=[c[0] for c in CONFLICTS])
async def test_a_patch_without_other_writers_is_applied(
    states: Table[State], old: dict[str, Any], mine: dict[str, Any]
) -> None:
    """The guards are true where only the patch itself changes anything."""
    before = evolve(STATE, **old)
    after = evolve(before, total=9, **mine)
    await states.put(before)
    assert await states.patch(before, to=after) == after
    assert await states.get("a") == after


@pytest.mark.parametrize("count", [1, 40, 41, 180, 400])
async def test_so_many_changed_entries_leave_the_other_entries_alone(states: Table[State], count: int) -> None:
    """However many entries of a map a patch changes, an entry that another writer added survives."""
    counts = {f"entry-{number}": number for number in range(count)}
    before = evolve(STATE, counts=counts)
    await states.put(before)
    await states.update("a").set(State.counts["theirs"], 1)
    after = evolve(before, counts={name: number + 1 for name, number in counts.items()})
    patched = await states.patch(before, to=after)
    assert patched.counts == after.counts | {"theirs": 1}


async def test_240_entries_of_six_maps_are_changed_entry_by_entry(client: Client, states: Table[State]) -> None:
    """The bytes of an expression count, not the clauses: 240 of them fit into one update."""
    raw = client.table(states.name.partition("-")[2], partition_key="id")
    old = {f"m{group}": {f"k{number}": 0 for number in range(40)} for group in range(6)}
    new = {name: dict.fromkeys(entries, 1) for name, entries in old.items()}
    await raw.put({"id": "a", **old})
    operation = raw.patch({"id": "a", **old}, to={"id": "a", **new})
    assert operation.to_wire()["UpdateExpression"].count(" = ") == 240
    assert await operation == {"id": "a", **new}


async def test_members_of_a_class_that_no_path_leads_into_are_kept(states: Table[State]) -> None:
    """A value that is written as a whole is built anew from what is stored: both writers' members are there."""
    before = evolve(STATE, boxes={"b": Box(1)})
    await states.put(before)
    await states.put(evolve(before, boxes={"b": Box(1, 2)}))
    assert (await states.patch(before, to=evolve(before, boxes={"b": Box(3)}))).boxes == {"b": Box(3, 2)}


async def test_undeclared_members_of_documents_survive_a_patch(client: Client, states: Table[State]) -> None:
    """Members that no class declares survive a patch in documents, in maps and in lists of documents."""
    raw = client.table("states", partition_key="id")
    await raw.put(
        {
            "id": "a",
            "settings": {
                "level": 1,
                "secret": 1,
                "lines": [{"sku": "s", "amount": 1, "secret": 2}, {"sku": "t", "amount": 1, "secret": 3}],
            },
            "by_name": {"k": {"level": 1, "secret": 4}},
            "lines": [
                {"sku": "a", "amount": 1, "secret": 5},
                {"sku": "b", "amount": 1, "secret": 6},
                {"sku": "c", "amount": 1, "secret": 7},
            ],
        }
    )
    before = await states.get_one("a")
    settings = evolve(before.settings, lines=[*before.settings.lines, Line(sku="u")])
    changed = [before.lines[2], evolve(before.lines[0], amount=4), Line(sku="new")]
    await states.patch(before, to=evolve(before, settings=settings, lines=changed))
    stored = await raw.get_one("a")
    assert stored["settings"]["secret"] == 1
    assert [line.get("secret") for line in stored["settings"]["lines"]] == [2, 3, None]
    assert stored["by_name"] == {"k": {"level": 1, "secret": 4}}
    assert stored["lines"] == [
        {"sku": "c", "amount": 1, "secret": 7},
        {"sku": "a", "amount": 4, "secret": 6},
        {"sku": "new", "amount": 1},
    ]


async def test_undeclared_members_of_documents_survive_a_replacement(client: Client, states: Table[State]) -> None:
    """Members that no class declares survive `replace` as well, also in lists and where members come and go."""
    raw = client.table("states", partition_key="id")
    await raw.put(
        {
            "id": "a",
            "other": 0,
            "settings": {"level": 1, "secret": 1},
            "by_name": {"k": {"level": 1, "secret": 4}, "gone": {"level": 1}},
            "lines": [{"sku": "a", "amount": 1, "secret": 5}, {"sku": "b", "amount": 1, "note": "n", "secret": 6}],
        }
    )
    before = await states.get_one("a")
    after = evolve(
        before,
        total=3,
        by_name={"k": Settings(level=2), "new": Settings(level=3)},
        lines=[before.lines[1], evolve(before.lines[0], note="x")],
    )
    assert await states.replace(after) == after
    stored = await raw.get_one("a")
    assert (stored["other"], stored["total"]) == (0, 3)
    assert stored["settings"]["secret"] == 1
    assert stored["by_name"]["k"] == {"level": 2, "secret": 4}
    assert stored["by_name"]["new"] == {"level": 3, "lines": []}
    assert [line.get("secret") for line in stored["lines"]] == [6, None]


async def test_a_replacement_of_many_documents_keeps_undeclared_members(client: Client, states: Table[State]) -> None:
    """Where the condition for one request would be too long, the replacement looks at what is stored."""
    raw = client.table("states", partition_key="id")
    lines = [{"sku": str(number), "amount": 1, "secret": number} for number in range(100)]
    await raw.put({"id": "a", "settings": {"level": 1}, "lines": lines})
    before = await states.get_one("a")
    await states.replace(evolve(before, total=5))
    stored = await raw.get_one("a")
    assert (stored["total"], stored["lines"]) == (5, lines)


async def test_a_replacement_without_undeclared_members_is_one_request(states: Table[State]) -> None:
    """The condition is true of an item that has the members of the new one: no second request is needed."""
    before = evolve(STATE, lines=[Line(sku="a"), Line(sku="b")], by_name={"k": Settings(level=1)})
    await states.put(before)
    after = evolve(before, lines=[Line(sku="b", amount=3), Line(sku="a")], total=2)
    operation = states.replace(after)
    assert "size(" in operation.to_wire()["ConditionExpression"]
    assert await operation == after


async def test_replacements_and_patches_work_in_a_transaction(client: Client, states: Table[State]) -> None:
    """In a transaction the same guards hold; one that cannot be stated there leaves the replacement unguarded."""
    many = [Line(sku=str(number)) for number in range(100)]
    first, second = evolve(STATE, lines=many), evolve(STATE, id="b", words=["a"])
    await states.put(first)
    await states.put(second)
    await client.transact_write(
        states.replace(evolve(first, total=1, lines=[*many, Line(sku="x")])),
        states.patch(second, to=evolve(second, words=["a", "b"])),
    )
    assert len((await states.get_one("a")).lines) == 101
    assert (await states.get_one("b")).words == ["a", "b"]
