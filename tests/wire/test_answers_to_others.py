"""Answers that are whole, checksummed and JSON, and still not the answer: refused, and their connection is closed."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from mizzle_async import (
    Attribute,
    Client,
    CorruptResponseError,
    InvalidCursorError,
    OutcomeUnknownError,
    PartitionKey,
    SortKey,
    attribute,
    entity,
)
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import Request
from mizzle_async.types import Outcome


@entity("notes")
class Note:
    key: PartitionKey[str]
    text: Attribute[str] = attribute(default="")
    count: Attribute[int] = attribute(default=0)


@entity("entries")
class Entry:
    key: PartitionKey[str]
    number: SortKey[int]


def note(key: str, **more: Any) -> dict[str, Any]:
    """A note as it is stored."""
    return {"key": {"S": key}, **more}


def entry(key: str, number: str = "1") -> dict[str, Any]:
    """An entry as it is stored."""
    return {"key": {"S": key}, "number": {"N": number}}


OTHERS: dict[str, tuple[Callable[[Client], Awaitable[Any]], Any]] = {
    "an item under another key": (lambda c: c.table(Note).get("a"), {"Item": note("b")}),
    "another operation's answer": (lambda c: c.table(Note).get("a"), {"Attributes": note("a")}),
    "a page to a get": (lambda c: c.table(Note).get("a"), {"Items": [note("a")], "Count": 1}),
    "a list of items": (lambda c: c.table(Note).get("a"), {"Item": [1]}),
    "another sort key": (lambda c: c.table(Entry).get(key="a", number=1), {"Item": entry("a", "2")}),
    "another deleted item": (lambda c: c.table(Note).delete("a"), {"Attributes": note("b")}),
    "an item to a put": (lambda c: c.table(Note).put(Note(key="a")), {"Item": note("a")}),
    "a transaction's other item": (
        lambda c: c.transact_get(c.table(Note).get("a"), c.table(Note).get("b")),
        {"Responses": [{"Item": note("b")}, {"Item": note("a")}]},
    ),
    "one of two items": (
        lambda c: c.transact_get(c.table(Note).get("a"), c.table(Note).get("b")),
        {"Responses": [{"Item": note("a")}]},
    ),
    "another partition": (
        lambda c: c.table(Entry).query(Entry.key == "a").all(),
        {"Items": [entry("b"), entry("b", "2")], "Count": 2, "ScannedCount": 2},
    ),
    "another partition's item among its own": (
        lambda c: c.table(Entry).query(Entry.key == "a").all(),
        {"Items": [entry("a"), entry("b"), entry("a", "2")], "Count": 3, "ScannedCount": 3},
    ),
    "another partition's dict among its own": (
        lambda c: (t := c.table("entries", partition_key="key", sort_key="number")).query(t.partition_key == "a").all(),
        {"Items": [entry("a"), entry("b"), entry("a", "2")], "Count": 3, "ScannedCount": 3},
    ),
    "an item without the key among others": (
        lambda c: c.table(Entry).query(Entry.key == "a").all(),
        {"Items": [entry("a"), {"number": {"N": "2"}}, entry("a", "2")], "Count": 3, "ScannedCount": 3},
    ),
    "a last key of another partition": (
        lambda c: c.table(Entry).query(Entry.key == "a").page(max_items=1),
        {"Items": [entry("a")], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": entry("b")},
    ),
    "fewer items than it counts": (
        lambda c: c.table(Entry).query(Entry.key == "a").all(),
        {"Items": [entry("a")], "Count": 2, "ScannedCount": 2},
    ),
    "no page at all": (lambda c: c.table(Entry).scan().all(), {}),
    "a last key that is none": (
        lambda c: c.table(Entry).scan().all(),
        {"Items": [], "Count": 0, "ScannedCount": 0, "LastEvaluatedKey": {"key": 5}},
    ),
    "an item of a batch that was not asked for": (
        lambda c: c.table(Note).get_many(["a"]),
        {"Responses": {"notes": [note("b")]}, "UnprocessedKeys": {}},
    ),
    "an item of a batch among others that was not asked for": (
        lambda c: c.table(Note).get_many(["a", "c"]),
        {"Responses": {"notes": [note("a"), note("b"), note("c")]}},
    ),
    "an item of a batch with another sort key": (
        lambda c: c.table(Entry).get_many([c.table(Entry).key(key="a", number=each) for each in (1, 2, 3)]),
        {"Responses": {"entries": [entry("a"), entry("a", "4"), entry("a", "3")]}},
    ),
    "an item of a batch twice": (
        lambda c: c.table(Note).get_many(["a", "c"]),
        {"Responses": {"notes": [note("a"), note("c"), note("a")]}},
    ),
    "an item of a batch whose key is none": (
        lambda c: c.table(Note).get_many(["a", "c"]),
        {"Responses": {"notes": [note("a"), {"key": {"S": ["c"]}}]}},
    ),
    "an item of a batch without its key": (
        lambda c: c.table(Note).get_many(["a", "c"]),
        {"Responses": {"notes": [note("a"), {"text": {"S": "c"}}]}},
    ),
    "items of two tables": (
        lambda c: c.table(Note).get_many(["a"]),
        {"Responses": {"notes": [note("a")], "other": []}},
    ),
    "another table's items": (lambda c: c.table(Note).get_many(["a"]), {"Responses": {"other": [note("a")]}}),
    "keys that were never sent": (
        lambda c: c.table(Note).get_many(["a"]),
        {"Responses": {"notes": []}, "UnprocessedKeys": {"notes": {"Keys": [{"key": {"S": "b"}}]}}},
    ),
    "capacity that is no number": (
        lambda c: c.table(Note).get("a"),
        {"Item": note("a"), "ConsumedCapacity": {"CapacityUnits": "many"}},
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_an_answer_to_something_else_is_refused_and_its_connection_closed(play: Any, name: str):
    """Nobody gets another's answer: it is corrupt, its outcome is unknown, and its connection carries nothing more."""
    call, payload = OTHERS[name]
    error, server = play([Reply(payload)], call)
    corrupt = next(each for each in (error, error.__cause__) if isinstance(each, CorruptResponseError))
    assert corrupt.outcome is Outcome.UNKNOWN
    assert len(server.requests) == 1
    assert server.left_open == 0


def test_an_answer_to_something_else_is_asked_for_again_where_that_does_no_harm(play: Any):
    """A read, and a write that can be repeated, go out again on another connection."""
    answers = [Reply({"Item": note("b")}), Reply({"Item": note("a", text={"S": "mine"})})]
    found, server = play(answers, lambda c: c.table(Note).get("a"), attempts=2)
    assert found == Note(key="a", text="mine")
    assert [request.connection for request in server.requests] == [1, 2]


def test_shifted_answers_reach_nobody(play: Any):
    """A middlebox that gives each request the answer before it: thirty gets, and none returns another's item."""
    asked: list[str] = ["k0"]

    def shifted(request: Request) -> Reply:
        asked.append(request.payload["Key"]["key"]["S"])
        return Reply({"Item": note(asked[-2])})

    async def thirty(client: Client) -> list[Any]:
        notes = client.table(Note)
        outcomes: list[Any] = []
        for number in range(1, 31):
            try:
                outcomes.append((await notes.get_one(f"k{number}")).key == f"k{number}")
            except CorruptResponseError as error:
                outcomes.append(type(error))
        return outcomes

    outcomes, _ = play(shifted, thirty)
    assert outcomes == [CorruptResponseError] * 30


def test_a_chunk_of_keys_is_not_answered_by_another_chunk(play: Any):
    """The answer to one request of a get_many, repeated for the next one, is no answer: its items would be missing."""
    keys = [f"k{number}" for number in range(150)]
    first = [note(key) for key in keys[:100]]

    async def read(client: Client) -> Any:
        return await client.table(Note).get_many(keys, concurrency=1)

    error, server = play(lambda _request: Reply({"Responses": {"notes": first}}), read)
    assert isinstance(error, CorruptResponseError)
    assert len(server.requests) == 2
    assert server.left_open == 0


@pytest.mark.parametrize("number", [1, 98, 99])
def test_no_caller_of_coalesced_reads_gets_or_misses_an_item_for_anothers(play: Any, number: int):
    """A page with one foreign item, wherever it stands, is asked for again."""
    keys = [f"k{each}" for each in range(100)]
    right = [note(key) for key in keys]
    wrong = [*right[:number], note("other"), *right[number + 1 :]]

    async def read(client: Client) -> list[Any]:
        async with client.table(Note).coalesced() as notes:
            return await asyncio.gather(*map(notes.get, keys))

    replies = [Reply({"Responses": {"notes": each}}) for each in (wrong, right)]
    found, server = play(replies, read, attempts=2)
    assert [each.key for each in found] == keys
    assert [request.connection for request in server.requests] == [1, 2]


def test_a_partition_of_numbers_is_the_same_in_any_form(play: Any):
    """The service writes a number in its own way: 1 where 1.0 was sent. Another number is another partition."""
    items = [{"key": {"N": form}} for form in ("1", "1.0", "1e0")]

    async def read(client: Client) -> list[Any]:
        numbers = client.table("numbers", partition_key="key", partition_key_type=int)
        return await numbers.query(numbers.partition_key == 1).all()

    found, _ = play([Reply({"Items": items, "Count": 3, "ScannedCount": 3})], read)
    assert len(found) == 3
    items[1] = {"key": {"N": "1.5"}}
    error, _ = play([Reply({"Items": items, "Count": 3, "ScannedCount": 3})], read)
    assert isinstance(error, CorruptResponseError)


@pytest.mark.parametrize("item", [note("b"), {"text": {"S": "a"}}, {"key": None}, "a"])
def test_writes_that_were_never_sent_are_not_sent_again(play: Any, item: Any):
    """What a batch answers as unprocessed is sent again only if it was sent before; else the answer is corrupt."""
    left = {"UnprocessedItems": {"notes": [{"PutRequest": {"Item": item}}]}}
    report, server = play([Reply(left)], lambda c: c.table(Note).put_many([Note(key="a")]))
    assert report.written == 1
    assert [request.connection for request in server.requests] == [1, 2]
    assert {orjson.dumps(request.payload["RequestItems"]) for request in server.requests} == {
        orjson.dumps({"notes": [{"PutRequest": {"Item": note("a", text={"S": ""}, count={"N": "0"})}}]})
    }


def test_an_update_without_its_item_is_unknown(play: Any):
    """Where a second application would count twice, the outcome is unknown; where it would not, the error says so."""
    error, _ = play([Reply({})], lambda c: c.table(Note).update("a").add(Note.count, 1))
    assert isinstance(error, OutcomeUnknownError)
    assert isinstance(error.__cause__, CorruptResponseError)
    assert error.table == "notes"
    error, _ = play([Reply({})], lambda c: c.table(Note).upsert("a").set(Note.count, 1))
    assert isinstance(error, CorruptResponseError | OutcomeUnknownError)


def test_the_same_last_key_again_ends_reading(play: Any):
    """A service that answers the same position for ever is found out at the second page."""
    page = Reply({"Items": [entry("a")], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": entry("a")})
    for call in (
        lambda c: c.table(Entry).query(Entry.key == "a").all(),
        lambda c: c.table(Entry).scan().count(),
        lambda c: c.table(Entry).scan().page(max_items=5),
    ):
        error, server = play(lambda _request: page, call)
        assert isinstance(error, CorruptResponseError)
        assert len(server.requests) == 2


@pytest.mark.parametrize("length", [2, 3, 7])
def test_a_circle_of_last_keys_ends_reading(play: Any, length: int):
    """Positions that come back after several pages are found out as well, long before the deadline of anything."""
    ends = [entry("a", str(number)) for number in range(length)]

    def circle(request: Request) -> Reply:
        start = request.payload.get("ExclusiveStartKey")
        number = 0 if start is None else (int(start["number"]["N"]) + 1) % length
        return Reply({"Items": [], "Count": 0, "ScannedCount": 0, "LastEvaluatedKey": ends[number]})

    error, server = play(circle, lambda c: c.table(Entry).scan().all())
    assert isinstance(error, CorruptResponseError)
    assert len(server.requests) <= 4 * length


def test_many_pages_are_no_circle(play: Any):
    """A hundred pages, each with an end of its own, are read to the last one."""

    def page(request: Request) -> Reply:
        start = request.payload.get("ExclusiveStartKey")
        number = 0 if start is None else int(start["number"]["N"]) + 1
        more = {"LastEvaluatedKey": entry("a", str(number))} if number < 99 else {}
        return Reply({"Items": [entry("a", str(number))], "Count": 1, "ScannedCount": 1, **more})

    rows, server = play(page, lambda c: c.table(Entry).query(Entry.key == "a").all())
    assert len(rows) == len(server.requests) == 100


def test_the_same_token_of_a_statement_again_ends_reading(play: Any):
    """The same for PartiQL."""
    page = Reply({"Items": [entry("a")], "NextToken": "again"})
    error, server = play(lambda _request: page, lambda c: c.execute('SELECT * FROM "entries"').all())
    assert isinstance(error, CorruptResponseError)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("call", "member"),
    [
        (lambda c: c.table(Note).get("a"), "Item"),
        (lambda c: c.table(Note).update("a").set(Note.text, "x"), "Attributes"),
    ],
    ids=["get", "update"],
)
def test_an_answer_that_is_too_large_for_its_operation_is_refused(play: Any, call: Any, member: str):
    """An item has 400 KB: five million bytes are none, and are not read to their end."""
    error, server = play([Reply({member: note("a", text={"S": "x" * 5_000_000})})], call)
    corrupt = error if isinstance(error, CorruptResponseError) else error.__cause__
    assert isinstance(corrupt, CorruptResponseError)
    assert "more than this answer may have" in str(corrupt)
    assert server.left_open == 0


def test_the_largest_answers_of_the_service_are_read(play: Any):
    """An item of 400 KB of control characters is 2.4 MB of JSON, and a page of a megabyte may be several."""
    text = "\x01" * 400_000
    found, _ = play([Reply({"Item": note("a", text={"S": text})})], lambda c: c.table(Note).get_one("a"))
    assert found.text == text
    items = [note("a", text={"S": text}) for _ in range(3)]
    found, _ = play([Reply({"Items": items, "Count": 3, "ScannedCount": 3})], lambda c: c.table(Note).scan().all())
    assert len(found) == 3


@pytest.mark.parametrize(
    ("call", "payload"),
    [
        (lambda c: c.table(Note).get("a"), {"Item": note("a", count={"N": "abc"})}),
        (lambda c: c.table("notes", partition_key="key").get("a"), {"Item": note("a", v={"N": 12})}),
        (lambda c: c.table("notes", partition_key="key").get("a"), {"Item": note("a", v={"N": "7" * 5000})}),
        (lambda c: c.table(Note).scan().all(), {"Items": [note("a", count={"N": "-"})], "Count": 1}),
        (lambda c: c.table(Note).scan().page(max_items=5), {"Items": [note("a", count={"X": "-"})], "Count": 1}),
        (lambda c: anext(aiter(c.table(Note).scan())), {"Items": [note("a", count={"N": "-"})], "Count": 1}),
        (lambda c: c.execute("SELECT * FROM notes", into=Note).all(), {"Items": [note("a", count={"N": "-"})]}),
    ],
    ids=["get", "dict", "digits", "all", "page", "each", "statement"],
)
def test_what_is_no_attribute_value_is_a_corrupt_answer(play: Any, call: Any, payload: Any):
    """The answer is to blame, not the class, wherever its items are read; its connection is closed."""
    error, server = play([Reply(payload)], call)
    assert type(error) is CorruptResponseError
    assert error.table in {"notes", None} or '"notes"' in str(error.table)
    assert "no attribute value" in error.message
    assert server.left_open == 0


def test_a_cursor_whose_key_was_changed_is_refused_before_anything_is_sent(play: Any):
    """Without a cursor_key anybody can write a cursor: its names, types and partition are checked."""
    page = {"Items": [entry("a")], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": entry("a")}

    def changed(cursor: str, key: dict[str, Any]) -> str:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return base64.urlsafe_b64encode(raw[: raw.index(b"{")] + orjson.dumps(key)).rstrip(b"=").decode()

    async def read(client: Client) -> list[Any]:
        query = client.table(Entry).query(Entry.key == "a")
        cursor = (await query.page(max_items=1)).cursor
        assert cursor is not None
        outcomes: list[Any] = []
        for key in (
            {"key": {"S": "b"}, "number": {"N": "1"}},
            {"key": {"S": "a"}, "number": {"S": "1"}},
            {"key": {"S": "a"}, "number": {"N": "one"}},
            {"key": {"S": "a"}, "other": {"N": "1"}},
            {"key": {"S": "a"}},
            {"key": {"S": "a"}, "number": {"N": ""}},
        ):
            with pytest.raises(InvalidCursorError):
                await query.page(changed(cursor, key), max_items=1)
        statement = client.execute('SELECT * FROM "entries"')
        token = (await statement.page()).cursor
        assert token is not None
        with pytest.raises(InvalidCursorError):
            await statement.page(changed(token, {"Other": {"S": "t"}}))
        return outcomes

    _, server = play([Reply(page), Reply({"Items": [entry("a")], "NextToken": "t"})], read)
    assert len(server.requests) == 2


def test_a_start_key_that_the_service_refuses_is_an_invalid_cursor(play: Any):
    """A key outside of the sort key's bounds cannot be told from here: the service's refusal says the same."""
    page = {"Items": [entry("a")], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": entry("a")}
    refusal = Reply.error("ValidationException", "The provided starting key is outside query boundaries")

    async def read(client: Client) -> None:
        query = client.table(Entry).query(Entry.key == "a")
        cursor = (await query.page(max_items=1)).cursor
        with pytest.raises(InvalidCursorError):
            await query.page(cursor, max_items=1)

    error, _ = play([Reply(page), refusal], read)
    assert error is None
