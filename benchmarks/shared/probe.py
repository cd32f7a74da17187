"""The counted process: it makes the calls of each verb with each way to store an order. Run by `run.py`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]  # the folder is no installed package

from harness import counting
from shop import CUSTOMER, PAGE, OrdersInMemory, PlainOrder, SharedOrder, padded_item, plain_item, shared_item

from mizzle_async import Client
from mizzle_async.writing.table_part import target_of

WAYS: dict[str, tuple[type[Any], Callable[[int], dict[str, Any]]]] = {
    "plain": (PlainOrder, plain_item),
    "plain, as many bytes": (PlainOrder, padded_item),
    "shared": (SharedOrder, shared_item),
}
VERBS = {"query": 10, "get": 300, "put": 300}
"""Calls of the short run; the long one makes three times as many."""

LONGER = 3


def calls_of(client: Client, order: Any, example: Any) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Return the calls by their verbs, each as a service writes it."""
    orders = client.table(order)
    key = {"customer_id": CUSTOMER, "order_id": example.order_id}
    if order is SharedOrder:
        key["placed_at"] = example.placed_at

    async def query() -> list[Any]:
        return await orders.query(order.customer_id == CUSTOMER).all()

    async def get() -> Any:
        return await orders.get(**key)

    async def put() -> Any:
        return await orders.put(example)

    return {"query": query, "get": get, "put": put}


async def work(way: str, verb: str, times: int) -> None:
    """Make the calls, and check their answers."""
    order, item = WAYS[way]
    async with Client(caller=OrdersInMemory(item)) as client:
        rows = await client.table(order).query(order.customer_id == CUSTOMER).all()
        call = calls_of(client, order, rows[0])[verb]
        for _ in range(times):
            answer = await call()
            if (verb == "query" and len(answer) != PAGE) or (verb == "get" and answer != rows[0]):
                raise SystemExit(f"{way}: {verb} has a wrong answer")
        lamp = target_of(client.table(order)).codec.lamp
    if lamp:
        raise SystemExit(f"{way}: {verb} took the careful way: {lamp}")


def main() -> None:
    """Warm up every way, then make the calls in children."""
    for way in WAYS:
        for verb in VERBS:
            asyncio.run(work(way, verb, 2))
    counting.settle()

    def child(way: str, verb: str, longer: int) -> int:
        return counting.in_child(f"{verb}, {way}", lambda: asyncio.run(work(way, verb, VERBS[verb] * longer)))

    pairs = [(verb, way) for way in WAYS for verb in VERBS]
    counting.report({f"{verb}|{way}": (child(way, verb, 1), child(way, verb, LONGER)) for verb, way in pairs})


if __name__ == "__main__":
    main()
