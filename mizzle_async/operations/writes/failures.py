"""The meaning of a failed condition, verb by verb: never a false failure, and always the stored item."""

from __future__ import annotations

from typing import Any, NoReturn

from mizzle_async.errors import (
    ConditionalCheckFailedError,
    InternalServerError,
    ItemExistsError,
    ItemNotFoundError,
    MizzleError,
    OutcomeUnknownError,
    ServiceError,
    ServiceUnavailableError,
    ValidationError,
    VersionConflictError,
)
from mizzle_async.expressions import ClauseKind, UpdateClauses
from mizzle_async.operations.error_context import MISFITS, answer_context, call_context
from mizzle_async.operations.expiry import is_expired
from mizzle_async.operations.target import Target
from mizzle_async.operations.writes.presence import Presence
from mizzle_async.operations.writes.stamps import item_version
from mizzle_async.types import Item, WireResponse


def living(target: Target[Any], item: Item | None, now: float) -> Item | None:
    """Return an item, or None where it is expired."""
    lifetime = target.schema.time_to_live
    if item is not None and lifetime is not None and is_expired(target.codec.stored(item, lifetime.name), now):
        return None
    return item


def raise_condition_failure(
    target: Target[Any],
    error: ConditionalCheckFailedError,
    now: float,
    *,
    presence: Presence,
    condition: str,
    version: int | None = None,
    certain: bool = False,
) -> NoReturn:
    """Raise the meaning of a false condition.

    Args:
        target: The table.
        error: The service's answer.
        now: The time by the client's clock.
        presence: The presence that the verb asked of the item.
        condition: The caller's condition as text without values, empty for none.
        version: The version that was checked.
        certain: Whether it is known that no attempt was applied.

    Raises:
        OutcomeUnknownError: An earlier attempt may have been applied, and made the condition false itself.
        ItemExistsError: The item is there and must not be.
        ItemNotFoundError: The item is not there and must be.
        VersionConflictError: The stored version is another one.
        ConditionalCheckFailedError: The caller's condition was false.
    """
    entity = target.schema.entity
    item = living(target, error.item, now)
    if error.ambiguous and not certain:
        raise_unknown(
            target,
            error,
            item,
            "the answer to an earlier attempt was lost and the condition is false now, perhaps because that attempt was"
            " applied: compare what is stored, or read the item again",
        )
    # Engines that do not return the stored item leave one certainty: absence was all that was asked.
    if presence is Presence.ABSENT and (item is not None or (error.item is None and not condition)):
        raise _translated(
            error,
            target,
            item,
            ItemExistsError,
            f"{entity}: an item exists under this key already; nothing was written",
        )
    if item is not None and target.codec.foreign is not None and target.codec.foreign(item):
        raise _translated(
            error,
            target,
            None,
            ConditionalCheckFailedError,
            f"{entity}: the item under this key is of another class; nothing was written",
        )
    if presence is Presence.PRESENT and item is None:
        raise ItemNotFoundError(
            f"{entity}: no item lies under this key; nothing was written", **call_context(error)
        ) from error
    if version is not None and item is None:
        raise _translated(
            error,
            target,
            item,
            VersionConflictError,
            f"{entity}: the item was deleted since the instance was read; nothing was written",
        )
    if version is not None and item_version(target.schema, item or {}) != str(version):
        raise _translated(
            error,
            target,
            item,
            VersionConflictError,
            f"{entity}: another writer changed this item since it was read; read it again, and repeat the change",
        )
    text = f"the condition was false: {condition}" if condition else "the condition was false"
    raise _translated(error, target, item, ConditionalCheckFailedError, f"{entity}: {text}; nothing was written")


def is_misfit(error: ValidationError) -> bool:
    """Tell whether the stored item does not fit an update: a parent is missing, or a value is of another type."""
    return any(words in error.message for words in MISFITS)


def lacks_parent(error: ServiceError) -> bool:
    """Tell whether the service refused an update because a parent was missing."""
    return isinstance(error, ValidationError) and MISFITS[0] in error.message


def misfit_places(clauses: UpdateClauses) -> tuple[str, ...]:
    """Return the places of an update that may not fit the stored item: those inside others, and those it adds to."""
    return tuple(
        str(clause.path)
        for clause in clauses.clauses
        if len(clause.path.segments) > 1 or clause.kind not in {ClauseKind.SET, ClauseKind.REMOVE}
    )


def raise_unreachable(target: Target[Any], error: ValidationError, clauses: UpdateClauses) -> NoReturn:
    """Raise which places an update could not change or read, where the service says only that there are some.

    Args:
        target: The table.
        error: The service's answer.
        clauses: The update's.

    Raises:
        ValidationError: Always.
    """
    if "document path" in error.message:
        places = [str(clause.path) for clause in clauses.clauses if len(clause.path.segments) > 1]
        text = f"{', '.join(places)}: a map or a list on the way there is not stored; assign it as a whole"
    elif "incorrect data type" in error.message:
        places = [str(clause.path) for clause in clauses.clauses if clause.kind is not ClauseKind.REMOVE]
        text = f"{', '.join(places)}: a value of another type is stored there than this update takes"
    elif "does not exist in the item" in error.message:
        places = [str(place) for clause in clauses.clauses for place in clause.operands()]
        text = f"what is read by this update is not all stored ({', '.join(places)}): use .if_not_exists(…), or .add()"
    else:
        raise error
    raise_misfit(target, error, text)


def raise_misfit(target: Target[Any], error: ValidationError, text: str) -> NoReturn:
    """Raise the reason why an update does not fit the stored item.

    Args:
        target: The table.
        error: The service's refusal.
        text: The places, each with its reason.

    Raises:
        ValidationError: Always.
    """
    raise ValidationError(f"{target.schema.entity}: {text}; nothing was written", **answer_context(error)) from error


def raise_expired(target: Target[Any], error: ConditionalCheckFailedError) -> NoReturn:
    """Raise that an upsert met an expired item, whose attributes must not come back.

    Args:
        target: The table.
        error: The service's answer.

    Raises:
        ConditionalCheckFailedError: Always.
    """
    raise _translated(
        error,
        target,
        None,
        ConditionalCheckFailedError,
        f"{target.schema.entity}: an expired item lies under this key, and its other attributes must not come back;"
        " nothing was written. In a transaction, insert() or put() the whole item instead; alone, an upsert removes the"
        " expired one first",
    )


def raise_unknown(
    target: Target[Any],
    context: MizzleError | WireResponse,
    item: Item | None,
    text: str,
    *,
    operation: str | None = None,
) -> NoReturn:
    """Raise that a write may or may not have been applied.

    Args:
        target: The table.
        context: The failure, or the answer.
        item: The stored item, where it is known.
        text: The facts.
        operation: The API's name, which an answer does not have.
    """
    raise OutcomeUnknownError(
        f"{target.schema.entity}: {text}",
        item=item,
        load=target.load,
        operation=context.operation if isinstance(context, MizzleError) else operation,
        table=target.table,
        attempts=context.attempts,
        request_id=context.request_id,
    ) from (context if isinstance(context, MizzleError) else None)


def raise_refusal(target: Target[Any], error: ServiceError) -> NoReturn:
    """Raise the meaning of a refusal whose call may have been applied by an earlier attempt.

    Args:
        target: The table.
        error: The service's answer to the last attempt.

    Raises:
        OutcomeUnknownError: The service says that the write was not applied, but only of this attempt.
        ServiceError: It says itself that the write may have been applied.
    """
    if isinstance(error, InternalServerError | ServiceUnavailableError):
        raise error
    raise_unknown(
        target,
        error,
        None,
        f"the answer to an earlier attempt was lost, and the last one was refused ({error.code or error.status}): "
        "read the item to see whether it was applied",
    )


def _translated(
    error: ConditionalCheckFailedError,
    target: Target[Any],
    item: Item | None,
    kind: type[ConditionalCheckFailedError],
    message: str,
) -> ConditionalCheckFailedError:
    translated = kind(message, item=item, load=target.load, **answer_context(error))
    # The service's own words add nothing, and a chain of two tracebacks hides ours.
    translated.__suppress_context__ = True
    return translated
