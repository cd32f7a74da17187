"""The folder that keeps what engines are made of, safe for any number of processes that fill it at once.

Knows files and locks only: what is built in it is the caller's.
"""

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """Name the folder: `MIZZLE_ASYNC_CACHE`, else the user's cache folder as the platform has it.

    Returns:
        An absolute path; the folder may not exist yet.
    """
    if chosen := os.environ.get("MIZZLE_ASYNC_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    if Path(base).is_absolute():
        return Path(base) / "mizzle_async"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "mizzle_async"
    return Path.home() / ".cache" / "mizzle_async"


def cached(name: str, build: Callable[[Path], None]) -> Path:
    """Return the entry `name`, built once: whoever comes second waits for the first.

    Args:
        name: The entry's name, which must change with its content: an entry is never rebuilt.
        build: Makes the entry at the path it is given, which does not exist yet.

    Returns:
        The entry's path. Whatever is there is complete: it appears by a rename.
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
    """Hold an exclusive lock that the kernel drops with the process, however that ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # The file stays: removing it would let a third process lock another file of the same name.
        yield


def _remove_leftovers(folder: Path, name: str) -> None:
    """Remove what a killed builder left; under the lock, nobody else builds this entry."""
    for leftover in folder.glob(f".{name}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
