"""Pages as types of Pydantic: ``-> Page[Order]`` in the signature of an endpoint."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from mizzle_async.model.annotations import type_name
from mizzle_async.reading.iterators import Page


def page_schema_of(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return how Pydantic writes and validates pages: as their items and their two cursors.

    Args:
        source: ``Page``, or ``Page[Order]``.
        handler: Pydantic's.
    """
    (row,) = get_args(source) or (Any,)
    rows = handler.generate_schema(list[row])  # type: ignore[valid-type]  # made at run time
    cursor = core_schema.nullable_schema(core_schema.str_schema())
    optional = core_schema.with_default_schema(cursor, default=None)
    fields = {
        "items": core_schema.typed_dict_field(rows),
        "cursor": core_schema.typed_dict_field(optional, required=False),
        "previous": core_schema.typed_dict_field(optional, required=False),
    }
    shape = core_schema.typed_dict_schema(fields, cls_name=type_name(source))
    return core_schema.no_info_wrap_validator_function(
        _validate,
        shape,
        serialization=core_schema.wrap_serializer_function_ser_schema(_serialize, schema=shape),
        metadata={"pydantic_js_updates": {"title": type_name(source)}},
    )


def _validate(value: Any, validate: core_schema.ValidatorFunctionWrapHandler) -> Any:
    if isinstance(value, Page):
        return value
    members = validate(value)
    return Page(members["items"], members.get("cursor"), previous=members.get("previous"))


def _serialize(value: Any, write: core_schema.SerializerFunctionWrapHandler) -> Any:
    return write({"items": list(value.items), "cursor": value.cursor, "previous": value.previous})
