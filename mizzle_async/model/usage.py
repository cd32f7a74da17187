"""What the paths of an entity can be used for, by their types.

The mistakes that type checkers refuse are refused here for code that is not checked, before any request. A type that is
not known (``Any``, a class that only the user's converter knows) may be used for everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from typing import Any, Final, get_origin
from uuid import UUID

import attrs

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import Place, Use
from mizzle_async.model.annotations import type_name, without_none
from mizzle_async.model.key_types import listed_values
from mizzle_async.model.path_types import type_at
from mizzle_async.model.schema import EntitySchema


class Kind(Enum):
    """How the values of a type are stored, as far as expressions care."""

    TEXT = auto()
    BINARY = auto()
    NUMBER = auto()
    BOOLEAN = auto()
    SET = auto()
    LIST = auto()
    MAP = auto()


USES: Final[Mapping[Kind, frozenset[Use]]] = {
    Kind.TEXT: frozenset({Use.READ, Use.ORDER, Use.PREFIX, Use.CONTAIN, Use.SIZE}),
    Kind.BINARY: frozenset({Use.READ, Use.ORDER, Use.PREFIX, Use.CONTAIN, Use.SIZE}),
    Kind.NUMBER: frozenset({Use.READ, Use.ORDER, Use.SUM}),
    Kind.BOOLEAN: frozenset({Use.READ}),
    Kind.SET: frozenset({Use.READ, Use.CONTAIN, Use.SIZE, Use.ELEMENTS}),
    Kind.LIST: frozenset({Use.READ, Use.CONTAIN, Use.SIZE, Use.EXTEND}),
    Kind.MAP: frozenset({Use.READ, Use.SIZE}),
}

# The first class that fits decides: a bool is an int, a datetime is a date, text is a sequence.
KINDS: Final[tuple[tuple[type[Any] | tuple[type[Any], ...], frozenset[Kind]], ...]] = (
    (bool, frozenset({Kind.BOOLEAN})),
    (datetime, frozenset({Kind.TEXT, Kind.NUMBER})),
    ((str, date, UUID), frozenset({Kind.TEXT})),
    ((bytes, bytearray, memoryview), frozenset({Kind.BINARY})),
    ((int, float, Decimal, timedelta), frozenset({Kind.NUMBER})),
    (AbstractSet, frozenset({Kind.SET})),
    (Mapping, frozenset({Kind.MAP})),
    (Sequence, frozenset({Kind.LIST})),
)


def kinds_of(annotation: Any) -> frozenset[Kind] | None:
    """Return how values of a type are stored, None aside; None where that is not known."""
    found: set[Kind] = set()
    for member in without_none(annotation):
        values = listed_values(member)
        for one in [member] if values is None else map(type, values):
            kinds = _class_kinds(get_origin(one) or one)
            if kinds is None:
                return None
            found |= kinds
    return frozenset(found) or None


def _class_kinds(kind: Any) -> frozenset[Kind] | None:
    if not isinstance(kind, type):
        return None
    for base, kinds in KINDS:
        if issubclass(kind, base):
            return kinds
    return frozenset({Kind.MAP}) if attrs.has(kind) else None


class UsageCheck:
    """Refuses what an entity's paths cannot be used for; a `PathCheck` for the compiler.

    Attributes:
        schema: The schema of the table's items.
    """

    __slots__ = ("_approved", "schema")

    def __init__(self, schema: EntitySchema) -> None:
        self.schema: EntitySchema = schema
        self._approved: set[Any] = set()

    def use(self, path: Place, use: Use) -> None:
        """Refuse a path that belongs to another entity, leads nowhere, or cannot be used this way.

        Raises:
            ExpressionError: What the path can be used for.
        """
        segments = path.segments
        # Positions and names inside attributes come from data without end: only attributes are remembered.
        remembered = (path.owner, segments[0], use) if len(segments) == 1 else None
        if remembered in self._approved:
            return
        annotation = type_at(self.schema, path)
        kinds = kinds_of(annotation)
        if kinds is not None:
            allowed = frozenset[Use]().union(*(USES[kind] for kind in kinds))
            if use not in allowed:
                raise ExpressionError(
                    f"{path} is of type {type_name(annotation)}, which does not take {use.value}. It takes "
                    f"{', '.join(one.value for one in Use if one in allowed)}"
                )
        if remembered is not None:
            self._approved.add(remembered)

    def compare(self, left: Place, right: Place) -> None:
        """Refuse two paths whose values are never of one type.

        Raises:
            ExpressionError: Their types.
        """
        left_type, right_type = type_at(self.schema, left), type_at(self.schema, right)
        left_kinds, right_kinds = kinds_of(left_type), kinds_of(right_type)
        if left_kinds is not None and right_kinds is not None and left_kinds.isdisjoint(right_kinds):
            raise ExpressionError(
                f"{left} is of type {type_name(left_type)} and {right} of type {type_name(right_type)}: "
                "their values are never equal"
            )
