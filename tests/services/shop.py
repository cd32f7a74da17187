"""What both applications serve: orders, and the answers that errors of the library become."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    InvalidCursorError,
    ItemExistsError,
    ItemNotFoundError,
    MarshallingError,
    PartitionKey,
    SortKey,
    asdict,
    attribute,
    entity,
)


@entity("service-orders")
class Order:
    customer: PartitionKey[str]
    number: SortKey[int]
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    note: Attribute[str | None] = attribute(default=None)
    views: Attribute[int] = attribute(default=0)


STATUS = {
    ItemExistsError: 409,
    ItemNotFoundError: 404,
    ExpressionError: 422,
    MarshallingError: 422,
    InvalidCursorError: 400,
}
"""What an error of the library is to the caller of the service."""


def status_of(error: Exception) -> int:
    """Return the HTTP status of an error, or raise it where it is nobody's fault outside."""
    for kind, status in STATUS.items():
        if isinstance(error, kind):
            return status
    raise error


class Shop:
    """The service's work, without any web framework."""

    def __init__(self, table_prefix: str) -> None:
        self.client = Client(table_prefix=table_prefix, cursor_key="a key of the service")

    async def open(self) -> None:
        await self.client.open()
        await self.client.ensure_tables(Order)
        self.orders = self.client.table(Order)

    async def create(self, customer: str, number: int, total: str) -> dict[str, Any]:
        return self.show(await self.orders.insert(Order(customer=customer, number=number, total=Decimal(total))))

    async def read(self, customer: str, number: int) -> dict[str, Any]:
        return self.show(await self.orders.get_one(customer=customer, number=number))

    async def view(self, customer: str, number: int) -> dict[str, Any]:
        return self.show(await self.orders.update(customer=customer, number=number).add(Order.views, 1))

    async def change(self, customer: str, number: int, changes: dict[str, Any]) -> dict[str, Any]:
        return self.show(await self.orders.update(customer=customer, number=number).set(changes))

    async def browse(self, customer: str, cursor: str | None) -> dict[str, Any]:
        page = await self.orders.query(Order.customer == customer).page(cursor, max_items=7)
        return {"items": [self.show(order) for order in page.items], "cursor": page.cursor}

    def statistics(self) -> dict[str, int]:
        pool = self.client.statistics().pool
        return {"in_use": sum(host.in_use for host in pool.hosts), "waiting": sum(host.waiting for host in pool.hosts)}

    def show(self, order: Order) -> dict[str, Any]:
        return asdict(order) | {"total": str(order.total)}
