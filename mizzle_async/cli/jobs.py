"""Bulk work of a command: with progress, a state file to resume from, and a report at every end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from attrs import define, evolve, field, frozen

from mizzle_async.cli.connection import TIMEOUT
from mizzle_async.cli.exit_codes import DONE, FAILED, IN_PART
from mizzle_async.cli.progress import Display
from mizzle_async.cli.rejects import MOST_SHOWN, Rejects, StoppedError
from mizzle_async.cli.values import json_bytes
from mizzle_async.errors import BatchError, DeadlineExceededError, ResumeError, ThrottledError
from mizzle_async.flow.report import BatchReport
from mizzle_async.flow.work import BulkWork
from mizzle_async.marshalling import parse_json

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

SLOWER: Final = "the table takes less than was sent: try --concurrency 1, --write-units with fewer units, or --timeout"
"""Said where a job ends because the service throttles."""


@frozen
class State:
    """The state file of a command. If the user names none, there is one until the work is complete.

    Attributes:
        path: Its path.
        named: Whether the user named it.
    """

    path: Path
    named: bool

    @classmethod
    def begin(cls, resume: str | None, name: str) -> State:
        """Return the state file. If the user names none, begin anew.

        Args:
            resume: The user's file, or None.
            name: The default name.
        """
        if resume is not None:
            return cls(Path(resume), named=True)
        letters = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
        path = Path(f"{letters}.state.json")
        path.unlink(missing_ok=True)
        return cls(path, named=False)

    @property
    def is_complete(self) -> bool:
        """Whether the work is complete by this state."""
        try:
            state = parse_json(self.path.read_bytes())
        except (OSError, ValueError):
            return False  # resuming reports the fault
        return isinstance(state, dict) and state.get("complete") is True

    def end(self, *, complete: bool) -> None:
        """Print how to resume, or remove a file that the user did not name."""
        if not complete:
            if self.path.exists():
                click.echo(f"to resume, give the same command with --resume {self.path}", err=True)
        elif not self.named:
            self.path.unlink(missing_ok=True)


@define
class Job:
    """The bulk work of a command.

    Attributes:
        verb: The work's name in messages.
        display: The progress display.
        state: The state file, if any.
        rejects: The file of bad lines, if any.
        as_json: Whether the report goes to standard output, as JSON.
        quiet: Whether a report of success is left out.
        done: The participle of the work, for the report.
        more: Further numbers of the report, by name.
    """

    verb: str
    display: Display
    state: State | None = None
    rejects: Rejects | None = None
    as_json: bool = False
    quiet: bool = False
    done: str = "written"
    more: dict[str, int] = field(factory=dict)
    _code: int = field(default=DONE, init=False)

    async def run(self, work: BulkWork) -> int:
        """Do the work, print the report, and return the exit code.

        Raises:
            CancelledError: If the work was cancelled, after the report.
        """
        complete = False
        try:
            with self.display:
                await work
            complete = True
        except StoppedError as error:
            click.echo(str(error), err=True)
            self._code = IN_PART if work.report.written else FAILED
        except BatchError as error:
            click.echo(f"{type(error).__name__}: {error}", err=True)
            if isinstance(error.__cause__, ThrottledError | DeadlineExceededError):
                click.echo(SLOWER, err=True)
            self._code = IN_PART if work.report.written else FAILED
        except ResumeError:
            self.state = None  # there is nothing to resume
            raise
        finally:
            if self.rejects is not None:
                self.rejects.close()
            self._report(work.report, complete=complete)
        return self._code

    def _report(self, report: BatchReport, *, complete: bool) -> None:
        rejected = self.rejects.count if self.rejects is not None else report.rejected
        if rejected and self._code == DONE:
            self._code = IN_PART if report.written or report.skipped or report.unchanged else FAILED
        if self.as_json:
            click.echo(
                json_bytes(
                    {
                        "command": self.verb,
                        "complete": complete,
                        **report_numbers(report, rejected, self.done),
                        **self.more,
                    }
                )
            )
        elif not (self.quiet and complete and not rejected):
            # Bad lines and items that fail when they are written are one number.
            text = str(evolve(report, rejected=rejected)).replace("written", self.done, 1)
            text = text.replace(" failed", " not done", 1)
            text += "".join(f", {number:,} {name}" for name, number in self.more.items() if number)
            click.echo(f"{self.verb}: {text}", err=True)
        if rejected and self.rejects is not None:
            if rejected > MOST_SHOWN:
                click.echo(f"by reason: {self.rejects.summary()}", err=True)
            click.echo(f"the items that were not written, and the reasons: {self.rejects.path}", err=True)
        if self.state is not None:
            begun = report.taken or report.skipped or report.written or report.evaluated or not report.is_complete
            self.state.end(complete=complete or not begun)


def report_numbers(report: BatchReport, rejected: int, done: str) -> dict[str, Any]:
    """Return a report as JSON.

    Args:
        report: The report.
        rejected: The number of bad lines and items.
        done: The participle of the work.
    """
    return {
        done: report.written,
        "unchanged": report.unchanged,
        "skipped": report.skipped,
        "rejected": rejected,
        "failed": len(report.failed),
        "unknown": len(report.unknown),
        "evaluated": report.evaluated,
        "read_units": report.read_units,
        "write_units": report.write_units,
        "read_requests": report.read_requests,
        "write_requests": report.write_requests,
        "unprocessed": report.unprocessed,
    }


def bulk_options(command: CommandT) -> CommandT:
    """Add the options of bulk work to a command: ``dry_run``, ``as_json``, ``quiet``."""
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="Show no progress, and no report of success."),
        click.option("--json", "as_json", is_flag=True, help="Print the report as JSON on standard output."),
        click.option("--dry-run", is_flag=True, help="Show the work and its consumption, but do nothing."),
    ):
        command = option(command)
    return command


def resumable(command: CommandT) -> CommandT:
    """Add the option ``resume`` to a command."""
    return click.option("--resume", metavar="FILE", help="Keep the state in this file, and resume from it.")(command)


def write_limits(command: CommandT) -> CommandT:
    """Add the options of the writing speed to a command: ``concurrency``, ``write_units_per_second``, ``timeout``."""
    for option in (
        click.option(
            "--timeout",
            type=click.FloatRange(min=0, min_open=True),
            default=TIMEOUT,
            show_default=True,
            help="Seconds until the table takes the next item.",
        ),
        click.option(
            "--write-units",
            "write_units_per_second",
            type=click.FloatRange(min=0, min_open=True),
            help="The maximum of write units to consume per second.",
        ),
        click.option(
            "--concurrency",
            type=click.IntRange(1, 1_000),
            default=8,
            show_default=True,
            help="The number of requests at the same time.",
        ),
    ):
        command = option(command)
    return command
