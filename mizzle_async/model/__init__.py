"""Models: entities, documents, their attributes and indexes, and the schemas that the rooms above read."""

from mizzle_async.model.attributes import Attribute, PartitionKey, SortKey, attribute
from mizzle_async.model.entities import asdict, document, entity, evolve
from mizzle_async.model.index_registry import find_index
from mizzle_async.model.indexes import (
    GlobalSecondaryIndex,
    LocalSecondaryIndex,
    SecondaryIndex,
    indexes_of,
    mappings_of,
)
from mizzle_async.model.key_types import scalar_code
from mizzle_async.model.mapping import dict_schema, map_class
from mizzle_async.model.path_types import type_at
from mizzle_async.model.roles import Role, WriteContext
from mizzle_async.model.scalars import DatetimeFormat, ScalarCode
from mizzle_async.model.schema import (
    AttributeSchema,
    DocumentSchema,
    EntitySchema,
    UnknownAttributes,
    document_schema_of,
    is_document,
    is_entity,
    schema_of,
)
from mizzle_async.model.shared.mappings import IndexMapping
from mizzle_async.model.shared.tables import SharedIndex, SharedKeys, SharedTable
from mizzle_async.model.shared.templates import KeyTemplate, key_template
from mizzle_async.model.state_tables import StateTable
from mizzle_async.model.stream_views import WIRE_VIEWS, StreamView, is_view, view_advice, view_of
from mizzle_async.model.typed_paths import path
from mizzle_async.model.usage import UsageCheck

__all__ = [
    "WIRE_VIEWS",
    "Attribute",
    "AttributeSchema",
    "DatetimeFormat",
    "DocumentSchema",
    "EntitySchema",
    "GlobalSecondaryIndex",
    "IndexMapping",
    "KeyTemplate",
    "LocalSecondaryIndex",
    "PartitionKey",
    "Role",
    "ScalarCode",
    "SecondaryIndex",
    "SharedIndex",
    "SharedKeys",
    "SharedTable",
    "SortKey",
    "StateTable",
    "StreamView",
    "UnknownAttributes",
    "UsageCheck",
    "WriteContext",
    "asdict",
    "attribute",
    "dict_schema",
    "document",
    "document_schema_of",
    "entity",
    "evolve",
    "find_index",
    "indexes_of",
    "is_document",
    "is_entity",
    "is_view",
    "key_template",
    "map_class",
    "mappings_of",
    "path",
    "scalar_code",
    "schema_of",
    "type_at",
    "view_advice",
    "view_of",
]
