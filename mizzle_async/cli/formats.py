"""Files of items: which format a name means, and how they are opened, compressed or not."""

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
"""What standard input and standard output are called."""


class Format(StrEnum):
    """How items are written down."""

    JSONL = "jsonl"
    """Plain JSON, an item a line."""

    DYNAMODB = "dynamodb"
    """``{"Item": {"name": {"S": …}}}``, an item a line, as DynamoDB's exports to S3."""

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
    "How items are written down; by default as the name says: .jsonl, .json, .csv, .parquet, each but the last also"
    " with .gz. `dynamodb` is DynamoDB's own JSON, as in its exports to S3; it keeps sets and binary apart from lists"
    " and text."
)


def format_of(name: str, given: str | None, *, reading: bool = False) -> Format:
    """Return the format of a file.

    Args:
        name: Its name.
        given: What the user says it is, or None.
        reading: Whether it exists, so that it can be looked into: DynamoDB's exports end in ``.json`` too.

    Raises:
        click.UsageError: Neither says it, or it needs a library that is missing.
    """
    if given is not None:
        found = Format(given)
    elif name == STANDARD:
        found = Format.JSONL
    else:
        path = Path(name)
        suffix = (Path(path.stem) if is_compressed(name) else path).suffix.lower()
        if suffix not in SUFFIXES:
            raise click.UsageError(f"{name}: what format is it? Say --format {'|'.join(Format)}")
        found = SUFFIXES[suffix]
        if reading and suffix == ".json" and _is_dynamodb(name):
            found = Format.DYNAMODB
    if found is Format.PARQUET and find_spec("pyarrow") is None:
        raise click.UsageError("Parquet needs pyarrow: pip install pyarrow")
    return found


def is_compressed(name: str) -> bool:
    """Tell whether a file is compressed, by its name."""
    return name.lower().endswith(".gz")


def _is_dynamodb(name: str) -> bool:
    try:
        with open_bytes(name) as (stream, _):
            first = orjson.loads(stream.readline())
    except (OSError, ValueError, EOFError):
        return False  # whoever reads it says what is wrong
    if not isinstance(first, dict) or first.keys() != {"Item"} or not isinstance(first["Item"], dict):
        return False
    return all(isinstance(value, dict) and len(value) == 1 for value in first["Item"].values())


def standard_input() -> BinaryIO:
    """Return standard input, in a buffer of its own: the interpreter's may not be read by a thread when it ends."""
    try:
        descriptor = sys.stdin.fileno()
    except io.UnsupportedOperation:  # it is replaced, as tests do
        return sys.stdin.buffer
    return open(descriptor, "rb", closefd=False)


class open_bytes:  # noqa: N801  (it is used like `open`)
    """A context of a file's contents, decompressed, and of the file itself, whose position tells how far it is read.

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
