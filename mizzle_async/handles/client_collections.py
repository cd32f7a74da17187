"""How a client makes collections: typed for up to six classes, and for any union of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args, overload

from attrs import evolve

from mizzle_async.errors import ModelError
from mizzle_async.handles.catalog import Catalog
from mizzle_async.handles.client_part import ClientPart
from mizzle_async.handles.runtime import Runtime
from mizzle_async.marshalling import CollectionCodec, collection_schema
from mizzle_async.model import SharedTable, is_entity, schema_of
from mizzle_async.operations import Target

RowT = TypeVar("RowT")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")

UnknownItems: TypeAlias = Literal["ignore", "raise"]
"""How a collection treats an item of an entity that it does not name."""

if TYPE_CHECKING:
    from typing_extensions import TypeForm

    from mizzle_async.handles.collection import Collection
    from mizzle_async.handles.collection_types import (
        AnyCollection,
        Collection1,
        Collection2,
        Collection3,
        Collection4,
        Collection5,
        Collection6,
    )


class ClientCollections(ClientPart):
    """The part of a client that reads several entities of one table together.

    Args:
        runtime: Sends, paces, owns tasks.
        catalog: Finds schemas, codecs and targets.
    """

    def __init__(self, runtime: Runtime, catalog: Catalog) -> None:
        super().__init__(runtime, catalog)
        self._collections: dict[Any, Collection[Any, Any, Any, Any, Any]] = {}

    @overload
    def collection(self, table: SharedTable, /, *, unknown: UnknownItems = "ignore") -> AnyCollection[Any]: ...
    @overload
    def collection(self, one: type[A], /, *, unknown: UnknownItems = "ignore") -> Collection1[A]: ...
    @overload
    def collection(self, one: type[A], two: type[B], /, *, unknown: UnknownItems = "ignore") -> Collection2[A, B]: ...
    @overload
    def collection(
        self, one: type[A], two: type[B], three: type[C], /, *, unknown: UnknownItems = "ignore"
    ) -> Collection3[A, B, C]: ...
    @overload
    def collection(
        self, one: type[A], two: type[B], three: type[C], four: type[D], /, *, unknown: UnknownItems = "ignore"
    ) -> Collection4[A, B, C, D]: ...
    @overload
    def collection(
        self,
        one: type[A],
        two: type[B],
        three: type[C],
        four: type[D],
        five: type[E],
        /,
        *,
        unknown: UnknownItems = "ignore",
    ) -> Collection5[A, B, C, D, E]: ...
    @overload
    def collection(
        self,
        one: type[A],
        two: type[B],
        three: type[C],
        four: type[D],
        five: type[E],
        six: type[F],
        /,
        *,
        unknown: UnknownItems = "ignore",
    ) -> Collection6[A, B, C, D, E, F]: ...
    @overload
    def collection(self, union: TypeForm[RowT], /, *, unknown: UnknownItems = "ignore") -> AnyCollection[RowT]: ...
    def collection(self, *models: Any, unknown: UnknownItems = "ignore") -> Any:
        """Return several entities of one shared table as one handle, which reads them together.

        Args:
            *models: The entities. Or a union of any number of them, ``Customer | Order``. Or a base class, for every
                entity that inherits from it. Or the `SharedTable`, for all of its entities.
            unknown: Whether an item of another entity in the range is left out (``"ignore"``) or an error
                (``"raise"``).

        Raises:
            ModelError: They are not entities of one shared table.
        """
        if unknown not in {"ignore", "raise"}:
            raise ModelError('collection(…): unknown= is "ignore" or "raise"')
        identity = (models, unknown)
        known = self._collections.get(identity)
        if known is None:
            known = self._collections[identity] = self._make(models, refuses_foreign=unknown == "raise")
        return known

    def _make(self, models: tuple[Any, ...], *, refuses_foreign: bool) -> Collection[Any, Any, Any, Any, Any]:
        from mizzle_async.handles.collection import Collection

        named = _named(models)
        classes = list(dict.fromkeys(cls for model in named for cls in _entities(model)))
        members = [schema_of(cls) for cls in classes]
        shared = members[0].shared
        assert shared is not None  # noqa: S101  (`_entities` gives entities of shared tables only)
        schema = collection_schema(shared.table, members, named)
        codecs = [self._catalog.codec(member) for member in members]
        codec = CollectionCodec(schema, codecs, refuses_foreign=refuses_foreign)
        target: Target[Any] = evolve(self._catalog.target(members[0]), codec=codec)
        lists = classes if any(isinstance(model, SharedTable) for model in named) else named
        return Collection(self._runtime, members, target, lists)


def _named(models: tuple[Any, ...]) -> list[Any]:
    """Return the classes that the caller named, unions taken apart.

    Raises:
        ModelError: There is none.
    """
    named = [each for model in models for each in get_args(model) or (model,)]
    if not named:
        raise ModelError("collection() takes entities of a shared table, such as collection(Customer, Order)")
    return named


def _entities(model: Any) -> list[type[Any]]:
    """Return the entities that an argument stands for.

    Raises:
        ModelError: It stands for none.
    """
    if isinstance(model, SharedTable):
        if not model.members:
            raise ModelError(f"table {model.name!r} has no entities: import the modules that define them first")
        return list(model.members)
    if not isinstance(model, type):
        shown = repr(model) if isinstance(model, str) else type(model).__name__
        raise ModelError(f"collection() takes classes, not {shown}")
    found = [cls for cls in (model, *_subclasses(model)) if is_entity(cls) and schema_of(cls).shared is not None]
    if not found:
        raise ModelError(f"{model.__name__} is no entity of a shared table, and none inherits from it")
    return found


def _subclasses(model: type[Any]) -> list[type[Any]]:
    """Return all classes that inherit from a class and are the newest of their place, as a notebook redefines them."""
    found: dict[tuple[str, str], type[Any]] = {}
    for cls in model.__subclasses__():
        for each in (cls, *_subclasses(cls)):
            found[each.__module__, each.__qualname__] = each
    return list(found.values())
