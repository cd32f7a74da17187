"""Marshalling as a preconfigured cattrs converter.

`configure_converter` registers two hook factories, one for each direction, below everything that a user registers
afterwards: cattrs asks hooks in the reverse order of their registration. The functions that the factories return are
the generated flat ones. Of an entity they are its codec's ``encode`` and ``decode``, and give and take items. Of any
other type they give and take its attribute value.

Everything is compiled once for each class. The state of a converter lives in its own cache of hooks, under a type of
this module's, so that each registration makes it anew.

cattrs takes 15 ms to import, so it is imported with the first converter that is made.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mizzle_async.marshalling.codec import Marshaller
from mizzle_async.marshalling.shapes.hooks import UserHooks
from mizzle_async.marshalling.standalone import Standalone
from mizzle_async.model import is_entity, schema_of
from mizzle_async.model.annotations import is_union

if TYPE_CHECKING:
    from cattrs import BaseConverter, Converter

CATTRS: Final = "cattrs.converters"
REGISTERED_BY_CATTRS: Final = (str, bytes, int, float, Path)
"""cattrs registers its own hooks for these as a user would: the library's take their place."""


class _Factories:
    """Asked of a converter as if it were a type, it gives the converter's `HookFactories`."""


class LazyHook:
    """A hook of the library's for a type that is still being looked at: it asks for the real one when it is called."""

    __slots__ = ("_find", "_target")

    def __init__(self, find: Callable[[Any], Callable[..., Any]], target: Any) -> None:
        self._find: Final[Callable[[Any], Callable[..., Any]]] = find
        self._target: Final[Any] = target

    def __call__(self, value: Any, *target: Any) -> Any:
        """Call the real hook."""
        return self._find(self._target)(value, *target)


class HookFactories:
    """The library's hook factories for one converter, and the user's hooks that lie above them.

    Attributes:
        marshaller: Makes the codecs of entities, with the user's hooks.
    """

    __slots__ = ("_converter", "_is_looking", "_source", "_structure_token", "marshaller")

    def __init__(self, converter: BaseConverter, source: BaseConverter | None = None) -> None:
        """Look at a configured converter.

        Args:
            converter: The converter.
            source: The plain converter whose hooks it has, None where it has hooks of its own.
        """
        self._converter: Final[BaseConverter] = converter
        self._source: Final[BaseConverter | None] = source
        self._structure_token: Any = None
        self._is_looking = False
        self.marshaller: Marshaller = Marshaller(self)

    def current(self, token: object) -> HookFactories:
        """Forget every codec if structure hooks were registered since they were made.

        Args:
            token: Made anew by cattrs after each registration.
        """
        if self._structure_token is not None and self._structure_token is not token:
            self.marshaller = Marshaller(self)
        self._structure_token = token
        return self

    def unstructure(self, target: Any) -> Callable[..., Any]:
        """Return the function that encodes instances of a type."""
        if self._is_looking:
            return LazyHook(self._converter.get_unstructure_hook, target)
        if is_entity(target):
            return self.marshaller.codec(schema_of(target)).encode
        return self.marshaller.standalone(target).encode

    def structure(self, target: Any) -> Callable[..., Any]:
        """Return the function that decodes instances of a type. It takes, and ignores, the type as well."""
        if self._is_looking:
            return LazyHook(self._converter.get_structure_hook, target)
        if is_entity(target):
            return self.marshaller.codec(schema_of(target)).decode
        return self.marshaller.standalone(target).decode

    def find(self, target: Hashable, /) -> UserHooks:
        """Return the user's hooks for a type: those that are not the library's own."""
        converter, source = self._converter, self._source
        was_looking, self._is_looking = self._is_looking, True
        try:
            unstructure: Any = converter.get_unstructure_hook(target, cache_result=False)
            structure: Any = converter.get_structure_hook(target, cache_result=False)
        finally:
            self._is_looking = was_looking
        ours = (_is_ours(unstructure), _is_ours(structure))
        if source is not None:
            # Hooks that were composed by the plain converter speak its language, inside too.
            unstructure = None if ours[0] else source.get_unstructure_hook(target)
            structure = None if ours[1] else source.get_structure_hook(target)
        if is_union(target) and ours[1]:
            registered = _registered_for_union(source or converter, target)
            return UserHooks(None if ours[0] else unstructure, registered)
        return UserHooks(None if ours[0] else unstructure, None if ours[1] else structure)


def make_converter() -> Converter:
    """Return a cattrs converter between Python values and DynamoDB's attribute values.

    ``converter.unstructure(order)`` is the item of an entity's instance, ``converter.structure(item, Order)`` the
    instance. A document or a plain class gives its ``{"M": …}``, any other type its attribute value. Errors are those
    of the client: `MarshallingError` for a misfit, `LimitError` for the service's limits, `ModelError` for a
    type that cannot be stored.

    Hooks that are registered on it win over the library's. They take and give plain Python values, and their results
    are stored by value: compose them, where you use `cattrs.gen`, with a plain ``cattrs.Converter()``.

    ``Client(converter=…)`` takes it.
    """
    converter: Converter = _converter_class()()
    configure_converter(converter)
    return converter


def configure_converter(converter: BaseConverter) -> None:
    """Make a cattrs converter marshal to DynamoDB's attribute values and back.

    Hooks that are registered later win over the library's. Of those that it has already, only those for a class do.

    Args:
        converter: The converter, which is changed.

    Raises:
        TypeError: If it is no cattrs converter.
    """
    if _cattrs_class(converter) is None:
        raise TypeError(f"configure_converter() takes a cattrs converter, not {type(converter).__name__}")
    converter.register_unstructure_hook_factory(_any_type, _unstructure_factory)
    converter.register_structure_hook_factory(_any_type, _structure_factory)
    _replace_own_hooks(converter)


def marshaller_of(converter: BaseConverter | None) -> Marshaller:
    """Return the maker of codecs with the hooks of a converter.

    Args:
        converter: A configured one, or a plain one, of which a configured copy is used and which is not changed. None
            for no hooks.

    Raises:
        TypeError: If it is no cattrs converter.
    """
    if converter is None:
        return Marshaller()
    if _cattrs_class(converter) is None:
        raise TypeError(f"converter= takes a cattrs converter, not {type(converter).__name__}")
    factories = _factories_of(converter)
    return _configured_copy(converter).marshaller if factories is None else factories.marshaller


def _any_type(_target: Any) -> bool:
    return True


def _unstructure_factory(target: Any, converter: BaseConverter) -> Any:
    if target is _Factories:
        return HookFactories(converter)
    factories = _factories_of(converter)
    assert factories is not None  # noqa: S101  (this factory gave them)
    return factories.unstructure(target)


def _structure_factory(target: Any, converter: BaseConverter) -> Any:
    if target is _Factories:
        return object()
    factories = _factories_of(converter)
    assert factories is not None  # noqa: S101  (as above)
    return factories.structure(target)


def _factories_of(converter: BaseConverter) -> HookFactories | None:
    """Return the factories of a converter as it is now configured, None where it is a plain one."""
    found: Any = converter.get_unstructure_hook(_Factories)
    if not isinstance(found, HookFactories):
        return None
    return found.current(converter.get_structure_hook(_Factories))


# ── the classes that cattrs registers itself ──


@cache
def _plain_standalone(target: Any) -> Standalone:
    return Marshaller().standalone(target)


def _unstructure_plain(value: Any) -> Any:
    """Encode a value of a class that cattrs has a hook of its own for, or of a subclass."""
    cls: Any = type(value)
    return _plain_standalone(cls).encode(value)


def _structure_plain(stored: Any, target: Any) -> Any:
    """Decode a value of such a class."""
    return _plain_standalone(target).decode(stored)


def _is_ours(hook: object) -> bool:
    return isinstance(hook, LazyHook) or hook is _unstructure_plain or hook is _structure_plain


def _replace_own_hooks(converter: BaseConverter) -> None:
    """Put the library's hooks where cattrs has its own. Those of a user stay."""
    pristine = _cattrs_class(converter)()
    for kind in REGISTERED_BY_CATTRS:
        if converter.get_unstructure_hook(kind, cache_result=False) == pristine.get_unstructure_hook(kind):
            converter.register_unstructure_hook(kind, _unstructure_plain)
        if converter.get_structure_hook(kind, cache_result=False) == pristine.get_structure_hook(kind):
            converter.register_structure_hook(kind, _structure_plain)


def _cattrs_class(converter: object) -> Any:
    """Return the class of cattrs' own that a converter is of, without a subclass of the user's."""
    return next((base for base in type(converter).__mro__ if base.__module__ == CATTRS), None)


@cache
def _converter_class() -> type[Converter]:
    from cattrs import Converter  # noqa: PLC0415  (for programs that make one)

    class DynamoConverter(Converter):
        """A converter that looks for hooks of unions where it looks for all others."""

        __slots__ = ()

        def register_structure_hook(self, cl: Any, func: Any = None) -> Any:
            """Register a structure hook: see ``cattrs.Converter.register_structure_hook``."""
            if func is not None and is_union(cl):
                self.register_structure_hook_func(lambda target: target == cl, func)
                return None
            register: Any = super().register_structure_hook  # which is a decorator too
            return register(cl, func)

    return DynamoConverter


# ── plain converters: cattrs has no public way to put their hooks on top of another converter's ──


def _configured_copy(converter: BaseConverter) -> HookFactories:
    """Return the factories of a configured converter that has a plain converter's hooks on top.

    It does what ``Converter.copy`` does, onto a converter that is configured. A test holds cattrs to it.
    """
    cls = _cattrs_class(converter)
    copy: BaseConverter = cls()
    copy.register_unstructure_hook_factory(_any_type, _unstructure_factory)
    copy.register_structure_hook_factory(_any_type, _structure_factory)
    converter._unstructure_func.copy_to(copy._unstructure_func, skip=converter._unstruct_copy_skip)  # noqa: SLF001  (no public way)
    converter._structure_func.copy_to(copy._structure_func, skip=converter._struct_copy_skip)  # noqa: SLF001  (no public way)
    _replace_own_hooks(copy)
    factories = HookFactories(copy, converter)

    def give(_target: Any) -> Any:
        return factories

    copy.register_unstructure_hook_factory(lambda target: target is _Factories, give)
    return factories


def _registered_for_union(converter: BaseConverter, target: Any) -> Any:
    """Return the structure hook that a plain converter keeps for a union in a place of its own, None without one."""
    if type(converter) is _converter_class():
        return None  # which keeps them where it keeps all others
    return converter._union_struct_registry.get(target)  # noqa: SLF001  (cattrs shows it no other way)
