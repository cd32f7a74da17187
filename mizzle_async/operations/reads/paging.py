"""Reading page by page: which plans have a single position, so that a cursor can say where the next page begins."""

from __future__ import annotations

from typing import Any, cast

from mizzle_async.errors import ExpressionError
from mizzle_async.operations.reads.plan import ReadPlan


def check_pages(plan: ReadPlan[Any, Any], limit: int | None) -> None:
    """Check that a plan can be read page by page.

    Args:
        plan: The plan.
        limit: Rows on a page, or None.

    Raises:
        ExpressionError: A page has no row, or the scan is parallel.
    """
    entity = plan.target.schema.entity
    given = cast("object", limit)  # perhaps text, from a query string
    if given is not None and (not isinstance(given, int) or given < 1):
        raise ExpressionError(
            f"{entity}: max_items={given!r} must be an integer of 1 or more: a page has at least one item"
        )
    if plan.options.segments > 1:
        raise ExpressionError(
            f"{entity}: a parallel scan has no single position: leave segments= out to page through it with cursors"
        )
    if plan.is_choice:
        raise ExpressionError(
            f"{entity}: {len(plan.partitions)} partitions are read, and a cursor stands in one: use `async for`, or"
            " query one partition"
        )
    if not plan.has_position:
        raise ExpressionError(
            f"{entity}: {plan.source()} is read in {len(plan.partitions)} partitions, which may hold equal sort keys,"
            " so there is no single position: use `async for`, or query one partition of the table"
        )
