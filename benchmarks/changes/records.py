"""The records that are measured, and a stream that answers with them from memory: no socket, no signature."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from mizzle_async import Attribute, PartitionKey, SortKey, attribute, entity
from mizzle_async.types import WireRequest, WireResponse

PAGE = 1_000
ARN = "arn:aws:dynamodb:eu-west-1:000000000000:table/orders/stream/2026-11-28T00:00:00.000"
SHARD = "shardId-00000001800000000000-00000001"


@entity("orders")
class Order:
    """An item of ten attributes, half a KB of the service's JSON."""

    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    status: Attribute[str]
    total: Attribute[Decimal]
    lines: Attribute[int]
    paid: Attribute[bool]
    note: Attribute[str]
    tags: Attribute[set[str]]
    city: Attribute[str]
    weight: Attribute[float] = attribute(default=0.0)


def image(number: int, version: int) -> dict[str, Any]:
    """Return an image of an item."""
    return {
        "customer_id": {"S": f"customer-{number % 997:06d}"},
        "order_id": {"S": f"2026-{number:08d}"},
        "status": {"S": "paid" if version else "open"},
        "total": {"N": f"{number % 1000}.{number % 100:02d}"},
        "lines": {"N": str(number % 20)},
        "paid": {"BOOL": bool(version)},
        "note": {"S": "leave it at the door, please " * 4},
        "tags": {"SS": ["gift", "express"]},
        "city": {"S": "Heidelberg"},
        "weight": {"N": "12.5"},
    }


def page(first: int, following: str | None, count: int = PAGE) -> bytes:
    """Return the JSON of a page of MODIFY records with both images."""
    records = [
        {
            "eventID": f"{number:032x}",
            "eventName": "MODIFY",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "eu-west-1",
            "dynamodb": {
                "ApproximateCreationDateTime": 1_800_000_000 + number // 1000,
                "Keys": {name: image(number, 0)[name] for name in ("customer_id", "order_id")},
                "OldImage": image(number, 0),
                "NewImage": image(number, 1),
                "SequenceNumber": f"{100_000_000_000_000_000_000 + number}",
                "SizeBytes": 700,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
        }
        for number in range(first, first + count)
    ]
    answer: dict[str, Any] = {"Records": records}
    if following is not None:
        answer["NextShardIterator"] = following
    return json.dumps(answer, separators=(",", ":")).encode()


def parser_of(request: WireRequest) -> Callable[[bytes], Any]:
    """Return the function that reads the answer to a request, and checks it."""
    return request.parse or json.loads


class StreamInMemory:
    """Answers the requests of a consumer: one shard of so many pages, after which the stream is at its end.

    Args:
        bodies: The pages, each used again and again under its own numbers.
        pages: How many there are.
    """

    def __init__(self, pages: int, size: int = PAGE) -> None:
        self._pages = pages
        self._size = size
        self._template = page(0, "it", size).decode()
        self._kept: list[bytes] = []

    def keep(self) -> list[bytes]:
        """Make all pages before they are asked for, and return them."""
        self._kept = [self.body(number) for number in range(self._pages)]
        return self._kept

    def body(self, number: int) -> bytes:
        """Return a page. Sequence numbers grow from one to the next, by text: making JSON anew would be measured."""
        if self._kept:
            return self._kept[number]
        text = self._template.replace('"SequenceNumber":"1000000000', f'"SequenceNumber":"1{number:09d}')
        following = f'"it-{number + 1}"' if number + 1 < self._pages else "null"
        return text.replace('"NextShardIterator":"it"', f'"NextShardIterator":{following}').encode()

    async def call(self, request: WireRequest, /) -> WireResponse:
        """Answer a request, parsed and checked as on the wire."""
        match request.operation:
            case "DescribeTable":
                stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
                body: Any = {"Table": {"TableName": "orders", "LatestStreamArn": ARN, "StreamSpecification": stream}}
            case "DescribeStream":
                shards = [{"ShardId": SHARD, "SequenceNumberRange": {"StartingSequenceNumber": "1"}}]
                described = {"StreamArn": ARN, "StreamStatus": "DISABLED", "StreamViewType": "NEW_AND_OLD_IMAGES"}
                body = {"StreamDescription": {**described, "Shards": shards}}
            case "GetShardIterator":
                body = {"ShardIterator": "it-0"}
            case _:
                body = self.body(int(json.loads(request.body)["ShardIterator"].partition("-")[2]))
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return WireResponse(parser_of(request)(raw))

    async def aclose(self) -> None:
        """Do nothing."""
