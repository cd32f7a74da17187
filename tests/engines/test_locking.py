"""Optimistic locking on each engine: versions, conflicts, `modify`, and what other clients see of it."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    ExpressionError,
    ItemExistsError,
    ItemNotFoundError,
    PartitionKey,
    VersionConflictError,
    attribute,
    document,
    entity,
    evolve,
)


@entity("orders", unknown="raise")
class Order:
    order_id: PartitionKey[str]
    total: Attribute[int] = attribute(default=0)
    lines: Attribute[list[str]] = attribute(factory=list)
    version: Attribute[int] = attribute(default=0, version=True, name="v")


@document
class Settings:
    level: Attribute[int] = attribute(default=0)
    marks: Attribute[list[str]] = attribute(factory=lambda: ["new"])


@entity("accounts")
class Account:
    name: PartitionKey[str]
    settings: Attribute[Settings] = attribute(factory=Settings)
    version: Attribute[int] = attribute(default=0, version=True)


@pytest.fixture
async def orders(client: Client) -> Any:
    """A handle of an empty table."""
    await client.create_table(Order)
    return client.table(Order)


async def test_versions_count_the_writes(orders):
    """Every write gives the next version, and the instance that it returns has it."""
    order = await orders.insert(Order(order_id="o", version=7))
    assert order.version == 1
    order = await orders.update(order).set(Order.total, 1)
    order = await orders.replace(evolve(order, total=2))
    order = await orders.patch(order, to=evolve(order, total=3))
    order = await orders.update("o").set(Order.total, 4)
    order = await orders.upsert("o").set(Order.total, 5)
    assert order == Order(order_id="o", total=5, version=6)
    assert await orders.get("o") == order
    assert (await orders.upsert("new").set(Order.total, 5)).version == 1


@pytest.mark.parametrize("verb", ["update", "replace", "patch", "delete"])
async def test_conflicts(orders, verb):
    """A write from an instance that somebody overtook is refused, with what is stored; nothing is changed."""
    stale = await orders.insert(Order(order_id="o"))
    newer = await orders.update("o").set(Order.total, 1)
    operation = {
        "update": lambda: orders.update(stale).set(Order.total, 9),
        "replace": lambda: orders.replace(evolve(stale, total=9)),
        "patch": lambda: orders.patch(stale, to=evolve(stale, total=9)),
        "delete": lambda: orders.delete(stale),
    }[verb]()
    with pytest.raises(VersionConflictError) as raised:
        await operation
    assert raised.value.stored(Order) == newer
    assert await orders.get("o") == newer


async def test_delete_of_the_current_version(orders):
    """A deletion from the current instance succeeds and hands it back."""
    order = await orders.insert(Order(order_id="o"))
    assert await orders.delete(order) == order
    with pytest.raises((ItemNotFoundError, VersionConflictError)):
        await orders.delete(order)


async def test_insert_of_what_exists(orders):
    """An existing key is no conflict of versions."""
    await orders.insert(Order(order_id="o"))
    with pytest.raises(ItemExistsError):
        await orders.insert(Order(order_id="o"))


async def test_callers_condition_beside_the_version(orders):
    """A false condition at the right version is what it is."""
    order = await orders.insert(Order(order_id="o"))
    with pytest.raises(ConditionalCheckFailedError) as raised:
        await orders.update(order).set(Order.total, 1).when(Order.total > 5)
    assert type(raised.value) is ConditionalCheckFailedError


async def test_if_match(orders):
    """`at_version` is HTTP's If-Match: by key, with the number that the caller was given."""
    await orders.insert(Order(order_id="o"))
    updated = await orders.update("o").set(Order.total, 1).at_version(1)
    assert updated.version == 2
    with pytest.raises(VersionConflictError):
        await orders.update("o").set(Order.total, 2).at_version(1)
    with pytest.raises(VersionConflictError):
        await orders.delete("o").at_version(1)
    assert await orders.delete("o").at_version(2) == updated


async def test_never_stored(orders):
    """An instance that was never stored is refused before anything is sent."""
    with pytest.raises(ExpressionError, match="never stored"):
        orders.replace(Order(order_id="o"))


async def test_modify_adds_up(orders):
    """Many writers modify one item at once: every change counts, none is lost."""
    await orders.insert(Order(order_id="o"))

    async def more(order):
        await asyncio.sleep(0)
        return evolve(order, total=order.total + 1, lines=[*order.lines, str(order.version)])

    results = await asyncio.gather(*(orders.modify("o", more) for _ in range(12)))
    stored = await orders.get_one("o", consistent_read=True)
    assert (stored.total, stored.version) == (12, 13)
    assert sorted(result.version for result in results) == list(range(2, 14))
    assert stored.lines == [str(number) for number in range(1, 13)]


async def test_modify_with_few_attempts(orders):
    """Bounded attempts end in the conflict, with what is stored."""
    await orders.insert(Order(order_id="o"))

    async def overtaken(order):
        await orders.update("o").add(Order.total, 10)
        return evolve(order, total=order.total + 1)

    with pytest.raises(VersionConflictError) as raised:
        await orders.modify("o", overtaken, attempts=2)
    assert raised.value.stored(Order).total == 20


async def test_modify_of_nothing(orders):
    """There must be an item to modify."""
    with pytest.raises(ItemNotFoundError):
        await orders.modify("o", lambda order: order)


async def test_replace_of_a_key_alone(client, clock):
    """An item of nothing but its key is checked like any other, and its version and time go on."""

    @entity("marks")
    class Mark:
        name: PartitionKey[str]
        changed: Attribute[datetime | None] = attribute(default=None, updated_at=True)
        version: Attribute[int] = attribute(default=0, version=True)

    await client.create_table(Mark)
    marks = client.table(Mark)
    mark = await marks.insert(Mark(name="m"))
    clock.now += 5
    newer = await marks.replace(mark)
    assert (newer.version, newer.changed - mark.changed) == (2, timedelta(seconds=5))
    with pytest.raises(VersionConflictError):
        await marks.replace(mark)
    with pytest.raises(ItemNotFoundError):
        await marks.replace(Mark(name="none", version=1))


async def test_items_from_before_the_version(client, orders):
    """An item without a version is given its first one by `modify`, by a rewrite and by an update of its key."""
    raw = client.table("orders", partition_key="order_id")
    for key in ("modified", "rewritten", "updated"):
        await raw.put({"order_id": key, "total": 1})
    modified = await orders.modify("modified", lambda order: evolve(order, total=order.total + 1))
    await orders.scan().rewrite(lambda order: evolve(order, total=5) if order.order_id == "rewritten" else None)
    updated = await orders.update("updated").add(Order.total, 2)
    assert (modified.version, modified.total) == (1, 2)
    assert await orders.get("rewritten") == Order(order_id="rewritten", total=5, version=1)
    assert (updated.version, updated.total) == (1, 3)


async def test_modify_of_an_item_without_a_version_checks_it(client, orders):
    """Two who modify an item without a version: both changes count."""
    raw = client.table("orders", partition_key="order_id")
    await raw.put({"order_id": "o", "total": 1})
    await asyncio.gather(*(orders.modify("o", lambda order: evolve(order, total=order.total + 1)) for _ in range(5)))
    stored = await orders.get_one("o", consistent_read=True)
    assert (stored.total, stored.version) == (6, 5)


async def test_write_id_is_beside_the_version(client, orders):
    """The table holds an id beside the version, new with every write; models do not see it, plain dicts do."""
    raw = client.table("orders", partition_key="order_id")
    order = await orders.insert(Order(order_id="o"))
    first = (await raw.get_one("o"))["_write_id"]
    await orders.update(order).set(Order.total, 1)
    second = await raw.get_one("o")
    assert second.keys() == {"order_id", "total", "lines", "v", "_write_id"}
    assert len({first, second["_write_id"]}) == 2
    assert [each.total async for each in orders.scan()] == [1]
    assert await orders.scan().project(Order.total).all() == [(1,)]


@pytest.mark.parametrize("stored", [{}, {"level": 0}, {"level": 0, "undeclared": 1}, {"level": 0, "marks": ["new"]}])
async def test_modify_knows_what_is_stored(client, stored):
    """A document that is stored with less or more than its class has by default is changed where it lies."""
    await client.create_table(Account)
    accounts, raw = client.table(Account), client.table("accounts", partition_key="name")

    def change(account):
        return evolve(account, settings=Settings(level=5, marks=["new", "newer"]))

    await raw.put({"name": "a", "settings": stored, "version": 1})
    await accounts.modify("a", change)
    assert (await raw.get_one("a"))["settings"] == stored | {"level": 5, "marks": ["new", "newer"]}
    await raw.put({"name": "a", "version": 1})
    assert (await accounts.modify("a", change)).settings == Settings(level=5, marks=["new", "newer"])
