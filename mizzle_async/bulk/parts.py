"""Parts of a query or a scan: plans that read each item of it once, each in a process of its own where that pays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar

from attrs import evolve

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import Condition, Encoded, Facet, SortKeyCondition, SortKeyPath
from mizzle_async.limits import SCAN_SEGMENTS
from mizzle_async.operations.reads.plan import ReadPlan
from mizzle_async.reading.merged_source import sortable
from mizzle_async.types import AttributeValue

RowT = TypeVar("RowT")
Bound: TypeAlias = tuple[AttributeValue, bool]
"""An end of a range of the sort key as it is stored, and whether it belongs to the range."""
Range: TypeAlias = tuple[Bound | None, Bound | None]


def split_plan(plan: ReadPlan[Any, RowT], parts: int) -> list[ReadPlan[Any, RowT]]:
    """Return plans of equal parts: segments of a scan, or partitions of a query of several.

    Args:
        plan: The plan.
        parts: How many.

    Raises:
        ExpressionError: It cannot be divided into so many.
    """
    _check_whole(plan)
    _check_parts(plan, parts)
    return [_part(plan, number, parts) for number in range(parts)]


def part_of(plan: ReadPlan[Any, RowT], number: int, parts: int) -> ReadPlan[Any, RowT]:
    """Return the plan of one part, as `split_plan` has it at this position.

    Args:
        plan: The plan.
        number: The number of the part, from zero.
        parts: How many parts there are.

    Raises:
        ExpressionError: There is no such part.
    """
    _check_whole(plan)
    _check_parts(plan, parts)
    if not _is_integer(number) or not 0 <= number < parts:
        raise ExpressionError(
            f"{plan.target.schema.entity}: there is no part {number!r} of {parts:,}: they count from 0 to {parts - 1:,}"
        )
    return _part(plan, number, parts)


def split_at(plan: ReadPlan[Any, RowT], values: Sequence[Any]) -> list[ReadPlan[Any, RowT]]:
    """Return plans of the ranges of a query's sort key between some values, in the order of the query's rows.

    An item at a value belongs to the range that begins there.

    Args:
        plan: The plan.
        values: The values, ascending.

    Raises:
        ExpressionError: It is no query of one sort key, or the values are none of its range, in order.
        MarshallingError: A value does not fit the sort key.
    """
    _check_whole(plan)
    path = _sort_path(plan)
    bounds = [(_encoded(plan, path, value), True) for value in values]
    entity = plan.target.schema.entity
    if not bounds:
        raise ExpressionError(f"{entity}: split(at=…) takes one value of {path} or more")
    low, high = _range(plan)
    order = [sortable(value) for value, _ in bounds]
    if any(first >= second for first, second in pairwise(order)):
        raise ExpressionError(f"{entity}: split(at=…) takes values of {path} in ascending order, each of them once")
    if (low and order[0] <= sortable(low[0])) or (high and order[-1] > sortable(high[0])):
        raise ExpressionError(f"{entity}: split(at=…) takes values of {path} that lie within the query's own range")
    starts: list[Bound | None] = [low, *bounds]
    ends: list[Bound | None] = [*((value, False) for value, _ in bounds), high]
    ranges = [_ranged(plan, path, (start, end)) for start, end in zip(starts, ends, strict=True)]
    return ranges[::-1] if plan.options.reverse else ranges


def _check_whole(plan: ReadPlan[Any, Any]) -> None:
    """Raise an error for a plan whose parts would not be its items."""
    entity, options = plan.target.schema.entity, plan.options
    for name in ("max_items", "max_evaluated"):
        if getattr(options, name) is not None:
            raise ExpressionError(
                f"{entity}: {name}= counts over the whole query, and a part knows nothing of the others: leave it out"
            )
    if options.segment is not None:
        number, parts = options.segment
        raise ExpressionError(f"{entity}: this is part {number} of {parts} already: split the whole scan")


def _check_parts(plan: ReadPlan[Any, Any], parts: object) -> None:
    entity = plan.target.schema.entity
    if not _is_integer(parts) or not 1 <= parts <= SCAN_SEGMENTS:  # type: ignore[operator]  # an integer by now
        raise ExpressionError(f"{entity}: a query has 1 to {SCAN_SEGMENTS:,} parts, not {parts!r}")
    if plan.partition is None:
        return
    partitions = len(plan.partitions)
    if not partitions:
        raise ExpressionError(
            f"{entity}: a query of one partition key value is one partition, which DynamoDB reads in order: divide it "
            "by values of its sort key, .split(at=[…])"
        )
    if partitions < parts:  # type: ignore[operator]  # as above
        raise ExpressionError(
            f"{entity}: this query reads {partitions} partitions, so it has at most {partitions} parts"
        )


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _part(plan: ReadPlan[Any, RowT], number: int, parts: int) -> ReadPlan[Any, RowT]:
    if plan.partition is None:
        return evolve(plan, options=evolve(plan.options, segments=1, segment=(number, parts)), warned=set())
    own = plan.partitions[number::parts]
    first = own[0]
    rest = own if len(own) > 1 else ()
    return evolve(
        plan, partition=first.partition, sort=first.sort, implied=first.implied, partitions=rest, warned=set()
    )


# ── ranges of a sort key ──


def _sort_path(plan: ReadPlan[Any, Any]) -> SortKeyPath[Any, Any]:
    """Return the path of the one attribute that rows of a partition are ordered by."""
    schema, index = plan.target.schema, plan.index
    if plan.partition is None:
        raise ExpressionError(f"{schema.entity}: a scan has no order: split it into a number of parts, .split(64)")
    is_template = schema.shared is not None or (index is not None and index.mapping is not None)
    if is_template or len(plan.sort_names()) != 1:
        raise ExpressionError(
            f"{schema.entity}: split(at=…) needs a sort key of one attribute, and {plan.source()} has none"
        )
    return schema.sort_key_path if index is None else index.sort_key


def _encoded(plan: ReadPlan[Any, Any], path: SortKeyPath[Any, Any], value: Any) -> AttributeValue:
    stored = plan.target.codec.encode_operand(value, path, Facet.WHOLE)
    if stored is None:
        raise ExpressionError(f"{plan.target.schema.entity}: {path} is never absent: split(at=…) takes its values")
    return stored


def _range(plan: ReadPlan[Any, Any]) -> Range:
    """Return the range that a query's own condition of the sort key stands for."""
    condition: Any = plan.sort
    if condition is None:
        return None, None
    low, high = _BOUNDS.get(condition.operator, (None, None))
    values = [argument.value for argument in condition.arguments]
    if low is None and high is None:
        raise ExpressionError(
            f"{plan.target.schema.entity}: {condition} is no range with ends that split(at=…) could divide: use <, <=, "
            ">, >= or between()"
        )
    closed = [(value, not any(same == value for same in plan.ends)) for value in values]
    return None if low is None else (closed[0][0], low and closed[0][1]), (
        None if high is None else (closed[-1][0], high and closed[-1][1])
    )


_BOUNDS = {
    "<": (None, False),
    "<=": (None, True),
    ">": (False, None),
    ">=": (True, None),
    "BETWEEN": (True, True),
}
"""Whether each end of a condition's range belongs to it; None where it has no such end."""


def _ranged(plan: ReadPlan[Any, RowT], path: SortKeyPath[Any, Any], ends: Range) -> ReadPlan[Any, RowT]:
    low, high = ends
    sort: Condition[Any]
    hidden: tuple[AttributeValue, ...] = ()
    if low is not None and high is not None:
        sort = SortKeyCondition("BETWEEN", path, (Encoded(low[0]), Encoded(high[0])))
        hidden = tuple(value for value, belongs in (low, high) if not belongs)
    elif low is not None:
        sort = SortKeyCondition(">=" if low[1] else ">", path, (Encoded(low[0]),))
    elif high is not None:
        sort = SortKeyCondition("<=" if high[1] else "<", path, (Encoded(high[0]),))
    else:
        raise AssertionError("a range of a split has one end at least")
    ranged = evolve(plan, sort=sort, ends=hidden, is_checked=False, warned=set())
    return evolve(ranged, partitions=tuple(evolve(each, sort=ranged.sort) for each in plan.partitions))
