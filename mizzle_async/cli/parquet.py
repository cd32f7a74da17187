"""Parquet, by pyarrow, where it is installed. It knows values and files, and nothing of DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO


def read_rows(stream: BinaryIO, size: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file.

    Args:
        stream: The file.
        size: Rows that are held at a time.
    """
    file = import_module("pyarrow.parquet").ParquetFile(stream)
    for batch in file.iter_batches(batch_size=size):
        yield from batch.to_pylist()


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as a file; a column's type is that of its values.

    Raises:
        ValueError: The values of a column are of several types; the message names it.
    """
    pyarrow = import_module("pyarrow")
    columns = dict.fromkeys(name for row in rows for name in row)
    arrays = {}
    for name in columns:
        values = _numbers_alike([row.get(name) for row in rows])
        try:
            arrays[name] = pyarrow.array(values)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError, OverflowError):
            raise ValueError(
                f"the values of {name!r} are of several types, or too large: export to JSON lines"
            ) from None
    import_module("pyarrow.parquet").write_table(pyarrow.table(arrays), str(path))


def _numbers_alike(values: list[Any]) -> list[Any]:
    """Return a column with all its integers as decimals, if one of its numbers is."""
    if not any(isinstance(value, Decimal) for value in values):
        return values
    return [Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value for value in values]
