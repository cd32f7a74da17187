"""Which types may be keys: a key is one string, one number or one binary, always there, and equal to itself.

Types are judged as they are annotated. How a user's hooks store other classes is known to the marshaller only.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import Enum
from typing import Any, get_args, get_origin

from mizzle_async.errors import ModelError
from mizzle_async.model.annotations import admits_none, is_literal, plain_type, type_name, without_none
from mizzle_async.model.foreign import has_fields
from mizzle_async.model.scalars import DatetimeFormat, ScalarCode, datetime_type, registered


def scalar_code(annotation: Any, datetime_format: DatetimeFormat | None = None) -> ScalarCode | None:
    """Return the type descriptor of a scalar type, None where only the marshaller can know it.

    Args:
        annotation: A resolved type, from which None is left out.
        datetime_format: How its datetimes are stored.
    """
    plain = _closed(without_none(annotation))
    if plain is None:
        return None
    values = listed_values(plain)
    if values is not None:
        return _common_code(values)
    if not isinstance(plain, type):
        return None
    if issubclass(plain, datetime):
        return datetime_type(datetime_format).key_code
    return next((row.key_code for row in registered(plain)), None)


def check_key_type(where: str, annotation: Any, role: str) -> None:
    """Check that a type can be a key's.

    Args:
        where: Entity and attribute, for the message.
        annotation: The resolved type.
        role: The name of the key's role: ``partition key``.

    Raises:
        ModelError: If it cannot, with the type to write.
    """
    plain = plain_type(annotation)
    name = type_name(plain)
    if admits_none(plain):
        raise ModelError(f"{where}: a {role} is never absent: write {_without_none(plain)} instead of {name}")
    check_scalar_type(where, plain, role)


def check_scalar_type(where: str, annotation: Any, role: str) -> None:
    """Check that the values of a type, None aside, can be compared by a key.

    Raises:
        ModelError: If they cannot, with the type to write.
    """
    plain = _closed(without_none(annotation))
    refusal = "it has one type in the table" if plain is None else _refusal(plain, role)
    if refusal is not None:
        raise ModelError(f"{where}: {type_name(annotation)} cannot be a {role}: {refusal}")


def _closed(members: tuple[Any, ...]) -> Any:
    """Return the one type that decides how a union is stored, None where there is none.

    Of a choice that may have unlisted values, such as ``Status | str``, it is the plain type.
    """
    if len(members) == 1:
        return members[0]
    plain = [member for member in members if listed_values(member) is None]
    if len(plain) != 1 or not isinstance(plain[0], type):
        return None
    listed = [value for member in members for value in listed_values(member) or ()]
    return plain[0] if all(isinstance(value, plain[0]) for value in listed) else None


def _refusal(plain: Any, role: str) -> str | None:
    """Return why values of a type cannot be compared by a key, None where they can."""
    instead = "write str, int, Decimal or bytes"
    values = listed_values(plain)
    if values is not None:
        return None if _common_code(values) else f"its values must be all text or all integers to be a {role}"
    kind = get_origin(plain) or plain
    if kind is Any or kind is object:
        return f"it has one type in the table: {instead}"
    if not isinstance(kind, type):
        return None
    rows = list(registered(kind))
    if rows:
        return None if rows[0].key_code else "there are no such keys: write int or an Enum"
    return (
        f"it is one string, number or binary: {instead}" if has_fields(kind) or issubclass(kind, Collection) else None
    )


def listed_values(plain: Any) -> Collection[Any] | None:
    """Return all values of a Literal or an Enum, None for other types."""
    if is_literal(plain):
        return get_args(plain)
    if isinstance(plain, type) and issubclass(plain, Enum):
        return [member.value for member in plain]
    return None


def _common_code(values: Collection[Any]) -> ScalarCode | None:
    """Return the type descriptor of all values, None where they differ."""
    codes: set[ScalarCode | None] = {
        next((row.key_code for row in registered(type(value)) if row.is_plain), None) for value in values
    }
    return codes.pop() if len(codes) == 1 else None


def _without_none(annotation: Any) -> str:
    return " | ".join(map(type_name, without_none(annotation))) or "str"
