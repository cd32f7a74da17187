"""Columns of JSON show values as they are stored, undeclared members included, whether items came as records or not."""

from typing import Any

import orjson
import pytest
from attrs import Factory

from mizzle_async import Attribute, PartitionKey, attribute, document, entity
from mizzle_async.marshalling import Marshaller
from mizzle_async.marshalling.columns import columns_of
from mizzle_async.model import schema_of


@document
class Part:
    """A document that a column shows as a struct."""

    count: Attribute[int]


@document
class Whole:
    """A document that a column shows as JSON: its default is made of the instance."""

    count: Attribute[int]
    twice: Attribute[int] = attribute(default=Factory(lambda self: self.count * 2, takes_self=True))


@document
class Empty:
    """A document without attributes."""


@entity("shown")
class Shown:
    """An item with documents at several places."""

    key: PartitionKey[str]
    part: Attribute[Part | None] = None
    pair: Attribute[tuple[int, Part] | None] = None
    deep: Attribute[list[tuple[int, list[Part]]]] = attribute(factory=list)
    whole: Attribute[Whole | None] = None
    wholes: Attribute[list[Whole]] = attribute(factory=list)
    empty: Attribute[Empty | None] = None


PART = {"M": {"count": {"N": "1"}, "undeclared": {"S": "x"}}}
PAIR = {"L": [{"N": "1"}, PART]}


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("part", PART),
        ("pair", PAIR),
        ("deep", {"L": [{"L": [{"N": "1"}, {"L": [PART]}]}]}),
        ("whole", PART),
        ("wholes", {"L": [PART]}),
        ("empty", {"M": {"undeclared": {"S": "x"}}}),
    ],
)
def test_columns_of_records_are_those_of_dicts(name: str, stored: dict[str, Any]):
    """And the instances as well."""
    codec = Marshaller().codec(schema_of(Shown))
    records = codec.records
    assert records is not None
    item = {"key": {"S": "a"}, name: stored}
    record = records.parse_item(orjson.dumps(item))
    assert type(record) is records.cls
    assert columns_of(codec).lists([record]) == columns_of(codec).lists([item])
    assert codec.decode_one(record) == codec.decode(item)
    assert not codec.lamp
