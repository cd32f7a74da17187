"""The client's verbs for several operations at once, all or none: typed transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from mizzle_async.handles.client_part import ClientPart
from mizzle_async.operations import GetItem, Operation, Transactable
from mizzle_async.operations.base import is_detached

if TYPE_CHECKING:
    from mizzle_async.operations.transactions.get import TransactGet
    from mizzle_async.operations.transactions.write import TransactWrite

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")


class ClientTransactions(ClientPart):
    """The part of a client that makes transactions. Nothing is sent here."""

    @overload
    def transact_write(
        self,
        a: Transactable[A],
        /,
        *,
        token: str | None = None,
        timeout: float | None = None,
    ) -> TransactWrite[tuple[A]]: ...
    @overload
    def transact_write(
        self,
        a: Transactable[A],
        b: Transactable[B],
        /,
        *,
        token: str | None = None,
        timeout: float | None = None,
    ) -> TransactWrite[tuple[A, B]]: ...
    @overload
    def transact_write(
        self,
        a: Transactable[A],
        b: Transactable[B],
        c: Transactable[C],
        /,
        *,
        token: str | None = None,
        timeout: float | None = None,
    ) -> TransactWrite[tuple[A, B, C]]: ...
    @overload
    def transact_write(
        self,
        a: Transactable[A],
        b: Transactable[B],
        c: Transactable[C],
        d: Transactable[D],
        /,
        *,
        token: str | None = None,
        timeout: float | None = None,
    ) -> TransactWrite[tuple[A, B, C, D]]: ...
    @overload
    def transact_write(
        self,
        a: Transactable[A],
        b: Transactable[B],
        c: Transactable[C],
        d: Transactable[D],
        e: Transactable[E],
        /,
        *,
        token: str | None = None,
        timeout: float | None = None,
    ) -> TransactWrite[tuple[A, B, C, D, E]]: ...
    @overload
    def transact_write(
        self,
        a: Transactable[A],
        b: Transactable[B],
        c: Transactable[C],
        d: Transactable[D],
        e: Transactable[E],
        f: Transactable[F],
        /,
        *,
        token: str | None = None,
        timeout: float | None = None,
    ) -> TransactWrite[tuple[A, B, C, D, E, F]]: ...
    @overload
    def transact_write(
        self,
        *operations: Transactable[Any],
        token: str | None = None,
        timeout: float | None = None,
    ) -> TransactWrite[tuple[Any, ...]]: ...
    def transact_write(self, *operations: Any, token: str | None = None, timeout: float | None = None) -> Any:
        """Write several items, in any tables, all or none.

        Args:
            *operations: Writes that ``await`` would send one by one (insert, put, replace, update, upsert, patch,
                delete), and checks: ``orders.check(key).when(…)``. Up to 100 actions, one for each item. A unique
                attribute adds its own.
            token: Your own client request token, 1 to 36 characters: the same token within ten minutes is the same
                transaction. Without one the operation has its own, and awaiting it again within nine minutes of its
                first sending is the same transaction. Later it raises `LimitError`.
            timeout: Seconds for the whole call, or None for the client's.

        Returns:
            An operation. Awaited, a tuple in the order of the operations: the stored instance for whole-item writes,
            None for the others. Type checkers know its types for up to six operations. Without operations that write,
            nothing is sent.

        Raises:
            ExpressionError: Something that cannot be in a transaction of writes, or two operations about one item.
            LimitError: Too many actions, more than 4 MB, or a token that is too long.

        Cost: one request, and twice the write units of the writes alone.
        """
        from mizzle_async.operations.transactions.write import transact_write

        return transact_write(self._catalog.spanning_target, list(map(self._own, operations)), token, timeout)

    @overload
    def transact_get(
        self,
        a: GetItem[A],
        /,
        *,
        timeout: float | None = None,
    ) -> TransactGet[tuple[A]]: ...
    @overload
    def transact_get(
        self,
        a: GetItem[A],
        b: GetItem[B],
        /,
        *,
        timeout: float | None = None,
    ) -> TransactGet[tuple[A, B]]: ...
    @overload
    def transact_get(
        self,
        a: GetItem[A],
        b: GetItem[B],
        c: GetItem[C],
        /,
        *,
        timeout: float | None = None,
    ) -> TransactGet[tuple[A, B, C]]: ...
    @overload
    def transact_get(
        self,
        a: GetItem[A],
        b: GetItem[B],
        c: GetItem[C],
        d: GetItem[D],
        /,
        *,
        timeout: float | None = None,
    ) -> TransactGet[tuple[A, B, C, D]]: ...
    @overload
    def transact_get(
        self,
        a: GetItem[A],
        b: GetItem[B],
        c: GetItem[C],
        d: GetItem[D],
        e: GetItem[E],
        /,
        *,
        timeout: float | None = None,
    ) -> TransactGet[tuple[A, B, C, D, E]]: ...
    @overload
    def transact_get(
        self,
        a: GetItem[A],
        b: GetItem[B],
        c: GetItem[C],
        d: GetItem[D],
        e: GetItem[E],
        f: GetItem[F],
        /,
        *,
        timeout: float | None = None,
    ) -> TransactGet[tuple[A, B, C, D, E, F]]: ...
    @overload
    def transact_get(
        self,
        *gets: GetItem[Any],
        timeout: float | None = None,
    ) -> TransactGet[tuple[Any, ...]]: ...
    def transact_get(self, *gets: Any, timeout: float | None = None) -> Any:
        """Read several items, of any tables, as they are at one moment.

        Args:
            *gets: Up to 100 of ``orders.get(…)`` and ``orders.get_one(…)``.
            timeout: Seconds for the whole call, or None for the client's.

        Returns:
            An operation. Awaited, a tuple of the results of the gets. Type checkers know its types for up to six gets.

        Raises:
            ExpressionError: Something that is no get, or two gets of one item.
            LimitError: More than 100.

        Cost: one request, and two read units for each 4 KB of each item.
        """
        from mizzle_async.operations.transactions.get import transact_get

        return transact_get(self._catalog.spanning_target, list(map(self._own, gets)), timeout)

    def _own(self, operation: Any) -> Any:
        """Return an operation with this client's targets, where it came out of a pickle."""
        if isinstance(operation, Operation) and is_detached(operation):
            return operation.sending.bound(self._catalog.bound)
        return operation
