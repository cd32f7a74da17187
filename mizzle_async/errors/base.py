"""The errors that the library itself finds, and the root of all.

No message contains the value of an attribute. Every error can be pickled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from mizzle_async.types import Item, Outcome

ModelT = TypeVar("ModelT")
StoredLoader = Callable[[type[Any], Item], Any]

_FIRST_CLIENT_ERROR = 400
_FIRST_SERVER_ERROR = 500


def _rebuild(cls: type[MizzleError], message: str, state: Mapping[str, Any]) -> MizzleError:
    """Make an error again from its pickled parts, without calling its constructor."""
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class MizzleError(Exception):
    """Everything this library raises on purpose.

    Every error can be pickled. A pickle holds all attributes, and with some classes these are stored data: the item of
    a failed condition, the key of an item that does not fit, the service's answer, the report of a batch. Each class
    names them. Store such a pickle where the data may be stored. No pickle holds credentials.

    Attributes:
        message: The failure and its remedy, without the context that ``str`` adds.
        operation: The API's name, such as ``PutItem``, or None outside a call.
        table: The table or tables.
        entity: The entity or entities, or None where the error is about none.
        attempts: Requests sent, 0 when none was.
        request_id: The service's own, for AWS support.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        table: str | None = None,
        entity: str | None = None,
        attempts: int = 0,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.operation = operation
        self.table = table
        self.entity = entity
        self.attempts = attempts
        self.request_id = request_id

    def __str__(self) -> str:
        """Return the message, then the place."""
        entity = self.entity if self.entity and self.entity not in self.message and self.entity != self.table else None
        where = [part for part in (self.operation, entity, f"table {self.table!r}" if self.table else None) if part]
        if self.attempts:
            where.append("1 attempt" if self.attempts == 1 else f"{self.attempts} attempts")
        if self.request_id:
            where.append(f"request {self.request_id}")
        return f"{self.message} [{', '.join(where)}]" if where else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by state, so that keyword-only constructors do not stand in the way."""
        state = {name: value for name, value in self.__dict__.items() if not name.startswith("_")}
        return _rebuild, (type(self), self.args[0] if self.args else "", state)


# ── the caller's own mistakes, found before anything is sent ──


class ModelError(MizzleError, TypeError):
    """A class cannot be an entity or a document as it is written."""


class MarshallingError(MizzleError, ValueError):
    """A value does not fit its attribute, going out or coming in.

    Attributes:
        path: Entity and path, such as ``Order.lines[3].price``.
        key: The key of the item that did not fit, in DynamoDB's JSON, when one was read. It is never in the text, but
            part of a pickle.
    """

    def __init__(self, message: str, *, path: str = "", key: Item | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.path = path
        self.key = key


class AppliedWriteError(MarshallingError):
    """A write was applied, and the item in its answer does not fit its class: the change has happened all the same."""


class ExpressionError(MizzleError, ValueError):
    """A condition, an update or a query that DynamoDB would refuse, or understand in another way than it reads."""


class LimitError(MizzleError, ValueError):
    """One of DynamoDB's limits, found before sending."""


class ClientStateError(MizzleError, RuntimeError):
    """The client is not open, is closed, belongs to another event loop or to another process."""


class InvalidCursorError(MizzleError, ValueError):
    """A cursor that is foreign to this query, tampered with, or expired."""


class CredentialsError(MizzleError):
    """No credentials were found, or they could not be refreshed."""


# ── the way to the service ──


class TransportError(MizzleError):
    """No trustworthy answer came.

    Attributes:
        outcome: Whether the request may have been applied.
    """

    def __init__(self, message: str, *, outcome: Outcome = Outcome.NOT_SENT, **context: Any) -> None:
        super().__init__(message, **context)
        self.outcome = outcome


class CorruptResponseError(TransportError):
    """An answer that is not DynamoDB's, or not the one to its request. Its connection is closed.

    A redirect, a page of HTML, a cut body, a wrong checksum, too many bytes, JSON of another shape than the operation
    answers in, an item under another key than the one asked for, a last key that was answered before.
    """


class ProxyError(TransportError):
    """The HTTP proxy on the way to the service cannot be reached, or refuses to pass the request on.

    Attributes:
        status: The HTTP status with which the proxy refused, 0 where it cannot be reached.
    """

    def __init__(self, message: str, *, status: int = 0, **context: Any) -> None:
        super().__init__(message, **context)
        self.status = status

    @property
    def is_refusal(self) -> bool:
        """Whether the proxy refuses the request as it is, so that sending it again is in vain."""
        return _FIRST_CLIENT_ERROR <= self.status < _FIRST_SERVER_ERROR


class PoolTimeoutError(TransportError, TimeoutError):
    """Every connection was busy for as long as the call could wait."""


class DeadlineExceededError(TransportError, TimeoutError):
    """The call's ``timeout`` passed.

    Attributes:
        timeout: The caller's own number, in seconds.
    """

    def __init__(self, message: str, *, timeout: float | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.timeout = timeout


class StoredItemError(MizzleError):
    """An error that may know the stored item."""

    _load: StoredLoader | None = None

    def __init__(
        self, message: str, *, item: Item | None = None, load: StoredLoader | None = None, **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.item = item
        self._load = load

    def stored(self, model: type[ModelT]) -> ModelT | None:
        """Return the stored item as an instance of ``model``, or None if there was none.

        Raises:
            ClientStateError: The error was unpickled: it has no client.
        """
        if self.item is None:
            return None
        if self._load is None:
            raise ClientStateError("this error was unpickled and has no client: read the item from `error.item`")
        loaded: ModelT = self._load(model, self.item)
        return loaded


class OutcomeUnknownError(StoredItemError):
    """A write was sent and its answer lost, and repeating it could apply it twice: it may or may not have been applied.

    Attributes:
        item: The stored item in DynamoDB's JSON, where an attempt showed it. It is part of a pickle.
    """


# ── items that were looked for ──


class ItemNotFoundError(MizzleError, LookupError):
    """No item lies under the key, where one must."""


class MultipleItemsError(MizzleError, LookupError):
    """Several items were found where ``one()`` expects one."""


# ── many at once ──


class BatchError(MizzleError):
    """Something of a batch was not done.

    Attributes:
        report: The work that was done, and that which was not. Items that were not written are part of a pickle.
    """

    def __init__(self, message: str, *, report: Any = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.report = report


class ResumeError(MizzleError, ValueError):
    """A state file is about other work than that which is resumed, or the input is another one than before."""


# ── leases ──


class LeaseLostError(MizzleError):
    """A lease was lost while its block ran, and the block was cancelled. Another process may hold it already.

    Attributes:
        lease: The name of the lease.
    """

    def __init__(self, message: str, *, lease: str = "", **context: Any) -> None:
        super().__init__(message, **context)
        self.lease = lease


class LeaseHeldError(MizzleError):
    """Another process holds a lease, for longer than the caller waits.

    Attributes:
        lease: The name of the lease.
        holder: The host and the process that hold it, as far as it is known.
    """

    def __init__(self, message: str, *, lease: str = "", holder: str = "", **context: Any) -> None:
        super().__init__(message, **context)
        self.lease = lease
        self.holder = holder


# ── warnings ──


class MizzleWarning(UserWarning):
    """Everything this library warns about on purpose."""


class UnindexedFilterWarning(MizzleWarning):
    """A filter reads, and pays for, more than it returns."""


class ItemCollectionLimitWarning(MizzleWarning):
    """A local secondary index limits every partition key value to 10 GB."""


class UnawaitedOperationWarning(MizzleWarning, RuntimeWarning):
    """An operation was built and never used: was an ``await`` forgotten?

    ``create_task`` and task groups take a coroutine, which `Operation.send` returns.
    """
