"""Paths of classes that have none themselves: ``path(Task, lambda task: task.total) >= 5``.

Class access on a dataclass, a struct or a model of Pydantic's gives no path. A function that takes an attribute of an
instance does, when it is called with a recorder in the instance's place. Type checkers see the instance, so that they
know the attribute's type and refuse names that the class does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn, TypeVar, get_origin

from mizzle_async.errors import ExpressionError, ModelError
from mizzle_async.expressions import AttributePath
from mizzle_async.expressions.terms import owner_name
from mizzle_async.model.annotations import type_name, without_none
from mizzle_async.model.foreign import field_types, has_fields
from mizzle_async.model.path_types import types_inside
from mizzle_async.model.schema import SCHEMA_ATTRIBUTE, EntitySchema, document_schema_of

OwnerT = TypeVar("OwnerT")
ValueT = TypeVar("ValueT")

_WAY: Final = "path(Task, lambda task: task.total) >= 5"


def path(model: type[OwnerT], select: Callable[[OwnerT], ValueT], /) -> AttributePath[OwnerT, ValueT]:
    """Return the path of an attribute of any class, for conditions, updates, projections and indexes.

    Args:
        model: A dataclass, a struct of msgspec's, a model of Pydantic's, an attrs class, an entity or a document.
        select: Returns an attribute of its argument: ``lambda task: task.total``, ``lambda task: task.lines[0].price``.
            It is called once, with a stand-in for an instance.

    Raises:
        ExpressionError: The class has no such attribute, or ``select`` does more than to take one.
        ModelError: The class has no attributes that can be listed.
    """
    cls: Any = get_origin(model) or model
    if not has_fields(cls):
        raise ModelError(f"path() takes a class with attributes, and {type_name(model)} has none that can be listed")
    selected: Any = select(_Recorder(cls, None, (model,)))  # type: ignore[arg-type]  # it stands in for an instance
    if not isinstance(selected, _Recorder):
        raise ExpressionError(f"path({cls.__name__}, …) takes a function that returns an attribute: {_WAY}")
    recorded: AttributePath[OwnerT, ValueT] | None = selected.__recorded__
    if recorded is None:
        raise ExpressionError(f"path({cls.__name__}, …) takes a function that returns an attribute: {_WAY}")
    return recorded


class _Recorder:
    """Stands in for an instance, and for the values inside it, and records the way to one of them.

    Attributes:
        __owner__: The class of the instance.
        __recorded__: The path so far, None for the instance itself.
        __types__: The types that the value there may have.
    """

    __slots__ = ("__owner__", "__recorded__", "__types__")

    def __init__(self, owner: Any, recorded: AttributePath[Any, Any] | None, types: tuple[Any, ...]) -> None:
        self.__owner__ = owner
        self.__recorded__ = recorded
        self.__types__ = types

    def __getattr__(self, name: str) -> Any:
        found = [step for kind in self.__types__ for member in without_none(kind) for step in _steps(member, name)]
        if not found:
            self._refuse(name)
        stored = {step.path.segments[0] for step in found}
        if len(stored) > 1:
            raise ExpressionError(
                f"{self}.{name} is stored under several names: {', '.join(sorted(map(str, stored)))}: name the class, "
                "path(Order, lambda order: order.payment)[path(Card, lambda card: card.number)]"
            )
        first, recorded = found[0].path, self.__recorded__
        if recorded is None:
            path = type(first)(self.__owner__, first.segments, labels=first.labels)
        else:
            path = recorded[first] if len(found) == 1 else recorded[str(first.segments[0])]
        return _Recorder(self.__owner__, path, tuple(step.type for step in found))

    def __getitem__(self, key: Any) -> _Recorder:
        recorded = self.__recorded__
        if recorded is None:
            raise ExpressionError(f"path({self}, …) takes an attribute first: {_WAY}")
        path = recorded[key]
        inside = types_inside(self.__types__, path.segments[-1])
        if not inside:
            held = " | ".join(map(type_name, self.__types__))
            raise ExpressionError(f"{path}: a value of type {held} has no such part")
        return _Recorder(self.__owner__, path, inside)

    def _refuse(self, name: str) -> NoReturn:
        classes = [kind for holder in self.__types__ for kind in without_none(holder) if has_fields(kind)]
        names = ", ".join(dict.fromkeys(known for kind in classes for known in field_types(kind)))
        has = f"; it has {names}" if names else f": it holds {' | '.join(map(type_name, self.__types__))}"
        raise ExpressionError(f"{self} has no attribute {name!r}{has}")

    def __str__(self) -> str:
        return owner_name(self.__owner__) if self.__recorded__ is None else str(self.__recorded__)

    def _refuse_use(self, *_arguments: Any) -> NoReturn:
        raise ExpressionError(f"{self}: the function takes an attribute and does nothing with it: write {_WAY}")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse_use
    __bool__ = __iter__ = __len__ = __call__ = __contains__ = _refuse_use
    __add__ = __radd__ = __sub__ = __rsub__ = __and__ = __or__ = _refuse_use
    __hash__ = None  # type: ignore[assignment]  # as paths


class _Step:
    """One attribute of a class: its path there, and its type."""

    __slots__ = ("path", "type")

    def __init__(self, path: AttributePath[Any, Any], of: Any) -> None:
        self.path: Final = path
        self.type: Final = of


def _steps(holder: Any, name: str) -> Iterator[_Step]:
    """Yield the attribute of a name that one type has, none where it has none."""
    kind = get_origin(holder) or holder
    if not isinstance(kind, type) or kind is object or kind is Any:
        yield _Step(AttributePath(kind, (name,), labels=(name,)), Any)
    elif SCHEMA_ATTRIBUTE in vars(kind):
        schema = document_schema_of(kind)
        declared = schema.by_field.get(name)
        if declared is not None and isinstance(schema, EntitySchema):
            yield _Step(schema.path(name), declared.type)
        elif declared is not None:
            yield _Step(AttributePath(kind, (declared.name,), labels=(name,)), declared.type)
    elif has_fields(kind):
        types = field_types(kind)
        if name in types:
            yield _Step(AttributePath(kind, (name,), labels=(name,)), types[name])
