"""Key conditions on the text of a key that is made of several attributes: exact ranges, or none.

Values given by equality fill the text from the left. One comparison on the next part makes a range that holds exactly
the texts that it means, in the order of UTF-8, and never a neighbour's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from attrs import frozen

from mizzle_async.errors import ExpressionError
from mizzle_async.model.shared.formats import KeyFormat, KeyPart, successor
from mizzle_async.model.shared.texts import value_below, write_part
from mizzle_async.values import Value

HIGHEST: Final = "\U0010ffff" * 256
"""No sort key is above it: it has the most bytes that one can have."""

RangeOperator: TypeAlias = Literal["", "=", "begins_with", "<=", ">=", "BETWEEN", "empty"]


@frozen(eq=False, repr=False)
class KeyRange(Value):
    """A condition on the stored text of a key.

    Attributes:
        operator: The operator. Empty for no condition, ``"empty"`` for a range that holds nothing.
        texts: Its operands.
        excluded: The value of the last part that a filter must leave out, as ``(field, value)``.
    """

    operator: RangeOperator
    texts: tuple[str, ...] = ()
    excluded: tuple[str, Any] | None = None

    @property
    def low(self) -> str:
        """The lowest text in it."""
        return self.texts[0] if self.texts and self.operator != "<=" else ""

    @property
    def high(self) -> str:
        """A text that no text in it lies above."""
        match self.operator:
            case "" | ">=":
                return HIGHEST
            case "begins_with":
                return successor(self.texts[0])
            case _:
                return self.texts[-1] if self.texts else ""


@frozen(eq=False, repr=False)
class PartComparison(Value):
    """One comparison of one attribute of a key.

    Attributes:
        field: The attribute's name in Python.
        operator: The operator of the condition.
        arguments: Its values.
    """

    field: str
    operator: str
    arguments: tuple[Any, ...]


def key_range(entity: str, key_format: KeyFormat, known: Mapping[str, Any], last: PartComparison | None) -> KeyRange:
    """Return the condition on a key's text.

    Args:
        entity: For messages.
        key_format: The key's format.
        known: Values that are compared by equality, by Python name. Those of other keys among them are ignored.
        last: The comparison of the part after them, or None.

    Raises:
        ExpressionError: The comparison leaves a gap, or its range would not be exact.
        MarshallingError: A value does not fit its part.
    """
    prefix, at = _filled(key_format, known)
    if at == len(key_format.pieces):
        if last is not None:
            raise ExpressionError(
                f"{entity}: every part of {key_format.text!r} has a value already: leave {last.field} out"
            )
        return KeyRange("=", (prefix,))
    part = key_format.pieces[at]
    assert isinstance(part, KeyPart)  # noqa: S101  (only an unknown part ends the filled beginning)
    _check_no_gap(entity, key_format, known, part, at)
    if last is None:
        return KeyRange("begins_with", (prefix,)) if prefix else KeyRange("")
    if last.field != part.field:
        raise ExpressionError(
            f"{entity}: {last.field} comes after {part.field} in {key_format.text!r}: give {part.field} == … first"
        )
    if last.operator == "begins_with":
        return _beginning(entity, part, prefix, last.arguments[0])
    following = key_format.pieces[at + 1 : at + 2]
    _check_exact(entity, key_format, part, last, is_last=not following)
    if not following:
        return _last_range(entity, part, prefix, last)
    return _inner_range(entity, part, prefix, last, following[0] if isinstance(following[0], str) else "")


def _filled(key_format: KeyFormat, known: Mapping[str, Any]) -> tuple[str, int]:
    """Return the beginning of a key that known values fill, and the position of the first piece after it."""
    prefix = ""
    for at, piece in enumerate(key_format.pieces):
        if isinstance(piece, str):
            prefix += piece
        elif piece.field in known:
            prefix += write_part(piece, known[piece.field])
        else:
            return prefix, at
    return prefix, len(key_format.pieces)


def _check_no_gap(entity: str, key_format: KeyFormat, known: Mapping[str, Any], part: KeyPart, at: int) -> None:
    later = [piece.field for piece in key_format.pieces[at:] if isinstance(piece, KeyPart) and piece.field in known]
    earlier = {piece.field for piece in key_format.pieces[:at] if isinstance(piece, KeyPart)}
    gaps = [field for field in later if field not in earlier]
    if gaps:
        raise ExpressionError(
            f"{entity}: {gaps[0]} comes after {part.field} in {key_format.text!r}: give {part.field} == … first"
        )


def _beginning(entity: str, part: KeyPart, prefix: str, value: Any) -> KeyRange:
    if not part.is_text:
        raise ExpressionError(
            f"{entity}: begins_with() compares text, and {part.field} is stored as {part.kind}: compare it by == or by"
            " a range"
        )
    beginning = prefix + write_part(part, value) if value else prefix
    return KeyRange("begins_with", (beginning,)) if beginning else KeyRange("")


def _check_exact(entity: str, key_format: KeyFormat, part: KeyPart, last: PartComparison, *, is_last: bool) -> None:
    if part.lossless and part.ordered and (is_last or part.width is not None):
        return
    if not part.lossless:
        why = "is written without the whole value"
    elif not part.ordered:
        remedy = "leave escape= out" if part.escape else f"give it a width, {{{part.field}:010}}"
        why = f"is not written in the order of its values ({remedy})"
    else:
        why = "has no fixed width, and more follows it"
    raise ExpressionError(
        f"{entity}: {part.field} {last.operator} … would not be exact: in {key_format.text!r} it {why}; "
        "== and begins_with() are exact"
    )


def _inner_range(entity: str, part: KeyPart, prefix: str, last: PartComparison, literal: str) -> KeyRange:
    """Return the range of a comparison of a part in the middle. ``literal`` follows it, empty before another part."""

    def above(text: str) -> str:
        """Return a text above every key with this value, and below every key with a higher one."""
        return text + successor(literal[0]) if literal else successor(text)

    first, *more = [prefix + write_part(part, value) for value in last.arguments]
    end = successor(prefix) if prefix else ""
    match last.operator:
        case ">=":
            return _between(first, end)
        case ">":
            return _between(above(first), end)
        case "<=":
            return _between(prefix, above(first))
        case "<":
            return _between(prefix, first)
        case "BETWEEN":
            return _between(first, above(more[0]))
        case operator:
            raise _not_comparable(entity, operator)


def _last_range(entity: str, part: KeyPart, prefix: str, last: PartComparison) -> KeyRange:
    """Return the range of a comparison of the last part of a key."""
    first, *more = [prefix + write_part(part, value) for value in last.arguments]
    end = successor(prefix) if prefix else ""
    match last.operator:
        case ">=":
            return _between(first, end)
        case ">":
            return _between(f"{first}\0", end)
        case "<=":
            return _between(prefix, first)
        case "<" if part.discrete:
            below = value_below(part, last.arguments[0])
            return KeyRange("empty") if below is None else _between(prefix, prefix + write_part(part, below))
        case "<":
            return _between(prefix, first, (part.field, last.arguments[0]))
        case "BETWEEN":
            return _between(first, more[0])
        case operator:
            raise _not_comparable(entity, operator)


def _between(low: str, high: str, excluded: tuple[str, Any] | None = None) -> KeyRange:
    """Return the range from ``low`` to ``high``, both included. Either may be empty for no bound."""
    if not high:
        return KeyRange(">=", (low,), excluded)
    if not low:
        return KeyRange("<=", (high,), excluded)
    if low.encode() > high.encode():
        return KeyRange("empty")
    return KeyRange("BETWEEN", (low, high), excluded)


def _not_comparable(entity: str, operator: str) -> ExpressionError:
    return ExpressionError(f"{entity}: a key is not compared by {operator}: use .filter()")


def covering_range(ranges: Sequence[KeyRange]) -> KeyRange:
    """Return the smallest range that holds all of these."""
    if any(not each.operator for each in ranges):
        return KeyRange("")
    filled = [each for each in ranges if each.operator != "empty"]
    if not filled:
        return KeyRange("empty")
    low = min((each.low for each in filled), key=str.encode)
    high = max((each.high for each in filled), key=str.encode)
    if low == high:
        return KeyRange("=", (low,))
    if low and high == successor(low):
        return KeyRange("begins_with", (low,))
    return KeyRange("BETWEEN", (low, high)) if low else KeyRange("")
