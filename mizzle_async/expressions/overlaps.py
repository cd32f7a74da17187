"""Overlapping paths: one request may not name a place and something inside it.

DynamoDB refuses such updates and projections. Finding it here costs linear time.
"""

from __future__ import annotations

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions.terms import Place, Segments


class OverlapCheck:
    """The paths of one expression so far."""

    __slots__ = ("_ends", "_insides")

    def __init__(self) -> None:
        self._ends: dict[Segments, Place] = {}
        self._insides: dict[Segments, tuple[type, Place]] = {}

    def add(self, path: Place) -> None:
        """Take one more path.

        Raises:
            ExpressionError: It overlaps an earlier one, or takes a list position where that one takes a name.
        """
        segments = path.segments
        other = self._ends.get(segments)
        if other is not None:
            raise ExpressionError(f"{path} is named twice in one expression: DynamoDB takes each path once")
        if segments in self._insides:
            self._refuse(path, self._insides[segments][1])
        for depth in range(1, len(segments)):
            outer = segments[:depth]
            if outer in self._ends:
                self._refuse(path, self._ends[outer])
            kind = type(segments[depth])
            known, first = self._insides.setdefault(outer, (kind, path))
            if known is not kind:
                raise ExpressionError(
                    f"{path} and {first} conflict: one takes a list position where the other takes a name"
                )
        self._ends[segments] = path

    def _refuse(self, path: Place, other: Place) -> None:
        raise ExpressionError(f"{path} and {other} overlap: name one of them in an expression, not both")
