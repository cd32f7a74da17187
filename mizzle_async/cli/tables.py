"""`mizzle-async tables`: list the tables."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import Any

import click

from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES, NOT_FOUND
from mizzle_async.cli.handles import import_object
from mizzle_async.cli.values import json_bytes
from mizzle_async.errors import MizzleError
from mizzle_async.flow.tasks import run_together
from mizzle_async.handles.client import Client
from mizzle_async.handles.client_tables import wanted_tables
from mizzle_async.operations.tables.cloudformation import template
from mizzle_async.operations.tables.definition import KeyElement, TableDescription


@click.command(short_help="List tables.", epilog=EXIT_CODES)
@click.argument("names", nargs=-1, metavar="[TABLE]…")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one table per line.")
@click.option(
    "--cloudformation",
    "models",
    multiple=True,
    metavar="MODULE:CLASS",
    help="Print a CloudFormation template of the table that a model needs. Give it once for each model.",
)
@click.option(
    "--prefix", default="", help="With --cloudformation: put it before each table's name, as table_prefix= does."
)
@connected
def tables(
    connection: Connection, names: tuple[str, ...], *, as_json: bool, models: tuple[str, ...], prefix: str
) -> None:
    """List tables with keys, indexes, items and billing. The service counts items about every six hours.

    With --cloudformation nothing is asked of a service: the template is made from the models alone.
    """
    if models:
        if names or as_json:
            raise click.UsageError("--cloudformation takes models, and neither table names nor --json")
        click.echo(json.dumps(_template(models, prefix), indent=2))
        return

    async def work(client: Client) -> int:
        listed = list(names) or await client.list_tables()
        described: list[TableDescription] = await run_together(partial(client.describe_table, name) for name in listed)
        if as_json:
            for table in described:
                click.echo(json_bytes(_as_json(table)))
        elif described:
            _draw(described)
        else:
            click.echo("no tables", err=True)
        return DONE if described else NOT_FOUND

    connection.run(work)


def _template(models: tuple[str, ...], prefix: str) -> dict[str, Any]:
    found = [import_object(model) for model in models]
    try:
        return template(wanted_tables(Client(table_prefix=prefix), found))
    except MizzleError as error:
        raise click.UsageError(error.message) from error


def _key(key: tuple[KeyElement, ...], table: TableDescription) -> str:
    return ", ".join(f"{name} ({table.attribute_types[name]})" for name, _ in key)


def _billing(table: TableDescription) -> str:
    return "on demand" if table.on_demand else f"{table.read_units} read, {table.write_units} write units"


def _as_json(table: TableDescription) -> dict[str, Any]:
    return {
        "name": table.name,
        "status": table.status,
        "key": [name for name, _ in table.key],
        "types": dict(table.attribute_types),
        "indexes": {
            index.name: {
                "key": [name for name, _ in index.key],
                "local": index.is_local,
                "projection": index.projection,
                "included": list(index.included),
            }
            for index in table.indexes.values()
        },
        "vector_indexes": list(table.vector_indexes),
        "items": table.item_count,
        "size_bytes": table.size_bytes,
        "on_demand": table.on_demand,
        "read_units": table.read_units,
        "write_units": table.write_units,
    }


def _draw(described: list[TableDescription]) -> None:
    from rich.console import Console
    from rich.table import Table

    grid = Table("table", "status", "key", "indexes", "items", "MB", "billing")
    for table in described:
        own = [f"{index.name}: {_key(index.key, table)}" for index in table.indexes.values()]
        indexes = "\n".join([*own, *(f"{name}: vectors" for name in table.vector_indexes)])
        figures = f"{table.item_count:,}", f"{table.size_bytes / 1e6:,.1f}"
        grid.add_row(table.name, table.status, _key(table.key, table), indexes, *figures, _billing(table))
    wide = None if sys.stdout.isatty() else 200
    Console(width=wide).print(grid, markup=False)
