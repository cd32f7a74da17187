"""PartiQL: one statement, a batch of them, a transaction of them.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from attrs import evolve, field, frozen

from mizzle_async.codes import CODES
from mizzle_async.errors import (
    CancellationReason,
    ConditionalCheckFailedError,
    ExpressionError,
    LimitError,
    MizzleError,
    OutcomeUnknownError,
    ServiceError,
    StoredLoader,
    ThrottledError,
    TransactionCanceledError,
    ValidationError,
)
from mizzle_async.limits import PARTIQL_BATCH_STATEMENTS, TRANSACTION_ACTIONS
from mizzle_async.operations.answers import PAGE_ANSWER_BYTES, check_items, check_results, mismatch
from mizzle_async.operations.base import Operation
from mizzle_async.operations.error_context import call_context
from mizzle_async.operations.explain import Capacity
from mizzle_async.operations.interpretation import UNREADABLE, misread
from mizzle_async.operations.partiql.text import StatementKind, check_statement, table_of
from mizzle_async.operations.reads.page import RawPage
from mizzle_async.operations.target import Target
from mizzle_async.operations.transactions.cancellations import NOTHING_READ, NOTHING_WRITTEN, cancellation
from mizzle_async.operations.transactions.request import raise_lost
from mizzle_async.operations.transactions.tokens import ClientRequestToken, request_token
from mizzle_async.types import (
    MAX_ANSWER_BYTES,
    AttributeValue,
    Item,
    RepeatSafety,
    WirePayload,
    WireRequest,
    WireResponse,
)
from mizzle_async.values import Record, transient

RowT = TypeVar("RowT")
RowT_co = TypeVar("RowT_co", covariant=True)

_STATEMENT_ERRORS: Mapping[str, type[ServiceError]] = {
    "ThrottlingError": ThrottledError,
    "RequestLimitExceeded": ThrottledError,
    "ValidationError": ValidationError,
}
"""Codes of statements in batches and transactions that are no exception's name with its ending cut off."""


@frozen(eq=False, repr=False)
class StatementPlan(Generic[RowT_co]):
    """A statement with its parameters, and how its rows are read.

    Attributes:
        text: The PartiQL.
        parameters: The values of its ``?``, in order, in DynamoDB's JSON.
        row: Makes a row of an item.
        hidden: Returns whether an item must not be shown at a time: an expired one, a guard. None where all may be.
        consistent_read: Whether every write that was finished before is seen.
        kind: The kind of statement.
    """

    text: str
    parameters: tuple[AttributeValue, ...]
    row: Callable[[Item], RowT_co]
    hidden: Callable[[Item, float], bool] | None = None
    consistent_read: bool = False
    kind: StatementKind = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "kind", check_statement(self.text, len(self.parameters)))

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.kind is StatementKind.READ

    def wire(self, *, single: bool = False) -> WirePayload:
        """Return the part of a request that describes the statement.

        Args:
            single: Whether it stands alone or in a batch: a transaction reads consistently without being asked.
        """
        body: WirePayload = {"Statement": self.text}
        if self.parameters:
            body["Parameters"] = list(self.parameters)
        if single and self.is_read and self.consistent_read:
            body["ConsistentRead"] = True
        if self.kind is StatementKind.WRITE:
            body["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return body

    def shown(self, item: Item | None, now: float) -> RowT_co | None:
        """Return the row of an item, or None where there is none to show."""
        if not item or (self.hidden is not None and self.hidden(item, now)):
            return None
        return self.read(item)

    def read(self, item: Item) -> RowT_co:
        """Return the row of an item.

        Raises:
            MarshallingError: It does not fit its class.
        """
        try:
            return self.row(item)
        except UNREADABLE as error:
            failure = misread(error, (item,), "ExecuteStatement", table_of(self.text))
            raise failure from failure.__cause__

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the request, for errors that name it. The reader of rows stays behind."""
        return StatementPlan, (self.text, self.parameters, _as_stored, None, self.consistent_read)

    def __str__(self) -> str:
        return f"PartiQL {self.kind.value} of {table_of(self.text)!r}"

    def __repr__(self) -> str:
        return f"<{self}>"


def _as_stored(item: Item) -> Item:
    return item


@transient(eq=False, repr=False)
class ExecuteStatement(Operation[RawPage]):
    """One request of a statement: a page of a SELECT, or a whole write.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteStatement.html
    """

    api = "ExecuteStatement"
    _answer_bytes = PAGE_ANSWER_BYTES

    plan: StatementPlan[Any]
    limit: int | None = field(default=None, kw_only=True)
    next_token: str | None = field(default=None, kw_only=True)

    @property
    def _entity_names(self) -> None:
        """Return None: a statement names tables."""

    @property
    def _safety(self) -> RepeatSafety:
        """Return whether this may be repeated: an INSERT fails on its own success, an UPDATE may add up."""
        match self.plan.kind:
            case StatementKind.READ:
                return RepeatSafety.READ
            case StatementKind.INSERT:
                return RepeatSafety.GUARDED
            case StatementKind.WRITE:
                return RepeatSafety.UNSAFE

    def _to_request(self) -> WireRequest:
        """Return the wire request, encoded."""
        return evolve(super()._to_request(), table=table_of(self.plan.text))

    def _check(self, payload: WirePayload) -> None:
        items, token = payload.get("Items"), payload.get("NextToken")
        if items is None:
            check_results(payload, "NextToken")
        else:
            check_items(items, None)
        if token is not None and (type(token) is not str or token == self.next_token):
            raise mismatch("its token for the next page is none, or the one before: reading would never end")

    def _from_wire(self, response: WireResponse, now: float, /) -> RawPage:  # noqa: ARG002  (rows judge what is expired)
        """Return the page. Its last key holds the service's token for the next one."""
        payload = response.parsed
        items: list[Item] = payload.get("Items") or []
        token = payload.get("NextToken")
        last_key: Item | None = None if token is None else {"NextToken": {"S": token}}
        consumed: Any = payload.get("ConsumedCapacity")
        read_units = None if consumed is None else consumed.get("CapacityUnits")
        return RawPage(items, last_key, len(items), len(items), read_units, distrust=response.distrust)

    def _recover(self, error: Exception, now: float, /) -> RawPage:  # noqa: ARG002  (all are asked alike)
        """Raise the meaning of a failure. An INSERT that met an item after a lost answer may have met its own."""
        if self.plan.kind is StatementKind.INSERT and isinstance(error, ServiceError) and error.ambiguous:
            raise OutcomeUnknownError(
                "the answer to an earlier attempt of this INSERT was lost, and the last one was refused: the item that "
                "is there may be this one. Read it, or use .insert() on a versioned entity, which can tell",
                **call_context(error),
            ) from error
        raise error

    def _body(self) -> WirePayload:
        body = self.plan.wire(single=True)
        if self.limit is not None:
            body["Limit"] = self.limit
        if self.next_token is not None:
            body["NextToken"] = self.next_token
        if self._target.report_capacity:
            body["ReturnConsumedCapacity"] = "TOTAL"
        return body

    def _capacity(self) -> Capacity:
        return Capacity(
            note="as the operation that the statement amounts to: a SELECT without its partition key is a scan"
        )

    def __str__(self) -> str:
        return f"{self.api}: {self.plan}"


@frozen(eq=False, repr=False)
class StatementResult(Record, Generic[RowT_co]):
    """The result of one statement of a batch.

    Attributes:
        row: Its row, or None.
        error: Why it failed, or None.
    """

    row: RowT_co | None = field(repr=False)
    error: MizzleError | None = None

    def unwrap(self) -> RowT_co | None:
        """Return the row, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.row


@transient(eq=False, repr=False)
class ExecuteBatch(Operation[tuple[StatementResult[RowT], ...]], Generic[RowT]):
    """Up to 25 statements in one request, all of them reads or all of them writes, each for itself.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
    """

    api = "BatchExecuteStatement"
    _answer_bytes = MAX_ANSWER_BYTES

    _plans: tuple[StatementPlan[RowT], ...]

    @property
    def _entity_names(self) -> None:
        """Return None: a statement names tables."""

    @property
    def _safety(self) -> RepeatSafety:
        """Return whether this may be repeated after a lost answer."""
        return RepeatSafety.READ if all(plan.is_read for plan in self._plans) else RepeatSafety.UNSAFE

    @property
    def _settled(self) -> bool:
        """Tell whether there is nothing to send."""
        return not self._plans

    def _result(self) -> tuple[StatementResult[RowT], ...]:
        """Return the results of no statement."""
        return ()

    def _to_request(self) -> WireRequest:
        """Return the wire request, encoded."""
        return evolve(super()._to_request(), table=tables_of(self._plans))

    def _check(self, payload: WirePayload) -> None:
        check_responses(payload["Responses"], self._plans)

    def _from_wire(self, response: WireResponse, now: float, /) -> tuple[StatementResult[RowT], ...]:
        """Return the result of each statement, in their order."""
        answers: list[WirePayload] = response.parsed["Responses"]
        return tuple(
            self._result_of(plan, answer, response, now) for plan, answer in zip(self._plans, answers, strict=True)
        )

    def _result_of(
        self, plan: StatementPlan[RowT], answer: WirePayload, response: WireResponse, now: float
    ) -> StatementResult[RowT]:
        failure = answer.get("Error")
        if failure is None:
            return StatementResult(plan.shown(answer.get("Item"), now))
        code, words = str(failure.get("Code", "")), str(failure.get("Message", ""))
        error = _statement_error(code, words, failure.get("Item"), self._target.load)
        error.payload, error.operation, error.table = failure, self.api, table_of(plan.text)
        error.attempts, error.request_id = response.attempts, response.request_id
        return StatementResult(None, error)

    def _body(self) -> WirePayload:
        body: WirePayload = {"Statements": [plan.wire(single=True) for plan in self._plans]}
        if self._target.report_capacity:
            body["ReturnConsumedCapacity"] = "TOTAL"
        return body

    def __str__(self) -> str:
        return f"{self.api} of {len(self._plans)}: " + "; ".join(map(str, self._plans))


@transient(eq=False, repr=False)
class ExecuteTransaction(Operation[tuple[RowT | None, ...]], Generic[RowT]):
    """Up to 100 statements, all or none: all of them reads, or all of them writes beside EXISTS.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteTransaction.html
    """

    api = "ExecuteTransaction"
    _answer_bytes = MAX_ANSWER_BYTES

    _plans: tuple[StatementPlan[RowT], ...]
    _given: tuple[Any, ...] = field(kw_only=True, alias="given")
    _token: ClientRequestToken = field(kw_only=True, alias="token")

    @property
    def _entity_names(self) -> None:
        """Return None: a statement names tables."""

    @property
    def _safety(self) -> RepeatSafety:
        """Return that the service recognises a repetition."""
        return RepeatSafety.TOKEN

    @property
    def _settled(self) -> bool:
        """Tell whether there is nothing to send."""
        return not self._plans

    def _result(self) -> tuple[RowT | None, ...]:
        """Return the results of no statement."""
        return ()

    def _begin(self, now: float, /) -> None:
        """Note a sending.

        Raises:
            LimitError: Too long after the first one.
        """
        self._token.use(now)

    def _to_request(self) -> WireRequest:
        """Return the wire request, encoded."""
        return evolve(super()._to_request(), table=tables_of(self._plans), token_age=self._token.age)

    def _check(self, payload: WirePayload) -> None:
        answers = payload.get("Responses")
        if answers:
            check_responses(answers, self._plans)
        elif payload:
            check_results(payload, "Responses")

    def _from_wire(self, response: WireResponse, now: float, /) -> tuple[RowT | None, ...]:
        """Return the row of each statement, in their order, None for writes and where there is no item."""
        answers: Sequence[WirePayload] = response.parsed.get("Responses") or [{}] * len(self._plans)
        return tuple(plan.shown(answer.get("Item"), now) for plan, answer in zip(self._plans, answers, strict=True))

    def _recover(self, error: Exception, now: float, /) -> tuple[RowT | None, ...]:  # noqa: ARG002  (as above)
        """Raise a cancellation with its reasons tied to the statements, or of writes that the outcome is unknown."""
        if isinstance(error, TransactionCanceledError):
            reasons = [self._reason(error, number, reason) for number, reason in enumerate(error.reasons)]
            raise cancellation(error, reasons, NOTHING_READ if self._is_read else NOTHING_WRITTEN)
        if self._is_read:
            raise error
        raise_lost(error)

    @property
    def _is_read(self) -> bool:
        return all(plan.is_read for plan in self._plans)

    def _reason(self, error: TransactionCanceledError, number: int, reason: CancellationReason) -> CancellationReason:
        """Return a statement's reason, with the error that it would have raised alone."""
        alone = None
        if reason.code is not None:
            alone = _statement_error(reason.code, reason.message, reason.item, self._target.load)
            alone.operation, alone.table = error.operation, table_of(self._plans[number].text)
            alone.attempts, alone.request_id = error.attempts, error.request_id
        return evolve(reason, operation=self._given[number], error=alone)

    def _body(self) -> WirePayload:
        body: WirePayload = {
            "TransactStatements": [plan.wire() for plan in self._plans],
            "ClientRequestToken": self._token.value,
        }
        if self._target.report_capacity:
            body["ReturnConsumedCapacity"] = "TOTAL"
        return body

    def __str__(self) -> str:
        return f"{self.api} of {len(self._plans)}: " + "; ".join(map(str, self._plans))


def _statement_error(code: str, words: str, item: Item | None, load: StoredLoader | None) -> ServiceError:
    """Build the error of one statement of several. The caller adds the place."""
    kind = _STATEMENT_ERRORS.get(code) or CODES.get(code, CODES.get(f"{code}Exception", (ServiceError,)))[0]
    if issubclass(kind, ConditionalCheckFailedError):
        return kind(f"{code}: {words}", code=code, item=item, load=load)
    return kind(f"{code}: {words}", code=code)


def check_responses(answers: Sequence[WirePayload], plans: Sequence[StatementPlan[Any]]) -> None:
    """Refuse another number of answers than of statements, and answers that are neither an item nor an error."""
    if len(answers) != len(plans):
        raise mismatch(f"{len(answers)} results were answered to {len(plans)} statements")
    for answer in answers:
        error = answer.get("Error")
        check_items([each for each in (answer.get("Item"), error) if each is not None], None)
        if error is not None and not isinstance(error.get("Code"), str):
            raise mismatch("the error of a statement has no code")


def tables_of(plans: Sequence[StatementPlan[Any]]) -> str:
    """Return the tables for messages, each once."""
    return ", ".join(dict.fromkeys(table_of(plan.text) for plan in plans))


def execute_batch(
    target: Target[Any], plans: Sequence[StatementPlan[RowT]], timeout: float | None
) -> ExecuteBatch[RowT]:
    """Build a batch.

    Raises:
        LimitError: More than 25 statements.
        ExpressionError: Reads and writes in one batch.
    """
    if len(plans) > PARTIQL_BATCH_STATEMENTS:
        raise LimitError(f"this batch has {len(plans)} statements, DynamoDB takes {PARTIQL_BATCH_STATEMENTS}")
    if len({plan.is_read for plan in plans}) > 1:
        raise ExpressionError("a batch of statements reads or writes, not both: make two of it")
    return ExecuteBatch(target, tuple(plans), timeout=timeout)


def execute_transaction(
    target: Target[Any],
    plans: Sequence[StatementPlan[RowT]],
    given: Sequence[Any],
    token: str | None,
    timeout: float | None,
) -> ExecuteTransaction[RowT]:
    """Build a transaction.

    Args:
        target: Who sends.
        plans: The statements.
        given: The same, as the caller holds them.
        token: The caller's own client request token, or None for a new one.
        timeout: Seconds for the whole call, or None for the client's.

    Raises:
        LimitError: More than 100 statements, or a token that is empty or too long.
        ExpressionError: Reads and writes in one transaction.
    """
    own = request_token(token, target.new_token, ExecuteTransaction.api)
    if len(plans) > TRANSACTION_ACTIONS:
        raise LimitError(f"this transaction has {len(plans)} statements, DynamoDB takes {TRANSACTION_ACTIONS}")
    selects = [plan for plan in plans if plan.is_read and not plan.text.lstrip().upper().startswith("EXISTS")]
    if selects and len(selects) < len(plans):
        raise ExpressionError(
            "a transaction of statements reads or writes, not both: hold it to a condition with EXISTS(…)"
        )
    return ExecuteTransaction(target, tuple(plans), given=tuple(given), token=own, timeout=timeout)
