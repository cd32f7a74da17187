"""The functions of a table without a class: its items are dicts, stored by value, and its key is checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mizzle_async.marshalling.entities import CodecFunctions, known_key, refuse_key_names
from mizzle_async.marshalling.keys import OpenKeyShape, key_limit, key_shape
from mizzle_async.marshalling.resolve import Resolver
from mizzle_async.marshalling.shapes.by_value import ATTRIBUTE_LEVELS, decode_entries, decode_value, encode_entries
from mizzle_async.marshalling.shapes.open_values import AnyShape
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.marshalling.wellformed import NO_ITEM, unreadable
from mizzle_async.model import AttributeSchema, EntitySchema
from mizzle_async.model.scalars.misfit import LimitMisfit, Misfit, not_a
from mizzle_async.types import AttributeValue, Item


def dict_functions(schema: EntitySchema, shapes: Mapping[str, Shape]) -> CodecFunctions:
    """Return the functions of a table without a class."""
    text_limits = tuple(
        (attribute.name, key_limit(attribute) if _takes_plain_text(attribute, shapes[attribute.name]) else 0)
        for attribute in schema.key_attributes
    )
    functions = DictFunctions(schema, shapes, text_limits)
    return CodecFunctions(functions.encode, functions.decode, functions.encode_key, functions.key_of)


def dict_key_shapes(schema: EntitySchema, resolver: Resolver) -> Mapping[str, Shape]:
    """Return how the key attributes are stored, by name.

    Raises:
        ModelError: A key's declared type cannot be mapped.
    """
    return {
        attribute.name: key_shape(attribute, resolver.attribute(attribute, where), where)
        for attribute in schema.key_attributes
        for where in [f"{schema.entity}.{attribute.name}"]
    }


class DictFunctions:
    """Dicts to items and back.

    Attributes:
        schema: The table's.
        keys: How the key attributes are stored, by name.
        text_limits: The key attributes, with how many ASCII characters of plain text each may surely have.
    """

    __slots__ = ("keys", "schema", "text_limits")

    def __init__(
        self, schema: EntitySchema, keys: Mapping[str, Shape], text_limits: tuple[tuple[str, int], ...]
    ) -> None:
        self.schema: Final[EntitySchema] = schema
        self.keys: Final[Mapping[str, Shape]] = keys
        self.text_limits: Final[tuple[tuple[str, int], ...]] = text_limits

    def encode(self, values: Mapping[str, Any]) -> Item:
        """Return the item of a dict, in which a top-level empty set is absent."""
        try:
            if type(values) is not dict:
                _check_mapping(values)
            item = encode_entries(values, ATTRIBUTE_LEVELS, of_item=True)
            self._encode_key(values, item)
        except Misfit as misfit:
            found = misfit
        else:
            return item
        raise found.to_error(self.schema.entity) from found.__cause__

    def decode(self, item: Item) -> dict[str, Any]:
        """Return the dict of an item."""
        found: Exception
        try:
            return decode_entries(item)
        except NO_ITEM as error:  # the answer may hold anything
            found = error
        answered: Any = item  # it need not be one
        entries = answered.items() if isinstance(answered, dict) else ()
        misfits = (misfit for misfit in map(_misfit_of, entries) if misfit is not None)
        raise unreadable(self.schema.entity, next(misfits, found), known_key(self.schema, item))

    def encode_key(self, values: Mapping[str, Any]) -> Item:
        """Return the key of exactly the key attributes."""
        if values.keys() != self.keys.keys():
            refuse_key_names(self.schema, values)
        return self.key_of(values)

    def key_of(self, values: Mapping[str, Any]) -> Item:
        """Return the key of a dict."""
        key: Item = {}
        try:
            self._encode_key(values, key)
        except Misfit as misfit:
            found = misfit
        else:
            return key
        raise found.to_error(self.schema.entity) from found.__cause__

    def _encode_key(self, values: Mapping[str, Any], item: Item) -> None:
        """Put the key attributes of a dict into an item, checked."""
        for name, limit in self.text_limits:
            value = values.get(name)
            if type(value) is str and value and len(value) <= limit and value.isascii():
                item[name] = {"S": value}
                continue
            if name not in values:
                raise Misfit("a key attribute", "no such entry").at_entry(name)
            try:
                item[name] = self.keys[name].encode(value, ATTRIBUTE_LEVELS)
            except Misfit as misfit:
                raise self._advised(misfit, name).at_entry(name) from misfit.__cause__

    def _advised(self, misfit: Misfit, name: str) -> Misfit:
        """Say where a table without a class has the type of its keys from."""
        schema = self.schema
        if schema.by_name[name].type is str and not misfit.advice and not isinstance(misfit, LimitMisfit):
            option = "partition_key_type" if name == schema.partition_key.name else "sort_key_type"
            misfit.advice = f"keys are text unless `client.table(…, {option}=…)` says otherwise"
        return misfit


def _takes_plain_text(attribute: AttributeSchema, shape: Shape) -> bool:
    """Whether text is stored as it is: undeclared keys, and those of type ``str`` without hooks of the user's."""
    if isinstance(shape, OpenKeyShape):
        return isinstance(shape.inner, AnyShape)
    return attribute.type is str


def _check_mapping(values: object) -> None:
    if not isinstance(values, Mapping):
        raise not_a("dict", values)


def _misfit_of(entry: tuple[str, AttributeValue]) -> Misfit | None:
    """Return why an attribute cannot be read, or None if it can."""
    name, stored = entry
    try:
        decode_value(stored)
    except Misfit as misfit:
        return misfit.at_entry(name)
    except NO_ITEM:  # the answer may hold anything
        return Misfit("an attribute value", "something else").at_entry(name)
    return None
