"""Expired items do not exist, on every path, by the client's clock; the engines delete none while a test runs."""

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
    attribute,
    entity,
    evolve,
)

HOUR = 3_600


@entity("sessions")
class Session:
    user: PartitionKey[str]
    token: SortKey[str]
    device: Attribute[str] = attribute(default="phone")
    visits: Attribute[int] = attribute(default=0)
    expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


BY_DEVICE = GlobalSecondaryIndex("by-device", partition_key=Session.device, sort_key=Session.expires)
BY_VISITS = GlobalSecondaryIndex("by-visits", partition_key=Session.visits, projection="keys_only")


@pytest.fixture
async def sessions(client: Client) -> Any:
    """A handle of an empty table."""
    await client.create_table(Session)
    return client.table(Session)


@pytest.fixture
def session(clock) -> Session:
    """A session that is good for an hour."""
    return Session(user="u", token="t", visits=5, expires=datetime.fromtimestamp(clock.now + HOUR, UTC))


@pytest.fixture
async def expired(sessions, session, clock) -> Session:
    """A session that was stored and has expired, beside one that has not."""
    stored = await sessions.insert(session)
    await sessions.insert(Session(user="u", token="z"))
    clock.now += HOUR
    return stored


async def test_item_lives_until_its_second(sessions, session, clock):
    """An item exists until the second of its expiry, and not from then on."""
    await sessions.insert(session)
    clock.now += HOUR - 1
    assert await sessions.get(session) == session
    clock.now += 1
    assert await sessions.get(session) is None


async def test_expired_item_is_hidden_from_every_read(sessions, expired):
    """No way of reading shows an expired item, unless it is asked for."""
    assert await sessions.get(expired) is None
    with pytest.raises(ItemNotFoundError):
        await sessions.get_one(expired)
    assert await sessions.get_many([sessions.key(expired)]) == [None]
    queries = [
        sessions.query(Session.user == "u"),
        sessions.query(Session.user == "u", page_size=1),
        sessions.scan(),
        sessions.scan(segments=2),
    ]
    for query in queries:
        assert [each.token for each in await query.all()] == ["z"]
        assert [each.token async for each in query] == ["z"]
        assert (await query.first()).token == "z"
        assert (await query.one()).token == "z"
        assert await query.count() == 1
        assert await query.project(Session.token).all() == [("z",)]
    assert [each.token for each in (await queries[0].page(max_items=1)).items] == ["z"]
    pages = [page async for page in queries[1].pages()]
    assert [each.token for page in pages for each in page.items] == ["z"]


async def test_expired_item_is_hidden_in_indexes(sessions, expired):
    """Indexes hide expired items too: by filter, by key, or by reading the table."""
    assert await sessions.query(BY_DEVICE.partition_key == "phone").all() == []
    assert await sessions.query(BY_DEVICE.partition_key == "phone").count() == 0
    assert len(await sessions.scan(index=BY_DEVICE).all()) == 0
    assert await sessions.query(BY_VISITS.partition_key == 5).hydrate().all() == []
    assert await sessions.query(BY_VISITS.partition_key == 5).hydrate().count() == 0


async def test_expired_item_is_shown_to_who_asks(sessions, expired):
    """`include_expired` shows what is still stored."""
    assert await sessions.get(expired, include_expired=True) == expired
    assert await sessions.get_many([sessions.key(expired)], include_expired=True) == [expired]
    query = sessions.query(Session.user == "u", include_expired=True)
    assert len(await query.all()) == await query.count() == 2
    assert await sessions.query(BY_DEVICE.partition_key == "phone", include_expired=True).all() == [expired]
    by_visits = sessions.query(BY_VISITS.partition_key == 5, include_expired=True)
    assert await by_visits.project(Session.token).all() == [("t",)]


async def test_insert_takes_the_place_of_an_expired_item(sessions, expired):
    """An insert replaces an expired item as a whole, and no other."""
    new = Session(user="u", token="t")
    assert await sessions.insert(new) == new
    assert await sessions.get(expired) == new
    with pytest.raises(ItemExistsError):
        await sessions.insert(new)


async def test_update_does_not_find_an_expired_item(sessions, expired):
    """What must be present is missing when it is expired."""
    for operation in (
        sessions.update(expired).set(Session.visits, 1),
        sessions.replace(expired),
        sessions.patch(expired, to=evolve(expired, visits=6)),
    ):
        with pytest.raises(ItemNotFoundError):
            await operation
    assert await sessions.get(expired, include_expired=True) == expired


async def test_upsert_does_not_revive_an_expired_item(sessions, expired, client):
    """An upsert onto an expired item starts from nothing; it takes three requests, which is why the cost says so."""
    before = client.statistics().calls
    stored = await sessions.upsert(user="u", token="t").add(Session.visits, 1)
    assert client.statistics().calls - before == 3
    assert stored == Session(user="u", token="t", visits=1)
    again = await sessions.upsert(user="u", token="t").add(Session.visits, 1)
    assert again.visits == 2


async def test_upsert_with_a_condition(sessions, expired):
    """A condition of an upsert is asked of what exists: of an expired item nothing."""
    with pytest.raises(ConditionalCheckFailedError) as raised:
        await sessions.upsert(user="u", token="t").add(Session.visits, 1).when(Session.visits == 5)
    assert raised.value.item is None


async def test_delete_of_an_expired_item(sessions, expired):
    """Deleting an expired item hands back nothing."""
    assert await sessions.delete(expired) is None
    assert await sessions.get(expired, include_expired=True) is None


async def test_conditions_do_not_see_an_expired_item(sessions, expired):
    """A condition on an expired item is a condition on nothing, true or false."""
    with pytest.raises(ConditionalCheckFailedError):
        await sessions.delete(expired).when(Session.visits == 5)
    with pytest.raises(ConditionalCheckFailedError):
        await sessions.put(evolve(expired, visits=7)).when(Session.device.exists())
    new = Session(user="u", token="t", visits=7)
    assert await sessions.put(new).when(Session.device.not_exists()) == new


async def test_what_the_service_ignores_is_not_expired(sessions, client, clock):
    """A text, and a time more than five years back, never expire: not at the service, and not here."""
    wide = client.table("sessions", partition_key="user", sort_key="token")
    old = int(clock.now) - 6 * 365 * 86_400
    await wide.put({"user": "old", "token": "t", "expires": old})
    assert (await sessions.get(user="old", token="t")).expires == datetime.fromtimestamp(old, UTC)
    assert await sessions.query(Session.user == "old").count() == 1
    await sessions.update(user="old", token="t").set(Session.visits, 1)
    assert (await sessions.get(user="old", token="t")).expires == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        seconds=old
    )
