"""Runs a benchmark of this folder with bytecode, as an installed package has it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile


def with_bytecode() -> None:
    """Run the script once more where Python may not write bytecode, and exit.

    Without it every process compiles each module that it imports, which is most of the cost of a worker's start.
    """
    if not sys.flags.dont_write_bytecode:
        return
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        run = subprocess.run([sys.executable, *sys.argv], check=False, env=environment)
    sys.exit(run.returncode)
