"""A DynamoDB that remembers what it applied, and does to three requests in a hundred what networks do.

It knows the few operations of the soak, keeps the truth about every write, and tells it when its input closes. A fault
is drawn for each request by a seeded generator: some lose the request, some the answer to one that was applied.

Run: ``python service.py '{"tls": false, "share": 0.03, "seed": 1}'``. It prints its URL as one line of JSON, and the
truth as a second one when its standard input closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from base64 import b64encode
from collections import Counter
from typing import Any
from zlib import compress

import uvloop

from mizzle_async.testing.proxy import Fault
from mizzle_async.testing.replies import Ending, Reply
from mizzle_async.testing.server import Request, ScriptedServer
from mizzle_async.testing.tls import LocalAuthority

FAULTS = (
    Fault.drop_before(),
    Fault.drop_before(Ending.RESET),
    Fault.drop_after(),
    Fault.reset(),
    Fault.hang_before(),
    Fault.hang_after(),
    Fault.corrupt(),
    Fault.cut(200),
    Fault.throttle(),
    Fault.html(200),
    Fault.instead(Reply.error("InternalServerError", status=500), forwards=True, name="error after"),
)
"""Eleven kinds: five lose or refuse a request before it is applied, six lose what was answered after."""

FORGET_AFTER = 1_000
"""Requests after which the server's own log is emptied."""


class Table:
    """The items of one table, as far as the soak writes them.

    Attributes:
        increments: How often the counter was incremented by updates.
        exactly_once: How often it was incremented by transactions, a token's repetitions not counted.
        inserted: For each numbered insert, how often it was applied.
        stored: For each numbered put, how often it was applied.
    """

    def __init__(self) -> None:
        self.increments = 0
        self.exactly_once = 0
        self.inserted = bytearray()
        self.stored = bytearray()
        self._tokens: set[str] = set()

    def apply(self, operation: str, request: dict[str, Any]) -> Reply:
        """Do what a request asks for, and answer as the service does."""
        answer: Reply = getattr(self, f"_{operation.lower()}")(request)
        return answer

    def _getitem(self, request: dict[str, Any]) -> Reply:
        return Reply({"Item": item(request["Key"])})

    def _query(self, request: dict[str, Any]) -> Reply:
        partition = next(iter(request["ExpressionAttributeValues"].values()))
        items = [item({"pk": partition, "sk": {"S": str(number)}}) for number in range(3)]
        return Reply({"Items": items, "Count": 3, "ScannedCount": 3})

    def _batchgetitem(self, request: dict[str, Any]) -> Reply:
        asked = request["RequestItems"].items()
        return Reply({"Responses": {name: [item(key) for key in keys["Keys"]] for name, keys in asked}})

    def _putitem(self, request: dict[str, Any]) -> Reply:
        stored = request["Item"]
        kind, number = stored["pk"]["S"][0], int(stored["pk"]["S"][1:])
        if kind == "i":
            if count_of(self.inserted, number):
                return Reply.error("ConditionalCheckFailedException", "The conditional request failed", Item=stored)
            count_one(self.inserted, number)
        else:
            count_one(self.stored, number)
        return Reply({})

    def _batchwriteitem(self, request: dict[str, Any]) -> Reply:
        for writes in request["RequestItems"].values():
            for write in writes:
                count_one(self.stored, int(write["PutRequest"]["Item"]["pk"]["S"][1:]))
        return Reply({"UnprocessedItems": {}})

    def _updateitem(self, request: dict[str, Any]) -> Reply:
        self.increments += 1
        return Reply({"Attributes": {**request["Key"], "value": {"N": str(self.increments)}}})

    def _transactwriteitems(self, request: dict[str, Any]) -> Reply:
        token = request["ClientRequestToken"]
        if token not in self._tokens:
            self._tokens.add(token)
            self.exactly_once += 1
        return Reply({})


def item(key: dict[str, Any]) -> dict[str, Any]:
    """Return the item of a key, which says whose it is."""
    return {**key, "value": {"N": str(len(key["pk"]["S"]))}}


def count_of(counts: bytearray, number: int) -> int:
    """Return how often a number was counted."""
    return counts[number] if number < len(counts) else 0


def count_one(counts: bytearray, number: int) -> None:
    """Count a number once more, up to 255."""
    if number >= len(counts):
        counts.extend(bytes(number + 1 - len(counts)))
    counts[number] = min(counts[number] + 1, 255)


class Service:
    """The server, its table and its faults.

    Args:
        share: The share of requests that go wrong.
        seed: Which ones, and how.
    """

    def __init__(self, share: float, seed: int) -> None:
        self.table = Table()
        self.requests = 0
        self.faulted: Counter[str] = Counter()
        self.server: ScriptedServer | None = None
        self._share = share
        self._random = random.Random(seed)

    def __call__(self, request: Request) -> Reply:
        """Answer a request, or do to it what its fault says."""
        self.requests += 1
        if self.server is not None and not self.requests % FORGET_AFTER:
            self.server.forget()
        fault = self._random.choice(FAULTS) if self._random.random() < self._share else None
        if fault is None:
            return self.table.apply(request.operation, request.payload)
        self.faulted[f"{fault.name}, {'reset' if fault.change(Reply()).ending is Ending.RESET else 'closed'}"] += 1
        return fault.change(self.table.apply(request.operation, request.payload) if fault.forwards else Reply())

    def truth(self) -> dict[str, Any]:
        """Return what was applied."""
        return {
            "requests": self.requests,
            "faults": dict(sorted(self.faulted.items())),
            "opened": self.server.opened if self.server is not None else 0,
            "increments": self.table.increments,
            "exactly_once": self.table.exactly_once,
            "inserted": b64encode(compress(bytes(self.table.inserted))).decode(),
            "stored": b64encode(compress(bytes(self.table.stored))).decode(),
        }


async def main() -> None:
    """Serve until the standard input closes."""
    order = json.loads(sys.argv[1])
    service = Service(order["share"], order["seed"])
    with contextlib.ExitStack() as stack:
        authority = stack.enter_context(LocalAuthority()) if order["tls"] else None
        context = authority.server_context() if authority is not None else None
        async with ScriptedServer(service, tls=context) as server:
            service.server = server
            print(json.dumps({"url": server.url, "ca_bundle": authority and authority.ca_bundle}), flush=True)
            await asyncio.to_thread(sys.stdin.read)
            print(json.dumps(service.truth()), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
