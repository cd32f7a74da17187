"""Keys of items, checked before an item is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mizzle_async.cli.handles import Opened
from mizzle_async.errors import MarshallingError
from mizzle_async.types import Item

BARE_TYPES: Final = frozenset({"S", "N", "B"})


def check_keys(opened: Opened, item: Item, *, is_key: bool = False) -> None:
    """Check the key of an item, and those of indexes: the service would reject its whole batch.

    Args:
        opened: The table.
        item: The item.
        is_key: Whether it is a key only, of an item to delete.

    Raises:
        MarshallingError: If a key attribute is missing, empty, or of another type.
    """
    names = opened.key_names
    for name, code in opened.description.attribute_types.items():
        stored = item.get(name)
        path = f"{opened.codec.schema.entity}.{name}"
        if stored is None:
            if name in names:
                raise MarshallingError(f"{path}: missing, but an item needs its whole key", path=path)
            continue
        if is_key and name not in names:
            continue
        if code not in stored:
            raise MarshallingError(f"{path}: the key has type {code}, got {_other_type(stored)}", path=path)
        if stored[code] == "":
            raise MarshallingError(f"{path}: a key of the table or of an index must not be empty", path=path)


def _other_type(stored: Mapping[str, Any]) -> str:
    """Name the type of a value that is not a key's. A map may be a value of DynamoDB's JSON."""
    tag, content = next(iter(stored.items()))
    if tag == "M" and len(content) == 1 and content.keys() <= BARE_TYPES:
        return "M: this looks like DynamoDB's JSON, see --format dynamodb"
    return tag
