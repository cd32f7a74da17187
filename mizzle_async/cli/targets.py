"""Files that an export writes: what is in them can be gone on with after a checkpoint."""

from __future__ import annotations

import gzip
import io
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import click
import orjson
from attrs import define, field

from mizzle_async.cli.formats import STANDARD, Format, is_compressed
from mizzle_async.cli.outgoing import csv_line, csv_row, write_csv
from mizzle_async.cli.values import dynamodb_line, json_line
from mizzle_async.marshalling import plain_item
from mizzle_async.types import Item

COMPRESSION: Final = 6


@define
class ExportFile:
    """A file of items, written piece by piece.

    CSV without named columns, and Parquet, need all items to be laid out: they are gathered beside the file, in
    DynamoDB's JSON, and written at the end.

    Attributes:
        name: The file, or ``-`` for standard output.
        format: How items are written down.
        columns: The columns of CSV, in their order; none for all attributes there are.
        first: Names of columns that come first, where the columns are not named.
    """

    name: str
    format: Format
    columns: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    _file: BinaryIO | None = field(default=None, init=False)

    @property
    def _is_gathered(self) -> bool:
        return self.format is Format.PARQUET or (self.format is Format.CSV and not self.columns)

    @property
    def path(self) -> Path:
        """Return the file that is written while items come."""
        return Path(f"{self.name}.part") if self._is_gathered else Path(self.name)

    @property
    def _is_standard(self) -> bool:
        return self.name == STANDARD

    def open(self, state: Any) -> None:
        """Begin, or go on after a checkpoint.

        Args:
            state: What `checkpoint` returned, or None.

        Raises:
            click.ClickException: What was written before is not there.
        """
        if self._is_standard and not self._is_gathered:
            self._file = sys.stdout.buffer
        elif state is None:
            self._file = self._scratch() if self._is_standard else self.path.open("wb")
        else:
            size = int(state["bytes"])
            if not self.path.is_file() or self.path.stat().st_size < size:
                raise click.ClickException(f"{self.path} is not what was written before: begin anew, without --resume")
            self._file = self.path.open("r+b")
            self._file.truncate(size)
            self._file.seek(size)
        if self.columns and self.format is Format.CSV and state is None:
            self._write(csv_line(self.columns))

    def _scratch(self) -> BinaryIO:
        return tempfile.TemporaryFile()

    def write(self, items: Sequence[Item]) -> None:
        """Write items."""
        if self._is_gathered or self.format is Format.DYNAMODB:
            lines = [dynamodb_line(item) for item in items]
        elif self.format is Format.CSV:
            lines = [csv_row(item, self.columns) for item in items]
        else:
            lines = [json_line(item) for item in items]
        self._write(b"".join(lines))

    def _write(self, content: bytes) -> None:
        file = self._opened()
        if is_compressed(self.name) and not self._is_gathered:
            content = gzip.compress(content, COMPRESSION, mtime=0)  # a member of its own: it can be cut off after it
        file.write(content)

    def checkpoint(self) -> Any:
        """Make what was written durable, and return what `open` needs to go on."""
        file = self._opened()
        file.flush()
        if self._is_standard:
            return None
        os.fsync(file.fileno())
        return {"bytes": file.tell()}

    def close(self, *, complete: bool) -> None:
        """End; what was gathered is laid out where everything is there.

        Raises:
            click.ClickException: It cannot be laid out in this format.
        """
        file, self._file = self._file, None
        if file is None:
            return
        if complete and self._is_gathered:
            self._lay_out(file)
        if file is sys.stdout.buffer:
            file.flush()
        else:
            file.close()

    def _lay_out(self, gathered: BinaryIO) -> None:
        gathered.flush()
        if self._is_standard:
            gathered.seek(0)
            self._convert(gathered, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return
        with self.path.open("rb") as lines:
            if self.format is Format.PARQUET:
                self._convert_parquet(lines)
            elif is_compressed(self.name):
                with gzip.open(self.name, "wb", COMPRESSION) as output:
                    self._convert(lines, io.BufferedWriter(output))
            else:
                with Path(self.name).open("wb") as output:
                    self._convert(lines, output)
        self.path.unlink()

    def _convert(self, lines: BinaryIO, output: Any) -> None:
        names = dict.fromkeys(self.first)
        for line in lines:
            names.update(dict.fromkeys(orjson.loads(line)["Item"]))
        lines.seek(0)
        write_csv(output, (orjson.loads(line)["Item"] for line in lines), tuple(names))
        output.flush()

    def _convert_parquet(self, lines: BinaryIO) -> None:
        from mizzle_async.cli.parquet import write_rows

        rows = [plain_item(orjson.loads(line)["Item"]) for line in lines]
        try:
            write_rows(Path(self.name), rows)
        except ValueError as error:
            raise click.ClickException(f"{self.name}: {error}; everything that was read is in {self.path}") from error

    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("the file is not open")
        return self._file
