"""Records: what an answer of many items is read into gives what its items give."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import cattrs
import orjson
import pytest

from mizzle_async import Attribute, MarshallingError, PartitionKey, SortKey
from mizzle_async.marshalling import item_of
from mizzle_async.model import attribute, dict_schema, document, entity, schema_of


@document
class Line:
    sku: Attribute[str]


@entity("readings")
class Reading:
    station: PartitionKey[str]
    number: SortKey[int]
    value: Attribute[Decimal]
    taken_at: Attribute[datetime] = attribute(default=datetime(2026, 11, 27, tzinfo=UTC), name="taken at")
    note: Attribute[str | None] = attribute(default=None, name="n")
    valid: Attribute[bool | None] = attribute(default=True)
    flags: Attribute[set[str]] = attribute(factory=set)
    marks: Attribute[set[int] | None] = attribute(default=None)
    digest: Attribute[bytes] = attribute(default=b"")
    lines: Attribute[list[Line]] = attribute(factory=list)


def item(**attributes: Any) -> dict[str, Any]:
    """Return an item with nothing but what it must have, and these."""
    return {"station": {"S": "north"}, "number": {"N": "1"}, "value": {"N": "2.5"}} | attributes


@attrs.frozen
class Money:
    text: str


FULL = item(
    flags={"SS": ["a", "b"]},
    marks={"NS": ["1", "2"]},
    n={"S": "ä\n"},
    valid={"BOOL": False},
    digest={"B": "AAE="},
    lines={"L": [{"M": {"sku": {"S": "x"}}}]},
    **{"taken at": {"S": "2026-01-01T00:00:00.000000Z"}},
)


def read(codec: Any, items: list[Any]) -> list[Any]:
    """Return the items of an answer as they are read."""
    found: list[Any] = codec.records.parse(orjson.dumps({"Items": items, "Count": len(items)}))["Items"]
    return found


@pytest.mark.parametrize(
    "stored",
    [
        item(),
        FULL,
        item(n={"NULL": True}, valid={"NULL": True}, marks={"NULL": True}),
        item(undeclared={"M": {"n": {"N": "1"}}}),
        item(value={"N": "25E-1"}, number={"N": "1.0"}),
    ],
)
def test_a_record_is_decoded_as_its_item(codec_of, stored):
    """Whatever is there, absent, NULL or undeclared: the instance is the same, and so is what tells it apart."""
    codec = codec_of(Reading)
    (record,) = read(codec, [stored])
    assert type(record) is codec.records.cls
    assert codec.decode_all([record, None, stored]) == [codec.decode(stored), None, codec.decode(stored)]
    assert codec.identify_all([record]) == [codec.identify(stored)] == codec.identify_all([stored])
    assert all(
        codec.stored(record, name) == stored.get(name) == codec.stored(stored, name) for name in codec.schema.by_name
    )
    assert item_of(record) == {name: value for name, value in stored.items() if name in codec.schema.by_name}


@pytest.mark.parametrize(
    "stored",
    [
        item(value={"S": "2.5"}),
        item(n={"N": "1"}),
        item(valid={"S": "yes"}),
        item(flags={"NS": ["1"]}),
        item(marks={"SS": ["x"]}),
        item(lines={"NULL": True}),
        item(n={}),
        {"station": {"S": "north"}, "number": {"N": "1"}},
    ],
)
def test_an_item_that_does_not_fit_is_told_as_ever(codec_of, stored):
    """The error is the one that decoding the item gives, with its path and its key."""
    codec = codec_of(Reading)
    with pytest.raises(MarshallingError) as expected:
        codec.decode(stored)
    with pytest.raises(MarshallingError) as raised:
        codec.decode_all(read(codec, [FULL, stored]))
    assert str(raised.value) == str(expected.value)
    assert raised.value.key == expected.value.key


def test_one_odd_item_makes_dicts_of_all(codec_of):
    """An answer has one form, so that nobody must look at each item."""
    codec = codec_of(Reading)
    odd = item(flags={"L": []})
    assert read(codec, [FULL, odd]) == [FULL, odd]
    assert codec.decode_all([FULL, odd])[1].flags == set()


def test_answers_of_both_forms_go_together(codec_of):
    """One request may bring records, and another, for what that one left, dicts."""
    codec = codec_of(Reading)
    odd = item(number={"N": "2"}, flags={"L": []})
    mixed = [*read(codec, [FULL]), *read(codec, [odd])]
    assert [type(each) for each in mixed] == [codec.records.cls, dict]
    assert codec.identify_all(mixed) == list(map(codec.identify, [FULL, odd]))
    assert codec.decode_all(mixed) == list(map(codec.decode, [FULL, odd]))


def test_hooks_see_what_is_stored(codec_of):
    """What the user's converter structures is handed to it as it is in a dict."""
    converter = cattrs.Converter()
    converter.register_structure_hook(Money, lambda text, _: Money(text))
    converter.register_unstructure_hook(Money, lambda money: money.text)

    @entity("prices")
    class Price:
        name: PartitionKey[str]
        price: Attribute[Money]
        old: Attribute[Money | None] = attribute(default=None)

    codec = codec_of(Price, converter)
    for instance in (Price(name="a", price=Money("1 EUR")), Price(name="a", price=Money("1"), old=Money("2"))):
        (record,) = read(codec, [codec.encode(instance)])
        assert codec.decode_all([record]) == [instance]
    (record,) = read(codec, [{"name": {"S": "a"}, "price": {"S": "1"}, "old": {"NULL": True}}])
    assert codec.decode_all([record])[0].old is None


def test_what_else_an_answer_says_is_kept(codec_of):
    """Positions, counts, keys that were left and capacity are what orjson makes of them."""
    answer = {
        "Responses": {"readings": []},
        "UnprocessedKeys": {"readings": {"Keys": [item()], "ConsistentRead": True}},
        "ConsumedCapacity": [{"TableName": "readings", "CapacityUnits": 0.5}],
        "LastEvaluatedKey": {"station": {"S": "north"}, "number": {"N": "1"}},
        "Count": 0,
        "ScannedCount": 7,
    }
    assert codec_of(Reading).records.parse(orjson.dumps(answer)) == answer


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b'{"Items": [', b'{"Items": [{"n": {"S": "\xff"}}]}', b"NaN"])
def test_what_is_no_json_is_refused(codec_of, body):
    """What orjson refuses is refused."""
    with pytest.raises(orjson.JSONDecodeError):
        codec_of(Reading).records.parse(body)


@pytest.mark.parametrize("answer", [[], None, 1, {"Items": None}, {"Items": {}}, {"Items": [None]}, {"Count": "many"}])
def test_an_answer_of_another_shape_is_what_orjson_makes_of_it(codec_of, answer):
    """Whoever asked for it judges it."""
    assert codec_of(Reading).records.parse(orjson.dumps(answer)) == answer


def test_values_that_nest_deeply_are_read(codec_of):
    """Thirty-two levels, as deep as the service goes."""

    @entity("trees")
    class Tree:
        name: PartitionKey[str]
        root: Attribute[Any]

    stored: dict[str, Any] = {"L": []}
    for _ in range(30):
        stored = {"L": [stored]}
    whole = {"name": {"S": "oak"}, "root": stored}
    codec = codec_of(Tree)
    assert codec.decode_all(read(codec, [whole])) == [codec.decode(whole)]


def test_who_must_see_whole_items_has_no_records(codec_of):
    """A class that refuses undeclared attributes, or computes a default when it is called; a spread key; odd names."""

    @entity("strict", unknown="raise")
    class Strict:
        name: PartitionKey[str]

    @entity("computed")
    class Computed:
        name: PartitionKey[str]
        length: Attribute[int] = attribute(default=attrs.Factory(lambda self: len(self.name), takes_self=True))
        size: Attribute[int] = attribute(default=0, converter=int)

    @entity("spread")
    class Spread:
        name: PartitionKey[str] = attribute(shards=4)
        number: SortKey[int]

    @entity("quoted")
    class Quoted:
        name: PartitionKey[str]
        size: Attribute[int] = attribute(name='the "size"')

    for model in (Strict, Computed, Spread, Quoted, dict_schema("legacy", partition_key="name")):
        assert codec_of(model).records is None
    assert codec_of(Computed).decode_all([{"name": {"S": "four"}}, None])[0].length == 4


@pytest.mark.parametrize("frozen", [True, False])
def test_classes_are_made_of_records_in_every_way(codec_of, frozen):
    """Assigned, filled or called; defaults of the instance's other attributes included, where nothing is called."""

    @entity("computed", frozen=frozen)
    class Computed:
        name: PartitionKey[str]
        length: Attribute[int] = attribute(default=attrs.Factory(lambda self: len(self.name), takes_self=True))

    @entity("checked", frozen=frozen)
    class Checked:
        name: PartitionKey[str]
        size: Attribute[int] = attribute(default=0, validator=attrs.validators.le(9))

    computed, checked = codec_of(Computed), codec_of(Checked)
    items = [{"name": {"S": "four"}}, {"name": {"S": "four"}, "length": {"N": "7"}}]
    assert [made.length for made in computed.decode_all(read(computed, items))] == [4, 7]
    items = [{"name": {"S": "x"}, "size": {"N": "9"}}, {"name": {"S": "y"}}]
    assert [made.size for made in checked.decode_all(read(checked, items))] == [9, 0]
    with pytest.raises(MarshallingError, match="Checked"):
        checked.decode_all(read(checked, [{"name": {"S": "x"}, "size": {"N": "10"}}]))
    assert schema_of(Checked).entity == "Checked"
