"""Parquet, through pyarrow. This module knows values and files, and nothing of DynamoDB."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

Rows: TypeAlias = Sequence[dict[str, Any]]

LONGEST: Final = 2**63
"""Integers of this size and more are decimals in Parquet."""


def read_rows(stream: BinaryIO, size: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file.

    Args:
        stream: The file.
        size: The number of rows in memory.
    """
    file = import_module("pyarrow.parquet").ParquetFile(stream)
    for batch in file.iter_batches(batch_size=size):
        yield from batch.to_pylist(maps_as_pydicts="strict")


def write_rows(path: Path, groups: Callable[[], Iterable[Rows]]) -> None:
    """Write rows into a file. The type of a column is that of its values.

    Args:
        path: The file. It is removed if it cannot be completed.
        groups: Returns the rows, one row group at a time, which is held in memory. It is called twice: the first time
            for the columns.

    Raises:
        ValueError: If the values of a column have several types. The message names the column.
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
    except columns.misfits:
        path.unlink(missing_ok=True)
        raise ValueError("Parquet has no type for a column: export to JSON lines") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise


class _Columns:
    """The columns of a file, with the common type of their values."""

    def __init__(self, pyarrow: Any) -> None:
        self._pyarrow = pyarrow
        self.misfits = (
            pyarrow.ArrowInvalid,
            pyarrow.ArrowTypeError,
            pyarrow.ArrowNotImplementedError,
            OverflowError,
        )
        self.types: dict[str, Any] = {}

    def learn(self, rows: Rows) -> None:
        """Add the types of more rows."""
        for name in dict.fromkeys(name for row in rows for name in row):
            result = self.array(name, rows, known=False).type
            before = self.types.get(name, result)
            schemas = [self._pyarrow.schema([(name, each)]) for each in (before, result)]
            try:
                united = self._pyarrow.unify_schemas(schemas, promote_options="permissive")
            except self.misfits:
                raise _mixed(name) from None
            self.types[name] = united.field(name).type

    def array(self, name: str, rows: Rows, *, known: bool = True) -> Any:
        """Return a column of rows.

        Raises:
            ValueError: If its values have several types.
        """
        values = _numbers_alike([row.get(name) for row in rows])
        try:
            return self._pyarrow.array(values, type=self.types[name] if known else None)
        except self.misfits:
            raise _mixed(name) from None


def _mixed(name: str) -> ValueError:
    return ValueError(f"the values of {name!r} have several types, or are too large: export to JSON lines")


def _numbers_alike(values: list[Any]) -> list[Any]:
    """Return a column with all integers as decimals, if one of its numbers is or must be a decimal."""
    if not any(isinstance(value, Decimal) or _is_long(value) for value in values):
        return values
    return [Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value for value in values]


def _is_long(value: Any) -> bool:
    return isinstance(value, int) and not -LONGEST <= value < LONGEST
