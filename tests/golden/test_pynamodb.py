"""Items that PynamoDB 6.1 wrote, read by ported classes and written the same. `pynamodb/make.py` made the file."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    PartitionKey,
    SharedTable,
    SortKey,
    attribute,
    document,
    entity,
    make_converter,
)

FIXTURE = json.loads((Path(__file__).parent / "pynamodb" / "items.json").read_text())
PYNAMODB_TIME = "%Y-%m-%dT%H:%M:%S.%f%z"


@document
class Place:
    city: Attribute[str]
    zip_code: Attribute[str | None] = attribute(name="zip", default=None)


@entity("threads")
class Thread:
    forum: PartitionKey[str]
    posted: SortKey[datetime] = attribute(datetime_format=PYNAMODB_TIME)
    views: Attribute[int] = attribute(default=0)
    rating: Attribute[float | None] = attribute(default=None)
    closed: Attribute[bool] = attribute(default=False)
    tags: Attribute[set[str]] = attribute(factory=set)
    scores: Attribute[set[int]] = attribute(factory=set)
    settings: Attribute[dict[str, Any] | None] = attribute(
        default=None, encode=json.dumps, decode=json.loads, stored_as=str
    )
    place: Attribute[Place | None] = attribute(default=None)
    history: Attribute[list[datetime] | None] = attribute(default=None, datetime_format=PYNAMODB_TIME)
    blob: Attribute[bytes | None] = attribute(default=None)
    old_blob: Attribute[bytes | None] = attribute(
        default=None, encode=base64.b64encode, decode=base64.b64decode, stored_as=bytes
    )
    ends: Attribute[datetime | None] = attribute(default=None, time_to_live=True)
    version: Attribute[int] = attribute(default=0, version=True)


animals = SharedTable("animals", partition_key="name", type_attribute="cls")


@entity(animals, partition_key="{dog}")
class Dog:
    dog: PartitionKey[str] = attribute(key_only=True)
    breed: Attribute[str]


def same_order(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item with its sets sorted, whose order nobody keeps, and its bytes as the wire has them."""
    return {
        name: {kind: sorted(value) if kind in {"SS", "NS"} else value.decode() if isinstance(value, bytes) else value}
        for name, stored in item.items()
        for kind, value in stored.items()
    }


@pytest.mark.parametrize("item", FIXTURE["threads"])
def test_items_of_pynamodb_are_read_and_written_the_same(item: dict[str, Any]) -> None:
    """Times, JSON in text, both forms of bytes, sets, maps, the time to live and the version."""
    converter = make_converter()
    thread = converter.structure(item, Thread)
    assert thread.posted.replace(microsecond=0) == datetime(2017, 8, 28, 19, 45, tzinfo=UTC)
    written = converter.unstructure(thread)
    assert same_order(written) == same_order(item)


def test_values_are_what_they_were() -> None:
    """The first item has a value of every kind."""
    thread = make_converter().structure(FIXTURE["threads"][0], Thread)
    assert (thread.views, thread.rating, thread.closed, thread.version) == (7, 4.5, True, 3)
    assert (thread.tags, thread.scores) == ({"a", "b"}, {1, 2})
    assert thread.settings == {"theme": "dark", "size": [1, 2]}
    assert thread.place == Place(city="London", zip_code="SW1Y")
    assert (thread.blob, thread.old_blob) == (b"\x00\x01", b"\x00\x01")
    assert thread.history == [thread.posted, thread.posted + timedelta(hours=1)]
    assert thread.ends == datetime(2030, 1, 1, tzinfo=UTC)


def test_discriminator_is_the_type_attribute() -> None:
    """A polymorphic model of PynamoDB is a shared table, whose type attribute is the discriminator."""
    converter = make_converter()
    (item,) = FIXTURE["animals"]
    dog = converter.structure(item, Dog)
    assert (dog.dog, dog.breed) == ("Rex", "Pug")
    assert converter.unstructure(dog) == item
