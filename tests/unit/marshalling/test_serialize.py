"""Items straight to JSON: what a load writes is what encoding the item and writing it would give."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import cattrs
import orjson
import pytest

from mizzle_async import Attribute, GlobalSecondaryIndex, LimitError, MarshallingError, PartitionKey, SortKey
from mizzle_async.marshalling import Marshaller
from mizzle_async.model import attribute, dict_schema, entity, schema_of


@entity("readings")
class Reading:
    station: PartitionKey[str]
    taken_at: SortKey[datetime]
    value: Attribute[Decimal]
    note: Attribute[str | None] = attribute(default=None, name="n")
    flags: Attribute[set[str]] = attribute(factory=set)
    marks: Attribute[frozenset[int] | None] = attribute(default=None)
    extra: Attribute[Any] = attribute(default=None)


@entity("tickets")
class Ticket:
    number: PartitionKey[int]
    owner: Attribute[str | None] = attribute(default=None)
    digest: Attribute[bytes | None] = attribute(default=None)
    rank: Attribute[int] = attribute(default=0)
    due: Attribute[datetime | None] = attribute(default=None)


BY_OWNER = GlobalSecondaryIndex("by-owner", partition_key=Ticket.owner, sort_key=Ticket.rank)
BY_DIGEST = GlobalSecondaryIndex("by-digest", partition_key=Ticket.digest, sort_key=Ticket.due)

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def wrap(item: Any) -> dict[str, Any]:
    """Put an item where a request has it."""
    return {"PutRequest": {"Item": item}}


def check(codec: Any, instances: list[Any]) -> None:
    """Serialize instances one after the other, each as encoding it would have it."""
    serialize = codec.serializer(wrap)
    for instance in instances:
        item = codec.encode_new(instance)
        assert serialize(instance) == (orjson.dumps(wrap(item)), codec.identify(item))


def test_nothing_of_one_item_is_left_in_the_next(codec_of):
    """Attributes that are there, absent and there again are written so, whatever came before."""
    full = Reading(
        station="ä",
        taken_at=NOON.replace(microsecond=5),
        value=Decimal("1.50"),
        note="n",
        flags={"b", "a"},
        marks=frozenset({2, 1}),
        extra={"deep": [1, None]},
    )
    bare = Reading(station="s", taken_at=NOON, value=Decimal("1E+3"))
    check(codec_of(Reading), [full, bare, full, bare, bare, full])


def test_keys_of_every_length_and_type_tell_items_apart(codec_of):
    """Long keys, keys of more bytes than characters, and numbers are what `identify` finds in the item."""
    stations = ["a" * 2_048, "ä" * 1_024]
    check(codec_of(Reading), [Reading(station=station, taken_at=NOON, value=Decimal(1)) for station in stations])
    check(codec_of(Ticket), [Ticket(number=number) for number in (0, 7, 10**30)])


@pytest.mark.parametrize(
    ("instance", "error", "sentence"),
    [
        (Reading(station="", taken_at=NOON, value=Decimal(1)), LimitError, "Reading.station: expected a partition key"),
        (Reading(station="ä" * 1_025, taken_at=NOON, value=Decimal(1)), LimitError, "found one of 2,050"),
        (Reading(station="\ud800", taken_at=NOON, value=Decimal(1)), MarshallingError, "half of a surrogate pair"),
        (Reading(station="s", taken_at=NOON, value=Decimal(1), note="\ud800"), MarshallingError, "Reading.note: "),
        (
            Reading(station="s", taken_at=NOON, value=5, note=6),
            MarshallingError,
            "Reading.note: expected str, found int",
        ),
        (
            Reading(station="s", taken_at=NOON, value=Decimal(1), flags=[]),
            MarshallingError,
            "Reading.flags: expected set",
        ),
        (Ticket(number=1, owner=""), LimitError, "Ticket.owner: expected a partition key of index 'by-owner'"),
        (Ticket(number=1, owner="ä" * 1_025), LimitError, "found one of 2,050"),
        (Ticket(number=1, digest=b""), LimitError, "Ticket.digest: expected a partition key of index 'by-digest'"),
    ],
)
def test_what_does_not_fit_is_refused_as_by_encoding(codec_of, instance, error, sentence):
    """What cannot be written raises what encoding raises, and the next item is written as if nothing had been."""
    codec = codec_of(type(instance))
    serialize = codec.serializer(wrap)
    with pytest.raises(error) as refused:
        serialize(instance)
    with pytest.raises(error) as expected:
        codec.encode_new(instance)
    assert sentence in str(refused.value)
    assert str(refused.value) == str(expected.value)
    right = Ticket(number=1) if isinstance(instance, Ticket) else Reading(station="s", taken_at=NOON, value=Decimal(1))
    assert serialize(right)[0] == orjson.dumps(wrap(codec.encode(right)))


def test_keys_of_indexes_that_fit_are_written(codec_of):
    """Text, binary and times that are keys of an index are measured, and written as they are stored."""
    tickets = [
        Ticket(number=1, owner="o" * 2_048, digest=b"d", due=NOON),
        Ticket(number=2, due=NOON.replace(microsecond=1)),
        Ticket(number=3, owner="ä" * 700, rank=5),
    ]
    check(codec_of(Ticket), tickets)


def test_the_users_hooks_are_asked(codec_of):
    """A type with hooks of the user's converter is written by them, keys included."""
    converter = cattrs.Converter()
    converter.register_unstructure_hook(Decimal, lambda value: f"{value:.2f}")
    codec = codec_of(Reading, converter)
    check(codec, [Reading(station="s", taken_at=NOON, value=Decimal(1))])
    converter = cattrs.Converter()
    converter.register_unstructure_hook(datetime, lambda value: int(value.timestamp()))
    check(codec_of(Reading, converter), [Reading(station="s", taken_at=NOON, value=Decimal(1))])


def test_items_without_a_class_and_spread_keys_are_written():
    """A table of dicts, and an entity whose partition key is spread, have serializers too."""
    check(Marshaller().codec(dict_schema("legacy", partition_key="pk")), [{"pk": "a", "n": 1}, {"pk": "b", "x": None}])

    @entity("spread")
    class Spread:
        day: PartitionKey[str] = attribute(shards=4)
        number: SortKey[int]

    check(Marshaller().codec(schema_of(Spread)), [Spread(day="mon", number=number) for number in range(9)])


def test_each_caller_has_a_serializer_of_its_own(codec_of):
    """Two loads at once do not write into each other's item."""
    codec = codec_of(Ticket)
    assert codec.serializer(wrap) is not codec.serializer(wrap)
    assert codec.serializer(list)(Ticket(number=1))[0] == b'["number","rank"]'
