"""Reading key formats: from the text at the decorator, or in a template, to literals and parts."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from typing import Any

from attrs import evolve

from mizzle_async.errors import ModelError
from mizzle_async.model.shared.formats import KeyFormat, KeyPart, Piece


def parse_format(
    where: str, text: Any, make_part: Callable[[str, str], KeyPart], *, separator: str, allow_empty_names: bool = False
) -> KeyFormat:
    """Read a format.

    Args:
        where: The entity and the key, for messages.
        text: The format.
        make_part: Makes the part of a name and a specification.
        separator: The table's separator.
        allow_empty_names: Whether parts are ``{}``, in order, instead of ``{name}``.

    Raises:
        ModelError: The format is not text, is empty, or could give one text for different values.
    """
    if not isinstance(text, str) or not text:
        raise ModelError(f'{where}: a key format is a text, such as "ORDER#{{order_id}}", not {text!r}')
    pieces: list[Piece] = []
    try:
        fields = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ModelError(f"{where}: {text!r}: {error}") from None
    for literal, name, spec, conversion in fields:
        if literal:
            _add_literal(pieces, literal)
        if name is None:
            continue
        if conversion or (not name and not allow_empty_names) or (name and allow_empty_names):
            form = "{} for each path" if allow_empty_names else "{name} for each attribute"
            raise ModelError(f"{where}: {text!r}: write {form}, with a colon for its format")
        pieces.append(make_part(name, spec or ""))
    return KeyFormat(text, tuple(_separated(where, text, pieces)), separator)


def _add_literal(pieces: list[Piece], literal: str) -> None:
    """Append a literal, joined to the one before it: ``{{`` comes as a piece of its own."""
    if pieces and isinstance(pieces[-1], str):
        pieces[-1] += literal
    else:
        pieces.append(literal)


def _separated(where: str, text: str, pieces: list[Piece]) -> list[Piece]:
    """Return the pieces, each part without a fixed width kept from containing the character that follows it.

    Raises:
        ModelError: Nothing separates a part from the next one.
    """
    result = list(pieces)
    for at, piece in enumerate(pieces[:-1]):
        if not isinstance(piece, KeyPart) or piece.width is not None:
            continue
        following = pieces[at + 1]
        if isinstance(following, KeyPart):
            raise ModelError(
                f"{where}: {text!r}: nothing separates {piece.field} from {following.field}: "
                "put a literal between them, or give the first a fixed width"
            )
        if piece.takes_the_rest:
            raise ModelError(f"{where}: {text!r}: {{{piece.field}:rest}} takes the rest of the key: put it last")
        if piece.choices is not None or not piece.is_text:
            _check_boundary(where, text, piece, following[0])
        elif following[0] not in piece.forbidden:
            forbidden = piece.forbidden + following[0]
            result[at] = evolve(piece, forbidden=forbidden, pattern=f"[^{re.escape(forbidden)}]+")
    return result


def _check_boundary(where: str, text: str, part: KeyPart, following: str) -> None:
    """Refuse a literal after listed values or digits that could be a piece of the value.

    Raises:
        ModelError: It could.
    """
    mixed = any(following in choice for choice in part.choices or ()) or (
        part.kind == "integer" and following.isdigit()
    )
    if mixed:
        raise ModelError(
            f"{where}: {text!r}: {following!r} comes after {part.field} and stands in its values too: "
            "choose another literal"
        )
