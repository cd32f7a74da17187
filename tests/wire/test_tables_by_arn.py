"""Tables that are given by their resource names, answered by name, by resource name, or by that of a part."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mizzle_async import Attribute, Client, CorruptResponseError, PartitionKey, RetryPolicy, attribute, entity
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import Script, ScriptedServer

ARN = "arn:aws:dynamodb:us-east-1:444455556666:table/notes"
CHINA = "arn:aws-cn:dynamodb:cn-north-1:444455556666:table/notes"
OF_THE_INDEX = f"{ARN}/index/by-text"
REPLICA = ARN.replace("us-east-1", "eu-west-1")
ANSWERS = [(ARN, ARN), (ARN, "notes"), (CHINA, "notes"), ("notes", ARN), (ARN, OF_THE_INDEX), (ARN, REPLICA)]
"""What the client calls the table, and how the answer does."""


@entity("notes")
class Note:
    key: PartitionKey[str]
    text: Attribute[str] = attribute(default="")


def play(script: Script, asked: str, call: Callable[[Client], Awaitable[Any]]) -> tuple[Any, ScriptedServer]:
    """Play a script to a client that has the table by a name; return the result of the call, and the server."""

    async def main() -> tuple[Any, ScriptedServer]:
        async with (
            ScriptedServer(script) as server,
            Client(
                endpoint_url=server.url,
                region_name="us-east-1",
                credentials=("id", "secret"),
                retry=RetryPolicy.no_backoff(attempts=1),
                table_names={"notes": asked},
            ) as client,
        ):
            return await call(client), server

    return run_virtual(main())


def stored(key: str) -> dict[str, Any]:
    """A note as it is stored."""
    return {"key": {"S": key}, "text": {"S": key}}


@pytest.mark.parametrize(("asked", "answered"), ANSWERS)
def test_items_and_keys_of_a_batch_are_understood(asked: str, answered: str):
    """The key that was left is sent again, to the table as it was named."""
    replies = [
        Reply(
            {
                "Responses": {answered: [stored("a")]},
                "UnprocessedKeys": {answered: {"Keys": [{"key": {"S": "b"}}]}},
                "ConsumedCapacity": [{"TableName": answered, "CapacityUnits": 0.5}],
            }
        ),
        Reply({"Responses": {answered: [stored("b")]}, "UnprocessedKeys": {}}),
    ]
    found, server = play(replies, asked, lambda c: c.table(Note).get_many(["a", "b", "c"]).send())
    assert found == [Note(key="a", text="a"), Note(key="b", text="b"), None]
    assert [list(request.payload["RequestItems"]) for request in server.requests] == [[asked], [asked]]


@pytest.mark.parametrize(("asked", "answered"), ANSWERS)
def test_writes_that_were_left_are_understood(asked: str, answered: str):
    """They are sent again, to the table as it was named, and counted once."""
    left = {answered: [{"PutRequest": {"Item": stored("b")}}]}
    replies = [Reply({"UnprocessedItems": left}), Reply({"UnprocessedItems": {}})]
    notes = [Note(key="a", text="a"), Note(key="b", text="b")]
    report, server = play(replies, asked, lambda c: c.table(Note).put_many(notes).send())
    assert report.written == 2
    assert [each.payload["RequestItems"][asked] for each in server.requests][1] == left[answered]


@pytest.mark.parametrize(("asked", "answered"), ANSWERS)
def test_units_are_counted_under_the_name_that_was_asked_for(asked: str, answered: str):
    """The use of a table is one line, whatever the answer calls it; so in batches and transactions."""
    one = {"TableName": answered, "CapacityUnits": 2.0}
    replies = [
        Reply({"Item": stored("a"), "ConsumedCapacity": one}),
        Reply({"Responses": {answered: [stored("a")]}, "ConsumedCapacity": [one]}),
        Reply({"Responses": [{"Item": stored("a")}, {}], "ConsumedCapacity": [one]}),
    ]

    async def use(client: Client) -> Any:
        notes = client.table(Note)
        with client.usage() as usage:
            await notes.get("a")
            await notes.get_many(["a"])
            await client.transact_get(notes.get("a"), notes.get("b"))
        return usage

    usage, _ = play(replies, asked, use)
    assert {name: (each.calls, each.read_units) for name, each in usage.tables.items()} == {asked: (3, 6.0)}


def test_another_accounts_table_is_another_table():
    """Nothing is taken of a table that has the same name and belongs to another account."""
    other = ARN.replace("4444", "1111")

    async def read(client: Client) -> Any:
        with pytest.raises(CorruptResponseError, match="a table that was not asked for"):
            await client.table(Note).get_many(["a"])

    play([Reply({"Responses": {other: [stored("a")]}})], ARN, read)


@pytest.mark.parametrize("asked", ["notes", ARN])
def test_the_control_plane_describes_a_table_that_was_named_by_arn(asked: str):
    """ensure_tables() answers for the entity, and its changes go to the table as it was named."""
    described = {
        "TableName": "notes",
        "TableArn": ARN,
        "TableStatus": "ACTIVE",
        "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "S"}],
        "LatestStreamArn": f"{ARN}/stream/2026-11-28T07:52:44.766",
    }

    async def ensure(client: Client) -> Any:
        return await client.ensure_tables(Note)

    (table,), server = play(lambda _request: Reply({"Table": described}), asked, ensure)
    assert table.name == "notes"
    assert {request.payload["TableName"] for request in server.requests} == {asked}
