"""The process between a test run and its engine, so that the engine ends with the run even if that is killed.

Run by path with `python -I -S`: it may import the standard library only. It knows its standard input, a folder and a
command: the input is a pipe that nobody writes to and that ends with the process that holds it; the folder is the
engine's scratch folder, removed at the end.

A signal on the parent's death (`PR_SET_PDEATHSIG`) would not do in the parent: it fires when the *thread* that started
the engine ends, and an asynchronous test run starts engines in threads that come and go. Here there is one thread
when it is set, so it also covers the supervisor being killed.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType

GRACE = 5.0
"""Seconds between asking the engine to end and ending it."""

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Run `arguments[1:]` in the folder `arguments[0]` until it ends or standard input does."""
    folder, *command = arguments
    try:
        engine = subprocess.Popen(  # noqa: S603 - the engine's own command, no shell
            command,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            preexec_fn=_die_with(os.getpid()) if sys.platform == "linux" else None,  # noqa: PLW1509 - one thread here
        )
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error}\n")
        return 127

    def end_on_signal(_number: int, _frame: FrameType | None) -> None:
        engine.terminate()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end_on_signal)
    threading.Thread(target=_end_with_input, args=(engine,), daemon=True).start()
    status = engine.wait()
    shutil.rmtree(folder, ignore_errors=True)
    return status if status >= 0 else 128 - status


def _end_with_input(engine: subprocess.Popen[bytes]) -> None:
    while os.read(0, 512):
        pass
    engine.terminate()
    try:
        engine.wait(GRACE)
    except subprocess.TimeoutExpired:
        engine.kill()


def _die_with(parent: int) -> Callable[[], None]:
    # Loaded before the fork: between fork and exec, as little as possible.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def prepare() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return prepare


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
