"""The errors that DynamoDB answers: a class for each code that is worth telling apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from mizzle_async.errors.base import MizzleError, ModelT, StoredItemError
from mizzle_async.types import Item, ThrottlingReason
from mizzle_async.values import Value


class ServiceError(MizzleError):
    """DynamoDB answered with an error code. The codes worth telling apart have classes of their own.

    Attributes:
        code: The service's code, such as ``ValidationException``.
        status: The HTTP status.
        ambiguous: Whether an earlier attempt of the same call may have been applied.
        payload: The answer's JSON, a stored item included. Never in the text, but part of a pickle. It holds none of
            the request's credentials, and of texts about them the first sentence only.
        region: The AWS region that was asked, or None where no connection was used.
        host: The host that was asked, or None where no connection was used.
    """

    region: str | None = None
    host: str | None = None

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        status: int = 0,
        ambiguous: bool = False,
        payload: Mapping[str, Any] | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.code = code
        self.status = status
        self.ambiguous = ambiguous
        self.payload: Mapping[str, Any] = payload or {}


class ThrottledError(ServiceError):
    """The service refused the request for its rate, and did not apply it."""

    @property
    def reasons(self) -> tuple[ThrottlingReason, ...]:
        """The service's reasons, in its order, or nothing where it gave none."""
        listed = self.payload.get("ThrottlingReasons") or self.payload.get("throttlingReasons")
        found = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
        return tuple(ThrottlingReason(str(one.get("reason", "")), str(one.get("resource", ""))) for one in found)


class ConditionalCheckFailedError(StoredItemError, ServiceError):
    """The condition was false, and nothing was written.

    Attributes:
        item: The stored item in DynamoDB's JSON, where the request asked for it. It is part of a pickle.
    """


class ItemExistsError(ConditionalCheckFailedError):
    """`insert` found an item under its key."""


class VersionConflictError(ConditionalCheckFailedError):
    """The stored item has another version than the instance: another writer came in between."""


class UniqueConstraintError(ConditionalCheckFailedError):
    """Another item holds the value of a unique attribute.

    Attributes:
        attribute: The attribute's name, without its value.
    """

    attribute: str = ""


@frozen(eq=False, repr=False)
class CancellationReason(Value):
    """Why one action of a cancelled transaction was, or was not, the cause.

    Attributes:
        operation: The operation or the statement, as it was given.
        code: ``None`` where this action was fine, else the service's code, such as ``ConditionalCheckFailed``.
        message: The service's words.
        item: The stored item in DynamoDB's JSON, where the action asked for it. It is not shown, but part of a pickle.
        error: The error that it would have raised alone, such as `ItemExistsError`, where its condition failed.
    """

    operation: Any
    code: str | None
    message: str = ""
    item: Item | None = None
    error: MizzleError | None = None

    def stored(self, model: type[ModelT]) -> ModelT | None:
        """Return the stored item as an instance of ``model``, or None if there was none.

        Raises:
            ClientStateError: The error was unpickled: it has no client.
        """
        return self.error.stored(model) if isinstance(self.error, StoredItemError) else None

    def __repr__(self) -> str:
        return f"CancellationReason(code={self.code!r}, operation={self.operation!s})"


class TransactionCanceledError(ServiceError):
    """The service cancelled the whole transaction, and wrote nothing of it.

    Attributes:
        reasons: One `CancellationReason` per operation, in their order.
    """

    def __init__(self, message: str, *, reasons: Sequence[CancellationReason] = (), **context: Any) -> None:
        super().__init__(message, **context)
        self.reasons: tuple[CancellationReason, ...] = tuple(reasons)


class TransactionConflictError(ServiceError):
    """Another transaction is at work on the item."""


class TransactionInProgressError(ServiceError):
    """The same transaction, by its token, is still at work."""


class IdempotentParameterMismatchError(ServiceError):
    """The same token came with another transaction."""


class ReplicatedWriteConflictError(ServiceError):
    """Another region writes the item at this moment (strongly consistent global tables)."""


class ItemCollectionSizeLimitExceededError(ServiceError):
    """A table with a local secondary index holds 10 GB under one partition key value."""


class InternalServerError(ServiceError):
    """The service failed, and may have applied a write."""


class ServiceUnavailableError(ServiceError):
    """The service cannot answer at this moment."""


class ResourceNotFoundError(ServiceError):
    """The table or index does not exist, or is not active yet."""


class ResourceInUseError(ServiceError):
    """The table is being created, changed or deleted, or exists already."""


class ValidationError(ServiceError):
    """The service refuses the request as it is."""


class DuplicateItemError(ServiceError):
    """A PartiQL INSERT found an item under its key."""


class SerializationError(ServiceError):
    """The service could not read the request."""


class LimitExceededError(ServiceError):
    """Too many table operations at once."""


class ExpiredIteratorError(ServiceError):
    """A position in a shard of a stream is older than 15 minutes: ask for it again."""


class TrimmedDataAccessError(ServiceError):
    """A position in a shard of a stream lies before the oldest record that is kept: records are gone."""


class UnknownOperationError(ServiceError):
    """This engine does not know the operation."""


class AccessDeniedError(ServiceError):
    """The credentials do not permit this."""


class UnrecognizedClientError(ServiceError):
    """The service does not know the access key."""


class InvalidSignatureError(ServiceError):
    """The signature is wrong, or the clock is."""


class IncompleteSignatureError(ServiceError):
    """The signature lacks a part."""


class MissingAuthenticationTokenError(ServiceError):
    """The request was not signed."""


class ExpiredTokenError(ServiceError):
    """The session token has expired."""


class RequestTooLargeError(ServiceError):
    """The request is larger than the service reads (413)."""
