"""Codecs of small entities, made from the type of one attribute."""

from collections.abc import Callable
from typing import Any

import pytest

from mizzle_async.marshalling import EntityCodec, marshaller_of
from mizzle_async.model import Attribute, PartitionKey, attribute, entity, schema_of


def make_model(kind: Any, **options: Any) -> type[Any]:
    """Return an entity whose attribute ``value`` has a type."""
    namespace: dict[str, Any] = {"__annotations__": {"id": PartitionKey[str], "value": Attribute[kind]}, "id": "1"}
    if options:
        namespace["value"] = attribute(**options)
    namespace["__module__"] = __name__
    namespace["__qualname__"] = "Thing"
    return entity("things")(type("Thing", (), namespace))


class Stored:
    """One attribute of a type, to be stored and read.

    Attributes:
        model: The entity.
        codec: Its codec.
    """

    def __init__(self, kind: Any, converter: Any = None, **options: Any) -> None:
        self.model = make_model(kind, **options)
        self.codec: EntityCodec[Any] = marshaller_of(converter).codec(schema_of(self.model))

    def write(self, value: Any) -> Any:
        """Return the stored value of an instance's attribute, None where it is absent."""
        return self.codec.encode(self.model(value=value)).get("value")

    def read(self, stored: Any) -> Any:
        """Return the attribute of the instance that is read from a stored value; None is absence."""
        item = {"id": {"S": "1"}}
        return self.codec.decode(item if stored is None else item | {"value": stored}).value


@pytest.fixture
def stored() -> Callable[..., Stored]:
    """Make one attribute of a type, to be stored and read."""
    return Stored


@pytest.fixture
def codec_of() -> Callable[..., EntityCodec[Any]]:
    """Return the codec of an entity's class, or of a schema."""

    def make(model: Any, converter: Any = None) -> EntityCodec[Any]:
        schema = schema_of(model) if isinstance(model, type) else model
        return marshaller_of(converter).codec(schema)

    return make
