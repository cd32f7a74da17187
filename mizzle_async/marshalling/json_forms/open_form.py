"""Values without a declared type as JSON has them: written by their own type, read as they would be stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from mizzle_async.marshalling.json_forms.form import ALL_KINDS, Form
from mizzle_async.marshalling.json_forms.scalars import open_number
from mizzle_async.marshalling.shapes.by_value import decode_value, encode_value
from mizzle_async.marshalling.shapes.scalars import BYTES, FLOAT
from mizzle_async.model.scalars.binary import write_str
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.model.seams import JSON_MEMBERS

WriteOther = Callable[[Any], Any]


class OpenForm(Form):
    """A value without a declared type: JSON's own types, and text for what JSON has no type for.

    Args:
        other: Writes a value of any other type.
        decimal: Writes a ``Decimal``.
    """

    python = "Any"
    kinds = ALL_KINDS

    def __init__(self, other: WriteOther, decimal: Callable[[Decimal], Any] = open_number) -> None:
        self._other = other
        self._decimal = decimal

    def write(self, value: Any) -> Any:  # noqa: D102, PLR0911  (Form documents it; a return for each type)
        kind = type(value)
        if value is None or kind is bool or kind is int:
            return value
        if kind is str:
            return write_str(value)
        if kind is Decimal:
            return self._decimal(value)
        if isinstance(value, Mapping):
            return self._write_entries(value)
        if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
            return self._write_elements(value)
        if isinstance(value, set | frozenset):
            return in_order(self._write_elements(value))
        if kind is float:
            FLOAT.write(value)
            return value
        if isinstance(value, bytes | bytearray | memoryview):
            return BYTES.write(value)
        members = getattr(kind, JSON_MEMBERS, None)
        if members is not None:
            return self._write_entries({name: getattr(value, name) for name in members})
        return self._other(value)

    def _write_entries(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for name, element in value.items():
            try:
                written[self._write_name(name)] = self.write(element)
            except Misfit as misfit:
                raise misfit.at_entry(name) from misfit.__cause__
        return written

    def _write_name(self, name: Any) -> str:
        text = write_str(name) if isinstance(name, str) else self.write(name)
        if isinstance(text, bool) or not isinstance(text, str | int):
            raise Misfit("a name that is text", type(name).__name__)
        return str(text)

    def _write_elements(self, value: Any) -> list[Any]:
        written: list[Any] = []
        try:
            for element in value:
                written.append(self.write(element))  # noqa: PERF401  (its length is the misfit's position)
        except Misfit as misfit:
            raise misfit.at_position(len(written)) from misfit.__cause__
        return written

    def read(self, data: Any) -> Any:  # noqa: D102  (Form documents it)
        return decode_value(encode_value(data))


def in_order(elements: list[Any]) -> list[Any]:
    """Return the elements of a set in an order that does not depend on the process."""
    return sorted(elements, key=lambda element: (type(element).__name__ if isinstance(element, str) else "", element))
