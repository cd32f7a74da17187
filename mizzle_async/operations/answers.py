"""Checks that the JSON of an answer can be the answer to its request, while its connection carries nothing else.

A checksum proves bytes, not whose they are: a middlebox that repeats one answer shifts every later one by one. So each
operation compares its request with the answer, before the connection is used again. A mismatch is a
`CorruptResponseError`: the pipeline closes the connection, and repeats a request that may be repeated.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

import orjson

from mizzle_async.errors import CorruptResponseError
from mizzle_async.limits import ITEM_BYTES, PAGE_BYTES
from mizzle_async.marshalling import EntityCodec, canonical_key, item_of, malformed_path
from mizzle_async.types import AttributeValue, Item, Outcome, WirePayload

JSON_EXPANSION: Final = 9
"""The JSON bytes that one byte of an item may take: an empty text in a list counts one byte, and is ``{"S":""},``."""

ITEM_ANSWER_BYTES: Final = JSON_EXPANSION * ITEM_BYTES + 64 * 1024
"""The largest answer about one item."""

PAGE_ANSWER_BYTES: Final = JSON_EXPANSION * (PAGE_BYTES + ITEM_BYTES) + 64 * 1024
"""The largest page: the service stops after the item with which it has read 1 MB."""

RESULTS: Final = frozenset(
    {"Attributes", "Count", "Item", "Items", "NextToken", "Responses", "Table", "TableNames", "UnprocessedItems"}
    | {"UnprocessedKeys"}
)
"""The members of answers that only some operations have."""

_EQUALITY: Final = re.compile(r"(#\w+) = (:\w+)")


def mismatch(reason: str) -> CorruptResponseError:
    """Return the error of an answer that cannot be the answer to its request."""
    return CorruptResponseError(f"corrupt answer: {reason}", outcome=Outcome.UNKNOWN)


def check_results(payload: WirePayload, *own: str) -> None:
    """Refuse an answer that has a result, but only those of other operations.

    Args:
        payload: The answer.
        own: The results that the operation may have.
    """
    if RESULTS.isdisjoint(payload):
        return
    foreign = RESULTS.intersection(payload).difference(own)
    if foreign:
        raise mismatch(f"{', '.join(sorted(foreign))} belongs to another operation")


def check_key(asked: Item, item: Item) -> None:
    """Refuse an item that lies under another key than the one that was asked for.

    Args:
        asked: The key in the request.
        item: The item, or those of its attributes that were answered.
    """
    if asked.items() <= item.items():
        return
    for name, value in asked.items():
        stored = item[name]
        if stored != value and canonical_key({name: stored}) != canonical_key({name: value}):
            raise mismatch(f"it is about another item: its {name!r} is not what was asked for")


def parse_item_answer(codec: EntityCodec[Any], body: bytes) -> Any:
    """Read the JSON of an answer that may have an item of an entity, which is a record where it fits one.

    Raises:
        ValueError: It is not JSON.
    """
    records = codec.records
    return orjson.loads(body) if records is None else records.parse(body)


def check_item(codec: EntityCodec[Any], asked: Item, item: Any) -> None:
    """Refuse an item, dict or record, that lies under another key than the one that was asked for.

    Args:
        codec: The entity's.
        asked: The key in the request.
        item: The item.
    """
    records = codec.records
    if records is not None:
        if type(item) is not records.cls:
            check_values(item)
        elif records.lies_under(item, asked):
            return
    check_key(asked, item_of(item))


def check_values(item: Any) -> None:
    """Refuse a dict that is no item, where records do not see to it: a text, say, whose payload is a number."""
    path = malformed_path(item)
    if path is not None:
        raise mismatch(f"an item{path} holds something that is no attribute value")


def checked_payload(api: str, payload: Any, check: Callable[[WirePayload], object]) -> WirePayload:
    """Return the JSON of an answer of success, checked by the operation.

    Args:
        api: The API's name, for messages.
        payload: The JSON.
        check: Raises an error for an answer that cannot be the one to the request; any exception means the same.

    Raises:
        CorruptResponseError: It cannot be the answer to this request.
    """
    if type(payload) is not dict:
        raise mismatch("a 200 whose JSON is not an object")
    try:
        if "ConsumedCapacity" in payload:
            check_consumed(payload)
        check(payload)
    except CorruptResponseError:
        raise
    except Exception as error:  # those of the codecs too: no instance is made here
        raise mismatch(f"{api} does not answer in this shape ({type(error).__name__})") from error
    return payload


def check_consumed(payload: WirePayload) -> None:
    """Refuse consumed capacity that is no number, of one table or of each of several."""
    consumed: Any = payload.get("ConsumedCapacity")
    if type(consumed) is dict and type(consumed.get("CapacityUnits")) is float:
        return  # as it is for one table
    if consumed is not None:
        for each in consumed if type(consumed) is list else (consumed,):
            if not isinstance(each.get("CapacityUnits") or 0.0, int | float):
                raise mismatch("its consumed capacity is no number")


def check_items(items: Iterable[Any], record: type[Any] | None) -> None:
    """Refuse a list of items that holds something else.

    Args:
        items: The list in the answer.
        record: The class of items that were read into records, and so are checked.
    """
    if type(items) is not list:
        raise mismatch("it lists something else than items")
    # Items are records all of them, or none.
    if not items or type(items[0]) is record:
        return
    if set(map(type, items)) != {dict}:
        raise mismatch("it lists something else than items")
    if record is not None:
        for item in items:
            check_values(item)


def check_is_key(key: Any) -> None:
    """Refuse an answer where a key, or a part of one, is none.

    Raises:
        CorruptResponseError: A value is neither text, nor a number, nor bytes.
    """
    try:
        for value in key.values():
            ((tag, payload),) = value.items()
            if tag != "S" or type(payload) is not str or not payload:
                _check_key_value(tag, payload)
    except Exception as error:
        raise mismatch("what stands for a key is none") from error


def _check_key_value(tag: str, payload: Any) -> None:
    if tag not in {"N", "B"} or type(payload) is not str or not payload:
        raise TypeError
    if tag == "B":
        b64decode(payload, validate=True)
    else:
        canonical_key({"": {tag: payload}})  # raises for what is no number


def key_in(item: Item, names: Iterable[str]) -> Item:
    """Return the attributes of an answered item that make a key.

    Args:
        item: The item.
        names: The key attributes' stored names.

    Raises:
        CorruptResponseError: One is missing, or is no key.
    """
    try:
        key = {name: item[name] for name in names}
    except KeyError as error:
        raise mismatch("an item lacks a part of its key") from error
    check_is_key(key)
    return key


def check_position(last: Any, start: Item | None) -> None:
    """Refuse a last key that is no key, or the one after which this page was to begin: reading would never end.

    Args:
        last: The answer's ``LastEvaluatedKey``.
        start: The request's ``ExclusiveStartKey``.
    """
    if not last:
        return
    check_is_key(last)
    if start is not None and (last == start or canonical_key(last) == canonical_key(start)):
        raise mismatch("the same last key was answered twice, so that reading would never end")


def equalities(compiled: WirePayload) -> list[tuple[str, AttributeValue]]:
    """Return the attributes that a query's key condition binds to one value, by stored name.

    Args:
        compiled: The request, its condition compiled.
    """
    names, values = compiled["ExpressionAttributeNames"], compiled["ExpressionAttributeValues"]
    return [(names[name], values[value]) for name, value in _equal_placeholders(compiled["KeyConditionExpression"])]


@lru_cache(maxsize=1024)
def _equal_placeholders(condition: str) -> tuple[tuple[str, str], ...]:
    """Return the names and the values that a text says are equal: queries of one shape have one text."""
    return tuple(_EQUALITY.findall(condition))
