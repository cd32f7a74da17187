"""The entry point of the `mizzle-async` command. It runs without the extra, to say how to get it."""

import sys

EXTRA = frozenset({"click", "rich"})


def main() -> None:
    """Run the command line."""
    try:
        from mizzle_async.cli.commands import command_line
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        sys.exit(f"mizzle-async needs {error.name}, of the extra `cli`: pip install 'mizzle-async[cli]'")
    command_line(prog_name="mizzle-async")
