"""Lists of floats at once: the floats and the texts of one after the other, whatever stands among them."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mizzle_async.marshalling.shapes.float_lists import BULK, FloatListShape, list_shape, read_floats, write_floats
from mizzle_async.marshalling.shapes.scalars import FLOAT, INT
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.model.scalars.numbers import float_in, float_text

ordinary = st.floats(-1e20, 1e20, allow_nan=False)
tiny = st.floats(-1e-4, 1e-4, allow_nan=False)
floats = st.one_of(ordinary, tiny, st.integers(-(10**18), 10**18).map(float), st.sampled_from([0.0, -0.0, 1e16, 1e-5]))
in_range = floats.filter(lambda value: value == 0 or abs(value) > 1e-120)
many = {"min_size": BULK, "max_size": 2 * BULK}
texts = st.one_of(
    in_range.map(float_text),
    st.decimals(allow_nan=False, allow_infinity=False, places=20).map(str),
    st.sampled_from(["-0", "-0.0", "1E3", "1e-7", "+1", ".5", "5.", "007", " 1", "1 ", "1_0", "9007199254740993"]),
)
foreign = st.sampled_from(["", "1,2", "[1", "2]", "null", "true", '"1"', "NaN", "Infinity", "1\n", "x", "[1,2]"])


def outcome(convert: Any) -> Any:
    """Return the results as texts, which tell -0.0 from 0.0, or what kind of failure it was."""
    try:
        return list(map(repr, convert()))
    except (Misfit, ValueError):
        return "refused"


@given(st.lists(floats, **many))
@example([0.1, -0.0, 1e-5, 1e300] * BULK)
@example([float("nan"), float("inf"), 1.0, -2.0] * BULK)
def test_floats_are_written_as_one_after_the_other(values: list[float]) -> None:
    """The same texts, and the same refusals."""
    assert outcome(lambda: write_floats(values)) == outcome(lambda: [FLOAT.encode(value, 1) for value in values])


@given(st.lists(st.one_of(floats, st.integers(), st.booleans(), st.none(), st.decimals()), **many))
def test_what_is_no_float_is_written_or_refused_as_one_after_the_other(values: list[Any]) -> None:
    """Integers are floats where a float can hold them, and nothing else is one."""
    assert outcome(lambda: write_floats(values)) == outcome(lambda: [FLOAT.encode(value, 1) for value in values])


def one_by_one(stored: list[str]) -> list[float]:
    """Read each text as the decoder of a single float does."""
    return list(map(float_in, stored))


@given(st.lists(st.one_of(texts, foreign), **many))
@example(["1,2", *["0.5"] * BULK])
@example(["[0.5", *["0.5"] * BULK, "0.5]"])
@example(["-0", *["0.5"] * BULK])
@example([*["0.5"] * BULK, "-0"])
def test_texts_are_read_as_one_after_the_other(stored: list[str]) -> None:
    """A text that JSON reads otherwise, or would join with its neighbour, is read by itself."""
    elements = [{"N": text} for text in stored]
    assert outcome(lambda: read_floats(elements)) == outcome(lambda: one_by_one(stored))


@given(st.lists(in_range, **many))
def test_floats_come_back(values: list[float]) -> None:
    """Every float is stored exactly; zero has no sign."""
    assert read_floats(write_floats(values)) == values


def test_an_element_of_another_type_is_refused_with_its_position() -> None:
    """The careful way names it."""
    shape = list_shape("list[float]", list, (list,), FLOAT)
    assert isinstance(shape, FloatListShape)
    with pytest.raises(KeyError):
        read_floats([{"N": "1"}] * BULK + [{"S": "x"}])
    with pytest.raises(Misfit) as refused:
        shape.decode({"L": [{"N": "1"}] * BULK + [{"S": "x"}]})
    assert refused.value.steps
    with pytest.raises(Misfit):
        write_floats([1.0] * BULK + [Decimal(1)])


def test_other_lists_are_as_they_were() -> None:
    """Integers have no bulk form: most of their texts are short."""
    assert not isinstance(list_shape("list[int]", list, (list,), INT), FloatListShape)
