"""Two writers patch one item beside every other verb, and no change is lost in silence, on DynamoDB Local.

Every change that a writer makes puts marks of its own somewhere into the item, or takes marks away that the writer has
read. What must be stored is known from that alone: the marks of every change that was not refused, less those that a
later writer took away knowingly. Members that no class declares carry marks as well.
``MIZZLE_TEST_COUNT`` says how many histories there are.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

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
from mizzle_async.testing import DynamoDBLocal

EXAMPLES = int(os.environ.get("MIZZLE_TEST_COUNT", "25"))
OPTIONS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
MANY = 60

_items = itertools.count(1)


class Marks:
    """Makes the marks of one history, each once; the same history has the same marks."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, kind: str = "m") -> str:
        """Return another mark."""
        self.count += 1
        return f"{kind}{self.count:05}"


@document
class Line:
    id: Attribute[str]
    tags: Attribute[set[str]] = attribute(factory=set)
    words: Attribute[list[str]] = attribute(factory=list)
    by_name: Attribute[dict[str, str]] = attribute(factory=dict)


@document
class Left:
    left: Attribute[list[str]] = attribute(factory=list)
    name: Attribute[str | None] = attribute(default=None)


@document
class Right:
    right: Attribute[list[str]] = attribute(factory=list)
    name: Attribute[str | None] = attribute(default=None)


@entity("states")
class State:
    id: PartitionKey[str]
    words: Attribute[list[str]] = attribute(factory=list)
    tags: Attribute[set[str]] = attribute(factory=set)
    entries: Attribute[dict[str, str]] = attribute(factory=dict)
    groups: Attribute[dict[str, set[str]]] = attribute(factory=dict)
    line: Attribute[Line | None] = attribute(default=None)
    lines: Attribute[list[Line]] = attribute(factory=list)
    by_name: Attribute[dict[str, Line]] = attribute(factory=dict)
    either: Attribute[Left | Right | None] = attribute(default=None)
    anything: Attribute[Any] = attribute(factory=dict)


def marks_in(value: Any) -> set[str]:
    """Return the marks in a stored value, or in a part of one."""
    match value:
        case str() if value[:1] in {"m", "u"} and value[1:].replace("-", "").isdigit():
            return {value}
        case dict():
            return {found for each in (*value, *value.values()) for found in marks_in(each)}
        case list() | set():
            return {found for each in value for found in marks_in(each)}
        case _:
            return set()


CHANGES = [
    "word", "word first", "word gone", "tag", "tag gone", "tags swapped", "entry", "many entries", "entry gone",
    "group", "group tag", "line", "line tag", "line word", "line entry", "line gone", "line added", "line first",
    "line removed", "line changed", "named line", "named tag", "named gone", "left", "right", "either word",
    "either gone", "deep", "deep list",
]  # fmt: skip


def changed(state: State, change: str, mark: Marks, data: st.DataObject) -> State:  # noqa: C901, PLR0911, PLR0912  (a table)
    """Return a state with one change, made of marks of its own."""
    new = mark()

    def one_of(values: Any) -> Any:
        return data.draw(st.sampled_from(sorted(values, key=str)))

    match change:
        case "word":
            return evolve(state, words=[*state.words, new])
        case "word first":
            return evolve(state, words=[new, *state.words])
        case "word gone" if state.words:
            return evolve(state, words=state.words[1:])
        case "tag":
            return evolve(state, tags=state.tags | {new})
        case "tag gone" if state.tags:
            return evolve(state, tags=state.tags - {one_of(state.tags)})
        case "tags swapped" if state.tags:
            return evolve(state, tags=(state.tags - {one_of(state.tags)}) | {new})
        case "entry":
            return evolve(state, entries=state.entries | {new: new})
        case "many entries":
            return evolve(state, entries=state.entries | {mark(): new for _ in range(MANY)})
        case "entry gone" if state.entries:
            gone = one_of(state.entries)
            return evolve(state, entries={name: each for name, each in state.entries.items() if name != gone})
        case "group":
            return evolve(state, groups=state.groups | {new: {new}})
        case "group tag" if state.groups:
            name = one_of(state.groups)
            return evolve(state, groups=state.groups | {name: state.groups[name] | {new}})
        case "line" if state.line is None:
            return evolve(state, line=Line(id=new))
        case "line tag" if state.line:
            return evolve(state, line=evolve(state.line, tags=state.line.tags | {new}))
        case "line word" if state.line:
            return evolve(state, line=evolve(state.line, words=[*state.line.words, new]))
        case "line entry" if state.line:
            return evolve(state, line=evolve(state.line, by_name=state.line.by_name | {new: new}))
        case "line gone":
            return evolve(state, line=None)
        case "line added":
            return evolve(state, lines=[*state.lines, Line(id=new)])
        case "line first":
            return evolve(state, lines=[Line(id=new), *state.lines])
        case "line removed" if state.lines:
            return evolve(state, lines=state.lines[1:])
        case "line changed" if state.lines:
            last = state.lines[-1]
            return evolve(state, lines=[*state.lines[:-1], evolve(last, tags=last.tags | {new})])
        case "named line":
            return evolve(state, by_name=state.by_name | {new: Line(id=new)})
        case "named tag" if state.by_name:
            name = one_of(state.by_name)
            line = state.by_name[name]
            return evolve(state, by_name=state.by_name | {name: evolve(line, tags=line.tags | {new})})
        case "named gone" if state.by_name:
            gone = one_of(state.by_name)
            return evolve(state, by_name={name: each for name, each in state.by_name.items() if name != gone})
        case "left" if not isinstance(state.either, Left):
            return evolve(state, either=Left(left=[new]))
        case "right" if not isinstance(state.either, Right):
            return evolve(state, either=Right(right=[new]))
        case "either word" if isinstance(state.either, Left):
            return evolve(state, either=evolve(state.either, left=[*state.either.left, new]))
        case "either word" if isinstance(state.either, Right):
            return evolve(state, either=evolve(state.either, right=[*state.either.right, new]))
        case "either gone":
            return evolve(state, either=None)
        case "deep":
            return evolve(state, anything=state.anything | {new: {new: {"x": new}}})
        case "deep list":
            return evolve(state, anything=state.anything | {"l": [*state.anything.get("l", []), new]})
        case _:
            return state


class World:
    """An engine, a client, and the loop that they run on."""

    def __init__(self, engine: DynamoDBLocal) -> None:
        self.loop = asyncio.new_event_loop()
        self.client = Client(
            endpoint_url=engine.endpoint_url,
            region_name=engine.region_name,
            credentials=engine.credentials,
            table_prefix="writers-",
            timeout=60.0,
        )
        self.run(self.client.open())
        self.run(self.client.ensure_tables(State))
        self.states = self.client.table(State)
        self.raw = self.client.table("states", partition_key="id")
        self.refused = self.applied = 0

    def run(self, awaitable: Any) -> Any:
        """Run to the end."""
        return self.loop.run_until_complete(awaitable)

    def close(self) -> None:
        """Close everything."""
        self.run(self.client.aclose())
        self.loop.close()


class TwoWriters(RuleBasedStateMachine):
    """Writers that have read the item at different times."""

    world: World

    @initialize(data=st.data())
    def start(self, data: st.DataObject) -> None:
        """Store an item that both have read; perhaps with nothing but its key."""
        self.key = f"i{next(_items)}"
        self.mark = Marks()
        state = State(id=self.key)
        for change in data.draw(st.lists(st.sampled_from(CHANGES), max_size=6)):
            state = changed(state, change, self.mark, data)
        if data.draw(st.booleans()):
            self.world.run(self.world.states.put(state))
            self.expected = marks_of(state)
        else:
            self.world.run(self.world.raw.put({"id": self.key}))
            self.expected = set[str]()
        self.seen = [self.read(), self.read()]

    def read(self) -> State:
        """Return the item as it is stored."""
        state: State = self.world.run(self.world.states.get_one(self.key))
        return state

    def expect(self, old: State, new: State) -> None:
        """Note what a change put in and took away; with a document go the undeclared members of it."""
        before, after = marks_of(old), marks_of(new)
        gone = before - after
        self.expected = (self.expected - gone) | (after - before)
        self.expected -= {each for each in self.expected if each[0] == "u" and f"m{each[1:].partition('-')[0]}" in gone}

    def check(self) -> None:
        """Compare what is stored with what must be."""
        stored = marks_in(self.world.run(self.world.raw.get_one(self.key)))
        assert stored == self.expected, f"lost {self.expected - stored}, came back {stored - self.expected}"

    def send(self, operation: Any, old: State, new: State) -> bool:
        """Send a change; where it is refused, nothing of it may be there."""
        try:
            self.world.run(operation.send())
        except ConditionalCheckFailedError:
            self.world.refused += 1
            self.check()
            return False
        self.world.applied += 1
        self.expect(old, new)
        self.check()
        return True

    @rule(writer=st.integers(0, 1))
    def look(self, writer: int) -> None:
        """A writer reads the item again."""
        self.seen[writer] = self.read()

    @rule(writer=st.integers(0, 1), change=st.sampled_from(CHANGES), data=st.data())
    def patch(self, writer: int, change: str, data: st.DataObject) -> None:
        """A writer changes what it has read, perhaps long ago."""
        old = self.seen[writer]
        new = changed(old, change, self.mark, data)
        if new is not old and self.send(self.world.states.patch(old, to=new), old, new):
            self.seen[writer] = new

    @rule(change=st.sampled_from(["append", "add", "entry", "line tag", "named", "group", "remove"]))
    def update(self, change: str) -> None:
        """Somebody sends clauses."""
        now, new = self.read(), self.mark()
        update = self.world.states.update
        paths: Any = State
        match change:
            case "append":
                self.send(update(self.key).append(paths.words, [new]), now, evolve(now, words=[*now.words, new]))
            case "add":
                self.send(update(self.key).add(paths.tags, {new}), now, evolve(now, tags=now.tags | {new}))
            case "entry":
                self.send(
                    update(self.key).set(paths.entries[new], new), now, evolve(now, entries=now.entries | {new: new})
                )
            case "line tag" if now.line is not None:
                line = evolve(now.line, tags=now.line.tags | {new})
                self.send(update(self.key).add(paths.line[Line.tags], {new}), now, evolve(now, line=line))
            case "named":
                named = now.by_name | {new: Line(id=new)}
                self.send(update(self.key).set(paths.by_name[new], Line(id=new)), now, evolve(now, by_name=named))
            case "group":
                self.send(
                    update(self.key).set(paths.groups[new], {new}), now, evolve(now, groups=now.groups | {new: {new}})
                )
            case "remove" if now.entries:
                name = min(now.entries)
                left = {each: value for each, value in now.entries.items() if each != name}
                self.send(update(self.key).remove(paths.entries[name]), now, evolve(now, entries=left))
            case _:
                pass

    @rule(change=st.sampled_from(CHANGES), verb=st.sampled_from(["replace", "rewrite"]), data=st.data())
    def whole(self, change: str, verb: str, data: st.DataObject) -> None:
        """Somebody reads the item and writes all of it, or rewrites it."""
        now = self.read()
        new = changed(now, change, self.mark, data)
        if verb == "replace":
            self.send(self.world.states.replace(new), now, new)
            return
        query = self.world.states.query(State.id == self.key)

        async def rewrite() -> None:
            await query.rewrite(lambda _: new)

        self.world.run(rewrite())
        self.expect(now, new)
        self.check()

    @rule(place=st.sampled_from(["line", "lines", "by_name"]))
    def undeclared(self, place: str) -> None:
        """Another program stores a member that no class declares."""
        now = self.read()
        raw: Any = self.world.raw
        stored: Any = self.world.run(raw.get_one(self.key))
        path = raw.attribute(place)
        match place:
            case "line" if now.line is not None and stored.get("line"):
                holder, line = path, now.line
            case "lines" if now.lines and stored.get("lines"):
                holder, line = path[len(now.lines) - 1], now.lines[-1]
            case "by_name" if now.by_name and stored.get("by_name"):
                name = min(now.by_name)
                holder, line = path[name], now.by_name[name]
            case _:
                return
        new = self.mark(f"u{line.id[1:]}-")
        self.world.run(raw.update(self.key).set(holder[new], new).send())
        self.expected.add(new)
        self.check()


def marks_of(state: State) -> set[str]:
    """Return the marks in an instance."""
    return marks_in(_plain(state))


def _plain(value: Any) -> Any:
    if hasattr(value, "__attrs_attrs__"):
        return {field.name: _plain(getattr(value, field.name)) for field in value.__attrs_attrs__}
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def test_no_change_of_two_writers_is_lost_in_silence(dynamodb_local: DynamoDBLocal) -> None:
    """Each change is stored, or its writer got `ConditionalCheckFailedError`; what no class declares stays."""
    world = World(dynamodb_local)

    class Bound(TwoWriters):
        pass

    Bound.world = world
    try:
        run_state_machine_as_test(Bound, settings=OPTIONS)
        assert world.applied > EXAMPLES
        assert world.refused
    finally:
        world.close()
