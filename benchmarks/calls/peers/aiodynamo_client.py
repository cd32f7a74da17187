"""aiodynamo over aiohttp: the light native client before us; decoded by type, numbers as Decimal."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
from aiodynamo.client import Client
from aiodynamo.credentials import Key, StaticCredentials
from aiodynamo.expressions import F, HashKey
from aiodynamo.http.aiohttp import AIOHTTP
from aiodynamo.models import BatchGetRequest, BatchWriteRequest, ReturnValues
from aiodynamo.operations import ConditionCheck, Delete, Get, Put, Update
from harness import workload
from harness.measure import Settings
from yarl import URL


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[dict[str, Callable[[], Awaitable[Any]]]]:
    """Offer every verb."""
    item = workload.text_native(0)
    batch = [workload.text_native(number) for number in range(workload.BATCH_WRITE_ITEMS)]
    keys = [workload.key(number) for number in range(workload.BATCH_GET_ITEMS)]
    context = ssl.create_default_context(cafile=settings.certificates) if settings.certificates else True
    connector = aiohttp.TCPConnector(limit=settings.connections, ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:
        credentials = StaticCredentials(Key(workload.ACCESS_KEY, workload.SECRET_KEY))
        client = Client(AIOHTTP(session), credentials, workload.REGION, URL(settings.endpoint), Decimal)
        table = client.table(workload.TABLE)

        async def get_item() -> Any:
            return await table.get_item(workload.key(0))

        async def put_item() -> Any:
            await table.put_item(item)

        async def query() -> Any:
            return (await table.query_single_page(HashKey("customer_id", workload.PARTITION))).items

        async def batch_get() -> Any:
            return (await client.batch_get({workload.TABLE: BatchGetRequest(keys)})).items[workload.TABLE]

        async def batch_write() -> Any:
            await client.batch_write({workload.TABLE: BatchWriteRequest(items_to_put=batch)})

        five = [get_item, put_item, query, batch_get, batch_write]
        verbs = [*five, *conditional(client), *pages(client), *shapes(client), *transactions(client)]
        yield {verb.__name__: verb for verb in verbs}


def conditional(client: Client) -> list[Any]:
    """Return the writes with expressions."""
    table, counters = client.table(workload.TABLE), client.table(workload.COUNTERS)
    versioned = client.table(workload.VERSIONED)
    key, item = workload.key(0), workload.text_native(0)
    exists = F("customer_id").exists()

    async def update_item() -> Any:
        changes = F("status").set("sent") & F("quantity").add(1)
        condition = F("customer_id").exists() & F("paid").equals(True)  # noqa: FBT003  (its interface)
        return await table.update_item(key, changes, condition=condition, return_values=ReturnValues.all_new)

    async def upsert() -> Any:
        changes = F("status").set("sent") & F("quantity").add(1)
        return await counters.update_item(key, changes, return_values=ReturnValues.all_new)

    async def patch() -> Any:
        changes = F("status").set("sent") & F("quantity").set(4)
        return await table.update_item(key, changes, condition=exists, return_values=ReturnValues.all_new)

    async def update_ver() -> Any:
        changes = F("status").set("sent") & F("version").set(workload.VERSION + 1)
        condition = F("customer_id").exists() & F("version").equals(workload.VERSION)
        return await versioned.update_item(key, changes, condition=condition, return_values=ReturnValues.all_new)

    async def delete_cond() -> Any:
        condition = F("status").equals("open")
        return await table.delete_item(key, condition=condition, return_values=ReturnValues.all_old)

    async def insert() -> Any:
        await table.put_item(item, condition=F("customer_id").does_not_exist())

    return [update_item, upsert, patch, update_ver, delete_cond, insert]


def pages(client: Client) -> list[Any]:
    """Return the further queries and the scan."""
    table = client.table(workload.TABLE)

    async def query_first() -> Any:
        opened = F("status").equals("open")
        key = HashKey("customer_id", workload.FIRST_PARTITION)
        return (await table.query_single_page(key, filter_expression=opened, limit=16)).items[0]

    async def query_10() -> Any:
        opened = F("status").equals("open")
        key = HashKey("customer_id", workload.PARTITION)
        return (await table.query_single_page(key, filter_expression=opened, limit=workload.PAGE_OF_TEN)).items

    async def count() -> Any:
        key = HashKey("customer_id", workload.PARTITION)
        return await table.count(key, filter_expression=F("status").equals("open"))

    async def query_proj() -> Any:
        key = HashKey("customer_id", workload.PARTITION)
        projection = F("order_id") & F("status") & F("total")
        return (await table.query_single_page(key, projection=projection)).items

    async def scan() -> Any:
        return (await table.scan_single_page()).items

    return [query_first, query_10, count, query_proj, scan]


def shapes(client: Client) -> list[Any]:
    """Return the verbs of nested and wide items and of vectors."""
    nests, wides, vectors = (client.table(name) for name in (workload.NESTED, workload.WIDE, workload.VECTORS))
    key = workload.key(0)
    nested, wide = key | workload.nested_values(), key | workload.wide_values()
    vector = key | {"embedding": workload.vector()}

    async def put_nest() -> Any:
        await nests.put_item(nested)

    async def get_nest() -> Any:
        return await nests.get_item(key)

    async def put_wide() -> Any:
        await wides.put_item(wide)

    async def get_wide() -> Any:
        return await wides.get_item(key)

    async def put_vec() -> Any:
        await vectors.put_item(vector)

    async def get_vec() -> Any:
        return await vectors.get_item(key)

    return [put_nest, get_nest, put_wide, get_wide, put_vec, get_vec]


def transactions(client: Client) -> list[Any]:
    """Return the transactions and the small batch."""
    name = workload.TABLE
    item = workload.text_native(0)
    keys = [workload.key(number) for number in range(workload.MANY_KEYS)]

    async def get_many10() -> Any:
        return (await client.batch_get({name: BatchGetRequest(keys)})).items[name]

    async def transact_get4() -> Any:
        return await client.transact_get_items([Get(name, key) for key in keys[: workload.TRANSACTION_ITEMS]])

    async def transact_write4() -> Any:
        changes = F("status").set("sent") & F("quantity").add(1)
        await client.transact_write_items(
            [
                Put(name, item, F("customer_id").does_not_exist()),
                Update(name, keys[1], changes, F("customer_id").exists()),
                Delete(name, keys[2]),
                ConditionCheck(name, keys[3], F("status").equals("open")),
            ],
            request_token=uuid.uuid4().hex,
        )

    return [get_many10, transact_get4, transact_write4]
