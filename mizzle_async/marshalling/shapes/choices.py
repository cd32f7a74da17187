"""How Enums and Literals are stored: as their values, told apart by them when read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, Flag
from typing import Any, cast

from mizzle_async.marshalling.shapes.scalars import PLAIN, Scalar, exact_reader
from mizzle_async.model.scalars.misfit import Misfit, not_a


def common_kind(values: Iterable[object]) -> type | None:
    """Return the one stored type that all values are of, or None if they differ or are of none."""
    kinds = {next((kind for kind in PLAIN if isinstance(value, kind)), None) for value in values}
    return kinds.pop() if len(kinds) == 1 else None


def enum_shape(enum: type[Enum]) -> Scalar | None:
    """Return how an Enum is stored, or None if its values are not all text, all numbers of one type, or all bytes.

    Nor may one of them be a number or a text that cannot be stored.
    """
    members = list(enum)
    kind = int if issubclass(enum, Flag) else common_kind(member.value for member in members)
    if kind is None or kind is bool:
        return None
    stored = PLAIN[kind]
    tag, write_value, read_value = stored.tag, stored.write, exact_reader(stored)
    try:
        payloads = {member.name: write_value(member.value) for member in members}
    except Misfit:
        return None
    by_payload = {payloads[member.name]: member for member in members}

    def write(value: object) -> Any:
        if not isinstance(value, enum):
            raise not_a(enum.__name__, value)
        # A Flag has members that are not listed.
        return write_value(value.value)

    def read(payload: Any) -> Enum:
        try:
            return by_payload.get(payload) or enum(read_value(payload))
        except ValueError:
            raise Misfit(f"a value of {enum.__name__}", "another") from None

    source = (
        "{v}._value_"
        if kind is str and all(type(member.value) is str for member in members)
        else "{payloads}[{v}._name_]"
    )
    return Scalar(
        enum.__name__,
        tag,
        write,
        read,
        f"{source} if type({{v}}) is {{enum}} else {{write}}({{v}})" if not issubclass(enum, Flag) else "{write}({v})",
        "{by_payload}[{p}]",
        {"enum": enum, "payloads": payloads, "by_payload": by_payload},
        base=stored if issubclass(enum, kind) else None,
        cls=enum,
        values=tuple(members),
    )


def literal_kind(value: object) -> type:
    """Return the type that stores a value of a Literal: its Enum, or its plain type."""
    return type(value) if isinstance(value, Enum) else next(kind for kind in PLAIN if isinstance(value, kind))


def literal_shape(values: tuple[object, ...], kind: type, python: str) -> Scalar | None:
    """Return how values of a Literal are stored, or None if they are members of an Enum that cannot be stored.

    Args:
        values: Those of one kind.
        kind: Their `literal_kind`.
        python: The Literal as messages name it.
    """
    if issubclass(kind, Enum):
        whole = enum_shape(kind)
        if whole is None:
            return None
    else:
        whole = PLAIN[kind]
    tag, write_value, read_value = whole.tag, whole.write, exact_reader(whole)

    def write(value: Any) -> Any:
        payload = write_value(value)
        if value not in values:
            raise Misfit(f"a value of {python}", "another")
        return payload

    def read(payload: Any) -> Any:
        value = read_value(payload)
        if value not in values:
            raise Misfit(f"a value of {python}", "another")
        return value

    return Scalar(python, tag, write, read, base=whole, values=values)


def open_choice(known: Sequence[Scalar], plain: Scalar) -> Scalar | None:
    """Return how a choice is stored that may have unlisted values, such as ``Status | str``.

    Args:
        known: The Enums and Literals, each of values of the plain type.
        plain: The plain type.

    Returns:
        A scalar that reads the listed values as members, and others as plain values. None where a stored value may be
        a member of two Enums, or a member is not equal to its value, so that a plain value would be read as another.
    """
    enums = [one for one in known if one.cls is not None]
    if any(not issubclass(cast("type[Any]", one.cls), plain.exact_types) for one in enums):
        return None
    by_payload: dict[Any, Scalar] = {}
    for one in enums:
        for member in one.values:
            if by_payload.setdefault(one.write(member), one) is not one:
                return None

    def write(value: object) -> Any:
        for one in enums:
            if isinstance(value, cast("type[Any]", one.cls)):
                return one.write(value)
        return plain.write(value)

    def read(payload: Any) -> Any:
        value = plain.read(payload)
        one = by_payload.get(plain.write(value))
        return value if one is None else one.read(payload)

    python = " | ".join([*(one.python for one in known), plain.python])
    return Scalar(python, plain.tag, write, read, exact_types=plain.exact_types, base=plain)
