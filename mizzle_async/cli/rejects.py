"""The rejects file: one line per item that could not be written, with its origin and the reason."""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, BinaryIO, Final

import click
from attrs import asdict, define, evolve, field, frozen, has

from mizzle_async.cli.values import json_bytes
from mizzle_async.errors import MizzleError
from mizzle_async.marshalling import parse_json

MOST_SHOWN: Final = 10
"""The number of bad lines that are shown at once. The file has all of them."""


REASONS_KEPT: Final = 1_000
"""The number of reasons that are counted apart. A reason may name a column, so there may be as many as lines."""

REASONS_SHOWN: Final = 5

HOPELESS: Final = 1_000
"""The number of rows of which one must be good: a file without one is not what the user thinks."""


def say_aside(text: str) -> None:
    """Print a line on standard error."""
    click.echo(text, err=True)


class StoppedError(MizzleError):
    """There are bad lines, and more of them than the user wants to go on with."""


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


@frozen(eq=False)
class Reject:
    """An item that could not be written. It travels by pickle.

    Attributes:
        origin: File and line.
        reason: The attribute and the fault.
        entry: The line of the rejects file.
        good: The number of good rows that the worker had read by then.
    """

    origin: tuple[str, int]
    reason: str
    entry: bytes
    good: int = 0


@frozen(eq=False)
class Remark:
    """A sentence for the user."""

    text: str


@define
class Rejects:
    """The rejects file. It is created with the first reject.

    Args:
        path: Its path. None writes no file.
        goes_on: Whether to keep the rejects of an earlier run.
        stops: Whether the first reject ends the work.
        limit: The number of rejects after which one more ends the work. None ends it where nothing else comes.
        say: Prints a line for the user.

    Attributes:
        count: The number of rejects.
        good: The number of other rows. The reader counts them.
        reasons: The number of rejects by reason.
    """

    path: Path | None
    goes_on: bool = False
    stops: bool = False
    limit: int | None = None
    say: Callable[[str], object] = say_aside
    count: int = field(default=0, init=False)
    good: int = field(default=0, init=False)
    reasons: Counter[str] = field(factory=Counter, init=False)
    _known: set[tuple[str, int]] = field(factory=set, init=False)
    _file: BinaryIO | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        """Read the rejects of an earlier run, or keep them under another name.

        Raises:
            click.UsageError: If it is another kind of file, or cannot be written.
        """
        if self.path is None:
            return
        if not self.path.parent.is_dir():
            raise click.UsageError(f"{self.path} cannot be written: there is no folder {self.path.parent}")
        if self.path.is_dir():
            raise click.UsageError(f"{self.path} is a folder: name a file with --rejects")
        if not self.path.is_file():  # a device or a pipe, such as /dev/null, which is neither read nor renamed
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
            self.path.replace(f"{self.path}.1")

    def _origin(self, line: bytes) -> tuple[str, int]:
        try:
            entry = parse_json(line)
            return entry["file"], entry["line"]
        except (LookupError, ValueError):
            raise self._refusal() from None

    def _refusal(self) -> click.UsageError:
        return click.UsageError(f"{self.path} is not a rejects file: name another one with --rejects")

    def add(
        self,
        origin: tuple[str, int],
        problem: str,
        *,
        attribute: str = "",
        content: Any = None,
        format: str = "jsonl",  # noqa: A002  (the member's name in the file)
        columns: tuple[str, ...] = (),
    ) -> None:
        """Add a reject to the file, once.

        Args:
            origin: File and line.
            problem: The reason.
            attribute: The bad attribute, if it is one attribute.
            content: The line, or its values.
            format: The format of the content, so that it can be loaded again.
            columns: The header of the file, if the content is a line of CSV.

        Raises:
            StoppedError: If the user wants to stop here.
        """
        reason = (f"attribute {attribute}: " if attribute else "") + problem
        entry = {
            "file": origin[0],
            "line": origin[1],
            "attribute": attribute or None,
            "problem": problem,
            "content": content,
            "format": str(format),
        }
        if columns and isinstance(content, str):
            entry["columns"] = columns
        self.take(Reject(origin, reason, b"" if origin in self._known else _line(entry)))

    def take(self, reject: Reject) -> None:
        """Add a reject whose entry is made. It is in the file once.

        Raises:
            StoppedError: If the user wants to stop here.
        """
        self.count += 1
        reason = reject.reason
        self.reasons[reason if len(self.reasons) < REASONS_KEPT or reason in self.reasons else "other reasons"] += 1
        if self.path is None:
            return
        where = f"{reject.origin[0]}:{reject.origin[1]}: {reason}"
        if reject.origin not in self._known:
            self._known.add(reject.origin)
            self._write(self.path, reject.entry)
        if self.stops:
            raise StoppedError(where)
        if self.limit is not None and self.count > self.limit:
            raise StoppedError(f"stopped: more than {self.limit:,} bad lines; {self.summary()}")
        if self.limit is None and not self.good and self.count >= HOPELESS:
            raise StoppedError(f"stopped: the first {self.count:,} rows are all bad; {self.summary()}")
        if self.count <= MOST_SHOWN:
            self.say(where)
        elif self.count == MOST_SHOWN + 1:
            self.say(f"more bad lines: they are in {self.path}")

    def count_known(self) -> set[tuple[str, int]]:
        """Count the rejects of an earlier run, and return their origins."""
        self.count += len(self._known)
        if self._known:
            self.reasons["in an earlier run"] += len(self._known)
        return set(self._known)

    def summary(self) -> str:
        """Return the commonest reasons, each with its number."""
        common = self.reasons.most_common(REASONS_SHOWN)
        rest = self.count - sum(number for _, number in common)
        parts = [f"{number:,} times {reason}" for reason, number in common]
        return "; ".join([*parts, f"{rest:,} times other reasons"] if rest else parts)

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

    def put_in_order(self, files: Sequence[str]) -> None:
        """Write the lines of the file in the order of the input. Workers refuse rows in an order of their own.

        Args:
            files: The files of the input, in order.
        """
        self.close()
        if self.path is None or not self.path.is_file():
            return
        path = self.path.resolve()  # a link stays one
        places = {name: position for position, name in enumerate(files)}
        with path.open("rb") as file:
            keyed = [(self._origin(line), line) for line in file]
        keyed.sort(key=lambda each: (places.get(each[0][0], len(places)), each[0][1]))
        scratch = path.with_name(f"{path.name}.new")
        scratch.unlink(missing_ok=True)  # a link that lies there must not be followed
        with scratch.open("xb") as file:
            file.writelines(line for _, line in keyed)
        scratch.replace(path)


@define
class NotedRejects(Rejects):
    """The rejects of a worker, which are notes for the parent: it has the file.

    Args:
        note: Sends a note.
    """

    path: Path | None = None
    note: Callable[[Reject | Remark], object] = field(kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Send sentences for the user, too."""
        self.say: Callable[[str], object] = lambda text: self.note(Remark(text))

    def take(self, reject: Reject) -> None:
        """Send a reject."""
        self.count: int = self.count + 1
        self.note(evolve(reject, good=self.good))


class SharedRejects:
    """Takes the notes of workers. An item that is refused again, after a worker was killed, is counted once.

    Args:
        rejects: The rejects file. It counts those of an earlier run that it has.
    """

    def __init__(self, rejects: Rejects) -> None:
        self._rejects = rejects
        self._counted = rejects.count_known()
        self._has_remark = False

    def __call__(self, note: Reject | Remark) -> None:
        """Take a note.

        Raises:
            StoppedError: If the user wants to stop here.
        """
        if isinstance(note, Reject):
            self._rejects.good = max(self._rejects.good, note.good)  # so a file with few good rows is not hopeless
            if note.origin not in self._counted:
                self._counted.add(note.origin)
                self._rejects.take(note)
        elif not self._has_remark:  # one of a kind, as of one process
            self._has_remark = True
            self._rejects.say(note.text)


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
