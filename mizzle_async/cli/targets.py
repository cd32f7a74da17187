"""Files of an export, which can be resumed from a checkpoint."""

from __future__ import annotations

import gzip
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson
from attrs import define, field

from mizzle_async.bulk.exports import ExportTarget
from mizzle_async.cli.formats import STANDARD, Format, is_compressed
from mizzle_async.cli.losses import Losses
from mizzle_async.cli.outgoing import csv_line, csv_row, write_csv
from mizzle_async.cli.parquet import write_rows
from mizzle_async.cli.values import dynamodb_line, json_line
from mizzle_async.errors import ResumeError
from mizzle_async.marshalling import plain_item
from mizzle_async.types import Item

COMPRESSION: Final = 6

GROUP_BYTES: Final = 16 * 1024 * 1024
"""Bytes of DynamoDB's JSON in a row group of Parquet, which is held in memory."""


@define
class ExportFile(ExportTarget):
    """A file of items, which is written in portions and can be resumed from a checkpoint.

    The layout of Parquet, and of CSV without named columns, needs all items. They are gathered in DynamoDB's JSON, in a
    file beside the target or in one without a name, and `finish` makes the target.

    Attributes:
        name: The file, or ``-`` for standard output.
        format: The format of the items.
        columns: The columns of CSV, in order. Empty takes all attributes.
        first: The first columns, if the columns are not named.
        natural: Returns a stored item without the suffixes of shards.
        is_laid_out: Whether an earlier run is complete, so that its gathered items are gone.
        losses: The items that the format does not keep.
        mixed: The columns of Parquet that are text, because their values have several types.
    """

    name: str
    format: Format
    columns: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    natural: Callable[[Item], Item] | None = None
    is_laid_out: bool = False
    losses: Losses = field(factory=lambda: Losses(Format.DYNAMODB))
    mixed: tuple[str, ...] = field(default=(), init=False)
    _file: BinaryIO | None = field(default=None, init=False)
    _done: Any = field(default=None, init=False)

    @property
    def is_gathered(self) -> bool:
        """Whether items are gathered first."""
        return self.format is Format.PARQUET or (self.format is Format.CSV and not self.columns)

    @property
    def is_standard(self) -> bool:
        """Whether the target is standard output."""
        return self.name == STANDARD

    @property
    def path(self) -> Path:
        """Return the file that is written while items arrive."""
        return Path(f"{self.name}.part" if self.is_gathered else self.name)

    def open(self, state: Any | None) -> None:
        """Begin, or resume from a checkpoint.

        Raises:
            ResumeError: If the earlier file is missing or has another layout.
        """
        if state is not None:
            losses = state.pop("losses", None)
            if losses is not None:
                self.losses.resume(losses)
        if state is not None and state != self._state(state.get("bytes")):
            raise ResumeError(
                f"the state is that of an export into {state.get('file')!r} as {state.get('format')}: give the same "
                "command, or begin anew, without --resume"
            )
        if self.is_laid_out:
            if not Path(self.name).is_file():
                raise ResumeError(f"{self.name}, which was exported before, is gone: begin anew, without --resume")
            self._done = state
        elif self.is_standard:
            self._file = tempfile.TemporaryFile() if self.is_gathered else sys.stdout.buffer  # noqa: SIM115  (see `close`)
        elif state is None:
            self._file = self.path.open("wb")
        else:
            size = state["bytes"]
            if not self.path.is_file() or self.path.stat().st_size < size:
                raise ResumeError(f"{self.path} is not what was exported before: begin anew, without --resume")
            self._file = self.path.open("r+b")
            self._file.truncate(size)
            self._file.seek(size)
        if self.columns and state is None:
            self._write(csv_line(self.columns))

    def write(self, items: Sequence[Item]) -> None:
        """Write items."""
        for item in items:
            self.losses.add(item)
        if self.natural is not None and self.format is not Format.DYNAMODB:
            items = list(map(self.natural, items))
        if self.is_gathered or self.format is Format.DYNAMODB:
            lines = [dynamodb_line(item) for item in items]
        elif self.format is Format.CSV:
            lines = [csv_row(item, self.columns) for item in items]
        else:
            lines = [json_line(item) for item in items]
        self._write(b"".join(lines))

    def _write(self, content: bytes) -> None:
        if content and is_compressed(self.name) and not self.is_gathered:
            content = gzip.compress(
                content, COMPRESSION, mtime=0
            )  # a gzip member of its own: the file can be cut after it
        self._opened().write(content)

    def checkpoint(self) -> Any:
        """Flush the file to the disk, and return the checkpoint for `open`."""
        if self.is_laid_out:
            return self._done
        file = self._opened()
        file.flush()
        if self.is_standard:
            return None
        os.fsync(file.fileno())
        return {**self._state(file.tell()), "losses": self.losses.as_state()}

    def notes(self) -> Iterator[str]:
        """Yield sentences about the items that the file does not keep as they are."""
        if self.mixed:
            columns = ", ".join(map(repr, self.mixed))
            yield f"{self.name}: values of several types are text in {columns}: --format dynamodb keeps them"
        text = self.losses.text(self.name)
        if text:
            yield text

    def _state(self, size: Any) -> dict[str, Any]:
        """Return the checkpoint: the size of the file, and its layout."""
        return {"bytes": size, "file": Path(self.name).name, "format": self.format, "columns": list(self.columns)}

    def close(self) -> None:
        """Close the file, unless it has items for standard output."""
        if self._file is not None and not self.is_standard:
            self._file.close()
            self._file = None

    def finish(self) -> None:
        """Make the target out of the gathered items, if there are any."""
        if not self.is_gathered or self.is_laid_out:
            return
        with self._opened() if self.is_standard else self.path.open("rb") as lines:
            lines.seek(0)
            if self.format is Format.PARQUET:
                self._lay_out_parquet(lines)
            elif self.is_standard:
                self._lay_out(lines, sys.stdout.buffer)
            elif is_compressed(self.name):
                with gzip.open(self.name, "wb", COMPRESSION) as output:
                    self._lay_out(lines, output)
            else:
                with Path(self.name).open("wb") as output:
                    self._lay_out(lines, output)
        if not self.is_standard:
            self.path.unlink()

    def _lay_out(self, lines: BinaryIO, output: Any) -> None:
        names = dict.fromkeys(self.first)
        for line in lines:
            names.update(dict.fromkeys(orjson.loads(line)["Item"]))
        lines.seek(0)
        write_csv(output, (orjson.loads(line)["Item"] for line in lines), tuple(names))
        output.flush()

    def _lay_out_parquet(self, lines: BinaryIO) -> None:
        def groups() -> Iterator[list[dict[str, Any]]]:
            lines.seek(0)
            while some := lines.readlines(GROUP_BYTES):
                yield [plain_item(orjson.loads(line)["Item"]) for line in some]

        self.mixed = write_rows(Path(self.name), groups)

    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("the file is not open")
        return self._file
