"""Compression and encoding are seen in the first bytes of a file, whatever its name says."""

import bz2
import gzip
import io
import lzma
import sys
import types
from importlib import import_module

import click
import pytest

from mizzle_async.cli.files import opening
from mizzle_async.cli.files.opening import open_input
from mizzle_async.cli.files.source import Source

LINES = b'{"id": "1"}\n{"id": "2"}\n'


def contents(path, encoding=None):
    """Return the contents of a file."""
    with open_input(str(path), encoding) as (stream, _):
        return stream.read()


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, bytes])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.json.xz"])
def test_compression_is_seen_in_the_first_bytes(tmp_path, compress, name):
    """A file is decompressed by its contents; its name may be that of another compression, or of none."""
    (tmp_path / name).write_bytes(compress(LINES))
    assert contents(tmp_path / name) == LINES
    assert [row.values for row in Source((str(tmp_path / name),))] == [{"id": "1"}, {"id": "2"}]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_file_of_several_members_is_read_to_its_end(tmp_path, compress):
    """Compressed parts that were put one behind the other are one file."""
    (tmp_path / "a").write_bytes(compress(LINES) + compress(LINES))
    assert contents(tmp_path / "a") == LINES * 2


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("size", [3, 8, -4])
def test_file_that_is_cut_is_told(tmp_path, compress, size):
    """A compressed file that is cut short is a bad file, not one of fewer items."""
    whole = compress(b'{"id": "%d"}\n' * 100 % tuple(range(100)))
    (tmp_path / "a.jsonl").write_bytes(whole[:size])
    if size == 3 and compress is not gzip.compress:
        return  # fewer bytes than the mark: it is no compression any more
    with pytest.raises(click.ClickException, match="cannot be read to its end"):
        list(Source((str(tmp_path / "a.jsonl"),)))


def test_zstandard_needs_its_extra(tmp_path, monkeypatch):
    """A file of Zstandard is read with the library of Python or of the extra, and refused by name without."""
    (tmp_path / "a.jsonl.zst").write_bytes(b"\x28\xb5\x2f\xfd....")

    class ZstdFile(io.BytesIO):
        def __init__(self, stream):
            assert stream.read() == b"\x28\xb5\x2f\xfd...."
            super().__init__(LINES)

    with monkeypatch.context() as patch:
        for module in ("compression.zstd", "backports.zstd"):
            patch.setitem(sys.modules, module, None)
        with pytest.raises(click.UsageError, match=r"mizzle-async\[zstd\]"):
            contents(tmp_path / "a.jsonl.zst")
    for module in ("compression", "backports"):
        monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    module = types.ModuleType("compression.zstd")
    module.ZstdFile, module.ZstdError = ZstdFile, ValueError
    monkeypatch.setitem(sys.modules, "compression.zstd", module)
    assert contents(tmp_path / "a.jsonl.zst") == LINES


def test_zstandard_is_read(tmp_path):
    """A file of Zstandard, also one of several frames, is read with the extra, or with Python's own library."""
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    zstd = import_module(name)
    (tmp_path / "a.jsonl").write_bytes(zstd.compress(LINES) * 2)
    assert [row.values["id"] for row in Source((str(tmp_path / "a.jsonl"),))] == ["1", "2"] * 2
    (tmp_path / "a.jsonl").write_bytes(zstd.compress(LINES * 100)[:-6])
    with pytest.raises(click.ClickException, match="cannot be read to its end"):
        list(Source((str(tmp_path / "a.jsonl"),)))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_json_of_another_encoding(tmp_path, encoding):
    """JSON as a Windows shell redirects it is read, by the mark at its beginning or by its zero bytes."""
    (tmp_path / "a.json").write_bytes('{"id": "ä"}\r\n{"id": "\U0001f600"}\r\n'.encode(encoding))
    assert [row.values for row in Source((str(tmp_path / "a.json"),))] == [{"id": "ä"}, {"id": "\U0001f600"}]


def test_text_that_ends_in_a_character_is_told(tmp_path):
    """Half of a character of UTF-16 at the end is a bad file."""
    (tmp_path / "a.json").write_bytes('{"id": "ä"}\n'.encode("utf-16") + b"{")
    with pytest.raises(click.ClickException, match="cannot be read to its end: it is not utf-16"):
        list(Source((str(tmp_path / "a.json"),)))


def test_byte_of_another_encoding_makes_its_line_bad(tmp_path):
    """A byte that is none of the named encoding spoils its line only."""
    (tmp_path / "a.jsonl").write_bytes(b'{"id": "\x81"}\n{"id": "x"}\n')
    with open_input(str(tmp_path / "a.jsonl"), "cp1252") as (stream, _):
        assert stream.read() == b'{"id": "\x81"}\n{"id": "x"}\n'


def test_a_slow_pipe_gives_its_first_line_at_once():
    """The first line of a pipe is not held back until more has come."""

    class Slow(io.RawIOBase):
        parts = [b"{", b'"id"', b": 1}\n"]  # noqa: RUF012  (each test has the class anew)

        def readable(self):
            return True

        def readinto(self, buffer):
            if not self.parts:
                raise AssertionError("it waited for more")
            part = self.parts.pop(0)
            buffer[: len(part)] = part
            return len(part)

    slow = io.BufferedReader(Slow())
    head = opening.read_head(slow)
    assert head == b'{"id": 1}\n'[: len(head)]
    assert opening.buffered(opening.Headed(head, slow)).readline() == b'{"id": 1}\n'
