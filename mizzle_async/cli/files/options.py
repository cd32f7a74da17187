"""The options of commands that read files."""

from __future__ import annotations

import codecs
import functools
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from mizzle_async.cli.files.rows import STORED_TYPES, ReadOptions
from mizzle_async.cli.formats import READ_FORMAT_HELP, Format

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

DELIMITER_NAMES: Final = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
NAN_WAYS: Final = ("reject", "omit", "null")


def reading(command: CommandT) -> CommandT:
    """Add the options for reading files to a command, as its argument ``reading``."""

    @click.option("--format", "format", type=click.Choice([each.value for each in Format]), help=READ_FORMAT_HELP)
    @click.option(
        "--delimiter",
        callback=_delimiter,
        metavar="SIGN",
        help="The separator of CSV, or `tab`.  [default: by the first line]",
    )
    @click.option(
        "--encoding",
        callback=_encoding,
        metavar="NAME",
        help="The encoding of text, such as cp1252.  [default: UTF-8, or by the first bytes]",
    )
    @click.option(
        "--types",
        callback=_types,
        metavar="NAME=TYPE,…",
        help=f"The stored types of attributes: {' '.join(STORED_TYPES)}. For CSV and plain JSON without a model.",
    )
    @click.option("--json-cells", is_flag=True, help="Take a cell of CSV that is JSON as its value: 7, true, [1].")
    @click.option("--strip", is_flag=True, help="Leave out blanks around the cells of CSV.")
    @click.option("--short-rows", is_flag=True, help="Take missing cells at the end of a row of CSV as absent.")
    @click.option(
        "--source-table",
        metavar="NAME",
        help="The table to read, of a file that has several.  [default: the one of the same name]",
    )
    @click.option(
        "--nan",
        type=click.Choice(NAN_WAYS),
        default="reject",
        show_default=True,
        help="A NaN in Parquet: its row is bad, it is absent, or it is null.",
    )
    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        names = ("format", "delimiter", "encoding", "types", "json_cells", "strip", "short_rows", "source_table", "nan")
        chosen = {name: options.pop(name) for name in names}
        return command(*arguments, reading=ReadOptions(**chosen), **options)

    return wrapped  # type: ignore[return-value]  # functools.wraps hides the type


def _delimiter(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    sign = DELIMITER_NAMES.get(value, value)
    if len(sign) != 1 or sign in '"\r\n':
        raise click.BadParameter("expected one character, or tab")
    return sign


def _encoding(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        codecs.getincrementaldecoder(value)
        is_text = codecs.lookup(value)._is_text_encoding  # noqa: SLF001  (there is no public name for it)
    except (LookupError, ValueError):
        is_text = False
    if not is_text:
        raise click.BadParameter(f"Python knows no encoding {value!r}; usual ones: utf-8, utf-16, cp1252, latin-1")
    return value


def _types(_context: click.Context, _parameter: click.Parameter, value: str | None) -> dict[str, str]:
    types: dict[str, str] = {}
    for part in (value or "").split(","):
        name, sign, code = part.strip().rpartition("=")
        if not part.strip():
            continue
        if not sign or not name or code not in STORED_TYPES:
            raise click.BadParameter(f"{part!r} is not NAME=TYPE with a type of {' '.join(STORED_TYPES)}")
        types[name] = code
    return types
