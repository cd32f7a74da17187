"""The table that was asked for, compared with the one that was made: some engines drop what they do not know.

An engine that does not know a setting answers 200, and makes the table without it. The first request that needs it
would fail, or read nothing, long after.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from mizzle_async.errors import ModelError
from mizzle_async.operations.tables.definition import TableDescription, TableOptions


def asked_for(wanted: TableDescription, options: TableOptions, entity: str) -> TableDescription:
    """Return the table that CreateTable is asked for: as the entity needs it, with the caller's options.

    Args:
        wanted: The table that the entity needs.
        options: The caller's options.
        entity: For messages.

    Raises:
        ModelError: The class and the caller name unlike streams.
    """
    if None not in {wanted.stream, options.stream} and wanted.stream != options.stream:
        raise ModelError(
            f"{entity}: its table has stream={wanted.stream!r}, and stream={options.stream!r} was asked for: leave one"
            " of them out"
        )
    return evolve(
        wanted,
        stream=wanted.stream or options.stream,
        deletion_protection=options.deletion_protection,
        on_demand=options.throughput is None,
        read_units=options.read_units or 0,
        write_units=options.write_units or 0,
    )


def check_streams(tables: Iterable[tuple[str, TableDescription]]) -> None:
    """Refuse entities of one table that name unlike streams.

    Args:
        tables: The entities by name, with the tables that they need.

    Raises:
        ModelError: Two entities of a table do.
    """
    views: dict[str, tuple[str, str]] = {}
    for entity, table in tables:
        if table.stream is None:
            continue
        other, view = views.setdefault(table.name, (entity, table.stream))
        if view != table.stream:
            raise ModelError(
                f"table {table.name!r} has one stream: {other} says stream={view!r}, and {entity} says"
                f" stream={table.stream!r}"
            )


def needs_stream(wanted: TableDescription, existing: TableDescription, entity: str) -> bool:
    """Return whether a stream must be switched on.

    Args:
        wanted: The table that the entity needs.
        existing: The table that exists.
        entity: For messages.

    Raises:
        ModelError: The table has a stream with another view.
    """
    if wanted.stream is None or wanted.stream == existing.stream:
        return False
    if existing.stream is None:
        return True
    raise ModelError(
        f"{entity}: the stream of table {wanted.name!r} holds {existing.stream}, not {wanted.stream}, and the view of a"
        " stream cannot be changed: make the class say what the stream is, or switch it off and run this again, which"
        " ends the stream for all of its readers"
    )


def check_made(asked: TableDescription, made: TableDescription, entity: str) -> None:
    """Check that a table has everything that was asked for.

    Args:
        asked: The table that was asked for. Only settings that it names are compared.
        made: The table that the service describes.
        entity: For messages.

    Raises:
        ModelError: The service accepted the request and left something out.
    """
    dropped = dropped_settings(asked, made)
    if dropped:
        raise ModelError(
            f"{entity}: the service accepted table {asked.name!r} and made it without {' and without '.join(dropped)}:"
            " it does not know that setting. Engines differ from AWS in these: see the guide on testing"
        )


def dropped_settings(asked: TableDescription, made: TableDescription) -> list[str]:
    """Return the settings that were asked for and are not there, in words."""
    dropped = [f"index {name!r}" for name in asked.indexes if name not in made.indexes]
    dropped += [
        f"all of index {name!r} (it holds {made.indexes[name].projection})"
        for name, index in asked.indexes.items()
        if name in made.indexes
        and (index.key, index.projection, index.included)
        != (made.indexes[name].key, made.indexes[name].projection, made.indexes[name].included)
    ]
    if asked.stream is not None and asked.stream != made.stream:
        dropped.append(f"its stream of {asked.stream}")
    if asked.deletion_protection and not made.deletion_protection:
        dropped.append("deletion protection")
    if not asked.on_demand and (made.read_units, made.write_units) != (asked.read_units, asked.write_units):
        dropped.append(f"{asked.read_units} read units and {asked.write_units} write units")
    if asked.key != made.key:
        dropped.append("its key")
    return dropped
