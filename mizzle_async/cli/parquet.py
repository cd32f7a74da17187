"""Writing Parquet, through pyarrow. This module knows values and files, and nothing of DynamoDB."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeAlias

from mizzle_async.cli.values import json_bytes

Rows: TypeAlias = Sequence[dict[str, Any]]

LONGEST: Final = 2**63
"""Integers of this size and more are decimals in Parquet."""


def write_rows(path: Path, groups: Callable[[], Iterable[Rows]]) -> tuple[str, ...]:
    """Write rows into a file. The type of a column is that of its values, or text if they have several.

    Args:
        path: The file. It is removed if it cannot be completed.
        groups: Returns the rows, one row group at a time, which is held in memory. It is called twice: the first time
            for the columns.

    Returns:
        The columns whose values have several types, or are too large for any.
    """
    pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    columns = _Columns(pyarrow)
    for rows in groups():
        columns.learn(rows)
    schema = pyarrow.schema(list(columns.types.items()))
    try:
        with parquet.ParquetWriter(str(path), schema) as writer:
            for rows in groups():
                arrays = [columns.array(name, rows) for name in columns.types]
                writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return tuple(columns.mixed)


class _Columns:
    """The columns of a file, with the common type of their values."""

    def __init__(self, pyarrow: Any) -> None:
        self._pyarrow = pyarrow
        self._misfits = (
            pyarrow.ArrowInvalid,
            pyarrow.ArrowTypeError,
            pyarrow.ArrowNotImplementedError,
            OverflowError,
        )
        self.types: dict[str, Any] = {}
        self.mixed: list[str] = []

    def learn(self, rows: Rows) -> None:
        """Add the types of more rows."""
        for name in dict.fromkeys(name for row in rows for name in row):
            if name in self.mixed:
                continue
            try:
                self.types[name] = self._united(name, rows)
            except self._misfits:
                self.types[name] = self._pyarrow.string()
                self.mixed.append(name)

    def _united(self, name: str, rows: Rows) -> Any:
        """Return the type of a column, of these rows and of those before."""
        kind = self._pyarrow.array(_numbers_alike([row.get(name) for row in rows])).type
        before = self.types.get(name, kind)
        schemas = [self._pyarrow.schema([(name, each)]) for each in (before, kind)]
        united = self._pyarrow.unify_schemas(schemas, promote_options="permissive")
        return united.field(name).type

    def array(self, name: str, rows: Rows) -> Any:
        """Return a column of rows."""
        values = [row.get(name) for row in rows]
        values = list(map(_text, values)) if name in self.mixed else _numbers_alike(values)
        return self._pyarrow.array(values, type=self.types[name])


def _text(value: Any) -> str | None:
    """Return a value of a column of several types: text as it is, the rest as JSON."""
    return value if value is None or isinstance(value, str) else json_bytes(value).decode()


def _numbers_alike(values: list[Any]) -> list[Any]:
    """Return a column with all integers as decimals, if one of its numbers is or must be a decimal."""
    if not any(isinstance(value, Decimal) or _is_long(value) for value in values):
        return values
    return [Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value for value in values]


def _is_long(value: Any) -> bool:
    return isinstance(value, int) and not -LONGEST <= value < LONGEST
