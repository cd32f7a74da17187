"""PartiQL statements, as the reading surface sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from attrs import evolve, frozen

from mizzle_async.errors import ExpressionError, InvalidCursorError
from mizzle_async.flow.pace import UNLIMITED, Limiters
from mizzle_async.flow.ports import TaskPort, read_limiters
from mizzle_async.operations import Target
from mizzle_async.operations.partiql import ExecuteStatement, StatementPlan, table_of
from mizzle_async.operations.reads.cursors import query_digest
from mizzle_async.operations.reads.options import ReadOptions
from mizzle_async.operations.reads.page import RawPage
from mizzle_async.reading.page_source import PageSource
from mizzle_async.reading.paged_source import PagedSource
from mizzle_async.reading.selection import Selection
from mizzle_async.types import Item

RowT_co = TypeVar("RowT_co", covariant=True)


@frozen(eq=False, repr=False)
class StatementRequests:
    """The requests of one statement. Where the service goes on it answers a token, and no key.

    Attributes:
        reader: The client.
        target: Who sends.
        plan: The statement.
        options: Its bounds.
        is_exact: Whether a page must not bring more rows than are wanted: a token stands behind the whole page.
    """

    reader: TaskPort
    target: Target[Any]
    plan: StatementPlan[Any]
    options: ReadOptions
    is_exact: bool = False

    parts = 1
    is_filtered = False

    def make(self, part: int, start_key: Item | None, limit: int | None) -> ExecuteStatement:  # noqa: ARG002  (it has one part)
        """Return one request. A write takes no limit."""
        return ExecuteStatement(
            self.target,
            self.plan,
            limit=limit if self.plan.is_read else None,
            next_token=None if start_key is None else str(start_key["NextToken"]["S"]),
            timeout=self.options.timeout,
        )

    def dropped(self, page: RawPage) -> bool:
        """Return whether the statement's condition has dropped items of a page, as far as the answer shows it."""
        return not page.scanned and page.last_key is not None

    def warn_of_waste(self) -> None:
        """Say nothing: an answer to a statement does not show how many items were evaluated."""

    async def complete(self, page: RawPage, limiters: Limiters) -> RawPage:  # noqa: ARG002  (nothing is sent)
        """Return the page without expired items and guards."""
        hidden = self.plan.hidden
        if hidden is None:
            return page
        now = self.reader.now()
        shown = [item for item in page.items if not hidden(item, now)]
        return page if len(shown) == len(page.items) else evolve(page, items=shown, count=len(shown))


@frozen(eq=False, repr=False)
class StatementSelection(Selection[RowT_co]):
    """The rows of a statement: of a SELECT, or of a write with RETURNING.

    Attributes:
        reader: The client.
        target: Who sends.
        plan: The statement.
        options: Its bounds.
    """

    reader: TaskPort
    target: Target[Any]
    plan: StatementPlan[RowT_co]
    options: ReadOptions

    @property
    def max_items(self) -> int | None:
        """Return the statement's own number of rows."""
        return self.options.max_items

    @property
    def noun(self) -> str:
        """Return the name of a row."""
        return "row"

    @property
    def table(self) -> str:
        """Return the table that the statement names first."""
        return table_of(self.plan.text)

    # ── its pages ──

    def request(self) -> ExecuteStatement:
        """Return the first request."""
        limits = [limit for limit in (self.options.page_size, self.options.max_items) if limit]
        requests = StatementRequests(self.reader, self.target, self.plan, self.options)
        return requests.make(0, None, min(limits, default=None))

    def open(self, *, max_items: int | None = None, is_bulk: bool = True) -> PageSource:
        """Return a source of its pages."""
        return self._open(None, max_items, is_bulk=is_bulk, prefetch=True, is_exact=False)

    def open_at(self, cursor: str | None, *, max_items: int | None = None, is_bulk: bool = True) -> PageSource:
        """Return a source of its pages that begins at a cursor."""
        reader = self.reader
        key = None if cursor is None else reader.cursors.read(cursor, self._digest(), reader.now())
        if key is not None and (key.keys() != {"NextToken"} or "S" not in key["NextToken"]):
            raise InvalidCursorError("this cursor was changed: it holds no token of a statement")
        return self._open(key, max_items, is_bulk=is_bulk, prefetch=is_bulk, is_exact=True)

    def open_count(self) -> PageSource:
        """Return a source of its pages: PartiQL in DynamoDB counts nothing."""
        return self.open()

    def count(self, page: RawPage) -> int:
        """Return the number of rows of a page."""
        return page.count

    def _open(
        self, key: Item | None, max_items: int | None, *, is_bulk: bool, prefetch: bool, is_exact: bool
    ) -> PagedSource:
        # A write is one request, and single calls are not held back.
        limiters = read_limiters(self.reader, None) if is_bulk and self.plan.is_read else UNLIMITED
        target = evolve(self.target, report_capacity=True) if limiters else self.target
        return PagedSource(
            self.reader,
            StatementRequests(self.reader, target, self.plan, self.options, is_exact),
            start_key=key,
            max_items=max_items,
            prefetch=prefetch,
            limiters=limiters,
        )

    # ── its rows ──

    def hidden(self) -> Callable[[Any], bool] | None:
        """Return None: its pages come without items that must not be shown."""
        return None

    @property
    def row(self) -> Callable[[Any], RowT_co]:
        """Return the function that makes the row of an item."""
        return self.plan.read

    # ── its positions ──

    def position(self, page: RawPage, number: int) -> Item | None:  # noqa: ARG002  (tokens stand behind whole pages)
        """Return the position behind the page: a page from `open_at` never has more rows than are wanted."""
        return page.last_key

    def check_page(self, max_items: int | None) -> None:
        """Raise `ExpressionError` unless a page has at least one row."""
        limit = cast("object", max_items)  # perhaps text, from a query string
        if limit is not None and (not isinstance(limit, int) or limit < 1):
            raise ExpressionError(
                f"{self.plan}: max_items={max_items!r} must be an integer of 1 or more: a page has at least one row"
            )

    def cursor(self, key: Item | None) -> str | None:
        """Return the cursor for the service's token, or None at the end."""
        return None if key is None else self.reader.cursors.write(key, self._digest(), self.reader.now())

    def _digest(self) -> bytes:
        return query_digest(self.plan.wire())

    def __repr__(self) -> str:
        return repr(self.plan)
