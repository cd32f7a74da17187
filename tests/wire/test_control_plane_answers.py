"""Answers of the control plane of the wrong shape: one boundary for every operation, before botocore parses them."""

import copy
import os
import random
from typing import Any

import pytest

from mizzle_async import Client, CorruptResponseError, MizzleError
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import Request

COUNT = int(os.environ.get("MIZZLE_TEST_COUNT", "60"))
TABLE: dict[str, Any] = {
    "TableName": "orders",
    "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}, {"AttributeName": "b", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "a", "AttributeType": "S"},
        {"AttributeName": "b", "AttributeType": "N"},
    ],
    "TableStatus": "ACTIVE",
    "CreationDateTime": 1.8e9,
    "ItemCount": 5,
    "TableSizeBytes": 500,
    "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-b",
            "KeySchema": [{"AttributeName": "b", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["c"]},
            "IndexStatus": "ACTIVE",
        }
    ],
    "DeletionProtectionEnabled": False,
}
JUNK: list[Any] = [None, True, 0, -1, 1e300, "", "x", [], [1], {}, {"S": 1}, [[]], {"Table": 5}]


async def described(client: Client) -> list[Any]:
    """Describe a table once."""
    try:
        return [await client.describe_table("orders")]
    except MizzleError as error:
        return [error]


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ({"Table": 5}, ".Table"),
        ({"Table": {**TABLE, "KeySchema": 5}}, ".Table.KeySchema"),
        ({"Table": {**TABLE, "KeySchema": [5]}}, ".Table.KeySchema[0]"),
        ({"Table": {**TABLE, "ItemCount": "many"}}, ".Table.ItemCount"),
        ({"Table": {**TABLE, "TableStatus": True}}, ".Table.TableStatus"),
        ({"Table": {**TABLE, "DeletionProtectionEnabled": 1}}, ".Table.DeletionProtectionEnabled"),
    ],
)
def test_an_answer_of_the_wrong_shape_is_corrupt_and_asked_for_again(play: Any, answer: Any, place: str):
    """The error names the place; its connection is closed, and a read goes out again on another one."""
    (error,), server = play([Reply(answer)], described)
    assert isinstance(error, CorruptResponseError)
    assert error.message.endswith(f"DescribeTable does not answer in this shape at {place}")
    assert (error.operation, error.table) == ("DescribeTable", "orders")
    (table,), server = play([Reply(answer), Reply({"Table": TABLE})], described, attempts=2)
    assert table.item_count == 5
    assert [request.connection for request in server.requests] == [1, 2]


@pytest.mark.parametrize("answer", [{}, {"Table": {}}, {"Table": {"TableName": "orders"}}])
def test_an_answer_that_describes_no_table_is_corrupt(play: Any, answer: Any):
    """What every table has is missing: botocore's model demands nothing of an answer."""
    (error,), _ = play([Reply(answer)], described)
    assert isinstance(error, CorruptResponseError)


def mutate(payload: Any, chance: random.Random) -> Any:
    """Return JSON with one of its places changed or removed."""
    changed = copy.deepcopy(payload)
    holder, key = {"": changed}, ""
    for _ in range(chance.randint(1, 6)):
        inner = holder[key]
        entries = list(inner) if isinstance(inner, dict) else list(range(len(inner))) if isinstance(inner, list) else []
        if not entries:
            break
        holder, key = inner, chance.choice(entries)
    if chance.random() < 0.3 and holder is not changed and key != "":
        del holder[key]
    else:
        holder[key] = chance.choice(JUNK)
    return changed


def test_no_foreign_exception_leaves_a_mutated_description(play: Any):
    """Every changed answer ends in a description, or in an error of the library."""
    chance = random.Random(7)
    refused = 0

    def answer(_request: Request) -> Reply:
        return Reply(mutate({"Table": TABLE}, chance))

    async def often(client: Client) -> list[Any]:
        outcomes = []
        for _ in range(COUNT * 5):
            outcomes += await described(client)
        return outcomes

    outcomes, _ = play(answer, often)
    refused = sum(isinstance(each, CorruptResponseError) for each in outcomes)
    assert COUNT < refused < COUNT * 5
