"""Placeholders: what stands in an expression for names and values.

Every name and every value is substituted, reserved word or not, each once. Placeholders are readable while they are few and
numbered after that; they follow from the order of use alone.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any, Final

from attrs import define, field

from mizzle_async.errors import ExpressionError, LimitError
from mizzle_async.limits import ATTRIBUTE_NAME_BYTES, EXPRESSION_SUBSTITUTION_BYTES
from mizzle_async.types import AttributeValue

READABLE_PLACEHOLDERS: Final = 32
"""From here on numbers are used: an expression has 4,096 bytes, and a replaced item may have hundreds of attributes."""

READABLE_LENGTH: Final = 20


@define(eq=False)
class Placeholders:
    """The names and values of one request.

    Attributes:
        names: Placeholder to attribute name, as ``ExpressionAttributeNames`` has it.
        values: Placeholder to value, as ``ExpressionAttributeValues`` has it.
    """

    names: dict[str, str] = field(factory=dict)
    values: dict[str, AttributeValue] = field(factory=dict)
    _known_names: dict[str, str] = field(factory=dict, init=False)
    _known_values: dict[tuple[str, Any], str] = field(factory=dict, init=False)

    def name(self, name: str) -> str:
        """Return the placeholder of an attribute name.

        Raises:
            ExpressionError: If DynamoDB cannot have such a name.
            LimitError: If it is too long.
        """
        placeholder = self._known_names.get(name)
        if placeholder is None:
            if is_readable(name) and len(self.names) < READABLE_PLACEHOLDERS:
                placeholder = f"#{name}"
            else:
                check_name(name)
                placeholder = f"#{len(self.names)}"
            self._known_names[name] = placeholder
            self.names[placeholder] = name
        return placeholder

    def value(self, value: AttributeValue, hint: str) -> str:
        """Return the placeholder of a value.

        Args:
            value: In DynamoDB's JSON.
            hint: The attribute name it is for; its placeholder is named after it where that is legible.
        """
        (code, payload), *_ = value.items()
        key = (code, payload if isinstance(payload, str | bool) else repr(payload))
        placeholder = self._known_values.get(key)
        if placeholder is None:
            count = len(self.values)
            if is_readable(hint) and count < READABLE_PLACEHOLDERS:
                placeholder = f":{hint}"
                number = 2
                while placeholder in self.values:
                    placeholder = f":{hint}_{number}"
                    number += 1
            else:
                placeholder = f":{count}"
            self._known_values[key] = placeholder
            self.values[placeholder] = value
        return placeholder

    def check(self, entity: str) -> None:
        """Check the limit on everything that is substituted.

        Raises:
            LimitError: If names and values together exceed 2 MB.
        """
        size = sum(map(_text_bytes, self.names.values())) + sum(map(_payload_bytes, self.values.values()))
        if size > EXPRESSION_SUBSTITUTION_BYTES:
            raise LimitError(
                f"{entity}: the names and values of the expressions take {size:,} bytes; "
                f"DynamoDB takes {EXPRESSION_SUBSTITUTION_BYTES:,}. Write less at once"
            )


def is_readable(name: str) -> bool:
    """Whether a name can be its own placeholder: an ASCII identifier that starts with a letter and is not long."""
    return len(name) <= READABLE_LENGTH and name.isascii() and name.isidentifier() and name[0] != "_"


def check_name(name: str) -> None:
    """Check an attribute name.

    Raises:
        ExpressionError: If it is empty, or has no UTF-8 form (a lone surrogate).
        LimitError: If it is too long.
    """
    if not name:
        raise ExpressionError("an attribute name cannot be empty")
    try:
        size = _text_bytes(name)
    except UnicodeEncodeError:
        raise ExpressionError("an attribute name has a lone surrogate: it cannot be encoded as UTF-8") from None
    if size > ATTRIBUTE_NAME_BYTES:
        raise LimitError(f"an attribute name has {size:,} bytes; DynamoDB takes {ATTRIBUTE_NAME_BYTES:,}")


def _text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _payload_bytes(value: Any) -> int:
    """Return about how many bytes a value takes: the limit is far away, so type descriptors may count or not."""
    match value:
        case {"B": str(text)}:
            return len(text) * 3 // 4
        case str():
            return _text_bytes(value)
        case dict():
            return sum(_text_bytes(name) + _payload_bytes(inner) for name, inner in value.items())
        case list():
            return sum(map(_payload_bytes, value))
        case _:
            return 1


def binary(payload: str) -> bytes:
    """Return the bytes of a binary value."""
    return b64decode(payload)
