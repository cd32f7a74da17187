# pyright: reportUnnecessaryTypeIgnoreComment=true
"""Consumers of changes: their types by handle and by view, exhaustive matches, and the uses that both refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import assert_never, assert_type

from shop import Customer, Order, client, orders

from mizzle_async import (
    Change,
    ChangeFailure,
    ChangeReport,
    Changes,
    ChangeStream,
    FileCheckpoints,
    Inserted,
    MarshallingError,
    MemoryCheckpoints,
    Modified,
    PartialChange,
    Removed,
)

both = client.collection(Customer, Order)


async def one_by_one() -> None:
    stream = orders.changes(start="oldest")
    assert_type(stream, ChangeStream[Change[Order]])
    async with stream as changes:
        assert_type(changes, Changes[Change[Order]])
        async for change in changes:
            match change:
                case Inserted(new=order):
                    assert_type(order, Order)
                case Modified(old, new) if change.changed(Order.status):
                    assert_type((old, new), tuple[Order, Order])
                case Modified():
                    pass
                case Removed(old, expired=True):
                    assert_type(old, Order)
                case Removed():
                    pass
                case _:
                    assert_never(change)
    assert_type(stream.report, ChangeReport)
    stream.stop()


async def smaller_views() -> None:
    assert_type(orders.changes(start="latest", view="keys_only"), ChangeStream[PartialChange[Order]])
    async with orders.changes(start="latest", view="new_image") as changes:
        async for change in changes:
            assert_type(change.new, Order | None)
            assert_type(change.old, Order | None)


async def several_entities() -> None:
    async with both.changes(start="oldest") as changes:
        async for change in changes:
            match change:
                case Inserted(new=Order() as order):
                    assert_type(order, Order)
                case Inserted(new=Customer() as customer):
                    assert_type(customer, Customer)
                case Inserted() | Modified() | Removed():
                    pass
                case _:
                    assert_never(change)


async def handle(change: Change[Order]) -> None:
    if isinstance(change, Inserted):
        assert_type(change.new, Order)


async def handle_partial(change: PartialChange[Order]) -> None: ...


async def handle_list(changes: list[Change[Order]]) -> None: ...


def skip(error: MarshallingError) -> None: ...


async def take(failure: ChangeFailure) -> None:
    assert_type(failure.attempts, int)


async def right() -> None:
    stores = (FileCheckpoints("orders.json"), MemoryCheckpoints())
    stream = orders.changes(consumer="search", start=timedelta(hours=1), checkpoints=stores[0], on_gap="continue")
    assert_type(await stream.for_each(handle, concurrency=64, until="caught_up"), ChangeReport)
    await stream.for_each(handle, on_failure=take)
    await stream.for_each(handle, on_failure="stop_shard", attempts=1)
    await stream.for_each_batch(handle_list, max_items=25, max_wait=0.5)
    orders.changes(start=datetime.now(UTC), on_error=skip, acknowledge="explicit", idle=5)
    await orders.changes(start="oldest", view="old_image").for_each(handle_partial)


async def wrong(change: Change[Order]) -> None:
    stream = orders.changes(start="oldest")
    async for _ in stream:  # type: ignore[attr-defined]  # it is a context
        pass
    orders.changes()  # type: ignore[call-overload]  # it must say where it starts
    orders.changes(start="now")  # type: ignore[call-overload]  # no start
    orders.changes(start=3600)  # type: ignore[call-overload]  # a number is none
    orders.changes(start="oldest", view="KEYS_ONLY")  # type: ignore[call-overload]  # in lower case
    orders.changes(start="oldest", checkpoints="orders.json")  # type: ignore[call-overload]  # a path is no store
    orders.changes(start="oldest", on_error="ignore")  # type: ignore[call-overload]  # "raise", "skip" or a function
    orders.changes(start="oldest", acknowledge="auto")  # type: ignore[call-overload]  # "next" or "explicit"
    await stream.for_each(print)  # type: ignore[arg-type]  # it must be awaited
    await stream.for_each(handle_partial)  # type: ignore[arg-type]  # these are whole
    await stream.for_each(handle_list)  # type: ignore[arg-type]  # one at a time
    await stream.for_each_batch(handle)  # type: ignore[arg-type]  # a list at a time
    await stream.for_each(handle, until="end")  # type: ignore[arg-type]  # "closed" or "caught_up"
    change.new  # type: ignore[union-attr]  # a removal has none
    stream.report = stream.report  # type: ignore[misc]  # it is read
