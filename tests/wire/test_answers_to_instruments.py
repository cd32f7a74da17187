"""An instrument is promised the JSON of the answer, and the result does not depend on whether it looked."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mizzle_async import Attribute, CallRecord, Client, PartitionKey, attribute, document, entity
from mizzle_async.operations.streams import ChangeDecoder, GetRecords
from mizzle_async.testing import StubCaller, run_virtual
from mizzle_async.writing.table_part import target_of


@document
class Part:
    """A document inside of an item."""

    count: Attribute[int]


@entity("seen")
class Seen:
    """An item, of which a class may know a part."""

    key: PartitionKey[str]
    part: Attribute[Part | None] = None
    pair: Attribute[tuple[int, int]] = attribute(default=(0, 0))


ITEM: dict[str, Any] = {
    "key": {"S": "a"},
    "part": {"M": {"count": {"N": "1"}, "undeclared": {"S": "x"}}},
    "pair": {"L": [{"N": "1"}, {"N": "2"}]},
    "undeclared": {"S": "x"},
}
RECORD = {
    "eventID": "e1",
    "eventName": "MODIFY",
    "awsRegion": "eu-west-1",
    "dynamodb": {
        "Keys": {"key": {"S": "a"}},
        "SequenceNumber": "000000000000000000001",
        "NewImage": ITEM,
        "OldImage": ITEM,
    },
}
ANSWERS: dict[str, Any] = {
    "GetItem": {"Item": ITEM, "Later": [1]},
    "TransactGetItems": {"Responses": [{"Item": ITEM}], "Later": [1]},
    "BatchGetItem": {"Responses": {"seen": [ITEM]}, "Later": [1]},
    "Query": {"Items": [ITEM], "Count": 1, "ScannedCount": 1, "Later": [1]},
    "UpdateItem": {"Attributes": ITEM, "Later": [1]},
    "DeleteItem": {"Attributes": ITEM, "Later": [1]},
    "GetRecords": {"Records": [RECORD], "NextShardIterator": "next", "Later": [1]},
}


async def changes(client: Client) -> Any:
    """Return the changes of a page of a stream, and their records."""
    decoder = ChangeDecoder(target_of(client.table(Seen)))
    page = await client._runtime.send(GetRecords("it", form=decoder.form))
    found: list[Any] = [decoder.decode(record, "1") for record in page.records]
    return found, [each.raw for each in found], page.size


VERBS: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "GetItem": lambda client: client.table(Seen).get("a").send(),
    "TransactGetItems": lambda client: client.transact_get(client.table(Seen).get("a")).send(),
    "BatchGetItem": lambda client: client.table(Seen).get_many([client.table(Seen).key("a")]),
    "Query": lambda client: client.table(Seen).query(Seen.key == "a").all(),
    "UpdateItem": lambda client: client.table(Seen).update("a").remove(Seen.part).send(),
    "DeleteItem": lambda client: client.table(Seen).delete("a").send(),
    "GetRecords": changes,
}


class Watcher:
    """Looks at every answer."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def call_finished(self, call: CallRecord) -> None:
        """Take no notice."""

    def call_answered(self, _request: Any, answer: Any) -> None:
        """Keep the JSON, which is made once."""
        assert answer.payload is answer.payload
        self.seen.append(answer.payload)


@pytest.mark.parametrize("api", VERBS)
def test_instruments_get_the_answer(api: str):
    """With attributes that no class declares, and members that nobody knows yet."""
    watcher = Watcher()

    async def main(*instruments: Watcher) -> Any:
        async with Client(caller=StubCaller(ANSWERS), instrument=instruments) as client:
            return await VERBS[api](client)

    assert run_virtual(main(watcher)) == run_virtual(main())
    assert watcher.seen == [ANSWERS[api]]
