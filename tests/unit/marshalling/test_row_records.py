"""Rows of projections that are made of records at once are the rows that are read value by value."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzle_async import Attribute, Client, MarshallingError, PartitionKey, SortKey, attribute, document, entity
from mizzle_async.marshalling.row_records import READERS
from mizzle_async.testing import StubCaller
from mizzle_async.writing.table_part import target_of


@document
class Line:
    sku: Attribute[str]


@entity("orders")
class Order:
    customer: PartitionKey[str]
    number: SortKey[int]
    status: Attribute[str] = attribute(default="open")
    total: Attribute[Decimal]
    note: Attribute[str | None] = attribute(default=None)
    paid: Attribute[bool]
    placed: Attribute[datetime | None] = attribute(default=None)
    tags: Attribute[set[str]] = attribute(factory=set)
    sizes: Attribute[frozenset[int]] = attribute(factory=frozenset)
    lines: Attribute[list[Line]] = attribute(factory=list)
    labels: Attribute[dict[str, int]] = attribute(factory=dict)
    twice: Attribute[int] = attribute(default=1, converter=lambda value: 2 * value)
    anything: Attribute[Any] = attribute(default=None)


paths: Any = Order
NAMES = tuple(name for name in Order.__annotations__ if name != "twice")
texts = st.text(max_size=5)
numbers = st.one_of(st.integers(-99, 99).map(str), st.sampled_from(["1E2", "0.50", "-0", "1.5"]))
values = st.one_of(
    texts.map(lambda text: {"S": text}),
    numbers.map(lambda text: {"N": text}),
    st.booleans().map(lambda flag: {"BOOL": flag}),
    st.just({"NULL": True}),
    st.lists(texts, min_size=1, unique=True).map(lambda elements: {"SS": elements}),
    st.just({"L": [{"M": {"sku": {"S": "s"}}}]}),
    st.just({"M": {"a": {"N": "1"}}}),
)
fitting: dict[str, st.SearchStrategy[Any]] = {
    "customer": texts.map(lambda text: {"S": text or "c"}),
    "number": st.integers(0, 9).map(lambda number: {"N": str(number)}),
    "status": texts.map(lambda text: {"S": text}),
    "total": numbers.map(lambda text: {"N": text}),
    "note": st.one_of(texts.map(lambda text: {"S": text}), st.just({"NULL": True})),
    "paid": st.booleans().map(lambda flag: {"BOOL": flag}),
    "placed": st.just({"S": "2026-10-13T08:48:47.966937Z"}),
    "tags": st.just({"SS": ["a", "b"]}),
    "sizes": st.just({"NS": ["1", "20"]}),
    "lines": st.just({"L": [{"M": {"sku": {"S": "s"}}}]}),
    "labels": st.just({"M": {"a": {"N": "1"}}}),
    "anything": values,
}


def outcome(make: Any) -> Any:
    """Return the rows, or the text of the error."""
    try:
        return make()
    except MarshallingError as error:
        return str(error)


def selection(*names: str) -> Any:
    """Return a projection's plan."""
    table = Client(caller=StubCaller()).table(Order)
    return table.query(paths.customer == "c").project(*(getattr(paths, name) for name in names))._plan


@given(st.data())
def test_rows_of_records_equal_rows_read_value_by_value(data: st.DataObject) -> None:
    """Whatever is stored, absent, NULL or of another type: the same rows, or the same error."""
    names = data.draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(tuple))
    plan = selection(*names)
    any_value = st.one_of(values, st.none())
    item = st.fixed_dictionaries({name: st.one_of(fitting[name], any_value) for name in names})
    items = [{name: each for name, each in one.items() if each is not None} for one in data.draw(st.lists(item))]
    answer = plan.records.parse(orjson.dumps({"Items": items, "Count": len(items)}))
    codec = plan.target.codec
    by_value = outcome(lambda: [plan.projection.row(codec, each) for each in items])
    assert outcome(lambda: plan.projection.rows(codec, answer["Items"])) == by_value


def test_items_of_the_usual_form_come_as_records() -> None:
    """Else the comparison above would compare dicts with dicts."""
    plan = selection("total", "tags", "placed")
    key = {"customer": {"S": "c"}, "number": {"N": "7"}}
    stored: Any = {**key, "total": {"N": "1.50"}, "placed": {"S": "2026-10-13T08:48:47.966937Z"}}
    (item,) = plan.records.parse(orjson.dumps({"Items": [stored]}))["Items"]
    assert type(item) is plan.records.cls
    assert plan.decode_all([item]) == [(Decimal("1.50"), set(), datetime(2026, 10, 13, 8, 48, 47, 966937, tzinfo=UTC))]
    assert plan.position(item) == key
    assert plan.target.codec.stored(item, "total") == {"N": "1.50"}


def test_what_a_record_cannot_say_is_read_value_by_value() -> None:
    """Converters and paths inside attributes have no records."""
    assert selection("twice").records is None
    table = Client(caller=StubCaller()).table(Order)
    assert table.query(paths.customer == "c").project(paths.lines[0])._plan.records is None


def test_the_functions_that_are_kept_have_a_bound() -> None:
    """A service whose users choose the columns compiles so many functions, and reads other rows value by value."""
    records = target_of(Client(caller=StubCaller()).table(Order)).codec.row_records
    assert records is not None
    wanted = [("total", *NAMES[: n % 10], "status", *NAMES[: n // 10]) for n in range(100)]
    made = {names for names in wanted if records.reader(names) is not None}
    assert len(set(wanted)) > READERS
    assert len(made) == READERS


@pytest.mark.parametrize("stored", [{"S": "x"}, {"N": "1.5"}])
async def test_the_error_of_a_row_names_the_attribute(stored: Any) -> None:
    """A value that does not fit is found by the careful way."""
    answer = {"Items": [{"customer": {"S": "c"}, "number": stored}], "Count": 1}
    async with Client(caller=StubCaller({"Query": answer})) as client:
        with pytest.raises(MarshallingError, match=r"Order\.number"):
            await client.table(Order).query(paths.customer == "c").project(paths.number).page()
