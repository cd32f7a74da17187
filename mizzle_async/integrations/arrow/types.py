"""The Arrow type of each column type, and the types that a schema of the caller's may have in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from mizzle_async.integrations.arrow.library import pa
from mizzle_async.marshalling.forms import ColumnType, Kind, Member

DECIMAL: Final = (38, 18)
"""Digits of a decimal column in all, and behind the point."""

INSTANT: Final = pa.timestamp("us", "UTC")

_TYPES: Final[Mapping[Kind, Any]] = {
    "string": pa.string(),
    "json": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "decimal": pa.decimal128(*DECIMAL),
    "bool": pa.bool_(),
    "binary": pa.binary(),
    "instant": INSTANT,
    "date": pa.date32(),
    "time": pa.time64("us"),
    "duration": pa.duration("us"),
}
_MARKS: Final = {"set": {"mizzle": "set"}, "json": {"mizzle": "json"}}
"""The metadata of fields whose type does not say it all."""

_is = pa.types


def is_zoned(kind: Any) -> bool:
    """Return whether a type is of points in time: timestamps of a time zone."""
    return bool(_is.is_timestamp(kind)) and kind.tz is not None


_ALTERNATIVES: Final[Mapping[Kind, tuple[Callable[[Any], bool], ...]]] = {
    "string": (_is.is_string, _is.is_large_string, _is.is_dictionary),
    "json": (_is.is_string, _is.is_large_string),
    "int": (_is.is_integer, _is.is_decimal),
    "float": (_is.is_float64,),
    "decimal": (_is.is_decimal,),
    "bool": (_is.is_boolean,),
    "binary": (_is.is_binary, _is.is_large_binary, _is.is_fixed_size_binary),
    "instant": (is_zoned,),
    "date": (_is.is_date,),
    "time": (_is.is_time,),
    "duration": (_is.is_duration,),
}


def arrow_type(kind: ColumnType) -> Any:
    """Return the Arrow type of a column type."""
    match kind.kind:
        case "list" | "set":
            return pa.list_(_member(kind.members[0]))
        case "map":
            return pa.map_(pa.string(), _member(kind.members[0]))
        case "struct":
            return pa.struct([_member(member) for member in kind.members])
        case single:
            return _TYPES[single]


def arrow_field(name: str, kind: ColumnType, *, is_nullable: bool) -> Any:
    """Return the field of a column."""
    return pa.field(name, arrow_type(kind), nullable=is_nullable, metadata=_MARKS.get(kind.kind))


def _member(member: Member) -> Any:
    return arrow_field(member.name, member.type, is_nullable=member.is_nullable)


def may_stand_for(chosen: Any, kind: ColumnType) -> bool:
    """Return whether a type of the caller's may be that of a column: it holds the same values, or tells which not."""
    own = arrow_type(kind)
    if chosen == own:
        return True
    if kind.kind in _ALTERNATIVES:
        return any(test(chosen) for test in _ALTERNATIVES[kind.kind])
    return bool(_bare(chosen) == _bare(own))


def _bare(kind: Any) -> Any:
    """Return a type without names of elements, metadata and nullability, as text."""
    if _is.is_list(kind) or _is.is_large_list(kind):
        return ["list", _bare(kind.value_type)]
    if _is.is_map(kind):
        return ["map", _bare(kind.key_type), _bare(kind.item_type)]
    if _is.is_struct(kind):
        fields = [kind.field(position) for position in range(kind.num_fields)]
        return ["struct", *([field.name, _bare(field.type)] for field in fields)]
    return str(kind)
