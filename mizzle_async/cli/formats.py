"""Formats of items, and the names of files that show them."""

from __future__ import annotations

from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

STANDARD: Final = "-"
"""The name of standard input and standard output."""


class Format(StrEnum):
    """The formats of items."""

    JSONL = "jsonl"
    """Plain JSON, one item per line."""

    DYNAMODB = "dynamodb"
    """``{"Item": {"name": {"S": …}}}``, one item per line, as in DynamoDB's exports to S3."""

    CSV = "csv"
    PARQUET = "parquet"


SUFFIXES: Final = {
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSONL,
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".tab": Format.CSV,
    ".parquet": Format.PARQUET,
    ".ion": Format.DYNAMODB,
}
READ_ONLY: Final = {".tsv", ".tab", ".ion"}
"""Suffixes of layouts that are read, and not written."""

COMPRESSIONS: Final = {".gz", ".bz2", ".xz", ".zst", ".zstd"}
READ_FORMAT_HELP: Final = (
    "The format, where neither the first bytes nor the name show it. `jsonl` takes JSON as it is, `dynamodb` takes it"
    " as DynamoDB's own, with types."
)
WRITE_FORMAT_HELP: Final = (
    "The format. The default is that of the name: .jsonl, .json, .csv, .parquet, each but the last also with .gz."
    " JSON is `dynamodb`, DynamoDB's own, which keeps every type; with --model it is plain JSON, `jsonl`."
)


def plain_suffix(name: str) -> str:
    """Return the suffix of a name, in lower case, without that of a compression."""
    path = Path(name)
    if path.suffix.lower() in COMPRESSIONS:
        path = Path(path.stem)
    return path.suffix.lower()


def format_of_name(name: str) -> Format | None:
    """Return the format that a name shows, or None."""
    return SUFFIXES.get(plain_suffix(name))


def format_of_export(name: str, argument: str | None, *, typed: bool) -> Format:
    """Return the format of a file that is written.

    Args:
        name: Its name.
        argument: The format that the user names, or None.
        typed: Whether a model has the types that plain JSON does not keep.

    Raises:
        click.UsageError: If neither decides, or if the format needs a library that is missing.
    """
    result = Format(argument) if argument is not None else Format.JSONL if name == STANDARD else format_of_name(name)
    if result is None or (name != STANDARD and plain_suffix(name) in READ_ONLY and argument is None):
        raise click.UsageError(f"{name}: the name does not show the format: name it with --format {'|'.join(Format)}")
    compression = Path(name).suffix.lower()
    if compression in COMPRESSIONS and compression != ".gz":
        raise click.UsageError(f"{name}: exports are compressed with gzip only: name the file …{'.gz'}")
    if result is Format.PARQUET:
        need_pyarrow()
    if result is Format.JSONL and argument is None and not typed:
        return Format.DYNAMODB
    return result


def need_pyarrow() -> None:
    """Check that Parquet can be read and written.

    Raises:
        click.UsageError: If its library is missing.
    """
    if find_spec("pyarrow") is None:
        raise click.UsageError("Parquet needs the extra `arrow`: pip install 'mizzle-async[arrow]'")


def is_compressed(name: str) -> bool:
    """Return whether an export is compressed, by its name."""
    return name.lower().endswith(".gz")
