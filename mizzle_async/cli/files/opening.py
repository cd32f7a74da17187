"""Opening a file: its first bytes show the compression and the encoding, and its name does not count."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import click

from mizzle_async.cli.formats import STANDARD

HEAD_BYTES: Final = 6
"""The longest mark of a compression."""

CHUNK_BYTES: Final = 64 * 1024

READ_ERRORS: Final = (EOFError, OSError, zlib.error, lzma.LZMAError)
"""The errors of a stream that is cut short, or is not of its compression."""

ENCODING_MARKS: Final = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}
"""Byte order marks, the longer of two that begin alike first."""


class Headed(io.RawIOBase):
    """A stream whose first bytes were read before.

    Args:
        head: The bytes that were read.
        rest: The stream that has the rest.
    """

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = memoryview(head)
        self._rest = rest

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the first bytes, then those of the rest."""
        if self._head:
            size = min(len(buffer), len(self._head))
            buffer[:size] = self._head[:size]
            self._head = self._head[size:]
            return size
        part = read_some(self._rest, len(buffer))
        buffer[: len(part)] = part
        return len(part)


class Transcoded(io.RawIOBase):
    """A stream of text in another encoding, as UTF-8.

    A byte that is none of the encoding stays as it is, and makes its line bad.

    Args:
        stream: The text.
        encoding: Its encoding.
    """

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="surrogateescape")
        self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some bytes of UTF-8."""
        while not self._ready and not self._ended:
            part = read_some(self._stream, CHUNK_BYTES)
            self._ended = not part
            try:
                text = self._decoder.decode(part, final=self._ended)
            except UnicodeError:  # UTF-16 and UTF-32 have no bytes that could stay as they are
                raise OSError(f"it is not {self._encoding}, or ends in the middle of a character") from None
            self._ready = text.encode("utf-8", "surrogateescape")
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


class Translated(io.RawIOBase):
    """A decompressed stream whose errors are those of a damaged file.

    Args:
        stream: The stream.
        error: The error of its library.
    """

    def __init__(self, stream: BinaryIO, error: type[Exception]) -> None:
        self._stream = stream
        self._error = error

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some bytes.

        Raises:
            OSError: If the stream is damaged.
        """
        try:
            part = self._stream.read(len(buffer))
        except self._error as error:
            raise OSError(str(error)) from error
        buffer[: len(part)] = part
        return len(part)


def read_some(stream: BinaryIO, size: int) -> bytes:
    """Return the bytes that are there, at most so many, and none at the end only."""
    read = getattr(stream, "read1", stream.read)
    return cast("bytes", read(size) or b"")


def buffered(stream: io.RawIOBase) -> BinaryIO:
    """Return a stream with a buffer."""
    return cast("BinaryIO", io.BufferedReader(stream, CHUNK_BYTES))


def restored(head: bytes, stream: BinaryIO) -> BinaryIO:
    """Return a stream from its beginning, after its first bytes were read."""
    if stream.seekable():
        stream.seek(0)
        return stream
    return buffered(Headed(head, stream))


def read_head(stream: BinaryIO) -> bytes:
    """Return the first bytes of a stream: enough to see its compression, or its first line."""
    head = b""
    while len(head) < HEAD_BYTES and b"\n" not in head:
        part = read_some(stream, CHUNK_BYTES)
        if not part:
            break
        head += part
    return head


def standard_input() -> BinaryIO:
    """Return standard input with a new buffer: a thread must not read the interpreter's buffer at its exit."""
    try:
        descriptor = sys.stdin.fileno()
    except io.UnsupportedOperation:  # tests replace it
        return sys.stdin.buffer
    return open(descriptor, "rb", closefd=False)


class open_input:  # noqa: N801  (it is used like `open`)
    """A context with the contents of a file, decompressed and in UTF-8, and the file itself, for its position.

    Args:
        name: The file, or ``-`` for standard input.
        encoding: The encoding of its text. None is UTF-8, or the one that its first bytes show.
    """

    def __init__(self, name: str, encoding: str | None = None) -> None:
        self._name = name
        self._encoding = encoding
        self._raw: BinaryIO | None = None

    def __enter__(self) -> tuple[BinaryIO, BinaryIO]:
        self._raw = standard_input() if self._name == STANDARD else Path(self._name).open("rb")
        try:
            return self._contents(self._raw), self._raw
        except BaseException:
            self.__exit__()
            raise

    def _contents(self, stream: BinaryIO) -> BinaryIO:
        """Return the contents of a stream.

        Raises:
            click.UsageError: If it is an archive of files, or of a compression whose library is missing.
            click.ClickException: If it is damaged.
        """
        try:
            head = read_head(stream)
            stream = restored(head, stream)
            opener = _opener(self._name, head)
            if opener is not None:
                stream = cast("BinaryIO", io.BufferedReader(opener(stream)))
                head = read_head(stream)
                stream = restored(head, stream)
        except READ_ERRORS as error:
            raise click.ClickException(f"{self._name} cannot be read to its end: {error}") from error
        encoding = self._encoding or _encoding(head)
        return stream if encoding is None else buffered(Transcoded(stream, encoding))

    def __exit__(self, *exception: object) -> None:
        if self._raw is not None and self._name != STANDARD:
            self._raw.close()


def _encoding(head: bytes) -> str | None:
    """Return the encoding that the first bytes of a text show, or None for UTF-8."""
    for mark, encoding in ENCODING_MARKS.items():
        if head.startswith(mark):
            return encoding
    first, second = (*head[:2], 1, 1)[:2]
    if not first and second:  # the first character of a layout is ASCII: its zero byte shows the order
        return "utf-16-be"
    return "utf-16-le" if first and not second else None


def _opener(name: str, head: bytes) -> Callable[[BinaryIO], Any] | None:
    """Return the function that decompresses, or None.

    Raises:
        click.UsageError: If it is an archive of files, or a compression whose library is missing.
    """
    if head.startswith(b"\x1f\x8b"):
        return lambda stream: gzip.GzipFile(fileobj=stream)
    if head.startswith(b"BZh"):
        return bz2.BZ2File
    if head.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return _zstandard(name)
    if head.startswith(b"PK\x03\x04"):
        raise click.UsageError(
            f"{name} is a ZIP archive, as Excel workbooks are too: unpack it, or save the sheet as CSV"
        )
    return None


def _zstandard(name: str) -> Callable[[BinaryIO], Any]:
    for module in ("compression.zstd", "backports.zstd"):
        try:
            library: Any = import_module(module)
        except ImportError:
            continue
        return lambda stream: Translated(library.ZstdFile(stream), library.ZstdError)
    raise click.UsageError(
        f"{name} is compressed with Zstandard, which needs the extra `zstd`: pip install 'mizzle-async[zstd]'"
    )
