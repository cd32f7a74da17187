"""How a ``TypedDict`` and a ``NamedTuple`` are stored: a map and a list, each member by its own type."""

# ruff: noqa: D102  (Shape documents the methods of shapes)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from attrs import NOTHING

from mizzle_async.marshalling.shapes.by_value import too_deep
from mizzle_async.marshalling.shapes.containers import TupleShape
from mizzle_async.marshalling.shapes.fields import Field
from mizzle_async.marshalling.shapes.one_type import single
from mizzle_async.marshalling.shapes.shape import Shape, deepest
from mizzle_async.model.scalars.misfit import Misfit, not_a, not_stored_as
from mizzle_async.types import AttributeValue


class DictMember(NamedTuple):
    """One key of a ``TypedDict``.

    Attributes:
        shape: How its value is stored.
        is_required: Whether every dict has it.
    """

    shape: Shape
    is_required: bool


class TypedDictShape(Shape):
    """A dict with declared keys, a ``TypedDict``. Stored keys that are not declared are left out when it is read.

    It is made before its members are known, because it may contain itself: `define` gives them.

    Attributes:
        python: Its name.
        members: Its keys.
    """

    tags: frozenset[str] = frozenset({"M"})

    def __init__(self, python: str) -> None:
        self.python = python
        self.members: Mapping[str, DictMember] = {}

    def define(self, members: Mapping[str, DictMember]) -> None:
        """Set the keys."""
        self.members = members

    def encode(self, value: Any, levels: int) -> AttributeValue:
        if not isinstance(value, Mapping):
            raise not_a(self.python, value)
        if levels < 1:
            raise too_deep()
        undeclared = next((key for key in value if key not in self.members), None)
        if undeclared is not None:
            raise Misfit("declared keys only", "one more", "it would not be read").at_entry(undeclared)
        encoded: dict[str, AttributeValue] = {}
        for name, member in self.members.items():
            if name not in value:
                self._check_absent(name, member, "no such key")
                continue
            try:
                encoded[name] = member.shape.encode(value[name], levels - 1)
            except Misfit as misfit:
                raise misfit.at_entry(name) from misfit.__cause__
        return {"M": encoded}

    def decode(self, stored: AttributeValue) -> Any:
        if "M" not in stored:
            raise not_stored_as("M", stored)
        payload: Mapping[str, AttributeValue] = stored["M"]
        decoded: dict[str, Any] = {}
        for name, member in self.members.items():
            if name not in payload:
                self._check_absent(name, member, "no such attribute")
                continue
            try:
                decoded[name] = member.shape.decode(single(payload[name]))
            except Misfit as misfit:
                raise misfit.at_entry(name) from misfit.__cause__
        return decoded

    def _check_absent(self, name: str, member: DictMember, found: str) -> None:
        if member.is_required:
            raise Misfit(member.shape.stored_as, found).at_entry(name)

    def field(self, name: str) -> Field | None:
        """Return a key as the attribute of a class, None where it is not declared."""
        member = self.members.get(name)
        if member is None:
            return None
        default = NOTHING if member.is_required else None
        return Field(name, name, member.shape, optional=False, default=default)

    def depth(self, above: tuple[Shape, ...] = ()) -> int | None:
        if self in above:
            return None
        inner = deepest([member.shape for member in self.members.values()], (*above, self))
        return None if inner is None else inner + 1

    def member(self, segment: str | int) -> Shape | None:
        found = self.members.get(segment) if isinstance(segment, str) else None
        return None if found is None else found.shape


class NamedTupleShape(TupleShape):
    """A tuple with names, a ``NamedTuple``: a list, of which trailing members with a default may be missing.

    Attributes:
        minimum: How many members have no default.
    """

    def __init__(self, cls: type[Any], of: tuple[Shape, ...]) -> None:
        super().__init__(cls.__name__, of)
        kind = cast("Any", cls)
        self.build = cls
        self.minimum: int = len(of) - len(kind._field_defaults)

    def encode(self, value: Any, levels: int) -> AttributeValue:
        if type(value) is not self.build:
            raise not_a(self.python, value)
        return super().encode(value, levels)

    def decode(self, stored: AttributeValue) -> Any:
        payload = stored.get("L")
        if isinstance(payload, Sequence) and self.minimum <= len(payload) < len(self.of):
            present = TupleShape(self.python, self.of[: len(payload)])
            return self.build(*present.decode(stored))
        return self.build(*super().decode(stored))
