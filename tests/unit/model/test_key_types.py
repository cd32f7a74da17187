import sys
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NewType, Optional
from uuid import UUID

import pytest

from mizzle_async.model import scalar_code
from mizzle_async.model.annotations import type_name


class Text(StrEnum):
    A = "a"


class Number(IntEnum):
    ONE = 1


class Binary(Enum):
    X = b"x"


class Mixed(Enum):
    A = "a"
    B = 1


class Other:
    pass


@pytest.mark.skipif(sys.version_info < (3, 12), reason="`type` statements need Python 3.12")
def test_type_aliases_are_seen_through():
    """A type given a name by the `type` statement is the type it names."""
    namespace: dict[str, object] = {}
    exec("type Name = str\ntype Alias = Name", namespace)  # noqa: S102  (a syntax error in Python 3.11)
    assert scalar_code(namespace["Alias"]) == "S"


@pytest.mark.parametrize(
    ("annotation", "code"),
    [
        (str, "S"),
        (UUID, "S"),
        (date, "S"),
        (datetime, "S"),
        (int, "N"),
        (Decimal, "N"),
        (float, "N"),
        (bytes, "B"),
        (bytearray, "B"),
        (Text, "S"),
        (Number, "N"),
        (Binary, "B"),
        (Mixed, None),
        (Literal["a", "b"], "S"),
        (Literal[1, 2], "N"),
        (Literal[True], None),
        (str | None, "S"),
        (str | int, None),
        (NewType("Id", str), "S"),
        (Annotated[int, "x"], "N"),
        (bool, None),
        (timedelta, "N"),
        (list[str], None),
        (Any, None),
        (Other, None),
        (None, None),
    ],
)
def test_scalar_types_have_their_type_descriptor(annotation, code):
    """Text, numbers and bytes are told apart without the marshaller; what only it can know is None."""
    assert scalar_code(annotation) == code


def test_datetimes_are_stored_by_their_format():
    """A datetime is text by default and a number where its format says so."""
    assert scalar_code(datetime, "iso") == "S"
    assert scalar_code(datetime, "epoch") == "N"
    assert scalar_code(datetime | None, "epoch_ms") == "N"


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (str, "str"),
        (Text | None, "Text | None"),
        (Optional[int], "int | None"),  # noqa: UP045  (the old spelling is another object)
        (list[dict[str, Number]], "list[dict[str, Number]]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Mapping[str, Other], "Mapping[str, Other]"),
        (Literal["a", 1], "Literal['a', 1]"),
        (Annotated[Decimal, "kg"], "Decimal"),
        (NewType("Id", str), "Id"),
        (Any, "Any"),
        (None, "None"),
        (list, "list"),
        ("text", "text"),
    ],
)
def test_types_are_named_as_they_are_written(annotation, text):
    """Messages show a type without modules, however deep it is."""
    assert type_name(annotation) == text
