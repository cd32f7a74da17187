"""The process between a test run and its engine: it ends the engine when the run ends, even if the run is killed.

It is run by path with `python -I -S`, so it imports the standard library only. Its standard input is a pipe without
data, which ends with the process that started the engine. Its arguments are a folder, which belongs to the engine and
is removed at the end, and the engine's command.

The test run itself cannot use a signal on the parent's death (`PR_SET_PDEATHSIG`): the kernel sends it when the
*thread* that started the engine ends, and an asynchronous run starts engines in short-lived threads. The supervisor has
one thread when it sets that signal, so the engine also ends if the supervisor is killed.
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
    """Run a command until it ends or standard input ends.

    Args:
        arguments: Seconds between SIGTERM and SIGKILL, the folder, and the command.

    Returns:
        The command's status, as a shell counts it.
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
    # Loaded before the fork: as little as possible should run between fork and exec.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def prepare() -> None:  # pragma: no cover - runs between fork and exec, where nothing is recorded
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the line above
            os._exit(1)

    return prepare


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
