"""Items as plain JSON and as text, as people keep them in files and a shell shows them.

Plain JSON has no sets, no binary and one kind of number. Going out, a set becomes a sorted list, binary becomes base64
text, and numbers keep every digit. Coming in, an attribute that is declared decides how a list or a text is read. One
that is not is stored by value.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from mizzle_async.errors import MarshallingError
from mizzle_async.marshalling.codec import EntityCodec
from mizzle_async.marshalling.shapes.by_value import encode_any
from mizzle_async.marshalling.shapes.open_values import OptionalShape
from mizzle_async.marshalling.shapes.shape import ALL_TAGS, Shape
from mizzle_async.marshalling.shapes.unions import TaggedUnionShape, UnionShape
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.model.scalars.numbers import number_in, read_number
from mizzle_async.types import AttributeValue, Item

SET_ELEMENTS: Final = {"SS": "S", "NS": "N", "BS": "B"}
BOOLEANS: Final = {"true": True, "false": False}

MOST_INTEGER_DIGITS: Final = 200
"""Longer integers are read as decimals: the service stores none so long, and Python makes no ``int`` of any length."""


def parse_json(text: str | bytes) -> Any:
    """Return the value of a text of JSON, with every digit of its numbers.

    Raises:
        ValueError: If it is no JSON. The error shows none of it.
    """
    try:
        return json.loads(text, parse_float=Decimal, parse_int=_integer, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error.msg} at column {error.colno}") from None
    except UnicodeDecodeError:
        raise ValueError("no UTF-8") from None
    except RecursionError:
        raise ValueError("no JSON that can be stored: it is nested too deeply") from None
    except InvalidOperation:
        raise ValueError("no JSON that can be stored: the exponent of a number is out of any range") from None


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= MOST_INTEGER_DIGITS else Decimal(text)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"no JSON: {name} is no number that DynamoDB stores")


def plain_item(item: Item) -> dict[str, Any]:
    """Return an item as plain JSON: numbers are ``int`` or ``Decimal``, sets sorted lists, binary base64 text."""
    return {name: plain_value(value) for name, value in item.items()}


def plain_value(value: AttributeValue) -> Any:
    """Return one attribute value as plain JSON."""
    tag, content = next(iter(value.items()))
    match tag:
        case "N":
            plain: Any = _number(content)
        case "NULL":
            plain = None
        case "M":
            plain = plain_item(content)
        case "L":
            plain = [plain_value(element) for element in content]
        case "NS":
            plain = sorted(_number(element) for element in content)
        case "SS" | "BS":
            plain = sorted(content)
        case _:
            plain = content
    return plain


def _number(text: str) -> int | Decimal:
    try:
        return read_number(text)
    except Misfit as misfit:
        raise misfit.to_error("value") from None


def item_from_plain(codec: EntityCodec[Any], row: Mapping[str, Any], *, is_text: bool = False) -> Item:
    """Return the item that a row of plain JSON, or of text, stands for.

    Args:
        codec: The entity's. Its attributes may be named by field or by stored name. Others go in by value.
        row: Attribute name to value. None is a null. An empty text is an absent attribute where ``is_text``.
        is_text: Whether every value is text, as in a CSV file. Other values than text and numbers are JSON in it.

    Raises:
        MarshallingError: If a value does not fit its attribute, which the path names.
    """
    schema = codec.schema
    item: Item = {}
    for name, value in row.items():
        if is_text and value == "":
            continue
        attribute = schema.by_field.get(name)
        stored = attribute.name if attribute is not None else name
        try:
            item[stored] = value_from_plain(value, codec.shape_of(stored), is_text=is_text)
        except ValueError as error:
            path = getattr(error, "path", "") or f"{schema.entity}.{name}"
            reason = error.message if isinstance(error, MarshallingError) else f"{path}: {error}"
            raise MarshallingError(reason, path=f"{schema.entity}.{name}") from None
    return item


def value_from_plain(value: Any, shape: Shape | None, *, is_text: bool = False) -> AttributeValue:
    """Return the attribute value that a value of plain JSON stands for.

    Args:
        value: A value of plain JSON, or text.
        shape: How the attribute is stored, or None where that is not declared.
        is_text: Whether it is text that may have to be read as something else.

    Raises:
        ValueError: It cannot be that.
    """
    tags = ALL_TAGS if shape is None else shape.tags
    if isinstance(value, str):
        return _from_text(value, tags, shape, is_text=is_text)
    if isinstance(value, list):
        set_tags = tags & SET_ELEMENTS.keys()
        if value and set_tags and tags != ALL_TAGS:
            return _from_set(value, set_tags)
        return {"L": [value_from_plain(one, _element(shape, position)) for position, one in enumerate(value)]}
    if isinstance(value, dict):
        holder = None if shape is None else _holder(shape, value)
        return {
            "M": {
                name: value_from_plain(member, holder.member(name) if holder is not None else None)
                for name, member in value.items()
            }
        }
    return encode_any(value)


def _element(shape: Shape | None, position: int) -> Shape | None:
    """Return how the element at a position of a list is stored: in a tuple each may have its own type."""
    return None if shape is None else shape.member(position) or shape.element()


def _holder(shape: Shape, members: Mapping[str, Any]) -> Shape:
    """Return how a map is stored: of a union, as the class that it names."""
    match shape:
        case OptionalShape():
            return _holder(shape.inner, members)
        case UnionShape():
            return next((_holder(one, members) for one in shape.members if "M" in one.tags), shape)
        case TaggedUnionShape():
            return shape.classes.get(str(members.get(shape.attribute)), shape)
        case _:
            return shape


def _from_text(text: str, tags: frozenset[str], shape: Shape | None, *, is_text: bool) -> AttributeValue:
    if "S" in tags:
        return encode_any(text)
    if "N" in tags:
        return encode_any(decimal_from_text(text))
    if "B" in tags:
        return encode_any(b64decode(text, validate=True))
    if not is_text:
        raise ValueError(f"expected {' or '.join(sorted(tags))}, found text")
    if "BOOL" in tags and text.strip().lower() in BOOLEANS:
        return {"BOOL": BOOLEANS[text.strip().lower()]}
    return value_from_plain(parse_json(text), shape)


def _from_set(elements: list[Any], tags: AbstractSet[str]) -> AttributeValue:
    if tags == {"BS"}:
        return encode_any({b64decode(element, validate=True) for element in elements})
    if tags == {"NS"}:
        return encode_any({decimal_from_text(str(element)) for element in elements})
    return encode_any(set(elements))


def decimal_from_text(text: str) -> Decimal:
    """Return the number that a text is, in ASCII digits: blanks around it do not count.

    Raises:
        ValueError: It is none.
    """
    number = number_in(text.strip())
    if number is None:
        raise ValueError("expected a number")
    return number
