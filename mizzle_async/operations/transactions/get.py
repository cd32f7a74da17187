"""TransactGetItems: several items as they are at one moment."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, TypeVar, cast

from attrs import evolve, field

from mizzle_async.errors import ExpressionError, LimitError, TransactionCanceledError
from mizzle_async.limits import TRANSACTION_ACTIONS
from mizzle_async.marshalling import canonical_key, parse_items
from mizzle_async.operations.answers import mismatch
from mizzle_async.operations.base import Operation, derive, use_all
from mizzle_async.operations.explain import Capacity, Explanation
from mizzle_async.operations.reads.get import GetItem, GetSending
from mizzle_async.operations.target import BindTarget, Target
from mizzle_async.operations.transactions.cancellations import canceled_read
from mizzle_async.operations.transactions.request import names_of
from mizzle_async.types import MAX_ANSWER_BYTES, Item, WirePayload, WireRequest, WireResponse
from mizzle_async.values import transient

ResultT_co = TypeVar("ResultT_co", covariant=True)


@transient(eq=False, repr=False)
class TransactGet(Operation[ResultT_co]):
    """Read several items as they are at one moment. The result is a tuple of each get's result.

    Cost: one request; two read units for each 4 KB of each item.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactGetItems.html
    """

    api = "TransactGetItems"
    _answer_bytes = MAX_ANSWER_BYTES

    gets: tuple[GetItem[Any], ...]
    _sendings: tuple[GetSending[Any], ...] | None = field(default=None, init=False, repr=False)

    @property
    def _parts(self) -> tuple[GetSending[Any], ...]:
        """Return how each get is sent, as a part of this."""
        parts = self._sendings
        if parts is None:
            parts = tuple(get.sending for get in self.gets)
            object.__setattr__(self, "_sendings", parts)
        return parts

    def _bound(self, bind: BindTarget) -> TransactGet[ResultT_co]:
        """Return this with the targets of the client that sends it: those of its gets too."""
        gets = tuple(get.sending.bound(bind) for get in self.gets)
        return derive(self, _target=bind(self._target), gets=gets)

    @property
    def _entity_names(self) -> str:
        """Return the entities, each once."""
        return names_of(self.gets)

    @property
    def _settled(self) -> bool:
        """Tell whether there is nothing to read: then nothing is sent."""
        return not self.gets

    def _result(self) -> ResultT_co:
        """Return the empty tuple of nothing to read."""
        return cast("ResultT_co", ())

    def _to_request(self) -> WireRequest:
        """Return the wire request, encoded."""
        return evolve(super()._to_request(), table=self._tables())

    def _json(self, body: bytes) -> Any:
        return parse_items(body, [part.form for part in self._parts])

    def _check(self, payload: WirePayload) -> None:
        answers = payload["Responses"]
        if len(answers) != len(self.gets):
            raise mismatch(f"{len(answers)} items were answered to {len(self.gets)} gets")
        for part, answer in zip(self._parts, answers, strict=True):
            item = answer.get("Item")
            if item is not None:
                part.check(item)

    def _from_wire(self, response: WireResponse, now: float, /) -> ResultT_co:
        """Return the result of each get, in their order.

        Raises:
            ItemNotFoundError: From a `get_one`, where there is no item.
        """
        answers: list[dict[str, Item]] = response.parsed["Responses"]
        results = [
            part.from_item(each.get("Item"), now, response) for part, each in zip(self._parts, answers, strict=True)
        ]
        return cast("ResultT_co", tuple(results))

    def _recover(self, error: Exception, now: float, /) -> ResultT_co:  # noqa: ARG002  (all are asked alike)
        """Raise a cancellation with its reasons tied to the gets."""
        if isinstance(error, TransactionCanceledError):
            raise canceled_read(error, self.gets)
        raise error

    def explain(self) -> Explanation:
        """Return the request in words, with its estimated cost and the values of attributes. Nothing is sent."""
        body = self.to_wire()
        return Explanation(
            operation=self.api,
            table=self._tables(),
            index=None,
            key=None,
            expressions={f"{number}. Get": get.sending.target.table for number, get in enumerate(self.gets, start=1)},
            capacity=self._capacity(),
            warnings=() if self.gets else ("it reads no item: nothing is sent",),
            request=body,
        )

    def _tables(self) -> str:
        return ", ".join(dict.fromkeys(part.target.table for part in self._parts))

    def _body(self) -> WirePayload:
        body: WirePayload = {"TransactItems": [{"Get": part.action} for part in self._parts]}
        if self._target.report_capacity:
            body["ReturnConsumedCapacity"] = "TOTAL"
        return body

    def _capacity(self) -> Capacity:
        return Capacity(read_units=2.0 * len(self.gets), at_least=True, note="two for each 4 KB of each item")

    def __str__(self) -> str:
        if not self.gets:
            return f"{self.api} of nothing: nothing is sent"
        return f"{self.api} of {len(self.gets)}: " + "; ".join(map(str, self.gets))


def transact_get(target: Target[Any], gets: Sequence[Any], timeout: float | None) -> TransactGet[Any]:
    """Build a transaction of reads.

    Args:
        target: Who sends.
        gets: Operations that ``await`` would send one by one.
        timeout: Seconds for the whole call, or None for the client's.

    Raises:
        ExpressionError: Something that is not a get, or two of the same item.
        LimitError: More than 100.
    """
    use_all(gets)
    if len(gets) > TRANSACTION_ACTIONS:
        raise LimitError(f"this transaction reads {len(gets)} items, DynamoDB takes {TRANSACTION_ACTIONS}")
    seen: dict[tuple[str, Hashable], GetItem[Any]] = {}
    for get in gets:
        if not isinstance(get, GetItem):
            what = str(get) if isinstance(get, Operation) else type(get).__name__
            raise ExpressionError(f"transact_get() takes gets, such as `orders.get(…)`, not {what}")
        table: str = get.sending.target.table
        identity = table, canonical_key(get.key)
        if identity in seen:
            raise ExpressionError(
                f"two gets of this transaction read the same item of {table!r}, which DynamoDB refuses: "
                f"{seen[identity]} and {get}"
            )
        seen[identity] = get
    return TransactGet(target, tuple(gets), timeout=timeout)
