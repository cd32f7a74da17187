"""How a class with attributes is stored: as a map, each attribute by its own type.

Here is the careful way: `mizzle_async.marshalling.shapes.generated_classes` adds the fast one.
"""

# ruff: noqa: D102  (Shape documents the methods of shapes)

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mizzle_async.marshalling.shapes.by_value import too_deep
from mizzle_async.marshalling.shapes.construct import Construction, argument_names, construction_of, make_instance
from mizzle_async.marshalling.shapes.fields import Field
from mizzle_async.marshalling.shapes.one_type import single
from mizzle_async.marshalling.shapes.shape import Shape, deepest
from mizzle_async.model.scalars.misfit import Misfit, not_a, not_stored_as
from mizzle_async.types import WRITE_ID_ATTRIBUTE, AttributeValue, Item


class CarefulClassShape(Shape):
    """A class with attributes: attrs, a dataclass, a struct, a model of Pydantic's, entities and documents among them.

    It is made before its fields are known, because a class may contain itself: `define` gives them.

    Attributes:
        cls: The class.
        python: Its name.
        fields: Its attributes.
        refuses_unknown: Whether a stored attribute that it does not declare is an error.
        construction: How its instances are made when they are read.
    """

    tags: frozenset[str] = frozenset({"M"})

    def __init__(self, cls: type[Any]) -> None:
        self.cls = cls
        self.python: str = cls.__name__
        self.construction: Construction = construction_of(cls)
        self.aliases: dict[str, str] = argument_names(cls)
        self.fields: tuple[Field, ...] = ()
        self.by_wire: Mapping[str, Field] = {}
        self.by_name: Mapping[str, Field] = {}
        self.refuses_unknown: bool = False

    def define(self, fields: tuple[Field, ...], *, refuses_unknown: bool = False) -> None:
        """Set the attributes."""
        self.fields = fields
        self.by_wire = {field.wire: field for field in fields}
        self.by_name = {field.name: field for field in fields}
        self.refuses_unknown = refuses_unknown

    def encode_fields(self, instance: Any, levels: int) -> Item:
        """Return the attributes of an instance as they are stored.

        Args:
            instance: Of exactly this class: a subclass would be read back as this one.
            levels: How many levels of nesting are left for the attributes.

        Raises:
            Misfit: The instance, or an attribute of it, does not fit.
        """
        if type(instance) is not self.cls:
            kin = isinstance(instance, self.cls)
            raise not_a(
                self.python, instance, f"it would be read back as {self.python}: declare a union" if kin else ""
            )
        item: Item = {}
        for field in self.fields:
            try:
                try:
                    value = getattr(instance, field.name)
                except AttributeError:
                    raise Misfit(field.shape.python, "an attribute that was never set") from None
                stored = field.encode(value, levels)
            except Misfit as misfit:
                raise misfit.at_field(field.name) from misfit.__cause__
            if stored is not None:
                item[field.wire] = stored
        return item

    def decode_fields(self, item: Mapping[str, AttributeValue]) -> Any:
        """Return the instance of stored attributes.

        Raises:
            Misfit: An attribute does not fit, is missing, or (where that is refused) is not declared, or the class
                refused the values.
        """
        values: dict[str, Any] = {}
        partial = _Partial()
        for field in self.fields:
            try:
                value = self._decode_field(field, item, partial)
            except Misfit as misfit:
                raise misfit.at_field(field.name) from misfit.__cause__
            if value is not partial:
                values[field.name] = value
                setattr(partial, field.name, value)
        self._check_unknown(item)
        try:
            return make_instance(self.cls, self.construction, values, self.aliases)
        except Exception as error:
            raise Misfit(
                f"attributes that {self.python} accepts", type(error).__name__, "it is the cause of this error"
            ) from error

    def _decode_field(self, field: Field, item: Mapping[str, AttributeValue], partial: _Partial) -> Any:
        stored = item.get(field.wire)
        if stored is not None:
            single(stored)
            if not (field.null_as_default and "NULL" in stored):
                return field.decode(stored)
        if self.construction is Construction.CALL and not field.optional and not field.is_set and field.may_be_absent:
            return partial  # its default is made by __init__
        return field.when_absent(partial)

    def _check_unknown(self, item: Mapping[str, AttributeValue]) -> None:
        if self.refuses_unknown:
            unknown = next((name for name in item if name not in self.by_wire and name != WRITE_ID_ATTRIBUTE), None)
            if unknown is not None:
                raise Misfit("declared attributes only", "one more", 'see unknown="ignore"').at_field(unknown)

    def encode(self, value: Any, levels: int) -> AttributeValue:
        if levels < 1:
            raise too_deep()
        return {"M": self.encode_fields(value, levels - 1)}

    def decode(self, stored: AttributeValue) -> Any:
        if "M" not in stored:
            raise not_stored_as("M", stored)
        return self.decode_fields(stored["M"])

    def depth(self, above: tuple[Shape, ...] = ()) -> int | None:
        if self in above:
            return None
        inner = deepest([field.shape for field in self.fields], (*above, self))
        return None if inner is None else inner + 1

    def member(self, segment: str | int) -> Shape | None:
        field = self.by_wire.get(segment) if isinstance(segment, str) else None
        return None if field is None else field.shape


class _Partial:
    """An instance while its attributes are being read: defaults may be made of it."""
