"""Transactions on each engine: all or nothing, typed results, reasons tied to operations, tokens."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    IdempotentParameterMismatchError,
    ItemExistsError,
    ItemNotFoundError,
    LimitError,
    PartitionKey,
    ResourceNotFoundError,
    SortKey,
    TransactionCanceledError,
    VersionConflictError,
    attribute,
    entity,
    evolve,
)
from mizzle_async.limits import CLIENT_REQUEST_TOKEN_SECONDS


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[int]
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    made: Attribute[datetime | None] = attribute(default=None, created_at=True)
    changed: Attribute[datetime | None] = attribute(default=None, updated_at=True)
    version: Attribute[int] = attribute(default=0, version=True)


@entity("stock")
class Stock:
    sku: PartitionKey[str]
    count: Attribute[int] = attribute(default=0)


@entity("sessions")
class Session:
    token: PartitionKey[str]
    user: Attribute[str] = attribute(default="")
    expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


ORDER = Order(customer_id="c1", order_id=7, total=Decimal("12.50"))


@pytest.fixture
async def shop(client: Client) -> Any:
    """Open a client with empty tables."""
    await client.ensure_tables(Order, Stock, Session)
    return client


async def test_all_or_nothing(shop):
    """Writes in several tables happen together; when one fails, none of them."""
    orders, stock = shop.table(Order), shop.table(Stock)
    await stock.insert(Stock(sku="s1", count=1))
    take = stock.update("s1").add(Stock.count, -1).when(Stock.count >= 1)
    stored, nothing = await shop.transact_write(orders.insert(ORDER), take)
    assert (stored.version, stored.total, nothing) == (1, Decimal("12.50"), None)
    assert await orders.get(ORDER) == stored
    assert (await stock.get_one("s1")).count == 0

    again = stock.update("s1").add(Stock.count, -1).when(Stock.count >= 1)
    with pytest.raises(TransactionCanceledError) as raised:
        await shop.transact_write(orders.insert(evolve(ORDER, order_id=8)), again)
    fine, failed = raised.value.reasons
    assert (fine.code, fine.operation.api) == (None, "PutItem")
    assert failed.operation is again
    assert failed.code == "ConditionalCheckFailed"
    assert failed.error.stored(Stock) == Stock(sku="s1", count=0)
    assert raised.value.__cause__ is failed.error
    assert await orders.get(customer_id="c1", order_id=8) is None
    assert (await stock.get_one("s1")).count == 0


async def test_every_verb(shop, clock):
    """Every verb can be in a transaction, and does in it what it does alone."""
    orders = shop.table(Order)
    now = datetime.fromtimestamp(clock.now, UTC)
    old = [await orders.insert(evolve(ORDER, order_id=number)) for number in range(5)]
    clock.now += 60
    later = now + timedelta(seconds=60)
    results = await shop.transact_write(
        orders.replace(evolve(old[0], total=Decimal(1))),
        orders.update(old[1]).set(Order.total, Decimal(2)),
        orders.patch(old[2], to=evolve(old[2], total=Decimal(3))),
        orders.upsert(customer_id="c1", order_id=99).set(Order.total, Decimal(4)),
        orders.delete(old[3]),
        orders.check(old[4]).when(Order.total > Decimal(5)),
        orders.insert(evolve(ORDER, order_id=100)),
        shop.table(Stock).put(Stock(sku="p")),
    )
    assert results[0] == evolve(old[0], total=Decimal(1), changed=later, version=2)
    assert results[1:6] == (None,) * 5
    assert results[6:] == (
        Order(customer_id="c1", order_id=100, total=Decimal("12.50"), made=later, changed=later, version=1),
        Stock(sku="p"),
    )
    stored = await orders.query(Order.customer_id == "c1").all()
    assert [(each.order_id, each.total, each.version, each.changed == later) for each in stored] == [
        (0, Decimal(1), 2, True),
        (1, Decimal(2), 2, True),
        (2, Decimal(3), 2, True),
        (4, Decimal("12.5"), 1, False),
        (99, Decimal(4), 1, True),
        (100, Decimal("12.5"), 1, True),
    ]
    assert all(each.made == now for each in stored[:4])


async def test_reasons_of_every_kind(shop):
    """Each operation's reason is the error that it raises alone."""
    orders = shop.table(Order)
    stored = await orders.insert(ORDER)
    newer = await orders.update(stored).set(Order.total, Decimal(1))
    with pytest.raises(TransactionCanceledError) as raised:
        await shop.transact_write(
            orders.insert(evolve(ORDER, order_id=8)),
            orders.update(stored).set(Order.total, Decimal(2)),
            orders.update(customer_id="c1", order_id=9).set(Order.total, Decimal(2)),
            shop.table(Stock).check("none").when(Stock.count == 1),
        )
    reasons = raised.value.reasons
    assert [type(reason.error) for reason in reasons] == [
        type(None),
        VersionConflictError,
        ItemNotFoundError,
        ConditionalCheckFailedError,
    ]
    assert reasons[1].error.stored(Order) == reasons[1].stored(Order) == newer
    assert [reason.stored(Order) for reason in reasons if reason is not reasons[1]] == [None] * 3
    with pytest.raises(TransactionCanceledError) as raised:
        await shop.transact_write(orders.insert(ORDER))
    assert type(raised.value.__cause__) is ItemExistsError


async def test_awaiting_again_is_the_same_transaction(shop, clock):
    """Awaited again it is applied once; after nine minutes it is refused before it is sent."""
    stock = shop.table(Stock)
    await stock.insert(Stock(sku="s"))
    transaction = shop.transact_write(stock.update("s").add(Stock.count, 1))
    for _ in range(3):
        await transaction
    assert (await stock.get_one("s")).count == 1
    clock.now += CLIENT_REQUEST_TOKEN_SECONDS + 1
    with pytest.raises(LimitError, match="9 minutes"):
        await transaction
    assert (await stock.get_one("s")).count == 1


async def test_callers_token(shop):
    """The same token is the same transaction, in another process too; with other writes it is a mistake."""
    stock = shop.table(Stock)
    await stock.insert(Stock(sku="s"))
    for _ in range(2):
        await shop.transact_write(stock.update("s").add(Stock.count, 1), token="order-7")
    assert (await stock.get_one("s")).count == 1
    with pytest.raises(IdempotentParameterMismatchError):
        await shop.transact_write(stock.update("s").add(Stock.count, 2), token="order-7")


async def test_exactly_once(shop):
    """A single write with a token is applied once however often it is awaited, and fails as the write does."""
    stock = shop.table(Stock)
    await stock.insert(Stock(sku="s"))
    increment = stock.update("s").add(Stock.count, 1).exactly_once()
    assert [await increment for _ in range(3)] == [None] * 3
    assert (await stock.get_one("s")).count == 1
    assert await stock.insert(Stock(sku="t")).exactly_once() == Stock(sku="t")
    with pytest.raises(ItemExistsError) as raised:
        await stock.insert(Stock(sku="t", count=5)).exactly_once()
    assert raised.value.stored(Stock) == Stock(sku="t")
    with pytest.raises(ItemNotFoundError):
        await stock.update("none").add(Stock.count, 1).exactly_once()
    assert await stock.delete("t").exactly_once() is None
    assert await stock.get("t") is None


async def test_empty_transactions(shop):
    """Without operations nothing is sent."""
    calls = shop.statistics().calls
    assert await shop.transact_write() == ()
    assert await shop.transact_get() == ()
    stock = Stock(sku="s")
    same = shop.table(Stock).patch(stock, to=evolve(stock))
    assert await shop.transact_write(same) == (None,)
    assert shop.statistics().calls == calls


async def test_transact_get(shop):
    """Items of several tables are read together, typed, None where there is none; a missing one may be an error."""
    orders, stock = shop.table(Order), shop.table(Stock)
    stored = await orders.insert(ORDER)
    await stock.insert(Stock(sku="s", count=3))
    found = await shop.transact_get(orders.get(ORDER), stock.get("none"), stock.get_one("s"))
    assert found == (stored, None, Stock(sku="s", count=3))
    with pytest.raises(ItemNotFoundError):
        await shop.transact_get(stock.get_one("none"))


async def test_expired_items_do_not_exist(shop, clock):
    """In transactions too: hidden from reads, replaced by inserts, missing for updates."""
    sessions = shop.table(Session)
    past = datetime.fromtimestamp(clock.now - 60, UTC)
    await sessions.put(Session(token="a", user="old", expires=past))
    assert await shop.transact_get(sessions.get("a")) == (None,)
    assert (await shop.transact_get(sessions.get("a", include_expired=True)))[0].user == "old"
    with pytest.raises(TransactionCanceledError) as raised:
        await shop.transact_write(sessions.update("a").set(Session.user, "new"))
    assert type(raised.value.__cause__) is ItemNotFoundError
    await shop.transact_write(sessions.insert(Session(token="a", user="new")))
    assert (await sessions.get_one("a")).user == "new"


async def test_what_the_service_refuses(shop):
    """What only the service finds out is its own error, and nothing is written."""
    stock = shop.table(Stock)
    await stock.insert(Stock(sku="s"))
    with pytest.raises(ResourceNotFoundError):
        await shop.transact_write(stock.update("s").set({"count": 1}), shop.table(Stock, name="missing").delete("s"))
    assert (await stock.get_one("s")).count == 0


async def test_a_hundred_actions(shop):
    """A hundred actions are one transaction."""
    stock = shop.table(Stock)
    await shop.transact_write(*(stock.insert(Stock(sku=str(number))) for number in range(100)))
    assert await stock.scan().count() == 100


async def test_concurrent_transfers_keep_the_sum(shop):
    """Transfers between accounts, many at once, keep the sum: what fails is not applied."""
    stock = shop.table(Stock)
    for sku in "abcd":
        await stock.insert(Stock(sku=sku, count=10))

    async def transfer(number: int) -> bool:
        source, target = "abcd"[number % 4], "abcd"[(number + 1 + number // 4) % 4]
        if source == target:
            return False
        try:
            await shop.transact_write(
                stock.update(source).add(Stock.count, -3).when(Stock.count >= 3),
                stock.update(target).add(Stock.count, 3),
            )
        except TransactionCanceledError:
            return False
        return True

    moved = await asyncio.gather(*(transfer(number) for number in range(40)))
    counts = [each.count for each in await stock.scan(consistent_read=True).all()]
    assert any(moved)
    assert sum(counts) == 40
    assert min(counts) >= 0
