"""The question whether an item exists: its request, and the meaning of its answers."""

from datetime import datetime
from typing import Any

import pytest

from mizzle_async import Attribute, Client, GetItem, PartitionKey, SharedTable, attribute, entity
from mizzle_async.types import WireResponse

app = SharedTable("app", partition_key="PK")


@entity("sessions")
class Session:
    name: PartitionKey[str]
    expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


@entity(app, partition_key="S#{name}")
class Shared:
    name: PartitionKey[str]


@entity(app)
class Other(Shared):
    size: Attribute[int] = attribute(default=0)


def answered(operation: GetItem[bool], item: dict[str, Any] | None) -> bool:
    """Return the result for an answer at the time 100."""
    operation.sending.to_request()
    return operation.sending.from_wire(WireResponse({} if item is None else {"Item": item}, "R1", 1), 100.0)


def test_request_asks_for_the_key_and_the_time_to_live() -> None:
    """Reserved names have placeholders, and nothing but key and time to live comes back."""
    operation = Client().table(Session).exists("a", consistent_read=True)
    assert operation.to_wire() == {
        "TableName": "sessions",
        "Key": {"name": {"S": "a"}},
        "ConsistentRead": True,
        "ProjectionExpression": "#name, #expires",
        "ExpressionAttributeNames": {"#name": "name", "#expires": "expires"},
    }


@pytest.mark.parametrize(
    ("item", "exists", "with_expired"),
    [
        (None, False, False),
        ({"name": {"S": "a"}}, True, True),
        ({"name": {"S": "a"}, "expires": {"N": "101"}}, True, True),
        ({"name": {"S": "a"}, "expires": {"N": "99"}}, False, True),
    ],
)
def test_expired_item_does_not_exist(item, exists, with_expired):
    """It does where the caller asked for expired items."""
    sessions = Client().table(Session)
    assert answered(sessions.exists("a"), item) is exists
    assert answered(sessions.exists("a", include_expired=True), item) is with_expired


def test_item_of_another_class_does_not_exist() -> None:
    """In a family of a shared table the type decides."""
    client, item = Client(), {"PK": {"S": "S#a"}, "_type": {"S": "Shared"}}
    assert answered(client.table(Shared).exists("a"), item) is True
    assert answered(client.table(Other).exists("a"), item) is False
