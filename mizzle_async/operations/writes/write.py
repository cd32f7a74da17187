"""The common part of writes: conditions, a request that is compiled once, and the judgement of failures."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, Self, TypeVar

import orjson
from attrs import field

from mizzle_async.errors import (
    AppliedWriteError,
    ConditionalCheckFailedError,
    ExpressionError,
    MarshallingError,
    ServiceError,
)
from mizzle_async.expressions import Condition
from mizzle_async.operations.actions import Action, Transactable, WriteSending
from mizzle_async.operations.base import Operation, derive, use
from mizzle_async.operations.expiry import expired_condition
from mizzle_async.operations.explain import Capacity
from mizzle_async.operations.transactions.exactly_once import ExactlyOnce, exactly_once
from mizzle_async.operations.transactions.tokens import request_token
from mizzle_async.operations.writes.failures import raise_condition_failure, raise_refusal
from mizzle_async.operations.writes.immutable import explain_change
from mizzle_async.operations.writes.presence import Presence, write_condition
from mizzle_async.operations.writes.stamps import check_version, version_condition
from mizzle_async.operations.writes.verdict import Verdict, judge
from mizzle_async.types import Item, RepeatSafety, WirePayload, WireRequest
from mizzle_async.values import Copiers, transient

ModelT_co = TypeVar("ModelT_co", covariant=True)
ResultT_co = TypeVar("ResultT_co", covariant=True)
StoredT_co = TypeVar("StoredT_co", covariant=True)

WITH_CONDITIONS = Copiers("_conditions")


@transient(eq=False, repr=False)
class Write(Operation[ResultT_co], Transactable[StoredT_co], Generic[ModelT_co, ResultT_co, StoredT_co]):
    """A write of one item.

    Attributes:
        presence: The presence that the verb asks of the item under its key.
        version: The version of the instance, where it is checked.
        now: The time when it was built.
        conditions: The caller's conditions, which must all hold.
        write_id: The id that a versioned item stores beside its version, so that a lost answer can be judged. None
            where nothing is stored.
    """

    _action: ClassVar[str]
    """The name of the write inside a transaction: ``Put``, ``Update``, ``Delete`` or ``ConditionCheck``."""

    _presence: Presence = field(default=Presence.ANY, kw_only=True, alias="presence")
    _version: int | None = field(default=None, kw_only=True, alias="version")
    _now: float = field(default=0.0, kw_only=True, alias="now")
    _conditions: tuple[Condition[ModelT_co], ...] = field(default=(), kw_only=True, alias="conditions")
    _write_id: str | None = field(default=None, kw_only=True, alias="write_id", repr=False)
    _compiled: WirePayload | None = field(default=None, init=False)

    @property
    def sending(self) -> WriteSending[ResultT_co, StoredT_co]:
        """How the client sends this operation. Asking for it counts as using the operation."""
        return WriteSending(self)

    def when(self, condition: Condition[ModelT_co], /) -> Self:
        """Write only if a condition is true of the stored item. Several are joined by AND.

        Args:
            condition: Made from the entity's attributes, such as ``Order.status == Status.OPEN``.

        Raises:
            ExpressionError: DynamoDB would refuse it, or it is about another entity.
        """
        self._used = True  # type: ignore[misc]  # frozen for type checkers only
        return self._with_conditions((*self._conditions, self._target.checked(condition)))

    def _with_conditions(self, conditions: tuple[Condition[ModelT_co], ...]) -> Self:
        more: Self = WITH_CONDITIONS[type(self)](self, conditions)
        return more

    def exactly_once(self, *, token: str | None = None) -> ExactlyOnce[StoredT_co]:
        """Return this write as a transaction of its own, which is applied once even if its answers are lost.

        Say it last: the transaction takes no further clauses. Its result is the stored instance for whole-item writes,
        None for others, because a transaction returns no item.

        Args:
            token: Your own client request token, 1 to 36 characters: the same token within ten minutes is the same
                write.

        Cost: twice the write units.
        """
        use(self)
        own = request_token(token, self._target.new_token, self)
        return exactly_once(self, own, self._timeout)

    def at_version(self, version: int, /) -> Self:
        """Write only if the stored item has this version, like HTTP's ``If-Match``, else raise `VersionConflictError`.

        Args:
            version: The version of an earlier read or write.

        Raises:
            ExpressionError: The entity has no version, or none that is stored could be this.
        """
        use(self)
        schema = self._target.schema
        expected = check_version(schema, version)
        if self._presence is Presence.ABSENT:
            raise ExpressionError(
                f"{schema.entity}: an insert is for an item that is not there, which has no version: use .replace(), "
                ".update() or .patch() for one that is"
            )
        return self._derived(_version=expected)

    @property
    def _is_conditional(self) -> bool:
        return bool(self._asked) or self._version is not None or self._presence is not Presence.ANY

    def _to_actions(self) -> tuple[Action, ...]:
        return (Action(self._action, dict(self._request()), self._item_key()),)

    def _transacted(self) -> StoredT_co:
        """Return the result in a transaction."""
        raise NotImplementedError

    def _misfit_places(self) -> tuple[str, ...]:
        """Return the places that may not fit the stored item, where a transaction is refused for one of them."""
        return ()

    def _item_key(self) -> Item:
        """Return the key of the item."""
        raise NotImplementedError

    def _action_capacity(self) -> Capacity:
        """Return the cost of the write outside of a transaction."""
        raise NotImplementedError

    @property
    def _safety(self) -> RepeatSafety:
        """Return whether this may be repeated after a lost answer."""
        return RepeatSafety.GUARDED if "ConditionExpression" in self._request() else RepeatSafety.IDEMPOTENT

    def _to_request(self) -> WireRequest:
        """Return the wire request, encoded.

        Raises:
            LimitError: The item is larger than DynamoDB stores.
        """
        body = orjson.dumps(self._body())
        self._check_size(len(body))
        return WireRequest(
            self.api,
            body,
            self._target.table,
            self._safety,
            None,
            self._timeout,
            self._parse,
            self._answer_bytes,
        )

    def _recover(self, error: Exception, now: float, /) -> ResultT_co:
        """Raise the meaning of a failure, or return the result where the stored item proves that this was applied."""
        if isinstance(error, ConditionalCheckFailedError):
            verdict = Verdict.REFUSED
            if error.ambiguous:
                expected = 0 if self._presence is Presence.ABSENT else self._version
                verdict = judge(self._target.schema, error.item, write_id=self._write_id, expected=expected)
            if verdict is Verdict.APPLIED and error.item is not None:
                return self._applied(error.item)
            raise_condition_failure(
                self._target,
                error,
                now,
                presence=self._presence,
                condition=explain_change(self._target.schema, error, self._whole)
                or " AND ".join(map(str, self._asked)),
                version=self._version,
                certain=verdict is Verdict.REFUSED,
            )
        if isinstance(error, ServiceError) and error.ambiguous:
            raise_refusal(self._target, error)
        raise error

    _derived = derive
    """Return a copy with changed attributes."""

    def _request(self) -> WirePayload:
        """Return the members that the single request and a transaction share, compiled once."""
        compiled = self._compiled
        if compiled is None:
            compiled = self._compile()
            object.__setattr__(self, "_compiled", compiled)
        return compiled

    def _body(self) -> WirePayload:
        body = dict(self._request())
        self._finish(body)
        if self._target.report_capacity:
            body["ReturnConsumedCapacity"] = "TOTAL"
        return body

    def _capacity(self) -> Capacity:
        return self._action_capacity()

    @property
    def _asked(self) -> tuple[Condition[Any], ...]:
        """Return the conditions of the caller, and those that the write itself must hold to."""
        return self._conditions

    def _condition(self, *, creates: bool = False) -> Condition[Any] | None:
        """Return the whole condition.

        Args:
            creates: Whether the write is an update that may create the item.
        """
        conditions = self._asked
        if self._version is not None:
            conditions = (version_condition(self._target, self._version), *conditions)
        if creates and (expired := expired_condition(self._target, self._now)) is not None:
            # Attributes of an expired item must not come back: a first request finds that out, see `_follow_up`.
            conditions = (~expired, *conditions)
            return conditions[0] if len(conditions) == 1 else conditions[0] & _all(conditions[1:])
        return write_condition(self._target, self._presence, conditions, self._now)

    @property
    def _whole(self) -> Item | None:
        """The whole item that is written, None for other writes."""
        return None

    # ── filled in by each write ──

    def _applied(self, item: Item) -> ResultT_co:
        """Return the result, from the item that this write is known to have stored."""
        raise NotImplementedError

    def _compile(self) -> WirePayload:
        raise NotImplementedError

    def _finish(self, body: WirePayload) -> None:
        """Add the members of a single request that an action of a transaction does not have."""

    def _decode(self, item: Item) -> ModelT_co:
        instance: ModelT_co = self._target.codec.decode_one(item)
        return instance

    def _decode_answer(self, item: Item) -> ModelT_co:
        """Decode the item of an answer.

        Raises:
            AppliedWriteError: It does not fit its class; the write was applied all the same.
        """
        try:
            return self._decode(item)
        except MarshallingError as error:
            raise AppliedWriteError(
                f"{error.message}; the write was applied, and what is stored does not fit the class",
                path=error.path,
                key=error.key,
                operation=self.api,
                table=self._target.table,
            ) from error.__cause__

    def _check_size(self, encoded: int) -> None:
        """Refuse an item that is too large. The encoded request is never shorter than the item."""


def _all(conditions: tuple[Condition[Any], ...]) -> Condition[Any]:
    whole = conditions[0]
    for condition in conditions[1:]:
        whole = whole & condition
    return whole
