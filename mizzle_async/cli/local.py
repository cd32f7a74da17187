"""`mizzle-async local`: run an engine by hand."""

import contextlib
import logging
import signal
from collections.abc import Generator
from typing import get_args

import click

from mizzle_async.testing._cache import cache_folder
from mizzle_async.testing.engines import EngineError, EngineName, install_engine, start_engine


@click.command(
    short_help="Run a DynamoDB engine on this machine.",
    help="Run a DynamoDB engine on this machine until Ctrl-C: on 127.0.0.1 only, everything in memory.",
    epilog=(
        "The first run downloads the engine into the cache: the folder in MIZZLE_ASYNC_CACHE, else mizzle_async in"
        " the user's cache folder. Standard output holds the variables that point a shell at the engine."
    ),
)
@click.option(
    "--engine",
    "name",
    type=click.Choice(get_args(EngineName)),
    default="embedded",
    show_default=True,
    help="ministack, in Python, or Amazon's DynamoDB Local, in Java.",
)
@click.option("--port", type=click.IntRange(1, 65_535), help="The port to listen on.  [default: a free one]")
@click.option("--install", is_flag=True, help="Put the engine into the cache and end: later starts need no network.")
def local(name: EngineName, port: int | None, *, install: bool) -> None:
    """Run until interrupted. SIGTERM counts as an interruption, so that the engine is stopped in order."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _steps_shown():
            if install:
                installed = install_engine(name)
                click.echo(f"{installed.name} {installed.version} is installed in {cache_folder()}", err=True)
                return
            running = start_engine(name, port=port)
        with running as engine:
            click.echo(f"{engine.name} {engine.version} listens at {engine.endpoint_url}; Ctrl-C ends it", err=True)
            for variable, value in engine.environment.items():
                click.echo(f"export {variable}={value}")
            engine.wait()
    except EngineError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("stopped", err=True)


class _Steps(logging.Handler):
    """Write each step of an engine's start to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one step."""
        click.echo(f"{record.getMessage()} …", err=True)


@contextlib.contextmanager
def _steps_shown() -> Generator[None]:
    """Show the steps of the engines meanwhile: the first start on a machine downloads for a minute."""
    log = logging.getLogger("mizzle_async.testing")
    handler, level = _Steps(), log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
