"""The functions of an entity's codec: written, compiled, and with a careful second try behind them.

Each generated function does the common case and nothing else. If anything in it raises, it is done again carefully:
either the value fits after all (``1E3`` where ``1000`` is common), or the careful way says why it does not, and where.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Final, NoReturn

from mizzle_async.errors import ExpressionError, MarshallingError
from mizzle_async.marshalling.keys import key_shape
from mizzle_async.marshalling.lamp import Lamp
from mizzle_async.marshalling.resolve import Resolver
from mizzle_async.marshalling.shapes.by_value import ATTRIBUTE_LEVELS
from mizzle_async.marshalling.shapes.fields import Field
from mizzle_async.marshalling.shapes.generated_classes import INDENT, ClassShape, decoder_lines, encoder_lines, indented
from mizzle_async.marshalling.shapes.members import type_arguments
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.sizes import canonical_key
from mizzle_async.marshalling.wellformed import NO_ITEM, unreadable
from mizzle_async.model import EntitySchema
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.types import Item


class CodecFunctions:
    """The functions of a codec.

    Attributes:
        encode: Instance to item.
        decode: Item to instance.
        encode_key: Key values by Python name to key.
        key_of: Instance to key.
    """

    __slots__ = ("decode", "encode", "encode_key", "key_of")

    def __init__(
        self,
        encode: Callable[[Any], Item],
        decode: Callable[[Item], Any],
        encode_key: Callable[[Mapping[str, Any]], Item],
        key_of: Callable[[Any], Item],
    ) -> None:
        self.encode: Final[Callable[[Any], Item]] = encode
        self.decode: Final[Callable[[Item], Any]] = decode
        self.encode_key: Final[Callable[[Mapping[str, Any]], Item]] = encode_key
        self.key_of: Final[Callable[[Any], Item]] = key_of


def entity_shape(schema: EntitySchema, resolver: Resolver) -> ClassShape:
    """Return how the instances of an entity's class are stored.

    Raises:
        ModelError: An attribute's type cannot be mapped, or cannot be a key's.
    """
    shape = ClassShape(schema.cls)
    resolver.define(
        shape,
        schema.attributes,
        arguments=type_arguments(schema.cls),
        refuses_unknown=schema.unknown == "raise",
        refine=lambda member, inner: key_shape(member, inner, f"{schema.entity}.{member.field}"),
    )
    return shape


def entity_functions(schema: EntitySchema, shape: ClassShape, lamp: Lamp) -> CodecFunctions:
    """Write and compile the functions of an entity.

    Args:
        schema: The entity's.
        shape: How its instances are stored.
        lamp: Counts the items that take the careful way.
    """
    program = Program(schema.entity)
    careful = CarefulFunctions(schema, shape, lamp)
    cls = program.bind(shape.cls, "class")
    keys = [shape.by_name[attribute.field] for attribute in schema.key_attributes]
    key_lines = ["return {", *(f"{INDENT}{_entry(program, key, f'v{n}')}," for n, key in enumerate(keys)), "}"]
    instance_keys = [f"v{n} = self.{key.name}" for n, key in enumerate(keys)]
    mapping_keys = [f"v{n} = values[{key.name!r}]" for n, key in enumerate(keys)]
    exact_type = [f"if type(self) is not {cls}:", f"{INDENT}raise TypeError"]
    exact_count = [f"if len(values) != {len(keys)}:", f"{INDENT}raise KeyError"]
    functions: list[tuple[str, str, list[str], Callable[[Any], Any]]] = [
        ("encode", "self", [*exact_type, *encoder_lines(program, shape, ATTRIBUTE_LEVELS)], careful.encode),
        ("decode", "item", decoder_lines(program, shape), careful.decode),
        ("encode_key", "values", [*exact_count, *mapping_keys, *key_lines], careful.encode_key),
        ("key_of", "self", [*instance_keys, *key_lines], careful.key_of),
    ]
    for name, parameter, lines, carefully in functions:
        _add_function(program, name, parameter, lines, carefully)
    compiled = program.compile()
    return CodecFunctions(*(compiled[name] for name, *_ in functions))


def own_decoder(schema: EntitySchema, shape: ClassShape | None, decode: Callable[[Item], Any]) -> Callable[[Item], Any]:
    """Return the function that decodes items which this process has encoded.

    Args:
        schema: The entity's.
        shape: How its instances are stored, None where an item is more than its attributes.
        decode: Decodes an item from anywhere.
    """
    if shape is None or any(each.key_only for each in schema.attributes):
        return decode
    program = Program(schema.entity, is_own=True)
    _add_function(program, "decode_own", "item", decoder_lines(program, shape), decode)
    own: Callable[[Item], Any] = program.compile()["decode_own"]
    return own


def _add_function(
    program: Program, name: str, parameter: str, lines: list[str], carefully: Callable[[Any], Any]
) -> None:
    """Add a function for the common case, which leaves everything else to another one."""
    # The careful call stands outside the `except`, so that what went wrong first is not shown as its context.
    second_try = [f"return {program.bind(carefully, 'carefully')}({parameter})"]
    body = ["try:", *(f"{INDENT}{line}" for line in lines), "except Exception:", f"{INDENT}pass", *second_try]
    # cattrs gives the type beside the value.
    program.add(f"def {name}({parameter}, _target=None):\n{indented(body)}")


def _entry(program: Program, key: Field, value: str) -> str:
    return f"{key.wire!r}: {key.shape.encode_source(program, value, ATTRIBUTE_LEVELS)}"


class CarefulFunctions:
    """The functions that the generated ones call where a value is not of the common kind, or does not fit.

    Attributes:
        schema: The entity's.
        shape: How its instances are stored.
        lamp: Counts their calls.
    """

    __slots__ = ("lamp", "schema", "shape")

    def __init__(self, schema: EntitySchema, shape: ClassShape, lamp: Lamp) -> None:
        self.lamp: Final[Lamp] = lamp
        self.schema: Final[EntitySchema] = schema
        self.shape: Final[ClassShape] = shape

    def encode(self, instance: Any) -> Item:
        """Return the item of an instance, or raise the error that names the misfit."""
        self.lamp.encoded += 1
        try:
            return self.shape.encode_fields(instance, ATTRIBUTE_LEVELS)
        except Misfit as misfit:
            found = misfit
        if not found.steps and isinstance(instance, self.schema.cls) and type(instance) is not self.schema.cls:
            found.advice = f"write it through `client.table({type(instance).__name__})`"
        raise found.to_error(self.schema.entity) from found.__cause__

    def decode(self, item: Item) -> Any:
        """Return the instance of an item, or raise the error that names the misfit, with the item's key."""
        found: Exception
        self.lamp.decoded += 1
        try:
            return self.shape.decode_fields(item)
        except NO_ITEM as error:  # the answer may hold anything
            found = error
        raise unreadable(self.schema.entity, found, known_key(self.schema, item))

    def encode_key(self, values: Mapping[str, Any]) -> Item:
        """Return the key of values by Python name, or raise the error that names the misfit."""
        names = [attribute.field for attribute in self.schema.key_attributes]
        if set(values) != set(names):
            refuse_key_names(self.schema, values)
        return self._key(lambda field: values[field.name])

    def key_of(self, instance: Any) -> Item:
        """Return the key of an instance, or raise the error that names the misfit."""
        return self._key(lambda field: getattr(instance, field.name, None))

    def _key(self, value_of: Callable[[Field], Any]) -> Item:
        key: Item = {}
        found: Misfit | None = None
        for attribute in self.schema.key_attributes:
            field = self.shape.by_name[attribute.field]
            try:
                key[field.wire] = field.shape.encode(value_of(field), ATTRIBUTE_LEVELS)
            except Misfit as misfit:
                found = misfit.at_field(field.name)
                break
        if found is not None:
            raise found.to_error(self.schema.entity) from found.__cause__
        return key


def refuse_key_names(schema: EntitySchema, values: Mapping[str, Any]) -> NoReturn:
    """Say which attributes make the key.

    Raises:
        ExpressionError: Always.
    """
    names = [attribute.field for attribute in schema.key_attributes]
    wrong = [f"{name} is missing" for name in names if name not in values]
    wrong += [f"{name} is no part of it, and no option" for name in values if name not in names]
    raise ExpressionError(f"{schema.entity}: the key is {' and '.join(names)}; {', '.join(wrong)}")


def key_identifier(schema: EntitySchema) -> Callable[[Item], Hashable]:
    """Return a function for the identity of an item's key, as `canonical_key` is, at a tenth of its cost for text.

    Args:
        schema: The entity's.
    """
    first, last = schema.key_names[0], schema.key_names[-1]

    def by_one(item: Item) -> Hashable:
        try:
            stored = item[first]
            return stored["S"] if "S" in stored else canonical_key({first: stored})
        except NO_ITEM as error:  # the answer may hold anything
            key_of_item(schema, item)  # which says what is missing
            raise unreadable(schema.entity, error) from None

    def by_two(item: Item) -> Hashable:
        try:
            stored, other = item[first], item[last]
            return (
                stored["S"] if "S" in stored else canonical_key({first: stored}),
                other["S"] if "S" in other else canonical_key({last: other}),
            )
        except NO_ITEM as error:  # the answer may hold anything
            key_of_item(schema, item)  # which says what is missing
            raise unreadable(schema.entity, error) from None

    return by_one if first == last else by_two


def keys_identifier(
    schema: EntitySchema, identify: Callable[[Item], Hashable]
) -> Callable[[Sequence[Item]], list[Hashable]]:
    """Return a function for the identities of many items, without a call for each where keys are text.

    Args:
        schema: The entity's.
        identify: Made by `key_identifier`.
    """
    first, last = schema.key_names[0], schema.key_names[-1]

    def all_by_one(items: Sequence[Item]) -> list[Hashable]:
        try:
            return [item[first]["S"] for item in items]
        except (KeyError, TypeError):
            return [identify(item) for item in items]

    def all_by_two(items: Sequence[Item]) -> list[Hashable]:
        try:
            return [(item[first]["S"], item[last]["S"]) for item in items]
        except (KeyError, TypeError):
            return [identify(item) for item in items]

    return all_by_one if first == last else all_by_two


def known_key(schema: EntitySchema, item: Any) -> Item:
    """Return those key attributes that an item has, for an error about it: none of a value that is no item."""
    return {name: item[name] for name in schema.key_names if name in item} if isinstance(item, dict) else {}


def key_of_item(schema: EntitySchema, item: Item) -> Item:
    """Return the key attributes of an item.

    Raises:
        MarshallingError: One is missing.
    """
    try:
        return {name: item[name] for name in schema.key_names}
    except KeyError:
        missing = next(name for name in schema.key_names if name not in item)
    except TypeError as error:
        raise unreadable(schema.entity, error) from error
    path = f"{schema.entity}.{missing}"
    raise MarshallingError(f"{path}: expected a key attribute, found no such attribute", path=path)
