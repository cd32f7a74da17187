"""PartiQL as the caller holds it: statements that are read page after page, batches and transactions of them.

A statement is not awaitable, because it may take any number of requests: say which, with ``async for``, `all`,
`first`, `one`, `pages` or `page`.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar, cast, overload

from attrs import frozen

from mizzle_async.errors import ExpressionError, ItemNotFoundError, MarshallingError, MultipleItemsError
from mizzle_async.expressions import AttributePath, Facet
from mizzle_async.flow.ports import TaskPort
from mizzle_async.marshalling import Marshaller, decode_any, encode_any
from mizzle_async.model import EntitySchema
from mizzle_async.operations import (
    ExecuteBatch,
    ExecuteStatement,
    ExecuteTransaction,
    Explanation,
    RawPage,
    ReadOptions,
    StatementPlan,
    Target,
    execute_batch,
    execute_transaction,
    hidden_items,
    query_digest,
)
from mizzle_async.reading.iterators import Page
from mizzle_async.types import AttributeValue, Item, WirePayload

ModelT = TypeVar("ModelT")
ValueT = TypeVar("ValueT")
RowT = TypeVar("RowT")
RowT_co = TypeVar("RowT_co", covariant=True)


@frozen(eq=False, repr=False)
class Statement(Generic[RowT_co]):
    """A PartiQL statement with its parameters; made by `Client.execute`.

    Cost: as the operation that it amounts to. A SELECT whose condition does not fix the partition key reads the whole
        table.
    """

    _reader: TaskPort
    _target: Target[Any]
    plan: StatementPlan[RowT_co]
    max_items: int | None = None
    page_size: int | None = None
    timeout: float | None = None

    def __aiter__(self) -> StatementIterator[RowT_co]:
        return StatementIterator(self)

    async def all(self) -> list[RowT_co]:
        """Run it to the end, and return its rows: those of a SELECT, or what a write returns by RETURNING."""
        return [row async for row in self]

    async def first(self) -> RowT_co | None:
        """Return the first row, or None where there is none."""
        async for row in self:
            return row
        return None

    async def one(self) -> RowT_co:
        """Return the only row.

        Raises:
            ItemNotFoundError: There is none.
            MultipleItemsError: There are several.
        """
        rows: list[RowT_co] = []
        async for row in self:
            rows.append(row)
            if len(rows) > 1:
                raise MultipleItemsError("more than one row was found where one was expected: use .first() or .all()")
        if not rows:
            raise ItemNotFoundError("no row was found where one was expected")
        return rows[0]

    async def count(self) -> int:
        """Count the rows, by reading them: PartiQL in DynamoDB counts nothing."""
        return len(await self.all())

    def pages(self) -> StatementPages[RowT_co]:
        """Return an iterator over pages as the service cuts them, each with a cursor that continues after it."""
        return StatementPages(self, None, self.max_items)

    async def page(self, cursor: str | None = None, *, max_items: int | None = None) -> Page[RowT_co]:
        """Read one page, for a caller that comes back with its cursor.

        Args:
            cursor: `Page.cursor` of the page before; None for the first.
            max_items: Rows on the page; as many requests are sent as it takes. None for what one request brings.

        Raises:
            InvalidCursorError: The cursor belongs to another statement, was tampered with, or has expired.
            ExpressionError: ``max_items`` is no number of rows.
        """
        ReadOptions(max_items=max_items).check("page()")
        most = self.max_items if max_items is None else max_items
        rows: list[RowT_co] = []
        evaluated = 0
        async for page in StatementPages(self, cursor, most):
            rows += page.items
            evaluated += page.evaluated
            cursor = page.cursor
            if cursor is None or (most is None and rows) or len(rows) == most:
                break
        return Page(rows, cursor, evaluated)

    # ── looking at it ──

    def to_wire(self) -> WirePayload:
        """Return the first request's exact DynamoDB JSON."""
        return self.request(None, self.max_items).to_wire()

    def explain(self) -> Explanation:
        """Say what will be sent; nothing is sent, and values of parameters are shown."""
        return self.request(None, self.max_items).explain()

    # ── what reading asks ──

    def request(self, next_token: str | None, wanted: int | None) -> ExecuteStatement:
        """Return one request.

        Args:
            next_token: The service's, where it is not the first.
            wanted: Rows that are still asked for.
        """
        limits = [limit for limit in (self.page_size, wanted) if limit]
        # A write takes no limit; and a page never has more rows than were asked for, so none is ever cut.
        limit = min(limits) if limits and self.plan.is_read else None
        return ExecuteStatement(self._target, self.plan, limit=limit, next_token=next_token, timeout=self.timeout)

    async def fetch(self, next_token: str | None, wanted: int | None) -> RawPage:
        """Send one request."""
        return await self._reader.send(self.request(next_token, wanted))

    def rows(self, page: RawPage) -> list[RowT_co]:
        """Return the rows of a page."""
        now = self._reader.now()
        hidden: Callable[[Any, float], bool] | None = self.plan.hidden
        return [self.plan.row(item) for item in page.items if hidden is None or not hidden(item, now)]

    def write_cursor(self, next_token: str | None) -> str | None:
        """Return the cursor for the service's token, or None at the end."""
        if next_token is None:
            return None
        return self._reader.cursors.write({"NextToken": {"S": next_token}}, self._digest(), self._reader.now())

    def read_cursor(self, cursor: str | None) -> str | None:
        """Return the service's token that a cursor holds."""
        if cursor is None:
            return None
        key = self._reader.cursors.read(cursor, self._digest(), self._reader.now())
        return str(key["NextToken"]["S"])

    def _digest(self) -> bytes:
        return query_digest(self.plan.wire())

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle its plan, for errors that name it: what comes out has no client to be read with."""
        return _unpickled, (self.plan,)

    def __str__(self) -> str:
        return str(self.plan)

    def __repr__(self) -> str:
        return f"<Statement: {self}>"

    if not TYPE_CHECKING:  # so that type checkers refuse these uses themselves

        def __await__(self) -> NoReturn:
            raise TypeError(
                f"{self} is not awaitable, because it may take several requests: use `async for`, `await ….all()`, "
                "`.first()`, `.one()` or `.page()`"
            )

        def __bool__(self) -> NoReturn:
            raise TypeError(f"{self} has no truth value before it is run: use `await ….first()`")


class StatementPages(AsyncIterator[Page[RowT_co]], Generic[RowT_co]):
    """Iterates over the pages of a statement."""

    def __init__(self, statement: Statement[RowT_co], cursor: str | None, most: int | None) -> None:
        self._statement = statement
        self._token = statement.read_cursor(cursor)
        self._left = most
        self._ended = most == 0
        self._turning = asyncio.Lock()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Page[RowT_co]:
        async with self._turning:
            return await self._turned()

    async def _turned(self) -> Page[RowT_co]:
        if self._ended:
            raise StopAsyncIteration
        statement = self._statement
        page = await statement.fetch(self._token, self._left)
        self._token = None if page.last_key is None else str(page.last_key["NextToken"]["S"])
        rows = statement.rows(page)
        if self._left is not None:
            rows = rows[: self._left]
            self._left -= len(rows)
        self._ended = self._token is None or self._left == 0
        return Page(rows, statement.write_cursor(self._token), page.scanned)


class StatementIterator(AsyncIterator[RowT_co], Generic[RowT_co]):
    """Iterates over the rows of a statement, page after page."""

    def __init__(self, statement: Statement[RowT_co]) -> None:
        self._pages = StatementPages(statement, None, statement.max_items)
        self._rows: Iterator[RowT_co] = iter(())
        self._turning = asyncio.Lock()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RowT_co:
        while True:
            rows = self._rows
            for row in rows:
                return row
            async with self._turning:
                if self._rows is rows:  # no other task that shares this iterator has turned the page
                    self._rows = iter((await self._pages.__anext__()).items)


def _unpickled(plan: StatementPlan[Any]) -> StatementPlan[Any]:
    return plan


def plans_of(statements: tuple[Any, ...]) -> list[StatementPlan[Any]]:
    """Return what a batch or a transaction takes of statements.

    Raises:
        ExpressionError: One of them is no statement.
    """
    for statement in statements:
        if not isinstance(statement, Statement):
            raise ExpressionError(
                f"give statements, such as `client.execute('SELECT …', value)`, not {type(statement).__name__}"
            )
    return [statement.plan for statement in statements]


@frozen(eq=False, repr=False)
class Parameter:
    """A value that is stored as an attribute of an entity is, for a statement.

    Attributes:
        path: The attribute.
        value: The value.
    """

    path: AttributePath[Any, Any]
    value: Any

    def __repr__(self) -> str:
        return f"<Parameter {self.path}>"


def parameter(path: AttributePath[Any, ValueT], value: ValueT, /) -> Parameter:
    """Return a parameter of a statement that is stored as an attribute is.

    Without it a value is stored by what it is, which says nothing of how an entity stores its datetimes, say.

    Args:
        path: The attribute, such as ``Order.placed_at``.
        value: The value.
    """
    return Parameter(path, value)


class Statements:
    """A client, as far as it runs PartiQL."""

    _marshaller: Marshaller

    @abstractmethod
    def own_target(self) -> Target[dict[str, Any]]:
        """Return what operations are given that are about no table in particular."""

    @abstractmethod
    def schema_of(self, model: type[Any]) -> EntitySchema:
        """Return the schema of an entity, or of a class that was mapped from outside."""

    @overload
    def execute(
        self,
        statement: str,
        /,
        *parameters: Any,
        into: type[ModelT],
        consistent_read: bool = False,
        include_expired: bool = False,
        max_items: int | None = None,
        page_size: int | None = None,
        timeout: float | None = None,
    ) -> Statement[ModelT]: ...
    @overload
    def execute(
        self,
        statement: str,
        /,
        *parameters: Any,
        into: None = None,
        consistent_read: bool = False,
        include_expired: bool = False,
        max_items: int | None = None,
        page_size: int | None = None,
        timeout: float | None = None,
    ) -> Statement[dict[str, Any]]: ...
    def execute(
        self,
        statement: str,
        /,
        *parameters: Any,
        into: type[Any] | None = None,
        consistent_read: bool = False,
        include_expired: bool = False,
        max_items: int | None = None,
        page_size: int | None = None,
        timeout: float | None = None,
    ) -> Statement[Any]:
        """Build a PartiQL statement, to be read like a query: ``async for``, `all`, `first`, `one`, `pages`, `page`.

        Args:
            statement: The text: values as ``?``, names quoted by `identifier`. Table names are those at the service.
            *parameters: The values, in order, stored by what they are, or as an attribute is: ``parameter(Order.total,
            5)``.
            into: The entity whose items it returns; None for dicts.
            consistent_read: Whether a SELECT sees every write that was finished before.
            include_expired: Whether expired items of ``into`` are shown.
            max_items: How many rows are returned in all.
            page_size: How many items a SELECT evaluates per request, before the rest of its condition.
            timeout: Seconds for each request, or None for the client's.

        Raises:
            ExpressionError: The number of values is not the number of ``?``, or one of the limits is none.
            MarshallingError: DynamoDB has no type for a value.
            LimitError: The text is too long.

        Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
        """
        ReadOptions(max_items=max_items, page_size=page_size, timeout=timeout).check("execute()")
        values = tuple(self._encode_parameter(each, number) for number, each in enumerate(parameters, start=1))
        row: Callable[[Item], Any] = _decode_dict
        hidden: Callable[[Item, float], bool] | None = None
        if into is not None:
            schema = self.schema_of(into)
            row = self._marshaller.codec(schema).decode
            hidden = hidden_items(schema, include_expired=include_expired)
        plan: StatementPlan[Any] = StatementPlan(statement, values, row, hidden, consistent_read)
        target = self.own_target()
        reader = cast("TaskPort", target.sender)
        return Statement(reader, target, plan, max_items, page_size, timeout)

    def execute_batch(self, *statements: Statement[ModelT], timeout: float | None = None) -> ExecuteBatch[ModelT]:
        """Run up to 25 statements in one request, each for itself: a failure of one is in its result.

        A SELECT must name one item, by its whole key.

        Args:
            *statements: From `execute`; all of them reads, or all of them writes.
            timeout: Seconds for the whole call, or None for the client's.

        Returns:
            An operation; awaited, a `StatementResult` for each statement, in their order.

        Raises:
            LimitError: More than 25 statements.
            ExpressionError: Reads and writes in one batch.
        """
        return execute_batch(self.own_target(), plans_of(statements), timeout)

    def execute_transaction(
        self, *statements: Statement[ModelT], token: str | None = None, timeout: float | None = None
    ) -> ExecuteTransaction[ModelT]:
        """Run up to 100 statements, all or none.

        Args:
            *statements: From `execute`; all of them reads, or all of them writes beside EXISTS.
            token: Your own client request token, 1 to 36 characters; without one the operation has its own.
            timeout: Seconds for the whole call, or None for the client's.

        Returns:
            An operation; awaited, what each statement returned, None for writes and where there is no item.

        Raises:
            LimitError: More than 100 statements, or a token that is too long.
            ExpressionError: Reads and writes in one transaction.

        Cost: twice what the statements cost alone.
        """
        return execute_transaction(self.own_target(), plans_of(statements), statements, token, timeout)

    def _encode_parameter(self, value: Any, number: int) -> AttributeValue:
        if isinstance(value, Parameter):
            owner = value.path.owner
            codec = self._marshaller.codec(owner if isinstance(owner, EntitySchema) else self.schema_of(owner))
            encoded = codec.encode_operand(value.value, value.path, Facet.WHOLE)
            return {"NULL": True} if encoded is None else encoded
        try:
            return encode_any(value)
        except MarshallingError as error:
            raise MarshallingError(
                f"parameter {number} of the statement: {error.message}; or say which attribute it is compared with, "
                "`parameter(Order.placed_at, value)`",
                path=f"parameter {number}",
            ) from None


def _decode_dict(item: Item) -> dict[str, Any]:
    return {name: decode_any(value) for name, value in item.items()}
