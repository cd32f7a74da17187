"""Requests that the embedded engine accepts and DynamoDB refuses: the table of the guide's page about tests.

DynamoDB Local stands for the service here. A row falls out of the table when an engine changes its mind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

import mizzle_async
from mizzle_async import (
    Attribute,
    Client,
    GlobalSecondaryIndex,
    MizzleError,
    PartitionKey,
    SortKey,
    Table,
    attribute,
    entity,
)
from mizzle_async.testing import DynamoDBLocal, EmbeddedEngine, Engine, EngineError, StubCaller

TABLE = "let-pass"
KEY = {"pk": {"S": "p"}, "sk": {"N": "1"}}
A = {":a": {"S": "p"}}
ONE = {":n": {"N": "1"}}

PAGE = Path(mizzle_async.__file__).parent / "guide" / "testing.md"


@entity("let-pass")
class Thing:
    pk: PartitionKey[str]
    sk: SortKey[int]
    ik: Attribute[str | None] = attribute(default=None)
    text: Attribute[str] = attribute(default="")
    number: Attribute[int] = attribute(default=0)
    words: Attribute[list[str]] = attribute(factory=list)
    counts: Attribute[dict[str, int] | None] = attribute(default=None)


BY_IK = GlobalSecondaryIndex("by-ik", partition_key=Thing.ik, projection="keys_only")


def update(expression: str, values: dict[str, Any] | None, **more: Any) -> tuple[str, dict[str, Any]]:
    """Make an UpdateItem."""
    body = {"TableName": TABLE, "Key": KEY, "UpdateExpression": expression}
    if values is not None:
        body["ExpressionAttributeValues"] = values
    return "UpdateItem", body | more


def query(condition: str, values: dict[str, Any], **more: Any) -> tuple[str, dict[str, Any]]:
    """Make a Query."""
    return "Query", {
        "TableName": TABLE,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": values,
    } | more


@frozen
class LetPass:
    """One row.

    Attributes:
        words: The row's first cell.
        operation: The API's name.
        body: A request that shows it.
        attempt: The same with the client, which refuses it before it is sent, or None where nothing in the client does.
    """

    words: str
    operation: str
    body: dict[str, Any]
    attempt: Callable[[Client, Table[Thing]], Any] | None


MANY = {f":v{number}": {"N": str(number)} for number in range(101)}

ROWS = [
    LetPass(
        "one path twice in an update",
        *update("SET words = :a, words = :a", A),
        lambda _, things: things.update(pk="p", sk=1).set(Thing.text, "a").set(Thing.text, "b"),
    ),
    LetPass("ADD to an entry of a map that is not stored", *update("ADD lost.x :n", ONE), None),
    LetPass(
        "arithmetic on a text",
        *update("SET counted = words + :n", ONE),
        lambda _, things: things.update(pk="p", sk=1).set(Thing.number, Thing.text + 1),
    ),
    LetPass(
        "`list_append` to a text",
        *update("SET l = list_append(words, :a)", {":a": {"L": []}}),
        lambda _, things: things.update(pk="p", sk=1).append(Thing.text, ["a"]),
    ),
    LetPass(
        "BETWEEN bounds of two types",
        *update(
            "SET words = :a",
            A | {":x": {"N": "1"}, ":y": {"S": "1"}},
            ConditionExpression="counted BETWEEN :x AND :y OR attribute_exists(pk)",
        ),
        lambda _, things: things.update(pk="p", sk=1).set(Thing.text, "a").when(Thing.number.between(1, "1")),
    ),
    LetPass(
        "IN with more than 100 values",
        *update("SET words = :a", A | MANY, ConditionExpression=f"pk = :a OR counted IN ({', '.join(MANY)})"),
        lambda _, things: things.update(pk="p", sk=1).set(Thing.text, "a").when(Thing.number.is_in(range(101))),
    ),
    LetPass(
        "`<>` in a key condition",
        *query("pk = :a AND sk <> :n", A | ONE),
        lambda _, things: things.query(Thing.pk == "p", Thing.sk != 1),
    ),
    LetPass(
        "OR in a key condition",
        *query("pk = :a OR pk = :a", A),
        lambda _, things: things.query((Thing.pk == "p") | (Thing.pk == "q")),
    ),
    LetPass(
        "a filter on a key attribute",
        *query("pk = :a", A | ONE, FilterExpression="sk = :n"),
        lambda _, things: things.query(Thing.pk == "p").filter(Thing.sk == 1),
    ),
    LetPass(
        "all attributes of an index that holds keys only",
        *query("ik = :a", A, IndexName="by-ik", Select="ALL_ATTRIBUTES"),
        lambda _, things: things.query(BY_IK.partition_key == "p").project(Thing.text),
    ),
    LetPass(
        "an index key of more than 2,048 bytes",
        "PutItem",
        {"TableName": TABLE, "Item": KEY | {"ik": {"S": "x" * 2_049}}},
        lambda _, things: things.put(Thing(pk="p", sk=1, ik="x" * 2_049)),
    ),
    LetPass(
        "an attribute name of more than 65,535 bytes",
        "PutItem",
        {"TableName": TABLE, "Item": KEY | {"x" * 65_536: {"S": "a"}}},
        lambda client, _: client.table(TABLE, partition_key="pk").put({"pk": "p", "x" * 65_536: "a"}),
    ),
    LetPass(
        "more than 20 global indexes",
        "CreateTable",
        {
            "TableName": "let-pass-many",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": f"by-{number}",
                    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
                for number in range(21)
            ],
        },
        None,
    ),
]


def fill(engine: Engine) -> None:
    """Make the table and its one item anew."""
    engine.delete_tables(prefix=TABLE)
    engine.call(
        "CreateTable",
        {
            "TableName": TABLE,
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
                {"AttributeName": "ik", "AttributeType": "S"},
            ],
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "BillingMode": "PAY_PER_REQUEST",
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "by-ik",
                    "KeySchema": [{"AttributeName": "ik", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        },
    )
    engine.call("PutItem", {"TableName": TABLE, "Item": KEY | {"words": {"S": "x"}, "counted": {"N": "5"}}})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.words)
def test_the_embedded_engine_lets_it_pass(
    row: LetPass, embedded_engine: EmbeddedEngine, dynamodb_local: DynamoDBLocal
) -> None:
    """The embedded engine accepts the request of the row, and DynamoDB Local refuses it."""
    for engine in (embedded_engine, dynamodb_local):
        fill(engine)
    embedded_engine.call(row.operation, row.body)
    with pytest.raises(EngineError, match="ValidationException"):
        dynamodb_local.call(row.operation, row.body)
    for engine in (embedded_engine, dynamodb_local):
        engine.delete_tables(prefix=TABLE)


@pytest.mark.parametrize("row", [row for row in ROWS if row.attempt], ids=lambda row: row.words)
async def test_the_client_refuses_it_before_sending(row: LetPass) -> None:
    """Where the table says so, the client raises an error of its own, and sends nothing."""
    stub = StubCaller()
    async with Client(caller=stub) as client:
        with pytest.raises((MizzleError, TypeError)):
            await row.attempt(client, client.table(Thing))
    assert stub.requests == []


def test_the_guide_has_every_row() -> None:
    """The page's table has these rows, and says of each whether the client refuses it."""
    rows = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    expected = {row.words: "the client" if row.attempt else "nothing" for row in ROWS}
    assert {words: rows.get(words) for words in expected} == expected
