"""Reading one JSON document piece by piece: an array of a million items is never in memory as a whole."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO, Final, NoReturn

from mizzle_async.cli.files.opening import read_some
from mizzle_async.marshalling.plain import MOST_INTEGER_DIGITS

CHUNK: Final = 64 * 1024
"""Characters that are read at a time."""

LONGEST_VALUE: Final = 64 * 1024 * 1024
"""Characters of one value, beyond which the document is taken to be damaged."""

NEAR_THE_END: Final = 12
"""Characters before the end of the buffer, within which a fault may be that of a value that is cut: an escape, a
literal, a number."""

LONGEST_SIGN: Final = 2
"""Characters between two digits of a number: ``e-``."""

BLANKS: Final = " \t\r\n"


class DocumentError(ValueError):
    """A document is not JSON at some place."""


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= MOST_INTEGER_DIGITS else Decimal(text)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number that DynamoDB stores")


DECODER: Final = json.JSONDecoder(parse_float=Decimal, parse_int=_integer, parse_constant=_no_constant)


class JsonCursor:
    """A place in a document.

    Args:
        stream: The document, in UTF-8.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._buffer = ""
        self._at = 0
        self._line = 1
        self._column = 1
        self._ended = False

    def peek(self) -> str:
        """Return the next character that is not blank, or an empty text at the end."""
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in BLANKS:
                    return self._buffer[self._at]
                self._at += 1
            if not self._fill(CHUNK):
                return ""

    def take(self, sign: str) -> None:
        """Pass a character.

        Raises:
            DocumentError: If it is another one.
        """
        if self.peek() != sign:
            self._fail(f"expected {sign!r}" if self.peek() else f"it ends where {sign!r} is expected", self._at)
        self._at += 1

    def value(self) -> Any:
        """Return the value that begins here.

        Raises:
            DocumentError: If it is not JSON.
        """
        self.peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if not self._may_be_cut(error) or not self._fill(len(self._buffer) - self._at):
                    self._fail(error.msg, error.pos)
            except RecursionError:
                self._fail("it is nested too deeply", self._at)
            except InvalidOperation:
                self._fail("the exponent of a number is out of any range", self._at)
            except ValueError as error:
                self._fail(str(error), self._at)
            else:
                if self._buffer[end - 1] in '"}]' or not self._is_cut(end) or not self._fill(CHUNK):
                    self._at = end
                    return value

    def elements(self) -> Iterator[Any]:
        """Yield the elements of the array that begins here."""
        self.take("[")
        while self.peek() != "]":
            yield self.value()
            if self.peek() != "]":
                self.take(",")
        self.take("]")

    def members(self) -> Iterator[str]:
        """Yield the names of the object that begins here. The caller reads each value before the next name."""
        self.take("{")
        while self.peek() != "}":
            name = self.value()
            if not isinstance(name, str):
                self._fail("expected the name of a member, in double quotes", self._at)
            self.take(":")
            yield name
            if self.peek() != "}":
                self.take(",")
        self.take("}")

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        return error.msg.startswith("Unterminated string") or error.pos >= len(self._buffer) - NEAR_THE_END

    def _is_cut(self, end: int) -> bool:
        """Return whether a number or a literal may go on after the buffer."""
        rest = self._buffer[end : end + LONGEST_SIGN + 1]
        return len(rest) <= LONGEST_SIGN and not rest.strip(".eE+-")

    def _fill(self, size: int) -> bool:
        """Read more, and forget the part that was passed. Return whether there was more."""
        if self._ended:
            return False
        if len(self._buffer) - self._at > LONGEST_VALUE:
            self._fail("a value does not end", self._at)
        part = ""
        while not part and not self._ended:
            content = read_some(self._stream, max(size, CHUNK))
            self._ended = not content
            try:
                part = self._decoder.decode(content, final=self._ended)
            except UnicodeDecodeError:
                self._fail("it is not UTF-8: name its encoding with --encoding", len(self._buffer))
        if part:
            self._line, self._column = self._place(self._at)
            self._buffer = self._buffer[self._at :] + part
            self._at = 0
        return bool(part)

    def _place(self, at: int) -> tuple[int, int]:
        passed = self._buffer[:at]
        lines = passed.count("\n")
        return self._line + lines, at - passed.rfind("\n") if lines else self._column + at

    def _fail(self, problem: str, at: int) -> NoReturn:
        line, column = self._place(at)
        raise DocumentError(f"no JSON at line {line}, column {column}: {problem}") from None
