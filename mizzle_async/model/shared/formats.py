"""Key formats: the text of a key that is made of several attributes, ``ORDER#{placed_at}#{order_id}``.

A format is a sequence of literals and parts. Values and texts are one to one: a part never contains the character that
follows it, or has a fixed width.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from attrs import field, frozen

from mizzle_async.errors import ModelError
from mizzle_async.values import Value

PartKind: TypeAlias = Literal["text", "choice", "integer", "decimal", "datetime", "bucket", "date", "uuid"]

TEXT_CHANGES: Final = ("lower", "upper")
REST: Final = "rest"
LAST_CODE_POINT: Final = 0x10FFFF
FIRST_SURROGATE: Final = 0xD800
AFTER_SURROGATES: Final = 0xE000


@frozen(eq=False, repr=False, kw_only=True)
class KeyPart(Value):
    """One attribute inside the text of a key.

    Attributes:
        field: The attribute's name in Python.
        where: The entity and the attribute, for messages.
        kind: How its values are written.
        spec: The text after the colon: a width, a unit, a change of case.
        pattern: The regular expression that its text matches.
        width: The width of its text, where it is fixed. Ranges are then exact wherever the part stands.
        ordered: Whether the order of its texts is the order of its values.
        lossless: Whether its text has the whole value.
        discrete: Whether each value has one just below it.
        choices: All its texts, where they are listed: the values of an enum or a Literal.
        forbidden: The characters that its text must not contain.
        escape: Whether these characters are escaped instead of refused.
    """

    field: str
    where: str
    kind: PartKind
    spec: str = ""
    pattern: str
    width: int | None = None
    ordered: bool = True
    lossless: bool = True
    discrete: bool = False
    choices: tuple[str, ...] | None = None
    forbidden: str = ""
    escape: bool = False

    @property
    def takes_the_rest(self) -> bool:
        """Whether its text goes on to the end of the key, separators included."""
        return self.kind == "text" and self.spec == REST

    @property
    def is_text(self) -> bool:
        """Whether its values are text, which has beginnings."""
        return self.kind == "text"


Piece: TypeAlias = str | KeyPart


@frozen(eq=False, repr=False)
class KeyFormat(Value):
    """The text of one key.

    Attributes:
        text: The format as it was written.
        pieces: Its literals and parts, in order.
        separator: The table's separator.
    """

    text: str
    pieces: tuple[Piece, ...]
    separator: str
    parts: tuple[KeyPart, ...] = field(init=False)
    fields: tuple[str, ...] = field(init=False)
    pattern: re.Pattern[str] = field(init=False)
    head: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Derive the parts, the names of their attributes, the whole pattern, and the literal that comes first."""
        parts = tuple(piece for piece in self.pieces if isinstance(piece, KeyPart))
        groups = (re.escape(piece) if isinstance(piece, str) else f"({piece.pattern})" for piece in self.pieces)
        first = self.pieces[0]
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "fields", tuple(dict.fromkeys(part.field for part in parts)))
        object.__setattr__(self, "pattern", re.compile("".join(groups)))
        object.__setattr__(self, "head", first if isinstance(first, str) else "")

    @property
    def shape(self) -> tuple[str | tuple[str, str], ...]:
        """The format with its attributes' names and specifications, to compare formats."""
        return tuple(piece if isinstance(piece, str) else (piece.field, piece.spec) for piece in self.pieces)

    # ── whether two formats can give one text ──

    def may_equal(self, other: KeyFormat) -> bool:
        """Return whether some text can have both formats. True where that cannot be excluded."""
        mine, theirs = self._segments(), other._segments()
        takes_the_rest = any(part.takes_the_rest for part in (*self.parts, *other.parts))
        if len(mine) != len(theirs) and not takes_the_rest:
            return False
        return all(_segments_meet(one, two) for one, two in zip(mine, theirs, strict=False))

    def may_begin(self, prefix: str) -> bool:
        """Return whether some text of this format can begin with a prefix. True where that cannot be excluded."""
        *whole, last = prefix.split(self.separator)
        segments = self._segments()
        if len(whole) + 1 > len(segments) and not (self.parts and self.parts[-1].takes_the_rest):
            return False
        for segment, text in zip(segments, whole, strict=False):
            if any(isinstance(piece, KeyPart) and piece.takes_the_rest for piece in segment):
                break
            if re.fullmatch(_pattern(segment), text) is None:
                return False
        else:
            segment = segments[min(len(whole), len(segments) - 1)]
            head = _head(segment)
            closed = all(isinstance(piece, str) for piece in segment)
            return head.startswith(last) or (not closed and last.startswith(head))
        return True

    def may_lie_between(self, low: str, high: str) -> bool:
        """Return whether some text of this format can lie in a range, both ends included. In UTF-8 order."""
        head = self.head
        constant = not self.parts
        above = head if constant else successor(head) if head else None
        begins_low_enough = head.encode() <= high.encode()
        ends_high_enough = above is None or above.encode() >= low.encode()
        return begins_low_enough and ends_high_enough

    def _segments(self) -> list[list[Piece]]:
        """Split the pieces at the separator."""
        segments: list[list[Piece]] = [[]]
        for piece in self.pieces:
            if isinstance(piece, KeyPart):
                segments[-1].append(piece)
                continue
            first, *more = piece.split(self.separator)
            segments[-1].append(first)
            segments.extend([text] for text in more)
        return [[piece for piece in segment if piece != ""] for segment in segments]

    def __repr__(self) -> str:
        return f"<KeyFormat {self.text}>"


def successor(text: str) -> str:
    """Return the smallest text above every text that begins with this one, in UTF-8 order.

    Raises:
        ModelError: There is none.
    """
    for at in range(len(text) - 1, -1, -1):
        code = ord(text[at]) + 1
        if code <= LAST_CODE_POINT:
            return text[:at] + chr(AFTER_SURROGATES if code == FIRST_SURROGATE else code)
    raise ModelError(f"no text is above {text!r}")


def _pattern(segment: list[Piece]) -> str:
    return "".join(re.escape(piece) if isinstance(piece, str) else f"(?:{piece.pattern})" for piece in segment)


def _head(segment: list[Piece]) -> str:
    return segment[0] if segment and isinstance(segment[0], str) else ""


def _width(segment: list[Piece]) -> int | None:
    """Return the width of a segment's text, None where it varies."""
    widths = [len(piece) if isinstance(piece, str) else piece.width for piece in segment]
    return sum(width for width in widths if width is not None) if None not in widths else None


def _segments_meet(mine: list[Piece], theirs: list[Piece]) -> bool:
    """Return whether one text between separators can belong to both."""
    for one, other in ((mine, theirs), (theirs, mine)):
        texts = _listed(one)
        if texts is not None:
            return any(re.fullmatch(_pattern(other), text) for text in texts)
    widths = _width(mine), _width(theirs)
    if None not in widths and widths[0] != widths[1]:
        return False
    heads = _head(mine), _head(theirs)
    return heads[0].startswith(heads[1]) or heads[1].startswith(heads[0])


def _listed(segment: list[Piece]) -> list[str] | None:
    """Return all texts of a segment, None where they cannot be listed."""
    texts = [""]
    for piece in segment:
        if isinstance(piece, str):
            endings: Mapping[str, None] | tuple[str, ...] = (piece,)
        elif piece.choices is not None:
            endings = piece.choices
        else:
            return None
        texts = [text + ending for text in texts for ending in endings]
    return texts
