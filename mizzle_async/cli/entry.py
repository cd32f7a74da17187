"""The entry point of the `mizzle-async` command. Without the extra it says how to install it."""

import gc
import io
import os
import sys
from typing import Any

from mizzle_async.cli.exit_codes import INTERRUPTED

EXTRA = frozenset({"click", "rich"})


def main() -> None:
    """Run the command line."""
    try:
        _main()
    except KeyboardInterrupt:  # Ctrl-C while the first modules are imported
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)


def _main() -> None:
    try:
        from mizzle_async.cli.commands import command_line
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        sys.exit(f"mizzle-async needs {error.name}, of the extra `cli`: pip install 'mizzle-async[cli]'")
    _buffer_output()
    try:
        # The process is the command's: what it has imported stays, and no collection need look at it.
        command_line(prog_name="mizzle-async", obj=gc.freeze)
    finally:
        _drop_output()


def _buffer_output() -> None:
    """Give standard output a buffer if PYTHONUNBUFFERED took it away.

    Without a buffer, a write that a full disk cuts short raises no error.
    """
    output = sys.stdout
    if isinstance(getattr(output, "buffer", None), io.RawIOBase):
        sys.stdout = os.fdopen(output.fileno(), "w", encoding=output.encoding, errors=output.errors, closefd=False)


def _drop_output() -> None:
    """Discard unwritable output: the command has reported it, and the interpreter would try to write it again."""
    output: Any = sys.stdout
    if output is None:  # it is closed
        return
    try:
        output.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
