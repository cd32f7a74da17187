"""What the services do, without any web framework."""

from typing import Any, Final

from mizzle_async import (
    Client,
    DeadlineExceededError,
    ExpressionError,
    InternalServerError,
    InvalidCursorError,
    ItemExistsError,
    ItemNotFoundError,
    LimitError,
    MarshallingError,
    MizzleError,
    OutcomeUnknownError,
    Page,
    RetryPolicy,
    ServiceUnavailableError,
    Table,
    ThrottledError,
    TransportError,
    VersionConflictError,
    from_builtins,
)

from .models import Order

STATUSES: Final[dict[type[MizzleError], int]] = {
    ItemNotFoundError: 404,
    ItemExistsError: 409,
    VersionConflictError: 409,
    InvalidCursorError: 400,
    ExpressionError: 422,
    LimitError: 422,
    MarshallingError: 422,
    ThrottledError: 503,
    TransportError: 503,
    DeadlineExceededError: 503,
    OutcomeUnknownError: 503,
    InternalServerError: 503,
    ServiceUnavailableError: 503,
}
"""What an error of the library is to the caller of the service. Every other one is a mistake of the service."""


def status_of(error: MizzleError) -> int:
    """Return the HTTP status of an error."""
    return next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 500)


def make_client(table_prefix: str) -> Client:
    """Make the client of a service. Where the service is comes from the environment."""
    retry = RetryPolicy(throttled_base_delay=0.05, attempt_timeout=0.5)
    return Client(table_prefix=table_prefix, cursor_key="a key of the service", retry=retry)


class Shop:
    """The service's work, on a client that need not be open yet."""

    def __init__(self, client: Client) -> None:
        self.client: Client = client
        self.orders: Table[Order] = client.table(Order)

    async def create(self, order: Order) -> Order:
        """Store an order that is not stored yet."""
        return await self.orders.insert(order)

    async def read(self, customer: str, number: int) -> Order:
        """Return an order."""
        return await self.orders.get_one(customer=customer, number=number)

    async def view(self, customer: str, number: int) -> None:
        """Count a view, once even where an answer is lost."""
        await self.orders.update(customer=customer, number=number).add(Order.views, 1).exactly_once()

    async def change(self, customer: str, number: int, changes: dict[str, Any]) -> Order:
        """Set the attributes that a caller has named."""
        return await self.orders.update(customer=customer, number=number).set(
            from_builtins(changes, Order, partial=True)
        )

    async def browse(self, customer: str, cursor: str | None) -> Page[Order]:
        """Return a page of a customer's orders."""
        return await self.orders.query(Order.customer == customer).page(cursor, max_items=7)

    def statistics(self) -> dict[str, int]:
        """Return the connections in use, and the calls that wait for one."""
        pool = self.client.statistics().pool
        return {"in_use": pool.in_use, "waiting": pool.waiting}
