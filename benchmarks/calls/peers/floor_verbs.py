"""Requests written by hand, with literals around the values: those of the floor, and of aiobotocore.

The floor encodes and decodes by type. A client with a codec of its own gives its functions for items, keys and vectors.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from harness import workload

Send = Callable[[str, dict[str, Any]], Awaitable[Any]]

TABLE = workload.TABLE
NAMES = {"#status": "status"}
EXISTS = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}

DECODERS: dict[str, Callable[[Any], Any]] = {
    "S": lambda value: value,
    "BOOL": lambda value: value,
    "NULL": lambda _: None,
    "N": Decimal,
    "B": base64.b64decode,
    "SS": set,
    "NS": lambda value: set(map(Decimal, value)),
    "BS": lambda value: set(map(base64.b64decode, value)),
    "L": lambda value: [decode(part) for part in value],
    "M": lambda value: decode_item(value),  # noqa: PLW0108  (defined below)
}


def decode(value: dict[str, Any]) -> Any:
    """Turn one AttributeValue into a Python value."""
    for kind, inner in value.items():
        return DECODERS[kind](inner)
    raise ValueError(value)


def decode_item(item: dict[str, Any]) -> dict[str, Any]:
    """Turn an item into Python values."""
    decoders = DECODERS
    decoded = {}
    for name, value in item.items():
        for kind, inner in value.items():
            decoded[name] = decoders[kind](inner)
    return decoded


def encode(value: Any) -> dict[str, Any]:
    """Turn one Python value of this workload into an AttributeValue."""
    kind = type(value)
    if kind is str:
        return {"S": value}
    if kind is bool:
        return {"BOOL": value}
    if kind is set:
        return {"SS": sorted(value)}
    if kind is dict:
        return {"M": encode_item(value)}
    if kind is list:
        return {"L": [encode(part) for part in value]}
    return {"N": str(value)}


def encode_item(item: dict[str, Any]) -> dict[str, Any]:
    """Turn Python values into an item."""
    return {name: encode(value) for name, value in item.items()}


def encode_key(number: int) -> dict[str, Any]:
    """Return an encoded key, without a loop."""
    return {"customer_id": {"S": workload.PARTITION}, "order_id": {"S": workload.order_id(number)}}


def encode_vector(vector: list[float]) -> dict[str, Any]:
    """Return an encoded list of floats."""
    return {"L": [{"N": repr(part)} for part in vector]}


def decode_vector(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item of a list of floats, decoded."""
    return {"embedding": [float(part["N"]) for part in item["embedding"]["L"]]}


@dataclass(frozen=True)
class Codec:
    """The functions between Python values and DynamoDB's JSON; the floor's by default."""

    encode_item: Callable[[dict[str, Any]], dict[str, Any]] = encode_item
    decode_item: Callable[[dict[str, Any]], dict[str, Any]] = decode_item
    encode_key: Callable[[int], dict[str, Any]] = encode_key
    encode_vector: Callable[[list[float]], dict[str, Any]] = encode_vector
    decode_vector: Callable[[dict[str, Any]], dict[str, Any]] = decode_vector


def verbs(send: Send, codec: Codec) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Return every verb by its name."""
    groups = (reads, pages, writes, conditional_writes, several)
    return {verb.__name__: verb for group in groups for verb in group(send, codec)}


def reads(send: Send, codec: Codec) -> list[Any]:
    """Return the reads of one item."""
    decode_item, key, decode_vector = codec.decode_item, codec.encode_key, codec.decode_vector

    async def get_item() -> Any:
        return decode_item((await send("GetItem", {"TableName": TABLE, "Key": key(0)}))["Item"])

    async def get_nest() -> Any:
        return decode_item((await send("GetItem", {"TableName": workload.NESTED, "Key": key(0)}))["Item"])

    async def get_wide() -> Any:
        return decode_item((await send("GetItem", {"TableName": workload.WIDE, "Key": key(0)}))["Item"])

    async def get_vec() -> Any:
        item = (await send("GetItem", {"TableName": workload.VECTORS, "Key": key(0)}))["Item"]
        return decode_vector(item)

    return [get_item, get_nest, get_wide, get_vec]


def pages(send: Send, codec: Codec) -> list[Any]:
    """Return the queries and the scan."""
    decode_item = codec.decode_item

    def request(partition: str, **further: Any) -> dict[str, Any]:
        return {
            "TableName": TABLE,
            "KeyConditionExpression": "#customer_id = :customer_id",
            "ExpressionAttributeNames": {"#customer_id": "customer_id"},
            "ExpressionAttributeValues": {":customer_id": {"S": partition}},
            **further,
        }

    def filtered(partition: str, status: str, **further: Any) -> dict[str, Any]:
        return {
            "TableName": TABLE,
            "KeyConditionExpression": "#customer_id = :customer_id",
            "FilterExpression": "#status = :status",
            "ExpressionAttributeNames": {"#customer_id": "customer_id", "#status": "status"},
            "ExpressionAttributeValues": {":customer_id": {"S": partition}, ":status": {"S": status}},
            **further,
        }

    async def query() -> Any:
        return [decode_item(item) for item in (await send("Query", request(workload.PARTITION)))["Items"]]

    async def query_first() -> Any:
        answer = await send("Query", filtered(workload.FIRST_PARTITION, "open", Limit=16))
        return decode_item(answer["Items"][0])

    async def query_10() -> Any:
        answer = await send("Query", filtered(workload.PARTITION, "open", Limit=workload.PAGE_OF_TEN))
        return [decode_item(item) for item in answer["Items"]]

    async def count() -> Any:
        return (await send("Query", filtered(workload.PARTITION, "open", Select="COUNT")))["Count"]

    async def query_proj() -> Any:
        projection = {
            "TableName": TABLE,
            "KeyConditionExpression": "#customer_id = :customer_id",
            "ProjectionExpression": "#order_id, #status, #total",
            "ExpressionAttributeNames": {
                "#customer_id": "customer_id",
                "#order_id": "order_id",
                "#status": "status",
                "#total": "total",
            },
            "ExpressionAttributeValues": {":customer_id": {"S": workload.PARTITION}},
        }
        return [decode_item(item) for item in (await send("Query", projection))["Items"]]

    async def scan() -> Any:
        return [decode_item(item) for item in (await send("Scan", {"TableName": TABLE}))["Items"]]

    return [query, query_first, query_10, count, query_proj, scan]


def writes(send: Send, codec: Codec) -> list[Any]:
    """Return the writes of whole items."""
    encode_item, key, encode_vector = codec.encode_item, codec.encode_key, codec.encode_vector
    item = workload.text_native(0)
    nested = workload.key(0) | workload.nested_values()
    wide = workload.key(0) | workload.wide_values()
    vector = workload.vector()
    absent = {"ConditionExpression": "attribute_not_exists(#customer_id)", **EXISTS}

    async def put_item() -> Any:
        await send("PutItem", {"TableName": TABLE, "Item": encode_item(item)})

    async def insert() -> Any:
        names = {"#customer_id": "customer_id"}
        await send(
            "PutItem",
            {"TableName": TABLE, "Item": encode_item(item), "ExpressionAttributeNames": names, **absent},
        )

    async def put_nest() -> Any:
        await send("PutItem", {"TableName": workload.NESTED, "Item": encode_item(nested)})

    async def put_wide() -> Any:
        await send("PutItem", {"TableName": workload.WIDE, "Item": encode_item(wide)})

    async def put_vec() -> Any:
        item = {**key(0), "embedding": encode_vector(vector)}
        await send("PutItem", {"TableName": workload.VECTORS, "Item": item})

    return [put_item, insert, put_nest, put_wide, put_vec]


def conditional_writes(send: Send, codec: Codec) -> list[Any]:
    """Return the updates and the deletion."""
    decode_item, key = codec.decode_item, codec.encode_key

    async def update_item() -> Any:
        request = {
            "TableName": TABLE,
            "Key": key(0),
            "UpdateExpression": "SET #status = :status ADD #quantity :quantity",
            "ConditionExpression": "attribute_exists(#customer_id) AND #paid = :paid",
            "ExpressionAttributeNames": {
                "#status": "status",
                "#quantity": "quantity",
                "#customer_id": "customer_id",
                "#paid": "paid",
            },
            "ExpressionAttributeValues": {
                ":status": {"S": "sent"},
                ":quantity": {"N": str(1)},
                ":paid": {"BOOL": True},
            },
            "ReturnValues": "ALL_NEW",
            **EXISTS,
        }
        return decode_item((await send("UpdateItem", request))["Attributes"])

    async def upsert() -> Any:
        request = {
            "TableName": workload.COUNTERS,
            "Key": key(0),
            "UpdateExpression": "SET #status = :status ADD #quantity :quantity",
            "ExpressionAttributeNames": {"#status": "status", "#quantity": "quantity"},
            "ExpressionAttributeValues": {":status": {"S": "sent"}, ":quantity": {"N": str(1)}},
            "ReturnValues": "ALL_NEW",
        }
        return decode_item((await send("UpdateItem", request))["Attributes"])

    async def patch() -> Any:
        request = {
            "TableName": TABLE,
            "Key": key(0),
            "UpdateExpression": "SET #status = :status, #quantity = :quantity",
            "ConditionExpression": "attribute_exists(#customer_id)",
            "ExpressionAttributeNames": {
                "#status": "status",
                "#quantity": "quantity",
                "#customer_id": "customer_id",
            },
            "ExpressionAttributeValues": {":status": {"S": "sent"}, ":quantity": {"N": str(4)}},
            "ReturnValues": "ALL_NEW",
            **EXISTS,
        }
        return decode_item((await send("UpdateItem", request))["Attributes"])

    async def update_ver() -> Any:
        request = {
            "TableName": workload.VERSIONED,
            "Key": key(0),
            "UpdateExpression": "SET #status = :status, #version = :next",
            "ConditionExpression": "attribute_exists(#customer_id) AND #version = :version",
            "ExpressionAttributeNames": {
                "#status": "status",
                "#version": "version",
                "#customer_id": "customer_id",
            },
            "ExpressionAttributeValues": {
                ":status": {"S": "sent"},
                ":version": {"N": str(workload.VERSION)},
                ":next": {"N": str(workload.VERSION + 1)},
            },
            "ReturnValues": "ALL_NEW",
            **EXISTS,
        }
        return decode_item((await send("UpdateItem", request))["Attributes"])

    async def delete_cond() -> Any:
        request = {
            "TableName": TABLE,
            "Key": key(0),
            "ConditionExpression": "#status = :status",
            "ExpressionAttributeNames": NAMES,
            "ExpressionAttributeValues": {":status": {"S": "open"}},
            "ReturnValues": "ALL_OLD",
            **EXISTS,
        }
        return decode_item((await send("DeleteItem", request))["Attributes"])

    return [update_item, upsert, patch, update_ver, delete_cond]


def several(send: Send, codec: Codec) -> list[Any]:
    """Return the batches and the transactions."""
    encode_item, decode_item, key = codec.encode_item, codec.decode_item, codec.encode_key
    batch = [workload.text_native(number) for number in range(workload.BATCH_WRITE_ITEMS)]

    async def batch_get() -> Any:
        keys = [key(number) for number in range(workload.BATCH_GET_ITEMS)]
        answer = await send("BatchGetItem", {"RequestItems": {TABLE: {"Keys": keys}}})
        return [decode_item(item) for item in answer["Responses"][TABLE]]

    async def get_many10() -> Any:
        keys = [key(number) for number in range(workload.MANY_KEYS)]
        answer = await send("BatchGetItem", {"RequestItems": {TABLE: {"Keys": keys}}})
        return [decode_item(item) for item in answer["Responses"][TABLE]]

    async def batch_write() -> Any:
        puts = [{"PutRequest": {"Item": encode_item(order)}} for order in batch]
        await send("BatchWriteItem", {"RequestItems": {TABLE: puts}})

    async def transact_get4() -> Any:
        gets = [{"Get": {"TableName": TABLE, "Key": key(number)}} for number in range(workload.TRANSACTION_ITEMS)]
        answer = await send("TransactGetItems", {"TransactItems": gets})
        return [decode_item(response["Item"]) for response in answer["Responses"]]

    async def transact_write4() -> Any:
        put = {
            "TableName": TABLE,
            "Item": encode_item(batch[0]),
            "ConditionExpression": "attribute_not_exists(#customer_id)",
            "ExpressionAttributeNames": {"#customer_id": "customer_id"},
            **EXISTS,
        }
        update = {
            "TableName": TABLE,
            "Key": key(1),
            "UpdateExpression": "SET #status = :status ADD #quantity :quantity",
            "ConditionExpression": "attribute_exists(#customer_id)",
            "ExpressionAttributeNames": {
                "#status": "status",
                "#quantity": "quantity",
                "#customer_id": "customer_id",
            },
            "ExpressionAttributeValues": {":status": {"S": "sent"}, ":quantity": {"N": str(1)}},
            **EXISTS,
        }
        delete = {"TableName": TABLE, "Key": key(2)}
        check = {
            "TableName": TABLE,
            "Key": key(3),
            "ConditionExpression": "#status = :status",
            "ExpressionAttributeNames": NAMES,
            "ExpressionAttributeValues": {":status": {"S": "open"}},
            **EXISTS,
        }
        items = [{"Put": put}, {"Update": update}, {"Delete": delete}, {"ConditionCheck": check}]
        await send("TransactWriteItems", {"TransactItems": items, "ClientRequestToken": os.urandom(16).hex()})

    return [batch_get, get_many10, batch_write, transact_get4, transact_write4]
