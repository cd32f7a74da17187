"""Values without a declared type: stored and read by their own.

This is what a table without a class, and an attribute of type ``Any``, ``object`` or ``dict``, goes through. Every
Python value that DynamoDB has a type for is stored as that type. One that would come back as something else entirely,
such as a datetime, is refused.

Cost: about a quarter of boto3's TypeSerializer and TypeDeserializer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from mizzle_async.limits import ATTRIBUTE_NAME_BYTES, NESTING_LEVELS, NUMBER_DIGITS
from mizzle_async.marshalling.shapes.one_type import single, single_elements, single_entries
from mizzle_async.model.scalars.binary import check_name, read_bytes, write_bytes, write_str
from mizzle_async.model.scalars.misfit import LimitMisfit, Misfit, python_name
from mizzle_async.model.scalars.numbers import RANGE, decimal_text, float_text, integer_text, read_number
from mizzle_async.types import AttributeValue

ATTRIBUTE_LEVELS: Final = NESTING_LEVELS - 1
"""How deep a top-level attribute may nest: the item itself is the first level."""

PLAIN_ADVICE: Final = "hooks that are composed of others take those of a plain cattrs.Converter()"
ADVICE: Final = "declare the attribute's type, or convert it"


class EncodedValue(dict[str, Any]):
    """An attribute value that a converter gave: it is not stored by value once more."""

    __slots__ = ()


def too_deep() -> LimitMisfit:
    """Return the misfit of a value below the deepest level."""
    return LimitMisfit(f"at most {NESTING_LEVELS} levels of nesting, the item included", "more")


def encode_value(value: Any, levels: int = ATTRIBUTE_LEVELS) -> AttributeValue:
    """Return a value as DynamoDB stores its kind.

    Args:
        value: The value.
        levels: How many levels of nesting are left.

    Raises:
        Misfit: DynamoDB has no type for it.
    """
    kind = type(value)
    if kind is str and value.isascii():
        return {"S": value}
    try:
        if kind is int and len(text := str(value)) <= NUMBER_DIGITS:
            return {"N": text}
    except ValueError:  # Python makes no text of an integer of thousands of digits
        raise Misfit(RANGE, "a larger one") from None
    encode = _ENCODERS.get(kind)
    return encode(value, levels) if encode is not None else _encode_kin(value, levels)


def _encode_none(_value: None, _levels: int) -> AttributeValue:
    return {"NULL": True}


def _encode_bool(value: bool, _levels: int) -> AttributeValue:  # noqa: FBT001  (it is the value)
    return {"BOOL": value}


def _encode_str(value: str, _levels: int) -> AttributeValue:
    return {"S": write_str(value)}


def _encode_int(value: int, _levels: int) -> AttributeValue:
    return {"N": integer_text(int(value))}


def _encode_float(value: float, _levels: int) -> AttributeValue:
    return {"N": float_text(float(value))}


def _encode_decimal(value: Decimal, _levels: int) -> AttributeValue:
    return {"N": decimal_text(value)}


def _encode_bytes(value: bytes | bytearray | memoryview, _levels: int) -> AttributeValue:
    return {"B": write_bytes(value)}


def _encode_list(value: list[Any] | tuple[Any, ...], levels: int) -> AttributeValue:
    if levels < 1:
        raise too_deep()
    levels -= 1
    encoded: list[AttributeValue] = []
    try:
        for element in value:
            encoded.append(encode_value(element, levels))  # noqa: PERF401  (its length is the position of a misfit)
    except Misfit as misfit:
        raise misfit.at_position(len(encoded)) from None
    return {"L": encoded}


def _encode_map(value: Mapping[Any, Any], levels: int) -> AttributeValue:
    if levels < 1:
        raise too_deep()
    return {"M": encode_entries(value, levels - 1)}


def encode_entries(value: Mapping[Any, Any], levels: int, *, of_item: bool = False) -> dict[str, AttributeValue]:
    """Return the entries of a mapping, each by value.

    Args:
        value: The mapping.
        levels: How many levels of nesting are left for the entries.
        of_item: Whether they are the attributes of an item, where an empty set is absence.

    Raises:
        Misfit: One of them does not fit.
    """
    encoded: dict[str, AttributeValue] = {}
    name: Any = None
    try:
        for name, element in value.items():
            kind = type(element)
            if kind is str and element.isascii():
                stored = {"S": element}
            elif kind is int and len(text := str(element)) <= NUMBER_DIGITS:
                stored = {"N": text}
            elif of_item and isinstance(element, _SETS) and not element:
                continue
            else:
                stored = encode_value(element, levels)
            if type(name) is str and name and name.isascii() and len(name) <= ATTRIBUTE_NAME_BYTES:
                encoded[name] = stored
            else:
                encoded[check_name(name)] = stored
    except Misfit as misfit:
        raise misfit.at_entry(name) from None
    except ValueError:  # as in `encode_value`
        raise Misfit(RANGE, "a larger one").at_entry(name) from None
    return encoded


def _encode_set(value: set[Any] | frozenset[Any], levels: int) -> AttributeValue:
    if not value:
        return {"L": []}  # no set is empty at the service; a set type reads this back as an empty set
    if type(next(iter(value))) is str:
        try:
            elements = sorted(value)
            if "".join(elements).isascii():
                return {"SS": elements}
        except TypeError:
            pass
    encoded = [encode_value(element, levels) for element in value]
    return gather_set(encoded)


def gather_set(encoded: list[AttributeValue]) -> AttributeValue:
    """Return the set of encoded elements.

    Raises:
        Misfit: They are not all text, all numbers or all bytes.
    """
    tags = sorted({tag for element in encoded for tag in element})
    if len(tags) != 1 or tags[0] not in {"S", "N", "B"}:
        raise Misfit("a set of text, of numbers or of bytes", f"a set of {' and '.join(tags)}", "store it as a list")
    return {f"{tags[0]}S": sorted({element[tags[0]] for element in encoded})}


_SETS: Final = (set, frozenset)
Encoder = Callable[[Any, int], AttributeValue]
_ENCODERS: Final[Mapping[type, Encoder]] = {
    type(None): _encode_none,
    bool: _encode_bool,
    str: _encode_str,
    int: _encode_int,
    float: _encode_float,
    Decimal: _encode_decimal,
    bytes: _encode_bytes,
    bytearray: _encode_bytes,
    memoryview: _encode_bytes,
    list: _encode_list,
    tuple: _encode_list,
    dict: _encode_map,
    set: _encode_set,
    frozenset: _encode_set,
}


def _encode_kin(value: Any, levels: int) -> AttributeValue:
    """Encode an instance of a subclass (a StrEnum member, a defaultdict, a named tuple) as its base."""
    if isinstance(value, EncodedValue):
        raise Misfit("a plain value", "one that is encoded already", PLAIN_ADVICE)
    for kind, encode in _ENCODERS.items():
        if isinstance(value, kind):
            return encode(value, levels)
    if isinstance(value, Mapping):
        return _encode_map(value, levels)
    raise Misfit("a type that is stored by value", python_name(value), ADVICE)


def decode_value(stored: AttributeValue) -> Any:
    """Return the Python value of a stored one: whole numbers as ``int``, others as ``Decimal``."""
    for tag in single(stored):
        if tag == "S":
            return stored["S"]
        if tag == "N":
            text = stored["N"]
            return int(text) if text.isdigit() and text.isascii() else read_number(text)
        decode = _DECODERS.get(tag)
        if decode is not None:
            return decode(stored[tag])
        break
    raise Misfit("an attribute value", "something else")


def decode_entries(payload: Mapping[str, AttributeValue]) -> dict[str, Any]:
    """Return the values of a map's entries."""
    return {
        name: stored["S"]
        if "S" in stored
        else int(text)
        if "N" in stored and (text := stored["N"]).isdigit() and text.isascii()
        else decode_value(stored)
        for name, stored in single_entries(payload).items()
    }


def _decode_list(payload: list[AttributeValue]) -> list[Any]:
    return [stored["S"] if "S" in stored else decode_value(stored) for stored in single_elements(payload)]


def _decode_numbers(payload: list[str]) -> set[int | Decimal]:
    return {read_number(text) for text in payload}


def _decode_binaries(payload: list[str]) -> set[bytes]:
    return {read_bytes(text) for text in payload}


def _decode_null(_payload: object) -> None:
    return None


_DECODERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "BOOL": bool,
    "NULL": _decode_null,
    "M": decode_entries,
    "L": _decode_list,
    "B": read_bytes,
    "SS": set,
    "NS": _decode_numbers,
    "BS": _decode_binaries,
}


def encode_any(value: object) -> AttributeValue:
    """Return a value as DynamoDB stores its kind.

    Args:
        value: None, text, a number, bytes, or a list, set or dict of such values.

    Raises:
        MarshallingError: DynamoDB has no type for it.
        LimitError: It breaks one of the service's limits.
    """
    try:
        return encode_value(value)
    except Misfit as misfit:
        found = misfit
    raise found.to_error("value")


def decode_any(stored: AttributeValue) -> Any:
    """Return the Python value of a stored one: whole numbers as ``int``, others as ``Decimal``.

    Raises:
        MarshallingError: It is no attribute value.
    """
    try:
        return decode_value(stored)
    except Misfit as misfit:
        found = misfit
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ):  # the answer may hold anything
        found = Misfit("an attribute value", "something else")
    raise found.to_error("value")
