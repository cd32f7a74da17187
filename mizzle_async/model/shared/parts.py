"""The parts of key formats: which types can stand in the text of a key, and how."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, get_args
from uuid import UUID

from attrs import frozen

from mizzle_async.errors import ModelError
from mizzle_async.model.annotations import is_literal, plain_type, type_name, without_none
from mizzle_async.model.shared.formats import REST, TEXT_CHANGES, KeyPart

DATETIME_WIDTHS: Final = {"microseconds": 27, "milliseconds": 24, "seconds": 20}
"""Widths of a point in time in UTC, the final ``Z`` included, by its unit."""

BUCKET_WIDTHS: Final = {"year": 4, "month": 7, "day": 10, "hour": 13}
"""Lengths of the beginning of that text which names a bucket."""

UUID_PATTERN: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
ADVICE: Final = "write str, int, Decimal, date, datetime, UUID or an Enum of text"


@frozen
class _Place:
    where: str
    field: str
    spec: str
    separator: str
    escape: bool


def key_part(where: str, field: str, annotation: Any, spec: str, *, separator: str, escape: bool) -> KeyPart:
    """Return the part of a key that an attribute makes.

    Args:
        where: The entity and the attribute, for messages.
        field: The attribute's name in Python.
        annotation: Its type. ``None`` beside it is left out.
        spec: The specification after the colon.
        separator: The table's separator.
        escape: Whether the table escapes separators in text.

    Raises:
        ModelError: The type cannot be part of a key, or the specification does not fit the type.
    """
    place = _Place(where, field, spec, separator, escape)
    members = without_none(plain_type(annotation))
    kind = members[0] if len(members) == 1 else None
    values = _listed_values(kind)
    if values is not None:
        return _choice(place, kind, values)
    if isinstance(kind, type):
        for base, make in _MAKERS:
            if issubclass(kind, base) and not issubclass(kind, bool):
                return make(place)
    raise ModelError(f"{where}: {type_name(annotation)} cannot be part of a key: {ADVICE}")


def _listed_values(kind: Any) -> list[Any] | None:
    if is_literal(kind):
        return list(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [member.value for member in kind]
    return None


def _choice(place: _Place, kind: Any, values: list[Any]) -> KeyPart:
    if place.spec:
        raise _misfit(place, "an Enum or a Literal takes no format")
    for value in values:
        if not isinstance(value, str) or not value:
            raise ModelError(
                f"{place.where}: the values of {type_name(kind)} must be texts to be part of a key, not {value!r}"
            )
        if place.separator in value:
            raise ModelError(
                f"{place.where}: {value!r} of {type_name(kind)} contains the separator {place.separator!r} of the table"
            )
    longest_first = sorted(values, key=len, reverse=True)
    return KeyPart(
        field=place.field,
        where=place.where,
        kind="choice",
        pattern="|".join(map(re.escape, longest_first)),
        width=len(values[0]) if len({len(value) for value in values}) == 1 else None,
        choices=tuple(values),
    )


def _text(place: _Place) -> KeyPart:
    if place.spec not in {"", REST, *TEXT_CHANGES}:
        raise _misfit(place, f"text takes :{', :'.join((*TEXT_CHANGES, REST))} or nothing")
    takes_the_rest = place.spec == REST
    return KeyPart(
        field=place.field,
        where=place.where,
        kind="text",
        spec=place.spec,
        pattern="(?s:.+)" if takes_the_rest else f"[^{re.escape(place.separator)}]+",
        ordered=takes_the_rest or not place.escape,  # `%23` and `#` sort differently
        lossless=place.spec not in TEXT_CHANGES,
        forbidden="" if takes_the_rest else place.separator,
        escape=place.escape and not takes_the_rest,
    )


def _integer(place: _Place) -> KeyPart:
    if not place.spec:
        return KeyPart(field=place.field, where=place.where, kind="integer", pattern=r"0|-?[1-9][0-9]*", ordered=False)
    if not re.fullmatch(r"0[1-9][0-9]?", place.spec):
        raise _misfit(place, f"an int takes a width, {{{place.field}:010}}, or nothing")
    digits = int(place.spec)
    return KeyPart(
        field=place.field,
        where=place.where,
        kind="integer",
        spec=place.spec,
        pattern=rf"[0-9]{{{digits}}}",
        width=digits,
        discrete=True,
    )


def _decimal(place: _Place) -> KeyPart:
    match = re.fullmatch(r"0([1-9][0-9]?)\.([1-9][0-9]?)f?", place.spec)
    if match is None or int(match[1]) - int(match[2]) < 2:  # noqa: PLR2004  (a digit and the point)
        raise _misfit(place, f"a Decimal takes a width and places, {{{place.field}:012.2}}")
    width, places = int(match[1]), int(match[2])
    pattern = rf"[0-9]{{{width - places - 1}}}\.[0-9]{{{places}}}"
    return KeyPart(
        field=place.field,
        where=place.where,
        kind="decimal",
        spec=f"0{width}.{places}",
        pattern=pattern,
        width=width,
        discrete=True,
    )


def _datetime(place: _Place) -> KeyPart:
    if place.spec in BUCKET_WIDTHS:
        width = BUCKET_WIDTHS[place.spec]
        return KeyPart(
            field=place.field,
            where=place.where,
            kind="bucket",
            spec=place.spec,
            pattern=rf"[-0-9T]{{{width}}}",
            width=width,
            lossless=False,
        )
    unit = place.spec or "microseconds"
    if unit not in DATETIME_WIDTHS:
        units = ", ".join(f":{name}" for name in (*DATETIME_WIDTHS, *BUCKET_WIDTHS))
        raise _misfit(place, f"a datetime takes {units} or nothing")
    width = DATETIME_WIDTHS[unit]
    return KeyPart(
        field=place.field,
        where=place.where,
        kind="datetime",
        spec=unit,
        pattern=rf"[-0-9T:.]{{{width - 1}}}Z",
        width=width,
        discrete=True,
    )


def _date(place: _Place) -> KeyPart:
    if place.spec:
        raise _misfit(place, "a date takes no format")
    return KeyPart(
        field=place.field,
        where=place.where,
        kind="date",
        pattern=r"[0-9]{4}-[0-9][0-9]-[0-9][0-9]",
        width=10,
        discrete=True,
    )


def _uuid(place: _Place) -> KeyPart:
    if place.spec:
        raise _misfit(place, "a UUID takes no format")
    return KeyPart(field=place.field, where=place.where, kind="uuid", pattern=UUID_PATTERN, width=36)


_MAKERS: Final[tuple[tuple[type[Any], Callable[[_Place], KeyPart]], ...]] = (
    (str, _text),
    (int, _integer),
    (Decimal, _decimal),
    (datetime, _datetime),
    (date, _date),
    (UUID, _uuid),
)


def _misfit(place: _Place, advice: str) -> ModelError:
    return ModelError(f"{place.where}: {{{place.field}:{place.spec}}} does not fit: {advice}")
