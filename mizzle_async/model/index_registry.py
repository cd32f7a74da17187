"""The indexes that a class keeps, and how they travel by pickle: with a class that is imported, or inside one."""

from __future__ import annotations

import sys
from typing import Any, Final

from mizzle_async.errors import ModelError

INDEXES_ATTRIBUTE: Final = "__mizzle_indexes__"
"""The attribute in which a class keeps its indexes, by name."""


def is_importable(cls: type[Any]) -> bool:
    """Return whether another process finds a class by import: not one of ``__main__``, of a notebook or a function."""
    found: Any = None if cls.__module__ == "__main__" else sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is cls


def restored_index(kind: type[Any], cls: type[Any], name: str) -> Any:
    """Return an index out of a pickle: its class's own, or a new object that has its state still to come.

    Args:
        kind: The index's class.
        cls: The entity.
        name: The name that the entity keeps it under.

    Raises:
        ModelError: The entity was imported, and has no such index.
    """
    known = _kept(cls, name)
    if known is None:
        return find_index(cls, name) if is_importable(cls) else object.__new__(kind)
    return known


def find_index(cls: type[Any], name: str) -> Any:
    """Return a class's index by name.

    Raises:
        ModelError: If it has none of that name.
    """
    known = _kept(cls, name)
    if known is None:
        raise ModelError(f"{cls.__name__} has no index {name!r}")
    return known


def _kept(cls: type[Any], name: str) -> Any:
    """Return the index that a class, or the nearest of its bases, keeps under a name; None where none does."""
    for base in cls.__mro__:
        kept: dict[str, Any] = vars(base).get(INDEXES_ATTRIBUTE) or {}
        for known, index in kept.items():
            if name in {known, index.name}:
                return index
    return None
