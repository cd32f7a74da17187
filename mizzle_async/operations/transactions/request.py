"""TransactWriteItems as a request: its encoding, its price, and the meaning of a lost answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from mizzle_async.errors import (
    MizzleError,
    OutcomeUnknownError,
    ServiceError,
    TransactionCanceledError,
    TransportError,
)
from mizzle_async.operations.actions import Action
from mizzle_async.operations.error_context import call_context
from mizzle_async.operations.explain import Capacity, Explanation, explain_request, show_item
from mizzle_async.operations.transactions.tokens import ClientRequestToken
from mizzle_async.types import Outcome, ParseAnswer, RepeatSafety, WirePayload, WireRequest

API = "TransactWriteItems"


def transaction_body(actions: Sequence[Action], token: ClientRequestToken, *, report_capacity: bool) -> WirePayload:
    """Return the request.

    Args:
        actions: In order.
        token: The token that makes it one transaction.
        report_capacity: Whether to ask for its consumed capacity.
    """
    body: WirePayload = {
        "TransactItems": [{action.kind: action.body} for action in actions],
        "ClientRequestToken": token.value,
    }
    if report_capacity:
        body["ReturnConsumedCapacity"] = "TOTAL"
    return body


def transaction_request(
    encoded: bytes, table: str, token: ClientRequestToken, timeout: float | None, parse: ParseAnswer
) -> WireRequest:
    """Return the wire request."""
    return WireRequest(API, encoded, table, RepeatSafety.TOKEN, None, timeout, parse, token_age=token.age)


def tables_of(actions: Sequence[Action]) -> str:
    """Return the tables for messages, each once."""
    return ", ".join(dict.fromkeys(action.body["TableName"] for action in actions))


def names_of(operations: Iterable[Any]) -> str:
    """Return the entities that operations are about, for messages, each once."""
    return ", ".join(dict.fromkeys(operation.sending.target.schema.entity for operation in operations))


def transaction_capacity(*parts: Capacity) -> Capacity:
    """Return the cost of single writes together in a transaction: twice as much."""
    return Capacity(
        write_units=2 * sum(part.write_units for part in parts),
        at_least=any(part.at_least for part in parts),
        note="a transaction costs twice what its writes cost alone" if parts else "",
    )


def explain_transaction(body: WirePayload, table: str, capacity: Capacity, warnings: tuple[str, ...]) -> Explanation:
    """Explain a transaction: every expression, numbered by its action."""
    expressions: dict[str, str] = {}
    for number, action in enumerate(body.get("TransactItems", ()), start=1):
        ((kind, request),) = action.items()
        explanation = explain_request(kind, request)
        expressions[f"{number}. {kind}"] = str(explanation.table)
        for part, values in (("key", explanation.key), ("item", request.get("Item"))):
            if values is not None:
                expressions[f"{number}. {kind} {part}"] = show_item(values)
        for name, text in explanation.expressions.items():
            expressions[f"{number}. {kind} {name}"] = text
    return Explanation(
        operation=API,
        table=table,
        index=None,
        key=None,
        expressions=expressions,
        capacity=capacity,
        warnings=warnings,
        request=body,
    )


def raise_lost(error: Exception) -> NoReturn:
    """Raise `OutcomeUnknownError` where a transaction's outcome is unknown, else the error itself."""
    lost = (isinstance(error, TransportError) and error.outcome is Outcome.UNKNOWN) or (
        isinstance(error, ServiceError) and error.ambiguous and not isinstance(error, TransactionCanceledError)
    )
    if not lost or not isinstance(error, MizzleError):
        raise error
    raise OutcomeUnknownError(
        "the transaction may or may not have been applied. Await the same operation again: within nine minutes of its "
        "first sending that is the same transaction, which is applied once",
        **call_context(error),
    ) from error
