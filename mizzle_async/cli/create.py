"""`mizzle-async create`: create a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from attrs import evolve

from mizzle_async.cli import schemas
from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES
from mizzle_async.cli.files.source import Source
from mizzle_async.cli.handles import import_object, table_name
from mizzle_async.cli.schemas import Schema
from mizzle_async.errors import ResourceInUseError, ResourceNotFoundError
from mizzle_async.handles.client import Client
from mizzle_async.model import WIRE_VIEWS, SharedTable, is_entity
from mizzle_async.operations.tables.definition import TableDescription, stream_specification


@click.command(
    short_help="Create a table.",
    epilog="mizzle-async create orders customer:S at:N --index by-status=status:S,at:N --ttl expires\n\n" + EXIT_CODES,
)
@click.argument("words", nargs=-1, metavar="[TABLE] [PARTITION[:TYPE] [SORT[:TYPE]]]")
@click.option("--model", metavar="MODULE:CLASS", help="The table of this entity, or SharedTable, with its indexes.")
@click.option("--like", metavar="TABLE|FILE", help="A table as this one, or as a file of `export --schema` describes.")
@click.option(
    "--index", "indexes", multiple=True, metavar="NAME=KEY", help="A global index, such as by-at=kind:S,at:N."
)
@click.option("--local-index", "local_indexes", multiple=True, metavar="NAME=SORT", help="A local index.")
@click.option("--read-units", type=click.IntRange(min=1), help="Provisioned read units a second.  [default: on demand]")
@click.option("--write-units", type=click.IntRange(min=1), help="Provisioned write units a second.")
@click.option("--ttl", metavar="ATTRIBUTE", help="The attribute with the second at which an item expires.")
@click.option("--stream", type=click.Choice(list(WIRE_VIEWS)), help="Switch a stream of changes on, with this view.")
@click.option("--if-absent", is_flag=True, help="It is no fault that the table exists.")
@connected
def create(words: tuple[str, ...], connection: Connection, **options: Any) -> None:
    """Create a table, and wait until it can be used. A TYPE is S (text, the default), N or B."""
    connection.run(lambda client: _create(client, words, **options))


async def _create(
    client: Client,
    words: tuple[str, ...],
    *,
    model: str | None,
    like: str | None,
    indexes: tuple[str, ...],
    local_indexes: tuple[str, ...],
    read_units: int | None,
    write_units: int | None,
    ttl: str | None,
    stream: str | None,
    if_absent: bool,
) -> int:
    if (read_units is None) != (write_units is None):
        raise click.UsageError("a provisioned table needs --read-units and --write-units")
    units = None if read_units is None or write_units is None else (read_units, write_units)
    name, *key = words or ("",)
    if sum((bool(key), model is not None, like is not None)) != 1 or (not name and model is None):
        raise click.UsageError("name a table and its key, such as `orders id:S`; or a table with --like; or --model")
    if model is not None:
        if indexes or local_indexes or ttl or stream:
            raise click.UsageError("--model has the indexes, the time to live and the stream")
        return await create_model(client, name or None, model, units)
    if like is not None:
        if indexes or local_indexes or units:
            raise click.UsageError("--like has the indexes and the units")
        schema = schemas.of_file(like) if schemas.is_file(like) else await schemas.of_existing(client, like)
    else:
        schema = schemas.of_words(key, indexes, local_indexes, units=units)
    if stream is not None:
        schema = evolve(schema, parameters={**schema.parameters, "StreamSpecification": stream_specification(stream)})
    return await create_table(
        client, name, evolve(schema, time_to_live=ttl or schema.time_to_live), if_absent=if_absent
    )


async def create_table(client: Client, name: str, schema: Schema, *, if_absent: bool = False) -> int:
    """Create a table and say so.

    Raises:
        ResourceInUseError: If it exists.
        click.ClickException: If it exists with another key, where an existing one is fine.
    """
    try:
        await schemas.create(client, name, schema)
    except ResourceInUseError:
        if not if_absent:
            raise
        other = schema.difference(await schemas.ready(client, name))
        if other:
            raise click.ClickException(f"table {name} exists with another key: {other}") from None
        click.echo(f"table {name} exists", err=True)
        return DONE
    click.echo(f"created table {name} with the key {schema.key}", err=True)
    return DONE


async def create_model(client: Client, table: str | None, model: str, units: tuple[int, int] | None = None) -> int:
    """Create the table of an entity or of a shared table, if it is missing, with what its indexes need.

    Raises:
        click.UsageError: If the reference names neither.
    """
    cls: Any = import_object(model)
    if not isinstance(cls, SharedTable) and not is_entity(cls):
        raise click.UsageError(f"{model!r} is neither an entity nor a SharedTable")
    if isinstance(cls, SharedTable) and table is not None:
        raise click.UsageError("a SharedTable has its name: give no other one")
    entity: Any = cls
    handle: Any = cls if table is None else client.table(entity, name=table)
    read, write = units or (None, None)
    existed = await client.table_exists(handle)
    (made,) = await client.ensure_tables(handle, read_units=read, write_units=write)
    verb = f"table {made.name} is there" if existed else f"created table {made.name}"
    click.echo(f"{verb} with {_parts(made)}", err=True)
    return DONE


def _parts(table: TableDescription) -> str:
    """Return the parts of a table in words: its key, its indexes and its stream."""
    key = ", ".join(f"{attribute} ({table.attribute_types[attribute]})" for attribute, _ in table.key)
    parts = [f"the key {key}"]
    if table.indexes:
        parts.append(f"the index{'' if len(table.indexes) == 1 else 'es'} {', '.join(sorted(table.indexes))}")
    if table.stream is not None:
        parts.append(f"a stream of {table.stream.replace('_', ' ')}")
    return "; ".join(parts)


async def create_for_load(client: Client, source: Source, table: str | None, model: str | None) -> None:
    """Create the table of a load if it is missing: by its model, or by the definition beside the files.

    Raises:
        click.UsageError: If there is no definition.
    """
    if model is not None:
        await create_model(client, table, model)
        return
    name = table_name(table)
    try:
        await client.describe_table(name)
    except ResourceNotFoundError:
        path = _schema_beside(source)
        if path is None:
            raise click.UsageError(
                f"there is no table {name}, and no file describes it, as `export --schema` writes one:"
                f" `mizzle-async create {name} PARTITION:TYPE [SORT:TYPE]` creates it"
            ) from None
        await create_table(client, name, schemas.of_file(path))


def described_by(source: Source, model: str | None) -> str | None:
    """Return the description of the missing table of a load, a model or a file beside its input, or None."""
    path = _schema_beside(source) if model is None else None
    return model if path is None else str(path)


def _schema_beside(source: Source) -> Path | None:
    return next((path for each in source.names if (path := schemas.find_file(Path(each))) is not None), None)
