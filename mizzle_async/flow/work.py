"""Bulk work as the caller holds it: it is awaited once, and its report can be read at any time."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, NoReturn

from mizzle_async.errors import ClientStateError, UnawaitedOperationWarning
from mizzle_async.expressions.misuse import is_refusal_of_asyncio
from mizzle_async.flow.report import BatchReport


class Pending:
    """Work that was asked for and waits for its ``await``: it warns when it is dropped without, and is no result."""

    def __init__(self, description: str) -> None:
        self._description = description
        self._used = False
        self._shown = False

    def __del__(self) -> None:
        if not getattr(self, "_used", True) and not self._shown and not sys.is_finalizing():
            warnings.warn(
                f"{self._description} was asked for and never done: was an `await` forgotten? A task needs a coroutine:"
                " `create_task(operation.send())`",
                UnawaitedOperationWarning,
                stacklevel=2,
                source=self,
            )

    def __repr__(self) -> str:
        self._shown = not is_refusal_of_asyncio(1)  # else a prompt or a notebook has shown it
        return f"<{self._description}>"

    if not TYPE_CHECKING:  # so that type checkers refuse these uses themselves

        def __bool__(self) -> NoReturn:
            self._used = True
            raise TypeError(f"{self._description} has no truth value before it is done: did you forget `await`?")

        def __iter__(self) -> NoReturn:
            self._used = True
            raise TypeError(f"{self._description} cannot be iterated: did you forget `await`?")


class BulkWork(Pending):
    """Work on many items: ``report = await orders.put_many(rows)``.

    Held in a variable, its report can be read meanwhile, and after a cancellation or an error::

        load = orders.put_many(rows)
        try:
            await load
        finally:
            print(load.report)

    Attributes:
        report: What has become of the items so far.
    """

    def __init__(
        self, description: str, report: BatchReport, start: Callable[[], Coroutine[Any, Any, BatchReport]]
    ) -> None:
        super().__init__(description)
        self.report = report
        self._start = start

    def __await__(self) -> Generator[Any, Any, BatchReport]:
        return self.send().__await__()

    def send(self) -> Coroutine[Any, Any, BatchReport]:
        """Return a coroutine that does the work and returns the report: for ``create_task`` and task groups.

        Raises:
            ClientStateError: It was awaited before: its input is used up.
        """
        if self._used:
            raise ClientStateError(f"{self._description} was awaited before: ask for it again, with its input")
        self._used = True
        return self._start()

    def __repr__(self) -> str:
        self._shown = not is_refusal_of_asyncio(1)
        return f"<{self._description}: {self.report}>"
