"""The record of one scalar type: how it is stored, its uses, and the code that is generated for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from attrs import Factory, field, frozen

from mizzle_async.expressions import Use
from mizzle_async.values import Record

ScalarTag: TypeAlias = Literal["S", "N", "B", "BOOL"]
ScalarCode: TypeAlias = Literal["S", "N", "B"]
"""The type descriptors that a key may have."""

DatetimeFormat: TypeAlias = str | tuple[Callable[[datetime], str], Callable[[str], datetime]]
"""How a datetime is stored.

- ``"iso"``: text in UTC of a fixed width, with microseconds.
- ``"iso_ms"``: the same with milliseconds, as JavaScript and Java write it.
- ``"epoch"``, ``"epoch_ms"``: a number of seconds or of milliseconds.
- A strftime format, such as ``"%Y-%m-%dT%H:%M:%S%z"``.
- A pair of functions: one writes a datetime in UTC as text, the other reads such a text.
"""

Write: TypeAlias = Callable[[Any], Any]
Read: TypeAlias = Callable[[Any], Any]

LOOKS_LIKE_TEXT: Final = frozenset({Use.READ, Use.PREFIX, Use.CONTAIN, Use.SIZE})
"""The uses of a text whose order means nothing."""

USES_BY_TAG: Final[Mapping[ScalarTag, frozenset[Use]]] = {
    "S": LOOKS_LIKE_TEXT | {Use.ORDER},
    "B": LOOKS_LIKE_TEXT | {Use.ORDER},
    "N": frozenset({Use.READ, Use.ORDER, Use.SUM}),
    "BOOL": frozenset({Use.READ}),
}


@frozen(eq=False, repr=False)
class Sources(Record):
    """Expressions for the common case, which become part of generated functions.

    In them ``{v}`` is the variable that is encoded, ``{p}`` the payload that is decoded (once), ``{t}`` a variable of
    their own, ``{write}`` and ``{read}`` the careful functions, and every key of ``names`` stands for its value.

    Attributes:
        write: An expression for the payload of a value.
        read: An expression for the value of a payload.
        names: Values that the expressions use.
        json: An expression for a value that orjson writes as the payload, where that is less work than the payload.
    """

    write: str = "{write}({v})"
    read: str = "{read}({p})"
    names: Mapping[str, Any] = field(factory=dict)
    json: str = ""


def _uses_of_tag(scalar: Any) -> frozenset[Use]:
    return USES_BY_TAG[scalar.tag]


def _only_itself(scalar: Any) -> tuple[type[Any], ...]:
    return (scalar.python,)


@frozen(eq=False, repr=False)
class ScalarType(Record):
    """A type that is stored as one payload under one type descriptor.

    Attributes:
        python: The type as it is annotated.
        tag: Its type descriptor.
        write: Returns the payload of a value, or raises a `Misfit`.
        read: Returns the value of a payload, or raises a `Misfit`.
        uses: Its uses in expressions.
        exact_types: The classes whose own instances are its values, subclasses aside. Each may be annotated for it.
        sources: Expressions for the common case.
        is_plain: Whether its values may stand in an Enum or a Literal, and subclasses of it are stored as it is.
        datetime_format: Which way of storing datetimes it is, None for other types and for the usual way.
        stamp: Returns the payload of a time that the library takes, cut to the payload's precision, None for
            ``write``.
    """

    python: type[Any]
    tag: ScalarTag
    write: Write
    read: Read
    uses: frozenset[Use] = field(default=Factory(_uses_of_tag, takes_self=True), kw_only=True)
    exact_types: tuple[type[Any], ...] = field(default=Factory(_only_itself, takes_self=True), kw_only=True)
    sources: Sources = field(factory=Sources, kw_only=True)
    is_plain: bool = field(default=False, kw_only=True)
    datetime_format: Any = field(default=None, kw_only=True)
    stamp: Write | None = field(default=None, kw_only=True)

    @property
    def key_code(self) -> ScalarCode | None:
        """The descriptor of keys of this type, None where it cannot be a key's."""
        return None if self.tag == "BOOL" else self.tag

    @property
    def is_ordered(self) -> bool:
        """Whether the order of payloads is the order of values."""
        return Use.ORDER in self.uses
