"""The client's verbs for PartiQL: one statement, a batch of them, a transaction of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from mizzle_async.errors import ExpressionError, MarshallingError
from mizzle_async.expressions import Facet
from mizzle_async.handles.client_part import ClientPart
from mizzle_async.marshalling import decode_any, encode_any
from mizzle_async.model import EntitySchema
from mizzle_async.types import AttributeValue, Item

if TYPE_CHECKING:
    from mizzle_async.handles.statement import Statement
    from mizzle_async.operations.partiql import ExecuteBatch, ExecuteTransaction, StatementPlan

ModelT = TypeVar("ModelT")


class ClientPartiql(ClientPart):
    """The part of a client that runs PartiQL."""

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
        """Build a PartiQL statement, to be read like a query: ``async for``, `all`, `first`, `pages`, `stream`, ….

        Args:
            statement: The text: values as ``?``, names quoted by `identifier`. Table names are those at the service.
            *parameters: The values, in order, stored by their own types, or as an attribute is:
                ``parameter(Order.total, 5)``.
            into: The entity whose items it returns, or None for dicts.
            consistent_read: Whether a SELECT sees every write that was finished before.
            include_expired: Whether expired items of ``into`` are shown.
            max_items: How many rows are returned in all.
            page_size: How many items a SELECT evaluates per request, before the rest of its condition. With ``page``
                and ``pages`` no request evaluates more than the rows that are still wanted.
            timeout: Seconds for each request, or None for the client's.

        Raises:
            ExpressionError: The number of values is not the number of ``?``, or one of the limits is none.
            MarshallingError: DynamoDB has no type for a value.
            LimitError: The text is too long.

        Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
        """
        from mizzle_async.handles.statement import Statement
        from mizzle_async.operations.partiql import StatementPlan
        from mizzle_async.operations.reads.hidden import hidden_items
        from mizzle_async.operations.reads.options import ReadOptions

        options = ReadOptions(max_items=max_items, page_size=page_size, timeout=timeout)
        options.check("execute()")
        values = tuple(self._encode_parameter(each, number) for number, each in enumerate(parameters, start=1))
        row: Callable[[Item], Any] = _decode_dict
        hidden: Callable[[Item, float], bool] | None = None
        if into is not None:
            schema = self._catalog.schema_of(into)
            row = self._catalog.codec(schema).decode
            hidden = hidden_items(schema, include_expired=include_expired)
        plan: StatementPlan[Any] = StatementPlan(statement, values, row, hidden, consistent_read)
        return Statement(self._runtime, self._catalog.spanning_target, plan, options)

    def execute_batch(self, *statements: Statement[ModelT], timeout: float | None = None) -> ExecuteBatch[ModelT]:
        """Run up to 25 statements in one request, each for itself: a failure of one is in its result.

        A SELECT must name one item, by its whole key.

        Args:
            *statements: From `execute`: all of them reads, or all of them writes.
            timeout: Seconds for the whole call, or None for the client's.

        Returns:
            An operation. Awaited, a `StatementResult` for each statement, in their order.

        Raises:
            LimitError: More than 25 statements.
            ExpressionError: Reads and writes in one batch.
        """
        from mizzle_async.operations.partiql import execute_batch

        return execute_batch(self._catalog.spanning_target, plans_of(statements), timeout)

    def execute_transaction(
        self, *statements: Statement[ModelT], token: str | None = None, timeout: float | None = None
    ) -> ExecuteTransaction[ModelT]:
        """Run up to 100 statements, all or none.

        Args:
            *statements: From `execute`: all of them reads, or all of them writes beside EXISTS.
            token: Your own client request token, 1 to 36 characters. Without one the operation has its own.
            timeout: Seconds for the whole call, or None for the client's.

        Returns:
            An operation. Awaited, the row of each statement, None for writes and where there is no item.

        Raises:
            LimitError: More than 100 statements, or a token that is too long.
            ExpressionError: Reads and writes in one transaction.

        Cost: twice the cost of the statements alone.
        """
        from mizzle_async.operations.partiql import execute_transaction

        return execute_transaction(self._catalog.spanning_target, plans_of(statements), statements, token, timeout)

    def _encode_parameter(self, value: Any, number: int) -> AttributeValue:
        from mizzle_async.handles.statement import Parameter

        if isinstance(value, Parameter):
            owner = value.path.owner
            codec = self._catalog.codec(owner if isinstance(owner, EntitySchema) else self._catalog.schema_of(owner))
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


def plans_of(statements: tuple[Any, ...]) -> list[StatementPlan[Any]]:
    """Return the plans of statements, for a batch or a transaction.

    Raises:
        ExpressionError: One of them is no statement.
    """
    from mizzle_async.handles.statement import Statement, plan_of

    for statement in statements:
        if not isinstance(statement, Statement):
            raise ExpressionError(
                f"give statements, such as `client.execute('SELECT …', value)`, not {type(statement).__name__}"
            )
    return [plan_of(statement) for statement in statements]
