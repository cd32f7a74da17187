"""Paths: the values of class access on an entity, and the conditions and operands that they make.

``Order.total`` is an `AttributePath[Order, Decimal]`: it knows its owner, its stored name and, for type checkers, its
type. Key paths are types of their own, so that a query takes key conditions and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, Never, TypeAlias, TypeVar, get_args, overload
from uuid import UUID
from zoneinfo import ZoneInfo

from attrs import field, frozen

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions.conditions import (
    Condition,
    PartitionChoice,
    PartitionKeyCondition,
    Predicate,
    SortKeyCondition,
)
from mizzle_async.expressions.names import map_key
from mizzle_async.expressions.operands import (
    Arithmetic,
    Comparable,
    Comparand,
    IfNotExists,
    ListAppend,
    NotComparable,
    Operand,
    Size,
)
from mizzle_async.expressions.terms import Place

MapKey: TypeAlias = Enum | UUID | date | time | IPv4Address | IPv6Address | ZoneInfo | PurePath
"""Keys of a dict beside text. A ``Literal`` of texts is text."""

EntityT = TypeVar("EntityT")
ValueT = TypeVar("ValueT")
ElementT = TypeVar("ElementT")
KeyT = TypeVar("KeyT", bound=MapKey)
DocumentT = TypeVar("DocumentT")
TupleT = TypeVar("TupleT", bound=tuple[Any, ...])

Text: TypeAlias = str | date | None
"""Types that may be stored as text."""

Binary: TypeAlias = bytes | None
"""Types that are stored as bytes."""

Number: TypeAlias = float | Decimal | None
"""Types that are stored as a number. ``float`` stands for ``int`` too."""

Summand: TypeAlias = Number | timedelta | datetime
"""Types that can be added to: numbers, durations, and times that are stored as numbers."""

TypeCode: TypeAlias = Literal["S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"]
"""DynamoDB's type descriptors."""

TYPE_CODES: Final[tuple[str, ...]] = get_args(TypeCode)


@frozen(eq=False, repr=False)
class AttributePath(Place, Comparable[EntityT, ValueT], Operand[EntityT, ValueT], Generic[EntityT, ValueT]):
    """One attribute of an entity, or a place inside one.

    Attributes:
        owner: The class it was reached through.
        segments: Names as they are stored, and list positions.
        index: The index that made it, or None.
    """

    if TYPE_CHECKING:

        def __entity__(self) -> EntityT: ...  # for `EntityPath`

    # ── conditions in DynamoDB's words ──

    def exists(self) -> Condition[EntityT]:
        """Return the condition that the item has this attribute, with any value."""
        return Predicate("attribute_exists", self)

    def not_exists(self) -> Condition[EntityT]:
        """Return the condition that the item lacks this attribute."""
        return Predicate("attribute_not_exists", self)

    def attribute_type(self, code: TypeCode) -> Condition[EntityT]:
        """Return the condition that the stored value is of a DynamoDB type.

        Args:
            code: A type descriptor, such as ``"S"`` or ``"NS"``.

        Raises:
            ExpressionError: If DynamoDB has no such type.
        """
        if code not in TYPE_CODES:
            raise ExpressionError(f"{self}: DynamoDB has no type {code!r}; its types are {', '.join(TYPE_CODES)}")
        return Predicate("attribute_type", self, (code,))

    @overload
    def begins_with(self: Comparand[Any, Text], prefix: str | Comparand[EntityT, Text]) -> Condition[EntityT]: ...
    @overload
    def begins_with(self: Comparand[Any, Binary], prefix: bytes | Comparand[EntityT, Binary]) -> Condition[EntityT]: ...
    def begins_with(self, prefix: Any) -> Condition[EntityT]:
        """Return the condition that the stored text or binary begins with ``prefix``."""
        return Predicate("begins_with", self, (prefix,))

    @overload
    def contains(
        self: AttributePath[EntityT, set[ElementT]], value: ElementT | Comparand[EntityT, ElementT | None]
    ) -> Condition[EntityT]: ...
    @overload
    def contains(
        self: AttributePath[EntityT, set[ElementT] | None], value: ElementT | Comparand[EntityT, ElementT | None]
    ) -> Condition[EntityT]: ...
    @overload
    def contains(
        self: AttributePath[EntityT, frozenset[ElementT]], value: ElementT | Comparand[EntityT, ElementT | None]
    ) -> Condition[EntityT]: ...
    @overload
    def contains(
        self: AttributePath[EntityT, frozenset[ElementT] | None], value: ElementT | Comparand[EntityT, ElementT | None]
    ) -> Condition[EntityT]: ...
    @overload
    def contains(
        self: AttributePath[EntityT, AbstractSet[ElementT]], value: ElementT | Comparand[EntityT, ElementT | None]
    ) -> Condition[EntityT]: ...
    @overload
    def contains(
        self: AttributePath[EntityT, AbstractSet[ElementT] | None],
        value: ElementT | Comparand[EntityT, ElementT | None],
    ) -> Condition[EntityT]: ...
    @overload
    def contains(
        self: AttributePath[EntityT, list[ElementT]], value: ElementT | Comparand[EntityT, ElementT | None]
    ) -> Condition[EntityT]: ...
    @overload
    def contains(
        self: AttributePath[EntityT, list[ElementT] | None], value: ElementT | Comparand[EntityT, ElementT | None]
    ) -> Condition[EntityT]: ...
    @overload
    def contains(
        self: AttributePath[EntityT, tuple[ElementT, ...]], value: ElementT | Comparand[EntityT, ElementT | None]
    ) -> Condition[EntityT]: ...
    @overload
    def contains(
        self: AttributePath[EntityT, tuple[ElementT, ...] | None], value: ElementT | Comparand[EntityT, ElementT | None]
    ) -> Condition[EntityT]: ...
    @overload
    def contains(
        self: AttributePath[EntityT, Sequence[ElementT]], value: ElementT | Comparand[EntityT, ElementT | None]
    ) -> Condition[EntityT]: ...
    @overload
    def contains(
        self: AttributePath[EntityT, Sequence[ElementT] | None], value: ElementT | Comparand[EntityT, ElementT | None]
    ) -> Condition[EntityT]: ...
    @overload
    def contains(self: Comparand[Any, Text], value: str | Comparand[EntityT, Text]) -> Condition[EntityT]: ...
    @overload
    def contains(self: Comparand[Any, Binary], value: bytes | Comparand[EntityT, Binary]) -> Condition[EntityT]: ...
    def contains(self, value: Any) -> Condition[EntityT]:
        """Return the condition that the stored set or list has ``value``, or that the stored text has it as a part."""
        return Predicate("contains", self, (value,))

    def size(self) -> Size[EntityT]:
        """Return ``size(path)``, to be compared: characters, bytes or elements."""
        return Size(self)

    # ── operands of updates ──

    def __add__(
        self: Operand[Any, Summand], other: ValueT | int | Operand[EntityT, ValueT]
    ) -> Operand[EntityT, ValueT]:
        """Return the sum, for a SET clause."""
        return Arithmetic("+", self, other)

    def __radd__(self: Operand[Any, Summand], other: ValueT | int) -> Operand[EntityT, ValueT]:
        """Return the sum, for a SET clause."""
        return Arithmetic("+", other, self)

    def __sub__(
        self: Operand[Any, Summand], other: ValueT | int | Operand[EntityT, ValueT]
    ) -> Operand[EntityT, ValueT]:
        """Return the difference, for a SET clause."""
        return Arithmetic("-", self, other)

    def __rsub__(self: Operand[Any, Summand], other: ValueT | int) -> Operand[EntityT, ValueT]:
        """Return the difference, for a SET clause."""
        return Arithmetic("-", other, self)

    def if_not_exists(self, value: ValueT | Operand[EntityT, ValueT]) -> IfNotExists[EntityT, ValueT]:
        """Return the stored value, or ``value`` where nothing is stored, for a SET clause."""
        return IfNotExists(self, value)

    def list_append(
        self: AttributePath[EntityT, list[ElementT]], values: Sequence[ElementT] | Operand[EntityT, list[ElementT]]
    ) -> Operand[EntityT, list[ElementT]]:
        """Return this list with ``values`` after it, for a SET clause. The list must exist."""
        return ListAppend(self, values)

    # ── into documents ──

    @overload
    def __getitem__(self: AttributePath[EntityT, list[ElementT]], key: int, /) -> AttributePath[EntityT, ElementT]: ...
    @overload
    def __getitem__(
        self: AttributePath[EntityT, list[ElementT] | None], key: int, /
    ) -> AttributePath[EntityT, ElementT]: ...
    @overload
    def __getitem__(
        self: AttributePath[EntityT, tuple[ElementT, ...]], key: int, /
    ) -> AttributePath[EntityT, ElementT]: ...
    @overload
    def __getitem__(
        self: AttributePath[EntityT, tuple[ElementT, ...] | None], key: int, /
    ) -> AttributePath[EntityT, ElementT]: ...
    @overload
    def __getitem__(
        self: AttributePath[EntityT, dict[str, ElementT]], key: str, /
    ) -> AttributePath[EntityT, ElementT]: ...
    @overload
    def __getitem__(
        self: AttributePath[EntityT, dict[str, ElementT] | None], key: str, /
    ) -> AttributePath[EntityT, ElementT]: ...
    @overload
    def __getitem__(
        self: AttributePath[EntityT, dict[KeyT, ElementT]], key: KeyT, /
    ) -> AttributePath[EntityT, ElementT]: ...
    @overload
    def __getitem__(
        self: AttributePath[EntityT, dict[KeyT, ElementT] | None], key: KeyT, /
    ) -> AttributePath[EntityT, ElementT]: ...
    @overload
    def __getitem__(
        self: AttributePath[EntityT, DocumentT], key: AttributePath[DocumentT, ElementT], /
    ) -> AttributePath[EntityT, ElementT]: ...
    @overload
    def __getitem__(
        self: AttributePath[EntityT, DocumentT | None], key: AttributePath[DocumentT, ElementT], /
    ) -> AttributePath[EntityT, ElementT]: ...
    @overload
    def __getitem__(self, key: str | int, /) -> AttributePath[EntityT, Any]: ...
    def __getitem__(self, key: Any, /) -> AttributePath[EntityT, Any]:
        """Return the path of a part: a member of a document, an entry of a dict, or an element of a list.

        Args:
            key: The path of a document class's attribute; a key of a dict, which may be an Enum, a UUID, a date or
                another type that is stored as text; a stored name, in which a dot is part of the name; or a position.

        Raises:
            ExpressionError: ``key`` is a negative position, a slice, or nothing of these.
        """
        labels = self.labels or self.segments
        is_position = isinstance(key, int) and not isinstance(key, bool | Enum) and key >= 0
        step = key if is_position or type(key) is str else map_key(key)
        if step is not None:
            return AttributePath(
                self.owner,
                (*self.segments, step),
                index=self.index,
                labels=(*labels, step),
                documents=self.documents,
            )
        if isinstance(key, AttributePath) and not key.composite:
            depth = len(self.segments)
            return AttributePath(
                self.owner,
                (*self.segments, *key.segments),
                index=self.index,
                labels=(*labels, *(key.labels or key.segments)),
                documents=(
                    *self.documents,
                    (depth, key.owner),
                    *((depth + inner, owner) for inner, owner in key.documents),
                ),
            )
        raise ExpressionError(
            f"{self}[…] takes a member's path (`Order.address[Address.city]`), a key of a dict, a stored name, "
            "or a list position counted from 0; DynamoDB has neither negative positions nor slices"
        )

    if not TYPE_CHECKING:  # so that type checkers refuse unknown names and operators themselves

        def __getattr__(self, name: str) -> Never:
            if name.startswith("_") or name in Place.__slots__:  # asked for while nothing is set: copying, pickling
                raise AttributeError(name=name, obj=self)
            raise AttributeError(
                f"{self} has no {name!r}: a path leads into a document by the document's path, "
                f"`Order.address[Address.city]`, or by a name, `{self}[{name!r}]`",
                name=name,
                obj=self,
            )


ListPath: TypeAlias = (
    AttributePath[EntityT, list[ElementT]]
    | AttributePath[EntityT, list[ElementT] | None]
    | AttributePath[EntityT, tuple[ElementT, ...]]
    | AttributePath[EntityT, tuple[ElementT, ...] | None]
    | AttributePath[EntityT, Sequence[ElementT]]
    | AttributePath[EntityT, Sequence[ElementT] | None]
)
"""The path of a list, however it is annotated: a path is of one type, not of its supertypes."""

SetPath: TypeAlias = (
    AttributePath[EntityT, set[ElementT]]
    | AttributePath[EntityT, set[ElementT] | None]
    | AttributePath[EntityT, frozenset[ElementT]]
    | AttributePath[EntityT, frozenset[ElementT] | None]
    | AttributePath[EntityT, AbstractSet[ElementT]]
    | AttributePath[EntityT, AbstractSet[ElementT] | None]
)
"""The path of a set, as above."""


class PartitionKeyPath(AttributePath[EntityT, ValueT]):
    """The partition key of a table or of an index: its equality selects the items that a query reads."""

    __slots__ = ()
    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # paths are compared, not hashed

    @overload  # type: ignore[override]  # only `==` selects a partition
    def __eq__(self, other: ValueT) -> PartitionKeyCondition[EntityT]: ...  # pyright: ignore[reportOverlappingOverload]  # a value
    @overload
    def __eq__(self, other: Comparand[EntityT, ValueT | None]) -> Condition[EntityT]: ...  # type: ignore[overload-overlap]  # a path
    @overload
    def __eq__(self, other: object) -> NotComparable: ...  # else mypy takes object's, which gives bool
    def __eq__(self, other: object) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # only the results differ
        if isinstance(other, Comparand):
            return Predicate("=", self, (other,))
        return PartitionKeyCondition("=", self, (other,))

    @overload
    def is_in(self, values: Iterable[ValueT]) -> PartitionChoice[EntityT]: ...
    @overload
    def is_in(self, values: Iterable[ValueT | Comparand[EntityT, ValueT | None]]) -> Condition[EntityT]: ...
    def is_in(self, values: Iterable[Any]) -> Any:
        """Return the choice of several partitions, for a query, or as a filter of at most 100 values.

        With another attribute among the values it is an ordinary condition.

        Raises:
            ExpressionError: If ``values`` is one text, whose letters can hardly be meant.
        """
        if isinstance(values, str | bytes):
            raise ExpressionError(f"{self}.is_in() takes several values: put this one into a list")
        choices = tuple(values)
        if any(isinstance(choice, Comparand) for choice in choices):
            return Predicate("IN", self, choices)
        return PartitionChoice("IN", self, choices)


class SortKeyPath(AttributePath[EntityT, ValueT]):
    """The sort key of a table or of an index: its ranges narrow the items that a query reads."""

    __slots__ = ()
    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # as above

    @overload  # type: ignore[override]  # equality of a sort key is a key condition
    def __eq__(self, other: ValueT) -> SortKeyCondition[EntityT]: ...  # pyright: ignore[reportOverlappingOverload]  # a value
    @overload
    def __eq__(self, other: Comparand[EntityT, ValueT | None]) -> Condition[EntityT]: ...  # type: ignore[overload-overlap]  # a path
    @overload
    def __eq__(self, other: object) -> NotComparable: ...  # else mypy takes object's, which gives bool
    def __eq__(self, other: object) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # as above
        return _sort_key_condition("=", self, (other,))

    @overload
    def __lt__(self, other: ValueT) -> SortKeyCondition[EntityT]: ...
    @overload
    def __lt__(self, other: Comparand[EntityT, ValueT | None]) -> Condition[EntityT]: ...
    def __lt__(self, other: Any) -> Any:
        return _sort_key_condition("<", self, (other,))

    @overload
    def __le__(self, other: ValueT) -> SortKeyCondition[EntityT]: ...
    @overload
    def __le__(self, other: Comparand[EntityT, ValueT | None]) -> Condition[EntityT]: ...
    def __le__(self, other: Any) -> Any:
        return _sort_key_condition("<=", self, (other,))

    @overload
    def __gt__(self, other: ValueT) -> SortKeyCondition[EntityT]: ...
    @overload
    def __gt__(self, other: Comparand[EntityT, ValueT | None]) -> Condition[EntityT]: ...
    def __gt__(self, other: Any) -> Any:
        return _sort_key_condition(">", self, (other,))

    @overload
    def __ge__(self, other: ValueT) -> SortKeyCondition[EntityT]: ...
    @overload
    def __ge__(self, other: Comparand[EntityT, ValueT | None]) -> Condition[EntityT]: ...
    def __ge__(self, other: Any) -> Any:
        return _sort_key_condition(">=", self, (other,))

    @overload
    def between(self, low: ValueT, high: ValueT) -> SortKeyCondition[EntityT]: ...
    @overload
    def between(
        self, low: ValueT | Comparand[EntityT, ValueT | None], high: ValueT | Comparand[EntityT, ValueT | None]
    ) -> Condition[EntityT]: ...
    def between(self, low: Any, high: Any) -> Any:
        """Return the condition ``low <= this <= high``, both ends included."""
        return _sort_key_condition("BETWEEN", self, (low, high))

    @overload  # type: ignore[override]  # of several attributes, the prefix is a tuple
    def begins_with(self: SortKeyPath[EntityT, TupleT], prefix: TupleT) -> SortKeyCondition[EntityT]: ...
    @overload
    def begins_with(self: Comparand[Any, Text], prefix: str) -> SortKeyCondition[EntityT]: ...
    @overload
    def begins_with(self: Comparand[Any, Text], prefix: Comparand[EntityT, Text]) -> Condition[EntityT]: ...
    @overload
    def begins_with(self: Comparand[Any, Binary], prefix: bytes) -> SortKeyCondition[EntityT]: ...
    @overload
    def begins_with(self: Comparand[Any, Binary], prefix: Comparand[EntityT, Binary]) -> Condition[EntityT]: ...
    def begins_with(self, prefix: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # as above
        """Return the condition that the sort key begins with ``prefix``; of several attributes, its last part."""
        return _sort_key_condition("begins_with", self, (prefix,))


def _sort_key_condition(operator: str, path: SortKeyPath[Any, Any], arguments: tuple[Any, ...]) -> Predicate[Any]:
    """Build a key condition where every argument is a value. Beside another path it is a filter."""
    for argument in arguments:
        if isinstance(argument, Comparand):
            return Predicate(operator, path, arguments)
    return SortKeyCondition(operator, path, arguments)


class CompositeKey:
    """The common part of keys of several attributes: they are compared with tuples, and have no other use."""

    __slots__ = ()

    composite: ClassVar[bool] = True
    parts: tuple[AttributePath[Any, Any], ...]

    def places(self) -> Iterator[Place]:
        """Yield the path of each attribute."""
        yield from self.parts

    def size(self) -> Never:
        """Refuse: the attributes have sizes, the key has none."""
        self._refuse("it has no size")

    def if_not_exists(self, value: object) -> Never:
        """Refuse: nothing can be set to it."""
        del value
        self._refuse("nothing can be set to it")

    def __getitem__(self, key: object, /) -> Never:
        self._refuse("all of them scalars: nothing is inside it")

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.parts))})"

    def _refuse(self, why: str) -> Never:
        raise ExpressionError(f"{self} is a key of several attributes, {why}")


@frozen(eq=False, repr=False)
class CompositePartitionKeyPath(CompositeKey, PartitionKeyPath[EntityT, ValueT]):
    """A partition key of several attributes: it equals a tuple of all of them.

    Attributes:
        parts: The path of each attribute, in the index's order.
    """

    parts: tuple[AttributePath[EntityT, Any], ...] = field(kw_only=True)


@frozen(eq=False, repr=False)
class CompositeSortKeyPath(CompositeKey, SortKeyPath[EntityT, ValueT]):
    """A sort key of several attributes: a tuple names its leading parts, all but the last by equality.

    Attributes:
        parts: The path of each attribute, in the index's order.
    """

    parts: tuple[AttributePath[EntityT, Any], ...] = field(kw_only=True)
