"""The uses of an entity's paths, by their types.

The mistakes that type checkers refuse are refused here for code that is not checked, before any request. A type that is
not known (``Any``, a class that only the user's converter knows) may be used for everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final, get_origin

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import Place, Use
from mizzle_async.model.annotations import type_name, without_none
from mizzle_async.model.foreign import has_fields
from mizzle_async.model.key_types import listed_values
from mizzle_async.model.path_types import format_at, type_at
from mizzle_async.model.scalars import datetime_type, registered
from mizzle_async.model.schema import EntitySchema

CONTAINER_TAGS: Final[tuple[tuple[type[Any], str], ...]] = (
    (AbstractSet, "SET"),
    (Mapping, "M"),
    (Sequence, "L"),
)
"""How values of a class that is no scalar are stored: the first one that fits decides."""

CONTAINER_USES: Final[Mapping[str, frozenset[Use]]] = {
    "SET": frozenset({Use.READ, Use.CONTAIN, Use.SIZE, Use.ELEMENTS}),
    "L": frozenset({Use.READ, Use.CONTAIN, Use.SIZE, Use.EXTEND}),
    "M": frozenset({Use.READ, Use.SIZE}),
}


def forms_of(annotation: Any, datetime_format: Any = None) -> Mapping[str, frozenset[Use]] | None:
    """Return the forms that values of a type may be stored in, each with its uses, None where they are not known.

    Args:
        annotation: A resolved type, from which None is left out.
        datetime_format: How its datetimes are stored, None where that is not known.

    Returns:
        By the form's name: a scalar's type descriptor, ``SET``, ``L`` or ``M``.
    """
    forms: dict[str, frozenset[Use]] = {}
    for member in without_none(annotation):
        values = listed_values(member)
        for one in [member] if values is None else map(type, values):
            found = _class_forms(get_origin(one) or one, datetime_format)
            if not found:
                return None
            for form, uses in found.items():
                forms[form] = forms.get(form, frozenset()) | uses
    return forms or None


def _class_forms(kind: Any, datetime_format: Any) -> Mapping[str, frozenset[Use]]:
    """Return the forms of a class, none where they are not known."""
    if not isinstance(kind, type):
        return {}
    rows = [datetime_type(datetime_format)] if datetime_format and issubclass(kind, datetime) else registered(kind)
    forms: dict[str, frozenset[Use]] = {}
    for row in rows:
        forms[row.tag] = forms.get(row.tag, frozenset()) | row.uses
    if forms:
        return forms
    tag = next((tag for base, tag in CONTAINER_TAGS if issubclass(kind, base)), "M" if has_fields(kind) else None)
    return {} if tag is None else {tag: CONTAINER_USES[tag]}


def _remedy(path: Place, use: Use, forms: Mapping[str, frozenset[Use]], annotation: Any) -> str:
    """Return how what a sum of the wrong type meant is written, nothing where that is not known."""
    if use is not Use.SUM:
        return ""
    if "SET" in forms:
        return f". A set takes a set of elements, `.add({path}, {{…}})`"
    kinds = [get_origin(one) or one for one in without_none(annotation)]
    if any(isinstance(kind, type) and issubclass(kind, datetime) for kind in kinds):
        return '. A time that is stored as text takes no sum: assign a value, or declare datetime_format="epoch"'
    return ""


class UsageCheck:
    """Refuses uses of an entity's paths that their types do not allow: a `PathCheck` for the compiler.

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
            ExpressionError: If it cannot, with its uses.
        """
        segments = path.segments
        # Positions and names inside attributes come from data without end: only attributes are remembered.
        remembered = (path.owner, segments[0], use) if len(segments) == 1 else None
        if remembered in self._approved:
            return
        annotation = type_at(self.schema, path)
        attribute = self.schema.by_name.get(str(segments[0]))
        if attribute is not None and attribute.key_only:
            raise ExpressionError(
                f"{path} is stored in the key alone, so no stored attribute holds it: compare it in the key condition"
                " of a query, or filter in Python"
            )
        forms = forms_of(annotation, format_at(self.schema, path))
        if forms is not None:
            allowed = frozenset[Use]().union(*forms.values())
            if use not in allowed:
                raise ExpressionError(
                    f"{path} is of type {type_name(annotation)}, which does not take {use.value}. It takes "
                    f"{', '.join(one.value for one in Use if one in allowed)}{_remedy(path, use, forms, annotation)}"
                )
        if remembered is not None:
            self._approved.add(remembered)

    def compare(self, left: Place, right: Place) -> None:
        """Refuse two paths whose values are never of one type.

        Raises:
            ExpressionError: Their types.
        """
        left_type, right_type = type_at(self.schema, left), type_at(self.schema, right)
        left_forms, right_forms = forms_of(left_type), forms_of(right_type)
        if left_forms is not None and right_forms is not None and left_forms.keys().isdisjoint(right_forms):
            raise ExpressionError(
                f"{left} is of type {type_name(left_type)} and {right} of type {type_name(right_type)}: "
                "their values are never equal"
            )
