"""The border to cattrs: the hooks that a user registered for a type.

A user's hook speaks plain Python values, as hooks do everywhere in cattrs: the result of an unstructure hook is stored
by value, and a structure hook is given the stored value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, Protocol, TypeAlias

Unstructure: TypeAlias = Callable[[Any], Any]
Structure: TypeAlias = Callable[..., Any]


class UserHooks:
    """The hooks that a user registered for one type, None where the library's own way is meant.

    Attributes:
        unstructure: Turns an instance into values that are stored by value.
        structure: Turns such values, and the type, into an instance.
    """

    __slots__ = ("structure", "unstructure")

    def __init__(self, unstructure: Unstructure | None, structure: Structure | None) -> None:
        self.unstructure: Final[Unstructure | None] = unstructure
        self.structure: Final[Structure | None] = structure

    def __bool__(self) -> bool:
        return self.unstructure is not None or self.structure is not None


NO_HOOKS: Final = UserHooks(None, None)


class HookSource(Protocol):
    """Knows a user's hooks."""

    def find(self, target: Hashable, /) -> UserHooks:
        """Return the user's hooks for a type."""
        ...


class NoHooks:
    """The source of hooks where there is no converter."""

    __slots__ = ()

    def find(self, target: Hashable, /) -> UserHooks:
        """Return no hooks."""
        del target
        return NO_HOOKS
