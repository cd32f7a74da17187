"""Numbers to text and back: exact, or refused, under any decimal context of the caller's.

Every number is written in one canonical text, the one the service itself answers with: plain digits, no exponent, no
zeros at either end, no sign of zero. So two encoded numbers are equal exactly when their texts are. Only operations of
`decimal` that ignore the context's precision and traps are used: construction from text, comparison, ``adjusted``,
``is_finite``, ``as_integer_ratio``, and the format ``f``.

Python's own constructors take more than DynamoDB does: underscores, digits of every script, blanks, NaN. So a text of a
file or of an answer is not given to them before it is known to be a number in ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import Final

from msgspec import DecodeError
from msgspec.json import Decoder

from mizzle_async.limits import NUMBER_DIGITS, NUMBER_MAX_EXPONENT, NUMBER_MIN_EXPONENT
from mizzle_async.model.scalars.misfit import Misfit, not_a

_PLAIN: Final = frozenset("-.0123456789")

SAFE_INTEGER_BITS = 419
"""An integer with more bits is above 9.99…E+125 (2**418 < 10**126 < 2**419). Fewer never makes ``str`` refuse."""

RANGE = "a number of at most 38 digits between 1E-130 and 9.99…E+125"

parse_int: Final[Callable[[str], int]] = Decoder(int).decode
parse_float: Final[Callable[[str], float]] = Decoder(float).decode
"""Fast functions for a text as the service writes it. They take the numbers of JSON, and raise an error for any other
text, which may still be a number to the careful functions."""

parse_decimal: Final[Callable[[str], Decimal]] = Context(
    prec=MAX_PREC, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[InvalidOperation]
).create_decimal
"""The same for a text in ASCII, also for NaN and infinity: unlike `Decimal`, it takes no underscores and no blanks."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")


def plain_digits(value: Decimal) -> str:
    """Return the canonical text of any finite number in the service's range.

    Raises:
        Misfit: It has too many digits, is out of range, or is not finite.
    """
    if not value.is_finite():
        raise Misfit("a finite number", "NaN" if value.is_nan() else "infinity")
    if not value:
        return "0"
    _check_range(value)
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if len(text) > NUMBER_DIGITS:
        digits = len(text.replace(".", "").lstrip("-").strip("0"))
        if digits > NUMBER_DIGITS:
            raise Misfit(RANGE, f"one of {digits} digits", "round it, or store it as text")
    return text


def _check_range(value: Decimal) -> None:
    if not NUMBER_MIN_EXPONENT <= value.adjusted() <= NUMBER_MAX_EXPONENT:
        raise Misfit(RANGE, "a larger one" if value.adjusted() > 0 else "a smaller one")


def decimal_text(value: Decimal) -> str:
    """Return the canonical text of a decimal."""
    text = str(value)
    if len(text) > NUMBER_DIGITS or not value or not value.is_finite() or "E" in text or "e" in text:
        return plain_digits(value)
    return text.rstrip("0").rstrip(".") if "." in text and text[-1] == "0" else text


def float_text(value: float) -> str:
    """Return the canonical text of a float: the shortest that gives the same float again."""
    text = repr(value)
    if text[-2:] == ".0" and value:
        return text[:-2]
    if not value or "e" in text or "n" in text:
        return plain_digits(Decimal(text))
    return text


def integer_text(value: int) -> str:
    """Return the canonical text of an integer."""
    if value.bit_length() > SAFE_INTEGER_BITS:
        raise Misfit(RANGE, "a larger one")
    return plain_digits(Decimal(value))


def write_int(value: object) -> str:
    """Return the text of an ``int``, subclasses included. A bool is not a number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise not_a("int", value)
    return integer_text(int(value))


def write_float(value: object) -> str:
    """Return the text of a ``float``, or of an ``int`` that a float can hold."""
    if isinstance(value, float):
        return float_text(float(value))
    if isinstance(value, bool) or not isinstance(value, int):
        raise not_a("float", value)
    text = integer_text(int(value))
    read_exact_float(text)
    return text


def write_decimal(value: object) -> str:
    """Return the text of a ``Decimal``, or of an ``int``. A float is refused: it has other digits."""
    if isinstance(value, Decimal):
        return decimal_text(Decimal(value))
    if isinstance(value, float):
        raise not_a("Decimal", value, 'make it from text, Decimal("0.1"), or declare the attribute float')
    if isinstance(value, bool) or not isinstance(value, int):
        raise not_a("Decimal", value)
    return integer_text(int(value))


def read_decimal(text: object) -> Decimal:
    """Return the number that a text on the wire means, exactly.

    Raises:
        Misfit: The text is no number, or one that the service cannot hold.
    """
    value = number_in(text) if isinstance(text, str) else None
    if value is None:
        raise Misfit("a number", "text that is none")
    if value:
        _check_range(value)
    return value


def number_in(text: str) -> Decimal | None:
    """Return the number that a text is in ASCII digits, in range or not, or None where it is no number."""
    return Decimal(text) if _NUMBER.fullmatch(text) is not None else None


def is_whole(value: Decimal) -> bool:
    """Whether a finite decimal is an integer."""
    return value.as_integer_ratio()[1] == 1


def read_int(text: object) -> int:
    """Return a whole number."""
    value = read_decimal(text)
    if not is_whole(value):
        raise Misfit("a whole number", "N with a fraction", "declare the attribute Decimal or float")
    return int(value)


def read_float(text: object) -> float:
    """Return the float that is nearest to a number: sums of the service, and other programs, have more digits."""
    return float(read_decimal(text))


def float_in(text: str) -> float:
    """Return the float that is nearest to a number, by the fast function where it knows the text."""
    try:
        return parse_float(text)
    except DecodeError:
        return read_float(text)


def read_exact_float(text: object) -> float:
    """Return the float of a number that a float is written as, for keys and for listed values.

    Raises:
        Misfit: The number has other digits.
    """
    exact = read_decimal(text)
    value = float(exact)
    if Decimal(repr(value)) != exact:
        raise Misfit("a number that a float holds", "N with more digits", "declare the attribute Decimal")
    return value


def read_number(text: str) -> int | Decimal:
    """Return a number by value: whole ones as ``int``, others as ``Decimal``."""
    if text.isdigit() and text.isascii():
        return int(text)
    if "." in text and text[-1] in "123456789" and _PLAIN.issuperset(text):
        # As the service itself writes a fraction.
        try:
            return parse_decimal(text)
        except InvalidOperation:
            pass
    value = read_decimal(text)
    return int(value) if is_whole(value) else value


def canonical_number(text: str) -> str:
    """Return the canonical text of a number as any engine or client may have written it."""
    if text.isdigit() and text.isascii() and (text[0] != "0" or text == "0") and len(text) <= NUMBER_DIGITS:
        return text
    return plain_digits(read_decimal(text))


def scaled_text(value: int, places: int) -> str:
    """Return the canonical text of an integer count of a decimal fraction: 1500 with three places is ``1.5``."""
    whole, rest = divmod(abs(value), 10**places)
    text = f"{whole}.{rest:0{places}}".rstrip("0").rstrip(".") if rest else str(whole)
    return f"-{text}" if value < 0 else text


def read_scaled(text: object, places: int) -> int:
    """Return how many of a decimal fraction a number is: ``1.5`` is 1500 with three places.

    Raises:
        Misfit: It is finer than that.
    """
    numerator, denominator = read_decimal(text).as_integer_ratio()
    scale: int = 10**places
    count, rest = divmod(numerator * scale, denominator)
    if rest:
        raise Misfit("a number down to microseconds", "a finer one")
    return count
