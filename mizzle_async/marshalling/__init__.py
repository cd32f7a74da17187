"""Marshalling: Python values to DynamoDB's attribute values and back, generated flat, exact or refused."""

from mizzle_async.marshalling.codec import EntityCodec, Marshaller
from mizzle_async.marshalling.collections import CollectionCodec, CollectionSchema, collection_schema
from mizzle_async.marshalling.differences import Difference, diff, value_at
from mizzle_async.marshalling.merging import Overtaken
from mizzle_async.marshalling.path_rules import PathRules
from mizzle_async.marshalling.path_values import StoredSet, StoredValue, null_forms
from mizzle_async.marshalling.plain import (
    decimal_from_text,
    item_from_plain,
    parse_json,
    plain_item,
    plain_value,
    value_from_plain,
)
from mizzle_async.marshalling.preconf import configure_converter, make_converter, marshaller_of
from mizzle_async.marshalling.record_values import ItemRecord
from mizzle_async.marshalling.records import ItemRecords, RecordForm, item_of, parse_items
from mizzle_async.marshalling.row_records import RowRecords
from mizzle_async.marshalling.serialize import careful_serializer
from mizzle_async.marshalling.shapes.by_value import decode_any, encode_any
from mizzle_async.marshalling.sizes import canonical_key, check_item_size, item_size, value_size
from mizzle_async.marshalling.stream_records import StreamForm, is_light, whole_record
from mizzle_async.marshalling.timestamps import encode_timestamp
from mizzle_async.marshalling.undeclared import keep_undeclared, members_guard
from mizzle_async.marshalling.wellformed import malformed_path

__all__ = [
    "CollectionCodec",
    "CollectionSchema",
    "Difference",
    "EntityCodec",
    "ItemRecord",
    "ItemRecords",
    "Marshaller",
    "Overtaken",
    "PathRules",
    "RecordForm",
    "RowRecords",
    "StoredSet",
    "StoredValue",
    "StreamForm",
    "canonical_key",
    "careful_serializer",
    "check_item_size",
    "collection_schema",
    "configure_converter",
    "decimal_from_text",
    "decode_any",
    "diff",
    "encode_any",
    "encode_timestamp",
    "is_light",
    "item_from_plain",
    "item_of",
    "item_size",
    "keep_undeclared",
    "make_converter",
    "malformed_path",
    "marshaller_of",
    "members_guard",
    "null_forms",
    "parse_items",
    "parse_json",
    "plain_item",
    "plain_value",
    "value_at",
    "value_from_plain",
    "value_size",
    "whole_record",
]
