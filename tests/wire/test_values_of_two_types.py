"""A value with two type descriptors would be read as either: no verb takes one, at any place, in any kind of table.

What is read here as records is read there as dicts: each place is tried in both.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from mizzle_async import (
    Attribute,
    Client,
    CorruptResponseError,
    MarshallingError,
    OutcomeUnknownError,
    PartitionKey,
    attribute,
    document,
    entity,
)
from mizzle_async.testing import StubCaller, run_virtual

TWO = {"N": "1", "S": "x"}
NULL = {"NULL": True, "N": "1"}


class Pair(NamedTuple):
    """A list of two in storage."""

    left: int
    right: int


@document
class Part:
    """A document inside of an item."""

    count: Attribute[int]
    share: Attribute[float | None] = None


@entity("kinds")
class Kinds:
    """An item with a place of every kind."""

    key: PartitionKey[str]
    count: Attribute[int] = attribute(default=0)
    share: Attribute[float | None] = None
    text: Attribute[str | None] = None
    tags: Attribute[set[str]] = attribute(factory=set)
    part: Attribute[Part | None] = None
    parts: Attribute[list[Part]] = attribute(factory=list)
    floats: Attribute[list[float]] = attribute(factory=list)
    numbers: Attribute[list[int | None]] = attribute(factory=list)
    named: Attribute[dict[str, Decimal]] = attribute(factory=dict)
    pair: Attribute[Pair | None] = None
    either: Attribute[int | str | None] = None
    anything: Attribute[Any] = None


@entity("strict", unknown="raise")
class Strict:
    """Its items are dicts in every answer."""

    key: PartitionKey[str]
    count: Attribute[int] = attribute(default=0)
    parts: Attribute[list[Part]] = attribute(factory=list)


PLACES: dict[str, dict[str, Any]] = {
    "a number": {"count": TWO},
    "an optional": {"share": TWO},
    "a null beside a number": {"share": NULL},
    "a null beside a text": {"text": {"NULL": True, "S": "x"}},
    "a set": {"tags": {"SS": ["a"], "NS": ["1"]}},
    "a document": {"part": {"M": {"count": {"N": "1"}}, "S": "x"}},
    "a null beside a document": {"part": {"M": {"count": {"N": "1"}}, "NULL": True}},
    "in a document": {"part": {"M": {"count": TWO}}},
    "an optional in a document": {"part": {"M": {"count": {"N": "1"}, "share": NULL}}},
    "a list": {"parts": {"L": [], "S": "x"}},
    "a document in a list": {"parts": {"L": [{"M": {"count": {"N": "1"}}, "S": "x"}]}},
    "in a document in a list": {"parts": {"L": [{"M": {"count": TWO}}]}},
    "a float in a list": {"floats": {"L": [{"N": "1"}] * 20 + [TWO]}},
    "an optional in a list": {"numbers": {"L": [{"N": "1"}, NULL]}},
    "in a map": {"named": {"M": {"a": TWO}}},
    "in a tuple": {"pair": {"L": [{"N": "1"}, TWO]}},
    "a union": {"either": TWO},
    "any value": {"anything": TWO},
    "in any value": {"anything": {"M": {"a": {"L": [TWO]}}}},
}
IN_STRICT = [name for name, values in PLACES.items() if values.keys() <= {"count", "parts"}]

READS: dict[str, Callable[[Client, Any], Awaitable[Any]]] = {
    "get": lambda client, cls: client.table(cls).get("a").send(),
    "get_one": lambda client, cls: client.table(cls).get_one("a").send(),
    "transact_get": lambda client, cls: client.transact_get(client.table(cls).get("a")).send(),
    "get_many": lambda client, cls: client.table(cls).get_many([client.table(cls).key("a")]),
    "query": lambda client, cls: client.table(cls).query(cls.key == "a").all(),
    "first": lambda client, cls: client.table(cls).query(cls.key == "a").first(),
    "scan": lambda client, cls: client.table(cls).scan().all(),
    "execute": lambda client, cls: client.execute("SELECT * FROM kinds WHERE key = 'a'", into=cls).all(),
}
WRITES: dict[str, Callable[[Client, Any], Awaitable[Any]]] = {
    "update": lambda client, cls: client.table(cls).update("a").set(cls.count, 1).send(),
    "upsert": lambda client, cls: client.table(cls).upsert("a").set(cls.count, 1).send(),
    "delete": lambda client, cls: client.table(cls).delete("a").send(),
}
OPEN: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "get of an open table": lambda client: client.table("kinds", partition_key="key").get("a").send(),
    "scan of an open table": lambda client: client.table("kinds", partition_key="key").scan().all(),
    "execute": lambda client: client.execute("SELECT * FROM kinds WHERE key = 'a'").all(),
}


def answers(item: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of each operation, with one item."""
    page = {"Items": [item], "Count": 1, "ScannedCount": 1}
    return {
        "GetItem": {"Item": item},
        "TransactGetItems": {"Responses": [{"Item": item}]},
        "BatchGetItem": lambda request: {"Responses": {request.table: [item]}},
        **dict.fromkeys(("Query", "Scan"), page),
        "ExecuteStatement": {"Items": [item]},
        "UpdateItem": {"Attributes": item},
        "DeleteItem": {"Attributes": item},
    }


def outcome(item: dict[str, Any], call: Callable[[Client], Awaitable[Any]]) -> Any:
    """Return the result, or the error, of a call that is answered with an item."""

    async def main() -> Any:
        async with Client(caller=StubCaller(answers(item))) as client:
            try:
                return await call(client)
            except Exception as error:  # noqa: BLE001  (what leaves a call is what is tested)
                return error

    return run_virtual(main())


def with_key(values: dict[str, Any]) -> dict[str, Any]:
    """Return an item."""
    return {"key": {"S": "a"}, **values}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("verb", READS)
def test_no_read_takes_a_value_of_two_types(verb: str, place: str):
    """The answer is corrupt, and what it is about is named."""
    error = outcome(with_key(PLACES[place]), lambda client: READS[verb](client, Kinds))
    assert isinstance(error, CorruptResponseError), repr(error)


@pytest.mark.parametrize("place", IN_STRICT)
@pytest.mark.parametrize("verb", READS)
def test_no_read_of_dicts_takes_a_value_of_two_types(verb: str, place: str):
    """A class that refuses unknown attributes sees items whole."""
    error = outcome(with_key(PLACES[place]), lambda client: READS[verb](client, Strict))
    assert isinstance(error, CorruptResponseError), repr(error)


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize(
    ("cls", "place"), [*((Kinds, place) for place in PLACES), *((Strict, place) for place in IN_STRICT)]
)
def test_no_frame_takes_a_value_of_two_types(cls: Any, place: str, on_error: Any):
    """Nor is it left out of one: it is the answer that is wrong."""
    error = outcome(
        with_key(PLACES[place]),
        lambda client: client.table(cls).query(cls.key == "a", on_error=on_error).to_arrow(),
    )
    assert isinstance(error, CorruptResponseError), repr(error)


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("in a document", Kinds.part[Part.count]),
        ("a document", Kinds.part[Part.count]),
        ("in a document in a list", Kinds.parts[0][Part.count]),
        ("a document in a list", Kinds.parts[0][Part.count]),
        ("in a map", Kinds.named["a"]),
        ("in any value", Kinds.anything),
    ],
)
def test_no_frame_of_paths_takes_a_value_of_two_types(place: str, path: Any):
    """Neither at the end of a path nor on its way."""
    error = outcome(
        with_key(PLACES[place]),
        lambda client: client.table(Kinds).query(Kinds.key == "a").project(Kinds.key, path).to_arrow(),
    )
    assert isinstance(error, CorruptResponseError), repr(error)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("verb", WRITES)
def test_no_write_takes_a_value_of_two_types(verb: str, place: str):
    """Where a write must not be sent again, its outcome is unknown, for that reason."""
    error = outcome(with_key(PLACES[place]), lambda client: WRITES[verb](client, Kinds))
    corrupt = error.__cause__ if isinstance(error, OutcomeUnknownError) else error
    assert isinstance(corrupt, CorruptResponseError), repr(error)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("verb", OPEN)
def test_no_open_table_takes_a_value_of_two_types(verb: str, place: str):
    """Items without a class are dicts, whose values are of any type, but of one."""
    error = outcome(with_key(PLACES[place]), OPEN[verb])
    assert isinstance(error, CorruptResponseError), repr(error)


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("a number", Kinds.count),
        ("a null beside a number", Kinds.share),
        ("in a document", Kinds.part[Part.count]),
        ("a document", Kinds.part[Part.count]),
        ("in a document in a list", Kinds.parts[0][Part.count]),
        ("in a map", Kinds.named["a"]),
        ("in any value", Kinds.anything),
    ],
)
def test_no_projection_takes_a_value_of_two_types(place: str, path: Any):
    """Neither of one item nor of a page."""
    for call in (
        lambda client: client.table(Kinds).get("a").project(path).send(),
        lambda client: client.table(Kinds).query(Kinds.key == "a").project(path).all(),
    ):
        error = outcome(with_key(PLACES[place]), call)
        assert isinstance(error, CorruptResponseError | MarshallingError), repr(error)


@pytest.mark.parametrize("place", PLACES)
def test_no_image_of_a_stream_has_a_value_of_two_types(place: str):
    """It is refused as an item that does not fit."""

    async def main() -> None:
        async with Client(caller=StubCaller()) as client:
            with pytest.raises(MarshallingError):
                client.table(Kinds).decode(with_key(PLACES[place]))

    run_virtual(main())
