"""The option ``--workers``: bulk work of a command, shared by processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from mizzle_async.cli.connection import TIMEOUT, Connection
from mizzle_async.cli.selections import Selection
from mizzle_async.cli.worker_connect import WorkerConnect

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def shared_by(connection: Connection, workers: int | None, parts: int | None, selection: Selection) -> dict[str, Any]:
    """Return the arguments of a bulk verb for its workers, none where there are none.

    Raises:
        click.UsageError: If parts are named without workers, or a limit with them.
    """
    if workers is None:
        if parts is not None:
            raise click.UsageError("--parts goes with --workers")
        return {}
    if selection.limit is not None:
        raise click.UsageError("--workers does not go with --limit, which counts over the whole table")
    return {"workers": workers, "parts": parts, "connect": worker_connect(connection)}


def worker_connect(connection: Connection) -> WorkerConnect:
    """Return a function that makes the clients of workers, with the address of a connection."""
    return WorkerConnect(connection.endpoint_url, connection.profile_name, connection.region_name, TIMEOUT)


def with_workers(command: CommandT) -> CommandT:
    """Add the options ``workers`` and ``parts`` to a command that reads a table."""
    parts = click.option(
        "--parts", type=click.IntRange(1, 1_000_000), help="The parts that workers are dealt.  [default: 64]"
    )
    return with_workers_alone(parts(command))


def with_workers_alone(command: CommandT) -> CommandT:
    """Add the option ``workers`` to a command whose input is no table."""
    return click.option("--workers", type=click.IntRange(1, 256), help="Share the work between so many processes.")(
        command
    )
