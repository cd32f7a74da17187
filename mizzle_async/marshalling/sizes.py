"""The size of items as DynamoDB counts it, and keys made comparable.

The rules were measured on DynamoDB Local at the 409,600-byte limit and agree with the documentation, which calls its
rule for numbers approximate: for the service itself the figure is advisory.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Final

from mizzle_async.errors import LimitError
from mizzle_async.expressions.names import text_bytes
from mizzle_async.limits import ITEM_BYTES
from mizzle_async.model.scalars.numbers import canonical_number
from mizzle_async.types import AttributeValue, Item

BIGGEST_NAMED = 3
"""How many attributes the error about an item's size names."""


def binary_size(base64: str) -> int:
    """Return the bytes that a base64 text stands for."""
    return len(base64) // 4 * 3 - base64[-2:].count("=")


def number_size(text: str) -> int:
    """Return the bytes of a number: one, one per pair of digits aligned at the decimal point, one for a minus."""
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
    return _SIZES[tag](payload)


def _list_size(payload: list[AttributeValue]) -> int:
    return 3 + sum(1 + value_size(element) for element in payload)


def _map_size(payload: Item) -> int:
    return 3 + sum(1 + text_bytes(name) + value_size(element) for name, element in payload.items())


def _sum_of(size: Callable[[str], int]) -> Callable[[list[str]], int]:
    return lambda payload: sum(map(size, payload))


def _one(_payload: bool) -> int:  # noqa: FBT001  (it is the value)
    return 1


_SIZES: Final[Mapping[str, Callable[[Any], int]]] = {
    "S": text_bytes,
    "N": number_size,
    "B": binary_size,
    "BOOL": _one,
    "NULL": _one,
    "L": _list_size,
    "M": _map_size,
    "SS": _sum_of(text_bytes),
    "NS": _sum_of(number_size),
    "BS": _sum_of(binary_size),
}


def item_size(item: Item) -> int:
    """Return the bytes that an item takes, names included: at most 409,600 are accepted.

    Args:
        item: The item in DynamoDB's JSON.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(text_bytes(name) + value_size(stored) for name, stored in item.items())


def check_item_size(item: Item, entity: str) -> None:
    """Refuse an item that is larger than the service accepts.

    Args:
        item: The item in DynamoDB's JSON.
        entity: Its name in the message.

    Raises:
        LimitError: It takes more than 409,600 bytes. The message names its largest attributes with their sizes.
    """
    sizes = {name: text_bytes(name) + value_size(stored) for name, stored in item.items()}
    total = sum(sizes.values())
    if total > ITEM_BYTES:
        largest: Sequence[str] = sorted(sizes, key=lambda name: (-sizes[name], name))[:BIGGEST_NAMED]
        named = ", ".join(f"{name!r} ({sizes[name]:,})" for name in largest)
        raise LimitError(
            f"{entity}: the item takes {total:,} bytes, an item may take {ITEM_BYTES:,}; "
            f"its largest attributes: {named}"
        )


def canonical_key(key: Item) -> Hashable:
    """Return the identity of a key: equal for two keys exactly when they are the same to the service.

    Numbers compare by value: the service writes 1 where a client sent ``1.0`` or ``1e0``.
    """
    return frozenset(
        [
            (name, tag, canonical_number(payload) if tag == "N" else payload)
            for name, stored in key.items()
            for tag, payload in stored.items()
        ]
    )
