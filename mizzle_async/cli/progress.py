"""Progress of bulk work: a bar with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self, TextIO

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from mizzle_async.flow.report import BatchReport

LINE_SECONDS: Final = 10.0
"""Seconds between plain lines."""


def items_done(report: BatchReport) -> int:
    """Return the number of settled items."""
    return report.written + report.unchanged + report.rejected + report.skipped


class Display:
    """Shows the progress of work. Call it with the report to draw. It is a context, which ends the bar.

    Args:
        label: The name of the work.
        total: The whole, in units of ``done``, or None if it is unknown.
        done: Returns the done part of the total.
        quiet: Whether to show nothing.
        stream: The output. None is standard error.
        clock: Returns seconds.
    """

    def __init__(
        self,
        label: str,
        *,
        total: float | None = None,
        done: Callable[[BatchReport], float] | None = None,
        quiet: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label = label
        self._total = total or None
        self._done = done or items_done
        self._stream = stream or sys.stderr
        self._clock = clock
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: Any = None
        self._began = self._line_at = clock()

    def __enter__(self) -> Self:
        self._began = self._line_at = self._clock()
        if not self._quiet and self._stream.isatty():
            console = Console(file=self._stream)
            columns = [
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[items]:,} items, {task.fields[rate]:,.0f}/s"),
                TimeRemainingColumn(),
            ]
            self._bar = Progress(*columns, console=console)
            self._task = self._bar.add_task(self._label, total=self._total, items=0, rate=0.0)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def say(self, text: str) -> None:
        """Print a line on standard error, above the bar if there is one."""
        if self._bar is None:
            click.echo(text, err=True)
        else:
            self._bar.console.print(Text(text), soft_wrap=True)

    def __call__(self, report: BatchReport) -> None:
        """Show the progress."""
        if self._quiet:
            return
        now = self._clock()
        items, done = items_done(report), self._done(report)
        if self._total is not None:
            done = min(done, self._total)
        if self._bar is not None:
            rate = items / max(now - self._began, 1e-9)
            self._bar.update(self._task, completed=done, items=items, rate=rate)
        elif now - self._line_at >= LINE_SECONDS:
            self._line_at = now
            self._stream.write(self._line(items, done, now - self._began) + "\n")
            self._stream.flush()

    def _line(self, items: int, done: float, seconds: float) -> str:
        line = f"{self._label}: {items:,} items, {items / seconds:,.0f}/s"
        if self._total is None or not done:
            return line
        left = timedelta(seconds=round(seconds * (self._total - done) / done))
        return f"{line}, {done / self._total:.0%}, {left} left"
