"""Answers that are lost after the engine applied the write: what callers are told, compared with what is stored.

``MIZZLE_TEST_COUNT`` says how many writes each scenario makes; the README's figures are of 1,000:
``MIZZLE_TEST_COUNT=1000 pytest tests/engines/test_lost_answers.py --log-cli-level=info``.
"""

import asyncio
import logging
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import pytest
from attrs import define, field

from mizzle_async import (
    Attribute,
    Client,
    ItemExistsError,
    MizzleError,
    OutcomeUnknownError,
    PartitionKey,
    RetryPolicy,
    Table,
    VersionConflictError,
    attribute,
    entity,
    evolve,
)
from mizzle_async.testing import DynamoDBLocal
from mizzle_async.testing.proxy import Fault, FaultProxy, sometimes

WRITES = int(os.environ.get("MIZZLE_TEST_COUNT", "120"))
log = logging.getLogger(__name__)

LOST = 0.24
"""The share of requests whose answer is lost, as in the measurements of other clients."""

CONCURRENCY = 16


@entity("counters")
class Counted:
    id: PartitionKey[str]
    count: Attribute[int] = attribute(default=0)
    writer: Attribute[str] = attribute(default="")


@entity("versioned")
class Versioned:
    id: PartitionKey[str]
    count: Attribute[int] = attribute(default=0)
    writer: Attribute[str] = attribute(default="")
    version: Attribute[int] = attribute(default=0, version=True)


@define
class Story:
    """What callers were told.

    Attributes:
        ok: Calls that succeeded.
        unknown: Calls that said that the outcome is unknown.
        failed: Calls that said that nothing was written, by their error.
    """

    ok: int = 0
    unknown: int = 0
    failed: Counter[str] = field(factory=Counter)

    async def tell(self, call: Awaitable[Any]) -> str:
        """Wait for a call, and note how it ended."""
        try:
            await call
        except OutcomeUnknownError:
            self.unknown += 1
            return "unknown"
        except MizzleError as error:
            self.failed[type(error).__name__] += 1
            return type(error).__name__
        self.ok += 1
        return "ok"


@pytest.fixture
async def proxy(dynamodb_local: DynamoDBLocal) -> AsyncIterator[FaultProxy]:
    """Lose a share of the answers, after the engine applied the write."""
    writes = ("UpdateItem", "PutItem", "DeleteItem", "TransactWriteItems")
    faults = sometimes(Fault.drop_after(), LOST, random.Random(20), operations=writes)
    async with FaultProxy(dynamodb_local.endpoint_url, faults) as proxy:
        yield proxy


def client_of(engine: DynamoDBLocal, url: str, **settings: Any) -> Client:
    """Make a client that retries at once, and as often as it takes to get through.

    The order of the requests decides whom the proxy's lots hit: no order may exhaust a call's attempts.
    """
    credentials = (engine.credentials.access_key_id, engine.credentials.secret_access_key)
    settings.setdefault("retry", RetryPolicy(attempts=100, base_delay=0.0, quota=1_000_000))
    return Client(endpoint_url=url, region_name=engine.region_name, credentials=credentials, timeout=60.0, **settings)


@pytest.fixture
async def lossy(
    dynamodb_local: DynamoDBLocal, proxy: FaultProxy, new_table_name: Callable[[], str]
) -> AsyncIterator[Client]:
    """Talk to the engine through the proxy."""
    names = {name: new_table_name() for name in ("counters", "versioned")}
    async with client_of(dynamodb_local, proxy.url, table_names=names) as client:
        await client.ensure_tables(Counted, Versioned)
        yield client


@pytest.fixture
async def rival(dynamodb_local: DynamoDBLocal, proxy: FaultProxy, lossy: Client) -> AsyncIterator[Client]:
    """Write the same items, through the same proxy."""
    names = {"counters": lossy.table(Counted).name, "versioned": lossy.table(Versioned).name}
    async with client_of(dynamodb_local, proxy.url, table_names=names) as client:
        yield client


@pytest.fixture
async def honest(dynamodb_local: DynamoDBLocal, lossy: Client) -> AsyncIterator[Client]:
    """Talk to the engine directly: the one who reads the truth."""
    names = {"counters": lossy.table(Counted).name, "versioned": lossy.table(Versioned).name}
    async with client_of(dynamodb_local, dynamodb_local.endpoint_url, table_names=names) as client:
        yield client


async def together(calls: Iterable[Callable[[], Awaitable[Any]]]) -> None:
    """Make calls, some at a time."""
    waiting = iter(calls)

    async def worker() -> None:
        for call in waiting:
            await call()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(worker())


async def test_exactly_once_increments_are_applied_exactly_once(
    lossy: Client, honest: Client, proxy: FaultProxy
) -> None:
    """Every increment is known to be applied, and the counter says so: not one more, not one less."""
    counters = lossy.table(Counted)
    await honest.table(Counted).put(Counted(id="c"))
    story = Story()
    await together(lambda: story.tell(counters.update("c").add(Counted.count, 1).exactly_once()) for _ in range(WRITES))
    stored = await honest.table(Counted).get_one("c", consistent_read=True)
    log.info("exactly-once increments: %s, counter %s, %r", story, stored.count, proxy)
    assert (story.ok, story.unknown, story.failed) == (WRITES, 0, {})
    assert stored.count == WRITES
    assert proxy.faulted["drop after"] > WRITES // 10


async def test_plain_increments_are_never_repeated(lossy: Client, honest: Client, proxy: FaultProxy) -> None:
    """A lost answer to a plain increment is told as unknown; nothing is sent twice, so nothing is applied twice."""
    counters = lossy.table(Counted)
    await honest.table(Counted).put(Counted(id="c"))
    story = Story()
    await together(lambda: story.tell(counters.update("c").add(Counted.count, 1)) for _ in range(WRITES))
    stored = await honest.table(Counted).get_one("c", consistent_read=True)
    log.info("plain increments: %s, counter %s, %r", story, stored.count, proxy)
    assert not story.failed
    assert story.ok + story.unknown == WRITES
    assert story.unknown == proxy.faulted["drop after"]
    assert proxy.forwarded["UpdateItem"] == WRITES == stored.count
    assert story.ok <= stored.count <= story.ok + story.unknown


async def test_modified_counters_add_up(lossy: Client, honest: Client, proxy: FaultProxy) -> None:
    """Increments under optimistic locking add up exactly, with lost answers and no rival: none is unknown."""
    counters, truth = lossy.table(Versioned), honest.table(Versioned)
    keys = [f"c{number}" for number in range(20)]
    for key in keys:
        await truth.insert(Versioned(id=key))
    story = Story()

    async def count(key: str) -> None:
        for _ in range(WRITES // len(keys)):
            await story.tell(counters.modify(key, lambda item: evolve(item, count=item.count + 1)))

    await together([lambda key=key: count(key) for key in keys])
    total = WRITES // len(keys) * len(keys)
    stored = await truth.scan(consistent_read=True).all()
    log.info("modified counters: %s, sum %s, %r", story, sum(item.count for item in stored), proxy)
    assert (story.ok, story.unknown, story.failed) == (total, 0, {})
    assert [item.count for item in stored] == [WRITES // len(keys)] * len(keys)
    assert all(item.version == item.count + 1 for item in stored)


async def test_versioned_updates_are_judged_right_beside_a_rival(
    lossy: Client, rival: Client, honest: Client, proxy: FaultProxy
) -> None:
    """Two writers update from one version: exactly one succeeds, is told so, and its write is what is stored."""
    ours, theirs, truth = lossy.table(Versioned), rival.table(Versioned), honest.table(Versioned)
    story = Story()

    async def race(number: int) -> None:
        item = await truth.insert(Versioned(id=f"u{number}"))
        # Both write the same count, so that equality proves nothing.
        told = await asyncio.gather(
            story.tell(ours.update(item).set(Versioned.count, 1).set(Versioned.writer, "us")),
            story.tell(theirs.update(item).set(Versioned.count, 1).set(Versioned.writer, "them")),
        )
        stored = await truth.get_one(item.id, consistent_read=True)
        assert sorted(told) == [VersionConflictError.__name__, "ok"]
        assert stored.writer == ("us" if told[0] == "ok" else "them")
        assert stored.version == 2

    await together([lambda number=number: race(number) for number in range(WRITES)])
    log.info("versioned updates, two writers each: %s, %r", story, proxy)
    assert (story.ok, story.failed.total(), story.unknown) == (WRITES, WRITES, 0)


async def test_versioned_inserts_are_judged_right_beside_a_rival(
    lossy: Client, rival: Client, honest: Client, proxy: FaultProxy
) -> None:
    """Two writers insert one key, alike but for their write ids: exactly one succeeds, the other hears so."""
    ours, theirs, truth = lossy.table(Versioned), rival.table(Versioned), honest.table(Versioned)
    story = Story()

    async def race(number: int) -> None:
        item = Versioned(id=f"i{number}", count=1)
        told = await asyncio.gather(
            story.tell(ours.insert(evolve(item, writer="us"))),
            story.tell(theirs.insert(evolve(item, writer="them"))),
        )
        stored = await truth.get_one(item.id, consistent_read=True)
        assert sorted(told) == [ItemExistsError.__name__, "ok"]
        assert stored.writer == ("us" if told[0] == "ok" else "them")

    await together([lambda number=number: race(number) for number in range(WRITES)])
    log.info("versioned inserts, two writers each: %s, %r", story, proxy)
    assert (story.ok, story.failed.total(), story.unknown) == (WRITES, WRITES, 0)


async def test_plain_inserts_are_unknown_rather_than_wrong(
    lossy: Client, rival: Client, honest: Client, proxy: FaultProxy
) -> None:
    """A plain insert whose answer was lost is told as unknown: no false failure, no false success."""
    ours, theirs, truth = lossy.table(Counted), rival.table(Counted), honest.table(Counted)
    story = Story()

    async def race(number: int) -> None:
        item = Counted(id=f"p{number}", count=1)
        told = await asyncio.gather(
            story.tell(ours.insert(evolve(item, writer="us"))),
            story.tell(theirs.insert(evolve(item, writer="them"))),
        )
        stored = await truth.get_one(item.id, consistent_read=True)
        for writer, heard in zip(("us", "them"), told, strict=True):
            assert heard in {"unknown", "ok" if stored.writer == writer else ItemExistsError.__name__}

    await together([lambda number=number: race(number) for number in range(WRITES)])
    log.info("plain inserts, two writers each: %s, %r", story, proxy)
    assert story.ok <= WRITES <= story.ok + story.unknown
    assert story.unknown <= proxy.faulted["drop after"]


async def test_exactly_once_inserts_are_told_exactly(lossy: Client, honest: Client, proxy: FaultProxy) -> None:
    """Without a version, a token does it: every insert is told as applied, and every one is stored."""
    ours = lossy.table(Counted)
    story = Story()
    await together(
        lambda number=number: story.tell(ours.insert(Counted(id=f"e{number}")).exactly_once())
        for number in range(WRITES)
    )
    stored = await honest.table(Counted).scan(consistent_read=True).count()
    log.info("exactly-once inserts: %s, stored %s, %r", story, stored, proxy)
    assert (story.ok, story.unknown, story.failed) == (WRITES, 0, {})
    assert stored == WRITES


async def test_exactly_once_holds_beside_a_new_item_under_the_key(
    dynamodb_local: DynamoDBLocal, new_table_name: Callable[[], str]
) -> None:
    """An item that somebody inserted after ours was deleted is another one: a repeated deletion leaves it alone."""
    names = {"versioned": new_table_name()}
    lost = Fault.drop_after()  # twice: a connection that closes when it is used again is no attempt
    async with (
        FaultProxy(dynamodb_local.endpoint_url, [None, lost, lost]) as lossy,
        client_of(dynamodb_local, dynamodb_local.endpoint_url, table_names=names) as honest,
        client_of(dynamodb_local, lossy.url, table_names=names, retry=RetryPolicy(attempts=1)) as client,
    ):
        await honest.ensure_tables(Versioned)
        ours, theirs = client.table(Versioned), honest.table(Versioned)
        deletion = ours.delete(await ours.insert(Versioned(id="d"))).exactly_once()
        with pytest.raises(OutcomeUnknownError):
            await deletion
        reborn = await theirs.insert(Versioned(id="d", writer="them"))
        assert await deletion is None
        assert await theirs.get("d", consistent_read=True) == reborn


async def test_one_versioned_item_under_many_writers_adds_up(
    lossy: Client, rival: Client, honest: Client, proxy: FaultProxy
) -> None:
    """Many writers modify one item: what is stored is what was told, give or take what was told as unknown."""
    tables: list[Table[Versioned]] = [lossy.table(Versioned), rival.table(Versioned)]
    truth = honest.table(Versioned)
    await truth.insert(Versioned(id="hot"))
    story = Story()

    async def count(table: Table[Versioned]) -> None:
        for _ in range(WRITES // 8):
            await story.tell(table.modify("hot", lambda item: evolve(item, count=item.count + 1), timeout=60.0))

    await together([lambda table=table: count(table) for table in tables * 2])
    stored = await truth.get_one("hot", consistent_read=True)
    log.info("one versioned item under many writers: %s, count %s, %r", story, stored.count, proxy)
    assert not story.failed
    assert story.ok + story.unknown == WRITES // 8 * 4
    assert story.ok <= stored.count <= story.ok + story.unknown
    assert stored.version == stored.count + 1
