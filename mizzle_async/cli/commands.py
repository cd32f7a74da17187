"""The table of commands. Each is a function of its name, in a module that is imported when the command runs."""

import difflib
from importlib import import_module
from typing import Any, NamedTuple

import click

from mizzle_async.cli.exit_codes import EXIT_CODES, INTERRUPTED


class Place(NamedTuple):
    """The module of a command, and the extra that it needs beside `cli`."""

    module: str
    extra: str | None = None


COMMANDS = {
    "changes": Place("mizzle_async.cli.changes"),
    "completion": Place("mizzle_async.cli.completion"),
    "copy": Place("mizzle_async.cli.copy"),
    "count": Place("mizzle_async.cli.count"),
    "create": Place("mizzle_async.cli.create"),
    "delete": Place("mizzle_async.cli.delete"),
    "demo": Place("mizzle_async.cli.demo", extra="demo"),
    "drop": Place("mizzle_async.cli.drop"),
    "explain": Place("mizzle_async.cli.explain"),
    "export": Place("mizzle_async.cli.export"),
    "get": Place("mizzle_async.cli.get"),
    "guide": Place("mizzle_async.cli.guide"),
    "heat": Place("mizzle_async.cli.heat"),
    "load": Place("mizzle_async.cli.load"),
    "local": Place("mizzle_async.cli.local"),
    "put": Place("mizzle_async.cli.put"),
    "query": Place("mizzle_async.cli.query"),
    "scan": Place("mizzle_async.cli.scan"),
    "sql": Place("mizzle_async.cli.sql"),
    "tables": Place("mizzle_async.cli.tables"),
    "ttl": Place("mizzle_async.cli.ttl"),
    "update": Place("mizzle_async.cli.update"),
    "upsert": Place("mizzle_async.cli.update"),
}


SECTIONS: dict[str, tuple[str, ...]] = {
    "Items": ("get", "put", "update", "upsert", "delete", "query", "scan", "count", "sql"),
    "Files": ("load", "export", "copy", "heat", "changes"),
    "Tables": ("create", "tables", "ttl", "drop"),
}
"""The commands of the help, by subject. The others come last."""


class Commands(click.Group):
    """A group that finds its commands in the table above."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands, for the help and for completion."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import a command. If its extra is missing, the command fails and names the extra."""
        if cmd_name not in COMMANDS:
            return None
        place = COMMANDS[cmd_name]
        try:
            command: click.Command = getattr(import_module(place.module), cmd_name)
        except ModuleNotFoundError as error:
            if place.extra is None or (error.name or "").startswith("mizzle_async"):
                raise
            return _unavailable(cmd_name, place.extra)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of the arguments. An unknown one fails with the names that are spelled alike."""
        name = args[0]
        close = difflib.get_close_matches(name, COMMANDS)
        if name not in COMMANDS and close:
            ctx.fail(f"there is no command {name!r}: did you mean {' or '.join(map(repr, close))}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by subject."""
        listed = {name for names in SECTIONS.values() for name in names}
        sections = {**SECTIONS, "More": tuple(name for name in self.list_commands(ctx) if name not in listed)}
        for subject, names in sections.items():
            commands = [(name, self.get_command(ctx, name)) for name in names if name in COMMANDS]
            rows = [(name, command.get_short_help_str(80)) for name, command in commands if command is not None]
            with formatter.section(subject):
                formatter.write_dl(rows, col_max=12)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. Ctrl-C before or after its work ends it as in the middle."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            raise SystemExit(INTERRUPTED) from None


def _unavailable(name: str, extra: str) -> click.Command:
    remedy = f"needs the extra `{extra}`: pip install 'mizzle-async[{extra}]'"

    def explain() -> None:
        raise click.ClickException(f"`mizzle-async {name}` {remedy}")

    return click.Command(
        name, callback=explain, help=f"(This command {remedy}.)", short_help=f"(needs the extra `{extra}`)"
    )


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.version_option(package_name="mizzle-async")
def command_line() -> None:
    """Work with Amazon DynamoDB from the shell."""
