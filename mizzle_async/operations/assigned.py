"""The demands of a class on a single attribute, for values that are assigned without an instance.

Converters run, and those validators of attrs' own that look at the value alone. A validator of the user's may look at
the whole instance, which is not at hand here: it runs when the item is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from attrs import validators

from mizzle_async.errors import MarshallingError
from mizzle_async.model import EntitySchema

_SAMPLES: tuple[Any, ...] = (
    validators.ge(0),
    validators.in_(()),
    validators.instance_of(int),
    validators.matches_re(""),
    validators.max_len(0),
    validators.min_len(0),
)
_OF_THE_VALUE = frozenset(map(type, _SAMPLES))


def assignments(schema: EntitySchema) -> dict[str, Callable[[Any], Any]]:
    """Return functions that values pass through before they are assigned, by stored name. Most attributes have none.

    Args:
        schema: The entity's.
    """
    if schema.is_open or not attrs.has(schema.cls):
        return {}
    found: dict[str, Callable[[Any], Any]] = {}
    for attribute in attrs.fields(schema.cls):
        declared = schema.by_field.get(attribute.name)
        converter: Any = None if isinstance(attribute.converter, attrs.Converter) else attribute.converter
        validator: Any = attribute.validator if type(attribute.validator) in _OF_THE_VALUE else None
        if declared is not None and (converter is not None or validator is not None):
            path = f"{schema.entity}.{attribute.name}"
            found[declared.name] = _assignment(path, attribute, converter, validator)
    return found


def _assignment(path: str, attribute: Any, converter: Any, validator: Any) -> Callable[[Any], Any]:
    def assign(value: Any) -> Any:
        step = "converter"
        try:
            converted = value if converter is None else converter(value)
            step = "validator"
            if validator is not None:
                validator(None, attribute, converted)
        except Exception as error:
            raise MarshallingError(
                f"{path}: its {step} refuses the value ({type(error).__name__}), so no read could make an instance",
                path=path,
            ) from error
        return converted

    return assign
