"""PartiQL statements as text: quoted names, counted parameters, and the kind of a statement.

Nothing here parses PartiQL: it knows where text, quoted names and comments begin and end, which is enough to count
``?``.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from mizzle_async.errors import ExpressionError, LimitError
from mizzle_async.limits import PARTIQL_STATEMENT_LENGTH

_QUOTED: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/""", re.DOTALL)
"""Texts, quoted names and comments: a ``?`` in them is no parameter."""

_OPEN: Final = re.compile(r"""['"]|/\*""")
_TABLE: Final = re.compile(r"""(?:\bfrom|\binto|^\s*update)\s+(?:"((?:[^"]|"")*)"|([\w.-]+))""", re.IGNORECASE)


class StatementKind(Enum):
    """The kind of a statement."""

    READ = "read"
    INSERT = "insert"
    WRITE = "write"


def identifier(*names: str) -> str:
    """Return names as PartiQL writes them: quoted, joined by dots.

    Values never belong into a statement's text: write ``?`` and give them as parameters.

    Args:
        *names: A table, a table and an index, or an attribute and the members inside it.

    Example:
        ``f"SELECT * FROM {identifier('orders', 'by-status')} WHERE status = ?"``

    Raises:
        ExpressionError: A name is empty, or no text.
    """
    if not names or not all(map(_is_name, names)):
        raise ExpressionError("identifier() takes names: text that is not empty")
    return ".".join('"{}"'.format(name.replace('"', '""')) for name in names)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name)


def check_statement(statement: str, parameters: int) -> StatementKind:
    """Check a statement's text, as far as this library understands it.

    Args:
        statement: The text.
        parameters: How many values were given.

    Returns:
        The kind of the statement.

    Raises:
        ExpressionError: The number of ``?`` is another one, a quotation does not end, or it is no statement.
        LimitError: It is too long.
    """
    if not isinstance(statement, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # types may be unchecked
        raise ExpressionError(f"a statement is text, not {type(statement).__name__}")
    if len(statement) > PARTIQL_STATEMENT_LENGTH:
        raise LimitError(
            f"this statement has {len(statement):,} characters, DynamoDB takes {PARTIQL_STATEMENT_LENGTH:,}: give "
            "values as parameters"
        )
    bare = _QUOTED.sub(" ", statement)
    if _OPEN.search(bare):
        raise ExpressionError("a quotation or a comment in this statement does not end")
    wanted = bare.count("?")
    if wanted != parameters:
        raise ExpressionError(
            f"this statement has {wanted} parameter{'' if wanted == 1 else 's'} (?), and {parameters} "
            f"value{' was' if parameters == 1 else 's were'} given"
        )
    word = re.match(r"\s*(\w*)", bare)
    match word[1].upper() if word else "":
        case "SELECT" | "EXISTS":
            return StatementKind.READ
        case "INSERT":
            return StatementKind.INSERT
        case "UPDATE" | "DELETE":
            return StatementKind.WRITE
        case _:
            raise ExpressionError("a statement begins with SELECT, INSERT, UPDATE, DELETE or, in a transaction, EXISTS")


def table_of(statement: str) -> str:
    """Return the table that a statement names first, for messages, or an empty text where there is none."""
    found = _TABLE.search(statement)
    if found is None:
        return ""
    quoted, bare = found.groups()
    return str(quoted).replace('""', '"') if quoted is not None else str(bare)
