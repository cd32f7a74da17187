"""Consumes changes until it is told to stop, or killed: run by test_changes_workers.py, several at once.

Each change that was handled is a line of its own in the log, written at once: number, key, event, and the time. The
times at which shards were lost to a silent store are lines of the file beside it, whose name ends in ``.lost``.
"""

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

from mizzle_async import (
    Attribute,
    Change,
    ChangeStream,
    Client,
    Inserted,
    Modified,
    PartitionKey,
    RetryPolicy,
    StateTable,
    UpdateItem,
    attribute,
    entity,
)

STATE = StateTable("app-state")


@entity("orders", stream="new_and_old_images")
class Order:
    """An item whose changes are counted."""

    order_id: PartitionKey[str]
    number: Attribute[int] = attribute(default=0)


@entity("counts")
class Count:
    """A projection: how many changes an order had, and the sum of their numbers."""

    order_id: PartitionKey[str]
    changes: Attribute[int] = attribute(default=0)
    total: Attribute[int] = attribute(default=0)


async def main(settings: dict[str, Any]) -> None:
    """Consume."""
    log = os.open(settings["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    client = Client(
        endpoint_url=settings["url"],
        region_name="eu-west-1",
        credentials=("local", "local"),
        timeout=30.0,
        table_prefix=settings["prefix"],
        retry=RetryPolicy(attempts=20, base_delay=0.005, quota=1_000_000),
    )
    async with client:
        state, counts = client.state(STATE), client.table(Count)

        def added(order: Order) -> UpdateItem[Count]:
            return counts.upsert(order.order_id).add(Count.changes, 1).add(Count.total, order.number)

        async def handle(change: Change[Order]) -> None:
            if not isinstance(change, Inserted | Modified):
                return
            order = change.new
            match settings["mode"]:
                case "apply":
                    await change.apply(added(order))
                case "once":
                    await state.once(f"{settings['consumer']}/{change.event_id}", added(order), timeout=30.0)
                case _:
                    await asyncio.sleep(0.0005)
            os.write(log, f"{order.number} {order.order_id} {change.event_id} {time.time():.3f}\n".encode())

        stream = client.table(Order).changes(
            consumer=settings["consumer"],
            start="oldest",
            checkpoints=state.checkpoints(lease_seconds=settings["lease_seconds"]),
            checkpoint_seconds=settings["checkpoint_seconds"],
            idle=0.2,
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stream.stop)
        os.write(1, b"ready\n")
        watch = asyncio.create_task(note_losses(stream, os.open(f"{settings['log']}.lost", os.O_WRONLY | os.O_CREAT)))
        await stream.for_each(handle, concurrency=64)
        watch.cancel()


async def note_losses(stream: ChangeStream[Any], log: int) -> None:
    """Write the time whenever the consumer has lost shards."""
    lost = 0
    while True:
        if stream.report.lost > lost:
            lost = stream.report.lost
            os.write(log, f"{time.time():.3f}\n".encode())
        await asyncio.sleep(0.2)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
