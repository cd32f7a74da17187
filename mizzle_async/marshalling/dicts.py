"""The functions of a table without a class: its items are dicts, by value; its key is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import frozen

from mizzle_async.marshalling.by_value import ATTRIBUTE_LEVELS, decode_value, encode_entries
from mizzle_async.marshalling.entities import CodecFunctions, known_key, refuse_key_names
from mizzle_async.marshalling.keys import key_shape
from mizzle_async.marshalling.misfit import Misfit, not_a
from mizzle_async.marshalling.resolve import Resolver
from mizzle_async.marshalling.shape import Shape
from mizzle_async.model import EntitySchema
from mizzle_async.types import Item

ResultT = TypeVar("ResultT")
ArgumentT = TypeVar("ArgumentT")


def dict_functions(schema: EntitySchema, shapes: Mapping[str, Shape]) -> CodecFunctions:
    """Return the functions of a table without a class."""
    functions = DictFunctions(schema, shapes)
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


@frozen(eq=False)
class DictFunctions:
    """Dicts to items and back.

    Attributes:
        schema: The table's.
        keys: How the key attributes are stored, by name.
    """

    schema: EntitySchema
    keys: Mapping[str, Shape]

    def encode(self, values: Mapping[str, Any]) -> Item:
        """Return the item of a dict; a top-level empty set is absent."""
        try:
            return self._encode(values)
        except Misfit as misfit:
            found = misfit
        raise found.to_error(self.schema.entity) from found.__cause__

    def decode(self, item: Item) -> dict[str, Any]:
        """Return the dict of an item."""
        name = ""
        values: dict[str, Any] = {}
        try:
            for name, stored in item.items():
                values[name] = stored["S"] if "S" in stored else decode_value(stored)
        except Misfit as misfit:
            found = misfit.at_entry(name)
        else:
            return values
        raise found.to_error(self.schema.entity, known_key(self.schema, item))

    def encode_key(self, values: Mapping[str, Any]) -> Item:
        """Return the key of exactly the key attributes."""
        if values.keys() != self.keys.keys():
            refuse_key_names(self.schema, values)
        return self._translated(self._encode_key, values)

    def key_of(self, values: Mapping[str, Any]) -> Item:
        """Return the key of a dict."""
        return self._translated(self._encode_key, values)

    def _encode(self, values: Any) -> Item:
        if type(values) is not dict and not isinstance(values, Mapping):
            raise not_a("dict", values)
        item = encode_entries(values, ATTRIBUTE_LEVELS, of_item=True)
        item.update(self._encode_key(values))
        return item

    def _encode_key(self, values: Mapping[str, Any]) -> Item:
        key: Item = {}
        for name, shape in self.keys.items():
            if name not in values:
                raise Misfit("a key attribute", "no such entry").at_entry(name)
            try:
                key[name] = shape.encode(values[name], ATTRIBUTE_LEVELS)
            except Misfit as misfit:
                raise misfit.at_entry(name) from misfit.__cause__
        return key

    def _translated(self, function: Callable[[ArgumentT], ResultT], argument: ArgumentT) -> ResultT:
        try:
            return function(argument)
        except Misfit as misfit:
            found = misfit
        raise found.to_error(self.schema.entity) from found.__cause__
