"""A payload of another kind than its descriptor says is no attribute value: no verb hands it on as one."""

from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    CorruptResponseError,
    OutcomeUnknownError,
    PartitionKey,
    attribute,
    document,
    entity,
)
from mizzle_async.testing import StubCaller, run_virtual


@document
class Part:
    """A document inside of an item."""

    name: Attribute[str]


@entity("notes")
class Note:
    """An item with values of several kinds."""

    key: PartitionKey[str]
    text: Attribute[str] = attribute(default="")
    flag: Attribute[bool] = attribute(default=False)
    tags: Attribute[set[str]] = attribute(factory=set)
    parts: Attribute[list[Part]] = attribute(factory=list)
    maybe: Attribute[str | None] = None


WRONG: list[dict[str, Any]] = [
    {"text": {"S": 5}},
    {"text": {"S": {"a": 1}}},
    {"text": {"S": None}},
    {"flag": {"BOOL": "x"}},
    {"flag": {"BOOL": 1}},
    {"tags": {"SS": [1]}},
    {"tags": {"SS": "ab"}},
    {"parts": {"L": [{"M": {"name": {"S": 1}}}]}},
    {"maybe": {"S": False}},
]


@pytest.mark.parametrize("values", WRONG, ids=str)
def test_no_verb_hands_on_a_payload_of_another_kind(values: dict[str, Any]):
    """Of one item, of a page, of a batch and of a transaction; a write says that its outcome is unknown."""
    item = {"key": {"S": "a"}, **values}
    page = {"Items": [item], "Count": 1, "ScannedCount": 1}
    answers: dict[str, Any] = {
        "GetItem": {"Item": item},
        "TransactGetItems": {"Responses": [{"Item": item}]},
        "BatchGetItem": {"Responses": {"notes": [item]}},
        "Query": page,
        "Scan": page,
        "UpdateItem": {"Attributes": item},
        "DeleteItem": {"Attributes": item},
    }

    async def main() -> list[Any]:
        async with Client(caller=StubCaller(answers)) as client:
            notes = client.table(Note)
            outcomes: list[Any] = []
            for call in (
                lambda: notes.get("a").send(),
                lambda: client.transact_get(notes.get("a")).send(),
                lambda: notes.get_many(["a"]),
                lambda: notes.query(Note.key == "a").all(),
                lambda: notes.scan().first(),
                lambda: notes.scan().project(Note.text, Note.flag, Note.tags, Note.parts, Note.maybe).all(),
                lambda: notes.get("a").project(Note.text, Note.flag, Note.tags, Note.parts, Note.maybe).send(),
                lambda: notes.update("a").set(Note.text, "x").send(),
                lambda: notes.delete("a").send(),
            ):
                try:
                    outcomes.append(await call())
                except Exception as error:  # noqa: BLE001  (what leaves a call is what is tested)
                    outcomes.append(error.__cause__ if isinstance(error, OutcomeUnknownError) else error)
            return outcomes

    outcomes = run_virtual(main())
    assert [type(each) for each in outcomes] == [CorruptResponseError] * 9, outcomes
