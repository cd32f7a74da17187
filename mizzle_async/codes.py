"""DynamoDB's error codes: the class that each is raised as, and how the retry layer treats it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from mizzle_async.errors import (
    AccessDeniedError,
    ConditionalCheckFailedError,
    DuplicateItemError,
    ExpiredIteratorError,
    ExpiredTokenError,
    IdempotentParameterMismatchError,
    IncompleteSignatureError,
    InternalServerError,
    InvalidSignatureError,
    ItemCollectionSizeLimitExceededError,
    LimitExceededError,
    MissingAuthenticationTokenError,
    ReplicatedWriteConflictError,
    RequestTooLargeError,
    ResourceInUseError,
    ResourceNotFoundError,
    SerializationError,
    ServiceError,
    ServiceUnavailableError,
    ThrottledError,
    TransactionCanceledError,
    TransactionConflictError,
    TransactionInProgressError,
    TrimmedDataAccessError,
    UnknownOperationError,
    UnrecognizedClientError,
    ValidationError,
)


class RetryClass(Enum):
    """The treatment of a code by the retry layer."""

    NEVER = "never"
    TRANSIENT = "transient"
    """The service failed: retried where repeating is safe."""

    THROTTLED = "throttled"
    """Not applied, for its rate: retried after a longer pause."""

    CONFLICT = "conflict"
    """Not applied, for another writer: retried after a short pause."""

    IN_PROGRESS = "in progress"
    """The same transaction is at work: retried over five seconds."""

    EXPIRED_CREDENTIALS = "expired credentials"
    """The credentials are no longer good: retried once, with others."""

    CLOCK = "clock"
    """Retried once, with the server's clock."""

    REASONS = "reasons"
    """A cancelled transaction: its reasons decide."""


CODES: Final[Mapping[str, tuple[type[ServiceError], RetryClass]]] = {
    "AccessDeniedException": (AccessDeniedError, RetryClass.NEVER),
    "ConditionalCheckFailedException": (ConditionalCheckFailedError, RetryClass.NEVER),
    "DuplicateItem": (DuplicateItemError, RetryClass.NEVER),  # DynamoDB Local's name for it
    "DuplicateItemException": (DuplicateItemError, RetryClass.NEVER),
    "ExpiredIteratorException": (ExpiredIteratorError, RetryClass.NEVER),
    "ExpiredToken": (ExpiredTokenError, RetryClass.EXPIRED_CREDENTIALS),
    "ExpiredTokenException": (ExpiredTokenError, RetryClass.EXPIRED_CREDENTIALS),
    "IdempotentParameterMismatchException": (IdempotentParameterMismatchError, RetryClass.NEVER),
    "IncompleteSignature": (IncompleteSignatureError, RetryClass.NEVER),
    "IncompleteSignatureException": (IncompleteSignatureError, RetryClass.NEVER),
    "InternalFailure": (InternalServerError, RetryClass.TRANSIENT),
    "InternalServerError": (InternalServerError, RetryClass.TRANSIENT),
    "InternalServerErrorException": (InternalServerError, RetryClass.TRANSIENT),
    "InvalidSignatureException": (InvalidSignatureError, RetryClass.CLOCK),
    "ItemCollectionSizeLimitExceededException": (ItemCollectionSizeLimitExceededError, RetryClass.NEVER),
    "LimitExceededException": (LimitExceededError, RetryClass.THROTTLED),
    "MissingAuthenticationToken": (MissingAuthenticationTokenError, RetryClass.NEVER),
    "MissingAuthenticationTokenException": (MissingAuthenticationTokenError, RetryClass.NEVER),
    "ProvisionedThroughputExceededException": (ThrottledError, RetryClass.THROTTLED),
    "ReplicatedWriteConflictException": (ReplicatedWriteConflictError, RetryClass.CONFLICT),
    "RequestEntityTooLarge": (RequestTooLargeError, RetryClass.NEVER),
    "RequestExpired": (InvalidSignatureError, RetryClass.CLOCK),
    "RequestLimitExceeded": (ThrottledError, RetryClass.THROTTLED),
    "RequestTimeTooSkewed": (InvalidSignatureError, RetryClass.CLOCK),
    "ResourceInUseException": (ResourceInUseError, RetryClass.NEVER),
    "ResourceNotFoundException": (ResourceNotFoundError, RetryClass.NEVER),
    "SerializationException": (SerializationError, RetryClass.NEVER),
    "ServiceUnavailable": (ServiceUnavailableError, RetryClass.TRANSIENT),
    "ServiceUnavailableException": (ServiceUnavailableError, RetryClass.TRANSIENT),
    "Throttling": (ThrottledError, RetryClass.THROTTLED),
    "ThrottlingException": (ThrottledError, RetryClass.THROTTLED),
    "TransactionCanceledException": (TransactionCanceledError, RetryClass.REASONS),
    "TransactionConflictException": (TransactionConflictError, RetryClass.CONFLICT),
    "TransactionInProgressException": (TransactionInProgressError, RetryClass.IN_PROGRESS),
    "TrimmedDataAccessException": (TrimmedDataAccessError, RetryClass.NEVER),
    "UnknownOperationException": (UnknownOperationError, RetryClass.NEVER),
    "UnrecognizedClientException": (UnrecognizedClientError, RetryClass.EXPIRED_CREDENTIALS),
    "ValidationException": (ValidationError, RetryClass.NEVER),
}
"""Code → the class that is raised, and its treatment by the retry layer. An unknown code is a plain `ServiceError`."""

RETRIED_CANCELLATION_CODES: Final = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
)
"""A cancelled transaction is retried only if every reason that is not ``None`` is one of these."""
