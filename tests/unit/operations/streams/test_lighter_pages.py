"""Pages of a stream that are parsed into records of the entity: the changes are those of plain JSON."""

import pickle
from decimal import Decimal
from typing import Any

import orjson
import pytest

from mizzle_async import (
    Attribute,
    Client,
    CorruptResponseError,
    MarshallingError,
    PartitionKey,
    SharedTable,
    SortKey,
    attribute,
    document,
    entity,
)
from mizzle_async.marshalling import whole_record
from mizzle_async.operations.streams import ChangeDecoder, GetRecords, RecordsPage
from mizzle_async.testing import StubCaller, run_virtual
from mizzle_async.writing.table_part import target_of

SHARED = SharedTable("shop", partition_key="PK", sort_key="SK")


@document
class Place:
    """A document inside of an item."""

    city: Attribute[str]
    height: Attribute[float | None] = None


@entity("readings")
class Reading:
    """An item with values of several kinds."""

    sensor: PartitionKey[str]
    number: SortKey[int]
    value: Attribute[Decimal] = attribute(default=Decimal(0))
    tags: Attribute[set[str]] = attribute(factory=set)
    place: Attribute[Place | None] = None
    anything: Attribute[Any] = None


@entity("users")
class User:
    """Its table has guard items."""

    user_id: PartitionKey[str]
    email: Attribute[str] = attribute(unique=True)


@entity(SHARED, partition_key="CUSTOMER#{customer_id}", sort_key="PROFILE")
class Customer:
    """Its table has items of other entities."""

    customer_id: PartitionKey[str]


@entity("strict", unknown="raise")
class Strict:
    """Its items are looked at whole."""

    key: PartitionKey[str]


def decoder(model: type[Any], view: Any = "new_and_old_images") -> ChangeDecoder[Any]:
    """Return the decoder of an entity."""
    return ChangeDecoder(target_of(Client().table(model)), view)


DECODER = decoder(Reading)


def image(number: int, **more: Any) -> dict[str, Any]:
    """Return an item of a reading as it is stored."""
    return {"sensor": {"S": "a"}, "number": {"N": str(number)}, **more}


def record(name: str, number: int, old: Any = None, new: Any = None, **more: Any) -> dict[str, Any]:
    """Return a record as the service writes it, with a member that no documentation has."""
    body = {
        "Keys": {"sensor": {"S": "a"}, "number": {"N": str(number)}},
        "SequenceNumber": f"{number:021d}",
        "ApproximateCreationDateTime": 1795852365.0,
        "SizeBytes": 41,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
        "Later": {"a": 1},
    }
    body |= {"OldImage": old} if old is not None else {}
    body |= {"NewImage": new} if new is not None else {}
    return {"eventID": f"e{number}", "eventName": name, "awsRegion": "eu-west-1", "dynamodb": body, "new": [1], **more}


PLACE = {"M": {"city": {"S": "Rome"}, "height": {"NULL": True}}}
RECORDS = [
    record("INSERT", 1, new=image(1, value={"N": "1.50"}, tags={"SS": ["x", "y"]}, place=PLACE)),
    record("MODIFY", 2, image(2, place=PLACE), image(2, anything={"M": {"a": {"L": [{"N": "1"}]}}})),
    record("REMOVE", 3, old=image(3), userIdentity={"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}),
    record("MODIFY", 4, image(4, undeclared={"S": "kept in raw"}), image(4, _write_id={"S": "w"})),
    record("MODIFY", 5, image(5, anything={"NULL": True}), image(5, place={"NULL": True})),
]


def page(records: list[Any], *, light: bool, by: ChangeDecoder[Any] = DECODER) -> RecordsPage:
    """Return a page as a client reads it, for a decoder."""
    caller = StubCaller({"GetRecords": {"Records": records, "NextShardIterator": "next"}})

    async def main() -> RecordsPage:
        async with Client(caller=caller) as client:
            return await client._runtime.send(GetRecords("it", form=by.form if light else None))

    return run_virtual(main())


def changes(records: list[Any], *, light: bool) -> list[Any]:
    """Return the changes of a page."""
    found = page(records, light=light)
    return [DECODER.decode(each, each["dynamodb"]["SequenceNumber"], "shard") for each in found.records]


def test_changes_are_those_of_plain_json():
    """Images, keys, times, what changed, and the record with members that nobody knows yet."""
    light, plain = changes(RECORDS, light=True), changes(RECORDS, light=False)
    assert [type(each).__name__ for each in light] == ["Inserted", "Modified", "Removed", "Modified", "Modified"]
    for one, other, told in zip(light, plain, RECORDS, strict=True):
        for name in ("old", "new", "key", "number", "sequence_number", "shard", "event_id", "at", "size", "region"):
            assert getattr(one, name, None) == getattr(other, name, None), name
        assert one.raw == other.raw == told
        assert one == other
        assert pickle.loads(pickle.dumps(one)) == one
    assert [each.changed(Reading.place) for each in (light[1], light[3])] == [True, False]
    assert light[2].expired


def test_images_are_records_and_the_page_is_not_kept():
    """Otherwise nothing would be gained; and a change holds its own bytes, not those of the page."""
    own = decoder(Reading)
    (first, *_) = page(RECORDS, light=True, by=own).records
    assert type(first["dynamodb"]["NewImage"]) is own._codec.records.cls
    assert whole_record(first) == RECORDS[0]
    kept = next(value for value in first.values() if isinstance(value, bytes))
    assert orjson.loads(kept) == RECORDS[0]
    assert own.decode(first, "1").new.value == Decimal("1.50")
    assert not own._codec.lamp, own._codec.lamp


def test_a_record_that_does_not_fit_is_plain_and_the_others_are_not():
    """A number under the descriptor of texts: its own change cannot be made, those beside it can."""
    odd = record("INSERT", 9, new=image(9, value={"S": "x"}))
    records = page([RECORDS[0], odd, RECORDS[2]], light=True).records
    assert [isinstance(each["dynamodb"].get("NewImage"), dict) for each in records] == [False, True, False]
    with pytest.raises(MarshallingError, match=r"Reading\.value: expected N, found S \(record 9 of shard s\)"):
        DECODER.decode(records[1], "9", "s")


def test_a_misfit_that_only_the_value_shows_names_its_place():
    """The record fits, its text is no number: the careful way reads the JSON that was kept."""
    (odd,) = page([record("INSERT", 9, new=image(9, value={"N": "x"}))], light=True).records
    with pytest.raises(MarshallingError, match=r"Reading\.value: .* \(record 9 of shard s\)"):
        DECODER.decode(odd, "9", "s")


@pytest.mark.parametrize(
    "records",
    [
        "x",
        [1],
        [{}],
        [{**RECORDS[0], "eventName": "RENAME"}],
        [{**RECORDS[0], "dynamodb": {}}],
        [record("INSERT", 1, new=image(1)) | {"dynamodb": {**RECORDS[0]["dynamodb"], "Keys": {}}}],
        [record("INSERT", 1, new=image(1)) | {"dynamodb": {**RECORDS[0]["dynamodb"], "Keys": {"sensor": {"S": ""}}}}],
        [record("INSERT", 1, new=image(1)) | {"dynamodb": {**RECORDS[0]["dynamodb"], "SequenceNumber": "x"}}],
    ],
)
@pytest.mark.parametrize("light", [True, False])
def test_an_answer_that_is_no_page_is_corrupt(records, light):
    """In whichever way it is parsed."""
    with pytest.raises(CorruptResponseError):
        page(records, light=light)


@pytest.mark.parametrize("values", [{"place": {"M": {"city": {"S": 5}}}}, {"tags": {"SS": "ab"}}, {"value": 1}])
@pytest.mark.parametrize("kind", ["OldImage", "NewImage"])
def test_an_image_that_is_no_item_is_corrupt(values: dict[str, Any], kind: str):
    """A payload of another kind fits no record, and would be read as the value of a dict."""
    images = {"old": image(1), "new": image(1)} | {kind[:3].lower(): image(1, **values)}
    with pytest.raises(CorruptResponseError):
        page([record("MODIFY", 1, **images)], light=True)


@pytest.mark.parametrize(
    ("model", "view"),
    [
        (User, "new_and_old_images"),
        (Customer, "new_and_old_images"),
        (Strict, "new_and_old_images"),
        (Reading, "new_image"),
    ],
)
def test_other_decoders_take_plain_json(model: type[Any], view: str):
    """Guards, items of other entities, and records with one image are looked at whole."""
    assert decoder(model, view).form is None
