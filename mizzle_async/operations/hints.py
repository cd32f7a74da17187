"""Hints about wrong arguments of verbs, for `explained`: how a condition or a clause is written."""

# ruff: noqa: SLF001  (hints look at the objects whose verbs they explain)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mizzle_async.model import EntitySchema


def _class_name(schema: EntitySchema) -> str:
    return "table" if schema.is_open else schema.entity


def query_hint(table: Any, positional: Sequence[Any], named: Mapping[str, Any]) -> str:
    """Return a hint at the form of a query: by conditions, and the index with them."""
    schema: EntitySchema = table._schema
    name = _class_name(schema)
    if "index" in named:
        return "the index is chosen by its condition, such as `BY_STATUS.partition_key == value`"
    compared = [each for each in named if each in schema.by_field]
    if not compared and not positional and not named:
        compared = [schema.key_attributes[0].field]
    if not compared:
        return ""
    if schema.is_open:
        return "compare the table's paths, such as `table.partition_key == value`"
    return f"write {', '.join(f'`{name}.{each} == value`' for each in compared)}"


def set_hint(operation: Any, positional: Sequence[Any], named: Mapping[str, Any]) -> str:
    """Return a hint at assignments: by path, or by a mapping."""
    del positional
    schema: EntitySchema = operation.sending.target.schema  # it was handed on, so no await was forgotten
    if not named:
        return ""
    first = next(iter(named))
    path = f'table.attribute("{first}")' if schema.is_open else f"{schema.entity}.{first}"
    return f'write `.set({path}, value)`, or `.set({{"{first}": value}})`'


def write_hint(table: Any, positional: Sequence[Any], named: Mapping[str, Any]) -> str:
    """Return a hint at the arguments of a write of a whole item."""
    schema: EntitySchema = table._schema
    if schema.is_open or not any(each in schema.by_field for each in named):
        return "" if len(positional) <= 1 else "give one item; several at once go to .put_many()"
    return f"give an instance, `{schema.entity}({', '.join(f'{each}=…' for each in named)})`"


def start_hint(_owner: Any, positional: Sequence[Any], named: Mapping[str, Any]) -> str:
    """Return advice where `changes` does not say where it begins."""
    if positional or "start" not in named:
        return (
            'say where a consumer begins that has no position yet: start="oldest", start="latest", a datetime, or a'
            " timedelta back from now"
        )
    return ""
