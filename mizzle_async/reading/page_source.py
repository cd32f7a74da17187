"""The port of everything that brings pages: the reading surface asks for nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol, TypeAlias

from mizzle_async.operations.reads.page import RawPage
from mizzle_async.types import Item

Position: TypeAlias = tuple[Item | None, bool]
"""How far a part was read: the key after which it goes on, and whether it is at its end."""


class PageSource(Protocol):
    """Brings pages, one after the other, in the order of their rows.

    Dropping a source cancels the requests that it has under way. A failed or cancelled `next` loses no page: the next
    call asks for it again.
    """

    async def next(self) -> RawPage | None:
        """Return the next page, or None after the last one."""
        ...

    @property
    def resume_key(self) -> Item | None:
        """The key after which reading goes on, or None at the end."""
        ...

    @property
    def evaluated(self) -> int:
        """Items read so far, before the filter."""
        ...

    async def aclose(self) -> None:
        """Cancel the requests under way, and wait until they have ended. `next` returns None from then on."""
        ...


class RecordBatches(Protocol):
    """The rows of a query as Arrow record batches: ``async for batch in query.arrow_batches(): …``."""

    @property
    def schema(self) -> Any:
        """The ``pyarrow.Schema`` of every batch."""
        ...

    def __aiter__(self) -> AsyncIterator[Any]: ...

    async def __anext__(self) -> Any: ...

    async def aclose(self) -> None:
        """End the iteration, and wait until its request has ended."""
        ...
