"""Tables that are given by their resource names, answered by name, by resource name, or by that of a part."""

from typing import Any

import pytest

from mizzle_async import Attribute, Client, CorruptResponseError, PartitionKey, attribute, entity
from mizzle_async.testing.replies import Reply

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


def stored(key: str) -> dict[str, Any]:
    """A note as it is stored."""
    return {"key": {"S": key}, "text": {"S": key}}


@pytest.mark.parametrize(("asked", "answered"), ANSWERS)
def test_items_and_keys_of_a_batch_are_understood(play: Any, asked: str, answered: str):
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
    found, server = play(
        replies, lambda c: c.table(Note).get_many(["a", "b", "c"]).send(), table_names={"notes": asked}
    )
    assert found == [Note(key="a", text="a"), Note(key="b", text="b"), None]
    assert [list(request.payload["RequestItems"]) for request in server.requests] == [[asked], [asked]]


@pytest.mark.parametrize(("asked", "answered"), ANSWERS)
def test_writes_that_were_left_are_understood(play: Any, asked: str, answered: str):
    """They are sent again, to the table as it was named, and counted once."""
    left = {answered: [{"PutRequest": {"Item": stored("b")}}]}
    replies = [Reply({"UnprocessedItems": left}), Reply({"UnprocessedItems": {}})]
    notes = [Note(key="a", text="a"), Note(key="b", text="b")]
    report, server = play(replies, lambda c: c.table(Note).put_many(notes).send(), table_names={"notes": asked})
    assert report.written == 2
    assert [each.payload["RequestItems"][asked] for each in server.requests][1] == left[answered]


@pytest.mark.parametrize(("asked", "answered"), ANSWERS)
def test_units_are_counted_under_the_name_that_was_asked_for(play: Any, asked: str, answered: str):
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

    usage, _ = play(replies, use, table_names={"notes": asked})
    assert {name: (each.calls, each.read_units) for name, each in usage.tables.items()} == {asked: (3, 6.0)}


def test_another_accounts_table_is_another_table(play: Any):
    """Nothing is taken of a table that has the same name and belongs to another account."""
    other = ARN.replace("4444", "1111")
    reply = Reply({"Responses": {other: [stored("a")]}})
    error, _ = play([reply], lambda c: c.table(Note).get_many(["a"]), table_names={"notes": ARN})
    assert isinstance(error, CorruptResponseError)
    assert "a table that was not asked for" in str(error)


@pytest.mark.parametrize("asked", ["notes", ARN])
def test_the_control_plane_describes_a_table_that_was_named_by_arn(play: Any, asked: str):
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

    (table,), server = play(lambda _request: Reply({"Table": described}), ensure, table_names={"notes": asked})
    assert table.name == "notes"
    assert {request.payload["TableName"] for request in server.requests} == {asked}
