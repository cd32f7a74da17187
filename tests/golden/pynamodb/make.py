"""Write items.json: items as PynamoDB stores them. Run: ``pip install pynamodb==6.1.0``, then ``python make.py``."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pynamodb
from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    DiscriminatorAttribute,
    JSONAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    NumberSetAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
    VersionAttribute,
)
from pynamodb.models import Model


class Place(MapAttribute):
    city = UnicodeAttribute()
    zip_code = UnicodeAttribute(attr_name="zip", null=True)


class Thread(Model):
    class Meta:  # noqa: D106  (PynamoDB's form)
        table_name = "threads"

    forum = UnicodeAttribute(hash_key=True)
    posted = UTCDateTimeAttribute(range_key=True)
    views = NumberAttribute(default=0)
    rating = NumberAttribute(null=True)
    closed = BooleanAttribute(default=False)
    tags = UnicodeSetAttribute(null=True)
    scores = NumberSetAttribute(null=True)
    settings = JSONAttribute(null=True)
    place = Place(null=True)
    history = ListAttribute(of=UTCDateTimeAttribute, null=True)
    blob = BinaryAttribute(null=True, legacy_encoding=False)
    old_blob = BinaryAttribute(null=True, legacy_encoding=True)
    ends = TTLAttribute(null=True)
    version = VersionAttribute()


class Animal(Model):
    class Meta:  # noqa: D106  (PynamoDB's form)
        table_name = "animals"

    name = UnicodeAttribute(hash_key=True)
    cls = DiscriminatorAttribute()


class Dog(Animal, discriminator="Dog"):
    breed = UnicodeAttribute()


MOMENT = datetime(2017, 8, 28, 19, 45, 0, 1234, UTC)
THREADS = [
    Thread(
        forum="python",
        posted=MOMENT,
        views=7,
        rating=4.5,
        closed=True,
        tags={"a", "b"},
        scores={1, 2},
        settings={"theme": "dark", "size": [1, 2]},
        place=Place(city="London", zip_code="SW1Y"),
        history=[MOMENT, MOMENT + timedelta(hours=1)],
        blob=b"\x00\x01",
        old_blob=b"\x00\x01",
        ends=datetime(2030, 1, 1, tzinfo=UTC),
        version=3,
    ),
    Thread(forum="python", posted=MOMENT.replace(microsecond=0), version=1),
]


def listed(value):
    """Return a value in JSON's form: sets sorted, bytes as base64 text, as the wire has them."""
    if isinstance(value, dict):
        return {name: listed(each) for name, each in value.items()}
    if isinstance(value, (list, set)):
        return [listed(each) for each in (sorted(value) if isinstance(value, set) else value)]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


content = {
    "pynamodb": pynamodb.__version__,
    "threads": [listed(thread.serialize()) for thread in THREADS],
    "animals": [listed(Dog(name="Rex", breed="Pug").serialize())],
}
(Path(__file__).parent / "items.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
