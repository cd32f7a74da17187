"""Annotations that say how Pydantic handles a type in the library's own way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import local
from typing import Annotated, Any, Final

from attrs import frozen
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, ValidationError, core_schema

from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.model.scalars.numbers import number_in
from mizzle_async.model.seams import PYDANTIC_HOOK
from mizzle_async.values import Record

MISFIT: Final = "value_error"
"""The type of the errors of validation that the library's own checks give."""

JsonSchema = dict[str, Any]
MakeSchema = Callable[[str, GetCoreSchemaHandler], CoreSchema]


def validation_error(misfit: Misfit, data: Any) -> ValidationError:
    """Return Pydantic's error for a value that does not fit, at the place inside the value.

    Args:
        misfit: The misfit.
        data: The whole value.
    """
    problem = PydanticCustomError(MISFIT, "{problem}", {"problem": misfit.sentence()})
    location = tuple(part for step in reversed(misfit.steps) for part in _part(step))
    details = InitErrorDetails(type=problem, loc=location, input=data)
    return ValidationError.from_exception_data("value", [details])


def _part(step: str) -> list[str | int]:
    """Return a step of a path as Pydantic has it: a set's element has none."""
    if step.startswith("."):
        return [step[1:]]
    inner = step[1:-1]
    if inner.isdecimal():
        return [int(inner)]
    return [] if inner == "…" else [inner[1:-1]]


class FormSchema:
    """Values that the library itself reads and writes.

    Args:
        write: Returns a value as JSON has it, or raises a `Misfit`.
        read: Returns the value that JSON stands for, or raises a `Misfit`.
        described: The JSON schema, or the type that has the same one.
        own: Classes whose instances are values already.
    """

    def __init__(
        self,
        write: Callable[[Any], Any],
        read: Callable[[Any], Any],
        described: Any,
        own: tuple[type[Any], ...] = (),
    ) -> None:
        self._write = write
        self._read = read
        self._described = described
        self._own = own
        self._inner: CoreSchema | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        del source
        if not isinstance(self._described, Mapping):
            self._inner = handler.generate_schema(self._described)
        return core_schema.no_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(self._serialize, when_used="json"),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        del schema
        return dict(self._described) if self._inner is None else handler(self._inner)

    def _validate(self, data: Any) -> Any:
        if self._own and isinstance(data, self._own):
            return data
        try:
            return self._read(data)
        except Misfit as misfit:
            raise validation_error(misfit, data) from misfit.__cause__

    def _serialize(self, value: Any) -> Any:
        try:
            return self._write(value)
        except Misfit as misfit:
            raise ValueError(misfit.sentence()) from misfit.__cause__


class Checked:
    """Values that are of the type for Pydantic, and still may be none that DynamoDB stores.

    Args:
        read: Returns the value in normal form, or raises a `Misfit`.
    """

    def __init__(self, read: Callable[[Any], Any]) -> None:
        self._read = read

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._validate, handler(source))

    def _validate(self, value: Any) -> Any:
        try:
            return self._read(value)
        except Misfit as misfit:
            raise PydanticCustomError(MISFIT, "{problem}", {"problem": misfit.sentence()}) from misfit.__cause__


class Digits:
    """Numbers, which a text may stand for in digits of ASCII: Pydantic takes ``1_0``, and digits of any script."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self._validate, handler(source))

    def _validate(self, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        number = validate(value)
        if isinstance(value, str) and number_in(value.strip()) is None:
            raise PydanticCustomError(MISFIT, "expected a number, found text that is none")
        return number


@frozen(eq=False, repr=False)
class TaggedMember(Record):
    """One class of a union.

    Attributes:
        name: The member that names the class.
        tag: The member's value.
        cls: The class.
        type: The type to ask Pydantic for.
        is_declared: Whether the class declares that member.
    """

    name: str
    tag: str
    cls: type[Any]
    type: Any
    is_declared: bool

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = handler(source)
        if self.is_declared:
            return inner
        return core_schema.no_info_before_validator_function(
            self._without_tag,
            inner,
            serialization=core_schema.wrap_serializer_function_ser_schema(self._with_tag, schema=inner),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        inner = handler(schema)
        if self.is_declared:
            return inner
        tag = {"type": "string", "const": self.tag}
        return {"allOf": [inner], "type": "object", "properties": {self.name: tag}, "required": [self.name]}

    def _without_tag(self, data: Any) -> Any:
        return {name: value for name, value in data.items() if name != self.name} if isinstance(data, Mapping) else data

    def _with_tag(self, value: Any, write: core_schema.SerializerFunctionWrapHandler) -> Any:
        written = write(value)
        return {self.name: self.tag, **written} if isinstance(written, dict) else written


class TaggedUnion:
    """A union of classes that are told apart by a member.

    Args:
        members: The classes.
    """

    def __init__(self, members: tuple[TaggedMember, ...]) -> None:
        self._members = members
        self._names = frozenset(member.name for member in members)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        del source
        choices: dict[Any, CoreSchema] = {
            member.tag: handler.generate_schema(Annotated[member.type, member]) for member in self._members
        }
        return core_schema.tagged_union_schema(choices, self._tag_of)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        written = handler(schema)
        if len(self._names) == 1:
            written["discriminator"] = {"propertyName": next(iter(self._names))}
        return written

    def _tag_of(self, value: Any) -> str | None:
        for member in self._members:
            is_own = type(value) is member.cls
            tag = getattr(value, member.name, None) if is_own and member.is_declared else member.tag
            if is_own and tag == member.tag:
                return member.tag
            if isinstance(value, Mapping) and value.get(member.name) == member.tag:
                return member.tag
        return None


class _Generation(local):
    """The classes whose schemas are being made, by the generator of Pydantic's that asks for them."""

    def __init__(self) -> None:
        self.under_way: set[tuple[int, str]] = set()


_GENERATION: Final = _Generation()


def once(ref: str, handler: GetCoreSchemaHandler, schema: MakeSchema) -> CoreSchema:
    """Return the schema of a class, or inside itself a reference to it.

    Args:
        ref: The reference of the class.
        handler: Pydantic's.
        schema: Returns the schema, given both.
    """
    # A model of Pydantic's that is made meanwhile has a generator, and definitions, of its own.
    key = id(getattr(handler, "_generate_schema", handler)), ref
    if key in _GENERATION.under_way:
        return core_schema.definition_reference_schema(ref)
    _GENERATION.under_way.add(key)
    try:
        return schema(ref, handler)
    finally:
        _GENERATION.under_way.discard(key)


_STAND_INS: Final[dict[Any, type[Any]]] = {}


def stand_in(annotation: Any, name: str, schema: MakeSchema) -> type[Any]:
    """Return a class for a type that Pydantic has no schema for, or not the library's: one for each type.

    Pydantic finds a type that contains itself by the class.

    Args:
        annotation: The type.
        name: The class's name, which the JSON schema shows.
        schema: Returns the schema, given the reference of the class and Pydantic's handler.
    """
    known = _STAND_INS.get(annotation)
    if known is not None:
        return known

    def hook(cls: type[Any], source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        del source
        return once(reference(cls), handler, schema)

    made = type(name, (), {PYDANTIC_HOOK: classmethod(hook), "__module__": getattr(annotation, "__module__", __name__)})
    _STAND_INS[annotation] = made
    return made


def reference(cls: type[Any]) -> str:
    """Return the reference by which Pydantic finds a class that contains itself."""
    return f"{cls.__module__}.{cls.__qualname__}:{id(cls)}"
