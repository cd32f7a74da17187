"""A virtual environment for each measured client, made on demand and kept: they need different versions of things.

They are kept under ``MIZZLE_BENCHMARK_CACHE``, or the user's cache directory; the folder's name carries what was asked
for, so that a changed requirement makes a new one.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path


class InstallationError(Exception):
    """A client's packages could not be installed."""


def cache_folder() -> Path:
    """Say where environments are kept."""
    if given := os.environ.get("MIZZLE_BENCHMARK_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "mizzle-async-benchmarks"


def interpreter(requirements: Path, *, package: Path | None = None) -> Path:
    """Return an interpreter that has what is required, installing it the first time.

    Args:
        requirements: A requirements file with exact versions.
        package: A project to install too, in editable form.

    Returns:
        The path of the environment's interpreter.

    Raises:
        InstallationError: pip said no; its last lines are the message.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    project = f"{package}\n{(package / 'pyproject.toml').read_text()}" if package else ""
    wanted = f"{version}\n{requirements.read_text()}\n{project}"
    folder = cache_folder() / f"{requirements.stem}-{hashlib.sha256(wanted.encode()).hexdigest()[:10]}"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    finished = folder / "finished"
    if finished.exists():
        return python
    venv.create(folder, with_pip=True, clear=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)]
    if package:
        command += ["-e", str(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstallationError("; ".join(done.stderr.strip().splitlines()[-3:]))
    finished.touch()
    return python
