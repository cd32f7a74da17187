"""Puts generated functions together and compiles them: one program per entity.

Every function of a program shares one namespace, so that classes may contain each other. The source can be looked at:
``inspect.getsource(codec.decode)``, and tracebacks show its lines.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from itertools import count
from typing import Any

_programs = count(1)


class Program:
    """The functions of one entity, while they are written.

    Args:
        entity: The entity's name.
        is_own: Whether its decoders read items that its encoders made, and none from elsewhere.

    Attributes:
        names: The names that the functions use, with their values.
        is_own: As above.
    """

    def __init__(self, entity: str, *, is_own: bool = False) -> None:
        self.is_own = is_own
        self.names: dict[str, Any] = {"new": object.__new__}
        self._entity = entity
        self._functions: list[str] = []
        self._bound: dict[Any, str] = {}
        self._fresh = count()
        self._of_class: dict[tuple[str, int], str] = {}
        self._waiting: list[Callable[[], None]] = []
        self._late: list[tuple[str, Callable[[], Any]]] = []

    def bind(self, value: Any, hint: str) -> str:
        """Return a name for a value, the same one for the same value."""
        key = (id(getattr(value, "__self__", None)), id(getattr(value, "__func__", value)))
        if key not in self._bound:
            self._bound[key] = name = f"{hint}_{len(self._bound)}"
            self.names[name] = value
        return self._bound[key]

    def bind_late(self, make: Callable[[], Any], hint: str) -> str:
        """Return a name for a value that can only be made when every function is compiled."""
        name = f"{hint}_late_{len(self._late)}"
        self._late.append((name, make))
        return name

    def fresh(self) -> str:
        """Return the name of a local variable that nothing else uses."""
        return f"t{next(self._fresh)}"

    def add(self, source: str) -> None:
        """Add a function."""
        self._functions.append(source)

    def function_of(self, owner: object, hint: str, write: Callable[[str], None]) -> str:
        """Return the name of a class's function, which is written once.

        Args:
            owner: Whose function it is.
            hint: The beginning of its name.
            write: Writes the function of a name. It is called later, as classes may contain each other.
        """
        key = (hint, id(owner))
        if key not in self._of_class:
            self._of_class[key] = name = f"{hint}_{len(self._of_class)}"
            self._waiting.append(lambda: write(name))
        return self._of_class[key]

    def compile(self) -> dict[str, Any]:
        """Write the functions that are still waiting, compile all, and return the namespace."""
        while self._waiting:
            self._waiting.pop(0)()
        source = "\n\n".join(self._functions) + "\n"
        filename = f"<mizzle_async {self._entity} {next(_programs)}>"
        exec(compile(source, filename, "exec"), self.names)  # noqa: S102  (names of attributes enter it as literals only)
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        for name, make in self._late:
            self.names[name] = make()
        return self.names
