"""Where decorated classes meet libraries that this package does not depend on."""

from __future__ import annotations

import dataclasses
from typing import Any, Final
from weakref import WeakKeyDictionary

import attrs
from attrs import NOTHING

PYDANTIC_HOOK: Final = "__get_pydantic_core_schema__"
"""The method that Pydantic looks for on a class that it does not know."""

JSON_MEMBERS: Final = "__json_members__"
"""The attribute of a class that names the members that it has as JSON."""

DATACLASS_MEMBERS: Final = ("__dataclass_fields__", "__dataclass_params__")
"""The members by which other libraries recognise a dataclass."""

_TWINS: WeakKeyDictionary[type[Any], Any] = WeakKeyDictionary()


def get_pydantic_core_schema(_cls: type[Any], source: Any, handler: Any) -> Any:
    """Return how Pydantic validates and writes instances of a class. Called by Pydantic alone.

    Args:
        _cls: The class that has the method.
        source: The class, or a generic one with its arguments.
        handler: Pydantic's, for the types of attributes.
    """
    from mizzle_async.integrations.pydantic import core_schema_of  # noqa: PLC0415  (Pydantic is no dependency)

    return core_schema_of(source, handler)


def get_pydantic_page_schema(_cls: type[Any], source: Any, handler: Any) -> Any:
    """Return how Pydantic writes and validates pages: as `get_pydantic_core_schema`, of the class of pages."""
    from mizzle_async.integrations.pydantic_pages import page_schema_of  # noqa: PLC0415  (as above)

    return page_schema_of(source, handler)


class DataclassMember:
    """One of the members by which other libraries recognise a dataclass, made when one of them asks.

    FastAPI takes a class in the signature of an endpoint for the body of a request where it is a dataclass. `copy`,
    `dataclasses.fields`, `dataclasses.asdict` and `dataclasses.replace` work as well.

    Args:
        name: The member's.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type[Any]) -> Any:
        del instance
        if getattr(owner, "__parameters__", ()):
            # Pydantic would look into a generic dataclass itself, and not ask for its schema.
            raise AttributeError(self._name)
        twin = _TWINS.get(owner)
        if twin is None:
            twin = _TWINS[owner] = _twin(owner)
        return getattr(twin, self._name)


def _twin(cls: type[Any]) -> Any:
    """Return a dataclass with the attributes of an attrs class."""
    members = [(each.name, each.type, _field(each)) for each in attrs.fields(cls)]
    return dataclasses.make_dataclass(cls.__name__, members, kw_only=True, repr=False, eq=False)


def _field(each: attrs.Attribute[Any]) -> Any:
    default: Any = each.default
    factory: Any = attrs.Factory  # to type checkers it is a function
    if default is NOTHING:
        return dataclasses.field(init=each.init)
    if not isinstance(default, factory):
        return dataclasses.field(default=default, init=each.init)
    made_of_instance: Any = default
    # A default that takes the instance is made by the class itself.
    make = (lambda: None) if made_of_instance.takes_self else made_of_instance.factory
    return dataclasses.field(default_factory=make, init=each.init)
