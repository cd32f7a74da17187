"""The writer: names, values and counts of one request while its expressions are written.

Every name and every value is substituted, reserved word or not, each once. Placeholders are readable while they are few
and numbered after that. They follow from the order of use alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from mizzle_async.errors import ExpressionError, LimitError
from mizzle_async.expressions.names import check_name, readable_name, text_bytes
from mizzle_async.expressions.paths import AttributePath
from mizzle_async.expressions.terms import Encoded, Facet, Segments
from mizzle_async.limits import EXPRESSION_BYTES, EXPRESSION_OPERATORS, EXPRESSION_SUBSTITUTION_BYTES
from mizzle_async.types import AttributeValue

Encode: TypeAlias = Callable[[Any, AttributePath[Any, Any] | None, Facet], AttributeValue | None]
"""Encodes a raw value for a path. Returns None for a value that is stored as absence, such as an empty set."""

READABLE_PLACEHOLDERS: Final = 32
"""From here on numbers are used: an expression has 4,096 bytes, and a replaced item may have hundreds of attributes."""


class Writer:
    """The state that the expressions of one request share.

    Attributes:
        entity: The name of the entity or table in messages.
        encode: Encodes values.
        names: Placeholder to attribute name, as ``ExpressionAttributeNames`` has it.
        values: Placeholder to value, as ``ExpressionAttributeValues`` has it.
        expression: The request member that is being written, for messages.
        operators: The operators and functions in it so far.
    """

    __slots__ = (
        "_known_names",
        "_known_values",
        "encode",
        "entity",
        "expression",
        "names",
        "operators",
        "values",
    )

    def __init__(self, encode: Encode, entity: str) -> None:
        self.encode: Encode = encode
        self.entity: str = entity
        self.names: dict[str, str] = {}
        self.values: dict[str, AttributeValue] = {}
        self.expression: str = ""
        self.operators: int = 0
        self._known_names: dict[str, str] = {}
        self._known_values: dict[tuple[str, Any], str] = {}

    def begin(self, expression: str) -> None:
        """Start an expression."""
        self.expression = expression
        self.operators = 0

    def end(self, text: str) -> str:
        """Return a finished expression, within its limits.

        Raises:
            LimitError: If it is too long or has too many operators.
        """
        # Placeholders are ASCII, so characters are bytes.
        if len(text) > EXPRESSION_BYTES:
            raise LimitError(
                f"{self.entity}: the {self.expression} has {len(text):,} bytes; DynamoDB takes {EXPRESSION_BYTES:,}"
            )
        if self.operators > EXPRESSION_OPERATORS:
            raise LimitError(
                f"{self.entity}: the {self.expression} has {self.operators} operators and functions; "
                f"DynamoDB takes {EXPRESSION_OPERATORS}"
            )
        return text

    def path(self, segments: Segments) -> str:
        """Return the text of a path.

        Raises:
            ExpressionError: If DynamoDB cannot have such a name.
        """
        if len(segments) == 1:
            first = segments[0]
            return self._known_names.get(first) or self._name(first)  # type: ignore[arg-type]  # a path begins with a name
        texts = [
            f"[{segment}]" if isinstance(segment, int) else f".{self._known_names.get(segment) or self._name(segment)}"
            for segment in segments
        ]
        return "".join(texts)[1:]

    def operand(self, raw: Any, path: AttributePath[Any, Any], facet: Facet) -> AttributeValue:
        """Encode a value that must be there.

        Raises:
            ExpressionError: If it is stored as absence.
        """
        encoded = self.encoded(raw, path, facet)
        if encoded is None:
            raise ExpressionError(
                f"{path}: this value is stored as absence, which equals nothing: use .exists() or .not_exists()"
            )
        return encoded

    def encoded(self, raw: Any, path: AttributePath[Any, Any], facet: Facet) -> AttributeValue | None:
        """Return a value as it is stored, None for absence. A value that was encoded before is kept."""
        return raw.value if type(raw) is Encoded else self.encode(raw, path, facet)

    def bind(self, value: AttributeValue, path: AttributePath[Any, Any]) -> str:
        """Return the placeholder of a value, named after the path it is for where that is legible."""
        segments = path.segments
        hint = segments[-1] if segments else ""
        if isinstance(hint, int):
            hint = next(segment for segment in reversed(segments) if isinstance(segment, str))
        return self.bind_as(value, hint)

    def bind_as(self, value: AttributeValue, hint: str) -> str:
        """Return the placeholder of a value, named after ``hint`` where that is legible."""
        key = value_key(value)
        placeholder = self._known_values.get(key)
        if placeholder is None:
            values = self.values
            count = len(values)
            readable = readable_name(hint) if count < READABLE_PLACEHOLDERS else None
            placeholder = f":{count}" if readable is None else f":{readable}"
            number = 1
            while placeholder in values:
                number += 1
                placeholder = f":{readable}_{number}"
            self._known_values[key] = placeholder
            values[placeholder] = value
        return placeholder

    def check_substitutions(self) -> None:
        """Check the limit on everything that is substituted.

        Raises:
            LimitError: If names and values together exceed 2 MB.
        """
        check_substitutions(self.entity, self.names, self.values)

    def _name(self, name: str) -> str:
        count = len(self.names)
        readable = readable_name(name) if count < READABLE_PLACEHOLDERS else None
        if readable is None:
            check_name(name)
            placeholder = f"#{count}"
        else:
            placeholder = f"#{readable}"
        self._known_names[name] = placeholder
        self.names[placeholder] = name
        return placeholder


def check_substitutions(entity: str, names: Mapping[str, str], values: Mapping[str, AttributeValue]) -> None:
    """Check the limit on everything that is substituted in the expressions of a request.

    Args:
        entity: The name of the entity or table in messages.
        names: Placeholder to attribute name.
        values: Placeholder to value.

    Raises:
        LimitError: Names and values together exceed 2 MB.
    """
    size = sum(map(text_bytes, names.values())) + sum(map(_payload_bytes, values.values()))
    if size > EXPRESSION_SUBSTITUTION_BYTES:
        raise LimitError(
            f"{entity}: the names and values of the expressions take {size:,} bytes; "
            f"DynamoDB takes {EXPRESSION_SUBSTITUTION_BYTES:,}. Write less at once"
        )


def value_key(value: AttributeValue) -> tuple[str, str]:
    """Return the identity of a stored value, by which values are also ordered."""
    ((code, payload),) = value.items()
    return code, payload if isinstance(payload, str) else repr(payload)


def _payload_bytes(value: AttributeValue) -> int:
    """Return about how many bytes a value takes. Anything but text counts one, because the limit is far away."""
    size = 0
    for code, payload in value.items():
        if isinstance(payload, str):
            size += len(payload) * 3 // 4 if code == "B" else text_bytes(payload)
        elif code == "M":
            size += sum(text_bytes(name) + _payload_bytes(inner) for name, inner in payload.items())
        elif code == "L":
            size += sum(map(_payload_bytes, payload))
        elif isinstance(payload, list):
            size += sum(map(text_bytes, payload))
        else:
            size += 1
    return size
