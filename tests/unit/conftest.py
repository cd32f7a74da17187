"""What unit tests share: a compiler that checks, and a table in memory that does with batches what it is told."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from mizzle_async.expressions import Checker, Compiler
from mizzle_async.testing.stub import Scripted, StubCaller
from mizzle_async.types import WireRequest


class CheckedCompiler(Compiler):
    """Checks expressions and writes them, which operations do when one is given and when it is sent."""

    __slots__ = ("checker",)

    def __init__(self, encode: Any, entity: str, **options: Any) -> None:
        super().__init__(encode, entity)
        self.checker = Checker(encode, entity, **options)

    def condition(self, condition: Any, expression: str = "ConditionExpression") -> str:
        """Check and write a condition."""
        return super().condition(self.checker.condition(condition, expression), expression)

    def key_condition(self, partition: Any, sort: Any = None) -> str:
        """Check and write a key condition."""
        return super().key_condition(*self.checker.key_condition(partition, sort))

    def update(self, clauses: Any) -> str:
        """Check and write an update."""
        return super().update(self.checker.update(clauses))

    def projection(self, paths: Any) -> str:
        """Check and write a projection."""
        wanted = list(paths)
        self.checker.projection(wanted)
        return super().projection(wanted)


@pytest.fixture
def checked_compiler() -> type[CheckedCompiler]:
    """The class of compilers that check what they write."""
    return CheckedCompiler


class MemoryTable:
    """Applies batches, except for what `leave` holds back: it is told the batch's number, from 1, and its entries."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, ...], dict[str, Any]] = {}
        self.batches: list[dict[str, Any]] = []
        self.leave: Callable[[int, list[dict[str, Any]]], list[dict[str, Any]]] = lambda _number, _entries: []
        self.caller = StubCaller({"BatchWriteItem": self.write, "BatchGetItem": self.read})

    def write(self, request: WireRequest) -> Scripted:
        """Answer a BatchWriteItem."""
        batch = orjson.loads(request.body)["RequestItems"]
        self.batches.append(batch)
        left: dict[str, Any] = {}
        units = {}
        for table, entries in batch.items():
            remaining = self.leave(len(self.batches), entries)
            if remaining:
                left[table] = remaining
            done = [entry for entry in entries if entry not in remaining]
            units[table] = float(len(done))
            for entry in done:
                self._apply(table, entry)
        capacity = [{"TableName": table, "CapacityUnits": number} for table, number in units.items()]
        return {"UnprocessedItems": left, "ConsumedCapacity": capacity}

    def _apply(self, table: str, entry: dict[str, Any]) -> None:
        if "PutRequest" in entry:
            item = entry["PutRequest"]["Item"]
            self.items[self._identity(table, item)] = item
        else:
            self.items.pop(self._identity(table, entry["DeleteRequest"]["Key"]), None)

    def _identity(self, table: str, key: dict[str, Any]) -> tuple[str, ...]:
        return (table, *(str(value) for name in ("name", "number") if name in key for value in key[name].values()))

    def read(self, request: WireRequest) -> Scripted:
        """Answer a BatchGetItem, in reverse order."""
        batch = orjson.loads(request.body)["RequestItems"]
        self.batches.append(batch)
        found: dict[str, Any] = {}
        left: dict[str, Any] = {}
        for table, asked in batch.items():
            remaining = self.leave(len(self.batches), asked["Keys"])
            if remaining:
                left[table] = {"Keys": remaining}
            keys = [key for key in reversed(asked["Keys"]) if key not in remaining]
            items = [self.items.get(self._identity(table, key)) for key in keys]
            found[table] = [item for item in items if item is not None]
        return {"Responses": found, "UnprocessedKeys": left}

    @property
    def sizes(self) -> list[int]:
        """Entries of each batch so far."""
        return [
            sum(len(part.get("Keys", part) if isinstance(part, dict) else part) for part in batch.values())
            for batch in self.batches
        ]


@pytest.fixture
def table() -> MemoryTable:
    """A table in memory."""
    return MemoryTable()
