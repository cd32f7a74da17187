"""Shared tables: one DynamoDB table for several entities, declared once, and the registry of its entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from attrs import frozen

from mizzle_async.errors import ExpressionError, LimitError, ModelError
from mizzle_async.expressions import AttributePath, PartitionKeyPath, SortKeyPath
from mizzle_async.expressions.names import check_name
from mizzle_async.limits import KEY_ATTRIBUTE_NAME_BYTES
from mizzle_async.model.shared.formats import KeyFormat
from mizzle_async.model.stream_views import StreamView, is_view, view_advice
from mizzle_async.values import Record

TYPE_ATTRIBUTE: Final = "_type"
GUARD_PREFIX: Final = "_unique#"


class SharedTable:
    """A table that several entities share: its keys, its indexes, and the attribute that tells entities apart.

    Args:
        name: The table's name. ``Client(table_prefix=…, table_names=…)`` adapts it to a deployment.
        partition_key: The stored name of the partition key.
        sort_key: The stored name of the sort key, or None.
        type_attribute: The stored name of the attribute with the entity's type name. None for no such attribute.
        separator: The text that separates the parts of keys.
        escape: Whether separators in text are escaped (``%23``) instead of refused. It changes keys, so it is chosen
            before the table has items.
        stream: The view of its stream, such as ``"new_and_old_images"``, which `Client.ensure_tables` switches on. None
            leaves it as it is.

    Raises:
        ModelError: A name is refused by DynamoDB, or two are the same, or there is no such view.
    """

    def __init__(
        self,
        name: str,
        *,
        partition_key: str,
        sort_key: str | None = None,
        type_attribute: str | None = TYPE_ATTRIBUTE,
        separator: str = "#",
        escape: bool = False,
        stream: StreamView | None = None,
    ) -> None:
        untyped: Any = name
        if not isinstance(untyped, str) or not untyped:
            raise ModelError(f'SharedTable takes the table\'s name, such as SharedTable("app", …), not {name!r}')
        _check_names(f"table {name!r}", (partition_key, sort_key), type_attribute)
        if len(separator) != 1:
            raise ModelError(f"table {name!r}: separator= is one character, not {separator!r}")
        if stream is not None and not is_view(stream):
            raise ModelError(f"table {name!r}: {view_advice('stream=', stream)}")
        self.name: Final = name
        self.key_names: Final[tuple[str, ...]] = (partition_key,) if sort_key is None else (partition_key, sort_key)
        self.type_attribute: Final = type_attribute
        self.separator: Final = separator
        self.escape: Final = escape
        self.stream: Final = stream
        self.indexes: Final[dict[str, SharedIndex]] = {}
        self._members: dict[type[Any], SharedKeys] = {}
        self._families: dict[type[Any], tuple[SharedKeys, ...]] = {}
        self._sealed: set[type[Any]] = set()

    @property
    def partition_key(self) -> PartitionKeyPath[Any, str]:
        """The path of the partition key as it is stored, for keys that no entity writes."""
        return PartitionKeyPath(self, self.key_names[:1])

    @property
    def sort_key(self) -> SortKeyPath[Any, str]:
        """The path of the sort key as it is stored.

        Raises:
            ExpressionError: The table has none.
        """
        if len(self.key_names) == 1:
            raise ExpressionError(f"table {self.name!r} has no sort key: its key is {self.key_names[0]} alone")
        return SortKeyPath(self, self.key_names[1:])

    def index(
        self,
        name: str,
        /,
        *,
        partition_key: str,
        sort_key: str | None = None,
        projection: Literal["all", "keys_only"] | Sequence[str] = "all",
    ) -> SharedIndex:
        """Declare a global secondary index of the table. Each entity fills it by a `GlobalSecondaryIndex` of its own.

        Args:
            name: The index's name in the table.
            partition_key: The stored name of its partition key.
            sort_key: The stored name of its sort key, or None.
            projection: The attributes beside keys: ``"all"``, ``"keys_only"``, or stored names of attributes.

        Raises:
            ModelError: A name is refused by DynamoDB, or the table has an index of this name with other keys.
        """
        _check_names(f"index {name!r}", (partition_key, sort_key), self.type_attribute)
        keys = (partition_key,) if sort_key is None else (partition_key, sort_key)
        held: Any = projection if isinstance(projection, str) else tuple(projection)
        made = SharedIndex(self, name, keys, held)
        known = self.indexes.setdefault(name, made)
        if (known.key_names, known.projection) != (made.key_names, made.projection):
            raise ModelError(
                f"table {self.name!r} has an index {name!r} already, with other keys or another projection"
            )
        return known

    # ── its entities ──

    @property
    def members(self) -> Mapping[type[Any], SharedKeys]:
        """The entities of the table, by class, in the order in which they were made."""
        return self._members

    def register(self, keys: SharedKeys) -> None:
        """Add an entity. A class that was defined again, as in a notebook, replaces the old one.

        Raises:
            ModelError: Its type name is taken, or one key could belong to it and to another entity.
        """
        place = _place(keys.cls)
        others = [other for other in self._members.values() if _place(other.cls) != place]
        for other in others:
            self._check_type_names(keys, other)
            self._check_keys(keys, other)
        kept = {other.cls: other for other in others}
        self._members = {**kept, keys.cls: keys}
        self._families = {}

    def _family(self, keys: SharedKeys) -> tuple[SharedKeys, ...]:
        """Return an entity and those that inherit from it. Found once, until the table has another entity."""
        families = self._families  # before the members: of two threads none keeps the family of earlier ones
        found = families.get(keys.cls)
        if found is None:
            members = self._members.values()
            inherit = (other for other in members if other is not keys and issubclass(other.cls, keys.cls))
            found = families[keys.cls] = (keys, *inherit)
        return found

    def _check_type_names(self, keys: SharedKeys, other: SharedKeys) -> None:
        taken = set(keys.type_names).intersection(other.type_names)
        if taken:
            raise ModelError(
                f"table {self.name!r}: {_full_name(keys.cls)} and {_full_name(other.cls)} both have the type name"
                f" {min(taken)!r}: give one of them type_name=…, or import the module under one name only"
            )

    def _check_keys(self, keys: SharedKeys, other: SharedKeys) -> None:
        if keys.root is other.root and self.type_attribute is not None:
            return  # a family: one key, told apart by type
        if all(mine.may_equal(theirs) for mine, theirs in zip(keys.formats, other.formats, strict=True)):
            raise ModelError(
                f"table {self.name!r}: one key could belong to {keys.entity} ({keys.described}) and to"
                f" {other.entity} ({other.described}): put another literal into one of them"
            )

    def seal(self, cls: type[Any]) -> None:
        """Mark that items of an entity are being encoded: no index may be added to it afterwards."""
        self._sealed.add(cls)

    def is_sealed(self, cls: type[Any]) -> bool:
        """Return whether items of an entity, or of one that inherits from it, were encoded."""
        return any(issubclass(sealed, cls) for sealed in self._sealed)

    def members_of_type(self, type_name: str) -> SharedKeys | None:
        """Return the entity of a stored type name, None for an unknown one."""
        return next((keys for keys in self._members.values() if type_name in keys.type_names), None)

    def recognise(self, item: Mapping[str, Any]) -> SharedKeys | None:
        """Return the entity that a stored item belongs to, None for a foreign item.

        The type attribute decides where the item has it. Otherwise the only entity decides whose key formats it has.
        """
        if self.type_attribute is not None:
            stored = item.get(self.type_attribute)
            if stored is not None:
                return self.members_of_type(stored.get("S", ""))
        texts = [item.get(name, {}).get("S") for name in self.key_names]
        fitting = [keys for keys in self._members.values() if keys.fits(texts)]
        roots = {keys.root: keys for keys in reversed(fitting)}
        return next(iter(roots.values())) if len(roots) == 1 else None

    def __repr__(self) -> str:
        return f"<SharedTable {self.name!r} of {len(self._members)} entities>"


@frozen(eq=False, repr=False)
class SharedIndex(Record):
    """A global secondary index of a shared table. Made by `SharedTable.index`.

    Attributes:
        table: The table.
        name: The index's name.
        key_names: The stored names of its key attributes, partition key first.
        projection: The attributes beside keys.
    """

    table: SharedTable
    name: str
    key_names: tuple[str, ...]
    projection: Literal["all", "keys_only"] | tuple[str, ...] = "all"

    @property
    def partition_key(self) -> PartitionKeyPath[Any, str]:
        """The path of the partition key as it is stored."""
        return PartitionKeyPath(self.table, self.key_names[:1], index=self)

    @property
    def sort_key(self) -> SortKeyPath[Any, str]:
        """The path of the sort key as it is stored.

        Raises:
            ExpressionError: The index has none.
        """
        if len(self.key_names) == 1:
            raise ExpressionError(f"index {self.name!r} has no sort key")
        return SortKeyPath(self.table, self.key_names[1:], index=self)

    def __repr__(self) -> str:
        return f"<SharedIndex {self.name!r} of table {self.table.name!r}>"


@frozen(eq=False, repr=False)
class SharedKeys(Record):
    """How the items of one entity are kept in a shared table.

    Attributes:
        cls: The entity.
        table: The table.
        type_names: The names of its type: the first is written, all are read.
        formats: The formats of its key attributes, partition key first.
        parent: The entity that it inherits its keys from, or None.
    """

    cls: type[Any]
    table: SharedTable
    type_names: tuple[str, ...]
    formats: tuple[KeyFormat, ...]
    parent: SharedKeys | None = None

    @property
    def entity(self) -> str:
        """The name of the entity, for messages."""
        return self.cls.__name__

    @property
    def root(self) -> type[Any]:
        """The class that the keys of its family were written on."""
        return self.cls if self.parent is None else self.parent.root

    @property
    def described(self) -> str:
        """The formats as they were written, for messages."""
        return ", ".join(f"{name} {each.text!r}" for name, each in zip(self.table.key_names, self.formats, strict=True))

    @property
    def fields(self) -> tuple[str, ...]:
        """The attributes that make the key, by name in Python, those of the partition key first."""
        return tuple(dict.fromkeys(name for each in self.formats for name in each.fields))

    @property
    def whole_fields(self) -> frozenset[str]:
        """The attributes whose whole value the key holds, by name in Python: they never change."""
        return frozenset(part.field for each in self.formats for part in each.parts if part.lossless)

    @property
    def family(self) -> tuple[SharedKeys, ...]:
        """The entity and those that inherit from it: an instance of one of them is an instance of the entity."""
        return self.table._family(self)  # noqa: SLF001  (of this module)

    @property
    def family_names(self) -> tuple[str, ...]:
        """The type names of the entity and of those that inherit from it."""
        return tuple(name for each in self.family for name in each.type_names)

    def fits(self, texts: Sequence[Any]) -> bool:
        """Return whether stored key texts have the entity's formats."""
        return all(
            isinstance(text, str) and each.pattern.fullmatch(text) is not None
            for each, text in zip(self.formats, texts, strict=True)
        )

    def __repr__(self) -> str:
        return f"<SharedKeys of {self.entity}: {self.described}>"


def is_shared_owner(owner: Any, keys: SharedKeys | None) -> bool:
    """Return whether the owner of a path is the shared table of these keys."""
    return keys is not None and owner is keys.table


def _check_names(where: str, keys: tuple[str | None, str | None], type_attribute: str | None) -> None:
    names = [name for name in (*keys, type_attribute) if name is not None]
    for name in names:
        try:
            check_name(name)
        except (ExpressionError, LimitError) as error:
            raise ModelError(f"{where}: {error.message}") from None
        if len(name.encode()) > KEY_ATTRIBUTE_NAME_BYTES:
            raise ModelError(f"{where}: {name!r} has more than {KEY_ATTRIBUTE_NAME_BYTES} bytes, the limit for keys")
    if len(set(names)) < len(names):
        raise ModelError(f"{where}: partition key, sort key and type attribute need different names")


def _place(cls: type[Any]) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def _full_name(cls: type[Any]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def raw_path(path: AttributePath[Any, Any]) -> bool:
    """Return whether a path is one of a shared table's stored keys."""
    return isinstance(path.owner, SharedTable)
