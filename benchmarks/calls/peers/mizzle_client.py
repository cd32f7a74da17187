"""mizzle_async as its users have it: retries armed, a deadline, checksums checked, an instrument listening.

``model`` works with instances, ``dict`` with a table without a class.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from harness import workload
from harness.measure import Settings

from mizzle_async import (
    Attribute,
    CallRecord,
    Client,
    PartitionKey,
    PoolConfig,
    SortKey,
    attribute,
    document,
    entity,
    evolve,
)


@entity(workload.TABLE)
class Order:
    """The measured item."""

    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    placed_at: Attribute[datetime]
    total: Attribute[Decimal]
    quantity: Attribute[int]
    status: Attribute[str]
    paid: Attribute[bool]
    tags: Attribute[set[str]] = attribute(factory=set)
    email: Attribute[str]
    note: Attribute[str]


@entity(workload.VERSIONED)
class Versioned:
    """The measured item with a version."""

    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    placed_at: Attribute[datetime]
    total: Attribute[Decimal]
    quantity: Attribute[int]
    status: Attribute[str]
    paid: Attribute[bool]
    tags: Attribute[set[str]] = attribute(factory=set)
    email: Attribute[str]
    note: Attribute[str]
    version: Attribute[int] = attribute(default=0, version=True)


@entity(workload.COUNTERS)
class Counter:
    """An item that an upsert can create."""

    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    status: Attribute[str] = attribute(default="open")
    quantity: Attribute[int] = attribute(default=0)


@document
class Zone:
    """The third level."""

    code: Attribute[str]
    area: Attribute[int]


@document
class Place:
    """The second level."""

    latitude: Attribute[Decimal]
    longitude: Attribute[Decimal]
    zone: Attribute[Zone]


@document
class Address:
    """The first level."""

    street: Attribute[str]
    city: Attribute[str]
    place: Attribute[Place]


@document
class Line:
    """One of ten documents in a list."""

    sku: Attribute[str]
    title: Attribute[str]
    quantity: Attribute[int]
    price: Attribute[Decimal]


@entity(workload.NESTED)
class Nested:
    """An item of three levels."""

    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    address: Attribute[Address]
    lines: Attribute[list[Line]]


@entity(workload.VECTORS)
class Vector:
    """An item with an embedding."""

    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    embedding: Attribute[list[float]]


def wide_class() -> Any:
    """Make the class of the wide item: texts and integers in turn."""
    types = {name: Attribute[type(value)] for name, value in workload.wide_values().items()}  # type: ignore[misc]  # at run time
    keys = {"customer_id": PartitionKey[str], "order_id": SortKey[str]}
    return entity(workload.WIDE)(type("Wide", (), {"__annotations__": {**keys, **types}, "__module__": __name__}))


Wide = wide_class()


class Silent:
    """An instrument that is there and does nothing."""

    def call_finished(self, call: CallRecord) -> None:
        """Hear of a finished call."""


def of_dicts(client: Client) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Offer the five operations on dictionaries."""
    item = workload.text_native(0)
    batch = [workload.text_native(number) for number in range(workload.BATCH_WRITE_ITEMS)]
    keys = [workload.key(number) for number in range(workload.BATCH_GET_ITEMS)]
    orders = client.table(workload.TABLE, partition_key="customer_id", sort_key="order_id")

    async def get_item() -> Any:
        return await orders.get(customer_id=workload.PARTITION, order_id=workload.order_id(0))

    async def put_item() -> Any:
        await orders.put(item)

    async def query() -> Any:
        return (await orders.query(orders.partition_key == workload.PARTITION).page()).items

    async def batch_get() -> Any:
        return await orders.get_many([orders.key(**key) for key in keys])

    async def batch_write() -> Any:
        await orders.put_many(batch)

    return {
        "get_item": get_item,
        "put_item": put_item,
        "query": query,
        "batch_get": batch_get,
        "batch_write": batch_write,
    }


def of_models(client: Client) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Offer every verb on instances."""
    verbs = (*single(client), *conditional(client), *other_shapes(client), *pages(client), *several(client))
    return {verb.__name__: verb for verb in verbs}


def single(client: Client) -> list[Any]:
    """Return the verbs of one whole item."""
    orders = client.table(Order)
    item = Order(**workload.native(0))

    async def get_item() -> Any:
        return await orders.get(customer_id=workload.PARTITION, order_id=workload.order_id(0))

    async def put_item() -> Any:
        await orders.put(item)

    async def insert() -> Any:
        await orders.insert(item)

    return [get_item, put_item, insert]


def conditional(client: Client) -> list[Any]:
    """Return the updates and the deletion."""
    orders = client.table(Order)
    versions, counters = client.table(Versioned), client.table(Counter)
    before = Order(**workload.native(0))
    after = evolve(before, status="sent", quantity=4)
    versioned = Versioned(**workload.native(0), version=workload.VERSION)

    def order() -> Any:
        return orders.update(customer_id=workload.PARTITION, order_id=workload.order_id(0))

    async def update_item() -> Any:
        return await order().set(Order.status, "sent").add(Order.quantity, 1).when(Order.paid == True)  # noqa: E712  (a condition)

    async def upsert() -> Any:
        upserted = counters.upsert(customer_id=workload.PARTITION, order_id=workload.order_id(0))
        return await upserted.set(Counter.status, "sent").add(Counter.quantity, 1)

    async def patch() -> Any:
        return await orders.patch(before, to=after)

    async def update_ver() -> Any:
        return await versions.update(versioned).set(Versioned.status, "sent")

    async def delete_cond() -> Any:
        deleted = orders.delete(customer_id=workload.PARTITION, order_id=workload.order_id(0))
        return await deleted.when(Order.status == "open")

    return [update_item, upsert, patch, update_ver, delete_cond]


def other_shapes(client: Client) -> list[Any]:
    """Return the verbs of nested and wide items and of vectors."""
    nests, wides, vectors = client.table(Nested), client.table(Wide), client.table(Vector)
    values = workload.nested_values()
    place = values["address"]["place"]
    address = Address(
        street=values["address"]["street"],
        city=values["address"]["city"],
        place=Place(latitude=place["latitude"], longitude=place["longitude"], zone=Zone(**place["zone"])),
    )
    nested = Nested(**workload.key(0), address=address, lines=[Line(**line) for line in values["lines"]])
    wide = Wide(**workload.key(0), **workload.wide_values())
    vector = Vector(**workload.key(0), embedding=workload.vector())
    key = {"customer_id": workload.PARTITION, "order_id": workload.order_id(0)}

    async def put_nest() -> Any:
        await nests.put(nested)

    async def get_nest() -> Any:
        return await nests.get(**key)

    async def put_wide() -> Any:
        await wides.put(wide)

    async def get_wide() -> Any:
        return await wides.get(**key)

    async def put_vec() -> Any:
        await vectors.put(vector)

    async def get_vec() -> Any:
        return await vectors.get(**key)

    return [put_nest, get_nest, put_wide, get_wide, put_vec, get_vec]


def pages(client: Client) -> list[Any]:
    """Return the queries and the scan."""
    orders = client.table(Order)

    async def query() -> Any:
        return (await orders.query(Order.customer_id == workload.PARTITION).page()).items

    async def query_first() -> Any:
        opened = Order.status == "open"
        return await orders.query(Order.customer_id == workload.FIRST_PARTITION).filter(opened).first()

    async def query_10() -> Any:
        opened = orders.query(Order.customer_id == workload.PARTITION).filter(Order.status == "open")
        return (await opened.page(max_items=workload.PAGE_OF_TEN)).items

    async def count() -> Any:
        return await orders.query(Order.customer_id == workload.PARTITION).filter(Order.status == "open").count()

    async def query_proj() -> Any:
        rows = orders.query(Order.customer_id == workload.PARTITION)
        return (await rows.project(Order.order_id, Order.status, Order.total).page()).items

    async def scan() -> Any:
        return (await orders.scan().page()).items

    return [query, query_first, query_10, count, query_proj, scan]


def several(client: Client) -> list[Any]:
    """Return the batches and the transactions."""
    orders = client.table(Order)
    batch = [Order(**workload.native(number)) for number in range(workload.BATCH_WRITE_ITEMS)]
    keys = [workload.key(number) for number in range(workload.BATCH_GET_ITEMS)]

    async def batch_get() -> Any:
        return await orders.get_many([orders.key(**key) for key in keys])

    async def get_many10() -> Any:
        return await orders.get_many([orders.key(**key) for key in keys[: workload.MANY_KEYS]])

    async def batch_write() -> Any:
        await orders.put_many(batch)

    async def transact_get4() -> Any:
        return await client.transact_get(*(orders.get(**key) for key in keys[: workload.TRANSACTION_ITEMS]))

    async def transact_write4() -> Any:
        await client.transact_write(
            orders.insert(batch[0]),
            orders.update(**keys[1]).set(Order.status, "sent").add(Order.quantity, 1),
            orders.delete(**keys[2]),
            orders.check(**keys[3]).when(Order.status == "open"),
        )

    return [batch_get, get_many10, batch_write, transact_get4, transact_write4]


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[dict[str, Callable[[], Awaitable[Any]]]]:
    """Offer the five operations."""
    pool = PoolConfig(max_connections=settings.connections)
    async with Client(endpoint_url=settings.endpoint, pool=pool, timeout=10.0, instrument=(Silent(),)) as client:
        yield of_models(client) if settings.variant == "model" else of_dicts(client)
