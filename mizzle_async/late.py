"""Names that a package imports when they are first asked for: a process pays for the parts that it uses.

The package lists its names in `__all__`, imports them for type checkers, and has a table of their modules for the
interpreter. A test holds the three equal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def late_names(
    package: str, homes: Mapping[str, str], *, public: bool = False
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package whose names are imported late.

    Args:
        package: The package's name.
        homes: Modules, by their names within the root package, and the names that each has, separated by spaces.
        public: Whether the names belong to the package for users: tracebacks, pickles and help pages name it.
    """
    root = package.partition(".")[0]
    home_of = {name: f"{root}.{module}" for module, names in homes.items() for name in names.split()}

    def get(name: str) -> Any:
        home = home_of.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        getattr(import_module(home), name)  # which may be a package that imports it late, too
        bind()
        return vars(sys.modules[package])[name]

    def bind() -> None:
        """Bind every name whose module is loaded, so that none is asked for again."""
        known = vars(sys.modules[package])
        for name, home in home_of.items():
            if name not in known and home in sys.modules and name in (loaded := vars(sys.modules[home])):
                value = known[name] = loaded[name]
                if public:
                    value.__module__ = package

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home_of})

    return get, names
