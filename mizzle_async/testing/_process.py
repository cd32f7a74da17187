"""The process of an engine: started under a supervisor, stopped by its handle, its output kept for error messages.

This module knows processes and ports, and nothing of the engines.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import IO

from mizzle_async.testing._errors import EngineError

LOOPBACK = "127.0.0.1"

SUPERVISOR = Path(__file__).with_name("_supervisor.py")

STOP_GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL for an engine."""

STOP_TIMEOUT = 2 * STOP_GRACE
"""Seconds until a supervisor that does not end is killed with its engine."""

# The variables that an engine inherits. None of them makes it write files, use a proxy or contact another machine.
INHERITED_SETTINGS = ("LANG", "LC_ALL", "PATH", "TZ")


class EngineProcess:
    """A running engine. It ends with `stop()`, with this process, or when this object is dropped."""

    def __init__(self, command: list[str], *, settings: Mapping[str, str]) -> None:
        folder = tempfile.mkdtemp(prefix="mizzle-async-")  # removed by the supervisor
        environment = {name: os.environ[name] for name in INHERITED_SETTINGS if name in os.environ}
        environment |= {"HOME": folder, "TMPDIR": folder, **settings}
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        # A session of its own: the interrupt key must reach only the tests, which then stop the engine.
        self._supervisor = subprocess.Popen(  # noqa: S603 - fixed commands, no shell
            [sys.executable, "-I", "-S", str(SUPERVISOR), str(STOP_GRACE), folder, *command],
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )

    @property
    def exit_status(self) -> int | None:
        """The status the engine ended with, None while it runs."""
        return self._supervisor.poll()

    def wait(self) -> int:
        """Wait until the engine has ended, and return its status."""
        return self._supervisor.wait()

    def output(self) -> str:
        """Return the last lines of the engine's output, standard output and error together."""
        # A positional read: the engine shares this file's offset and goes on writing there.
        end = os.fstat(self._output.fileno()).st_size
        text = os.pread(self._output.fileno(), 16_384, max(0, end - 16_384)).decode(errors="replace")
        return "\n".join(text.strip().splitlines()[-30:])

    def stop(self) -> None:
        """End the engine and wait until it has ended. Stopping twice does nothing."""
        try:
            self._supervisor.communicate(timeout=STOP_TIMEOUT)  # closes its input: the supervisor ends with that
        except subprocess.TimeoutExpired:
            # The supervisor leads its own process group and was not waited for: no other process can have its number.
            os.killpg(self._supervisor.pid, signal.SIGKILL)
            self._supervisor.wait()
        self._output.close()


@contextlib.contextmanager
def reserved_port(port: int | None) -> Generator[int]:
    """Reserve a loopback port for an engine that is being started.

    Args:
        port: The wanted port, or None for a free one.

    Yields:
        The port's number.

    Raises:
        EngineError: If the port is in use, or if this user may not listen on it.
    """
    with socket.socket() as holder:
        # A bound socket that does not listen. Linux does not hand out its port as a free one, but an engine, which
        # sets SO_REUSEADDR too, can bind and listen there. On other systems the engine could not.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind((LOOPBACK, port or 0))
        except OSError as error:
            raise EngineError(f"cannot listen on port {port} of {LOOPBACK}: {error.strerror}") from error
        number: int = holder.getsockname()[1]
        if sys.platform != "linux":
            holder.close()
        yield number
