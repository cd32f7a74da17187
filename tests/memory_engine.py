"""An engine in memory, for tests of rows that several clients share on a virtual clock, and a network before it.

The engine knows what such rows need: gets, puts, updates, deletions, queries by the beginning of a sort key, and
transactions with their tokens and reasons. The network delays requests and answers, loses either, and lets a request
arrive although its client has given it up.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random
from typing import Any

import orjson
from attrs import define, field

from mizzle_async.errors import TransportError
from mizzle_async.testing import Reply
from mizzle_async.types import Outcome
from mizzle_async.wire.exchange import Exchange

TOKEN = re.compile(r"attribute_(?:not_)?exists|begins_with|BETWEEN|AND|OR|NOT|[#:]\w+|<=|>=|<>|[=<>(),]")


class ConditionError(Exception):
    """A condition was false."""

    def __init__(self, item: dict[str, Any] | None) -> None:
        super().__init__()
        self.item = item


class Condition:
    """Evaluates one condition of a request, from left to right."""

    def __init__(self, body: dict[str, Any], item: dict[str, Any] | None, text: str) -> None:
        self.tokens = TOKEN.findall(text)
        assert "".join(self.tokens) == text.replace(" ", ""), text
        self.names = body.get("ExpressionAttributeNames", {})
        self.values = body.get("ExpressionAttributeValues", {})
        self.item = item or {}

    def holds(self) -> bool:
        """Return whether the condition is true."""
        result = self.any()
        assert not self.tokens
        return result

    def any(self) -> bool:
        """Evaluate alternatives."""
        result = self.all()
        while self.accept("OR"):
            result = self.all() or result
        return result

    def all(self) -> bool:
        """Evaluate what must hold together."""
        result = self.one()
        while self.accept("AND"):
            result = self.one() and result
        return result

    def one(self) -> bool:
        """Evaluate one comparison, or a condition in parentheses."""
        if self.accept("NOT"):
            return not self.one()
        if self.accept("("):
            result = self.any()
            self.expect(")")
            return result
        first = self.tokens.pop(0)
        if first.startswith("attribute"):
            self.expect("(")
            present = self.names[self.tokens.pop(0)] in self.item
            self.expect(")")
            return present is (first == "attribute_exists")
        value = self.item.get(self.names[first])
        operator = self.tokens.pop(0)
        other = self.values[self.tokens.pop(0)]
        if operator == "BETWEEN":
            self.expect("AND")
            latest = self.values[self.tokens.pop(0)]
            return value is not None and number(other) <= number(value) <= number(latest)
        if operator == "=":
            return bool(value == other)
        assert operator == "<"
        return value is not None and number(value) < number(other)

    def accept(self, token: str) -> bool:
        """Take a token, if it comes next."""
        if self.tokens[:1] != [token]:
            return False
        del self.tokens[0]
        return True

    def expect(self, token: str) -> None:
        """Take the token that must come next."""
        assert self.accept(token), (token, self.tokens)


def number(value: dict[str, str]) -> Decimal:
    """Return the number that is stored."""
    return Decimal(value["N"])


@define
class MemoryEngine:
    """Tables in memory. A request is applied whole, at one moment.

    Attributes:
        keys: The key attributes of each table whose key is not that of a state table.
        items: The items, by table and key.
        requests: How often each operation was applied.
    """

    keys: dict[str, tuple[str, ...]] = field(factory=dict)
    items: dict[tuple[str, ...], dict[str, Any]] = field(factory=dict)
    requests: Counter[str] = field(factory=Counter)
    tokens: dict[str, bytes] = field(factory=dict)

    def answer(self, operation: str, data: bytes) -> Reply:
        """Apply a request and return its answer."""
        self.requests[operation] += 1
        body = orjson.loads(data)
        try:
            return Reply(getattr(self, operation)(body))
        except ConditionError as error:
            item = {"Item": error.item} if error.item and "ReturnValuesOnConditionCheckFailure" in body else {}
            return Reply.error("ConditionalCheckFailedException", "The conditional request failed", **item)
        except CancelledError as error:
            return Reply.error("TransactionCanceledException", "cancelled", CancellationReasons=error.reasons)

    def place(self, body: dict[str, Any]) -> tuple[str, ...]:
        """Return the table and the key of a request about one item."""
        names = self.keys.get(body["TableName"], ("scope", "row"))
        key = body.get("Key") or body["Item"]
        return (body["TableName"], *(key[name]["S"] for name in names))

    def check(self, body: dict[str, Any]) -> None:
        """Raise an error where the condition of a request is false."""
        text, item = body.get("ConditionExpression"), self.items.get(self.place(body))
        if text is not None and not Condition(body, item, text).holds():
            raise ConditionError(item)

    def GetItem(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802  (the API's name, as below)
        """Read an item."""
        item = self.items.get(self.place(body))
        return {} if item is None else {"Item": item}

    def PutItem(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        """Write an item."""
        self.check(body)
        self.items[self.place(body)] = body["Item"]
        return {}

    def DeleteItem(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        """Delete an item."""
        self.check(body)
        old = self.items.pop(self.place(body), None)
        return {"Attributes": old} if old and body.get("ReturnValues") == "ALL_OLD" else {}

    def UpdateItem(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        """Change attributes of an item."""
        self.check(body)
        item = {**body["Key"], **self.items.get(self.place(body), {})}
        names, values = body["ExpressionAttributeNames"], body.get("ExpressionAttributeValues", {})
        for kind, clauses in re.findall(r"(SET|REMOVE|ADD) (.*?)(?= (?:SET|REMOVE|ADD) |$)", body["UpdateExpression"]):
            for clause in clauses.split(", "):
                name, last = clause.split()[0], clause.split()[-1]
                if kind == "SET":
                    item[names[name]] = values[last]
                elif kind == "REMOVE":
                    item.pop(names[name], None)
                else:
                    before = number(item.get(names[name], {"N": "0"}))
                    item[names[name]] = {"N": str(before + number(values[last]))}
        self.items[self.place(body)] = item
        return {"Attributes": item} if body.get("ReturnValues") == "ALL_NEW" else {}

    def ConditionCheck(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        """Check a condition, within a transaction."""
        self.check(body)
        return {}

    def Query(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        """Return the items of a partition, by the beginning of their sort key."""
        scope, prefix = (value["S"] for value in body["ExpressionAttributeValues"].values())
        items = [
            item
            for (table, partition, row), item in sorted(self.items.items())
            if (table, partition) == (body["TableName"], scope) and row.startswith(prefix)
        ]
        return {"Items": items, "Count": len(items), "ScannedCount": len(items)}

    def TransactWriteItems(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        """Apply actions, all or none; one transaction for each token."""
        token = body.pop("ClientRequestToken")
        known = self.tokens.get(token)
        if known is not None:
            assert known == orjson.dumps(body), "one token for two transactions"
            return {}
        actions = [next(iter(action.items())) for action in body["TransactItems"]]
        reasons: list[dict[str, Any]] = []
        for _, action in actions:
            try:
                self.check(action)
            except ConditionError as error:
                item = {"Item": error.item} if error.item else {}
                reasons.append({"Code": "ConditionalCheckFailed", "Message": "The conditional request failed", **item})
            else:
                reasons.append({"Code": "None"})
        if any(reason["Code"] != "None" for reason in reasons):
            raise CancelledError(reasons)
        for kind, action in actions:
            getattr(self, kind if kind == "ConditionCheck" else f"{kind}Item")(action)
        self.tokens[token] = orjson.dumps(body)
        return {}


class CancelledError(Exception):
    """A transaction was cancelled."""

    def __init__(self, reasons: list[dict[str, Any]]) -> None:
        super().__init__()
        self.reasons = reasons


@define
class Network:
    """The way of one client to an engine: to be the script of a `StubTransport`.

    Attributes:
        engine: The engine.
        random: Decides everything.
        longest: Seconds that a request, or an answer, is on its way at most.
        lost: The share of requests, and of answers, that never arrive.
        conflicts: The share of transactions that are cancelled for a conflict.
        is_cut: Whether nothing arrives at the moment.
    """

    engine: MemoryEngine
    random: Random = field(factory=lambda: Random(0))
    longest: float = 0.0
    lost: float = 0.0
    conflicts: float = 0.0
    is_cut: bool = False
    faults: Counter[str] = field(factory=Counter)

    async def __call__(self, exchange: Exchange) -> Reply:
        """Carry a request and its answer."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Reply] = loop.create_future()
        headers = {name.lower(): value for name, value in exchange.headers}
        operation = headers["x-amz-target"].rpartition(".")[2]
        loop.call_later(self.delay(), self.arrive, operation, exchange.body, answered)
        try:
            async with asyncio.timeout(exchange.patience):
                return await answered
        except TimeoutError:
            raise TransportError("no answer came", outcome=Outcome.UNKNOWN) from None

    def arrive(self, operation: str, body: bytes, answered: asyncio.Future[Reply]) -> None:
        """Let a request arrive at the engine, whether its client still waits or not."""
        if self.is_cut or self.draws("request lost", self.lost):
            return
        if operation == "TransactWriteItems" and self.draws("conflict", self.conflicts):
            actions = orjson.loads(body)["TransactItems"]
            reasons = [{"Code": "None"} for _ in actions]
            reasons[self.random.randrange(len(reasons))] = {"Code": "TransactionConflict", "Message": "conflict"}
            reply = Reply.error("TransactionCanceledException", "cancelled", CancellationReasons=reasons)
        else:
            reply = self.engine.answer(operation, body)
        if not self.is_cut and not self.draws("answer lost", self.lost):
            asyncio.get_running_loop().call_later(self.delay(), _answer, answered, reply)

    def delay(self) -> float:
        """Return the seconds of one way."""
        return self.random.random() ** 4 * self.longest

    def draws(self, fault: str, share: float) -> bool:
        """Return whether a fault happens now."""
        happens = self.random.random() < share
        self.faults[fault] += happens
        return happens


def _answer(answered: asyncio.Future[Reply], reply: Reply) -> None:
    if not answered.done():
        answered.set_result(reply)


Script = Callable[[Exchange], Awaitable[Reply]]
