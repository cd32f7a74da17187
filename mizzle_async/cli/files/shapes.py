"""The shapes of JSON values by which other tools' files are recognised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mizzle_async.cli.files.rows import STORED_TYPES

CHANGE_MEMBERS: Final = frozenset({"Metadata", "Keys", "NewImage", "OldImage"})
REJECT_MEMBERS: Final = frozenset({"file", "line", "attribute", "problem", "content"})
MANIFEST_MEMBERS: Final = ({"exportArn", "manifestFilesS3Key"}, {"md5Checksum", "dataFileS3Key"})


def is_stored_value(value: Any) -> bool:
    """Return whether a value is one of DynamoDB's JSON, by its form."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    tag, content = next(iter(value.items()))
    match tag:
        case "S" | "N" | "B":
            return isinstance(content, str)
        case "BOOL" | "NULL":
            return isinstance(content, bool)
        case "M":
            return isinstance(content, Mapping)
        case _:
            return tag in STORED_TYPES and isinstance(content, list)


def is_stored_item(value: Any) -> bool:
    """Return whether a value is an item in DynamoDB's JSON.

    No plain item is one: its key attributes are no objects.
    """
    return isinstance(value, Mapping) and bool(value) and all(map(is_stored_value, value.values()))


def is_wrapped_item(value: Any) -> bool:
    """Return whether a value is ``{"Item": …}`` with an item of DynamoDB's JSON."""
    return isinstance(value, Mapping) and len(value) == 1 and is_stored_item(value.get("Item"))


def is_request(value: Any) -> bool:
    """Return whether a value is a request of BatchWriteItem."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    name, content = next(iter(value.items()))
    member = {"PutRequest": "Item", "DeleteRequest": "Key"}.get(name)
    return member is not None and isinstance(content, Mapping) and isinstance(content.get(member), Mapping)


def is_change(value: Any) -> bool:
    """Return whether a value is a line of an incremental export."""
    return (
        isinstance(value, Mapping)
        and {"Metadata", "Keys"} <= value.keys() <= CHANGE_MEMBERS
        and isinstance(value["Metadata"], Mapping)
        and "WriteTimestampMicros" in value["Metadata"]
        and is_stored_item(value["Keys"])
    )


def is_reject(value: Any) -> bool:
    """Return whether a value is a line of a rejects file."""
    return isinstance(value, Mapping) and value.keys() >= REJECT_MEMBERS


def is_manifest(value: Any) -> bool:
    """Return whether a value is of the manifest of an export."""
    return isinstance(value, Mapping) and any(members <= value.keys() for members in MANIFEST_MEMBERS)


def is_schema(value: Any) -> bool:
    """Return whether a value describes a table."""
    if not isinstance(value, Mapping):
        return False
    table = value.get("Table", value)
    return isinstance(table, Mapping) and "KeySchema" in table and "AttributeDefinitions" in table
