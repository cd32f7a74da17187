"""Index keys that the library writes for an entity of a shared table: in which format, and for which items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from mizzle_async.errors import LimitError, ModelError
from mizzle_async.expressions import Condition
from mizzle_async.expressions.names import text_bytes
from mizzle_async.limits import PARTITION_KEY_BYTES, SORT_KEY_BYTES
from mizzle_async.model import IndexMapping, SharedKeys
from mizzle_async.model.shared.conditions import fields_of, holds, is_ruled_out
from mizzle_async.model.shared.formats import KeyFormat
from mizzle_async.model.shared.texts import write_key
from mizzle_async.values import Record

KEY_LIMITS: Final = (PARTITION_KEY_BYTES, SORT_KEY_BYTES)


@frozen(eq=False, repr=False)
class WrittenKey(Record):
    """One key attribute of an index that the library writes.

    Attributes:
        name: Its stored name.
        ways: The formats that it may have, each with the condition of an item that has it.
        limit: How many bytes it may have.
    """

    name: str
    ways: tuple[tuple[KeyFormat, Condition[Any] | None], ...]
    limit: int

    @property
    def fields(self) -> tuple[str, ...]:
        """The attributes that it is made of and depends on, by name in Python."""
        names = [name for form, where in self.ways for name in (*form.fields, *fields_of(where))]
        return tuple(dict.fromkeys(names))

    def with_known(self, known: Mapping[str, Any]) -> WrittenKey:
        """Return this key without the ways that known values rule out: what these are made of need not be known.

        Args:
            known: Values by name in Python, None where the item has none.
        """
        ways = tuple(
            (form, where)
            for form, where in self.ways
            if not is_ruled_out(where, known) and all(known.get(field, known) is not None for field in form.fields)
        )
        return WrittenKey(self.name, ways, self.limit)

    def text(self, entity: str, values: Mapping[str, Any]) -> str | None:
        """Return its text for an item's values, None where the item has none.

        Raises:
            ModelError: The item fills the index in two ways.
            MarshallingError: A value does not fit.
            LimitError: The text is too long.
        """
        forms = [
            form
            for form, where in self.ways
            if (where is None or holds(where, values)) and all(values[field] is not None for field in form.fields)
        ]
        if len(forms) > 1:
            raise ModelError(
                f"{entity}: this item would have two keys {self.name!r}: where= of its indexes must exclude each other"
            )
        return checked_key(entity, self.name, write_key(forms[0], values), self.limit) if forms else None


def written_keys(keys: SharedKeys, mappings: tuple[IndexMapping, ...]) -> tuple[WrittenKey, ...]:
    """Return the index key attributes that the library writes for an entity, in the order of its indexes."""
    ways: dict[str, list[tuple[KeyFormat, Condition[Any] | None]]] = {}
    limits: dict[str, int] = {}
    for mapping in mappings:
        several = sum(other.index is mapping.index for other in mappings) > 1
        for position, (name, form) in enumerate(zip(mapping.index.key_names, mapping.formats, strict=True)):
            if name in keys.table.key_names:
                continue
            where = mapping.where if position == 0 or several else None
            if (form, where) not in ways.setdefault(name, []):
                ways[name].append((form, where))
            limits[name] = min(limits.get(name, PARTITION_KEY_BYTES), KEY_LIMITS[position])
    return tuple(WrittenKey(name, tuple(each), limits[name]) for name, each in ways.items())


def checked_key(entity: str, name: str, text: str, limit: int) -> str:
    """Return a key's text.

    Raises:
        LimitError: It has more bytes than the service takes.
    """
    if len(text) * 4 > limit and text_bytes(text) > limit:
        raise LimitError(
            f"{entity}: its key {name!r} would have {text_bytes(text):,} bytes, and the limit is {limit:,}"
        )
    return text
