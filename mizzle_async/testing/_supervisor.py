"""The process between a test run and its engine, so that the engine ends with the run even if that is killed.

Run by path with `python -I -S`: it may import the standard library only. It knows its standard input, a folder and a
command: the input is a pipe that nobody writes to and that ends with the process that holds it; the folder is the
engine's own, removed at the end.

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

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Run a command until it ends or standard input does.

    Args:
        arguments: Seconds between asking the command to end and ending it; its folder; the command.

    Returns:
        The command's status, as a shell would give it.
    """
    grace, folder, *command = arguments
    try:
        return _supervise(float(grace), folder, command)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _supervise(grace: float, folder: str, command: list[str]) -> int:
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
    threading.Thread(target=_end_with_input, args=(engine, grace), daemon=True).start()
    status = engine.wait()
    return status if status >= 0 else 128 - status


def _end_with_input(engine: subprocess.Popen[bytes], grace: float) -> None:
    while os.read(0, 512):
        pass
    engine.terminate()
    try:
        engine.wait(grace)
    except subprocess.TimeoutExpired:
        engine.kill()


def _die_with(parent: int) -> Callable[[], None]:
    # Loaded before the fork: between fork and exec, as little as possible.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def prepare() -> None:  # pragma: no cover - runs between fork and exec, where nothing is recorded
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return prepare


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
