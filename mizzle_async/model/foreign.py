"""Classes with attributes that others decorated: attrs, dataclasses, msgspec's structs, models of Pydantic's.

They are read by their own libraries' public means, and changed in nothing. Pydantic is not imported: its models say
everything themselves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from copy import deepcopy
from functools import partial
from typing import Any, Final

import attrs
from attrs import NOTHING, Factory, field, frozen
from msgspec import NODEFAULT, Struct, structs

from mizzle_async.errors import ModelError
from mizzle_async.model.annotations import Namespace, annotating_class
from mizzle_async.values import Record

PYDANTIC_FIELDS: Final = "__pydantic_fields__"
"""Where a model of Pydantic's, or a dataclass of its, keeps its fields."""

CHANGEABLE: Final = (list, dict, set, bytearray)
"""Defaults that a model of Pydantic's copies for each instance."""


@frozen(eq=False, repr=False)
class ForeignField(Record):
    """One attribute of such a class.

    Attributes:
        name: Its name.
        type: Its annotation, None where it has none.
        default: Its default, an ``attrs.Factory``, or ``attrs.NOTHING``.
        argument: Its name where the class is called, None where the class makes it up itself.
        converter: The converter of attrs that it has.
        metadata: That of attrs.
    """

    name: str
    type: Any
    default: Any
    argument: str | None
    converter: Any = None
    metadata: Mapping[Any, Any] = field(factory=dict)


def has_fields(cls: Any) -> bool:
    """Whether a class has attributes that its library lists."""
    if not isinstance(cls, type):
        return False
    return attrs.has(cls) or dataclasses.is_dataclass(cls) or issubclass(cls, Struct) or is_pydantic(cls)


def is_pydantic(cls: type[Any]) -> bool:
    """Whether a class is a model of Pydantic's, or a dataclass of its."""
    return isinstance(getattr(cls, PYDANTIC_FIELDS, None), dict)


def fields_of(cls: Any) -> tuple[ForeignField, ...]:
    """Return the attributes of a class, in the order of definition.

    Raises:
        ModelError: An attribute could be written and not read, or the class takes undeclared ones.
    """
    if attrs.has(cls):
        return tuple(
            ForeignField(
                each.name,
                each.type,
                each.default,
                (each.alias or each.name) if each.init else None,
                each.converter,
                each.metadata,
            )
            for each in attrs.fields(cls)
        )
    if is_pydantic(cls):
        return _pydantic_fields(cls)
    if issubclass(cls, Struct):
        return tuple(
            ForeignField(each.name, each.type, _struct_default(each), each.name) for each in structs.fields(cls)
        )
    return tuple(
        ForeignField(each.name, each.type, _dataclass_default(each), each.name if each.init else None)
        for each in dataclasses.fields(cls)
    )


def replace(instance: Any, changes: Mapping[str, Any]) -> Any:
    """Return a copy of an instance with some attributes changed, made by calling its class.

    Raises:
        TypeError: It has no such attribute.
    """
    cls = type(instance)
    if attrs.has(cls):
        return attrs.evolve(instance, **changes)
    fields = {each.name: each.argument for each in fields_of(cls) if each.argument is not None}
    unknown = next((name for name in changes if name not in fields), None)
    if unknown is not None:
        raise TypeError(f"{cls.__name__} has no attribute {unknown!r}; it has {', '.join(fields)}")
    values = {name: getattr(instance, name) for name in fields} | dict(changes)
    return cls(**{fields[name]: value for name, value in values.items()})


def field_types(cls: type[Any]) -> dict[str, Any]:
    """Return the types of the attributes of a class, ``Any`` where a name cannot be found from outside."""
    types: dict[str, Any] = {}
    for each in fields_of(cls):
        try:
            types[each.name] = resolved_type(cls, each)
        except NameError:
            types[each.name] = Any
    return types


def resolved_type(cls: type[Any], declared: ForeignField) -> Any:
    """Return the type of an attribute.

    Raises:
        NameError: A name in its annotation does not exist.
    """
    if declared.type is None:
        return Any
    return Namespace(annotating_class(cls, declared.name)).resolve(declared.type)


def as_dict(instance: Any) -> dict[str, Any]:
    """Return an instance as a dict, and those inside it too. Collections become lists and dicts.

    Raises:
        TypeError: Its class has no attributes that its library lists.
    """
    if attrs.has(type(instance)):
        return attrs.asdict(instance, value_serializer=lambda _instance, _field, value: _foreign_as_dict(value))
    if not has_fields(type(instance)):
        raise TypeError(f"asdict() takes an instance of a class with attributes, not {type(instance).__name__}")
    return {each.name: _as_plain(getattr(instance, each.name)) for each in fields_of(type(instance))}


def _foreign_as_dict(value: Any) -> Any:
    return as_dict(value) if has_fields(type(value)) and not attrs.has(type(value)) else value


def _as_plain(value: Any) -> Any:
    if has_fields(type(value)):
        return as_dict(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_as_plain(element) for element in value]
    return {key: _as_plain(element) for key, element in value.items()} if isinstance(value, dict) else value


def _dataclass_default(each: dataclasses.Field[Any]) -> Any:
    if each.default is not dataclasses.MISSING:
        return each.default
    factory = each.default_factory
    return NOTHING if factory is dataclasses.MISSING else Factory(factory)


def _struct_default(each: structs.FieldInfo) -> Any:
    if each.default is not NODEFAULT:
        return each.default
    factory: Any = each.default_factory
    return NOTHING if factory is NODEFAULT else Factory(factory)


def _pydantic_fields(cls: Any) -> tuple[ForeignField, ...]:
    config: Mapping[str, Any] = getattr(cls, "model_config", None) or getattr(cls, "__pydantic_config__", None) or {}
    if config.get("extra") == "allow":
        raise ModelError(
            f'{cls.__name__} takes attributes that it does not declare (extra="allow"), and they would not be stored: '
            "declare them, for instance as a dict"
        )
    if not getattr(cls, "__pydantic_complete__", True) and hasattr(cls, "model_rebuild"):
        cls.model_rebuild()
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    fields: dict[str, Any] = getattr(cls, PYDANTIC_FIELDS)
    return tuple(
        ForeignField(
            name, info.annotation, _pydantic_default(info), name if by_name else _pydantic_argument(cls, name, info)
        )
        for name, info in fields.items()
    )


def _pydantic_default(info: Any) -> Any:
    if info.is_required():
        return NOTHING
    if info.default_factory is not None:
        return Factory(info.default_factory)
    default: Any = info.default
    return Factory(partial(deepcopy, default)) if isinstance(default, CHANGEABLE) else default


def _pydantic_argument(cls: type[Any], name: str, info: Any) -> str:
    """Return the name by which a model takes an attribute: an alias, where it has one."""
    alias = info.validation_alias if info.validation_alias is not None else info.alias
    choices: list[Any] = [name if alias is None else alias, *getattr(alias, "choices", ())]
    argument = next((choice for choice in choices if isinstance(choice, str)), None)
    if argument is None:
        raise ModelError(
            f"{cls.__name__}.{name}: its alias is no name, so that no stored value could be read: give the model "
            "validate_by_name=True"
        )
    return argument
