"""An environment of Python for each engine, installed from a lock that is shipped beside this module.

The engines' packages cannot be our dependencies: ministack pins a botocore that aiobotocore excludes.
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

# Settings that would install the packages outside the new environment.
MISLEADING_SETTINGS = frozenset(
    {"PIP_PREFIX", "PIP_PYTHON", "PIP_ROOT", "PIP_TARGET", "PIP_USER", "PYTHONHOME", "PYTHONPATH"}
)


def locked_version(name: str) -> str:
    """Return the version of a package, from the lock of the same name."""
    pin = re.search(rf"^{re.escape(name)}==(\S+)", _lock(name).read_text(), re.MULTILINE)
    if pin is None:
        raise EngineError(f"{_lock(name)} pins no {name}: it is damaged, reinstall mizzle_async")
    return pin[1]


def environment(name: str) -> Path:
    """Return the interpreter of the environment of `name`, which is made on first use.

    Cost:
        The first use downloads from the package index that pip is configured for. Later uses download nothing.

    Raises:
        EngineError: If there is no pip, or if pip failed. Its output is in the text.
    """
    identity = hashlib.sha256(_lock(name).read_bytes())
    # An environment refers to its base interpreter by path, and has wheels for its version and platform.
    identity.update(repr((sys.base_prefix, sys.version_info[:2], sysconfig.get_platform())).encode())
    entry = f"{name}-{locked_version(name)}-{identity.hexdigest()[:12]}"
    return interpreter(cached(entry, partial(build_environment, name)))


def build_environment(name: str, folder: Path) -> None:
    """Make an environment in `folder` from the lock of `name`, with checked hashes."""
    pip_here = importlib.util.find_spec("pip") is not None
    if not pip_here and importlib.util.find_spec("ensurepip") is None:
        raise EngineError(
            f"cannot install {name}: this Python has neither pip nor ensurepip."
            " Install one of them; on Debian and Ubuntu: apt install python3-venv"
        )
    log.info("installing %s %s from the package index, once on this machine", name, locked_version(name))
    venv.create(folder, symlinks=True, with_pip=not pip_here)
    # Install with the pip that runs here, if there is one: that is seconds faster than a pip in the new environment.
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
    """Run a command to its end and return its standard output.

    Raises:
        EngineError: If it cannot be started or fails; `purpose` and the end of its output are in the text.
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
