"""Defaults, checked when the class is made: they are values of their attribute's type, and not shared by instances.

Types are judged as they are annotated. A type that only the user's hooks know takes every default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from enum import Enum
from typing import Any, Final, get_args, get_origin, is_typeddict

import attrs
from attrs import NOTHING

from mizzle_async.errors import ModelError
from mizzle_async.model.annotations import is_literal, type_name, union_members
from mizzle_async.model.foreign import has_fields
from mizzle_async.model.scalars import registered

NUMBERS: Final = (float, Decimal)
"""Types that take an ``int`` too."""

SHARED: Final = (list, set, dict, bytearray)
COLLECTIONS: Final = (Mapping, AbstractSet, Sequence)


def check_shared_default(where: str, default: Any) -> None:
    """Check that a default is not a mutable value, which all instances would share.

    Args:
        where: Class and attribute, for messages.
        default: The default, an ``attrs.Factory``, or ``attrs.NOTHING``.

    Raises:
        ModelError: If it is one, with the factory to write instead.
    """
    if default is NOTHING or _is_factory(default):
        return
    kind = type(default)
    may_change = (has_fields(kind) or isinstance(default, tuple)) and not _is_hashable(default)
    if not isinstance(default, SHARED) and not may_change:
        return
    raise ModelError(
        f"{where}: every instance would share this {kind.__name__}: write `attribute(factory={kind.__name__})`"
        + ("" if isinstance(default, SHARED) and not default else ", with a function that makes a new one")
    )


def check_default_type(where: str, annotation: Any, default: Any) -> None:
    """Check that a default is a value of its attribute's type.

    Args:
        where: Class and attribute, for messages.
        annotation: The resolved type.
        default: The default, an ``attrs.Factory``, or ``attrs.NOTHING``.

    Raises:
        ModelError: If it is not.
    """
    if default is NOTHING or _is_factory(default):
        return
    members = list(union_members(annotation))
    if any(_takes(member, default) for member in members):
        return
    shown = "None" if default is None else type(default).__name__
    if any(map(is_literal, members)):
        shown = "another value"
    instead = ""
    if default is None:
        instead = f": declare it {type_name(annotation)} | None, or leave the default out"
    raise ModelError(f"{where}: its default is no {type_name(annotation)} but {shown}{instead}")


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _is_factory(default: Any) -> bool:
    kind: Any = attrs.Factory  # to type checkers it is a function
    return isinstance(default, kind)


def _takes(member: Any, default: Any) -> bool:
    """Return whether a default may be a value of one member of a union; of a type that is not known here, it may."""
    if member is None or member is type(None):
        return default is None
    if is_literal(member):
        return any(value == default and type(value) is type(default) for value in get_args(member))
    kind = get_origin(member) or member
    return not isinstance(kind, type) or kind in {object, Any} or _is_instance(kind, default)


def _is_instance(kind: type[Any], default: Any) -> bool:
    row = next(iter(registered(kind)), None)
    if issubclass(kind, Enum) or has_fields(kind):
        return isinstance(default, kind)
    if row is not None:
        exact = row.exact_types if kind in {row.python, *row.exact_types} else (kind,)
        is_number = kind in NUMBERS and isinstance(default, int)
        return (isinstance(default, exact) or is_number) and (row.python is bool or not isinstance(default, bool))
    if is_typeddict(kind):
        return isinstance(default, Mapping)
    return isinstance(default, kind) or not issubclass(kind, COLLECTIONS)
