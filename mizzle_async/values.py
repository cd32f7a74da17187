"""The bases of value classes: how they are made, how they compare, and how they look.

attrs would write these methods anew for each class, and Python compile them in every process: that was a tenth of the
time of our import. Here they are written once. This module imports nothing else of the package.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import Attribute, define, fields, setters

if TYPE_CHECKING:
    from attrs import AttrsInstance
    from attrs import frozen as transient
else:
    # A class of which every call makes an instance is frozen for type checkers only: at run time each attribute of a
    # frozen class costs as much to assign as all the attributes of this one.
    transient = partial(define, on_setattr=setters.NO_OP)

__all__ = ["Record", "Value", "altered", "transient"]

AnyT = TypeVar("AnyT")


class Record:
    """Shows its fields, as attrs does: for classes that are made with ``repr=False``."""

    __slots__ = ()

    def __repr__(self) -> str:
        shown = []
        for field in _fields(self):
            if field.repr:
                show = field.repr if callable(field.repr) else repr
                shown.append(f"{field.name}={show(getattr(self, field.name))}")
        return f"{type(self).__qualname__.rpartition('>.')[2]}({', '.join(shown)})"


class Value(Record):
    """Equals another of its class by its fields, as attrs does: for classes that are made with ``eq=False`` as well."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, field.name) == getattr(other, field.name) for field in _fields(self))

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, field.name) for field in _fields(self))))


def _fields(value: Record) -> tuple[Attribute[Any], ...]:
    found: tuple[Attribute[Any], ...] = fields(cast("type[AttrsInstance]", type(value)))
    return found


class Copiers(dict[type[Any], Callable[..., Any]]):
    """The functions that copy a transient object with other values of some attributes, by class, each made when asked.

    ``WITH_NAME = Copiers("_name")`` is used as ``WITH_NAME[type(value)](value, name)``, which is `altered`
    without arguments by name.

    Args:
        *names: The attributes, by their names in the object.
    """

    __slots__ = ("_names",)

    def __init__(self, *names: str) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, cls: type[Any]) -> Callable[..., Any]:
        made = self[cls] = _copier(cls, self._names)
        return made


_COPIERS: dict[tuple[str, ...], Copiers] = {}
"""Functions that copy objects, by the names of the attributes that change."""


def altered(value: AnyT, /, **changes: Any) -> AnyT:
    """Return a copy of a transient object with changed attributes, by their names in the object.

    As `attrs.evolve`, at a small part of its cost: nothing is checked, and ``__init__`` is not called. Attributes that
    ``__init__`` does not take start anew, with their defaults.
    """
    names = tuple(changes)
    copiers = _COPIERS.get(names)
    if copiers is None:
        copiers = _COPIERS[names] = Copiers(*names)
    made: AnyT = copiers[type(value)](value, *changes.values())
    return made


def _copier(cls: type[Any], changed: tuple[str, ...]) -> Callable[..., Any]:
    """Write and compile the function that copies an object, but for attributes that it is given."""
    names: dict[str, Any] = {"new": object.__new__, "cls": cls}
    lines = [f"def copy({', '.join(['source', *changed])}):", "    made = new(cls)"]
    for each in fields(cls):
        name = each.name
        if name in changed:
            origin = name
        elif each.init:
            origin = f"source.{name}"
        else:
            names[f"default_{name}"] = each.default
            origin = f"default_{name}"
        lines.append(f"    made.{name} = {origin}")
    exec("\n".join([*lines, "    return made"]), names)  # noqa: S102  (names of attributes are identifiers)
    copy: Callable[..., Any] = names["copy"]
    return copy


def is_seconds(value: float) -> bool:
    """Return whether a number fits a clock: an integer may be larger than any float."""
    try:
        float(value)
    except OverflowError:
        return False
    return True
