"""Which types may be keys: a key is one string, one number or one binary, always there, and equal to itself.

Types are judged as they are annotated; what a user's own hooks make of other classes is known to the marshaller only.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal, TypeAlias, get_args, get_origin
from uuid import UUID

from attrs import has

from mizzle_async.errors import ModelError
from mizzle_async.model.annotations import admits_none, is_literal, plain_type, type_name, without_none
from mizzle_async.model.schema import DatetimeFormat

ScalarCode: TypeAlias = Literal["S", "N", "B"]

SCALARS: Final[dict[type[Any], ScalarCode]] = {
    str: "S",
    UUID: "S",
    date: "S",
    int: "N",
    Decimal: "N",
    bytes: "B",
    bytearray: "B",
    memoryview: "B",
}


def scalar_code(annotation: Any, datetime_format: DatetimeFormat | None = None) -> ScalarCode | None:
    """Return the type descriptor of a scalar type, None where only the marshaller can know it.

    Args:
        annotation: A resolved type; None beside it is left out.
        datetime_format: How its datetimes are stored.
    """
    members = without_none(annotation)
    if len(members) != 1:
        return None
    plain = members[0]
    if is_literal(plain):
        return _common_code(get_args(plain))
    if not isinstance(plain, type):
        return None
    if issubclass(plain, Enum):
        return _common_code([member.value for member in plain])
    if issubclass(plain, datetime):
        return "S" if datetime_format in {None, "iso"} else "N"
    if issubclass(plain, bool):
        return None
    return next((code for base, code in SCALARS.items() if issubclass(plain, base)), None)


def check_key_type(where: str, annotation: Any, role: str) -> None:
    """Check that a type can be a key's.

    Args:
        where: Entity and attribute, for the message.
        annotation: The resolved type.
        role: What the key is called: ``partition key``.

    Raises:
        ModelError: If it cannot, with what to write instead.
    """
    plain = plain_type(annotation)
    name = type_name(plain)
    if admits_none(plain):
        raise ModelError(f"{where}: a {role} is never absent: write {_without_none(plain)} instead of {name}")
    check_scalar_type(where, plain, role)


def check_scalar_type(where: str, annotation: Any, role: str) -> None:
    """Check that the values of a type, None aside, can be compared by a key.

    Raises:
        ModelError: If they cannot, with what to write instead.
    """
    members = without_none(annotation)
    name = type_name(annotation)
    if len(members) != 1:
        raise ModelError(f"{where}: a {role} has one type in the table, {name} has several: write str, int, Decimal or bytes")
    plain = members[0]
    kind = get_origin(plain) or plain
    if is_literal(plain):
        if _common_code(get_args(plain)) is None:
            raise ModelError(f"{where}: the values of {name} must be all text or all integers to be a {role}")
        return
    if plain is Any or kind is object:
        raise ModelError(f"{where}: a {role} has one type in the table: write str, int, Decimal or bytes instead of {name}")
    if not isinstance(kind, type):
        return
    if issubclass(kind, Enum):
        if _common_code([member.value for member in kind]) is None:
            raise ModelError(f"{where}: the values of {name} must be all text or all integers to be a {role}")
        return
    if issubclass(kind, bool):
        raise ModelError(f"{where}: DynamoDB has no bool keys: write str, int or an Enum instead of bool as a {role}")
    if issubclass(kind, float):
        raise ModelError(f"{where}: a float cannot be found again by equality: write int or Decimal as a {role}")
    if has(kind) or (issubclass(kind, Collection) and not issubclass(kind, str | bytes | bytearray | memoryview)):
        raise ModelError(f"{where}: a {role} is one string, number or binary, not {name}: write str, int, Decimal or bytes")


def _common_code(values: Collection[Any]) -> ScalarCode | None:
    """Return what all values are stored as, None where they differ."""
    codes: set[ScalarCode | None] = set()
    for value in values:
        if isinstance(value, str):
            codes.add("S")
        elif isinstance(value, int | Decimal) and not isinstance(value, bool):
            codes.add("N")
        else:
            codes.add("B" if isinstance(value, bytes) else None)
    return codes.pop() if len(codes) == 1 else None


def _without_none(annotation: Any) -> str:
    return " | ".join(map(type_name, without_none(annotation))) or "str"


