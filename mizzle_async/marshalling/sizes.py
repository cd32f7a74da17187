"""The size of items as DynamoDB counts it, and keys made comparable.

The rules were measured on DynamoDB Local at the 409,600-byte limit and agree with the documentation, which calls its
rule for numbers
approximate: for the service itself the figure is advisory.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from mizzle_async.errors import LimitError
from mizzle_async.limits import ITEM_BYTES
from mizzle_async.marshalling.numbers import canonical_number
from mizzle_async.types import AttributeValue, Item

BIGGEST_NAMED = 3
"""How many attributes the error about an item's size names."""


def text_size(text: str) -> int:
    """Return the bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def binary_size(base64: str) -> int:
    """Return the bytes that a base64 text stands for."""
    return len(base64) // 4 * 3 - base64[-2:].count("=")


def number_size(text: str) -> int:
    """Return what a number takes: one byte, one per pair of digits aligned at the decimal point, one for a minus sign."""
    canonical = canonical_number(text)
    if canonical == "0":
        return 1
    whole, _, fraction = canonical.lstrip("-").partition(".")
    whole, fraction = whole.lstrip("0"), fraction.rstrip("0")
    digits = "0" * (len(whole) % 2) + whole + fraction + "0" * (len(fraction) % 2)
    pairs = [digits[start : start + 2] for start in range(0, len(digits), 2)]
    first = next(position for position, pair in enumerate(pairs) if pair != "00")
    last = next(position for position in range(len(pairs), 0, -1) if pairs[position - 1] != "00")
    return 1 + (last - first) + canonical.startswith("-")


def value_size(stored: AttributeValue) -> int:
    """Return the bytes that one stored value takes, without its name."""
    ((tag, payload),) = stored.items()
    match tag:
        case "S":
            return text_size(payload)
        case "N":
            return number_size(payload)
        case "B":
            return binary_size(payload)
        case "BOOL" | "NULL":
            return 1
        case "L":
            return 3 + sum(1 + value_size(element) for element in payload)
        case "M":
            return 3 + sum(1 + text_size(name) + value_size(element) for name, element in payload.items())
        case "SS":
            return sum(map(text_size, payload))
        case "NS":
            return sum(map(number_size, payload))
        case "BS":
            return sum(map(binary_size, payload))
        case _:
            raise ValueError(f"{tag!r} is no type descriptor of DynamoDB")


def item_size(item: Item) -> int:
    """Return the bytes that an item takes, names included: at most 409,600 are accepted.

    Args:
        item: The item in DynamoDB's JSON.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(text_size(name) + value_size(stored) for name, stored in item.items())


def check_item_size(item: Item, entity: str) -> None:
    """Refuse an item that is larger than the service accepts.

    Args:
        item: The item in DynamoDB's JSON.
        entity: What the message calls it.

    Raises:
        LimitError: It takes more than 409,600 bytes; the message names its largest attributes with their sizes.
    """
    sizes = {name: text_size(name) + value_size(stored) for name, stored in item.items()}
    total = sum(sizes.values())
    if total > ITEM_BYTES:
        largest: Sequence[str] = sorted(sizes, key=lambda name: (-sizes[name], name))[:BIGGEST_NAMED]
        named = ", ".join(f"{name!r} ({sizes[name]:,})" for name in largest)
        raise LimitError(
            f"{entity}: the item takes {total:,} bytes, an item may take {ITEM_BYTES:,}; its largest attributes: {named}"
        )


def canonical_key(key: Item) -> Hashable:
    """Return what two keys have in common exactly when the service takes them for the same key.

    Numbers compare by value: the service writes 1 where a client sent ``1.0`` or ``1e0``.
    """
    return frozenset(
        [
            (name, tag, canonical_number(payload) if tag == "N" else payload)
            for name, stored in key.items()
            for tag, payload in stored.items()
        ]
    )
