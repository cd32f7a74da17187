"""The items of an export that its format does not keep, so that loading the file would change them."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Final

from attrs import define, field

from mizzle_async.cli.formats import Format
from mizzle_async.types import Item

SETS_AND_BINARY: Final = frozenset({"SS", "NS", "BS", "B"})
"""Types that plain JSON does not keep: it has lists and text in their place."""

TYPES_HINT_LIMIT: Final = 12
"""The number of attributes up to which the option that names their types is shown."""


def is_kept(value: Mapping[str, Any]) -> bool:
    """Return whether plain JSON keeps a stored value, with everything in it."""
    tag, content = next(iter(value.items()))
    if tag == "L":
        return all(map(is_kept, content))
    if tag == "M":
        return all(map(is_kept, content.values()))
    return tag not in SETS_AND_BINARY


def loses_types(item: Item) -> bool:
    """Return whether an item holds sets or binary, which plain JSON does not keep."""
    return not all(map(is_kept, item.values()))


@define
class Losses:
    """The items of an export that would not be loaded back as they were.

    Attributes:
        format: The format of the file.
        declared: The attributes whose types a model declares, so that loading with it restores them.
        keys: The key attributes, which the table itself types.
        count: The number of items that lose something.
        types: The types of the attributes that lose them, by name.
        is_deep: Whether an attribute loses something that naming its type does not restore.
    """

    format: Format
    declared: Container[str] = ()
    keys: Container[str] = ()
    count: int = 0
    types: dict[str, str] = field(factory=dict)
    is_deep: bool = False

    def add(self, item: Item) -> None:
        """Look at an item."""
        if self.format is Format.DYNAMODB:
            return
        lost = [name for name, value in item.items() if self._is_lost(name, value)]
        self.count += bool(lost)
        for name in lost:
            tag = next(iter(item[name]))
            if self.types.setdefault(name, tag) != tag or tag == "NULL" or not self._restores(item[name], tag):
                self.is_deep = True

    def _is_lost(self, name: str, value: Mapping[str, Any]) -> bool:
        if self.format is Format.CSV:
            tag, content = next(iter(value.items()))
            if tag == "NULL" or (tag == "S" and content == ""):
                return True
            return tag != "S" and name not in self.keys and name not in self.declared
        return name not in self.keys and name not in self.declared and not is_kept(value)

    def _restores(self, value: Mapping[str, Any], tag: str) -> bool:
        """Return whether naming the type of an attribute restores its value."""
        if tag in {"L", "M"}:
            return is_kept(value)
        return not (tag == "S" and value["S"] == "")

    def text(self, name: str) -> str:
        """Return a sentence with the number of items, and the ways that keep them, or nothing.

        Args:
            name: The file.
        """
        if not self.count:
            return ""
        kept = "numbers, booleans, nulls, sets and the like" if self.format is Format.CSV else "sets or binary"
        which = "CSV" if self.format is Format.CSV else "Parquet" if self.format is Format.PARQUET else "plain JSON"
        items = "item holds" if self.count == 1 else "items hold"
        text = f"{self.count:,} {items} {kept}, which {which} does not keep: --format dynamodb keeps everything"
        if self.is_deep or len(self.types) > TYPES_HINT_LIMIT:
            return text
        pairs = ",".join(f"{attribute}={tag}" for attribute, tag in sorted(self.types.items()))
        return f"{text}, and `load {name} --types {pairs}` restores them"

    def as_state(self) -> dict[str, Any]:
        """Return the losses so far, for the state file of an export."""
        return {"count": self.count, "types": self.types, "is_deep": self.is_deep}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from the losses of an earlier run."""
        self.count = state["count"]
        self.types = dict(state["types"])
        self.is_deep = state["is_deep"]
