"""Answers that are whole and still cannot be the answer are errors of the library, and end their connection."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    CorruptResponseError,
    InvalidCursorError,
    MizzleError,
    OutcomeUnknownError,
    PartitionKey,
    RetryPolicy,
    SortKey,
    ValidationError,
    attribute,
    document,
    entity,
)
from mizzle_async.testing import Ending, Reply, Request, ScriptedServer, run_virtual


@entity("notes")
class Note:
    key: PartitionKey[str]
    text: Attribute[str] = attribute(default="")
    count: Attribute[int] = attribute(default=0)


@entity("numbers")
class Numbers:
    key: PartitionKey[str]
    count: Attribute[int] = attribute(default=0)
    share: Attribute[float] = attribute(default=0.0)
    price: Attribute[Decimal] = attribute(default=Decimal(0))
    anything: Attribute[Any] = attribute(default=None)


@entity("entries")
class Entry:
    key: PartitionKey[str]
    number: SortKey[int]


def note(key: str, **more: Any) -> dict[str, Any]:
    """Return a note as it is stored."""
    return {"key": {"S": key}, **more}


def entry(key: str, number: int = 1) -> dict[str, Any]:
    """Return an entry as it is stored."""
    return {"key": {"S": key}, "number": {"N": str(number)}}


def play(
    script: Any, call: Callable[[Client], Awaitable[Any]], *, attempts: int = 1, **options: Any
) -> tuple[Any, Any]:
    """Play a script to a client; return the result or the error of the call, and the server."""

    async def main() -> tuple[Any, Any]:
        retry = RetryPolicy.no_backoff(attempts=attempts)
        settings: dict[str, Any] = {"region_name": "us-east-1", "credentials": ("id", "secret"), "retry": retry}
        async with ScriptedServer(script) as server, Client(endpoint_url=server.url, **settings | options) as client:
            try:
                outcome = await call(client)
            except Exception as error:  # noqa: BLE001  (what leaves a call is what is tested)
                outcome = error
            await asyncio.sleep(0.01)  # virtual: what is closed is closed by now
            return (outcome, server.open), server

    return run_virtual(main())


OTHERS: dict[str, tuple[Callable[[Client], Awaitable[Any]], Any]] = {
    "get": (lambda c: c.table(Note).get("a").send(), {"Item": note("b")}),
    "update": (lambda c: c.table(Note).update("a").add(Note.count, 1).send(), {"Attributes": note("b")}),
    "delete": (lambda c: c.table(Note).delete("a").send(), {"Attributes": note("b")}),
    "query": (
        lambda c: c.table(Entry).query(Entry.key == "a").all(),
        {"Items": [entry("a"), entry("b")], "Count": 2, "ScannedCount": 2},
    ),
    "transact_get": (
        lambda c: c.transact_get(c.table(Note).get("a"), c.table(Note).get("b")).send(),
        {"Responses": [{"Item": note("b")}, {"Item": note("a")}]},
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_an_answer_about_another_item_is_refused(name: str) -> None:
    """A replayed or shifted answer is never the result, and its connection is closed."""
    call, payload = OTHERS[name]
    (outcome, left_open), _ = play([Reply(payload)], call)
    written = name in {"update", "delete"}
    assert isinstance(outcome, OutcomeUnknownError if written else CorruptResponseError), outcome
    assert left_open == 0


def test_a_shifted_connection_is_left_after_one_answer() -> None:
    """A middlebox that repeats one answer shifts the later ones: a second connection brings the right item."""
    keys = [f"k{number}" for number in range(12)]

    def script(request: Request) -> Reply:
        asked = request.payload["Key"]["key"]["S"]
        shifted = request.connection == 1 and request.number > 5
        return Reply({"Item": note(keys[keys.index(asked) - 1] if shifted else asked)})

    async def call(client: Client) -> list[str]:
        return [(await client.table(Note).get_one(key)).key for key in keys]

    (outcome, _), server = play(script, call, attempts=3)
    assert outcome == keys
    assert server.opened == 2


def deep(levels: int) -> bytes:
    """Return the JSON of an item with lists in lists."""
    value = b'{"L":[' * levels + b"]}" * levels
    return b'{"Item":{"key":{"S":"a"},"v":' + value + b"}}"


SHAPES: dict[str, tuple[Callable[[Client], Awaitable[Any]], Any]] = {
    "get: an item that is a list": (lambda c: c.table(Note).get("a").send(), {"Item": [1]}),
    "get: a number that is no text": (
        lambda c: c.table("notes", partition_key="key").get("a").send(),
        {"Item": note("a", v={"N": 12})},
    ),
    "get: a number of too many digits": (
        lambda c: c.table("notes", partition_key="key").get("a").send(),
        {"Item": note("a", v={"N": "7" * 5000})},
    ),
    "get: 508 lists": (lambda c: c.table("notes", partition_key="key").get("a").send(), deep(508)),
    "get: an answer that is no object": (lambda c: c.table(Note).get("a").send(), []),
    "update: no attributes": (lambda c: c.table(Note).update("a").add(Note.count, 1).send(), {}),
    "update: attributes that are text": (
        lambda c: c.table(Note).update("a").add(Note.count, 1).send(),
        {"Attributes": "x"},
    ),
    "query: items that are a dict": (
        lambda c: c.table(Entry).query(Entry.key == "a").all(),
        {"Items": {"a": 1}, "Count": 1, "ScannedCount": 1},
    ),
    "query: a count that is text": (
        lambda c: c.table(Entry).query(Entry.key == "a").all(),
        {"Items": [], "Count": "x", "ScannedCount": None},
    ),
    "query: a key of the wrong shape": (
        lambda c: c.table(Entry).query(Entry.key == "a").all(),
        {"Items": [], "Count": 0, "ScannedCount": 0, "LastEvaluatedKey": [1]},
    ),
    "get_many: a malformed number in a key": (
        lambda c: c.table(Entry).get_many([c.table(Entry).key(key="a", number=1)]).send(),
        {"Responses": {"entries": [{"key": {"S": "a"}, "number": {"N": "x1"}}]}, "UnprocessedKeys": {}},
    ),
    "get_many: responses that are a list": (
        lambda c: c.table(Entry).get_many([c.table(Entry).key(key="a", number=1)]).send(),
        {"Responses": [1], "UnprocessedKeys": {}},
    ),
    "put_many: unprocessed items that are a list": (
        lambda c: c.table(Entry).put_many([Entry(key="a", number=1)]).send(),
        {"UnprocessedItems": [1]},
    ),
    "transact_get: responses that are a dict": (
        lambda c: c.transact_get(c.table(Note).get("a")).send(),
        {"Responses": {"x": 1}},
    ),
    "describe_table: nothing": (lambda c: c.describe_table(Note), {}),
    "describe_table: a table that is text": (lambda c: c.describe_table(Note), {"Table": "x"}),
    "capacity of the wrong shape": (
        lambda c: c.table(Entry).put_many([Entry(key="a", number=1)]).send(),
        {"UnprocessedItems": {}, "ConsumedCapacity": [{"CapacityUnits": "x"}, 3]},
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_an_answer_of_the_wrong_shape_raises_nothing_foreign(name: str) -> None:
    """Whatever the service answers, what leaves a call is an error of the library."""
    call, payload = SHAPES[name]
    answers = [Reply(payload)] * 5  # and then an error: who reads on for ever must end
    (outcome, _), _ = play([*answers, *[Reply.error("ValidationException")] * 5], call)
    assert not isinstance(outcome, ValidationError)
    assert isinstance(outcome, MizzleError), repr(outcome)


def test_a_reason_of_a_cancelled_transaction_of_the_wrong_shape_raises_nothing_foreign() -> None:
    """An error is read as carefully as an answer."""
    reply = Reply.error("TransactionCanceledException", "cancelled", CancellationReasons=[{"Code": {"x": 1}}, 5])
    (outcome, _), _ = play([reply], lambda c: c.transact_write(c.table(Note).put(Note(key="a"))).send())
    assert isinstance(outcome, MizzleError), repr(outcome)


NO_NUMBERS = {"an underscore": "1_0", "digits of Arabic": "\u0661\u0662", "no number": "NaN", "no end": "Infinity"}


@pytest.mark.parametrize("place", ["count", "share", "price", "anything"])
@pytest.mark.parametrize("name", NO_NUMBERS)
def test_a_number_is_read_by_one_strict_rule(name: str, place: str) -> None:
    """A text that Python takes for a number, and DynamoDB never writes, is refused at an attribute of any type."""
    answer = Reply({"Item": note("a", **{place: {"N": NO_NUMBERS[name]}})})
    for call in (
        lambda c: c.table(Numbers).get("a").send(),
        lambda c: c.table("numbers", partition_key="key").get("a").send(),
    ):
        (outcome, _), _ = play([answer], call)
        assert isinstance(outcome, CorruptResponseError), repr(outcome)


TWICE = {"N": "1", "S": "x"}
PLACES = {"count": TWICE, "anything": TWICE, "within": {"M": {"count": TWICE}}, "several": {"L": [{"N": "1"}, TWICE]}}
PLACES |= {"named": {"M": {"one": TWICE}}, "shares": {"L": [{"N": "1.5"}, TWICE]}, "pair": {"L": [{"N": "1"}, TWICE]}}


@document
class Within:
    """A document inside of an item."""

    count: Attribute[int]


@entity("twice")
class Twice:
    """An item with a place of every kind for a value of two types."""

    key: PartitionKey[str]
    count: Attribute[int | None] = None
    anything: Attribute[Any] = None
    within: Attribute[Within | None] = None
    several: Attribute[list[int] | None] = None
    named: Attribute[dict[str, int] | None] = None
    shares: Attribute[list[float] | None] = None
    pair: Attribute[tuple[int, int] | None] = None


@pytest.mark.parametrize("place", PLACES)
def test_a_value_of_two_types_is_refused(place: str) -> None:
    """It would be read as either: no answer has one, at any place, of an item alone and on a page."""
    item = {"key": {"S": "a"}, place: PLACES[place]}
    for answer, call in (
        (Reply({"Item": item}), lambda c: c.table(Twice).get("a").send()),
        (
            Reply({"Items": [item], "Count": 1, "ScannedCount": 1}),
            lambda c: c.table(Twice).query(Twice.key == "a").all(),
        ),
    ):
        (outcome, _), _ = play([answer], call)
        assert isinstance(outcome, CorruptResponseError), repr(outcome)


PAGES: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "query": lambda c: c.table(Entry).query(Entry.key == "a").all(),
    "count": lambda c: c.table(Entry).query(Entry.key == "a").count(),
    "scan": lambda c: c.table(Entry).scan().all(),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_repeated_key_ends_in_an_error(name: str) -> None:
    """A service that answers with the key that was sent would be asked for ever."""
    asked: list[str] = []

    def script(request: Request) -> Reply:
        asked.append(request.operation)
        page = {"Items": [entry("a")], "Count": 1, "ScannedCount": 1}
        return Reply({**page, "LastEvaluatedKey": entry("a")} if len(asked) < 40 else page)

    (outcome, _), _ = play(script, PAGES[name])
    assert isinstance(outcome, CorruptResponseError), repr(outcome)
    assert len(asked) <= 3


@pytest.mark.parametrize("operation", ["get", "query"])
def test_an_answer_that_is_too_large_for_its_operation_is_refused(operation: str) -> None:
    """An item has 400 KB and a page 1 MB: an answer of many times that is not read into memory."""
    large = (
        note("a", text={"S": "x" * 9_000_000}) if operation == "get" else {**entry("a"), "x": {"S": "x" * 20_000_000}}
    )
    answers = {"get": {"Item": large}, "query": {"Items": [large], "Count": 1, "ScannedCount": 1}}
    calls: dict[str, Any] = {
        "get": lambda c: c.table(Note).get("a").send(),
        "query": lambda c: c.table(Entry).query(Entry.key == "a").all(),
    }
    (outcome, _), _ = play([Reply(answers[operation])], calls[operation])
    assert isinstance(outcome, CorruptResponseError), repr(outcome)[:200]


def test_keys_that_were_never_asked_for_are_not_asked_for() -> None:
    """`UnprocessedKeys` of the same table are asked again only where they were sent."""
    asked: list[list[str]] = []

    def script(request: Request) -> Reply:
        (keys,) = (part["Keys"] for part in request.payload["RequestItems"].values())
        asked.append([key["number"]["N"] for key in keys])
        left = {"entries": {"Keys": [entry("a", 1), entry("foreign", 99)]}} if len(asked) == 1 else {}
        return Reply({"Responses": {"entries": [] if left else [entry("a", 1)]}, "UnprocessedKeys": left})

    (_, _), _ = play(script, lambda c: c.table(Entry).get_many([c.table(Entry).key(key="a", number=1)]).send())
    assert [number for numbers in asked for number in numbers if number == "99"] == []


RAW: dict[str, bytes] = {
    "a status below 100": b"HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\n{}",
    "another protocol": b"RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "a version of the future": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "two encodings": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: identity\r\n"
    b"Content-Length: 2\r\n\r\n{}",
    "two checksums": b"HTTP/1.1 200 OK\r\nx-amz-crc32: 1\r\nx-amz-crc32: 2745614147\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("name", RAW)
def test_a_head_that_is_none_is_refused_at_once(name: str) -> None:
    """Odd status lines and contradicting headers are neither believed nor waited for."""
    (outcome, _), _ = play([Reply.raw(RAW[name], Ending.KEEP)], lambda c: c.table(Note).get("a").send())
    assert isinstance(outcome, CorruptResponseError), repr(outcome)


CODES: dict[str, Reply] = {
    "header first": Reply(
        {"__type": "com.amazonaws.dynamodb.v20120810#ValidationException", "message": "m"},
        400,
        {"X-Amzn-Errortype": "ResourceNotFoundException"},
    ),
    "Code": Reply({"Code": "ResourceNotFoundException", "message": "m"}, 400),
    "inside Output": Reply({"Output": {"__type": "x#ResourceNotFoundException"}, "message": "m"}, 400),
}


@pytest.mark.parametrize("name", CODES)
def test_the_code_of_an_error_is_found_where_smithy_says(name: str) -> None:
    """The header counts before the body, and `Code` counts too."""
    (outcome, _), _ = play([CODES[name]], lambda c: c.table(Note).get("a").send())
    assert getattr(outcome, "code", None) == "ResourceNotFoundException", repr(outcome)


def test_an_expired_signature_without_a_date_is_sent_again() -> None:
    """The words of the service show its clock."""
    words = "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z (20260101T001500Z - 5 min.)"
    refusal = Reply(
        {"__type": "x#InvalidSignatureException", "message": words}, 400, {"Date": None, "x-amzn-RequestId": "r"}
    )
    (outcome, _), server = play([refusal, Reply({"Item": note("a")})], lambda c: c.table(Note).get("a").send())
    assert outcome == Note(key="a")
    assert len(server.requests) == 2


async def tampered(client: Client) -> Any:
    """Read a page, and go on with its cursor after changing the key inside."""
    query = client.table(Entry).query(Entry.key == "a", page_size=1)
    cursor = (await query.page()).cursor
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    changed = raw.replace(b'{"N":"1"}', b'{"S":"1"}')
    assert changed != raw
    forged = base64.urlsafe_b64encode(changed).rstrip(b"=").decode()
    return await client.table(Entry).query(Entry.key == "a", page_size=1).page(cursor=forged)


def test_a_cursor_whose_key_was_changed_is_no_cursor() -> None:
    """Names and types of its key are checked before anything is sent."""
    page = {"Items": [entry("a")], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": entry("a")}
    (outcome, _), server = play(lambda _: Reply(page), tampered)
    assert isinstance(outcome, InvalidCursorError), repr(outcome)
    assert len(server.requests) == 1
