# pyright: reportUnnecessaryTypeIgnoreComment=true
"""State tables: every line is accepted, or refused where an ignore says so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

from entities import Order, Status

from mizzle_async import (
    BulkWork,
    Change,
    CheckItem,
    Client,
    Lease,
    ResumeState,
    State,
    StateStore,
    StateTable,
    Table,
)

STATE = StateTable("app-state")


async def once(client: Client, orders: Table[Order], order: Order) -> None:
    """Operations that are applied once are those of a transaction, and the answer is a bool."""
    state = client.state(STATE)
    assert_type(state, State)
    assert_type(await state.once("key", orders.insert(order), keep=timedelta(hours=1)), bool)
    assert_type(await state.once("key"), bool)
    await state.once("key", orders.check(order).when(Order.status == Status.OPEN), orders.delete(order))
    await state.once("key", orders.get(order))  # type: ignore[arg-type]
    await state.once("key", order)  # type: ignore[arg-type]
    await state.once(7, orders.insert(order))  # type: ignore[arg-type]
    await state.once("key", orders.insert(order), keep=48)  # type: ignore[arg-type]
    client.state("app-state")  # type: ignore[arg-type]
    await client.ensure_tables(STATE, Order)


async def leases(client: Client, orders: Table[Order], order: Order) -> None:
    """A lease is entered, and its check is an operation for a transaction."""
    state = client.state(STATE)
    async with state.lease("nightly", lease_seconds=30, timeout=0) as lease:
        assert_type(lease, Lease)
        check = assert_type(lease.check(), CheckItem[Any])
        assert_type(lease.epoch, int)
        await client.transact_write(orders.put(order), check)
    with state.lease("nightly"):  # type: ignore[attr-defined]
        pass
    state.lease("nightly", 30)  # type: ignore[call-arg]


async def resumed(client: Client, orders: Table[Order], order: Order) -> None:
    """A key of a state table is taken where a path is."""
    place = client.state(STATE).resume("export-7", keep=timedelta(days=1))
    assert_type(place, ResumeState)
    store: StateStore = place
    await assert_type(orders.scan().export("orders.jsonl", resume=store), BulkWork)
    await orders.put_many([order], resume=place)
    await orders.put_many([order], resume="state.json")
    await orders.put_many([order], resume=client.state(STATE))  # type: ignore[arg-type]
    async for row in orders.scan().resumable(place):
        assert_type(row, Order)


async def consumed(client: Client, orders: Table[Order], order: Order) -> None:
    """A state table keeps positions and marks, of consumers and of events."""
    state = client.state(STATE)

    async def handle(change: Change[Order]) -> None:
        assert_type(await change.apply(orders.put(order)), bool)
        await change.apply(orders.get(order))  # type: ignore[arg-type]

    stream = orders.changes(consumer="search", start="oldest", checkpoints=state)
    await stream.for_each(handle)
    orders.changes(consumer="search", start="oldest", checkpoints=state.checkpoints(lease_seconds=10))
    await orders.handle_records({}, handle, consumer="search", state=state)
    await orders.handle_records({}, handle, consumer="search", state=STATE)  # type: ignore[call-overload]
