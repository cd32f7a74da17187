"""Tables as the shell names them: by name, with the key that the service tells, or by a class of the user's."""

from __future__ import annotations

import sys
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from mizzle_async.client import Client
from mizzle_async.marshalling import value_from_plain
from mizzle_async.model import is_entity
from mizzle_async.table import Table

KEY_TYPES: Final[dict[str, type[Any]]] = {"S": str, "N": Decimal, "B": bytes}


def import_object(reference: str) -> Any:
    """Return what ``module:name`` names; modules of the current folder are found.

    Raises:
        click.UsageError: There is no such thing.
    """
    module, separator, name = reference.partition(":")
    if not separator:
        raise click.UsageError(f"{reference!r} must be written module:name")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise click.UsageError(f"{reference!r} is not found: {error}") from error
    return found


async def open_table(client: Client, table: str | None, model: str | None) -> Table[Any]:
    """Return the handle of a table.

    Args:
        client: An open client.
        table: The table's name; None for the one of the model.
        model: ``module:Class`` of an entity; None to read and write plain items.

    Raises:
        click.UsageError: Neither is given, or the model is no entity.
        ResourceNotFoundError: There is no such table.
    """
    if model is not None:
        cls = import_object(model)
        if not is_entity(cls):
            raise click.UsageError(f"{model!r} is no entity: decorate the class with @entity")
        return client.table(cls, name=table) if table is not None else client.table(cls)
    if table is None:
        raise click.UsageError("name a table with --table, or an entity with --model")
    described = await client.describe_table(table)
    keys = dict((kind, name) for name, kind in described.key)  # noqa: C402  (it turns pairs round)
    partition_key, sort_key = keys["HASH"], keys.get("RANGE")
    types = {name: KEY_TYPES[code] for name, code in described.attribute_types.items()}
    return client.table(
        table,
        partition_key=partition_key,
        sort_key=sort_key,
        partition_key_type=types[partition_key],
        sort_key_type=types[sort_key] if sort_key is not None else str,
    )


def key_values(handle: Table[Any], texts: tuple[str, ...]) -> dict[str, Any]:
    """Return the key attributes that texts stand for, by Python name, partition key first.

    Raises:
        click.UsageError: There are too few or too many.
        MarshallingError: One cannot be what its attribute stores.
    """
    attributes = handle.schema.key_attributes
    if len(texts) != len(attributes):
        names = " ".join(attribute.field.upper() for attribute in attributes)
        raise click.UsageError(f"the key of this table is {names}: {len(attributes)} values, not {len(texts)}")
    return {
        attribute.field: typed(handle, text, (attribute.name,))
        for attribute, text in zip(attributes, texts, strict=True)
    }


def typed(handle: Table[Any], text: str, segments: tuple[str | int, ...]) -> Any:
    """Return the value that a text stands for at a path, of the type that is declared there."""
    codec = handle.target.codec
    shape = codec.shape_of(str(segments[0]))
    for segment in segments[1:]:
        shape = shape.member(segment) if shape is not None else None
    return codec.decode_at(segments, value_from_plain(text, shape, is_text=True))
