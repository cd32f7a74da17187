"""A DynamoDB that costs the measured client nothing: answers from memory, over loopback, in a process of its own.

It knows the items of `workload`. A table named ``orders`` holds a hundred of them in one page; ``orders-10000-250``
holds ten thousand in pages of 250. Writes are accepted and forgotten. Every answer carries the
headers of the service, a right ``x-amz-crc32`` among them. Answers are remembered by request, so that a repeated
request costs a dictionary look-up: the client must never wait for this process.

Run: ``python server.py [--certificate FILE --key FILE]``; prints one line of JSON with its port, and stops when its
standard input closes.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import ssl
import sys
import zlib
from pathlib import Path
from typing import Any

import httptools
import orjson
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folder is no installed package

from harness import workload

REMEMBERED = 20_000
PREFIX = b"DynamoDB_20120810."


def table_shape(name: str) -> tuple[int, int]:
    """Read a table's number of items and of items in a page from its name."""
    parts = name.split("-")[1:]
    if not parts:
        return workload.PAGE_ITEMS, workload.PAGE_ITEMS
    return int(parts[0]), int(parts[1]) if len(parts) > 1 else int(parts[0])


def item_number(key: dict[str, Any]) -> int:
    """Read an item's number from its key."""
    return int(key["order_id"]["S"].rpartition("-")[2])


def capacity(request: dict[str, Any], table: str, units: float) -> dict[str, Any]:
    """Answer ``ConsumedCapacity`` where it was asked for, as the service does."""
    if request.get("ReturnConsumedCapacity", "NONE") == "NONE":
        return {}
    return {"ConsumedCapacity": {"TableName": table, "CapacityUnits": units}}


def page(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a Query or a Scan."""
    name = request["TableName"]
    items, page_items = table_shape(name)
    first, last = 0, items
    if "TotalSegments" in request:
        share = -(-items // request["TotalSegments"])
        first = share * request["Segment"]
        last = min(items, first + share)
    if start := request.get("ExclusiveStartKey"):
        first = item_number(start) + 1
    stop = min(last, first + min(page_items, request.get("Limit", page_items)))
    found = [projected(request, workload.wire(number)) for number in range(first, stop)]
    partition = {"S": workload.FIRST_PARTITION}
    if partition in request.get("ExpressionAttributeValues", {}).values():  # it has one item
        stop, last, found = 1, 1, [workload.wire(0) | {"customer_id": partition}]
    answer: dict[str, Any] = {"Items": found, "Count": len(found), "ScannedCount": len(found)}
    if request.get("Select") == "COUNT":
        del answer["Items"]
    if stop < last:
        answer["LastEvaluatedKey"] = workload.wire_key(stop - 1)
    return answer | capacity(request, name, len(found) / 20)


def projected(request: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of an item that a request asks for."""
    if "ProjectionExpression" not in request:
        return item
    names = request.get("ExpressionAttributeNames", {})
    return {name: item[name] for part in request["ProjectionExpression"].split(",") if (name := names[part.strip()])}


def batch_get(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a BatchGetItem with every item asked for."""
    found = {
        name: [workload.wire(item_number(key)) for key in asked["Keys"]]
        for name, asked in request["RequestItems"].items()
    }
    answer: dict[str, Any] = {"Responses": found, "UnprocessedKeys": {}}
    if request.get("ReturnConsumedCapacity", "NONE") != "NONE":
        answer["ConsumedCapacity"] = [
            {"TableName": name, "CapacityUnits": len(items) / 2} for name, items in found.items()
        ]
    return answer


def batch_write(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a BatchWriteItem: all of it was written."""
    answer: dict[str, Any] = {"UnprocessedItems": {}}
    if request.get("ReturnConsumedCapacity", "NONE") != "NONE":
        answer["ConsumedCapacity"] = [
            {"TableName": name, "CapacityUnits": float(len(writes))} for name, writes in request["RequestItems"].items()
        ]
    return answer


def describe(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a DescribeTable, for clients that ask for the key's names."""
    names = ("customer_id", "order_id")
    return {
        "Table": {
            "TableName": request["TableName"],
            "TableStatus": "ACTIVE",
            "KeySchema": [
                {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=True)
            ],
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
            "TableArn": f"arn:aws:dynamodb:{workload.REGION}:000000000000:table/{request['TableName']}",
            "ItemCount": 100,
            "TableSizeBytes": 40_000,
        }
    }


def get_item(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a GetItem: every item is there."""
    table = request["TableName"]
    return {"Item": workload.stored(table, item_number(request["Key"]))} | capacity(request, table, 0.5)


def change_item(request: dict[str, Any]) -> dict[str, Any]:
    """Answer an UpdateItem or a DeleteItem with the item, if it was asked for."""
    table = request["TableName"]
    answer = capacity(request, table, 1.0)
    if request.get("ReturnValues", "NONE") == "NONE":
        return answer
    return answer | {"Attributes": workload.stored(table, item_number(request["Key"]))}


def transact_get(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a TransactGetItems with every item."""
    gets = [one["Get"] for one in request["TransactItems"]]
    found = [{"Item": workload.stored(get["TableName"], item_number(get["Key"]))} for get in gets]
    return {"Responses": found} | transact_write(request)


def transact_write(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a TransactWriteItems: all of it was written."""
    consumed = capacity(request, workload.TABLE, 2.0 * len(request["TransactItems"]))
    return {name: [value] for name, value in consumed.items()}


def write_item(request: dict[str, Any]) -> dict[str, Any]:
    """Answer whatever else writes."""
    return capacity(request, request.get("TableName", workload.TABLE), 1.0)


ANSWERS = {
    "BatchGetItem": batch_get,
    "BatchWriteItem": batch_write,
    "DeleteItem": change_item,
    "DescribeTable": describe,
    "GetItem": get_item,
    "Query": page,
    "Scan": page,
    "TransactGetItems": transact_get,
    "TransactWriteItems": transact_write,
    "UpdateItem": change_item,
}


def frame(body: bytes) -> bytes:
    """Put an answer's body behind the headers that the service sends."""
    return (
        b"HTTP/1.1 200 OK\r\nServer: Server\r\nDate: Tue, 13 Oct 2026 08:48:47 GMT\r\n"
        b"Content-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\nConnection: keep-alive\r\n"
        b"x-amzn-RequestId: 8S3VQ8JZ0RDMKQ6SVQ2A0TZ5NJVV4KQNSO5AEMVJF66Q9ASUAAJG\r\n"
        b"x-amz-crc32: %d\r\n\r\n%b" % (len(body), zlib.crc32(body), body)
    )


# Writes are rarely the same twice: they are not remembered, nor even read where nothing depends on what they say.
WRITES = {PREFIX + b"PutItem": frame(b"{}"), PREFIX + b"BatchWriteItem": frame(b'{"UnprocessedItems":{}}')}


BATCH_WRITE = PREFIX + b"BatchWriteItem"


@functools.cache
def batch_written(count: int) -> bytes:
    """Answer a batch of so many puts into the one table, with what they consumed: one unit each."""
    consumed = [{"TableName": workload.TABLE, "CapacityUnits": float(count)}]
    return frame(orjson.dumps({"UnprocessedItems": {}, "ConsumedCapacity": consumed}))


class Service(asyncio.Protocol):
    """One connection: requests in, answers out, in order."""

    remembered: dict[tuple[bytes, bytes], bytes] = {}  # noqa: RUF012  (shared by all connections on purpose)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start reading."""
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.target = b""
        self.chunks: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note the one header that says what is asked."""
        if name.lower() == b"x-amz-target":
            self.target = value

    def on_body(self, body: bytes) -> None:
        """Collect the request's body."""
        self.chunks.append(body)

    def on_message_complete(self) -> None:
        """Answer."""
        body = self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)
        self.chunks = []
        if self.target in WRITES and b'"ReturnConsumedCapacity"' not in body:
            self.transport.write(WRITES[self.target])  # type: ignore[attr-defined]  # a Transport
            return
        if self.target == BATCH_WRITE:
            self.transport.write(batch_written(body.count(b'"PutRequest"')))  # type: ignore[attr-defined]  # a Transport
            return
        key = (self.target, body)
        known = self.remembered.get(key)
        if known is None:
            operation = self.target.removeprefix(PREFIX).decode()
            known = frame(orjson.dumps(ANSWERS.get(operation, write_item)(orjson.loads(body))))
            if len(self.remembered) >= REMEMBERED:
                self.remembered.clear()
            self.remembered[key] = known
        self.transport.write(known)  # type: ignore[attr-defined]  # a Transport


async def serve(certificate: str | None, private_key: str | None) -> None:
    """Serve until standard input closes."""
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, private_key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Service, "127.0.0.1", 0, ssl=context, backlog=2048)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--certificate")
    options.add_argument("--key")
    given = options.parse_args()
    uvloop.run(serve(given.certificate, given.key))
