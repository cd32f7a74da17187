"""A compiler whose values are encoded by value."""

from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal

import pytest

from mizzle_async.expressions import Compiler


def encode(value, path, facet):  # noqa: PLR0911  (one return per type)
    """Encode by value; None and empty sets are stored as absence."""
    match value:
        case bool():
            return {"BOOL": value}
        case None:
            return None
        case int() | Decimal():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case bytes():
            return {"B": b64encode(value).decode()}
        case set() | frozenset():
            return {"SS": sorted(value)} if value else None
        case list():
            return {"L": [encode(element, path, facet) for element in value]}
        case dict():
            return {"M": {name: encode(inner, path, facet) for name, inner in value.items()}}
        case _:
            raise TypeError(type(value))


@pytest.fixture
def make_compiler(checked_compiler) -> Callable[..., Compiler]:
    """Make a compiler that checks, with another encoder or key names where a test gives them."""

    def make(encode=encode, **options):
        return checked_compiler(encode, "Order", **options)

    return make


@pytest.fixture
def compiler(make_compiler) -> Compiler:
    """Compile one request about orders."""
    return make_compiler()
