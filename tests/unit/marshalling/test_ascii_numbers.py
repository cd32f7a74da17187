"""Texts that Python takes as numbers and DynamoDB does not: underscores, digits of other scripts, NaN."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag
from typing import Any, Literal

import orjson
import pytest

from mizzle_async import MarshallingError, SharedTable, SortKey, from_json
from mizzle_async.marshalling import (
    Marshaller,
    canonical_key,
    decode_any,
    item_from_plain,
    item_size,
    plain_item,
    value_from_plain,
)
from mizzle_async.marshalling.json_forms.durations import read_duration
from mizzle_async.model import Attribute, PartitionKey, attribute, entity, schema_of
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.operations.expiry import is_expired

NO_NUMBERS = [
    "1_0",
    "1_0.5",
    "\u0661\u0662",
    "\u0661.\u0665",
    "\u00b2",
    "NaN",
    "-NaN",
    "Infinity",
    "-Infinity",
    "0x1",
    "",
    "-",
]
NUMBERS = {
    "10": 10,
    "-10": -10,
    "0": 0,
    "1e1": 10,
    "1E+1": 10,
    "10.0": 10,
    "+10": 10,
    "010": 10,
    "9" * 38: int("9" * 38),
}
FRACTIONS = {"1.5": Decimal("1.5"), "-0.25": Decimal("-0.25"), "1.50": Decimal("1.5"), "15e-1": Decimal("1.5")}


class Colour(Enum):
    RED = 10


class Level(IntEnum):
    LOW = 10


class Right(IntFlag):
    READ = 2
    WRITE = 8


@entity("numbers")
class Number:
    key: PartitionKey[str]
    whole: Attribute[int] = attribute(default=0)
    near: Attribute[float] = attribute(default=0.0)
    exact: Attribute[Decimal] = attribute(default=Decimal(0))
    span: Attribute[timedelta] = attribute(default=timedelta())
    moment: Attribute[datetime] = attribute(default=datetime(2026, 1, 1, tzinfo=UTC), datetime_format="epoch")
    colour: Attribute[Colour] = attribute(default=Colour.RED)
    level: Attribute[Level] = attribute(default=Level.LOW)
    right: Attribute[Right] = attribute(default=Right.READ)
    choice: Attribute[Literal[10, 20]] = attribute(default=10)
    perhaps: Attribute[int | None] = attribute(default=None)
    either: Attribute[int | str] = attribute(default=0)
    both: Attribute[int | Decimal] = attribute(default=0)
    wholes: Attribute[list[int]] = attribute(factory=list)
    nears: Attribute[list[float]] = attribute(factory=list)
    exacts: Attribute[list[Decimal]] = attribute(factory=list)
    named: Attribute[dict[str, int]] = attribute(factory=dict)
    several: Attribute[set[int]] = attribute(factory=set)
    amounts: Attribute[set[Decimal]] = attribute(factory=set)


SINGLE = ("whole", "near", "exact", "span", "moment", "colour", "level", "right", "choice", "perhaps", "either", "both")
LISTS = ("wholes", "nears", "exacts")


@pytest.fixture(scope="module", name="codec")
def fixture_codec() -> Any:
    """The codec of the class, compiled once."""
    return Marshaller().codec(schema_of(Number))


def stored_in(name: str, text: str) -> Any:
    """Return a stored value of an attribute that holds a text as its number."""
    number = {"N": text}
    if name in LISTS:
        return {"L": [number]}
    if name == "named":
        return {"M": {"a": number}}
    return {"NS": [text]} if name in {"several", "amounts"} else number


def read(codec: Any, item: Any) -> Any:
    """Return an item of an answer of many, as it is read."""
    (record,) = codec.records.parse(orjson.dumps({"Items": [item], "Count": 1}))["Items"]
    return (codec.decode if type(record) is dict else codec.records.decode)(record)


@pytest.mark.parametrize("name", [*SINGLE, *LISTS, "named", "several", "amounts"])
def test_what_is_no_number_in_ascii_is_refused_by_every_type(codec: Any, name: str):
    """One rule for the items of every answer, for the fast functions and for the careful ones."""
    for text in NO_NUMBERS:
        item = {"key": {"S": "a"}, name: stored_in(name, text)}
        for decode in (codec.decode, lambda item: read(codec, item)):
            with pytest.raises(MarshallingError) as caught:
                decode(item)
            assert f"Number.{name}" in str(caught.value), text
            assert len(text) < 3 or text not in str(caught.value)


@pytest.mark.parametrize(("text", "value"), NUMBERS.items())
@pytest.mark.parametrize("name", ["whole", "near", "exact", "either", "both", "perhaps", *LISTS, "several", "amounts"])
def test_numbers_are_read_in_every_form_that_dynamodb_takes(codec: Any, name: str, text: str, value: int):
    """Exponents, zeros and signs are forms of one number."""
    item = {"key": {"S": "a"}, name: stored_in(name, text)}
    for decode in (codec.decode, lambda item: read(codec, item)):
        found = getattr(decode(item), name)
        (found,) = found if isinstance(found, list | set) else (found,)
        assert found == (float(value) if name in {"near", "nears"} else value)


@pytest.mark.parametrize(("text", "value"), FRACTIONS.items())
def test_fractions_keep_their_digits(codec: Any, text: str, value: Decimal):
    """The same for numbers with a point, in types that take them."""
    for name in ("near", "exact", "both", "nears", "exacts", "amounts"):
        item = {"key": {"S": "a"}, name: stored_in(name, text)}
        for decode in (codec.decode, lambda item: read(codec, item)):
            found = getattr(decode(item), name)
            (found,) = found if isinstance(found, list | set) else (found,)
            assert found == (float(value) if name in {"near", "nears"} else value)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_values_without_a_class_follow_the_same_rule(text: str):
    """By value, as keys, as plain JSON, as a size, and as a time to live."""
    for call in (decode_any, lambda value: plain_item({"a": value})):
        for value in ({"N": text}, {"NS": [text]}, {"M": {"a": {"N": text}}}, {"L": [{"N": text}]}):
            with pytest.raises(MarshallingError):
                call(value)
    for call in (lambda: canonical_key({"key": {"N": text}}), lambda: item_size({"key": {"N": text}})):
        with pytest.raises(Misfit):
            call()
    assert not is_expired({"N": text}, 1e9)
    assert is_expired({"N": "10"}, 10)


@pytest.mark.parametrize("text", [text for text in NO_NUMBERS if text])
def test_texts_of_files_follow_the_same_rule(codec: Any, text: str):
    """A cell of a declared number, and a text in plain JSON, alone or in a set."""
    for name in ("whole", "near", "exact", "perhaps", "both"):
        with pytest.raises(MarshallingError, match=f"Number.{name}"):
            item_from_plain(codec, {"key": "a", name: text}, is_text=True)
    with pytest.raises(ValueError, match="expected a number"):
        value_from_plain([text], codec.shape_of("several"))
    with pytest.raises(MarshallingError):
        from_json(orjson.dumps({"key": "a", "exact": text}), Number)
    assert item_from_plain(codec, {"key": "a", "whole": " 10 "}, is_text=True)["whole"] == {"N": "10"}


@pytest.mark.parametrize("digits", ["\u0661\u0662\u0663\u0664", "1_34", "12 4", "\uff11\uff12\uff13\uff14"])
def test_digits_of_composed_keys_are_those_of_ascii(codec_of, digits: str):
    """A text that no writer of the format wrote is no key of it."""
    events = SharedTable("ascii-events", partition_key="PK", sort_key="SK")

    @entity(events, partition_key="EVENT#{number:04}", sort_key="{day}")
    class Event:
        number: PartitionKey[int] = attribute(key_only=True)
        day: SortKey[str]

    codec = codec_of(Event)
    stored = codec.encode(Event(number=1234, day="x"))
    assert codec.decode(stored) == Event(number=1234, day="x")
    with pytest.raises(MarshallingError):
        codec.decode({**stored, "PK": {"S": f"EVENT#{digits}"}})


@pytest.mark.parametrize("text", ["PT1_0S", "PT\u0661S", "P\u0661D", "PT1.\u0665S"])
def test_digits_of_durations_are_those_of_ascii(text: str):
    """The ISO 8601 text of a duration has digits of ASCII alone."""
    with pytest.raises(Misfit):
        read_duration(text)
