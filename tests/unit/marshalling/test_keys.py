from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

import attrs
import pytest

from mizzle_async import ExpressionError, LimitError, MarshallingError, ModelError
from mizzle_async.marshalling import canonical_key
from mizzle_async.model import Attribute, AttributeSchema, EntitySchema, PartitionKey, SortKey, attribute, entity


class Kind(StrEnum):
    ORDER = "order"
    EMPTY = ""


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[str] = attribute(name="id")
    total: Attribute[Decimal] = attribute(default=Decimal(0))


KEY = {"customer_id": {"S": "c"}, "id": {"S": "o"}}


def test_a_key_is_made_of_values_of_an_instance_or_of_an_item(codec_of):
    """A key has the stored names of exactly the key attributes, whatever it is made of."""
    codec = codec_of(Order)
    order = Order(customer_id="c", order_id="o")
    assert codec.encode_key({"customer_id": "c", "order_id": "o"}) == KEY
    assert codec.encode_key({"order_id": "o", "customer_id": "c"}) == KEY
    assert codec.key_of(order) == KEY
    assert codec.key_of_item(codec.encode(order)) == KEY


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"customer_id": "c"}, "the key is customer_id and order_id; order_id is missing"),
        ({}, "customer_id is missing, order_id is missing"),
        ({"customer_id": "c", "order_id": "o", "total": 1}, "total is no part of it"),
        ({"customer_id": "c", "id": "o"}, "order_id is missing, id is no part of it, and no option"),
    ],
)
def test_a_key_of_other_attributes_is_refused(codec_of, values, sentence):
    """A missing or a further name raises, and the message says what the key is."""
    with pytest.raises(ExpressionError, match=r"^Order: ") as caught:
        codec_of(Order).encode_key(values)
    assert sentence in str(caught.value)


def test_an_item_without_its_key_is_refused(codec_of):
    """An item that lacks a key attribute has no key."""
    with pytest.raises(MarshallingError, match=r"^Order\.id: expected a key attribute, found no such attribute"):
        codec_of(Order).key_of_item({"customer_id": {"S": "c"}})


@pytest.mark.parametrize(
    ("values", "error", "sentence"),
    [
        ({"customer_id": 5, "order_id": "o"}, MarshallingError, "Order.customer_id: expected str, found int"),
        ({"customer_id": None, "order_id": "o"}, MarshallingError, "Order.customer_id: expected str, found None"),
        ({"customer_id": "c", "order_id": b"o"}, MarshallingError, "Order.order_id: expected str, found bytes"),
        (
            {"customer_id": "", "order_id": "o"},
            LimitError,
            "expected a partition key of 1 to 2,048 bytes, found one of 0",
        ),
        ({"customer_id": "x" * 2049, "order_id": "o"}, LimitError, "found one of 2,049"),
        ({"customer_id": "ä" * 1025, "order_id": "o"}, LimitError, "found one of 2,050"),
        ({"customer_id": "c", "order_id": ""}, LimitError, "expected a sort key of 1 to 1,024 bytes, found one of 0"),
        ({"customer_id": "c", "order_id": "x" * 1025}, LimitError, "Order.order_id: "),
    ],
)
def test_key_values_that_the_service_would_refuse(codec_of, values, error, sentence):
    """A key value of a wrong type or size raises, in a key, in an instance and in an item alike."""
    codec = codec_of(Order)
    order = Order(**values)
    for attempt in (lambda: codec.encode_key(values), lambda: codec.key_of(order), lambda: codec.encode(order)):
        with pytest.raises(error) as caught:
            attempt()
        assert sentence in str(caught.value)


def test_key_values_of_the_greatest_size(codec_of):
    """2,048 bytes of partition key and 1,024 of sort key are accepted, counted in UTF-8."""
    codec = codec_of(Order)
    for partition, sort in (("x" * 2048, "x" * 1024), ("ä" * 1024, "ä" * 512)):
        key = codec.encode_key({"customer_id": partition, "order_id": sort})
        assert key == {"customer_id": {"S": partition}, "id": {"S": sort}}


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        (int, 5, {"N": "5"}),
        (Decimal, Decimal("0.50"), {"N": "0.5"}),
        (bytes, b"x" * 2048, {"B": "eHh4" * 682 + "eHg="}),
        (datetime, datetime(2026, 1, 1, tzinfo=UTC), {"S": "2026-01-01T00:00:00.000000Z"}),
        (UUID, UUID(int=5), {"S": "00000000-0000-0000-0000-000000000005"}),
        (Kind, Kind.ORDER, {"S": "order"}),
    ],
)
def test_keys_of_other_types(codec_of, kind, value, found):
    """Numbers, bytes, and what is stored as text may be keys."""
    model: Any = entity("things")(
        type("Thing", (), {"__annotations__": {"id": PartitionKey[kind]}, "__module__": __name__})
    )
    codec = codec_of(model)
    assert codec.encode_key({"id": value}) == {"id": found}
    assert codec.decode({"id": found}).id == value


class Folded(str):
    """Text without capital letters."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Make it of any text."""
        return super().__new__(cls, text.lower())


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (datetime, "2026-01-01T00:00:00Z"),
        (datetime, "2026-01-01T02:00:00.000000+02:00"),
        (date, "20260101"),
        (UUID, "0000000000000000000000000000000A"),
        (Folded, "ABC"),
    ],
)
def test_a_key_that_would_be_written_otherwise_is_not_read(codec_of, kind, payload):
    """What somebody else wrote in another form is refused as a key: a delete of what is read would miss the item."""
    model: Any = entity("things")(
        type("Thing", (), {"__annotations__": {"id": PartitionKey[kind]}, "__module__": __name__})
    )
    sentence = f"Thing.id: expected a partition key as {kind.__name__} is written, found another text for it"
    with pytest.raises(MarshallingError, match=f"^{sentence}; declare the attribute str") as caught:
        codec_of(model).decode({"id": {"S": payload}})
    assert caught.value.key == {"id": {"S": payload}}


@pytest.mark.parametrize(("kind", "value"), [(bytes, b""), (bytes, b"x" * 2049), (Kind, Kind.EMPTY)])
def test_sizes_of_keys_of_other_types(codec_of, kind, value):
    """Bytes count raw, Enums by their values."""
    model: Any = entity("things")(
        type("Thing", (), {"__annotations__": {"id": PartitionKey[kind]}, "__module__": __name__})
    )
    with pytest.raises(LimitError, match=r"^Thing\.id: expected a partition key of 1 to 2,048 bytes"):
        codec_of(model).encode_key({"id": value})


@attrs.define
class Anything:
    id: Any


@pytest.mark.parametrize("kind", [list[str], set[str], bool, str | int, str | None])
def test_types_that_cannot_be_keys(codec_of, kind):
    """Whatever made the schema, a key of a type that DynamoDB has no keys of is refused."""
    key = AttributeSchema("id", "id", kind, "partition")
    with pytest.raises(ModelError, match=r"Anything\.id: a partition key is one text, number or binary, not "):
        codec_of(EntitySchema(Anything, "Anything", (key,), table="things", partition_key=key))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"a": {"N": "1"}}, {"a": {"N": "1.0"}}, True),
        ({"a": {"N": "1E3"}}, {"a": {"N": "1000"}}, True),
        ({"a": {"N": "-0"}}, {"a": {"N": "0"}}, True),
        ({"a": {"N": "007"}}, {"a": {"N": "7"}}, True),
        ({"a": {"N": "1"}}, {"a": {"S": "1"}}, False),
        ({"a": {"S": "1.0"}}, {"a": {"S": "1"}}, False),
        ({"a": {"S": "x"}, "b": {"N": "1"}}, {"b": {"N": "1"}, "a": {"S": "x"}}, True),
        ({"a": {"S": "x"}, "b": {"S": "y"}}, {"a": {"S": "y"}, "b": {"S": "x"}}, False),
        ({"a": {"B": "AAEC"}}, {"a": {"B": "AAEC"}}, True),
    ],
)
def test_keys_compare_as_the_service_compares_them(first, second, same):
    """Two keys have one canonical form exactly when the service takes them for the same key."""
    assert (canonical_key(first) == canonical_key(second)) is same
    assert len({canonical_key(first), canonical_key(second)}) == (1 if same else 2)


def test_a_float_key_is_read_only_as_it_is_written(codec_of):
    """A number that is merely near to a key's float lies under another key, so it is refused; attributes read it."""

    @entity("places")
    class Place:
        pk: PartitionKey[float]
        width: Attribute[float] = attribute(default=0.0)

    codec = codec_of(Place)
    near = {"N": "0.30000000000000000001"}
    assert codec.decode({"pk": {"N": "0.3"}, "width": near}) == Place(pk=0.3, width=0.3)
    with pytest.raises(MarshallingError, match=r"Place\.pk: expected a partition key as a float is written"):
        codec.decode({"pk": near})
