"""Files of items: the format of a name, and opening them, compressed or not."""

from __future__ import annotations

import gzip
import io
import sys
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, Final, cast

import click
import orjson

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
    ".parquet": Format.PARQUET,
}
FORMAT_HELP: Final = (
    "The format. The default is that of the name: .jsonl, .json, .csv, .parquet, each but the last also with .gz."
    " `dynamodb` is DynamoDB's own JSON, as in its exports to S3. It keeps sets and binary apart from lists and text."
)


def format_of(name: str, argument: str | None, *, reading: bool = False) -> Format:
    """Return the format of a file.

    Args:
        name: Its name.
        argument: The format that the user names, or None.
        reading: Whether the file exists and its first line may decide: DynamoDB's exports end in ``.json`` too.

    Raises:
        click.UsageError: If neither decides, or if the format needs a library that is missing.
    """
    if argument is not None:
        result = Format(argument)
    elif name == STANDARD:
        result = Format.JSONL
    else:
        path = Path(name)
        suffix = (Path(path.stem) if is_compressed(name) else path).suffix.lower()
        if suffix not in SUFFIXES:
            raise click.UsageError(
                f"{name}: the name does not show the format: name it with --format {'|'.join(Format)}"
            )
        result = SUFFIXES[suffix]
        if reading and suffix == ".json" and _is_dynamodb(name):
            result = Format.DYNAMODB
    if result is Format.PARQUET and find_spec("pyarrow") is None:
        raise click.UsageError("Parquet needs pyarrow: pip install pyarrow")
    return result


def is_compressed(name: str) -> bool:
    """Return whether a file is compressed, by its name."""
    return name.lower().endswith(".gz")


def _is_dynamodb(name: str) -> bool:
    try:
        with open_bytes(name) as (stream, _):
            first = orjson.loads(stream.readline())
    except (OSError, ValueError, EOFError):
        return False  # reading it reports the fault
    if not isinstance(first, dict) or first.keys() != {"Item"} or not isinstance(first["Item"], dict):
        return False
    return all(isinstance(value, dict) and len(value) == 1 for value in first["Item"].values())


def standard_input() -> BinaryIO:
    """Return standard input with a new buffer: a thread must not read the interpreter's buffer at its exit."""
    try:
        descriptor = sys.stdin.fileno()
    except io.UnsupportedOperation:  # tests replace it
        return sys.stdin.buffer
    return open(descriptor, "rb", closefd=False)


class open_bytes:  # noqa: N801  (it is used like `open`)
    """A context with a file's decompressed contents, and the file itself, for its position.

    Args:
        name: The file, or ``-`` for standard input.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._raw: BinaryIO | None = None

    def __enter__(self) -> tuple[BinaryIO, BinaryIO]:
        if self._name == STANDARD:
            stream = standard_input()
            return stream, stream
        self._raw = Path(self._name).open("rb")
        if not is_compressed(self._name):
            return self._raw, self._raw
        return cast("BinaryIO", io.BufferedReader(gzip.GzipFile(fileobj=self._raw))), self._raw

    def __exit__(self, *exception: object) -> None:
        if self._raw is not None:
            self._raw.close()
