"""Queries and scans, as the reading surface sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from attrs import evolve

from mizzle_async.errors import CorruptResponseError, MarshallingError
from mizzle_async.flow.pace import UNLIMITED
from mizzle_async.flow.ports import TaskPort
from mizzle_async.operations.reads.page import RawPage
from mizzle_async.operations.reads.paging import check_pages
from mizzle_async.operations.reads.plan import ReadPlan
from mizzle_async.reading.merged_source import open_source
from mizzle_async.reading.page_source import PageSource
from mizzle_async.reading.plan_source import open_parts
from mizzle_async.reading.selection import Selection
from mizzle_async.types import Item
from mizzle_async.values import transient

RowT_co = TypeVar("RowT_co", covariant=True)


@transient(eq=False, repr=False)
class PlanSelection(Selection[RowT_co]):
    """The rows of a plan.

    Attributes:
        reader: The client.
        plan: The plan.
    """

    reader: TaskPort
    plan: ReadPlan[Any, RowT_co]

    @property
    def max_items(self) -> int | None:
        """Return the plan's own number of rows."""
        return self.plan.options.max_items

    @property
    def noun(self) -> str:
        """Return the entity's name."""
        return self.plan.target.schema.entity

    @property
    def table(self) -> str:
        """Return the table's name."""
        return self.plan.target.table

    # ── its pages ──

    def open(self, *, max_items: int | None = None, is_bulk: bool = True) -> PageSource:
        """Return a source of its pages."""
        limiters = None if is_bulk else UNLIMITED
        return open_source(self.reader, self.plan, max_items=max_items, limiters=limiters, records=True)

    def open_at(self, cursor: str | None, *, max_items: int | None = None, is_bulk: bool = True) -> PageSource:
        """Return a source of its pages that begins at a cursor."""
        reader, plan = self.reader, self.plan
        key = None
        if cursor is not None:
            key = plan.check_position(reader.cursors.read(cursor, plan.digest, reader.now()))
        return self._source(plan, key, max_items, is_bulk=is_bulk)

    def open_page(self, cursor: str | None, *, max_items: int | None) -> tuple[PageSource, bool]:
        """Return a source for one page: of a cursor that leads backwards, of the query in the opposite order."""
        reader, plan = self.reader, self.plan
        key, backwards = None, False
        if cursor is not None:
            key, backwards = reader.cursors.read_position(cursor, plan.digest, reader.now())
            key = None if key is None else plan.check_position(key)
        if backwards:
            plan = evolve(plan, options=evolve(plan.options, reverse=not plan.options.reverse))
        return self._source(plan, key, max_items, is_bulk=False), backwards

    def _source(
        self, plan: ReadPlan[Any, RowT_co], key: Item | None, max_items: int | None, *, is_bulk: bool
    ) -> PageSource:
        return open_source(
            self.reader,
            plan,
            start_key=key,
            max_items=max_items,
            prefetch=is_bulk,
            limiters=None if is_bulk else UNLIMITED,
            records=True,
        )

    def open_count(self) -> PageSource:
        """Return a source of pages without items, where the service's own count is right."""
        plan = self.plan
        return open_parts(self.reader, plan.counting, count_only=plan.countable)

    def count(self, page: RawPage) -> int:
        """Return the number of rows of a page."""
        if self.plan.countable:
            return page.count
        hidden = self.hidden()
        return len(page.items) if hidden is None else sum(1 for item in page.items if not hidden(item))

    # ── its rows ──

    def hidden(self) -> Callable[[Any], bool] | None:
        """Return a function that says which items are expired, or guards."""
        return self.plan.expired(self.reader.now())

    @property
    def row(self) -> Callable[[Any], RowT_co]:
        """Return the function that makes the row of an item."""
        return self.plan.row

    def judge(self, error: MarshallingError) -> None:
        """Do as ``on_error`` says."""
        self.plan.judge(error)

    def rows(self, page: RawPage, limit: int | None) -> tuple[list[RowT_co], Item | None, bool]:
        """Make the rows of a page, all at once where nothing is asked of them but to be decoded."""
        plan = self.plan
        if not plan.decodes_all or (limit is not None and len(page.items) > limit):
            return super().rows(page, limit)
        try:
            return plan.decode_all(plan.shown(page.items, self.reader.now())), page.last_key, False
        except CorruptResponseError:
            page.refuse()
            raise

    # ── its positions ──

    def position(self, page: RawPage, number: int) -> Item:
        """Return the start key that stands for "after this item of the page"."""
        return self.plan.position((page.origins or page.items)[number])

    def check_page(self, max_items: int | None) -> None:
        """Raise `ExpressionError` unless one key says how far the plan was read."""
        check_pages(self.plan, max_items)

    def cursor(self, key: Item | None) -> str | None:
        """Return the cursor for a start key, or None at the end, and where no single key says how far it was read."""
        plan, reader = self.plan, self.reader
        return None if key is None or not plan.has_position else reader.cursors.write(key, plan.digest, reader.now())

    def beginning(self) -> str:
        """Return the cursor for the first page, for a page that has nothing before it and no row."""
        return self.reader.cursors.write(None, self.plan.digest, self.reader.now())

    def previous(self, key: Item | None) -> str | None:
        """Return the cursor for the rows before a key: a scan has none, because it has no opposite order."""
        plan, reader = self.plan, self.reader
        if plan.partition is None or plan.ends or not plan.has_position:
            return None
        return reader.cursors.write(key, plan.digest, reader.now(), backwards=True)

    def __repr__(self) -> str:
        return repr(self.plan)
