"""Folders as inputs: exports to S3 by their manifest, and folders of files."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

import click
from attrs import frozen

from mizzle_async.bulk.workers.folders import MANIFEST, is_part
from mizzle_async.cli.files.opening import READ_ERRORS, open_input
from mizzle_async.cli.files.rows import unreadable
from mizzle_async.cli.formats import STANDARD, SUFFIXES, plain_suffix
from mizzle_async.marshalling import parse_json

FILES: Final = "manifest-files.json"
SUMMARY: Final = "manifest-summary.json"
DATA: Final = "data"
CHUNK: Final = 1024 * 1024


@frozen
class InputFile:
    """A file to read.

    Attributes:
        name: Its path, or ``-`` for standard input.
        items: The number of items that a manifest says it has, or None.
        md5: The MD5 digest that a manifest says it has, in base64, or None.
    """

    name: str
    items: int | None = None
    md5: str | None = None

    def check(self) -> None:
        """Check the digest.

        Raises:
            click.UsageError: If it is another one.
        """
        if self.md5 is None:
            return
        digests = _digests(self.name)
        if self.md5 not in digests:
            raise click.UsageError(
                f"{self.name} is not the file that its manifest describes: its MD5 digest is {next(iter(digests))}, not"
                f" {self.md5}; fetch it again"
            )


def _digests(name: str) -> Iterator[str] | list[str]:
    """Return the MD5 digests of a file as it is, and of its contents."""
    whole = hashlib.md5(usedforsecurity=False)
    with Path(name).open("rb") as file:
        while part := file.read(CHUNK):
            whole.update(part)
    contents = hashlib.md5(usedforsecurity=False)
    try:
        with open_input(name) as (stream, _):
            while part := stream.read(CHUNK):
                contents.update(part)
    except READ_ERRORS:
        return [b64encode(whole.digest()).decode()]
    return [b64encode(digest).decode() for digest in (whole.digest(), contents.digest())]


def expand(names: tuple[str, ...]) -> list[InputFile]:
    """Return the files of the names that the user gives.

    Args:
        names: Files, pipes, folders, manifests, and ``-`` for standard input.

    Raises:
        click.UsageError: If one does not exist, or a folder has no files of items.
    """
    return [file for name in names for file in _expand(name)]


def _expand(name: str) -> list[InputFile]:
    if name == STANDARD:
        return [InputFile(name)]
    if name.startswith("s3://"):
        raise click.UsageError(
            f"{name} is not on this machine: fetch it with `aws s3 cp --recursive`, and load the folder"
        )
    path = Path(name)
    if path.name in {FILES, SUMMARY} and path.is_file():
        return _of_manifest(path.parent)
    if path.name == MANIFEST and path.is_file():
        return _of_parts(path.parent)
    if path.is_dir():
        return _of_folder(path)
    if path.is_file() or path.is_fifo() or path.is_char_device() or path.is_socket():
        return [InputFile(name)]
    raise click.UsageError(f"{name} is not a file: there is none of this name")


def _of_folder(path: Path) -> list[InputFile]:
    if (path / FILES).is_file():
        return _of_manifest(path)
    if (path / MANIFEST).is_file():
        return _of_parts(path)
    exports = sorted(child for child in path.iterdir() if (child / FILES).is_file())
    if len(exports) == 1:
        return _of_manifest(exports[0])
    if exports:
        raise click.UsageError(
            f"{path} has several exports, {', '.join(child.name for child in exports)}: name their folders, the oldest"
            " first"
        )
    folder = path / DATA if (path / DATA).is_dir() else path
    files = sorted(child for child in folder.iterdir() if child.is_file() and plain_suffix(child.name) in SUFFIXES)
    files = [file for file in files if file.name not in {FILES, SUMMARY, "schema.json"}]
    if any(is_part(file.name) for file in files):
        raise click.UsageError(
            f"{path} has parts of an export that is not complete, as it has no {MANIFEST}: end it with --resume, or"
            " name the files"
        )
    if not files:
        raise click.UsageError(f"{path} is a folder without files of items and without {FILES}")
    return [InputFile(str(file)) for file in files]


def _of_parts(folder: Path) -> list[InputFile]:
    """Return the files of an export of several processes. Those without items are left out.

    Raises:
        click.UsageError: If one of them is missing or has another size, or the manifest cannot be read.
    """
    try:
        content: Any = parse_json((folder / MANIFEST).read_bytes())
        sizes = {str(entry["name"]): int(entry["bytes"]) for entry in content["files"]}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise click.UsageError(f"{folder / MANIFEST} is no manifest of an export") from error
    for name, size in sizes.items():
        file = folder / PurePosixPath(name).name
        if not file.is_file():
            raise click.UsageError(f"{folder} lacks {name}, which {MANIFEST} names: fetch the whole export")
        if file.stat().st_size != size:
            raise click.UsageError(
                f"{file} is not the file that its manifest describes: it has {file.stat().st_size:,} bytes, not"
                f" {size:,}; fetch it again"
            )
    filled = [name for name, size in sizes.items() if size] or list(sizes)[:1]
    return [InputFile(str(folder / PurePosixPath(name).name)) for name in filled]


def _of_manifest(folder: Path) -> list[InputFile]:
    """Return the files that a manifest names.

    Raises:
        click.UsageError: If one of them is missing, or the manifest cannot be read.
    """
    _check_manifest(folder)
    files: list[InputFile] = []
    missing: list[str] = []
    for entry in _entries(folder / FILES):
        key = PurePosixPath(str(entry.get("dataFileS3Key", "")))
        places = [folder / DATA / key.name, folder.parent / DATA / key.name, folder / key.name]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            missing.append(key.name)
            continue
        count, md5 = entry.get("itemCount"), entry.get("md5Checksum")
        files.append(InputFile(str(found), count if isinstance(count, int) else None, md5 or None))
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise click.UsageError(f"{folder} lacks {missing[0]}{more}, which {FILES} names: fetch the whole export")
    return files


def _check_manifest(folder: Path) -> None:
    """Check the manifest of the files against the checksum beside it."""
    checksum = folder / FILES.replace(".json", ".checksum")
    if not checksum.is_file():
        return
    expected = checksum.read_text(encoding="utf-8", errors="replace").strip()
    digest = hashlib.md5((folder / FILES).read_bytes(), usedforsecurity=False).digest()
    try:
        is_other = b64decode(expected, validate=True) != digest
    except ValueError:
        return  # a checksum of another form
    if is_other and len(b64decode(expected)) == len(digest):
        raise click.UsageError(f"{folder / FILES} is not the file that its checksum describes: fetch it again")


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with open_input(str(path)) as (stream, _):
            for line in stream:
                if line.strip():
                    entry = parse_json(line)
                    if isinstance(entry, dict):
                        yield entry
    except (*READ_ERRORS, ValueError) as error:
        raise unreadable(str(path), error) from error
