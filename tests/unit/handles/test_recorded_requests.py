"""Requests are byte for byte what they were before statements were cached, rows read by generated code, and the like.

`recorded_requests.json` holds the requests of commit 98474a5. The scenarios use what was public then, so that they run
on that tree as well: ``python tests/unit/handles/test_recorded_requests.py`` records anew.
"""

from __future__ import annotations

import asyncio
import json
import re
import warnings
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    GlobalSecondaryIndex,
    PartitionKey,
    SortKey,
    attribute,
    document,
    entity,
    evolve,
)
from mizzle_async.testing import StubCaller

RECORDED = Path(__file__).with_name("recorded_requests.json")
SINCE = Path(__file__).with_name("recorded_requests_since.json")

MEANT = {
    "replace": "members that no class declares survive a replace, so a request with documents has a guard",
    "patch": "a list that is written whole is written only if it is still as it was read",
    "get_many": "batch reads ask for the capacity that they consume, for limiters and reports",
    "query index hydrate": "the same",
}
"""Requests that were changed on purpose since, each with its reason: `recorded_requests_since.json` has them."""

NOW = 1_790_000_000.0
WHEN = datetime(2026, 10, 13, 8, 48, 47, 966937, tzinfo=UTC)


@document
class Line:
    """A line of an order."""

    sku: Attribute[str]
    price: Attribute[Decimal]
    marks: Attribute[set[str]] = attribute(factory=set)


@entity("orders")
class Order:
    """An item with every shape of attribute."""

    customer: PartitionKey[str]
    number: SortKey[str]
    status: Attribute[str] = attribute(default="open")
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    quantity: Attribute[int] = attribute(default=0)
    paid: Attribute[bool] = attribute(default=False)
    placed: Attribute[datetime | None] = attribute(default=None)
    tags: Attribute[set[str]] = attribute(factory=set)
    sizes: Attribute[set[int]] = attribute(factory=set)
    lines: Attribute[list[Line]] = attribute(factory=list)
    first: Attribute[Line | None] = attribute(default=None)
    labels: Attribute[dict[str, str]] = attribute(factory=dict)
    vector: Attribute[list[float]] = attribute(factory=list)
    blob: Attribute[bytes] = attribute(default=b"")
    anything: Attribute[Any] = attribute(default=None)


BY_STATUS = GlobalSecondaryIndex("by_status", partition_key=Order.status, sort_key=Order.placed)


@entity("documents")
class Versioned:
    """An item with a version, times of writing and a time to live."""

    id: PartitionKey[str]
    text: Attribute[str]
    version: Attribute[int] = attribute(default=0, version=True)
    created: Attribute[datetime | None] = attribute(default=None, created_at=True)
    updated: Attribute[datetime | None] = attribute(default=None, updated_at=True)
    expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


@entity("users")
class User:
    """An item with a unique attribute."""

    id: PartitionKey[str]
    email: Attribute[str] = attribute(unique=True)
    logins: Attribute[int] = attribute(default=0)


LINE = Line(sku="s1", price=Decimal("9.95"), marks={"b", "a"})
ORDER = Order(
    customer="c1",
    number="7",
    total=Decimal("129.95"),
    quantity=3,
    paid=True,
    placed=WHEN,
    tags={"vip", "gift"},
    sizes={3, 20},
    lines=[LINE, Line(sku="s2", price=Decimal(1))],
    first=LINE,
    labels={"colour": "red"},
    vector=[0.1, -2.5, 3.0, 1e100],
    blob=b"\x00\x01",
    anything={"nested": [1, "two", None, True]},
)
KEY: Any = {"customer": "c1", "number": "7"}
STORED = Versioned(id="d1", text="draft", version=3, created=WHEN, updated=WHEN)


def single(client: Client) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Return the verbs of one item."""
    orders, documents, users = client.table(Order), client.table(Versioned), client.table(User)
    plain = client.table("plain", partition_key="pk", sort_key="sk", sort_key_type=int)
    return {
        "get": lambda: orders.get(**KEY),
        "get consistent": lambda: orders.get(ORDER, consistent_read=True),
        "get with a time to live": lambda: documents.get("d1"),
        "put": lambda: orders.put(ORDER),
        "put of a dict": lambda: plain.put({"pk": "a", "sk": 1, "values": [1.5, 2], "set": {1, 2}}),
        "get of a dict": lambda: plain.get(pk="a", sk=1),
        "insert": lambda: orders.insert(ORDER),
        "insert versioned": lambda: documents.insert(evolve(STORED, version=0)),
        "insert unique": lambda: users.insert(User(id="u1", email="ada@example.com")),
        "insert with a condition": lambda: orders.insert(ORDER).when(Order.status.not_exists()),
        "put with a condition": lambda: orders.put(ORDER).when((Order.total < Decimal(10)) | ~(Order.paid == True)),
        "replace": lambda: orders.replace(ORDER),
        "replace versioned": lambda: documents.replace(STORED),
        "delete": lambda: orders.delete(**KEY),
        "delete with a condition": lambda: orders.delete(**KEY).when(Order.status == "open"),
        "delete versioned": lambda: documents.delete(STORED),
        "delete unique": lambda: users.delete(User(id="u1", email="ada@example.com")),
        "insert exactly once": lambda: orders.insert(ORDER).exactly_once(token="token-1"),
    }


def changes(client: Client) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Return the updates."""
    orders, documents, users = client.table(Order), client.table(Versioned), client.table(User)

    def update() -> Any:
        return orders.update(**KEY)

    changed = evolve(ORDER, status="sent", quantity=4, tags={"vip", "new"}, lines=[LINE], labels={"colour": "blue"})
    return {
        "update set": lambda: update().set(Order.status, "sent"),
        "update set and add": lambda: update().set(Order.status, "sent").add(Order.quantity, 1),
        "update with a condition": lambda: (
            update().set(Order.status, "sent").add(Order.quantity, 1).when(Order.paid == True)
        ),
        "update with equal values": lambda: update().set(Order.quantity, 1).when(Order.sizes.contains(1)),
        "update many at once": lambda: update().set({"status": "sent", "quantity": 5, "total": Decimal("1.50")}),
        "update set None": lambda: update().set(Order.placed, None),
        "update set default": lambda: update().set_default(Order.status, "new"),
        "update set sum": lambda: update().set(Order.total, Order.total + Decimal("1.5")),
        "update set default sum": lambda: update().set(Order.quantity, Order.quantity.if_not_exists(0) - 2),
        "update set other": lambda: update().set(Order.status, Order.status.if_not_exists("new")),
        "update set document": lambda: update().set(Order.first, LINE),
        "update set member": lambda: update().set(Order.first[Line.price], Decimal(3)).set(Order.labels["size"], "xl"),
        "update set element": lambda: update().set(Order.lines[0][Line.price], Decimal(3)),
        "update add set": lambda: update().add(Order.tags, {"new"}),
        "update add empty set": lambda: update().set(Order.status, "x").add(Order.tags, set()),
        "update add decimal": lambda: update().add(Order.total, Decimal("0.5")),
        "update discard": lambda: update().discard(Order.sizes, {3}),
        "update remove": lambda: update().remove(Order.placed, Order.labels["colour"]),
        "update append": lambda: update().append(Order.lines, [LINE]).prepend(Order.vector, [0.5]),
        "update list append": lambda: update().set(Order.vector, Order.vector.list_append([1.5])),
        "update versioned": lambda: documents.update(STORED).set(Versioned.text, "final"),
        "update at a version": lambda: documents.update("d1").set(Versioned.text, "final").at_version(4),
        "update with a time to live": lambda: documents.update("d1").set(Versioned.text, "final"),
        "upsert": lambda: orders.upsert(**KEY).set(Order.status, "sent").add(Order.quantity, 1),
        "upsert with a time to live": lambda: documents.upsert("d1").set(Versioned.text, "final"),
        "upsert default": lambda: orders.upsert(**KEY).set_default(Order.status, "new"),
        "patch": lambda: orders.patch(ORDER, to=changed),
        "patch versioned": lambda: documents.patch(STORED, to=evolve(STORED, text="final")),
        "patch unique": lambda: users.patch(
            User(id="u1", email="ada@example.com"), to=User(id="u1", email="lovelace@example.com")
        ),
        "update conditions": lambda: (
            update()
            .set(Order.status, "sent")
            .when(Order.total.between(Decimal(1), Decimal(2)) & (Order.quantity >= 1) & (Order.quantity != 7))
            .when(Order.status.begins_with("o") | Order.tags.contains("vip"))
            .when(Order.placed.exists() & ~Order.first[Line.sku].not_exists())
            .when(Order.tags.size() > 1)
            .when(Order.status.is_in(["open", "sent"]))
            .when(Order.quantity <= Order.first[Line.sku].size())
        ),
    }


def several(client: Client) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Return the batches and the transactions."""
    orders, documents = client.table(Order), client.table(Versioned)
    many = [evolve(ORDER, number=str(number)) for number in range(3)]
    return {
        "get_many": lambda: orders.get_many([orders.key(customer="c1", number=str(number)) for number in range(3)]),
        "put_many": lambda: orders.put_many(many),
        "delete_many": lambda: orders.delete_many([orders.key(customer="c1", number=str(number)) for number in (1, 2)]),
        "transact_get": lambda: client.transact_get(orders.get(**KEY), documents.get("d1")),
        "transact_write": lambda: client.transact_write(
            orders.insert(ORDER),
            orders.update(customer="c1", number="8").set(Order.status, "sent").add(Order.quantity, 1),
            orders.delete(customer="c1", number="9"),
            orders.check(customer="c1", number="10").when(Order.status == "open"),
            documents.update(STORED).set(Versioned.text, "final"),
            documents.replace(evolve(STORED, id="d2")),
        ),
        "transact_write token": lambda: client.transact_write(orders.put(ORDER), token="token-2"),
    }


def reads(client: Client) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Return the queries and the scans."""
    orders, documents = client.table(Order), client.table(Versioned)
    plain = client.table("plain", partition_key="pk", sort_key="sk", sort_key_type=int)
    mine = Order.customer == "c1"
    opened = Order.status == "open"
    return {
        "query": lambda: orders.query(mine).all(),
        "query sort": lambda: orders.query(mine, Order.number == "7").all(),
        "query range": lambda: orders.query(mine, Order.number.between("1", "3"), reverse=True).all(),
        "query prefix": lambda: orders.query(mine, Order.number.begins_with("2026"), consistent_read=True).all(),
        "query filter": lambda: orders.query(mine).filter(opened).all(),
        "query filters": lambda: orders.query(mine).filter(opened).filter(Order.total > Decimal(5)).all(),
        "query equal values": lambda: orders.query(Order.customer == "open").filter(opened).all(),
        "query is_in": lambda: orders.query(mine).filter(Order.status.is_in(["b", "a", "b"])).all(),
        "query first": lambda: orders.query(mine).filter(opened).first(),
        "query first plain": lambda: orders.query(mine).first(),
        "query one": lambda: orders.query(mine, Order.number == "7").one(),
        "query count": lambda: orders.query(mine).filter(opened).count(),
        "query count plain": lambda: orders.query(mine).count(),
        "query page": lambda: orders.query(mine).page(),
        "query page of ten": lambda: orders.query(mine).filter(opened).page(max_items=10),
        "query limits": lambda: orders.query(mine, max_items=3, page_size=2, max_evaluated=7).all(),
        "query project": lambda: orders.query(mine).project(Order.number, Order.status, Order.total).page(),
        "query project inside": lambda: (
            orders.query(mine).project(Order.first[Line.price], Order.lines[1][Line.sku]).all()
        ),
        "query project and filter": lambda: orders.query(mine).filter(opened).project(Order.total).first(),
        "query index": lambda: orders.query(BY_STATUS.partition_key == "open").all(),
        "query index range": lambda: (
            orders.query(BY_STATUS.partition_key == "open", BY_STATUS.sort_key > WHEN)
            .filter(Order.total > Decimal(5))
            .first()
        ),
        "query index project": lambda: orders.query(BY_STATUS.partition_key == "open").project(Order.total).all(),
        "query index hydrate": lambda: orders.query(BY_STATUS.partition_key == "open").hydrate().all(),
        "query time to live": lambda: documents.query(Versioned.id == "d1").all(),
        "query time to live count": lambda: documents.query(Versioned.id == "d1").count(),
        "query time to live project": lambda: documents.query(Versioned.id == "d1").project(Versioned.text).all(),
        "query expired too": lambda: documents.query(Versioned.id == "d1", include_expired=True).all(),
        "scan": lambda: orders.scan().all(),
        "scan page": lambda: orders.scan().page(),
        "scan filter": lambda: orders.scan(max_items=5).filter(Order.paid == True).all(),
        "scan count": lambda: orders.scan().count(),
        "scan index": lambda: orders.scan(index=BY_STATUS).all(),
        "scan time to live": lambda: documents.scan().filter(Versioned.text != "x").all(),
        "query of dicts": lambda: plain.query(plain.partition_key == "a", plain.sort_key >= 3).all(),
        "query of dicts filter": lambda: (
            plain.query(plain.partition_key == "a").filter(plain.attribute("total", "net") > 1.5).first()
        ),
    }


KEY_NAMES = {"orders": ("customer", "number"), "documents": ("id",), "users": ("id",), "plain": ("pk", "sk")}
REQUIRED: dict[str, dict[str, Any]] = {
    "documents": {"text": {"S": "final"}, "version": {"N": "4"}},
    "users": {"email": {"S": "ada@example.com"}},
}


def updated(request: Any) -> Any:
    """Answer an update: the item under its key."""
    body = json.loads(request.body)
    return {"Attributes": body["Key"] | REQUIRED.get(body["TableName"], {})}


def batch(request: Any) -> Any:
    """Answer a BatchGetItem: every key is found."""
    wanted = json.loads(request.body)["RequestItems"]
    return {"Responses": {table: each["Keys"] for table, each in wanted.items()}, "UnprocessedKeys": {}}


def rows(request: Any) -> Any:
    """Answer a query or a scan: one item that can be meant."""
    body = json.loads(request.body)
    if body.get("Select") == "COUNT":
        return {"Count": 2, "ScannedCount": 2}
    table = body["TableName"]
    item: dict[str, Any] = dict(zip(KEY_NAMES[table], [{"S": "c1"}, {"S": "7"}], strict=False))
    if "IndexName" in body:
        item["status"] = {"S": "open"}
    elif "KeyConditionExpression" in body:
        item[KEY_NAMES[table][0]] = next(iter(body["ExpressionAttributeValues"].values()))
    if table == "plain":
        item["sk"] = {"N": "3"}
    return {"Items": [item | REQUIRED.get(table, {})], "Count": 1, "ScannedCount": 1}


REPLIES: dict[str, Any] = {
    "GetItem": {},
    "PutItem": {},
    "DeleteItem": {},
    "UpdateItem": updated,
    "BatchGetItem": batch,
    "BatchWriteItem": {"UnprocessedItems": {}},
    "TransactGetItems": {"Responses": [{}, {}]},
    "TransactWriteItems": {},
    "Query": rows,
    "Scan": rows,
}

RANDOM = re.compile(r'"(ClientRequestToken|_write_id|:\d)":(\{"S":)?"([0-9A-Za-z_-]{12}|[0-9a-f-]{36})"')


def plain_text(request: Any) -> list[str]:
    """Return a request as it is compared: its body byte for byte, but for random tokens."""
    return [request.operation, RANDOM.sub(r'"\1":\2"RANDOM"', request.body.decode())]


async def record() -> dict[str, list[list[str]]]:
    """Send everything, and return the requests of each scenario; each is sent twice, and must be the same then."""
    requests: dict[str, list[list[str]]] = {}
    for group in (single, changes, several, reads):
        caller = StubCaller(REPLIES)
        async with Client(caller=caller, clock=lambda: NOW) as client:
            for name, send in group(client).items():
                for _ in range(2):
                    caller.requests.clear()
                    await send()
                    sent = [plain_text(request) for request in caller.requests]
                    assert requests.setdefault(name, sent) == sent, f"{name}: the second time, others were sent"
    return requests


@pytest.mark.filterwarnings("ignore::mizzle_async.UnindexedFilterWarning")
async def test_every_verb_sends_the_requests_of_the_recording() -> None:
    """Each scenario is sent twice, so that statements of a known shape are compared too."""
    sent = await record()
    expected = json.loads(RECORDED.read_text())
    since = json.loads(SINCE.read_text())
    assert since.keys() == MEANT.keys()
    assert all(since[name] != expected[name] for name in since)
    expected |= since
    assert sent.keys() == expected.keys()
    assert {name: each for name, each in sent.items() if each != expected[name]} == {}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    RECORDED.write_text(json.dumps(asyncio.run(record()), indent=1) + "\n")
