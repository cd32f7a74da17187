"""The cache folder of the engines, safe for any number of processes that fill it at once.

This module knows files and locks only. The callers build the entries.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """Return the cache folder: `MIZZLE_ASYNC_CACHE`, else a folder in the platform's cache folder of the user.

    Returns:
        An absolute path. The folder may not exist yet.
    """
    if chosen := os.environ.get("MIZZLE_ASYNC_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: ignore a relative path.
    if Path(base).is_absolute():
        return Path(base) / "mizzle_async"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "mizzle_async"
    return Path.home() / ".cache" / "mizzle_async"


def cached(name: str, build: Callable[[Path], None]) -> Path:
    """Return the entry `name`, built if it does not exist. Other processes wait for the one that builds.

    Args:
        name: The entry's name. It must change with the entry's content: an entry is never rebuilt.
        build: Makes the entry at its argument, a path that does not exist yet.

    Returns:
        The entry's path. An entry appears by a rename, so it is always complete.
    """
    folder = cache_folder()
    entry = folder / name
    if entry.exists():
        return entry
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / f"{name}.lock"):
        if not entry.exists():
            _remove_leftovers(folder, name)
            scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
            try:
                build(scratch / "entry")
                (scratch / "entry").rename(entry)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return entry


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """Hold an exclusive lock. The kernel releases it when the process ends, also by a signal."""
    import fcntl  # noqa: PLC0415  (POSIX only: on Windows this module must still import)

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # The file stays. If it were removed, a third process could lock another file of the same name.
        yield


def _remove_leftovers(folder: Path, name: str) -> None:
    """Remove the scratch folders of killed builders. Call it under the lock: no other process builds this entry."""
    for leftover in folder.glob(f".{name}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
