"""Unique attributes on each engine: one holder for each value, guards that nobody sees, and that always agree."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    GlobalSecondaryIndex,
    ItemExistsError,
    ItemNotFoundError,
    PartitionKey,
    SortKey,
    TransactionCanceledError,
    UniqueConstraintError,
    VersionConflictError,
    attribute,
    entity,
    evolve,
    identifier,
)


@entity("users")
class User:
    user_id: PartitionKey[str]
    email: Attribute[str | None] = attribute(default=None, unique=True)
    number: Attribute[int | None] = attribute(default=None, unique=True)
    name: Attribute[str] = attribute(default="")
    version: Attribute[int] = attribute(default=0, version=True)


@entity("badges")
class Badge:
    site: PartitionKey[str]
    serial: SortKey[int]
    code: Attribute[str | None] = attribute(default=None, unique=True)
    owner: Attribute[str] = attribute(default="nobody")
    expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


BY_SERIAL = GlobalSecondaryIndex("by-serial", partition_key=Badge.serial, sort_key=Badge.site)
BY_OWNER = GlobalSecondaryIndex("by-owner", partition_key=Badge.owner)


@pytest.fixture
async def users(client: Client) -> Any:
    """A handle of an empty table."""
    await client.create_table(User)
    return client.table(User)


@pytest.fixture
async def badges(client: Client) -> Any:
    """A handle of an empty table with a sort key, indexes and a time to live."""
    await client.create_table(Badge)
    return client.table(Badge)


async def everything(client, table, partition_key, sort_key=None):
    """Return every item of a table as it is stored, guards included."""
    names = {"partition_key": partition_key, **({"sort_key": sort_key, "sort_key_type": int} if sort_key else {})}
    return await client.table(table, **names).scan(consistent_read=True).all()


async def held(client):
    """Return which user holds which guard, by the guard's key."""
    stored = await everything(client, "users", "user_id")
    return {
        each["user_id"]: each["_unique_owner"]["user_id"] for each in stored if each["user_id"].startswith("_unique#")
    }


async def check(client, users):
    """Guards and items agree: exactly one guard for each value, owned by who has it."""
    expected = {}
    for user in await users.scan(consistent_read=True).all():
        if user.email is not None:
            expected[f"_unique#email#S#{user.email}"] = user.user_id
        if user.number is not None:
            expected[f"_unique#number#N#{user.number}"] = user.user_id
    assert await held(client) == expected


async def test_a_value_has_one_holder(client, users):
    """A second item with the value is refused, naming the attribute; so is a second item under the key."""
    ann = await users.insert(User(user_id="1", email="ann@example.com", number=1))
    assert ann.version == 1
    with pytest.raises(UniqueConstraintError) as raised:
        await users.insert(User(user_id="2", email="ann@example.com"))
    assert raised.value.attribute == "email"
    assert "ann@example.com" not in str(raised.value)
    with pytest.raises(ItemExistsError):
        await users.insert(User(user_id="1", email="bob@example.com"))
    with pytest.raises(UniqueConstraintError) as raised:
        await users.insert(User(user_id="3", email="eve@example.com", number=1))
    assert raised.value.attribute == "number"
    assert await users.scan().all() == [ann]
    await check(client, users)


async def test_a_value_moves_and_is_free_again(client, users):
    """A patch gives the old value up and claims the new one; a deletion frees both."""
    ann = await users.insert(User(user_id="1", email="a", number=1))
    ann = await users.patch(ann, to=evolve(ann, email="b"))
    assert ann == await users.get_one("1")
    assert ann.version == 2
    bob = await users.insert(User(user_id="2", email="a"))
    with pytest.raises(UniqueConstraintError):
        await users.patch(bob, to=evolve(bob, email="b"))
    await check(client, users)
    ann = await users.patch(ann, to=evolve(ann, email=None, name="Ann"))
    bob = await users.patch(bob, to=evolve(bob, email="b", number=2))
    await check(client, users)
    assert await users.delete(bob) == bob
    assert await users.delete(ann) == ann
    assert await everything(client, "users", "user_id") == []


async def test_stale_instances_change_nothing(client, users):
    """An instance that somebody overtook neither moves nor frees a value, version or none."""
    stale = await users.insert(User(user_id="1", email="a"))
    await users.patch(stale, to=evolve(stale, email="b"))
    with pytest.raises(VersionConflictError):
        await users.patch(stale, to=evolve(stale, email="c"))
    with pytest.raises(VersionConflictError):
        await users.delete(stale)
    lying = evolve(await users.get_one("1"), email="elsewhere")
    with pytest.raises(ConditionalCheckFailedError):
        await users.delete(lying)
    await check(client, users)


async def test_it_composes_in_a_transaction(client, users):
    """In a larger transaction everything happens or nothing, and a taken value is the reason of its operation."""
    first, second = await client.transact_write(
        users.insert(User(user_id="1", email="a")), users.insert(User(user_id="2", email="b"))
    )
    insert = users.insert(User(user_id="3", email="a"))
    with pytest.raises(TransactionCanceledError) as raised:
        await client.transact_write(users.delete(second), insert)
    assert raised.value.reasons[1].operation is insert
    assert isinstance(raised.value.__cause__, UniqueConstraintError)
    await check(client, users)
    await client.transact_write(
        users.delete(second), users.patch(first, to=evolve(first, email="c")), users.insert(User(user_id="4", number=9))
    )
    await check(client, users)
    assert await held(client) == {"_unique#email#S#c": "1", "_unique#number#N#9": "4"}


async def test_values_are_handed_over_in_a_transaction(client, users):
    """A value can go from one item to another, be swapped, and follow an item to a new key: all in one transaction."""
    ann = await users.insert(User(user_id="1", email="a", number=1))
    bob = await users.insert(User(user_id="2", email="b"))
    await client.transact_write(
        users.patch(ann, to=evolve(ann, email="b")), users.patch(bob, to=evolve(bob, email="a"))
    )
    await check(client, users)
    ann, bob = await users.get_one("1"), await users.get_one("2")
    assert (ann.email, bob.email) == ("b", "a")
    await client.transact_write(users.insert(evolve(ann, user_id="3")), users.delete(ann))
    await check(client, users)
    assert await held(client) == {"_unique#email#S#a": "2", "_unique#email#S#b": "3", "_unique#number#N#1": "3"}
    carol = await users.get_one("3")
    await client.transact_write(
        users.patch(carol, to=evolve(carol, email=None)), users.insert(User(user_id="4", email="b"))
    )
    await check(client, users)
    with pytest.raises(TransactionCanceledError) as raised:
        await client.transact_write(users.delete(carol), users.insert(User(user_id="5", email="b")))
    first, second = raised.value.reasons
    assert (type(first.error), type(second.error)) == (VersionConflictError, UniqueConstraintError)
    await check(client, users)


async def test_one_operation_with_several_conditions(client, users):
    """What is built from an operation is another transaction: one that failed does not stand in the way of the next."""
    insert = users.insert(User(user_id="1", email="a"))
    with pytest.raises(ConditionalCheckFailedError):
        await insert.when(User.name == "nobody")
    ann = await insert.when(User.name.not_exists())
    with pytest.raises(ItemExistsError):
        await insert
    assert await users.scan().all() == [ann]
    await check(client, users)


async def test_modify(client, users):
    """`modify` moves values too, under the version."""
    await users.insert(User(user_id="1", email="0"))
    await asyncio.gather(
        *(users.modify("1", lambda user: evolve(user, email=str(int(user.email) + 1))) for _ in range(5))
    )
    assert (await users.get_one("1")).email == "5"
    await check(client, users)


async def test_guards_never_show(client, users):
    """No scan, count, page, projection or statement shows a guard."""
    for number in range(3):
        await users.insert(User(user_id=str(number), email=f"e{number}", number=number))
    assert len(await everything(client, "users", "user_id")) == 9
    assert len(await users.scan().all()) == 3
    assert await users.scan().count() == 3
    assert len(await users.scan(segments=3).all()) == 3
    assert sorted(await users.scan().project(User.email).all()) == [("e0",), ("e1",), ("e2",)]
    pages = [page.items async for page in users.scan(page_size=2).pages()]
    assert sum(map(len, pages)) == 3
    statement = client.execute(f"SELECT * FROM {identifier(users.name)}", into=User)  # noqa: S608  (quoted by `identifier`)
    assert len(await statement.all()) == 3


async def test_guards_never_show_in_indexes(client, badges):
    """An index of keys alone holds guards, and shows none; others do not hold them."""
    for number in range(3):
        await badges.insert(Badge(site="s", serial=number, code=f"c{number}", owner="me"))
    assert len(await everything(client, "badges", "site", "serial")) == 6
    assert len(await badges.scan(index=BY_SERIAL).all()) == 3
    assert await badges.scan(index=BY_SERIAL).count() == 3
    assert len(await badges.query(BY_SERIAL.partition_key == 1).all()) == 1
    assert await badges.query(BY_OWNER.partition_key == "me").count() == 3
    assert await badges.scan(index=BY_OWNER).count() == 3
    raw = client.table("badges", partition_key="site", sort_key="serial", sort_key_type=int)
    guards = [each["serial"] for each in await raw.scan().all() if each["site"].startswith("_unique#")]
    for serial in guards:
        assert await badges.query(BY_SERIAL.partition_key == serial).all() == []
        assert await badges.query(BY_SERIAL.partition_key == serial).count() == 0


async def test_expired_holders_hold_nothing(client, badges, clock):
    """An expired item does not exist: its value is free, and so is its key."""
    soon = datetime.fromtimestamp(clock.now, UTC) + timedelta(seconds=60)
    await badges.insert(Badge(site="a", serial=1, code="x", expires=soon))
    with pytest.raises(UniqueConstraintError):
        await badges.insert(Badge(site="b", serial=1, code="x"))
    clock.now += 120
    other = await badges.insert(Badge(site="b", serial=1, code="x"))
    again = await badges.insert(Badge(site="a", serial=1, code="y"))
    with pytest.raises(UniqueConstraintError):
        await badges.insert(Badge(site="c", serial=1, code="x"))
    assert {badge.site for badge in await badges.scan().all()} == {"a", "b"}
    assert await badges.delete(other) == other
    assert await badges.delete(again) == again


async def test_guards_live_as_long_as_their_item(client, badges, clock):
    """A longer life is a longer life of the guards too."""
    now = datetime.fromtimestamp(clock.now, UTC)
    badge = await badges.insert(Badge(site="a", serial=1, code="x", expires=now + timedelta(seconds=60)))
    badge = await badges.patch(badge, to=evolve(badge, expires=now + timedelta(seconds=600)))
    clock.now += 120
    with pytest.raises(UniqueConstraintError):
        await badges.insert(Badge(site="b", serial=1, code="x"))
    badge = await badges.patch(badge, to=evolve(badge, expires=None))
    clock.now += 10_000
    with pytest.raises(UniqueConstraintError):
        await badges.insert(Badge(site="b", serial=1, code="x"))


async def test_items_without_guards(client, users):
    """Items from before the attribute was unique have no guards: they can be changed and deleted all the same."""
    raw = client.table("users", partition_key="user_id")
    await raw.put({"user_id": "1", "email": "a", "name": "old", "version": 1})
    user = await users.get_one("1")
    user = await users.patch(user, to=evolve(user, email="b"))
    await check(client, users)
    await raw.put({"user_id": "2", "email": "z", "name": "old", "version": 1})
    await users.delete(await users.get_one("2"))
    await check(client, users)


async def test_missing_item(users):
    """What is not there cannot be changed or deleted."""
    user = User(user_id="1", email="a", version=1)
    with pytest.raises(ItemNotFoundError):
        await users.patch(user, to=evolve(user, email="b"))
    with pytest.raises(ItemNotFoundError):
        await users.delete(user)


async def test_racing_for_a_value(client, users):
    """Of many who want one value at once exactly one gets it."""
    wanted = [users.insert(User(user_id=str(number), email="the one")) for number in range(12)]
    results = await asyncio.gather(*wanted, return_exceptions=True)
    assert sum(isinstance(result, User) for result in results) == 1
    assert {type(result) for result in results} <= {User, UniqueConstraintError, TransactionCanceledError}
    await check(client, users)
