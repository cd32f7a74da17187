"""Count the calls of Python functions, and the moves between files, that one operation takes; printed as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import mizzle_async
from mizzle_async import Attribute, Client, PartitionKey, SortKey, attribute, entity
from mizzle_async.testing import EmbeddedEngine

ROUNDS = 20
"""An answer comes in one piece or in two, which takes some calls more: the fewest of so many runs count."""

PACKAGE = str(Path(mizzle_async.__file__).parent)


@entity("orders")
class Order:
    """An order of a customer."""

    customer: PartitionKey[str]
    number: SortKey[str]
    total: Attribute[int] = attribute(default=0)
    status: Attribute[str] = attribute(default="open")


class Count:
    """Counts calls of the package's functions, those of generated code and generators' turns included."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Take one event of `sys.setprofile`."""
        file = frame.f_code.co_filename
        if event != "call" or not file.startswith(PACKAGE):
            return
        self.found["calls"] += 1
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(PACKAGE):
            caller = caller.f_back
        if caller is None or caller.f_code.co_filename != file:
            self.found["moves"] += 1


async def counted(work: Any) -> dict[str, int]:
    """Return the fewest counts of one operation, after those that made everything that is made once."""
    for _ in range(3):
        await work()
    found = []
    for _ in range(ROUNDS):
        count = Count()
        sys.setprofile(count)
        try:
            await work()
        finally:
            sys.setprofile(None)
        found.append(dict(count.found))
    return min(found, key=lambda each: each["calls"])


async def main() -> dict[str, dict[str, int]]:
    """Count each verb on an engine in memory."""
    async with (
        EmbeddedEngine() as engine,
        Client(
            endpoint_url=engine.endpoint_url, region_name=engine.region_name, credentials=engine.credentials
        ) as client,
    ):
        await client.ensure_tables(Order)
        orders = client.table(Order)
        rows = [Order(customer="c", number=f"{number:04}") for number in range(100)]
        await orders.put_many(rows)

        async def get() -> None:
            await orders.get(customer="c", number="0001")

        async def update() -> None:
            await orders.update(customer="c", number="0001").set(Order.status, "paid").when(Order.total == 0)

        async def query() -> None:
            await orders.query(Order.customer == "c").all()

        async def put_many() -> None:
            await orders.put_many(rows)

        verbs = {"get": get, "update": update, "query of 100": query, "put_many of 100": put_many}
        return {name: await counted(work) for name, work in verbs.items()}


print(json.dumps(asyncio.run(main())))
