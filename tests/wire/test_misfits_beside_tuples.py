"""An item that does not fit its class is no corrupt answer, whatever else is in it: tuples are lists in JSON."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest

from mizzle_async import (
    AppliedWriteError,
    Attribute,
    CallRecord,
    Client,
    MarshallingError,
    PartitionKey,
    attribute,
    document,
    entity,
)
from mizzle_async.testing import StubCaller, run_virtual


class Pair(NamedTuple):
    """A list of two in storage."""

    left: int
    right: str


@document
class Part:
    """A document with a tuple."""

    pair: Attribute[Pair]


@entity("pairs")
class Pairs:
    """An item with tuples."""

    key: PartitionKey[str]
    count: Attribute[int] = attribute(default=0)
    pair: Attribute[tuple[int, str]] = attribute(default=(0, ""))
    parts: Attribute[list[Part]] = attribute(factory=list)


STORED = {"L": [{"N": "1"}, {"S": "x"}]}
ITEM: dict[str, Any] = {"key": {"S": "a"}, "pair": STORED, "parts": {"L": [{"M": {"pair": STORED}}]}}
MISFIT: dict[str, Any] = {**ITEM, "count": {"N": "1.5"}}
"""Its count is a number, and no whole one."""

READS: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "get": lambda client: client.table(Pairs).get("a").send(),
    "transact_get": lambda client: client.transact_get(client.table(Pairs).get("a")).send(),
    "get_many": lambda client: client.table(Pairs).get_many([client.table(Pairs).key("a")]),
    "query": lambda client: client.table(Pairs).query(Pairs.key == "a").all(),
    "execute": lambda client: client.execute("SELECT * FROM pairs WHERE key = 'a'", into=Pairs).all(),
}
WRITES: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "update": lambda client: client.table(Pairs).update("a").set(Pairs.count, 1).send(),
    "delete": lambda client: client.table(Pairs).delete("a").send(),
}


def answers(item: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of each operation, with one item."""
    return {
        "GetItem": {"Item": item},
        "TransactGetItems": {"Responses": [{"Item": item}]},
        "BatchGetItem": {"Responses": {"pairs": [item]}},
        "Query": {"Items": [item], "Count": 1, "ScannedCount": 1},
        "ExecuteStatement": {"Items": [item]},
        "UpdateItem": {"Attributes": item},
        "DeleteItem": {"Attributes": item},
    }


class Watcher:
    """Keeps the answers that an instrument gets."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def call_finished(self, call: CallRecord) -> None:
        """Take no notice."""

    def call_answered(self, _request: Any, answer: Any) -> None:
        """Keep the JSON."""
        self.seen.append(answer.payload)


def ask(item: dict[str, Any], call: Callable[[Client], Awaitable[Any]], *watchers: Watcher) -> Any:
    """Return the result of a call that is answered with an item."""

    async def main() -> Any:
        async with Client(caller=StubCaller(answers(item)), instrument=watchers) as client:
            return await call(client)

    return run_virtual(main())


@pytest.mark.parametrize("verb", READS)
def test_misfit_is_told_from_corruption(verb: str):
    """The attribute that does not fit is named, with the key."""
    with pytest.raises(MarshallingError) as caught:
        ask(MISFIT, READS[verb])
    assert type(caught.value) is MarshallingError
    assert (caught.value.path, caught.value.key) == ("Pairs.count", {"key": {"S": "a"}})


@pytest.mark.parametrize("verb", WRITES)
def test_outcome_of_a_write_is_known_where_its_item_does_not_fit(verb: str):
    """The write was applied, whatever it left there."""
    with pytest.raises(AppliedWriteError) as caught:
        ask(MISFIT, WRITES[verb])
    assert caught.value.path == "Pairs.count"


@pytest.mark.parametrize("verb", READS)
def test_instruments_get_the_lists_of_tuples(verb: str):
    """As in the JSON of the answer."""
    watcher = Watcher()
    ask(ITEM, READS[verb], watcher)
    ((answer),) = watcher.seen
    assert ITEM in (
        answer.get("Item"),
        *answer.get("Items", ()),
        *(each.get("Item") for each in answer.get("Responses", ()) if isinstance(each, dict)),
        *(answer["Responses"]["pairs"] if isinstance(answer.get("Responses"), dict) else ()),
    )
