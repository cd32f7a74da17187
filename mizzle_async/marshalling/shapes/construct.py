"""How instances are made when items are read: directly where nothing would notice, else by calling the class.

An attrs class whose ``__init__`` only assigns can be made without it: a new object, then its attributes. A validator,
a converter, a hook around ``__init__``, a field that ``__init__`` makes up itself, a cached hash or an ``__init__`` of
the owner's: then the class is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from inspect import signature
from typing import Any

import attrs

from mizzle_async.model.foreign import fields_of


class Construction(Enum):
    """How an instance is made."""

    ASSIGN = "assign"
    """A new object whose attributes are assigned."""

    FILL = "fill"
    """A new object whose ``__dict__`` is filled: the class forbids assignment, or does something on it."""

    CALL = "call"
    """The class is called, with keywords."""


_GENERATED_BY_ATTRS = "<attrs generated"
_HOOKS = ("__attrs_init__", "__attrs_pre_init__", "__attrs_post_init__")
_CACHED_HASH = "_attrs_cached_hash"


def construction_of(cls: type[Any]) -> Construction:
    """Return how instances of a class with attributes are made."""
    if not attrs.has(cls) or not _only_assigns(cls):
        return Construction.CALL
    if cls.__setattr__ is object.__setattr__:
        return Construction.ASSIGN
    # Without slots every attribute is in `__dict__`, under any `__setattr__`.
    return Construction.FILL if _has_no_slots(cls) else Construction.CALL


def _only_assigns(cls: type[Any]) -> bool:
    code = getattr(cls.__init__, "__code__", None)
    return (
        code is not None
        and code.co_filename.startswith(_GENERATED_BY_ATTRS)
        and getattr(cls, "__new__") is object.__new__  # noqa: B009  (type checkers take it for a new object's)
        and not issubclass(cls, BaseException)
        and not any(hasattr(cls, hook) for hook in _HOOKS)
        and _CACHED_HASH not in code.co_names
        and _CACHED_HASH not in code.co_consts
        and all(field.init and field.validator is None and field.converter is None for field in attrs.fields(cls))
    )


def _has_no_slots(cls: type[Any]) -> bool:
    return all("__slots__" not in vars(base) or not vars(base)["__slots__"] for base in cls.__mro__[:-1])


def make_instance(
    cls: type[Any], construction: Construction, values: Mapping[str, Any], aliases: Mapping[str, str]
) -> Any:
    """Return an instance with these attributes, carefully: generated functions do it in line.

    Args:
        cls: The class.
        construction: How its instances are made.
        values: Attributes by name. Those without one get their default from ``__init__``.
        aliases: The attributes' names in ``__init__``.
    """
    if construction is Construction.CALL:
        return cls(**{aliases[name]: value for name, value in values.items()})
    instance = object.__new__(cls)
    for name, value in values.items():
        object.__setattr__(instance, name, value)
    return instance


def refusal_to_be_called(cls: type[Any], names: Iterable[str]) -> str | None:
    """Return why a class cannot be called with its attributes, or None if it can.

    Args:
        cls: The class.
        names: Their names in ``__init__``.
    """
    try:
        signature(cls).bind(**dict.fromkeys(names))
    except TypeError as error:
        return str(error)
    return None


def argument_names(cls: type[Any]) -> dict[str, str]:
    """Return the attributes that ``__init__`` takes, in order, with their names there."""
    return {field.name: field.argument for field in fields_of(cls) if field.argument is not None}
