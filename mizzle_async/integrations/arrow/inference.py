"""The schema of a table without a class, from a sample of its items: what was seen, and in how many of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from functools import reduce
from typing import Any, Final

from attrs import evolve

from mizzle_async.errors import ModelError
from mizzle_async.handles.query import Query
from mizzle_async.integrations.arrow.library import pa
from mizzle_async.integrations.arrow.types import DECIMAL
from mizzle_async.model.scalars.misfit import wire_name
from mizzle_async.operations import check_at_least_one
from mizzle_async.reading.plan_source import open_parts
from mizzle_async.types import AttributeValue, Item

SAMPLED_SEGMENTS: Final = 8
"""A sample is taken from so many segments of a scan: neighbours are often alike."""

_NUMBER: Final = pa.decimal128(*DECIMAL)
_LARGEST_INT: Final = 2**63
_SINGLE: Final = {"S": pa.string(), "B": pa.binary(), "BOOL": pa.bool_(), "NULL": pa.null()}


async def infer_schema(query: Query[Any], /, *, items: int = 1000) -> Any:
    """Return the Arrow schema of a sample of a query's items, for tables without a class.

    Whole numbers are int64, or decimal(38, 18) where one number of the column has a fraction or is longer. A map is a
    struct of the members that were seen. Keys are not null. Nothing of the sample but its types is kept.

    Args:
        query: A query or a scan. A scan is sampled in eight segments.
        items: The number of items to look at.

    Returns:
        The schema. Its metadata have ``mizzle.items``, the number of items of the sample, and each field's
        ``mizzle.seen``, the number of items that have the attribute.

    Raises:
        ModelError: Values of one attribute have different types, both of which are named; or nothing was found.

    Cost: read units for the items that are looked at.
    """
    check_at_least_one("infer_schema", items=items)
    sample = await _sample(query, items)
    plan = query._plan  # noqa: SLF001  (frames are the other half of queries)
    entity = plan.target.schema.entity
    if not sample:
        raise ModelError(f"{entity}: there is no item to infer a schema from: give schema=… yourself")
    seen = Counter(name for item in sample for name in item)
    keys = plan.target.schema.key_names
    fields = [_field(entity, name, [item[name] for item in sample if name in item]) for name in seen]
    marked = [
        pa.field(name, kind, nullable=name not in keys, metadata={"mizzle.seen": str(seen[name])})
        for name, kind in fields
    ]
    return pa.schema(marked, metadata={"mizzle.items": str(len(sample))})


async def _sample(query: Query[Any], items: int) -> list[Item]:
    plan = query._plan  # noqa: SLF001  (as above)
    share = -(-items // SAMPLED_SEGMENTS) if plan.partition is None else items
    segments = SAMPLED_SEGMENTS if plan.partition is None and plan.options.segment is None else 1
    options = evolve(plan.options, segments=segments, page_size=share, max_items=None)
    source = open_parts(query._runtime, evolve(plan, options=options, warned={"waste"}), prefetch=False)  # noqa: SLF001  (as above)
    sample: list[Item] = []
    try:
        while len(sample) < items and (page := await source.next()) is not None:
            hidden = plan.expired(query._runtime.now())  # noqa: SLF001  (as above)
            sample += page.items if hidden is None else [item for item in page.items if not hidden(item)]
    finally:
        await source.aclose()
    return sample[:items]


def _field(entity: str, name: str, values: Sequence[AttributeValue]) -> tuple[str, Any]:
    try:
        return name, reduce(_united, map(_type, values))
    except _ConflictError as conflict:
        first, second = conflict.args
        raise ModelError(
            f"{entity}: attribute {name!r} is {first} in one item and {second} in another: give schema=… yourself, "
            'with metadata {"mizzle": "json"} for a column of texts of JSON'
        ) from None


class _ConflictError(Exception):
    """Two types that have no common one."""


def _type(stored: AttributeValue) -> Any:
    ((tag, payload),) = stored.items()
    match tag:
        case "N":
            return _number(payload)
        case "L":
            return pa.list_(reduce(_united, map(_type, payload), pa.null()))
        case "SS" | "BS":
            return pa.list_(_SINGLE[tag[0]])
        case "NS":
            return pa.list_(reduce(_united, map(_number, payload)))
        case "M":
            return pa.struct([pa.field(name, _type(value)) for name, value in sorted(payload.items())])
        case _ if tag in _SINGLE:
            return _SINGLE[tag]
        case _:
            raise _ConflictError("a value", wire_name(stored))


def _number(text: str) -> Any:
    value = Decimal(text)
    is_int = value == value.to_integral_value() and -_LARGEST_INT <= value < _LARGEST_INT
    return pa.int64() if is_int else _NUMBER


def _united(first: Any, second: Any) -> Any:
    """Return the type that holds the values of both.

    Raises:
        _ConflictError: There is none.
    """
    if first == second or pa.types.is_null(second):
        return first
    if pa.types.is_null(first):
        return second
    if {first, second} == {pa.int64(), _NUMBER}:
        return _NUMBER
    if pa.types.is_list(first) and pa.types.is_list(second):
        return pa.list_(_united(first.value_type, second.value_type))
    if pa.types.is_struct(first) and pa.types.is_struct(second):
        members = {field.name: field.type for field in first}
        for field in second:
            members[field.name] = _united(members.get(field.name, pa.null()), field.type)
        return pa.struct([pa.field(name, members[name]) for name in sorted(members)])
    raise _ConflictError(str(first), str(second))
