"""The IAM permissions of each verb, from what it sends. `guide/permissions.md` shows the same table."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import mizzle_async
from mizzle_async import (
    Attribute,
    Client,
    GlobalSecondaryIndex,
    PartitionKey,
    SortKey,
    StateTable,
    attribute,
    entity,
    evolve,
)
from mizzle_async.testing import DynamoDBLocal, FaultProxy
from mizzle_async.testing.server import Request

PAGE = Path(mizzle_async.__file__).parent / "guide" / "permissions.md"
PARTIQL = {"SELECT": "PartiQLSelect", "INSERT": "PartiQLInsert", "UPDATE": "PartiQLUpdate", "DELETE": "PartiQLDelete"}
PARTS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}
"""The action of each part of a transaction: the service asks for these, and for none of the transaction itself."""

STATE = StateTable("permissions-state")


@entity("permissions-orders", stream="new_and_old_images")
class Order:
    customer: PartitionKey[str]
    number: SortKey[int]
    status: Attribute[str] = attribute(default="open")
    version: Attribute[int] = attribute(default=0, version=True)


BY_STATUS = GlobalSecondaryIndex("by-status", partition_key=Order.status, projection="keys_only")


@entity("permissions-accounts")
class Account:
    name: PartitionKey[str]
    email: Attribute[str] = attribute(unique=True)
    note: Attribute[str] = attribute(default="")


@entity("permissions-notes")
class Note:
    key: PartitionKey[str]
    text: Attribute[str] = attribute(default="")


def actions_of(request: Request) -> set[str]:
    """Return the actions that the service asks for a request, with the resource where that is not the table."""
    operation, payload = request.operation, request.payload
    if operation in {"TransactWriteItems", "TransactGetItems"}:
        return {PARTS[name] for entry in payload["TransactItems"] for name in entry}
    if operation in {"ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"}:
        statements = payload.get("Statements") or payload.get("TransactStatements") or [payload]
        return {PARTIQL[each["Statement"].split()[0].upper()] for each in statements}
    if "IndexName" in payload:
        return {f"{operation} (index)"}
    return {f"{operation} (stream)" if operation in {"DescribeStream", "GetShardIterator", "GetRecords"} else operation}


def order(number: int = 1) -> Order:
    """Return an order of the customer c."""
    return Order(customer="c", number=number)


Verb = tuple[str, Callable[[Client], Awaitable[Any]]]


async def locked(client: Client) -> None:
    """Hold a lease for a moment."""
    async with client.state(STATE).lease("job", lease_seconds=5):
        pass


async def caught_up(client: Client) -> None:
    """Read the changes of the table so far."""
    await client.table(Order).changes(start="oldest").for_each(ignore, until="caught_up")


async def ignore(_change: Any) -> None:
    """Handle a change by doing nothing."""


def same(value: Order) -> Order:
    """Return another state."""
    return evolve(value, status="x")


VERBS: list[Verb] = [
    ("`ensure_tables`, `create_table` of a new table", lambda client: client.ensure_tables(Note, Account, STATE)),
    ("`ensure_tables` of a table that exists", lambda client: client.ensure_tables(Note)),
    ("`ensure_tables` with a stream", lambda client: client.ensure_tables(Order)),
    ("`describe_table`", lambda client: client.describe_table(Note)),
    ("`insert`, `put`", lambda client: client.table(Order).insert(order())),
    (
        "`insert` of an entity with unique attributes",
        lambda client: client.table(Account).insert(Account(name="a", email="a@b")),
    ),
    (
        "`patch` of an entity with unique attributes",
        lambda client: client.table(Account).patch(
            Account(name="a", email="a@b"), to=Account(name="a", email="c@d", note="x")
        ),
    ),
    (
        "`update`, `upsert`, `replace`, `patch`",
        lambda client: client.table(Order).update(customer="c", number=1).set(Order.status, "paid"),
    ),
    ("`modify`", lambda client: client.table(Order).modify(client.table(Order).key(customer="c", number=1), same)),
    ("`get`, `get_one`, `exists`", lambda client: client.table(Order).get(customer="c", number=1)),
    (
        "`get_many`, `coalesced`",
        lambda client: client.table(Order).get_many([client.table(Order).key(customer="c", number=1)]),
    ),
    ("`query`", lambda client: client.table(Order).query(Order.customer == "c").all()),
    (
        "`query` of an index",
        lambda client: client.table(Order).query(BY_STATUS.partition_key == "x").project(Order.number).all(),
    ),
    (
        "`query(…).hydrate()` of an index",
        lambda client: client.table(Order).query(BY_STATUS.partition_key == "x").hydrate().all(),
    ),
    ("`scan`, `export`", lambda client: client.table(Order).scan().all()),
    ("`scan().rewrite`", lambda client: client.table(Order).scan().rewrite(lambda each: evolve(each, status="y"))),
    ("`put_many`, `delete_many`, `writer`, `batch_write`", lambda client: client.table(Note).put_many([Note(key="k")])),
    ("`scan().delete_where`", lambda client: client.table(Note).scan().delete_where(Note.text == "")),
    (
        "`transact_get`",
        lambda client: client.transact_get(client.table(Order).get(customer="c", number=1)),
    ),
    (
        "`transact_write`: the verbs in it",
        lambda client: client.transact_write(
            client.table(Order).insert(order(2)),
            client.table(Order).check(customer="c", number=1).when(Order.status == "y"),
            client.table(Note).delete("none"),
        ),
    ),
    ("`execute` of a SELECT", lambda client: client.execute('SELECT * FROM "permissions-notes"').all()),
    ("`changes`, `for_each`", caught_up),
    (
        "`state.once`, `change.apply`: the verbs in it, and",
        lambda client: client.state(STATE).once("k", client.table(Note).put(Note(key="once")), keep=timedelta(hours=1)),
    ),
    ("`state.lease`", locked),
    ("`delete`", lambda client: client.table(Order).delete(customer="c", number=1)),
    ("`delete_table`", lambda client: client.delete_table(Note)),
]


async def rows() -> list[str]:
    """Return the table of the page, by running every verb."""
    lines = ["| verb | `dynamodb:` actions |", "| --- | --- |"]
    async with DynamoDBLocal() as engine, FaultProxy(engine.endpoint_url) as proxy:
        client = Client(endpoint_url=proxy.url, region_name=engine.region_name, credentials=engine.credentials)
        async with client:
            for label, run in VERBS:
                before = len(proxy.requests)
                await run(client)
                actions = {action for request in proxy.requests[before:] for action in actions_of(request)}
                lines.append(f"| {label} | {', '.join(f'`{action}`' for action in sorted(actions))} |")
    return [re.sub(r"`(\w+) \((\w+)\)`", r"`\1` (\2)", line) for line in lines]


async def test_page_names_what_each_verb_needs() -> None:
    """The table in `guide/permissions.md` is the one that the requests of every verb give."""
    table = "\n".join(await rows())
    assert table in PAGE.read_text(), f"put this table into {PAGE.name}:\n{table}"


def test_every_verb_of_a_handle_is_in_the_table() -> None:
    """A verb that sends something has its permissions in the table, by name."""
    text = " ".join(label for label, _ in VERBS)
    verbs = {"get", "query", "scan", "insert", "put", "update", "upsert", "replace", "patch", "modify", "delete_many"}
    assert {name for name in verbs if f"`{name}" not in text} == set()
