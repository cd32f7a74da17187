"""Key formats against brute force: texts and values are one to one, ranges hold exactly the texts that they mean."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import pytest
from hypothesis import assume, example, given, reject
from hypothesis import strategies as st

from mizzle_async.errors import ExpressionError, MarshallingError
from mizzle_async.model.shared.formats import KeyFormat
from mizzle_async.model.shared.parsing import parse_format
from mizzle_async.model.shared.parts import key_part
from mizzle_async.model.shared.texts import read_key, write_key
from mizzle_async.operations.reads.key_ranges import KeyRange, PartComparison, covering_range, key_range


class Size(StrEnum):
    IN = "in"
    INNER = "inner"
    OUT = "out"


TYPES = {
    "name": str,
    "other": str,
    "number": int,
    "price": Decimal,
    "moment": datetime,
    "day": date,
    "id": UUID,
    "size": Size,
}

FORMATS = [
    "N#{name}",
    "N#{name}#{other}",
    "{name}-{other}#x",
    "{name}",
    "{number:03}",
    "A#{number:03}#{name}",
    "{price:06.2}#{name}",
    "M#{moment:seconds}#{name}",
    "M#{moment}",
    "{day}{number:03}",
    "{day}#{size}",
    "{size}#{number:03}",
    "{size}",
    "{id}#{number:03}",
    "P#{other:rest}",
    "CONSTANT",
]

TEXT = st.text(st.sampled_from("ab AB#-$%\0\uffff\U0001f600"), min_size=1, max_size=4)
MOMENT = st.integers(0, 50).map(lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))
VALUES = {
    "name": TEXT,
    "other": TEXT,
    "number": st.integers(0, 999),
    "price": st.integers(0, 99999).map(lambda cents: Decimal(cents).scaleb(-2)),
    "moment": MOMENT,
    "day": st.integers(0, 400).map(lambda days: date(2026, 1, 1) + timedelta(days=days)),
    "id": st.uuids(),
    "size": st.sampled_from(Size),
}


def made(text: str, *, escape: bool = False) -> KeyFormat:
    """Return the format of a text over the attributes of this module."""
    return parse_format(
        "Model.key",
        text,
        lambda field, spec: key_part(f"Model.{field}", field, TYPES[field], spec, separator="#", escape=escape),
        separator="#",
    )


def written(key_format: KeyFormat, values: dict[str, object]) -> str:
    """Return the text of a key, or reject the example where the values are refused."""
    try:
        return write_key(key_format, values)
    except MarshallingError:
        return reject()


def holds(found: KeyRange, text: str) -> bool:
    """Whether DynamoDB finds a text by a key condition; it compares texts by their UTF-8."""
    stored, operands = text.encode(), [each.encode() for each in found.texts]
    return {
        "": lambda: True,
        "empty": lambda: False,
        "=": lambda: stored == operands[0],
        "begins_with": lambda: stored.startswith(operands[0]),
        "<=": lambda: stored <= operands[0],
        ">=": lambda: stored >= operands[0],
        "BETWEEN": lambda: operands[0] <= stored <= operands[1],
    }[found.operator]()


def ordered(value: object) -> object:
    """Return a value that compares as its text does."""
    return value.encode() if isinstance(value, str) else str(value) if isinstance(value, UUID) else value


MATCHES = {
    "<": lambda value, low, _high: value < low,
    "<=": lambda value, low, _high: value <= low,
    ">": lambda value, low, _high: value > low,
    ">=": lambda value, low, _high: value >= low,
    "BETWEEN": lambda value, low, high: low <= value <= high,
}


@given(st.sampled_from(FORMATS), st.booleans(), st.fixed_dictionaries(VALUES))
def test_what_is_written_is_read_back(text, escape, values):
    """Values come back from their key, whatever the format."""
    key_format = made(text, escape=escape)
    key = written(key_format, values)
    assert read_key(key_format, key, "Model.key") == {field: values[field] for field in key_format.fields}


@given(st.sampled_from(FORMATS), st.booleans(), st.fixed_dictionaries(VALUES), st.fixed_dictionaries(VALUES))
def test_different_values_have_different_keys(text, escape, one, two):
    """Two sets of values never make one key."""
    key_format = made(text, escape=escape)
    same = all(one[field] == two[field] for field in key_format.fields)
    assert (written(key_format, one) == written(key_format, two)) == same


@given(
    st.sampled_from(FORMATS),
    st.sampled_from(sorted(MATCHES)),
    st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=12),
    st.data(),
)
@example("N#{name}", ">", [{"name": "a"}, {"name": "a\0"}, {"name": "b"}], None)
def test_range_holds_exactly_what_it_means(text, operator, items, data):
    """A range finds the items that the comparison is true of, no neighbour and none too few, or it is refused."""
    key_format = made(text)
    assume(key_format.fields)
    keys = {written(key_format, values): values for values in items}
    at = 0 if data is None else data.draw(st.integers(0, len(key_format.fields) - 1))
    field = key_format.fields[at]
    first = items[0]
    known = {name: first[name] for name in key_format.fields[:at]}
    low, high = first[field], items[-1][field]
    arguments = (low, high) if operator == "BETWEEN" else (low,)
    try:
        found = key_range("Model", key_format, known, PartComparison(field, operator, arguments))
    except ExpressionError:
        assert field in {"name", "other", "size"}
        return
    for key, values in keys.items():
        expected = all(values[name] == known[name] for name in known) and MATCHES[operator](
            ordered(values[field]), ordered(low), ordered(high)
        )
        kept = found.excluded is None or values[found.excluded[0]] != found.excluded[1]
        assert (holds(found, key) and kept) == expected, (key, found.operator, found.texts)


@given(st.sampled_from(FORMATS), st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=12), st.integers(0, 2))
def test_beginning_holds_exactly_what_it_means(text, items, count):
    """Values by equality from the left find the items that have them, and no others of the format."""
    key_format = made(text)
    fields = key_format.fields[:count]
    keys = {written(key_format, values): values for values in items}
    found = key_range("Model", key_format, {name: items[0][name] for name in fields}, None)
    for key, values in keys.items():
        assert holds(found, key) == all(values[name] == items[0][name] for name in fields)


@given(st.lists(st.sampled_from(FORMATS), min_size=1, max_size=4), st.fixed_dictionaries(VALUES))
def test_covering_range_holds_every_member(texts, values):
    """The range of a collection holds every item of each of its formats."""
    formats = [made(text) for text in texts]
    found = covering_range([key_range("Model", each, {}, None) for each in formats])
    for each in formats:
        assert holds(found, written(each, values))


@given(st.sampled_from(FORMATS), st.sampled_from(FORMATS), st.fixed_dictionaries(VALUES), st.fixed_dictionaries(VALUES))
def test_overlap_is_never_missed(one, two, values, others):
    """Where two formats make one text, the check says that they may."""
    first, second = made(one), made(two)
    key = written(first, values)
    if key == written(second, others) or second.pattern.fullmatch(key):
        assert first.may_equal(second)
        assert second.may_equal(first)


@given(st.sampled_from(FORMATS), st.fixed_dictionaries(VALUES), st.integers(0, 12))
def test_possible_beginning_is_never_missed(text, values, length):
    """Where a key begins with a text, the check says that it may."""
    key_format = made(text)
    key = written(key_format, values)
    assert key_format.may_begin(key[:length])
    assert key_format.may_lie_between(key, key)


@pytest.mark.parametrize(
    ("one", "two"),
    [("ORDER#{name}", "ORDERS#{name}"), ("A#{number:03}", "A#{day}"), ("PROFILE", "ORDER#{name}"), ("{size}", "other")],
)
def test_formats_that_share_no_text_are_told_apart(one, two):
    """Formats that cannot meet are not refused."""
    assert not made(one).may_equal(made(two))
    assert not made(two).may_equal(made(one))
