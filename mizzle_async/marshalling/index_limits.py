"""The limits of attributes that are keys of an index: the service refuses an item that breaks one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from mizzle_async.errors import LimitError
from mizzle_async.limits import PARTITION_KEY_BYTES, SORT_KEY_BYTES
from mizzle_async.marshalling.sizes import value_size
from mizzle_async.model import EntitySchema, indexes_of
from mizzle_async.types import Item
from mizzle_async.values import Value


@frozen(eq=False, repr=False)
class IndexKeyLimit(Value):
    """The limit of one attribute as a key of an index.

    Attributes:
        path: The entity and the attribute, for messages.
        name: The attribute's stored name.
        role: The name of the role in messages.
        limit: How many bytes it may have.
    """

    path: str
    name: str
    role: str
    limit: int

    def check(self, item: Item) -> None:
        """Refuse an item whose text or binary is empty or too long.

        Args:
            item: The item in DynamoDB's JSON. Without the attribute it is not in the index, and right.

        Raises:
            LimitError: It is.
        """
        stored = item.get(self.name)
        if stored is None or ("S" not in stored and "B" not in stored):
            return
        size = value_size(stored)
        if not 1 <= size <= self.limit:
            raise LimitError(
                f"{self.path}: expected {self.role} of 1 to {self.limit:,} bytes, found one of {size:,}; an item "
                "without the attribute is not in the index"
            )


def index_key_limits(schema: EntitySchema) -> dict[str, IndexKeyLimit]:
    """Return the limits of an entity's attributes as keys of its indexes, by their stored names."""
    limits: dict[str, IndexKeyLimit] = {}
    for index in indexes_of(schema.cls):
        paths = [(path, "sort", SORT_KEY_BYTES) for path in index.sort_paths]
        if not index.is_local:
            paths += [(path, "partition", PARTITION_KEY_BYTES) for path in index.partition_paths]
        for path, key, limit in paths:
            name = str(path.segments[0])
            role = f"a {key} key of index {index.name!r}"
            known = limits.get(name)
            if known is None or limit < known.limit:
                limits[name] = IndexKeyLimit(f"{schema.entity}.{name}", name, role, limit)
    return limits


def limited_encoder(encode: Callable[[Any], Item], limits: Mapping[str, IndexKeyLimit]) -> Callable[[Any], Item]:
    """Return an encoder of items to be written: the argument itself where no attribute is limited.

    Args:
        encode: Encodes an instance.
        limits: The limits of attributes, by their stored names.
    """
    if not limits:
        return encode
    checks = [limit.check for limit in limits.values()]

    def encode_limited(instance: Any) -> Item:
        item = encode(instance)
        for check in checks:
            check(item)
        return item

    return encode_limited
