"""The connection to the service and the exit of a command, for every command."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import getpass
import logging
import signal
import sys
import warnings
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import anyio
import click
from attrs import field, frozen

from mizzle_async.cli.exit_codes import FAILED, INTERRUPTED
from mizzle_async.cli.meter import Meter
from mizzle_async.errors import MizzleError, ResourceNotFoundError, UnindexedFilterWarning
from mizzle_async.handles.client import Client

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

TIMEOUT: Final = 60.0
"""Seconds for a call or a batch: at a shell, a late answer is better than a quick error."""

TABLES_HINT: Final = "; `mizzle-async tables` lists the tables that exist, `mizzle-async create` makes one"

OPTIONS: Final = {
    "region_name=": "--region",
    "profile_name=": "--profile",
    "endpoint_url=": "--endpoint-url",
    "check region, credentials and table_prefix": "check its name, --region and --profile",
}
"""Advice of a client's messages, and the same in options of the shell."""


@frozen
class Connection:
    """The address and the credentials of the service. Missing parts come from the AWS configuration, as in the AWS CLI.

    Attributes:
        endpoint_url: The address for every request.
        profile_name: The profile.
        region_name: The region.
        meter: Counts the units that are consumed, also for each partition key.
    """

    endpoint_url: str | None
    profile_name: str | None
    region_name: str | None
    meter: Meter = field(factory=Meter, init=False, eq=False)

    def run(self, work: Callable[[Client], Awaitable[int]]) -> None:
        """Open a client, do the work, and exit with the work's code."""
        context = click.get_current_context(silent=True)
        if context is not None and context.obj is not None:
            context.obj()  # everything is imported, and the work begins
        logging.getLogger("mizzle_async").addHandler(logging.NullHandler())  # each error is shown once, below
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnindexedFilterWarning)  # `explain` shows it
                code = anyio.run(self._work, work)
        except MizzleError as error:
            hint = (
                TABLES_HINT if isinstance(error, ResourceNotFoundError) and error.operation == "DescribeTable" else ""
            )
            click.echo(f"{type(error).__name__}: {in_options(str(error))}{hint}", err=True)
            code = FAILED
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of the output has closed it: click ends the command
                raise
            click.echo(f"{type(error).__name__}: {error}", err=True)
            code = FAILED
        except (KeyboardInterrupt, asyncio.CancelledError):
            click.echo("interrupted", err=True)
            code = INTERRUPTED
        raise SystemExit(code)

    def client(self) -> Client:
        """Return a new client that counts the consumption of each partition key.

        Raises:
            click.UsageError: If the address has no scheme.
        """
        if self.endpoint_url is not None and "://" not in self.endpoint_url:
            raise click.UsageError(f"the address {self.endpoint_url!r} has no scheme: write http://{self.endpoint_url}")
        return Client(
            endpoint_url=self.endpoint_url,
            profile_name=self.profile_name,
            region_name=self.region_name,
            timeout=TIMEOUT,
            instrument=self.meter,
            # `getpass` reads the terminal itself, so that items may come from a pipe. Without a terminal it would read
            # the pipe.
            mfa_prompt=getpass.getpass if sys.stderr.isatty() else None,
        )

    async def _work(self, work: Callable[[Client], Awaitable[int]]) -> int:
        task = asyncio.current_task()
        if task is not None:
            with contextlib.suppress(NotImplementedError, RuntimeError):  # Windows, and loops outside the main thread
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        async with self.client() as client:
            return await work(client)


def in_options(text: str) -> str:
    """Return a message with the options of the shell in place of arguments of a program."""
    for argument, option in OPTIONS.items():
        text = text.replace(argument, option)
    return text


def connected(command: CommandT) -> CommandT:
    """Add the options of the connection to a command, as its argument ``connection``."""

    @click.option("--endpoint-url", help="Send every request to this address instead of the region's endpoint.")
    @click.option("--profile", "profile_name", help="The profile of the AWS configuration.")
    @click.option("--region", "region_name", help="The AWS region.")
    @functools.wraps(command)
    def wrapped(
        *arguments: Any,
        endpoint_url: str | None,
        profile_name: str | None,
        region_name: str | None,
        **options: Any,
    ) -> Any:
        return command(*arguments, connection=Connection(endpoint_url, profile_name, region_name), **options)

    return wrapped  # type: ignore[return-value]  # functools.wraps hides the type
