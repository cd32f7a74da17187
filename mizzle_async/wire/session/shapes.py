"""The shapes of the control plane's answers, by botocore's model of the service: checked before botocore parses them.

botocore's parser takes any JSON. A part that is not as its model says becomes an `AttributeError` somewhere inside it,
or a value of another type in its result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from mizzle_async.errors import CorruptResponseError
from mizzle_async.types import Outcome

_SCALARS: Final[Mapping[str, tuple[type, ...]]] = {
    "blob": (str,),
    "boolean": (bool,),
    "double": (int, float),
    "float": (int, float),
    "integer": (int,),
    "long": (int,),
    "string": (str,),
    "timestamp": (int, float, str),
}


def parse_answer(operation: str, shape: Any, body: bytes) -> dict[str, Any]:
    """Read the JSON of an answer of the control plane, and check it.

    Args:
        operation: The API's name.
        shape: botocore's shape of its output; None where it has none.
        body: The answer.

    Raises:
        ValueError: It is not JSON.
        CorruptResponseError: It has another shape.
    """
    payload: Any = orjson.loads(body)
    wrong = None if shape is None and isinstance(payload, dict) else misshapen(payload, shape)
    if wrong is not None:
        where = f" at {wrong}" if wrong else ""
        raise CorruptResponseError(
            f"corrupt answer: {operation} does not answer in this shape{where}", outcome=Outcome.UNKNOWN
        )
    result: dict[str, Any] = payload
    return result


def misshapen(value: Any, shape: Any, path: str = "") -> str | None:
    """Return the path of the first value that is not as a shape says; None where all are.

    Args:
        value: JSON; null stands for absence.
        shape: botocore's.
        path: Where it stands.
    """
    if shape is None:
        return path
    kind: str = shape.type_name
    if kind == "structure":
        members = shape.members.items() if isinstance(value, dict) else ()
        return _first(value, dict, [(f"{path}.{name}", value.get(name), member) for name, member in members], path)
    if kind == "list":
        elements = enumerate(value) if isinstance(value, list) else ()
        return _first(value, list, [(f"{path}[{number}]", each, shape.member) for number, each in elements], path)
    if kind == "map":
        entries = value.items() if isinstance(value, dict) else ()
        return _first(value, dict, [(f"{path}.{name}", each, shape.value) for name, each in entries], path)
    is_right = isinstance(value, _SCALARS[kind]) and (kind == "boolean" or not isinstance(value, bool))
    return None if is_right else path


def _first(value: Any, kind: type, parts: list[tuple[str, Any, Any]], path: str) -> str | None:
    """Return the path of the first part that is not as its shape says, or of the whole where it is of another kind."""
    if not isinstance(value, kind):
        return path
    found = (misshapen(part, shape, where) for where, part, shape in parts if part is not None)
    return next((wrong for wrong in found if wrong is not None), None)
