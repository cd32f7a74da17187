"""The border to cattrs: which types the user's converter has hooks of its own for.

A hook registered on the user's converter speaks plain Python values, as hooks do everywhere in cattrs: what an
unstructure hook returns is stored by value, and a structure hook is given the stored value by value. For every other
type our own factories answer, which lie *below* the user's: cattrs asks the hooks in the reverse order of their
registration, and its own way of copying a converter, which takes over exactly what a user registered, puts these on
top.

cattrs takes 15 ms to import. Where nobody brought a converter nothing here needs it, and who brings one has imported
it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from cattrs import BaseConverter

CATTRS: Final = "cattrs.converters"
Unstructure: TypeAlias = Callable[[Any], Any]
Structure: TypeAlias = Callable[[Any, Any], Any]


class UserHooks:
    """What the user registered for one type; None where they left it to us.

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


NO_HOOKS = UserHooks(None, None)


_ours: Final[Any] = object()
"""Marks a type as ours."""


def _our_factory(_target: Any) -> Any:
    return _ours


_REGISTERED_BY_CATTRS = (str, bytes, int, float)
"""cattrs registers its own hooks for these as a user would; comparison with a fresh converter tells whose they are."""


class HookRegistry:
    """Every hook of a user's converter, with ours below them; without a converter there is nothing to ask."""

    def __init__(self, converter: BaseConverter | None) -> None:
        self._converter = converter
        if converter is None:
            return
        # cattrs' own class, without what a subclass of the user's may register when it is made.
        found = next((base for base in type(converter).__mro__ if base.__module__ == CATTRS), None)
        if found is None:
            raise TypeError(f"converter= takes a cattrs converter, not {type(converter).__name__}")
        fresh: type[BaseConverter] = found
        self._pristine = fresh()
        self._registry = fresh()
        self._registry.register_unstructure_hook_factory(_any_type, _our_factory)
        self._registry.register_structure_hook_factory(_any_type, _our_factory)
        # What `Converter.copy` does, onto a converter that has our factories. There is no public way to copy onto
        # another one, hence the private names; a test holds cattrs to it.
        converter._unstructure_func.copy_to(self._registry._unstructure_func, skip=converter._unstruct_copy_skip)  # noqa: SLF001
        converter._structure_func.copy_to(self._registry._structure_func, skip=converter._struct_copy_skip)  # noqa: SLF001

    def find(self, target: Hashable) -> UserHooks:
        """Return the user's hooks for a type, as the user's converter has them."""
        converter = self._converter
        if converter is None:
            return NO_HOOKS
        unstructure: Any = self._registry.get_unstructure_hook(target, cache_result=False)
        structure: Any = self._registry.get_structure_hook(target, cache_result=False)
        if isinstance(target, type) and issubclass(target, _REGISTERED_BY_CATTRS):
            unstructure = _ours if unstructure == self._pristine.get_unstructure_hook(target) else unstructure
            structure = _ours if structure == self._pristine.get_structure_hook(target) else structure
        if target in converter._union_struct_registry:  # noqa: SLF001  (where cattrs keeps those for unions)
            structure = converter.get_structure_hook(target)
        return UserHooks(
            None if unstructure is _ours else converter.get_unstructure_hook(target),
            None if structure is _ours else converter.get_structure_hook(target),
        )


def _any_type(_target: Any) -> bool:
    return True
