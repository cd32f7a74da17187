"""Random concurrent writes through a network that loses requests and answers: every history is checked.

Each write leaves an id of its own in the item's log. Afterwards a write that was told as done is there exactly once,
one that was told as failed is not there, one that was told as unknown is there once or not at all; and versions and
counts say the same. ``MIZZLE_TEST_COUNT`` says how many histories there are.
"""

import asyncio
import itertools
import logging
import os
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    ItemExistsError,
    MizzleError,
    OutcomeUnknownError,
    PartitionKey,
    RetryPolicy,
    TransactionCanceledError,
    UniqueConstraintError,
    attribute,
    entity,
    evolve,
)
from mizzle_async.testing import DynamoDBLocal
from mizzle_async.testing.proxy import Fault, FaultProxy
from mizzle_async.types import Outcome

log = logging.getLogger(__name__)

EXAMPLES = int(os.environ.get("MIZZLE_TEST_COUNT", "20"))
OPTIONS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=12,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

_ids = itertools.count(1)


@entity("versioned")
class Versioned:
    key: PartitionKey[str]
    log: Attribute[list[str]] = attribute(factory=list)
    count: Attribute[int] = attribute(default=0)
    version: Attribute[int] = attribute(default=0, version=True)


@entity("plain")
class Plain:
    key: PartitionKey[str]
    log: Attribute[list[str]] = attribute(factory=list)
    owner: Attribute[str | None] = attribute(default=None)


@entity("users")
class User:
    key: PartitionKey[str]
    email: Attribute[str | None] = attribute(default=None, unique=True)
    number: Attribute[int | None] = attribute(default=None, unique=True)


FAULTS = st.lists(
    st.sampled_from(
        [None, None, Fault.drop_after(), Fault.drop_before(), Fault.reset(), Fault.throttle(), Fault.html(503)]
    ),
    max_size=12,
)
"""What goes wrong with the next requests, in order."""


def new_id(kind: str) -> str:
    """Return an id that nobody else has."""
    return f"{kind}{next(_ids)}"


class World:
    """Two writers behind a faulty network, one reader with a direct line, and an event loop to run them on."""

    def __init__(self, engine: DynamoDBLocal) -> None:
        self.loop = asyncio.new_event_loop()
        self.told: Counter[str] = Counter()
        self.faults: deque[Fault | None] = deque()
        self.proxy = FaultProxy(engine.endpoint_url, lambda _request: self.faults.popleft() if self.faults else None)
        self.run(self.proxy.start())
        retry = RetryPolicy(attempts=3, base_delay=0.0, throttled_base_delay=0.0, max_delay=0.0, quota=10**9)
        options: Any = {"region_name": engine.region_name, "credentials": engine.credentials, "timeout": 60.0}
        self.writers = [Client(endpoint_url=self.proxy.url, retry=retry, **options) for _ in range(2)]
        self.reader = Client(endpoint_url=engine.endpoint_url, **options)
        for client in (*self.writers, self.reader):
            self.run(client.open())
        self.run(self.reader.ensure_tables(Versioned, Plain, User))

    def run(self, awaitable: Any) -> Any:
        """Run to the end."""
        return self.loop.run_until_complete(awaitable)

    def close(self) -> None:
        """Close everything."""
        for client in (*self.writers, self.reader):
            self.run(client.aclose())
        self.run(self.proxy.stop())
        self.run(self.loop.shutdown_asyncgens())
        self.loop.close()

    def together(self, calls: list[Any], faults: list[Fault | None]) -> list[str]:
        """Run calls at once on a faulty network; return how each ended: ``ok``, ``unknown``, or the error's name."""

        async def tell(call: Any) -> str:
            try:
                await call
            except OutcomeUnknownError:
                return "unknown"
            except MizzleError as error:
                lost = getattr(error, "outcome", None) is Outcome.UNKNOWN or getattr(error, "ambiguous", False)
                return "unknown" if lost else type(error).__name__
            return "ok"

        async def everything() -> list[str]:
            return await asyncio.gather(*map(tell, calls))

        self.faults.extend(faults)
        try:
            told: list[str] = self.run(everything())
        finally:
            self.faults.clear()
        if all(fault is None or fault.name == "throttle" for fault in faults):
            assert "unknown" not in told, "nothing was lost, so nothing is unknown"
        self.told.update(each if each in {"ok", "unknown"} else "failed" for each in told)
        return told


class Histories(RuleBasedStateMachine):
    """Batches of concurrent writes, each checked against what is stored afterwards."""

    world: World

    @initialize()
    def begin(self) -> None:
        """Make one versioned and one plain item."""
        self.versioned = self.world.reader.table(Versioned)
        self.plain = self.world.reader.table(Plain)
        self.first = self.world.run(self.versioned.insert(Versioned(key=new_id("v"))))
        self.second = self.world.run(self.versioned.insert(Versioned(key=new_id("v"))))
        self.simple = self.world.run(self.plain.insert(Plain(key=new_id("p"))))

    def check(self, before: Any, after: Any, ids: list[str], told: list[str]) -> None:
        """Compare what writers were told with the log of their item."""
        assert after.log[: len(before.log)] == before.log, "nothing that was stored before is lost"
        written = after.log[len(before.log) :]
        for each, heard in zip(ids, told, strict=True):
            times = written.count(each)
            if heard == "ok":
                assert times == 1, f"{each} was told as done, and is there {times} times"
            elif heard == "unknown":
                assert times <= 1, f"{each} was told as unknown, and is there {times} times"
            else:
                assert times == 0, f"{each} was told as {heard}, and is there {times} times"
        assert set(written) <= set(ids)
        if isinstance(after, Versioned):
            assert after.version == before.version + len(written), "every applied write advances the version once"
            assert after.count == before.count + len(written)

    def versioned_write(self, kind: str, number: int, each: str, item: Versioned) -> Any:
        """Build one write of a versioned item."""
        table = self.world.writers[number % 2].table(Versioned)
        more = evolve(item, log=[*item.log, each], count=item.count + 1)
        by_key = table.update(item.key).append(Versioned.log, [each]).add(Versioned.count, 1)
        by_key.to_wire()  # it is looked at, whether it is what is wanted or not
        builders: dict[str, Callable[[], Any]] = {
            "modify": lambda: table.modify(
                item.key, lambda now: evolve(now, log=[*now.log, each], count=now.count + 1), attempts=6
            ),
            "instance": lambda: table.update(item).append(Versioned.log, [each]).add(Versioned.count, 1),
            "patch": lambda: table.patch(item, to=more),
            "replace": lambda: table.replace(more),
            "if match": lambda: by_key.at_version(item.version),
            "key": lambda: by_key,
            "exactly once": by_key.exactly_once,
            "insert": lambda: table.insert(evolve(more, version=0)),
        }
        return builders[kind]()

    @rule(
        kinds=st.lists(
            st.sampled_from(["modify", "instance", "patch", "replace", "if match", "key", "exactly once", "insert"]),
            min_size=1,
            max_size=5,
        ),
        faults=FAULTS,
    )
    def write_versioned(self, kinds: list[str], faults: list[Fault | None]) -> None:
        """Write one versioned item in several ways at once."""
        ids = [new_id("w") for _ in kinds]
        calls = [
            self.versioned_write(kind, number, each, self.first)
            for number, (kind, each) in enumerate(zip(kinds, ids, strict=True))
        ]
        told = self.world.together(calls, faults)
        after = self.world.run(self.versioned.get_one(self.first.key, consistent_read=True))
        self.check(self.first, after, ids, told)
        self.first = after

    @rule(count=st.integers(1, 4), exactly=st.booleans(), faults=FAULTS)
    def write_plain(self, count: int, exactly: bool, faults: list[Fault | None]) -> None:  # noqa: FBT001  (drawn)
        """Append to a plain item, with and without a token."""
        ids = [new_id("w") for _ in range(count)]
        tables = [self.world.writers[number % 2].table(Plain) for number in range(count)]
        calls = [
            table.update(self.simple.key).append(Plain.log, [each]) for table, each in zip(tables, ids, strict=True)
        ]
        told = self.world.together([call.exactly_once() if exactly else call for call in calls], faults)
        after = self.world.run(self.plain.get_one(self.simple.key, consistent_read=True))
        self.check(self.simple, after, ids, told)
        self.simple = after

    @rule(count=st.integers(1, 3), again=st.booleans(), faults=FAULTS)
    def transact(self, count: int, again: bool, faults: list[Fault | None]) -> None:  # noqa: FBT001  (drawn)
        """Write both versioned items in one transaction, both or none; awaited until known, it is written once."""

        async def until_known(transaction: Any) -> None:
            while True:
                with suppress(OutcomeUnknownError):
                    return await transaction

        ids = [new_id("t") for _ in range(count)]
        calls = []
        for number, each in enumerate(ids):
            client = self.world.writers[number % 2]
            table = client.table(Versioned)
            calls.append(
                client.transact_write(
                    *(
                        table.update(item.key).append(Versioned.log, [each]).add(Versioned.count, 1)
                        for item in (self.first, self.second)
                    )
                )
            )
        told = self.world.together([until_known(call) for call in calls] if again else calls, faults)
        assert not (again and "unknown" in told)
        for name in ("first", "second"):
            before = getattr(self, name)
            after = self.world.run(self.versioned.get_one(before.key, consistent_read=True))
            self.check(before, after, ids, told)
            setattr(self, name, after)
        assert self.second.log == [each for each in self.first.log if each.startswith("t")]

    @rule(count=st.integers(2, 4), versioned=st.booleans(), faults=FAULTS)
    def race_to_insert(self, count: int, versioned: bool, faults: list[Fault | None]) -> None:  # noqa: FBT001  (drawn)
        """Insert one key from several sides: one is there, and nobody is told a lie."""
        model: Any = Versioned if versioned else Plain
        key, ids = new_id("i"), [new_id("w") for _ in range(count)]
        calls = [
            self.world.writers[number % 2].table(model).insert(model(key=key, log=[each]))
            for number, each in enumerate(ids)
        ]
        told = self.world.together(calls, faults)
        stored = self.world.run(self.world.reader.table(model).get(key, consistent_read=True))
        winner = None if stored is None else stored.log[0]
        for each, heard in zip(ids, told, strict=True):
            if heard == "ok":
                assert winner == each
            elif heard != "unknown":
                assert winner != each
                if heard == ItemExistsError.__name__:
                    assert winner is not None
        assert told.count("ok") <= 1

    @rule(count=st.integers(2, 4), faults=FAULTS)
    def race_for_a_lock(self, count: int, faults: list[Fault | None]) -> None:
        """Take a plain item that is free: at most one is told that it did, and that is who has it."""
        key = self.world.run(self.plain.insert(Plain(key=new_id("l")))).key
        ids = [new_id("w") for _ in range(count)]
        calls = [
            self.world.writers[number % 2]
            .table(Plain)
            .update(key)
            .set(Plain.owner, each)
            .when(Plain.owner.not_exists())
            for number, each in enumerate(ids)
        ]
        told = self.world.together(calls, faults)
        owner = self.world.run(self.plain.get_one(key, consistent_read=True)).owner
        for each, heard in zip(ids, told, strict=True):
            if heard == "ok":
                assert owner == each
            elif heard != "unknown":
                assert owner != each
        assert told.count("ok") <= 1

    @rule(count=st.integers(1, 3), faults=FAULTS)
    def race_to_delete(self, count: int, faults: list[Fault | None]) -> None:
        """Delete one version from several sides: gone means that somebody did, or does not know."""
        item = self.world.run(self.versioned.insert(Versioned(key=new_id("d"))))
        calls = [self.world.writers[number % 2].table(Versioned).delete(item) for number in range(count)]
        told = self.world.together(calls, faults)
        gone = self.world.run(self.versioned.get(item.key, consistent_read=True)) is None
        if gone:
            assert set(told) & {"ok", "unknown"}
        else:
            assert "ok" not in told
        assert told.count("ok") <= 1


class UniqueValues(RuleBasedStateMachine):
    """Concurrent inserts, patches and deletions of entities with unique attributes: guards and items always agree."""

    world: World

    @initialize()
    def begin(self) -> None:
        """Choose values that no other history uses."""
        self.users = self.world.reader.table(User)
        self.raw = self.world.reader.table("users", partition_key="key")
        self.keys = [new_id("u") for _ in range(4)]
        self.emails = [new_id("e") for _ in range(3)]
        self.numbers = [next(_ids) for _ in range(3)]

    def stored(self) -> dict[str, User]:
        """Return the users of this history."""
        found = self.world.run(self.users.get_many([self.users.key(key) for key in self.keys], consistent_read=True))
        return {user.key: user for user in found if user is not None}

    def choose(self, draw: tuple[int, int]) -> dict[str, Any]:
        """Return the unique values of a draw; None for none."""
        email, number = draw
        return {
            "email": self.emails[email] if email < len(self.emails) else None,
            "number": self.numbers[number] if number < len(self.numbers) else None,
        }

    @rule(
        steps=st.lists(
            st.tuples(
                st.sampled_from(["insert", "patch", "delete", "pair", "swap"]),
                st.integers(0, 3),
                st.tuples(st.integers(0, 3), st.integers(0, 3)),
            ),
            min_size=1,
            max_size=5,
        ),
        faults=FAULTS,
    )
    def write(self, steps: list[tuple[str, int, tuple[int, int]]], faults: list[Fault | None]) -> None:
        """Write in several ways at once, then look at every guard."""
        before = self.stored()
        calls: list[Any] = []
        wanted: list[tuple[str, str, dict[str, Any]]] = []
        for number, (kind, position, draw) in enumerate(steps):
            client = self.world.writers[number % 2]
            users, key, values = client.table(User), self.keys[position], self.choose(draw)
            user = before.get(key)
            if kind == "delete" and user is not None:
                calls.append(users.delete(user))
            elif kind == "patch" and user is not None:
                calls.append(users.patch(user, to=evolve(user, **values)))
            elif kind == "pair" and user is not None:
                # Gives values up and claims others for two users at once; what collides is refused when built.
                other = User(key=self.keys[(position + 1) % 4], email=self.emails[number % 3])
                with suppress(ExpressionError):
                    calls.append(
                        client.transact_write(users.patch(user, to=evolve(user, **values)), users.insert(other))
                    )
                    wanted.append((kind, key, values))
                continue
            elif (
                kind == "swap" and user is not None and (other := before.get(self.keys[(position + 1) % 4])) is not None
            ):
                calls.append(
                    client.transact_write(
                        users.patch(user, to=evolve(user, email=other.email, number=other.number)),
                        users.patch(other, to=evolve(other, email=user.email, number=user.number)),
                    )
                )
            else:
                calls.append(users.insert(User(key=key, **values)))
            wanted.append((kind, key, values))
        told = self.world.together(calls, faults)
        known = {"ok", "unknown", ItemExistsError.__name__, UniqueConstraintError.__name__}
        known |= {"ConditionalCheckFailedError", "ItemNotFoundError", TransactionCanceledError.__name__}
        known |= {"ThrottledError", "ServiceUnavailableError"}
        assert set(told) <= known
        self.agree()
        after = self.stored()
        if len(told) == 1 and told[0] == "ok":
            kind, key, values = wanted[0]
            if kind == "delete" and key in before:
                assert key not in after
            elif kind in {"insert", "patch"}:
                assert (after[key].email, after[key].number) == (values["email"], values["number"])
        if not set(told) & {"ok", "unknown"}:
            assert after == before

    def agree(self) -> None:
        """Check that there is exactly one guard for each value, held by who has it."""
        expected: dict[str, str] = {}
        for user in self.stored().values():
            for name, tag, value in (("email", "S", user.email), ("number", "N", user.number)):
                if value is not None:
                    guard = f"_unique#{name}#{tag}#{value}"
                    assert guard not in expected, "two users have one value"
                    expected[guard] = user.key
        guards = [f"_unique#email#S#{email}" for email in self.emails]
        guards += [f"_unique#number#N#{number}" for number in self.numbers]
        found = self.world.run(self.raw.get_many([self.raw.key(guard) for guard in guards], consistent_read=True))
        held = {each["key"]: each["_unique_owner"]["key"] for each in found if each is not None}
        assert held == expected


@pytest.mark.parametrize("machine", [Histories, UniqueValues])
def test_histories(machine: type[RuleBasedStateMachine], dynamodb_local: DynamoDBLocal) -> None:
    """Whatever the interleaving and the faults, callers are told the truth, and guards agree with items."""
    world = World(dynamodb_local)
    try:
        run_state_machine_as_test(type("Machine", (machine,), {"world": world}), settings=OPTIONS)
        log.info("%s: %s writes, %s; %r", machine.__name__, world.told.total(), dict(world.told), world.proxy)
    finally:
        world.close()
