"""Tables as a CloudFormation template, for deployments that create them by tools."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from mizzle_async.errors import ModelError
from mizzle_async.operations.tables.definition import TableDescription, TableOptions, create_parameters

KEPT = "Retain"
"""The policy for a table whose resource goes away: a template must not delete data."""


def template(tables: Iterable[tuple[TableDescription, str | None]]) -> dict[str, Any]:
    """Return a template with one resource for each table.

    Args:
        tables: The tables as the models need them, each with the stored name of its time to live, or None.

    Raises:
        ModelError: Two tables have names that differ in punctuation only, which no resource's name shows.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
    """
    resources: dict[str, Any] = {}
    for table, lifetime in tables:
        name = logical_name(table.name)
        resource = {
            "Type": "AWS::DynamoDB::Table",
            "DeletionPolicy": KEPT,
            "UpdateReplacePolicy": KEPT,
            "Properties": _properties(table, lifetime),
        }
        if resources.setdefault(name, resource) != resource:
            raise ModelError(
                f"tables {resources[name]['Properties']['TableName']!r} and {table.name!r} would both be the resource"
                f" {name!r}: make a template of each"
            )
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def logical_name(table: str) -> str:
    """Return the name of a table's resource: its words, each with a capital, without punctuation."""
    words = re.findall(r"[A-Za-z0-9]+", table)
    return "".join(word[0].upper() + word[1:] for word in words)


def _properties(table: TableDescription, lifetime: str | None) -> dict[str, Any]:
    properties = create_parameters(table, TableOptions())
    stream = properties.get("StreamSpecification")
    if stream is not None:  # a resource has no switch: the view alone says that there is one
        properties["StreamSpecification"] = {"StreamViewType": stream["StreamViewType"]}
    if lifetime is not None:
        properties["TimeToLiveSpecification"] = {"AttributeName": lifetime, "Enabled": True}
    return properties
