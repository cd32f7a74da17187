"""The clauses of one table that were found right before: of another value of the same type, only the value is encoded.

Whether a clause is right depends on its kind, its attribute and the type of its value. A clause whose value decides,
such as one of an index's key, which has a limit, is never known.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, Final

from mizzle_async.expressions import AttributePath, Encoded, Facet, UpdateClause
from mizzle_async.expressions.checker import NO_VALUES
from mizzle_async.expressions.updates import ADD, SET, SET_DEFAULT, ClauseKind
from mizzle_async.marshalling import EntityCodec
from mizzle_async.types import AttributeValue

KNOWN: Final = 4_096
"""Clauses that are kept: classes of values may be without end."""

FACETS: Final = {SET: Facet.WHOLE, SET_DEFAULT: Facet.WHOLE, ADD: Facet.DELTA}
"""How the values of the kinds that can be known relate to their attributes."""


class KnownClauses:
    """The clauses of one table that were found right.

    Args:
        codec: Encodes their values.
        demanding: Stored names of the attributes whose values pass through functions of their class first.
    """

    __slots__ = ("_codec", "_demanding", "_writers")

    def __init__(self, codec: EntityCodec[Any], demanding: Container[str]) -> None:
        self._codec = codec
        self._demanding = demanding
        self._writers: dict[tuple[Any, ...], Callable[[Any], AttributeValue]] = {}

    def clause(self, kind: ClauseKind, path: Any, value: Any) -> UpdateClause | None:
        """Return a clause that is known, with its value encoded.

        Args:
            kind: Its kind.
            path: The path that it changes.
            value: Its value.

        Returns:
            The clause. None for one that is not known, or whose value does not fit: checking it says why.
        """
        if not isinstance(path, AttributePath) or len(path.segments) != 1:
            return None
        write = self._writers.get((kind, path.owner, path.segments[0], type(value)))
        if write is None:
            return None
        try:
            return UpdateClause(kind, path, Encoded(write(value)))
        except Exception:  # noqa: BLE001  (the careful way looks at it again)
            return None

    def keep(self, kind: ClauseKind, path: AttributePath[Any, Any], value: Any) -> None:
        """Keep a clause that was found right.

        Args:
            kind: Its kind.
            path: Its path.
            value: Its value, not encoded.
        """
        if isinstance(value, NO_VALUES) or len(path.segments) != 1 or len(self._writers) >= KNOWN:
            return
        name, facet = str(path.segments[0]), FACETS[kind]
        write = None if name in self._demanding else self._codec.operand_writer(name, facet)
        if write is not None and not self._codec.is_limited(name):
            self._writers[kind, path.owner, name, type(value)] = write

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._writers)}>"
