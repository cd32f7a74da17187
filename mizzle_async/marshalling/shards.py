"""Write sharding: a partition key that is spread over several partitions by a stable suffix.

``c1`` is stored as ``c1#0`` … ``c1#9``: which of them says the item's sort key, so that an item is always found again
under the same one.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-sharding.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from zlib import crc32

from attrs import frozen

from mizzle_async.errors import LimitError, MarshallingError, ModelError
from mizzle_async.expressions.names import text_bytes
from mizzle_async.limits import PARTITION_KEY_BYTES
from mizzle_async.model import EntitySchema, scalar_code
from mizzle_async.model.scalars.numbers import canonical_number
from mizzle_async.types import AttributeValue, Item
from mizzle_async.values import Value

SEPARATOR: Final = "#"


@frozen(eq=False, repr=False)
class Sharding(Value):
    """How the partition key of an entity is spread.

    Attributes:
        entity: Its name in messages.
        partition_name: The stored name of its partition key.
        sort_name: The stored name of its sort key.
        shards: Over how many partitions.
    """

    entity: str
    partition_name: str
    sort_name: str
    shards: int

    def value(self, stored: AttributeValue, shard: int) -> AttributeValue:
        """Return a partition key's value as it is stored in one of the partitions.

        Raises:
            LimitError: It is too long with its suffix.
        """
        text: str = f"{stored['S']}{SEPARATOR}{shard}"
        if text_bytes(text) > PARTITION_KEY_BYTES:
            raise LimitError(
                f"{self.entity}.{self.partition_name}: with the suffix of its shard it has more than "
                f"{PARTITION_KEY_BYTES:,} bytes"
            )
        return {"S": text}

    def shard_of(self, key: Item) -> int:
        """Return which partition the item of a key is in: its sort key says so, numbers by value."""
        ((tag, payload),) = key[self.sort_name].items()
        text = canonical_number(payload) if tag == "N" else payload
        return crc32(text.encode()) % self.shards

    def spread(self, item: Item) -> Item:
        """Put the suffix on the partition key of an item, or a key, that was just encoded."""
        item[self.partition_name] = self.value(item[self.partition_name], self.shard_of(item))
        return item

    def joined(self, stored: AttributeValue) -> AttributeValue:
        """Return a stored partition key without its suffix.

        Raises:
            MarshallingError: It has none.
        """
        whole, separator, suffix = str(stored.get("S", "")).rpartition(SEPARATOR)
        if not separator or not (suffix.isascii() and suffix.isdecimal()):
            path = f"{self.entity}.{self.partition_name}"
            raise MarshallingError(f"{path}: expected the suffix of a shard, found a key without one", path=path)
        return {"S": whole}

    def collect(self, item: Item) -> Item:
        """Return an item with its partition key as the caller knows it."""
        name = self.partition_name
        return {**item, name: self.joined(item[name])} if name in item else item

    def encoder(self, encode: Callable[[Any], Item]) -> Callable[[Any], Item]:
        """Return an encoder that puts the suffix on."""
        return lambda value: self.spread(encode(value))

    def decoder(self, decode: Callable[[Item], Any]) -> Callable[[Item], Any]:
        """Return a decoder that takes it off."""

        def decode_collected(item: Item, _target: Any = None) -> Any:
            return decode(self.collect(item))

        return decode_collected

    def key_encoder(self, encode_key: Callable[[Mapping[str, Any]], Item]) -> Callable[[Mapping[str, Any]], Item]:
        """Return an encoder of keys that puts the suffix on."""
        return lambda values: self.spread(encode_key(values))


def sharding_of(schema: EntitySchema) -> Sharding | None:
    """Return how an entity's partition key is spread, or None where it is not.

    Raises:
        ModelError: It cannot be.
    """
    partition, sort = schema.partition_key, schema.sort_key
    if partition.shards is None:
        return None
    where = f"{schema.entity}.{partition.field}"
    if sort is None:
        raise ModelError(
            f"{where}: shards= takes an entity with a sort key, which says where an item lies: without one, every item "
            "has a partition key of its own already"
        )
    if scalar_code(partition.storage_type, partition.storage_format) != "S":
        raise ModelError(f"{where}: shards= puts a suffix on the key, so it must be stored as text: write str")
    if schema.unique:
        raise ModelError(f"{where}: an entity with unique attributes cannot have shards=")
    return Sharding(schema.entity, partition.name, sort.name, partition.shards)
