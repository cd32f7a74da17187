"""Roles: the library's own part in an attribute, beyond storing it.

Each role is one class: its demands on the attribute, and its effect when an item is made, put or updated. Another
role is another class, given by ``attribute(role=…)``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Any, ClassVar, Final, Protocol

from attrs import NOTHING, frozen

from mizzle_async.errors import ModelError
from mizzle_async.expressions import ClauseKind
from mizzle_async.limits import KEY_ATTRIBUTE_NAME_BYTES
from mizzle_async.model.annotations import type_name, without_none
from mizzle_async.model.key_types import check_scalar_type
from mizzle_async.types import WRITE_ID_ATTRIBUTE, AttributeValue, Item
from mizzle_async.values import Value, transient


class RoleAttribute(Protocol):
    """An attribute that has a role: its `AttributeSchema`."""

    @property
    def name(self) -> str:
        """Its name in the table."""
        ...


class DeclaredAttribute(Protocol):
    """An attribute as it was declared, its type resolved.

    Attributes:
        where: Class and attribute, for messages.
        field: Its name in Python.
        annotation: Its type.
        default: Its default, an ``attrs.Factory``, or ``attrs.NOTHING``.
    """

    where: str
    field: str
    annotation: Any
    default: Any

    @property
    def datetime_format(self) -> Any:
        """How its datetimes are stored, as declared."""
        ...


@transient(eq=False, repr=False)
class WriteContext(Value):
    """One write, as roles see it.

    Attributes:
        now: Seconds since 1970, when the operation was built.
        encode_time: Returns that time as an attribute stores it.
        creates: Whether the item may come into being by an update.
        version: The version that is checked, None where none is.
        write_id: The id of the write, stored beside a version.
    """

    now: float
    encode_time: Callable[[Any], AttributeValue]
    creates: bool = False
    version: int | None = None
    write_id: str | None = None


@transient(eq=False, repr=False)
class RoleClause(Value):
    """One clause that a role adds to an update.

    Attributes:
        kind: ``SET``, ``SET_DEFAULT`` or ``ADD``.
        name: The stored name of the attribute that it writes.
        value: In DynamoDB's JSON.
    """

    kind: ClauseKind
    name: str
    value: AttributeValue


@frozen(eq=False, repr=False)
class Role(Value):
    """The role of an attribute. This one does nothing.

    Attributes:
        keyword: Its name, and its keyword of ``attribute()`` where it has one.
        is_automatic: Whether the library gives the attribute its value.
        needs_time: Whether operations on the entity depend on the time.
        may_repeat: Whether several attributes of an entity may have it.
        name_bytes: The longest stored name that the service takes, None where it takes any.
        storage_format: How its datetimes are stored in spite of ``datetime_format``, None where that decides.
    """

    keyword: ClassVar[str] = "role"
    is_automatic: ClassVar[bool] = False
    needs_time: ClassVar[bool] = False
    may_repeat: ClassVar[bool] = False
    name_bytes: ClassVar[int | None] = None
    storage_format: ClassVar[str | None] = None

    def check(self, declared: DeclaredAttribute) -> None:
        """Check that an attribute can have the role.

        Args:
            declared: The attribute.

        Raises:
            ModelError: If it cannot, with the way to write it.
        """

    def on_new(self, attribute: RoleAttribute, item: Item, write: WriteContext) -> None:
        """Complete an item that is made.

        Args:
            attribute: The attribute that has the role.
            item: The item in DynamoDB's JSON, which is changed.
            write: The write.
        """

    def on_put(self, attribute: RoleAttribute, item: Item, write: WriteContext) -> None:
        """Complete an item that is put over any that was there. Arguments as for `on_new`."""

    def on_update(self, attribute: RoleAttribute, write: WriteContext) -> Iterator[RoleClause]:
        """Yield the clauses that an update gets beside the caller's own.

        Args:
            attribute: The attribute that has the role.
            write: The write.
        """
        del attribute, write
        yield from ()

    def refusal(self, roles: Collection[Role]) -> str | None:
        """Return why no clause of a caller may write the attribute, None where one may.

        Args:
            roles: Those of all attributes of the entity.
        """
        del roles
        return None


class _Time(Role):
    """A point in time."""

    __slots__ = ()

    needs_time = True

    def check(self, declared: DeclaredAttribute) -> None:
        """Check that the type is ``datetime``."""
        if without_none(declared.annotation) != (datetime,):
            raise ModelError(
                f"{declared.where}: {self.keyword} is a datetime, not {type_name(declared.annotation)}: write "
                f"`{declared.field}: Attribute[datetime | None] = attribute(default=None, {self.keyword}=True)`"
            )


class CreatedAt(_Time):
    """The time when the item was made: an item that is put over another one keeps the time that it brings."""

    __slots__ = ()

    keyword = "created_at"
    is_automatic = True

    def on_new(self, attribute: RoleAttribute, item: Item, write: WriteContext) -> None:
        """Set the time."""
        item[attribute.name] = write.encode_time(attribute)

    def on_put(self, attribute: RoleAttribute, item: Item, write: WriteContext) -> None:
        """Set the time, unless the item has one."""
        stored = item.get(attribute.name)
        if stored is None or "NULL" in stored:
            item[attribute.name] = write.encode_time(attribute)

    def on_update(self, attribute: RoleAttribute, write: WriteContext) -> Iterator[RoleClause]:
        """Set the time where the update makes the item."""
        if write.creates:
            yield RoleClause(ClauseKind.SET_DEFAULT, attribute.name, write.encode_time(attribute))


class UpdatedAt(_Time):
    """The time of the last write."""

    __slots__ = ()

    keyword = "updated_at"
    is_automatic = True

    def on_new(self, attribute: RoleAttribute, item: Item, write: WriteContext) -> None:
        """Set the time."""
        item[attribute.name] = write.encode_time(attribute)

    on_put = on_new

    def on_update(self, attribute: RoleAttribute, write: WriteContext) -> Iterator[RoleClause]:
        """Set the time."""
        yield RoleClause(ClauseKind.SET, attribute.name, write.encode_time(attribute))


class TimeToLive(_Time):
    """The time at which the item expires, which the service reads in whole seconds."""

    __slots__ = ()

    keyword = "time_to_live"
    name_bytes: ClassVar[int | None] = KEY_ATTRIBUTE_NAME_BYTES
    storage_format: ClassVar[str | None] = "whole_seconds"

    def check(self, declared: DeclaredAttribute) -> None:
        """Check the type, and that no other format is asked for."""
        super().check(declared)
        if declared.datetime_format not in {None, "epoch"}:
            raise ModelError(
                f"{declared.where}: DynamoDB reads a time to live in epoch seconds: leave datetime_format out"
            )

    def refusal(self, roles: Collection[Role]) -> str | None:
        """Refuse clauses where guard items expire with the item."""
        guarded = any(isinstance(role, Unique) for role in roles)
        return _takes_what_is_stored("the time to live of its guard items too") if guarded else None


class Version(Role):
    """A count of the writes, for optimistic locking: 0 says that an instance was never stored."""

    __slots__ = ()

    keyword = "version"
    is_automatic = True

    def check(self, declared: DeclaredAttribute) -> None:
        """Check that it is an ``int`` that starts at 0."""
        annotation, default = declared.annotation, declared.default
        if annotation is int and default in (0, NOTHING):
            return
        name = type_name(annotation)
        wrong = f"is an int, not {name}" if annotation is not int else f"starts at 0, not at {default!r}"
        raise ModelError(
            f"{declared.where}: a version {wrong}: "
            f"write `{declared.field}: Attribute[int] = attribute(default=0, version=True)`"
        )

    def on_new(self, attribute: RoleAttribute, item: Item, write: WriteContext) -> None:
        """Set the first version, and the id of the write."""
        item[attribute.name] = {"N": "1"}
        if write.write_id is not None:
            item[WRITE_ID_ATTRIBUTE] = {"S": write.write_id}

    def on_update(self, attribute: RoleAttribute, write: WriteContext) -> Iterator[RoleClause]:
        """Advance the version, and store the id of the write."""
        if write.version is None:
            yield RoleClause(ClauseKind.ADD, attribute.name, {"N": "1"})
        else:
            yield RoleClause(ClauseKind.SET, attribute.name, {"N": str(write.version + 1)})
        if write.write_id is not None:
            yield RoleClause(ClauseKind.SET, WRITE_ID_ATTRIBUTE, {"S": write.write_id})

    def refusal(self, roles: Collection[Role]) -> str | None:
        """Refuse every clause."""
        del roles
        return "the version: every write advances it, and no clause may change it"


class Unique(Role):
    """A value that no two items of the table share: guard items in the same table see to it."""

    __slots__ = ()

    keyword = "unique"
    may_repeat = True

    def check(self, declared: DeclaredAttribute) -> None:
        """Check that values can be part of a guard item's key."""
        check_scalar_type(declared.where, declared.annotation, "unique attribute")

    def refusal(self, roles: Collection[Role]) -> str | None:
        """Refuse every clause."""
        del roles
        return _takes_what_is_stored("unique")


def _takes_what_is_stored(what: str) -> str:
    return (
        f"{what}, so changing it takes what is stored: read the item and use .patch(old, to=new), or "
        ".modify(key, change)"
    )


ROLES: Final[tuple[Role, ...]] = (Version(), TimeToLive(), CreatedAt(), UpdatedAt(), Unique())
"""The roles that ``attribute()`` has a keyword for."""
