"""Two versions beside each other on one table: a rolling deployment, the older one by the requests that it recorded."""

import importlib.util
import json
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from mizzle_async import (
    Client,
    ConditionalCheckFailedError,
    ServiceError,
    TransactionCanceledError,
    UniqueConstraintError,
    VersionConflictError,
    evolve,
)
from mizzle_async.types import RepeatSafety, WirePayload, WireRequest

GOLDEN = Path(__file__).parents[1] / "golden"
VERSIONS = sorted(folder.name for folder in GOLDEN.iterdir() if (folder / "guards.json").exists())
Older = Callable[[dict[str, Any]], Awaitable[WirePayload]]


def load_recorder() -> Any:
    """Import the script that recorded the requests, for its entities."""
    spec = importlib.util.spec_from_file_location("mizzle_golden_record", GOLDEN / "record.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


record = load_recorder()
Account, Event, Order, Session = record.Account, record.Event, record.Order, record.Session


def golden(version: str, thing: str) -> dict[str, Any]:
    """What an older version has recorded."""
    content: dict[str, Any] = json.loads((GOLDEN / version / f"{thing}.json").read_text())
    return content


@pytest.fixture
def older(client: Client) -> Older:
    """Send what an older version has recorded, as it was, but for the table's name and the token."""

    async def send(recorded: dict[str, Any]) -> WirePayload:
        names = set(recorded["table"].split(", "))
        text = json.dumps(recorded["body"])
        for name in names:
            text = text.replace(f'"{name}"', json.dumps(client.table(name, partition_key="key").name))
        body = json.loads(text)
        if "ClientRequestToken" in body:
            body["ClientRequestToken"] = str(uuid.uuid4())
        request = WireRequest(recorded["operation"], orjson.dumps(body), recorded["table"], RepeatSafety.UNSAFE)
        return (await client._runtime.opened().call(request)).payload

    return send


@pytest.mark.parametrize("version", VERSIONS)
async def test_values_stay_unique_between_two_versions(version: str, client: Client, older: Older):
    """What the older one claims is claimed, what it gives up is free, and the other way round."""
    await client.create_table(Account)
    accounts, left = client.table(Account), golden(version, "guards")
    await older(left["insert"])
    with pytest.raises(UniqueConstraintError):
        await accounts.insert(Account(name="other", email="anne@example.com"))
    with pytest.raises(UniqueConstraintError):
        await accounts.insert(Account(name="other", email="x", number=7))
    await older(left["patch"])
    freed = Account(name="other", email="anne@example.com")
    await accounts.insert(freed)
    with pytest.raises(UniqueConstraintError):
        await accounts.patch(freed, to=evolve(freed, email="anne@example.org"))
    await older(left["delete"])
    assert [row.name async for row in accounts.scan()] == ["other"]
    await accounts.delete(freed)
    await older(left["insert"])
    with pytest.raises(TransactionCanceledError):
        await older(left["insert"])
    moved = evolve(record.ANNE, email="anne@example.net")
    await accounts.patch(record.ANNE, to=moved)
    with pytest.raises(TransactionCanceledError):
        await older(left["patch"])  # its guard is another one now
    await accounts.delete(moved)
    raw = await client.control("DescribeTable", {"TableName": accounts.name})
    assert raw["Table"]["TableStatus"] == "ACTIVE"
    await older(left["insert"])


@pytest.mark.parametrize("version", VERSIONS)
async def test_versions_count_on_between_two_versions(version: str, client: Client, older: Older):
    """A version that either of them has made is seen by the other, and is made once."""
    await client.create_table(Order)
    orders, left = client.table(Order), golden(version, "versions")
    await older(left["insert"])
    first = await orders.get_one("a")
    assert (first.note, first.version, first.made) == ("first", 1, first.changed)
    await older(left["replace"])
    with pytest.raises(VersionConflictError) as caught:
        await orders.replace(evolve(first, note="late"))
    assert caught.value.stored(Order).note == "second"
    second = await orders.get_one("a")
    assert (second.version, second.made) == (2, first.made)
    await orders.replace(evolve(second, note="third"))
    with pytest.raises(ServiceError) as refused:
        await older(left["replace"])
    assert isinstance(refused.value, ConditionalCheckFailedError)
    assert (await orders.get_one("a")).note == "third"


@pytest.mark.parametrize("version", VERSIONS)
async def test_spread_keys_are_read_between_two_versions(version: str, client: Client, older: Older):
    """Each finds what the other has written, in the partition where it looks for it."""
    await client.create_table(Event)
    events, left = client.table(Event), golden(version, "shards")
    for put in left["puts"]:
        await older(put)
    assert await events.query(Event.source == "door").all() == record.EVENTS
    for event in record.EVENTS:
        assert await events.get(source="door", number=event.number) == event
        await events.put(evolve(event, text="newer"))
    await events.put(Event(source="door", number=99, text="newer"))
    pages = [await older(query) for query in left["queries"]]
    rows = [item for page in pages for item in page["Items"]]
    assert sorted(int(row["number"]["N"]) for row in rows) == [*range(8), 99]
    assert {row["text"]["S"] for row in rows} == {"newer"}


@pytest.mark.parametrize("version", VERSIONS)
async def test_times_to_live_hide_between_two_versions(version: str, client: Client, older: Older, clock: Any):
    """What the older one lets expire is hidden by this one."""
    await client.create_table(Session)
    left = golden(version, "lifetimes")
    clock.now = left["now"]
    await older(left["living"])
    await older(left["expired"])
    sessions = client.table(Session)
    assert (await sessions.get("living")) is not None
    assert (await sessions.get("expired")) is None
    assert [row.key async for row in sessions.scan()] == ["living"]
