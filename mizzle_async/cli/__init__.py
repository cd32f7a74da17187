"""The `mizzle-async` command, of the extra `cli`. Every command is a module of its own."""

from mizzle_async.cli.entry import main

__all__ = ["main"]
