"""Selections: a query, a scan or a statement, as the reading surface sees each of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from mizzle_async.errors import CorruptResponseError, MarshallingError
from mizzle_async.operations.reads.page import RawPage
from mizzle_async.reading.page_source import PageSource
from mizzle_async.types import Item

RowT_co = TypeVar("RowT_co", covariant=True)


class Selection(ABC, Generic[RowT_co]):
    """Opens sources of pages, makes rows of their items, and writes positions as cursors.

    Everything that can be read has one: with it, `Rows` does the rest.
    """

    __slots__ = ()

    # ── what it is ──

    @property
    @abstractmethod
    def max_items(self) -> int | None:
        """Rows in all, or None for every one."""

    @property
    @abstractmethod
    def noun(self) -> str:
        """The name of one row in messages."""

    @property
    @abstractmethod
    def table(self) -> str:
        """The table in messages."""

    # ── its pages ──

    @abstractmethod
    def open(self, *, max_items: int | None = None, is_bulk: bool = True) -> PageSource:
        """Return a source of its pages, from the beginning.

        Args:
            max_items: Rows wanted, or None for all of them.
            is_bulk: Whether the client's throughput limit applies.
        """

    @abstractmethod
    def open_at(self, cursor: str | None, *, max_items: int | None = None, is_bulk: bool = True) -> PageSource:
        """Return a source of pages whose every position can be written as a cursor.

        Args:
            cursor: Where reading begins, or None for the beginning.
            max_items: Rows wanted, or None for all of them.
            is_bulk: Whether the client's throughput limit applies, and a page is requested ahead.

        Raises:
            InvalidCursorError: The cursor belongs to another selection, was tampered with, or has expired.
        """

    def open_page(self, cursor: str | None, *, max_items: int | None) -> tuple[PageSource, bool]:
        """Return a source for one page, and whether it gives the rows before the cursor, in the opposite order.

        Args:
            cursor: Where reading begins, or None for the beginning.
            max_items: Rows wanted, or None for a page of the service's.

        Raises:
            InvalidCursorError: As for `open_at`.
        """
        return self.open_at(cursor, max_items=max_items, is_bulk=False), False

    def previous(self, key: Item | None) -> str | None:
        """Return the cursor for the rows before a key, or before the end. None where rows come in one order only.

        Args:
            key: The key, or None for the end.
        """
        del key
        return None

    def beginning(self) -> str | None:
        """Return the cursor for the first page. None where no page leads back to it."""
        return None

    @abstractmethod
    def open_count(self) -> PageSource:
        """Return a source of pages that `count` understands, which may come without items."""

    @abstractmethod
    def count(self, page: RawPage) -> int:
        """Return the number of rows of a page from `open_count`."""

    # ── its rows ──

    @abstractmethod
    def hidden(self) -> Callable[[Any], bool] | None:
        """Return a function that says which items must not be shown now, or None where all may be."""

    @property
    @abstractmethod
    def row(self) -> Callable[[Any], RowT_co]:
        """The function that makes the row of an item, or raises `MarshallingError`."""

    def judge(self, error: MarshallingError) -> None:
        """Raise the error of an item that does not fit, or return to leave the item out."""
        raise error

    def rows(self, page: RawPage, limit: int | None) -> tuple[list[RowT_co], Item | None, bool]:
        """Make the rows of a page.

        Args:
            page: The page.
            limit: Rows that are wanted of it, or None.

        Returns:
            The rows, the key after which reading goes on (None at the end), and whether the page was cut before its
            end.
        """
        rows: list[RowT_co] = []
        hidden, row = self.hidden(), self.row
        for number, item in enumerate(page.items):
            if len(rows) == limit:
                # Exactly after the last returned item: the rest of the page comes again with the next one.
                return rows, self.position(page, number - 1), True
            if hidden is not None and hidden(item):
                continue
            try:
                rows.append(row(item))
            except MarshallingError as error:
                self.judge(error)
            except CorruptResponseError:
                page.refuse()
                raise
        return rows, page.last_key, False

    # ── its positions ──

    @abstractmethod
    def position(self, page: RawPage, number: int) -> Item | None:
        """Return the key that stands for "after this item of the page"."""

    @abstractmethod
    def check_page(self, max_items: int | None) -> None:
        """Raise `ExpressionError` unless it can be read in pages of so many rows."""

    @abstractmethod
    def cursor(self, key: Item | None) -> str | None:
        """Return the cursor for a key, or None at the end."""


def turned(
    selection: Selection[Any], first: Item | None, resume: Item | None, *, backwards: bool
) -> tuple[str | None, str | None]:
    """Return the cursors of the pages after and before one that was read at a cursor.

    Args:
        selection: What was read.
        first: The key of the first item that was read, None where there was none.
        resume: The key after which reading would go on, None at the end.
        backwards: Whether the rows before the cursor were read.
    """
    if not backwards:
        # Without an item, nothing lies between the cursor's own item and the place where reading stopped.
        return selection.cursor(resume), selection.previous(resume if first is None else first)
    before = None if resume is None else selection.previous(resume)
    after = resume if first is None else first
    return selection.beginning() if after is None else selection.cursor(after), before
