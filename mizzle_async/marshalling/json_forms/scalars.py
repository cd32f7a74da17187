"""Single values as JSON has them.

Text types are their text, truth values and whole numbers themselves. A ``Decimal`` is text, because a number loses
digits in most readers of JSON; a number is read as well. Bytes are base64. Points in time and durations are ISO 8601,
however they are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from typing import Any, Final

from mizzle_async.marshalling.json_forms.durations import read_duration, write_duration
from mizzle_async.marshalling.json_forms.form import BOOLEAN, NUMBER, TEXT, FunctionForm, not_json
from mizzle_async.marshalling.shapes.choices import common_kind
from mizzle_async.marshalling.shapes.scalars import BYTES, DECIMAL, PLAIN, Scalar, root
from mizzle_async.model.scalars import temporal
from mizzle_async.model.scalars.misfit import Misfit

TEXTS: Final = frozenset({TEXT})
NUMBERS: Final = frozenset({NUMBER})
_URL_SAFE: Final = str.maketrans("-_", "+/")
_AT_ZERO: Final = "+00:00"


def scalar_form(scalar: Scalar) -> FunctionForm:
    """Return how values of a scalar are written as JSON.

    Args:
        scalar: How they are stored.
    """
    make = _FORMS.get(value_type(scalar), _text_form)
    return make(scalar)


def value_type(scalar: Scalar) -> type[Any]:
    """Return the registered type of the values of a scalar: for an Enum or a Literal, that of the listed values.

    Args:
        scalar: How values are stored.
    """
    widest = root(scalar)
    if widest.exact_types:
        return widest.exact_types[0]
    if widest.cls is not None and issubclass(widest.cls, Flag):
        return int
    return common_kind(member.value if isinstance(member, Enum) else member for member in widest.values) or str


def decimal_form(scalar: Scalar, *, as_number: bool = False) -> FunctionForm:
    """Return how values of a ``Decimal`` are written.

    Args:
        scalar: How they are stored.
        as_number: Whether they are numbers, as far as a double holds them: where a text means something else.
    """

    def write(value: Any) -> Any:
        payload = scalar.write(value)
        exact = Decimal(value if isinstance(value, Decimal | int) else payload)
        return open_number(exact) if as_number else str(exact)

    def read(data: Any) -> Any:
        value = scalar.read(number_payload(data, TEXTS | NUMBERS))
        scalar.write(value)  # which knows the limits
        return value

    return FunctionForm(scalar.python, NUMBERS if as_number else TEXTS | NUMBERS, write, read)


def open_number(value: Decimal) -> int | float | str:
    """Return a ``Decimal`` whose type is not declared: a number where readers of JSON keep every digit, else text."""
    text = DECIMAL.write(value)
    if "." not in text:
        return int(text)
    near = float(text)
    return near if Decimal(repr(near)) == value else str(text)


def number_payload(data: Any, kinds: frozenset[str] = NUMBERS) -> str:
    """Return the text of a number of JSON, as it would be stored.

    Args:
        data: A value of JSON.
        kinds: Whether a text may stand for a number.

    Raises:
        Misfit: It is no number.
    """
    if isinstance(data, str) and TEXT in kinds:
        return data
    if isinstance(data, bool) or not isinstance(data, int | float | Decimal):
        raise not_json(" or ".join(sorted(kinds)), data)
    kind = int if isinstance(data, int) else float if isinstance(data, float) else Decimal
    payload: str = PLAIN[kind].write(data)
    return str(data) if isinstance(data, Decimal) else payload  # with the zeros at its end


def _number_form(scalar: Scalar, make: Callable[[str], Any]) -> FunctionForm:
    def read(data: Any) -> Any:
        value = scalar.read(scalar.write(data) if isinstance(data, Enum) else number_payload(data))
        scalar.write(value)  # which knows the limits
        return value

    return FunctionForm(scalar.python, NUMBERS, lambda value: make(scalar.write(value)), read)


def _bool_form(scalar: Scalar) -> FunctionForm:
    def read(data: Any) -> Any:
        if not isinstance(data, bool):
            raise not_json(BOOLEAN, data)
        return scalar.read(data)

    return FunctionForm(scalar.python, frozenset({BOOLEAN}), scalar.write, read)


def _bytes_form(scalar: Scalar) -> FunctionForm:
    def read(data: Any) -> Any:
        if not isinstance(data, str):
            return scalar.read(_written(scalar, data))
        text = data.translate(_URL_SAFE)
        return scalar.read(text + "=" * (-len(text) % 4))

    return FunctionForm(scalar.python, TEXTS, scalar.write, read)


def _text_form(scalar: Scalar) -> FunctionForm:
    def read(data: Any) -> Any:
        value = scalar.read(str.__str__(data) if isinstance(data, str) else _written(scalar, data))
        scalar.write(value)  # which knows the limits
        return value

    return FunctionForm(scalar.python, TEXTS, scalar.write, read)


def _time_form(scalar: Scalar) -> FunctionForm:
    plain = _text_form(scalar)

    def write(value: time) -> str:
        scalar.write(value)
        return value.isoformat()

    return FunctionForm(scalar.python, TEXTS, write, plain.read)


def _datetime_form(scalar: Scalar) -> FunctionForm:
    def read(data: Any) -> datetime:
        if not isinstance(data, str | datetime):
            raise not_json("a datetime in ISO 8601", data)
        return temporal.in_utc(data) if isinstance(data, datetime) else temporal.read_datetime(data)

    return FunctionForm(scalar.python, TEXTS, write_moment, read)


def write_moment(value: datetime) -> str:
    """Return the ISO 8601 text of a point in time, in its own time zone.

    Raises:
        Misfit: It is no datetime, or has no time zone.
    """
    temporal.write_datetime(value)
    text = value.isoformat()
    return f"{text.removesuffix(_AT_ZERO)}Z" if text.endswith(_AT_ZERO) else text


def _timedelta_form(scalar: Scalar) -> FunctionForm:
    del scalar

    def write(value: timedelta) -> str:
        temporal.write_timedelta(value)
        return write_duration(value)

    def read(data: Any) -> timedelta:
        if isinstance(data, timedelta):
            return data
        return read_duration(data) if isinstance(data, str) else temporal.read_timedelta(number_payload(data))

    return FunctionForm("timedelta", TEXTS | NUMBERS, write, read)


def _written(scalar: Scalar, data: Any) -> Any:
    """Return the payload of a value of the type itself, which stands where text is expected."""
    try:
        return scalar.write(data)
    except Misfit:
        raise not_json("base64 text" if scalar.tag == BYTES.tag else TEXT, data) from None


_FORMS: Final[Mapping[type[Any], Callable[[Scalar], FunctionForm]]] = {
    bool: _bool_form,
    int: lambda scalar: _number_form(scalar, int),
    float: lambda scalar: _number_form(scalar, float),
    Decimal: decimal_form,
    bytes: _bytes_form,
    datetime: _datetime_form,
    time: _time_form,
    timedelta: _timedelta_form,
}


def name_forms(scalar: Scalar) -> tuple[Callable[[Any], str], Callable[[Any], Any]]:
    """Return the functions that write and read the names of a map.

    Args:
        scalar: How the names are stored.
    """
    kind = value_type(scalar)
    if kind is datetime:
        return write_moment, _datetime_form(scalar).read
    if kind in {float, Decimal} and not scalar.values:

        def write(name: Any) -> str:
            scalar.write(name)
            return repr(name) if isinstance(name, float) else str(name)

        def read(name: Any) -> Any:
            value = PLAIN[kind].read(name)
            return scalar.read(PLAIN[kind].write(value))

        return write, read
    return scalar.write, scalar.read
