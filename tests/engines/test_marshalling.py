"""What marshalling says of numbers, sizes and limits, held against DynamoDB Local, the reference for both."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from mizzle_async.marshalling import canonical_key, decode_any, encode_any, item_size
from mizzle_async.testing import DynamoDBLocal, EngineError

VALUES = [
    *(
        {"N": text}
        for text in ("0", "1", "12", "-1", "100", "123", "1.5", "0.12", "0.012", "0.0012", "10.01", "-12345.678")
    ),
    *({"N": text} for text in ("9" * 38, "-" + "9" * 38, "1." + "1" * 37, "1" + "0" * 100, "1" + "0" * 101)),
    {"N": "0." + "0" * 100 + "1"},
    {"S": ""},
    {"S": "aé€𝄞"},
    {"B": ""},
    {"B": "AA=="},
    {"B": "AAEC"},
    {"BOOL": False},
    {"NULL": True},
    {"SS": ["", "a", "bc"]},
    {"NS": ["-1.5", "0", "1"]},
    {"BS": ["AA==", "AAEC"]},
    {"L": []},
    {"L": [{"S": "a"}, {"L": [{"SS": ["x"]}]}]},
    {"M": {}},
    {"M": {"é": {"M": {"k": {"NULL": True}}}, "l": {"L": []}}},
]
NUMBERS = [
    "1E-130",
    "1.5E-130",
    "9." + "9" * 37 + "E+125",
    "1" + "0" * 125,
    "-0",
    "0E500",
    "1e5",
    "+5",
    "1.10",
    "007.50",
]


@pytest.fixture
def table(
    dynamodb_local: DynamoDBLocal, new_table_name: Callable[[], str]
) -> Iterator[Callable[[dict[str, Any]], Any]]:
    """Put an item with the key ``a``, and return what is stored then; raises what the engine refuses."""
    name = new_table_name()
    key = {"id": {"S": "a"}}
    schema = [{"AttributeName": "id", "KeyType": "HASH"}]
    definitions = [{"AttributeName": "id", "AttributeType": "S"}]
    request = {
        "TableName": name,
        "KeySchema": schema,
        "AttributeDefinitions": definitions,
        "BillingMode": "PAY_PER_REQUEST",
    }
    dynamodb_local.call("CreateTable", request)

    def put(item: dict[str, Any]) -> Any:
        dynamodb_local.call("PutItem", {"TableName": name, "Item": key | item})
        return dynamodb_local.call("GetItem", {"TableName": name, "Key": key, "ConsistentRead": True})["Item"]

    yield put
    dynamodb_local.call("DeleteTable", {"TableName": name})


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_the_size_of_an_item_is_exact_at_the_limit(table, value):
    """With a value of every type, 409,600 bytes by our count are accepted, and one byte more is refused."""
    item = {"id": {"S": "a"}, "value": value, "padding": {"S": ""}}
    room = 409_600 - item_size(item)
    assert item_size(item | {"padding": {"S": "x" * room}}) == 409_600
    assert table({"value": value, "padding": {"S": "x" * room}})["value"] == value
    with pytest.raises(EngineError, match="ValidationException"):
        table({"value": value, "padding": {"S": "x" * (room + 1)}})


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_what_the_service_answers_is_in_canonical_form(table, value):
    """A value that is read and written again is the value that the service stored."""
    stored = table({"value": value})["value"]
    assert encode_any(decode_any(stored)) == encode_any(decode_any(value))


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_are_written_as_the_service_writes_them(table, text):
    """The canonical text of a number is the one that the service answers with."""
    stored = table({"value": {"N": text}})["value"]
    assert encode_any(decode_any({"N": text})) == stored
    assert canonical_key({"n": stored}) == canonical_key({"n": {"N": text}})


@pytest.mark.parametrize("inner", [5, {"a"}, [], {}])
@pytest.mark.parametrize("make", [lambda inner: [inner], lambda inner: {"a": inner}])
def test_nesting_ends_where_the_service_ends_it(table, make, inner):
    """The deepest value that is encoded is accepted, and one level more is refused by both."""
    deepest = inner
    with suppress(Exception):
        while True:
            encode_any(make(deepest))
            deepest = make(deepest)
    assert table({"value": encode_any(deepest)})
    too_deep = {"L": [encode_any(deepest)]}
    with pytest.raises(EngineError, match="ValidationException"):
        table({"value": too_deep})
