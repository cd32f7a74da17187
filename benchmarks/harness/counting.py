"""Counts of user-mode instructions, by valgrind: they repeat within 2 % on a machine with other work, as time does not.

A script runs once under cachegrind. It imports and warms up everything, then forks two children for each piece of work,
which do it different numbers of times. The difference of their counts is the cost of the work alone.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.processes import clean_environment

CHILDREN = "children.json"


def settle() -> None:
    """Switch the collector of garbage off: its work would depend on the modules that are loaded."""
    gc.collect()
    gc.freeze()
    gc.disable()


def in_child(name: str, work: Callable[[], object]) -> int:
    """Fork, work in the child, and return its process id when it has ended."""
    number = os.fork()
    if number == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(number, 0)
    if status:
        raise SystemExit(f"{name} failed with status {status}: see above")
    return number


def report(children: Mapping[str, tuple[int, int]]) -> None:
    """Write down the process ids of the short and the long run of each piece of work, for `counted`."""
    Path(CHILDREN).write_text(json.dumps(children))


def counted(*command: str) -> dict[str, int]:
    """Run a script under valgrind, and return how many more instructions the long run of each piece of work took.

    Args:
        *command: The script and its arguments. It ends with a call of `report`.
    """
    with tempfile.TemporaryDirectory() as folder:
        valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=count.%p", "--quiet"]
        environment = clean_environment() | {"PYTHONHASHSEED": "0", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        subprocess.run([*valgrind, sys.executable, *command], check=True, cwd=folder, env=environment)
        children = json.loads((Path(folder) / CHILDREN).read_text())
        return {
            name: instructions(Path(folder) / f"count.{long}") - instructions(Path(folder) / f"count.{short}")
            for name, (short, long) in children.items()
        }


def instructions(file: Path) -> int:
    """Read the total of a file of cachegrind."""
    with file.open() as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("summary:"))
