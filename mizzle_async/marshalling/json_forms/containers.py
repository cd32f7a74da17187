"""Optional values, lists, tuples, sets, maps and unions as JSON has them."""

# ruff: noqa: D102  (Form documents the methods of forms)

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from mizzle_async.marshalling.in_turn import in_turn
from mizzle_async.marshalling.json_forms.form import LIST, NULL, OBJECT, Form, kind_of, not_json
from mizzle_async.marshalling.json_forms.open_form import in_order
from mizzle_async.model.scalars.misfit import Misfit, not_a


class OptionalForm(Form):
    """A value, or null."""

    def __init__(self, inner: Form) -> None:
        self.inner = inner
        self.python: str = f"{inner.python} | None"
        self.kinds: frozenset[str] = inner.kinds | {NULL}

    def write(self, value: Any) -> Any:
        return None if value is None else self.inner.write(value)

    def read(self, data: Any) -> Any:
        return None if data is None else self.inner.read(data)


class ListForm(Form):
    """A list, a sequence or a tuple of any length.

    Args:
        python: The type as messages name it.
        accepts: The classes of values.
        build: Makes the value of a list of elements.
        of: How elements are written.
    """

    kinds: frozenset[str] = frozenset({LIST})

    def __init__(
        self, python: str, accepts: tuple[type[Iterable[Any]], ...], build: Callable[[Any], Any], of: Form
    ) -> None:
        self.python: str = python
        self._accepts = accepts
        self._build = build
        self._of = of

    def write(self, value: Any) -> Any:
        if not isinstance(value, self._accepts):
            raise not_a(self.python, value)
        return in_turn(self._of.write, value)

    def read(self, data: Any) -> Any:
        if not isinstance(data, list | tuple):
            raise not_json(LIST, data)
        return self._build(in_turn(self._of.read, data))


class TupleForm(Form):
    """A tuple of a fixed length, or a ``NamedTuple``, of which trailing members with a default may be missing.

    Args:
        python: The type as messages name it.
        build: The class of the values.
        of: How each element is written.
        minimum: How many elements have no default.
    """

    kinds: frozenset[str] = frozenset({LIST})

    def __init__(self, python: str, build: type[Any], of: tuple[Form, ...], minimum: int) -> None:
        self.python: str = python
        self._build = build
        self._of = of
        self._minimum = minimum

    def write(self, value: Any) -> Any:
        if not isinstance(value, self._build):
            raise not_a(self.python, value)
        if len(value) != len(self._of):
            raise Misfit(f"a tuple of {len(self._of)}", f"one of {len(value)}")
        return self._each(lambda form, element: form.write(element), value)

    def read(self, data: Any) -> Any:
        if not isinstance(data, list | tuple):
            raise not_json(LIST, data)
        if not self._minimum <= len(data) <= len(self._of):
            raise Misfit(f"a list of {len(self._of)}", f"one of {len(data)}")
        elements = self._each(lambda form, element: form.read(element), data)
        return tuple(elements) if self._build is tuple else self._build(*elements)

    def _each(self, convert: Callable[[Form, Any], Any], values: Any) -> list[Any]:
        converted: list[Any] = []
        try:
            for form, value in zip(self._of, values, strict=False):
                converted.append(convert(form, value))
        except Misfit as misfit:
            raise misfit.at_position(len(converted)) from misfit.__cause__
        return converted


class SetForm(Form):
    """A set: a list in order."""

    kinds: frozenset[str] = frozenset({LIST})

    def __init__(self, python: str, build: Callable[[Any], Any], of: Form) -> None:
        self.python: str = python
        self._build = build
        self._of = of

    def write(self, value: Any) -> Any:
        if not isinstance(value, set | frozenset):
            raise not_a(self.python, value)
        try:
            return in_order([self._of.write(element) for element in value])
        except Misfit as misfit:
            raise misfit.at_element() from misfit.__cause__

    def read(self, data: Any) -> Any:
        if not isinstance(data, list | tuple | set | frozenset):
            raise not_json(LIST, data)
        try:
            return self._build([self._of.read(element) for element in data])
        except Misfit as misfit:
            raise misfit.at_element() from misfit.__cause__


class MapForm(Form):
    """A dict: an object.

    Args:
        python: The type as messages name it.
        names: The functions that write and read its names.
        of: How values are written.
    """

    kinds: frozenset[str] = frozenset({OBJECT})

    def __init__(self, python: str, names: tuple[Callable[[Any], str], Callable[[Any], Any]], of: Form) -> None:
        self.python: str = python
        self._write_name, self._read_name = names
        self._of = of

    def write(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise not_a(self.python, value)
        return self._each(self._write_name, self._of.write, value)

    def read(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise not_json(OBJECT, data)
        return self._each(self._read_name, self._of.read, data)

    def _each(self, of_name: Callable[[Any], Any], of_value: Callable[[Any], Any], values: Mapping[Any, Any]) -> Any:
        converted: dict[Any, Any] = {}
        name: Any = None
        try:
            for name, value in values.items():
                converted[of_name(name)] = of_value(value)
        except Misfit as misfit:
            raise misfit.at_entry(name) from misfit.__cause__
        return converted


class NumberForm(Form):
    """A number that may be an ``int`` or of another type: whole ones are read as ``int``."""

    def __init__(self, python: str, whole: Form, other: Form) -> None:
        self.python: str = python
        self._whole = whole
        self._other = other
        self.kinds: frozenset[str] = whole.kinds | other.kinds

    def write(self, value: Any) -> Any:
        return self._form_of(isinstance(value, int)).write(value)

    def read(self, data: Any) -> Any:
        value = self._other.read(data) if isinstance(data, str) or not isinstance(data, int) else self._whole.read(data)
        return int(value) if isinstance(value, float | Decimal) and value == int(value) else value

    def _form_of(self, is_whole: bool) -> Form:  # noqa: FBT001  (it is the question)
        return self._whole if is_whole else self._other


class UnionForm(Form):
    """A value of one of several types that JSON tells apart.

    Args:
        python: The union as messages name it.
        members: How values of each type are written.
    """

    def __init__(self, python: str, members: tuple[Form, ...]) -> None:
        self.python: str = python
        self._members = members
        self.kinds: frozenset[str] = frozenset(kind for member in members for kind in member.kinds)

    def write(self, value: Any) -> Any:
        for member in self._members:
            try:
                return member.write(value)
            except Misfit as misfit:
                if misfit.steps:
                    raise  # the type is right, something in the value is not
        raise not_a(self.python, value)

    def read(self, data: Any) -> Any:
        kind = kind_of(data)
        for member in self._members:
            if kind in member.kinds or (kind is None and _is_value(member, data)):
                return member.read(data)
        raise not_json(" or ".join(sorted(self.kinds)), data)


def _is_value(member: Form, data: Any) -> bool:
    try:
        member.write(data)
    except Misfit:
        return False
    return True
