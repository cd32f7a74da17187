"""Python environments of their own for engines, each installed from a lock that is shipped beside this module.

An engine's packages cannot be dependencies of ours: ministack pins a botocore that aiobotocore cannot share.
"""

import hashlib
import importlib.util
import logging
import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from mizzle_async.testing._cache import cached
from mizzle_async.testing._errors import EngineError

LOCKS = Path(__file__).parent / "locks"

log = logging.getLogger("mizzle_async.testing")

# Settings that would send the packages elsewhere than into the environment that is being made.
MISLEADING_SETTINGS = frozenset(
    {"PIP_PREFIX", "PIP_PYTHON", "PIP_ROOT", "PIP_TARGET", "PIP_USER", "PYTHONHOME", "PYTHONPATH"}
)


def locked_version(name: str) -> str:
    """Read the version of a package from the lock that carries its name."""
    pin = re.search(rf"^{re.escape(name)}==(\S+)", _lock(name).read_text(), re.MULTILINE)
    if pin is None:
        raise EngineError(f"{_lock(name)} pins no {name}: it is damaged, reinstall mizzle_async")
    return pin[1]


def environment(name: str) -> Path:
    """Return the interpreter of the environment of `name`, made on first use.

    Cost:
        On first use, downloads from the package index that pip is set up for; nothing afterwards.

    Raises:
        EngineError: If there is no pip to install with, or pip failed; its output is in the text.
    """
    identity = hashlib.sha256(_lock(name).read_bytes())
    # An environment points at its base interpreter, by path, and holds wheels for its version and platform.
    identity.update(repr((sys.base_prefix, sys.version_info[:2], sysconfig.get_platform())).encode())
    entry = f"{name}-{locked_version(name)}-{identity.hexdigest()[:12]}"
    return interpreter(cached(entry, partial(build_environment, name)))


def build_environment(name: str, folder: Path) -> None:
    """Make an environment in `folder` with exactly what the lock of `name` says, hashes checked."""
    pip_here = importlib.util.find_spec("pip") is not None
    if not pip_here and importlib.util.find_spec("ensurepip") is None:
        raise EngineError(
            f"cannot install {name}: this Python has neither pip nor ensurepip."
            " Install one of them; on Debian and Ubuntu: apt install python3-venv"
        )
    log.info("installing %s %s from the package index, once on this machine", name, locked_version(name))
    venv.create(folder, symlinks=True, with_pip=not pip_here)
    # Our own pip installs into the new environment where it can: seconds faster than giving it a pip of its own.
    python = str(interpreter(folder))
    pip = [sys.executable, "-m", "pip", "--python", python] if pip_here else [python, "-m", "pip"]
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--only-binary=:all:", "--require-hashes"]
    run(
        [*pip, "install", *options, f"--requirement={_lock(name)}"],
        environment={key: value for key, value in os.environ.items() if key not in MISLEADING_SETTINGS},
        purpose=f"install {name} {locked_version(name)}",
    )


def interpreter(folder: Path) -> Path:
    """Return the interpreter of the environment in `folder`."""
    return folder / "bin" / "python"


def run(
    command: list[str], *, purpose: str, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> str:
    """Run a command of the set-up to its end and return what it printed on standard output.

    Raises:
        EngineError: If it cannot be run or fails; `purpose` and the end of its output are in the text.
    """
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands, no shell
            command,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd=folder,
        )
    except OSError as error:
        raise EngineError(f"could not {purpose}: {error}") from error
    if done.returncode != 0:
        output = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise EngineError(f"could not {purpose} (exit status {done.returncode}):\n{output}")
    return done.stdout


def _lock(name: str) -> Path:
    return LOCKS / f"{name}.lock"
