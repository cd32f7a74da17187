"""The rejects file: one line per item that could not be written, with its origin and the reason."""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, BinaryIO, Final

import click
from attrs import asdict, define, field, has

from mizzle_async.cli.values import json_bytes
from mizzle_async.errors import MizzleError
from mizzle_async.marshalling import parse_json

MOST_SHOWN: Final = 10
"""The number of bad lines that are shown at once. The file has all of them."""


class StoppedError(MizzleError):
    """A line is bad, and the user wants to stop at the first one."""


@define
class Origins:
    """The origins of a load's items. It stores only the gaps between lines, so it stays small."""

    _starts: list[int] = field(factory=list)
    _places: list[tuple[str, int]] = field(factory=list)
    _next: tuple[str, int] = ("", 0)
    _count: int = 0

    def note(self, file: str, line: int) -> None:
        """Add the origin of the next item."""
        if (file, line) != self._next:
            self._starts.append(self._count)
            self._places.append((file, line))
        self._next = (file, line + 1)
        self._count += 1

    def of(self, position: int) -> tuple[str, int]:
        """Return file and line of an item, by its position from 0."""
        at = bisect_right(self._starts, position) - 1
        file, line = self._places[at]
        return file, line + position - self._starts[at]


@define
class Rejects:
    """The rejects file. It is created with the first reject.

    Args:
        path: Its path. None writes no file.
        goes_on: Whether to keep the rejects of an earlier run.
        stops: Whether the first reject ends the work.
    """

    path: Path | None
    goes_on: bool = False
    stops: bool = False
    count: int = field(default=0, init=False)
    _known: set[tuple[str, int]] = field(factory=set, init=False)
    _file: BinaryIO | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        """Read the rejects of an earlier run, or remove them: a new load finds them again.

        Raises:
            click.UsageError: If it is another kind of file, or cannot be written.
        """
        if self.path is None:
            return
        if not self.path.parent.is_dir():
            raise click.UsageError(f"{self.path} cannot be written: there is no folder {self.path.parent}")
        if not self.path.exists():
            return
        whole = 0
        with self.path.open("rb") as lines:
            for line in lines:
                if not line.startswith(b'{"file":'):
                    raise self._refusal()
                if not self.goes_on or not line.endswith(b"\n"):
                    break  # a line that a kill or a full disk cut short is found again
                whole += len(line)
                self._known.add(self._origin(line))
        if self.goes_on:
            os.truncate(self.path, whole)
        else:
            self.path.unlink()

    def _origin(self, line: bytes) -> tuple[str, int]:
        try:
            entry = parse_json(line)
            return entry["file"], entry["line"]
        except (LookupError, ValueError):
            raise self._refusal() from None

    def _refusal(self) -> click.UsageError:
        return click.UsageError(f"{self.path} is not a rejects file: name another one with --rejects")

    def add(self, origin: tuple[str, int], problem: str, *, attribute: str = "", content: Any = None) -> None:
        """Add a reject to the file, once.

        Args:
            origin: File and line.
            problem: The reason.
            attribute: The bad attribute, if it is one attribute.
            content: The line, or its values.

        Raises:
            StoppedError: If the user wants to stop here.
        """
        self.count += 1
        if self.path is None:
            return
        where = f"{origin[0]}:{origin[1]}: " + (f"attribute {attribute}: " if attribute else "") + problem
        if origin not in self._known:
            self._known.add(origin)
            entry = {
                "file": origin[0],
                "line": origin[1],
                "attribute": attribute or None,
                "problem": problem,
                "content": content,
            }
            self._write(self.path, _line(entry))
        if self.stops:
            raise StoppedError(where)
        if self.count <= MOST_SHOWN:
            click.echo(where, err=True)
        elif self.count == MOST_SHOWN + 1:
            click.echo(f"more bad lines: they are in {self.path}", err=True)

    def _write(self, path: Path, line: bytes) -> None:
        if self._file is None:
            self._file = path.open("ab")
        self._file.write(line)
        self._file.flush()

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _line(entry: dict[str, Any]) -> bytes:
    try:
        return json_bytes(entry) + b"\n"
    except TypeError:  # it has text that UTF-8 cannot encode, but JSON can
        return json.dumps(entry, default=_plain).encode() + b"\n"


def _plain(value: Any) -> Any:
    """Return a value for JSON that the standard library cannot encode."""
    if isinstance(value, AbstractSet):
        return list(value)
    if has(type(value)):
        return asdict(value, recurse=False)
    try:
        return json.loads(json_bytes(value))
    except (TypeError, ValueError):  # an unknown class, or a number that is too long for Python
        return str(value)
