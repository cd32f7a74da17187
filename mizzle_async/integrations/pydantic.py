"""Entities and documents as types of Pydantic: response models, request bodies, JSON schemas.

A class that is decorated with ``@entity`` or ``@document`` has a method that Pydantic calls, and that imports this
module. Nothing has to be called by hand.

Values have the forms that `mizzle_async.to_json` writes and `mizzle_async.from_json` reads. Instances are accepted as
they are. Others are made by calling the class, where it has validators or converters: what they raise is an error of
validation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from attrs import NOTHING
from pydantic import GetCoreSchemaHandler
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_core import (
    CoreSchema,
    InitErrorDetails,
    PydanticCustomError,
    PydanticSerializationError,
    PydanticSerializationUnexpectedValue,
    ValidationError,
    core_schema,
    to_jsonable_python,
)

from mizzle_async.integrations.pydantic_forms import once, reference
from mizzle_async.integrations.pydantic_types import Translator, writer_of
from mizzle_async.marshalling.shapes.construct import Construction, argument_names, construction_of
from mizzle_async.marshalling.shapes.fields import factory_of
from mizzle_async.marshalling.shapes.members import class_members, substitute, type_arguments
from mizzle_async.model import AttributeSchema
from mizzle_async.model.annotations import type_name
from mizzle_async.model.scalars.misfit import Misfit

ABSENT: Any = object()
"""Stands for a value that the class makes of the instance itself."""
PLAIN_FACTORIES: tuple[Any, ...] = (list, dict, set, frozenset, tuple)


def core_schema_of(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return how Pydantic validates and writes instances of a class with attributes.

    Args:
        source: The class, or a generic one with its arguments.
        handler: Pydantic's.

    Raises:
        ModelError: A type of the class cannot be stored, or JSON cannot tell the members of a union apart.
        PydanticSchemaGenerationError: Pydantic has no schema for the type of an attribute, which the message names.
    """
    cls: type[Any] = getattr(source, "__origin__", source)
    if cls is source:
        return once(reference(cls), handler, ClassSchema(source).schema)
    return handler.generate_schema(Translator(type_name(source), _schema).translate(source))


def _schema(source: Any, ref: str, handler: GetCoreSchemaHandler) -> CoreSchema:
    return ClassSchema(source).schema(ref, handler)


class ClassSchema:
    """The parts of one class's schema.

    Args:
        source: The class, or a generic one with its arguments.
    """

    def __init__(self, source: Any) -> None:
        self._cls: type[Any] = getattr(source, "__origin__", source)
        self._arguments = argument_names(self._cls)
        members, self._refuses_unknown = class_members(self._cls)
        substitutes = type_arguments(source)
        self._members = [
            attrs.evolve(member, type=substitute(member.type, substitutes))
            for member in members
            if member.field in self._arguments
        ]
        assigns = construction_of(self._cls) is not Construction.CALL
        self._is_filled = assigns and not any(_takes_self(member) for member in self._members)

    def schema(self, ref: str, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema.

        Args:
            ref: The reference by which Pydantic finds the class inside itself.
            handler: Pydantic's.
        """
        fields = [self._field(member, handler) for member in self._members]
        serialization = core_schema.wrap_serializer_function_ser_schema(
            self._serialize,
            schema=core_schema.typed_dict_schema(
                {field["name"]: core_schema.typed_dict_field(field["schema"]) for field in fields}
            ),
        )
        if self._is_filled:
            return self._dataclass(self._cls, fields, ref=ref, serialization=serialization)
        shown = {name: getattr(self._cls, name) for name in ("__module__", "__qualname__", "__doc__")}
        draft = self._dataclass(type(self._cls.__name__, (), shown), fields)
        return core_schema.no_info_wrap_validator_function(self._call, draft, ref=ref, serialization=serialization)

    def _dataclass(
        self, cls: type[Any], fields: list[core_schema.DataclassField], **options: Any
    ) -> core_schema.DataclassSchema:
        return core_schema.dataclass_schema(
            cls,
            core_schema.dataclass_args_schema(self._cls.__name__, fields),
            [field["name"] for field in fields],
            cls_name=self._cls.__name__,
            config=core_schema.CoreConfig(extra_fields_behavior="forbid" if self._refuses_unknown else "ignore"),
            **options,
        )

    def _serialize(self, value: Any, write: core_schema.SerializerFunctionWrapHandler) -> Any:
        if not isinstance(value, self._cls):
            raise PydanticSerializationUnexpectedValue(f"expected {self._cls.__name__}, found {type(value).__name__}")
        return write({member.field: getattr(value, member.field) for member in self._members})

    def _field(self, member: AttributeSchema, handler: GetCoreSchemaHandler) -> core_schema.DataclassField:
        where = f"{self._cls.__name__}.{member.field}"
        translated = Translator(where, _schema).attribute(member)
        try:
            schema = handler.generate_schema(translated)
        except PydanticSchemaGenerationError as error:
            raise PydanticSchemaGenerationError(f"{where}: {error.message}") from error
        updates: dict[str, Any] = {} if member.description is None else {"description": member.description}
        write = writer_of(member, where)
        if member.examples:
            updates["examples"] = [write(example) for example in member.examples]
        if member.default is not NOTHING:
            schema, shown = _with_default(schema, member.default)
            if shown is not ABSENT:
                updates |= _shown(write, shown)
        return core_schema.dataclass_field(
            member.field,
            schema,
            kw_only=True,
            metadata={"pydantic_js_updates": updates} if updates else None,
        )

    def _call(self, value: Any, validate: core_schema.ValidatorFunctionWrapHandler) -> Any:
        """Return an instance that is made by calling the class."""
        if isinstance(value, self._cls):
            return value
        draft = vars(validate(value))
        arguments = {self._arguments[name]: value for name, value in draft.items() if value is not ABSENT}
        try:
            return self._cls(**arguments)
        except (TypeError, ValueError, AssertionError) as error:
            raise self._refusal(error, draft) from error

    def _refusal(self, error: Exception, values: Mapping[str, Any]) -> ValidationError:
        """Return the error of validation for one that the class raised, at the attribute whose validator did."""
        name = getattr(next((one for one in error.args if isinstance(one, attrs.Attribute)), None), "name", None)
        words = next((one for one in error.args if isinstance(one, str)), type(error).__name__)
        problem = PydanticCustomError("value_error", "{problem}", {"problem": words})
        details = InitErrorDetails(
            type=problem, loc=() if name is None else (name,), input=dict(values) if name is None else values.get(name)
        )
        return ValidationError.from_exception_data(self._cls.__name__, [details])


def _takes_self(member: AttributeSchema) -> bool:
    factory = factory_of(member.default)
    return factory is not None and factory.takes_self


def _with_default(schema: CoreSchema, default: Any) -> tuple[CoreSchema, Any]:
    """Return a schema with a default, and the value to show in a JSON schema."""
    factory = factory_of(default)
    if factory is not None:
        make = (lambda: ABSENT) if factory.takes_self else factory.make
        shown = factory.make() if factory.make in PLAIN_FACTORIES else ABSENT
        return core_schema.with_default_schema(schema, default_factory=make), shown
    try:
        to_jsonable_python(default)
    except (PydanticSerializationError, UnicodeDecodeError):
        return core_schema.with_default_schema(schema, default_factory=lambda: default), default
    return core_schema.with_default_schema(schema, default=default), default


def _shown(write: Callable[[Any], Any], default: Any) -> dict[str, Any]:
    """Return a default as a JSON schema shows it: nothing, where JSON has no such value."""
    try:
        return {"default": write(default)}
    except Misfit:
        return {}
