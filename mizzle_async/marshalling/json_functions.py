"""Instances to JSON and back: for web frameworks, caches, queues, and everything else that has no schema of its own.

Names are those of Python. A ``Decimal`` is text, a set a list in order, bytes are base64, a datetime is ISO 8601; see
`mizzle_async.marshalling.json_forms`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, overload

import orjson

from mizzle_async.errors import MarshallingError, ModelError
from mizzle_async.marshalling.codec import Marshaller
from mizzle_async.marshalling.json_forms.classes import ClassForm
from mizzle_async.marshalling.json_forms.form import Form, not_json
from mizzle_async.marshalling.json_forms.forms import JsonForms
from mizzle_async.marshalling.plain import parse_json
from mizzle_async.marshalling.preconf import marshaller_of
from mizzle_async.model import is_entity, schema_of
from mizzle_async.model.annotations import type_name
from mizzle_async.model.scalars.misfit import Misfit

if TYPE_CHECKING:
    from cattrs import BaseConverter

ValueT = TypeVar("ValueT")
OBJECT: Final = "an object"


def to_json(instance: Any, /, *, converter: BaseConverter | None = None) -> str:
    """Return the text of an instance as JSON: ``web.json_response(order, dumps=to_json)``.

    Args:
        instance: An instance of an entity, a document or another class with attributes, or a list or a dict of them.
        converter: The converter of `make_converter` whose hooks write types of the caller's own.

    Raises:
        MarshallingError: A value does not fit its attribute, or has no place in JSON.
        ModelError: A type of the class cannot be stored, or JSON cannot tell the members of a union apart.
    """
    data = to_builtins(instance, converter=converter)
    try:
        return orjson.dumps(data).decode()
    except TypeError:  # it writes no integer of more than 64 bits
        pass
    try:
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise _too_deep(type(instance).__name__) from None


def to_builtins(instance: Any, /, *, converter: BaseConverter | None = None) -> Any:
    """Return an instance as values of JSON: text, numbers, truth values, None, lists and dicts.

    Args:
        instance: As for `to_json`.
        converter: As for `to_json`.

    Raises:
        MarshallingError: As for `to_json`.
        ModelError: As for `to_json`.
    """
    forms = _forms(converter)
    found: Misfit
    try:
        return forms.by_value.write(instance)
    except RecursionError:
        raise _too_deep(type(instance).__name__) from None
    except Misfit as misfit:
        found = misfit
    raise found.to_error(type(instance).__name__) from found.__cause__


@overload
def from_json(
    text: str | bytes,
    model: type[ValueT],
    /,
    *,
    partial: Literal[False] = False,
    converter: BaseConverter | None = None,
) -> ValueT: ...
@overload
def from_json(
    text: str | bytes, model: type[Any], /, *, partial: Literal[True], converter: BaseConverter | None = None
) -> dict[str, Any]: ...
def from_json(
    text: str | bytes, model: type[Any], /, *, partial: bool = False, converter: BaseConverter | None = None
) -> Any:
    """Return the instance that a text of JSON stands for.

    Args:
        text: The text. Every digit of its numbers is kept.
        model: As for `from_builtins`.
        partial: As for `from_builtins`.
        converter: As for `to_json`.

    Raises:
        MarshallingError: As for `from_builtins`, or the text is no JSON.
        ModelError: As for `to_json`.
    """
    try:
        data = parse_json(text)
    except ValueError as error:
        raise MarshallingError(f"{type_name(model)}: {error}", path=type_name(model)) from None
    return _read(data, model, partial=partial, converter=converter)


@overload
def from_builtins(
    data: Any, model: type[ValueT], /, *, partial: Literal[False] = False, converter: BaseConverter | None = None
) -> ValueT: ...
@overload
def from_builtins(
    data: Any, model: type[Any], /, *, partial: Literal[True], converter: BaseConverter | None = None
) -> dict[str, Any]: ...
def from_builtins(
    data: Any, model: type[Any], /, *, partial: bool = False, converter: BaseConverter | None = None
) -> Any:
    """Return the instance that values of JSON stand for.

    Args:
        data: The values, by names in Python. A ``Decimal`` may be text or a number; values of the attributes' own types
            are taken too.
        model: An entity, a document, another class with attributes, or any type that an attribute may have, such as
            ``list[Order]``.
        partial: Whether only some attributes are there: then the result is a dict of their values, for ``.set(…)``.
        converter: As for `to_json`.

    Returns:
        The instance, made by calling its class, so that defaults, validators and converters work. With ``partial`` a
        dict by names in Python.

    Raises:
        MarshallingError: A value does not fit its attribute, which the path names. An attribute without a default is
            missing, or with ``partial`` the class has no attribute of a name, or the library itself writes it.
        ModelError: As for `to_json`.
    """
    return _read(data, model, partial=partial, converter=converter)


def _read(data: Any, model: Any, *, partial: bool, converter: BaseConverter | None) -> Any:
    form = _forms(converter).form(model)
    found: Misfit
    try:
        return _read_partial(form, data, model) if partial else form.read(data)
    except RecursionError:
        raise _too_deep(type_name(model)) from None
    except Misfit as misfit:
        found = misfit
    raise found.to_error(type_name(model)) from found.__cause__


def _read_partial(form: Form, data: Any, model: Any) -> dict[str, Any]:
    if not isinstance(form, ClassForm):
        raise ModelError(f"partial=True is for classes with attributes, and {type_name(model)} is none")
    if not isinstance(data, Mapping):
        raise not_json(OBJECT, data)
    _refuse_times(model, data)
    return form.read_members(data, refuses_unknown=True)


def _refuse_times(model: Any, data: Mapping[str, Any]) -> None:
    """Refuse the times of an item's writes, which a caller must not forge. A clause refuses keys and the version.

    Raises:
        MarshallingError: A time is among the changes.
    """
    for attribute in schema_of(model).attributes if is_entity(model) else ():
        role = attribute.role
        if attribute.field in data and role is not None and role.is_automatic and role.refusal(()) is None:
            where = f'{type_name(model)}["{attribute.field}"]'
            raise MarshallingError(f"{where}: the library writes {role.keyword}, so no change has it", path=where)


def _too_deep(name: str) -> MarshallingError:
    return MarshallingError(f"{name}: expected a value that ends, found one nested too deeply", path=name)


def _forms(converter: BaseConverter | None) -> JsonForms:
    marshaller = _plain() if converter is None else marshaller_of(converter)
    forms: JsonForms | None = marshaller.json_forms
    if forms is None:
        forms = marshaller.json_forms = JsonForms(marshaller.resolver)
    return forms


@cache
def _plain() -> Marshaller:
    return Marshaller()
