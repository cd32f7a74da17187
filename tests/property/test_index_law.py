"""The law of index keys: whatever stale writers do, each is its format of the item's values, or absent."""

import os
from collections.abc import AsyncIterator
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    ExpressionError,
    GlobalSecondaryIndex,
    ItemExistsError,
    ItemNotFoundError,
    PartitionKey,
    Table,
    attribute,
    entity,
    evolve,
)
from mizzle_async.model import SharedTable, key_template
from mizzle_async.operations.writes import index_keys
from mizzle_async.testing import DynamoDBLocal

HISTORIES = int(os.environ.get("MIZZLE_TEST_COUNT", "60"))
"""Histories by default; 5,000 take some minutes."""

app = SharedTable("law", partition_key="PK")
GSI1 = app.index("GSI1", partition_key="GSI1PK", sort_key="GSI1SK")
GSI2 = app.index("GSI2", partition_key="GSI2PK")


@entity(app, partition_key="TICKET#{number}")
class Ticket:
    number: PartitionKey[str]
    team: Attribute[str | None] = attribute(default=None)
    status: Attribute[str] = attribute(default="open")
    points: Attribute[int] = attribute(default=0)
    note: Attribute[str | None] = attribute(default=None)


BY_TEAM = GlobalSecondaryIndex(
    GSI1,
    partition_key=key_template("TEAM#{}", Ticket.team),
    sort_key=key_template("{}#{:04}", Ticket.status, Ticket.points),
    where=Ticket.status != "closed",
)
HIGH = GlobalSecondaryIndex(GSI2, partition_key=key_template("HIGH#{}", Ticket.status), where=Ticket.points > 5)

REFUSALS = (ExpressionError, ConditionalCheckFailedError, ItemNotFoundError, ItemExistsError)


def expected(item: dict[str, Any]) -> dict[str, str]:
    """Return the index keys of a stored item, worked out by hand."""
    team, status, points = item.get("team"), item["status"], item["points"]
    keys = {"GSI1SK": f"{status}#{points:04}"}
    if team is not None and status != "closed":
        keys["GSI1PK"] = f"TEAM#{team}"
    if points > 5:
        keys["GSI2PK"] = f"HIGH#{status}"
    return keys


@pytest.fixture
async def client(dynamodb_local: DynamoDBLocal) -> AsyncIterator[Client]:
    """A client with the table."""
    async with Client(
        endpoint_url=dynamodb_local.endpoint_url,
        region_name=dynamodb_local.region_name,
        credentials=dynamodb_local.credentials,
        table_prefix=f"{uuid4().hex[:8]}-",
    ) as opened:
        await opened.ensure_tables(app)
        yield opened


def values(random: Random) -> dict[str, Any]:
    """Return new values for some attributes."""
    choices = {
        "team": lambda: random.choice(["a", "b", None]),
        "status": lambda: random.choice(["open", "closed", "done"]),
        "points": lambda: random.randrange(12),
        "note": lambda: random.choice(["x", None]),
    }
    return {name: choices[name]() for name in random.sample(sorted(choices), random.randint(1, 3))}


async def write(tickets: Table[Ticket], seen: list[Ticket], random: Random) -> Ticket | None:  # noqa: PLR0911  (a verb each)
    """Do one random write with what a stale writer has seen; return the item as stored."""
    changes = values(random)
    old = random.choice(seen)
    new = evolve(old, **changes)
    match random.randrange(9):
        case 0:
            return await tickets.put(new)
        case 1:
            return await tickets.replace(new)
        case 2:
            return await tickets.patch(old, to=new)
        case 3:
            return await tickets.update(old).set(changes)
        case 4:
            return await tickets.update("1").set(changes)
        case 5:
            return await tickets.update("1").set(changes).when((Ticket.status == old.status) & (Ticket.points == 3))
        case 6:
            return await tickets.upsert("1").set(changes)
        case 7:
            await tickets.delete("1")
            return await tickets.insert(new)
        case _:
            await tickets.scan().rewrite(lambda ticket: evolve(ticket, **changes))
            return await tickets.get("1")


async def histories(client: Client, count: int) -> tuple[int, int]:
    """Run histories of ten writes each; return how many were applied, and how many left a wrong index key."""
    tickets = client.table(Ticket)
    stored = client.table("law", partition_key="PK")
    applied = broken = 0
    for seed in range(count):
        random = Random(seed)
        seen = [await tickets.put(Ticket(number="1"))]
        for _ in range(10):
            try:
                written = await write(tickets, seen, random)
            except REFUSALS:
                continue
            applied += 1
            if written is not None:
                seen.append(written)
            (item,) = await stored.scan(consistent_read=True).all()
            broken += {name: text for name, text in item.items() if name.startswith("GSI")} != expected(item)
    return applied, broken


async def test_index_keys_follow_the_values_through_every_history(client):
    """No history of stale writers leaves an index key that its item's values do not make."""
    applied, broken = await histories(client, HISTORIES)
    assert applied > HISTORIES * 3
    assert broken == 0


async def test_without_the_checks_the_law_breaks(client, monkeypatch):
    """With the added checks left out histories break the law, so the test above can fail."""
    monkeypatch.setattr(index_keys, "_is_still", lambda target, field, value: target.schema.partition_key_path.exists())
    _, broken = await histories(client, HISTORIES)
    assert broken > 0
