"""Tables by name, with the key that the service reports, or by a class of the user."""

from __future__ import annotations

import os
import sys
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click
from attrs import frozen

from mizzle_async.cli.values import any_from_text, from_shape, of_type
from mizzle_async.errors import MarshallingError
from mizzle_async.expressions import AttributePath, Facet
from mizzle_async.handles.client import Client
from mizzle_async.handles.table import Table
from mizzle_async.marshalling import EntityCodec, decode_any
from mizzle_async.model import SharedTable, is_entity
from mizzle_async.operations.tables.definition import TableDescription
from mizzle_async.types import AttributeValue, Item
from mizzle_async.writing.table_part import target_of

KEY_TYPES: Final[dict[str, type[Any]]] = {"S": str, "N": Decimal, "B": bytes}

TABLE_VARIABLE: Final = "MIZZLE_TABLE"
"""The variable of the environment that names the table of commands without ``--table`` and ``--model``."""


def import_object(reference: str) -> Any:
    """Return the object of ``module:name``. Modules of the current folder are found, too.

    Raises:
        click.UsageError: If there is no such object.
    """
    module, _, name = reference.partition(":")
    if not module or not name:
        raise click.UsageError(f"{reference!r} must be written module:name")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        result: Any = import_module(module)
        for part in name.split("."):
            result = getattr(result, part)
    except (ImportError, AttributeError) as error:
        raise click.UsageError(f"{reference!r} is not found: {error}") from error
    return result


def is_typed(model: str | None) -> bool:
    """Return whether a reference names an entity, whose attributes have declared types."""
    return model is not None and not isinstance(import_object(model), SharedTable)


@frozen(eq=False)
class Opened:
    """The table of a command.

    Attributes:
        table: The table with items as dicts, by stored names.
        model: The table with items as instances, if there is a model.
        description: The service's description.
    """

    table: Table[dict[str, Any]]
    model: Table[Any] | None
    description: TableDescription

    @property
    def codec(self) -> EntityCodec[Any]:
        """Return the codec of the types: the model's, or one that knows the key only."""
        return target_of(self.model or self.table).codec

    @property
    def stored_codec(self) -> EntityCodec[dict[str, Any]]:
        """The codec of items as they are stored."""
        return target_of(self.table).codec

    @property
    def key_names(self) -> tuple[str, ...]:
        """The stored names of the key attributes, the partition key first."""
        return tuple(target_of(self.table).schema.key_names)

    def stored_name(self, name: str) -> str:
        """Return the stored name of an attribute, from its stored name or its name in the model."""
        attribute = self.codec.schema.by_field.get(name)
        return name if attribute is None else attribute.name

    def value(self, text: str, segments: tuple[str | int, ...], *, of_element: bool = False) -> AttributeValue:
        """Return the value of a text at a path, in the type that is declared there.

        Args:
            text: The text.
            segments: The path, in stored names.
            of_element: Whether it is an element of the collection at the path, or a part of the text there.

        Raises:
            MarshallingError: If it cannot be converted. The message names the path.
        """
        try:
            return self._value(text, segments, of_element=of_element)
        except MarshallingError as error:
            path = ".".join(map(str, segments))
            reason = error.message if f"{path}: " in error.message else f"{path}: {error.message}"
            raise MarshallingError(reason, path=path) from None

    def _value(self, text: str, segments: tuple[str | int, ...], *, of_element: bool) -> AttributeValue:
        name = str(segments[0])
        code = self.description.attribute_types.get(name)
        if self.model is None:
            return of_type(text, code) if code is not None and len(segments) == 1 else any_from_text(text)
        shape = self.codec.shape_of(name)
        for segment in segments[1:]:
            shape = shape.member(segment) if shape is not None else None
        if of_element:
            inner = shape.element() if shape is not None else None
            return any_from_text(text) if shape is None else from_shape(text, inner or shape)
        if shape is None:
            return any_from_text(text)
        # There and back, so that it is spelled as it is stored (a date, for example).
        value = self.codec.decode_at(segments, from_shape(text, shape))
        path = AttributePath[Any, Any](self.codec.schema.owner, segments)
        stored = self.codec.encode_operand(value, path, Facet.WHOLE)
        if stored is None:
            raise MarshallingError("expected a value: an attribute without one is absent; use the operator exists")
        return stored

    def python_value(self, text: str, segments: tuple[str | int, ...]) -> Any:
        """Return the value of a text at a path, as an update takes it.

        Raises:
            MarshallingError: If it cannot be converted. The message names the path.
        """
        stored = self.value(text, segments)
        return decode_any(stored) if self.model is None else self.codec.decode_at(segments, stored)

    def handle_key(self, texts: tuple[str, ...]) -> Any:
        """Return the key of texts for the handle of the model, or of the table if there is no model.

        Raises:
            click.UsageError: If there are too few or too many.
            MarshallingError: If one does not fit its attribute.
        """
        key = self.key(texts)
        if self.model is None:
            return self.table.key(**key)
        named = {self.codec.schema.by_name[name].field: name for name in key}
        values = {
            field: self.codec.decode_at((name,), self.value(texts[self.key_names.index(name)], (name,)))
            for field, name in named.items()
        }
        return self.model.key(**values)

    def natural(self, item: Item) -> Item:
        """Return an item with the partition key without the suffix of a shard."""
        sharding = self.codec.sharding
        return item if sharding is None else sharding.collect(item)

    def key_value(self, text: str, name: str) -> Any:
        """Return the value of a text for a key attribute, as a table of dicts takes it.

        Raises:
            MarshallingError: It cannot be one.
        """
        sharding = self.stored_codec.sharding
        if sharding is not None and name == sharding.partition_name:
            return text
        return key_scalar(self.value(text, (name,)))

    def key(self, texts: tuple[str, ...]) -> dict[str, Any]:
        """Return the key of texts, partition key first.

        Raises:
            click.UsageError: If there are too few or too many.
            MarshallingError: If one does not fit its attribute.
        """
        names = self.key_names
        if len(texts) != len(names):
            count = "1 value" if len(names) == 1 else f"{len(names)} values"
            raise click.UsageError(f"the key of this table is {', '.join(names)}: {count}, not {len(texts)}")
        return {name: self.key_value(text, name) for name, text in zip(names, texts, strict=True)}


def key_scalar(stored: AttributeValue) -> Any:
    """Return the value of a key attribute as a table of dicts takes it."""
    return Decimal(stored["N"]) if "N" in stored else decode_any(stored)


def table_name(argument: str | None) -> str:
    """Return the table that the user names, or the one in the environment.

    Raises:
        click.UsageError: If there is neither.
    """
    name = argument or os.environ.get(TABLE_VARIABLE)
    if not name:
        raise click.UsageError(f"name a table with --table or in {TABLE_VARIABLE}, or an entity with --model")
    return name


async def open_table(client: Client, table: str | None, model: str | None, *, as_stored: bool = False) -> Opened:
    """Return a table with the service's description.

    Args:
        client: An open client.
        table: The table's name. None takes the model's, or else the one in the environment.
        model: ``module:Class`` of an entity. A `SharedTable`, or None, reads and writes plain items.
        as_stored: Whether keys have the suffixes of shards, as at the service.

    Raises:
        click.UsageError: If both are missing, or the model is no entity, or its key differs from the table's.
        ResourceNotFoundError: If there is no such table.
    """
    found: Any = None if model is None else import_object(model)
    if found is None:
        table = table_name(table)
    typed = _typed_table(client, found, table, str(model))
    named: Any = found if table is None else table
    description = await client.describe_table(named if typed is None else typed)
    return _opened(client, typed, description, model, as_stored=as_stored)


def opened_as(
    client: Client, description: TableDescription, table: str | None, model: str | None, *, as_stored: bool = False
) -> Opened:
    """Return a table whose description is there: that of `open_table`, in another process.

    Args:
        client: An open client.
        description: The service's description.
        table: As for `open_table`.
        model: As for `open_table`.
        as_stored: As for `open_table`.
    """
    found: Any = None if model is None else import_object(model)
    name = table_name(table) if found is None else table
    return _opened(client, _typed_table(client, found, name, str(model)), description, model, as_stored=as_stored)


def _opened(
    client: Client, typed: Table[Any] | None, description: TableDescription, model: str | None, *, as_stored: bool
) -> Opened:
    names = [name for name, _ in description.key]
    if typed is not None and list(target_of(typed).schema.key_names) != names:
        other = ", ".join(target_of(typed).schema.key_names)
        raise click.UsageError(f"table {description.name!r} has the key {', '.join(names)}, and {model} has {other}")
    types = [KEY_TYPES[description.attribute_types[name]] for name in names]
    raw = client.table(
        description.name,
        partition_key=names[0],
        sort_key=names[1] if len(names) > 1 else None,
        partition_key_type=types[0],
        sort_key_type=types[-1],
        shards=None if typed is None or as_stored else target_of(typed).schema.partition_key.shards,
    )
    return Opened(raw, typed, description)


def _typed_table(client: Client, cls: Any, table: str | None, model: str) -> Table[Any] | None:
    """Return the table of an entity; None for a shared table, and where there is no class."""
    if cls is None or isinstance(cls, SharedTable):
        return None
    if not is_entity(cls):
        raise click.UsageError(f"{model!r} is not an entity: decorate the class with @entity")
    typed = client.table(cls, name=table) if table is not None else client.table(cls)
    shared = target_of(typed).schema.shared
    if shared is not None:
        raise click.UsageError(
            f"{model!r} shares table {shared.table.name!r} with other entities, and its keys are texts made of several "
            "attributes: give the SharedTable as --model, and keys and filters as they are stored"
        )
    return typed
