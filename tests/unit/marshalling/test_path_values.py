from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import attrs
import cattrs
import pytest

from mizzle_async import LimitError, MarshallingError
from mizzle_async.expressions import AttributePath, Facet, UpdateClauses
from mizzle_async.marshalling import EntityCodec, Marshaller, StoredValue, encode_timestamp, marshaller_of
from mizzle_async.model import Attribute, PartitionKey, SortKey, attribute, dict_schema, document, entity, schema_of

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


class Status(StrEnum):
    OPEN = "open"


@document
class Line:
    sku: Attribute[str]
    price: Attribute[Decimal] = attribute(name="p")
    note: Attribute[str | None] = attribute(default=None)


@attrs.define
class Card:
    number: str


@attrs.define
class Bank:
    iban: str


@document
class Parcel:
    sent: Attribute[datetime]
    weight: Attribute[int] = attribute(default=0)


@document
class Letter:
    sent: Attribute[datetime] = attribute(datetime_format="epoch")
    weight: Attribute[Decimal] = attribute(default=Decimal(0))


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[str] = attribute(name="id")
    placed_at: Attribute[datetime]
    paid_at: Attribute[datetime | None] = attribute(default=None, datetime_format="epoch_ms")
    expires_at: Attribute[datetime | None] = attribute(default=None, time_to_live=True)
    took: Attribute[timedelta]
    status: Attribute[Status]
    total: Attribute[Decimal]
    count: Attribute[int]
    weight: Attribute[float]
    either: Attribute[int | str]
    number: Attribute[int | Decimal]
    tags: Attribute[set[str]]
    sizes: Attribute[set[int] | None]
    lines: Attribute[list[Line]]
    pair: Attribute[tuple[int, ...]]
    maybes: Attribute[list[str | None]]
    names: Attribute[dict[str, str]]
    payment: Attribute[Card | Bank | None]
    posted: Attribute[list[Parcel | Letter | None]] = attribute(factory=list)
    extra: Attribute[Any]
    blob: Attribute[bytes]


LEGACY = dict_schema("legacy", partition_key="pk")


@pytest.fixture
def codec() -> EntityCodec[Order]:
    """The codec of orders."""
    return Marshaller().codec(schema_of(Order))


@pytest.mark.parametrize(
    ("path", "value", "facet", "found"),
    [
        (Order.customer_id, "c", Facet.WHOLE, {"S": "c"}),
        (Order.placed_at, NOON, Facet.WHOLE, {"S": "2026-01-31T12:00:00.000000Z"}),
        (Order.paid_at, NOON, Facet.WHOLE, {"N": "1769860800000"}),
        (Order.status, Status.OPEN, Facet.WHOLE, {"S": "open"}),
        (Order.total, Decimal("1.10"), Facet.WHOLE, {"N": "1.1"}),
        (Order.tags, {"b", "a"}, Facet.WHOLE, {"SS": ["a", "b"]}),
        (Order.tags, set(), Facet.WHOLE, None),
        (Order.sizes, None, Facet.WHOLE, None),
        (Order.sizes, set(), Facet.WHOLE, None),
        (Order.lines, [], Facet.WHOLE, {"L": []}),
        (Order.pair, [1, 2], Facet.WHOLE, {"L": [{"N": "1"}, {"N": "2"}]}),
        (Order.payment, Bank("i"), Facet.WHOLE, {"M": {"_type": {"S": "Bank"}, "iban": {"S": "i"}}}),
        (Order.extra, set(), Facet.WHOLE, {"L": []}),
        # inside
        (Order.lines[0], Line(sku="s", price=Decimal(1)), Facet.WHOLE, {"M": {"sku": {"S": "s"}, "p": {"N": "1"}}}),
        (Order.lines[0][Line.price], Decimal(1), Facet.WHOLE, {"N": "1"}),
        (Order.lines[0][Line.note], None, Facet.WHOLE, None),
        (Order.maybes[0], None, Facet.WHOLE, {"NULL": True}),
        (Order.names["a"], "x", Facet.WHOLE, {"S": "x"}),
        (Order.payment["iban"], "i", Facet.WHOLE, {"S": "i"}),
        (Order.posted[0][Parcel.sent], NOON, Facet.WHOLE, {"S": "2026-01-31T12:00:00.000000Z"}),
        (Order.posted[0][Letter.sent], NOON, Facet.WHOLE, {"N": "1769860800"}),
        (Order.posted[0][Letter.weight], Decimal("1.5"), Facet.WHOLE, {"N": "1.5"}),
        (Order.extra["a"][0]["b"], 1, Facet.WHOLE, {"N": "1"}),
        (Order.names["a"]["b"], 5, Facet.WHOLE, {"N": "5"}),
        # parts
        (Order.tags, "a", Facet.ELEMENT, {"S": "a"}),
        (Order.sizes, 1, Facet.ELEMENT, {"N": "1"}),
        (Order.lines, Line(sku="s", price=Decimal(1)), Facet.ELEMENT, {"M": {"sku": {"S": "s"}, "p": {"N": "1"}}}),
        (Order.customer_id, "c", Facet.ELEMENT, {"S": "c"}),
        (Order.status, "op", Facet.ELEMENT, {"S": "op"}),
        (Order.extra, 5, Facet.ELEMENT, {"N": "5"}),
        (Order.customer_id, "2026-", Facet.TEXT, {"S": "2026-"}),
        (Order.placed_at, "2026-", Facet.TEXT, {"S": "2026-"}),
        (Order.blob, b"x", Facet.TEXT, {"B": "eA=="}),
        (Order.lines, 5, Facet.NUMBER, {"N": "5"}),
        (Order.total, 5, Facet.DELTA, {"N": "5"}),
        (Order.total, Decimal("0.5"), Facet.DELTA, {"N": "0.5"}),
        (Order.weight, 0.5, Facet.DELTA, {"N": "0.5"}),
        (Order.number, Decimal("0.5"), Facet.DELTA, {"N": "0.5"}),
        (Order.paid_at, timedelta(days=1, milliseconds=1.5), Facet.DELTA, {"N": "86400001.5"}),
        (Order.took, timedelta(seconds=90), Facet.DELTA, {"N": "90"}),
        (Order.extra, 1, Facet.DELTA, {"N": "1"}),
        # as they are
        (Order.total, StoredValue({"S": "x"}), Facet.WHOLE, {"S": "x"}),
        (Order.lines, [StoredValue({"S": "x"})], Facet.WHOLE, {"L": [{"S": "x"}]}),
        (None, [1], Facet.WHOLE, {"L": [{"N": "1"}]}),
    ],
)
def test_operands_are_encoded_for_their_paths(codec, path, value, facet, found):
    """A value is stored as its path's type asks, by what it is to the path; None means that it is stored as absence."""
    assert codec.encode_operand(value, path, facet) == found


@pytest.mark.parametrize(
    ("path", "value", "facet", "error", "sentence"),
    [
        (Order.total, "x", Facet.WHOLE, MarshallingError, "Order.total: expected Decimal, found str"),
        (Order.status, "open", Facet.WHOLE, MarshallingError, "Order.status: expected Status, found str"),
        (Order.customer_id, "", Facet.WHOLE, LimitError, "Order.customer_id: expected a partition key of 1 to"),
        (Order.order_id, "x" * 1025, Facet.WHOLE, LimitError, "Order.order_id: expected a sort key of 1 to 1,024"),
        (Order.lines, [Line(sku="s", price=1.5)], Facet.WHOLE, MarshallingError, "Order.lines[0].price: expected"),
        (Order.lines[3][Line.price], "x", Facet.WHOLE, MarshallingError, "Order.lines[3].price: expected Decimal, fou"),
        (Order.tags, 5, Facet.ELEMENT, MarshallingError, "Order.tags: expected str, found int"),
        (Order.customer_id, 5, Facet.TEXT, MarshallingError, "Order.customer_id: expected str, found int"),
        (Order.lines, "5", Facet.NUMBER, MarshallingError, "Order.lines: expected a number, found str"),
        (Order.count, 0.5, Facet.DELTA, MarshallingError, "Order.count: expected int, found float"),
        (Order.placed_at, 5, Facet.DELTA, MarshallingError, "Order.placed_at: expected an attribute that is stored"),
        (Order.paid_at, 60_000, Facet.DELTA, MarshallingError, "Order.paid_at: expected timedelta, found int"),
        (Order.took, 90, Facet.DELTA, MarshallingError, "Order.took: expected timedelta, found int"),
        (Order.extra, timedelta(1), Facet.DELTA, MarshallingError, "Order.extra: expected"),
        (Order.paid_at, "2026-", Facet.TEXT, MarshallingError, "Order.paid_at: expected an attribute that is stored"),
        (Order.total, True, Facet.DELTA, MarshallingError, "Order.total: expected a number, found bool"),
        (None, object(), Facet.WHOLE, MarshallingError, "value: expected a type that is stored by value"),
    ],
)
def test_operands_of_wrong_types_are_refused(codec, path, value, facet, error, sentence):  # noqa: PLR0917  (pytest gives them by name)
    """A value that is not of its path's type raises, naming the path."""
    with pytest.raises(error) as caught:
        codec.encode_operand(value, path, facet)
    assert str(caught.value).startswith(sentence)


def test_operands_of_a_deep_path_have_fewer_levels(codec):
    """What is set far inside may nest less deep."""
    path = Order.extra
    for _ in range(30):
        path = path["a"]
    assert codec.encode_operand([], path, Facet.WHOLE) == {"L": []}
    with pytest.raises(LimitError, match="at most 32 levels"):
        codec.encode_operand([[]], path, Facet.WHOLE)


def test_operands_of_a_table_without_a_class():
    """Keys are checked, everything else goes by value; a top-level empty set is absence."""
    codec = Marshaller().codec(LEGACY)
    assert codec.encode_operand("a", LEGACY.partition_key_path, Facet.WHOLE) == {"S": "a"}
    with pytest.raises(LimitError, match="partition key"):
        codec.encode_operand("", LEGACY.partition_key_path, Facet.WHOLE)
    assert codec.encode_operand(5, LEGACY.path("payload")["x"], Facet.WHOLE) == {"N": "5"}
    assert codec.encode_operand(set(), LEGACY.path("tags"), Facet.WHOLE) is None
    assert codec.encode_operand(set(), LEGACY.path("payload")["x"], Facet.WHOLE) == {"L": []}


def test_the_compiler_takes_the_codec_s_operands(codec, checked_compiler):
    """Updates with every kind of clause compile with values of the entity's types."""
    clauses = (
        UpdateClauses()
        .set(Order.total, Decimal(5))
        .set(Order.paid_at, None)
        .append(Order.lines, [Line(sku="s", price=Decimal(1))])
        .append(Order.pair, (1,))
        .add(Order.count, 1)
        .add(Order.tags, {"x"})
        .discard(Order.sizes, {1})
    )
    compiler = checked_compiler(codec.encode_operand, "Order")
    text = compiler.update(clauses)
    assert text.startswith("SET #total = :total")
    assert "REMOVE #paid_at" in text
    assert {"SS": ["x"]} in compiler.values.values()
    assert {"L": [{"N": "1"}]} in compiler.values.values()


def test_projections_are_decoded_by_path(codec):
    """What lies at a path is decoded as its type."""
    assert codec.decode_at(("status",), {"S": "open"}) is Status.OPEN
    assert codec.decode_at(("paid_at",), {"NULL": True}) is None
    assert codec.decode_at(("lines", 0, "p"), {"N": "1"}) == Decimal(1)
    assert type(codec.decode_at(("lines", 0, "p"), {"N": "1"})) is Decimal
    assert codec.decode_at(("names", "a"), {"S": "x"}) == "x"
    assert codec.decode_at(("undeclared",), {"S": "x"}) == "x"
    sent = Order.posted[0][Letter.sent]
    assert codec.decode_at(sent.segments, {"N": "1769860800"}, sent.documents) == NOON
    with pytest.raises(MarshallingError, match=r'^Order\.lines\[0\]\["p"\]: expected N, found S'):
        codec.decode_at(("lines", 0, "p"), {"S": "x"})
    with pytest.raises(MarshallingError, match=r"^Order\.order_id: expected S, found N"):
        codec.decode_at(("id",), {"N": "1"})


@pytest.mark.parametrize(
    ("name", "seconds", "found"),
    [
        ("placed_at", 1769860800.25, {"S": "2026-01-31T12:00:00.250000Z"}),
        ("placed_at", 1769860800, {"S": "2026-01-31T12:00:00.000000Z"}),
        ("paid_at", 1769860800.25, {"N": "1769860800250"}),
        ("expires_at", 1769860800.9, {"N": "1769860800"}),
    ],
)
def test_timestamps_are_stored_as_their_attributes_ask(codec, name, seconds, found):
    """A time of the clock is stored in the attribute's format; a time to live in whole seconds."""
    attribute = codec.schema.by_field[name]
    assert codec.encode_timestamp(attribute, seconds) == found
    assert encode_timestamp(attribute, seconds) == found


def test_times_to_live_are_cut_to_the_second(codec):
    """A fraction of a second is cut off a time to live, also before 1970."""
    for moment, text in (
        (NOON.replace(microsecond=999_999), "1769860800"),
        (datetime(1969, 12, 31, 23, 59, 59, 1, UTC), "-1"),
    ):
        assert codec.encode_operand(moment, Order.expires_at, Facet.WHOLE) == {"N": text}


def test_timestamps_follow_the_user_s_hooks():
    """Where the user's converter says how datetimes are stored, so are timestamps."""
    converter = cattrs.Converter()
    converter.register_unstructure_hook(datetime, lambda moment: moment.year)
    converter.register_structure_hook(datetime, lambda year, _: datetime(year, 1, 1, tzinfo=UTC))
    codec = marshaller_of(converter).codec(schema_of(Order))
    assert codec.encode_timestamp(codec.schema.by_field["placed_at"], 1769860800.0) == {"N": "2026"}


def test_stored_values_are_not_shown():
    """The repr of a value that goes into an expression as it is shows its type only."""
    assert repr(StoredValue({"S": "canary"})) == "<StoredValue of type S>"


def test_paths_may_be_made_by_hand(codec):
    """A path that nothing declares goes by value."""
    make: Callable[..., Any] = AttributePath
    assert codec.encode_operand(5, make(Order, ("unknown", 0)), Facet.WHOLE) == {"N": "5"}
