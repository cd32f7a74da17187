"""Where the engines differ from each other, or from the service: each difference with its reason.

The scenarios avoid these; what is here fails when an engine changes its mind, and can then be taken out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from attrs import frozen

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    GlobalSecondaryIndex,
    MizzleError,
    PartitionKey,
    SortKey,
    attribute,
    entity,
)


@entity("things")
class Thing:
    pk: PartitionKey[str]
    sk: SortKey[int]
    a: Attribute[str | None] = attribute(default=None)
    b: Attribute[str | None] = attribute(default=None)


@entity("places")
class Place:
    pk: PartitionKey[str]
    country: Attribute[str]
    city: Attribute[str]
    population: Attribute[int]
    name: Attribute[str]


BY_PLACE = GlobalSecondaryIndex(
    "by-place", partition_key=(Place.country, Place.city), sort_key=(Place.population, Place.name)
)


async def absent_attributes_differ(client: Client) -> Any:
    """``a <> b`` where neither exists."""
    await client.create_table(Thing)
    try:
        await client.table(Thing).put(Thing(pk="p", sk=1)).when(Thing.a != Thing.b)
    except ConditionalCheckFailedError:
        return "false"
    return "true"


async def pages_without_a_match(client: Client) -> Any:
    """How many pages a query over 2.4 MB takes whose filter is never true."""
    await client.create_table(Thing)
    things = client.table(Thing)
    for number in range(8):
        await things.put(Thing(pk="p", sk=number, b="x" * 300_000))
    return len([page async for page in things.query(Thing.pk == "p").filter(Thing.a == "none").pages()])


async def multi_attribute_index(client: Client) -> Any:
    """What a query of an index with keys of several attributes finds."""
    try:
        await client.create_table(Place)
    except MizzleError as error:
        return type(error).__name__
    places = client.table(Place)
    rows = [
        ("1", "DE", "Bonn", 5, "x"),
        ("2", "DE", "Bonn", 5, "y"),
        ("3", "DE", "Bonn", 6, "a"),
        ("4", "DE", "Kiel", 5, "y"),
    ]
    for pk, country, city, population, name in rows:
        await places.put(Place(pk=pk, country=country, city=city, population=population, name=name))
    bonn = BY_PLACE.partition_key == ("DE", "Bonn")
    by_first = await places.query(bonn, BY_PLACE.sort_key >= (5,)).all()
    by_both = await places.query(bonn, BY_PLACE.sort_key >= (5, "y")).all()
    first = await places.query(bonn).page(max_items=1)
    rest = await places.query(bonn).page(first.cursor)
    return [[place.pk for place in found] for found in (by_first, by_both, first.items, rest.items)]


async def tags_can_be_read(client: Client) -> Any:
    """Whether the tags of a table can be read back."""
    made = await client.create_table(Thing, tags={"team": "a"})
    try:
        answer = await client.control("ListTagsOfResource", {"ResourceArn": made.arn})
    except MizzleError as error:
        return type(error).__name__
    return answer["Tags"]


async def list_elements_removed_together(client: Client) -> Any:
    """What remains of five elements when the first two are removed in one update."""
    await client.create_table(Thing)
    legacy = client.table("things", partition_key="pk", sort_key="sk", sort_key_type=int)
    await legacy.put({"pk": "p", "sk": 1, "list": ["a", "b", "c", "d", "e"]})
    body = {
        "TableName": legacy.name,
        "Key": {"pk": {"S": "p"}, "sk": {"N": "1"}},
        "UpdateExpression": "REMOVE #list[0], #list[1]",
        "ExpressionAttributeNames": {"#list": "list"},
        "ReturnValues": "ALL_NEW",
    }
    left = (await client.control("UpdateItem", body))["Attributes"]["list"]["L"]
    return [element["S"] for element in left]


async def number_added_inside_an_absent_map(client: Client) -> Any:
    """What ADD does to a member of a map that is not stored."""
    await client.create_table(Thing)
    legacy = client.table("things", partition_key="pk", sort_key="sk", sort_key_type=int)
    await legacy.put({"pk": "p", "sk": 1})
    body = {
        "TableName": legacy.name,
        "Key": {"pk": {"S": "p"}, "sk": {"N": "1"}},
        "UpdateExpression": "ADD #map.n :n",
        "ExpressionAttributeNames": {"#map": "map"},
        "ExpressionAttributeValues": {":n": {"N": "1"}},
        "ReturnValues": "ALL_NEW",
    }
    try:
        return (await client.control("UpdateItem", body))["Attributes"]["map"]
    except MizzleError as error:
        return type(error).__name__


async def largest_item_by_update(client: Client) -> Any:
    """Whether an update may make an item of 409,600 bytes."""
    await client.create_table(Thing)
    await client.table(Thing).put(Thing(pk="p", sk=1))
    try:
        await client.table(Thing).update(pk="p", sk=1).set(Thing.a, "x" * (409_600 - len("pkpska") - 2))
    except MizzleError as error:
        return type(error).__name__
    return "made"


async def entry_set_inside_a_null(client: Client) -> Any:
    """Return how an engine refuses to set an entry of a map where NULL is stored."""
    await client.create_table(Thing)
    raw = client.table("things", partition_key="pk", sort_key="sk", sort_key_type=int)
    await raw.put({"pk": "p", "sk": 1, "m": None})
    body = {
        "TableName": raw.name,
        "Key": {"pk": {"S": "p"}, "sk": {"N": "1"}},
        "UpdateExpression": "SET m.n = :n",
        "ExpressionAttributeValues": {":n": {"N": "1"}},
        "ReturnValues": "ALL_NEW",
    }
    try:
        await client.control("UpdateItem", body)
    except MizzleError as error:
        return error.message.partition(": ")[2].partition(",")[0]
    return "set"


@frozen
class Difference:
    """One difference: what is done, what each engine makes of it, and why."""

    case: Callable[[Client], Awaitable[Any]]
    local: Any
    embedded: Any
    reason: str


DIFFERENCES = [
    Difference(
        absent_attributes_differ,
        "true",
        "false",
        "ministack finds two absences equal; DynamoDB Local, like the service, finds <> true of what is absent",
    ),
    Difference(
        pages_without_a_match,
        1,
        3,
        "DynamoDB Local applies the limit of 1 MB after the filter; the service, like ministack, before it",
    ),
    Difference(
        multi_attribute_index,
        "ValidationError",
        [["1", "2", "3"], ["2"], ["1"], ["2", "3"]],
        "DynamoDB Local 1.25 is older than keys of several attributes",
    ),
    Difference(
        tags_can_be_read,
        "UnknownOperationError",
        [{"Key": "team", "Value": "a"}],
        "DynamoDB Local takes tags when a table is made and knows no operation that reads them",
    ),
    Difference(
        list_elements_removed_together,
        ["c", "d", "e"],
        ["b", "d", "e"],
        "ministack removes one after the other, each from what the one before left; the service takes positions as "
        "they were before the update",
    ),
    Difference(
        number_added_inside_an_absent_map,
        "ValidationError",
        {"M": {"n": {"N": "1"}}},
        "ministack makes the map; the service refuses paths through what is not stored",
    ),
    Difference(
        entry_set_inside_a_null,
        "The document path provided in the update expression is invalid for update",
        "Supplied AttributeValue has more than one datatypes set",
        "ministack writes the entry beside the NULL and refuses the value that it made; the service refuses the path",
    ),
    Difference(
        largest_item_by_update,
        "made",
        "ValidationError",
        "ministack counts an item that an update makes as larger than one that is put",
    ),
]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.case.__name__)
async def test_difference_is_as_it_is_written_down(difference, client, engine):
    """Each engine does what the table says it does."""
    expected = difference.local if engine.name == "dynamodb-local" else difference.embedded
    assert await difference.case(client) == expected, difference.reason
