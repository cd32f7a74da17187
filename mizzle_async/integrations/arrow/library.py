"""The library of columns, pyarrow: the extra ``arrow``. Every module of this folder has it from here, untyped."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def _library(name: str) -> Any:
    """Return a module of pyarrow.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "frames are made by pyarrow, which is not installed: pip install 'mizzle-async[arrow]'", name=error.name
        ) from error


pa: Any = _library("pyarrow")
pc: Any = _library("pyarrow.compute")

MISFITS: tuple[type[Exception], ...] = (pa.ArrowException, OverflowError, TypeError, ValueError)
"""The errors of values that an array does not hold."""
