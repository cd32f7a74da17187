"""dynamoxy: a Rust core under Python models. ``dict`` is its table interface, ``model`` its repository."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

import dynamoxy
from dynamoxy import Attr, F, field, partition_key, sort_key
from harness import workload
from harness.measure import Settings


class Order(dynamoxy.Model, table=workload.TABLE):
    """The measured item."""

    customer_id: Attr[str] = partition_key()
    order_id: Attr[str] = sort_key()
    placed_at: Attr[datetime]
    total: Attr[Decimal]
    quantity: Attr[int]
    status: Attr[str]
    paid: Attr[bool]
    tags: Attr[set[str]] = field(default_factory=set)
    email: Attr[str]
    note: Attr[str]


class Versioned(dynamoxy.Model, table=workload.VERSIONED):
    """The measured item with a version."""

    customer_id: Attr[str] = partition_key()
    order_id: Attr[str] = sort_key()
    placed_at: Attr[datetime]
    total: Attr[Decimal]
    quantity: Attr[int]
    status: Attr[str]
    paid: Attr[bool]
    tags: Attr[set[str]] = field(default_factory=set)
    email: Attr[str]
    note: Attr[str]
    version: Attr[int] = dynamoxy.version()


class Counter(dynamoxy.Model, table=workload.COUNTERS):
    """An item that an upsert can create."""

    customer_id: Attr[str] = partition_key()
    order_id: Attr[str] = sort_key()
    status: Attr[str] = field(default="open")
    quantity: Attr[int] = field(default=0)


class Zone(dynamoxy.Document):
    """The third level."""

    code: Attr[str]
    area: Attr[int]


class Place(dynamoxy.Document):
    """The second level."""

    latitude: Attr[Decimal]
    longitude: Attr[Decimal]
    zone: Attr[Zone]


class Address(dynamoxy.Document):
    """The first level."""

    street: Attr[str]
    city: Attr[str]
    place: Attr[Place]


class Line(dynamoxy.Document):
    """One of ten documents in a list."""

    sku: Attr[str]
    title: Attr[str]
    quantity: Attr[int]
    price: Attr[Decimal]


class Nested(dynamoxy.Model, table=workload.NESTED):
    """An item of three levels."""

    customer_id: Attr[str] = partition_key()
    order_id: Attr[str] = sort_key()
    address: Attr[Address]
    lines: Attr[list[Line]]


class Vector(dynamoxy.Model, table=workload.VECTORS):
    """An item with an embedding."""

    customer_id: Attr[str] = partition_key()
    order_id: Attr[str] = sort_key()
    embedding: Attr[list[float]]


def wide_class() -> Any:
    """Make the class of the wide item: texts and integers in turn."""
    source = [
        "class Wide(dynamoxy.Model, table=workload.WIDE):",
        "    customer_id: Attr[str] = partition_key()",
        "    order_id: Attr[str] = sort_key()",
        *(f"    {name}: Attr[{type(value).__name__}]" for name, value in workload.wide_values().items()),
    ]
    names = dict(globals())
    exec("\n".join(source), names)  # noqa: S102  (forty attributes by hand would be no better)
    return names["Wide"]


Wide = wide_class()


def of_dicts(client: dynamoxy.Client) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Offer the five operations on dictionaries."""
    item = workload.text_native(0)
    batch = [workload.text_native(number) for number in range(workload.BATCH_WRITE_ITEMS)]
    keys = [workload.key(number) for number in range(workload.BATCH_GET_ITEMS)]
    table = client.table(workload.TABLE)

    async def get_item() -> Any:
        return await table.get(workload.key(0))

    async def put_item() -> Any:
        await table.put(item)

    async def query() -> Any:
        return (await table.query(F("customer_id") == workload.PARTITION).page()).items

    async def batch_get() -> Any:
        return await table.batch_get(keys)

    async def batch_write() -> Any:
        await table.batch_write(puts=batch)

    return {
        "get_item": get_item,
        "put_item": put_item,
        "query": query,
        "batch_get": batch_get,
        "batch_write": batch_write,
    }


def of_models(client: dynamoxy.Client) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Offer every verb on instances."""
    item = Order(**workload.native(0))
    batch = [Order(**workload.native(number)) for number in range(workload.BATCH_WRITE_ITEMS)]
    keys = [(workload.PARTITION, workload.order_id(number)) for number in range(workload.BATCH_GET_ITEMS)]
    orders = client.repository(Order)

    async def get_item() -> Any:
        return await orders.get(**workload.key(0))

    async def put_item() -> Any:
        await orders.put(item)

    async def query() -> Any:
        return (await orders.query(customer_id=workload.PARTITION).page()).items

    async def batch_get() -> Any:
        return await orders.batch_get(keys)

    async def batch_write() -> Any:
        await orders.batch_put(batch)

    five = [get_item, put_item, query, batch_get, batch_write]
    verbs = [*five, *conditional(client), *pages(client), *shapes(client), *transactions(client)]
    return {verb.__name__: verb for verb in verbs}


def conditional(client: dynamoxy.Client) -> list[Any]:
    """Return the writes with expressions."""
    orders, counters, versions = client.repository(Order), client.repository(Counter), client.repository(Versioned)
    key = Order.key(**workload.key(0))
    item = Order(**workload.native(0))

    async def update_item() -> Any:
        return await orders.update(
            key,
            Order.status.set("sent"),
            Order.quantity.add(1),
            condition=Order.paid == True,  # noqa: E712  (a condition)
        )

    async def upsert() -> Any:
        counter = Counter.key(**workload.key(0))
        return await counters.update(counter, Counter.status.set("sent"), Counter.quantity.add(1), upsert=True)

    async def patch() -> Any:
        return await orders.update(key, Order.status.set("sent"), Order.quantity.set(4))

    read: list[Versioned] = []  # a version comes from the service only

    async def update_ver() -> Any:
        if not read:
            read.append(await versions.get_or_raise(**workload.key(0)))
        return await versions.update(read[0], Versioned.status.set("sent"))

    async def delete_cond() -> Any:
        return await orders.delete(key, condition=Order.status == "open")

    async def insert() -> Any:
        await orders.create(item)

    return [update_item, upsert, patch, update_ver, delete_cond, insert]


def pages(client: dynamoxy.Client) -> list[Any]:
    """Return the further queries and the scan."""
    orders = client.repository(Order)

    async def query_first() -> Any:
        return await orders.query(customer_id=workload.FIRST_PARTITION).filter(Order.status == "open").first()

    async def query_10() -> Any:
        rows = orders.query(customer_id=workload.PARTITION).filter(Order.status == "open")
        return (await rows.page_size(workload.PAGE_OF_TEN).page()).items

    async def count() -> Any:
        return await orders.query(customer_id=workload.PARTITION).filter(Order.status == "open").count()

    async def query_proj() -> Any:
        rows = orders.query(customer_id=workload.PARTITION)
        return (await rows.project(Order.order_id, Order.status, Order.total).page()).items

    async def scan() -> Any:
        return (await orders.scan().page()).items

    return [query_first, query_10, count, query_proj, scan]


def shapes(client: dynamoxy.Client) -> list[Any]:
    """Return the verbs of nested and wide items and of vectors."""
    nests, wides, vectors = client.repository(Nested), client.repository(Wide), client.repository(Vector)
    values, key = workload.nested_values(), workload.key(0)
    place = values["address"]["place"]
    address = Address(
        street=values["address"]["street"],
        city=values["address"]["city"],
        place=Place(latitude=place["latitude"], longitude=place["longitude"], zone=Zone(**place["zone"])),
    )
    nested = Nested(**key, address=address, lines=[Line(**line) for line in values["lines"]])
    wide = Wide(**key, **workload.wide_values())
    vector = Vector(**key, embedding=workload.vector())

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


def transactions(client: dynamoxy.Client) -> list[Any]:
    """Return the transactions and the small batch."""
    orders = client.repository(Order)
    item = Order(**workload.native(0))
    numbers = range(workload.MANY_KEYS)
    pairs = [(workload.PARTITION, workload.order_id(number)) for number in numbers]
    keys = [Order.key(**workload.key(number)) for number in numbers]

    async def get_many10() -> Any:
        return await orders.batch_get(pairs)

    async def transact_get4() -> Any:
        return await client.transact_get(*(dynamoxy.Get(Order, *pair) for pair in pairs[: workload.TRANSACTION_ITEMS]))

    async def transact_write4() -> Any:
        async with client.transaction() as transaction:
            transaction.create(item)
            transaction.update(keys[1], Order.status.set("sent"), Order.quantity.add(1), model=Order)
            transaction.delete(keys[2], model=Order)
            transaction.check(Order, keys[3], Order.status == "open")

    return [get_many10, transact_get4, transact_write4]


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[dict[str, Callable[[], Awaitable[Any]]]]:
    """Offer the five operations."""
    credentials = dynamoxy.Credentials(workload.ACCESS_KEY, workload.SECRET_KEY)
    async with dynamoxy.Client(
        region=workload.REGION, endpoint_url=settings.endpoint, credentials=credentials
    ) as client:
        yield of_models(client) if settings.variant == "model" else of_dicts(client)
