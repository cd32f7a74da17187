import warnings
from datetime import datetime

import pytest

from mizzle_async import (
    Attribute,
    Client,
    GlobalSecondaryIndex,
    LocalSecondaryIndex,
    ModelError,
    PartitionKey,
    SortKey,
    attribute,
    entity,
)
from mizzle_async.model import schema_of
from mizzle_async.operations.tables.asked import asked_for
from mizzle_async.operations.tables.definition import (
    TableOptions,
    create_parameters,
    definition_of,
    missing_indexes,
    read_description,
)
from mizzle_async.writing.table_part import target_of


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    country: Attribute[str]
    city: Attribute[str]
    total: Attribute[int]
    at: Attribute[datetime]
    seconds: Attribute[datetime] = attribute(datetime_format="epoch")
    expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


GlobalSecondaryIndex("by-place", partition_key=(Order.country, Order.city), sort_key=(Order.at, Order.seconds))
GlobalSecondaryIndex("by-expiry", partition_key=Order.country, sort_key=Order.expires, projection="keys_only")
GlobalSecondaryIndex("some", partition_key=Order.total, projection=[Order.city, Order.order_id])
GlobalSecondaryIndex("keys", partition_key=Order.total, projection=[Order.order_id])


def definition(cls):
    """Return the table that an entity needs."""
    return definition_of(schema_of(cls), cls.__name__)


def test_definition_follows_from_the_class():
    """Keys, types and projections are what the class and its indexes say, times as they are stored."""
    table = definition(Order)
    assert table.key == (("customer_id", "HASH"), ("order_id", "RANGE"))
    assert dict(table.attribute_types) == {
        "customer_id": "S",
        "order_id": "S",
        "country": "S",
        "city": "S",
        "at": "S",
        "seconds": "N",
        "expires": "N",
        "total": "N",
    }
    assert table.indexes["by-place"].key == (
        ("country", "HASH"),
        ("city", "HASH"),
        ("at", "RANGE"),
        ("seconds", "RANGE"),
    )
    assert [(each.projection, each.included) for each in table.indexes.values()] == [
        ("ALL", ()),
        ("KEYS_ONLY", ()),
        ("INCLUDE", ("city",)),
        ("KEYS_ONLY", ()),
    ]


def test_options_become_parameters():
    """Stream, tags and protection are sent where they are wanted, and not otherwise."""
    table = definition(Order)
    plain = create_parameters(table, TableOptions())
    assert not plain.keys() & {"StreamSpecification", "Tags", "DeletionProtectionEnabled", "ProvisionedThroughput"}
    options = TableOptions(
        stream="new_image", tags={"team": "a"}, deletion_protection=True, read_units=1, write_units=1
    )
    full = create_parameters(asked_for(table, options, "Order"), options)
    assert full["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert full["Tags"] == [{"Key": "team", "Value": "a"}]
    assert full["DeletionProtectionEnabled"] is True
    assert full["BillingMode"] == "PROVISIONED"


def test_description_is_compared_by_what_matters():
    """What the service describes as the same table lacks nothing, whatever the order of its key elements."""
    table = definition(Order)
    parameters = create_parameters(table, TableOptions())
    described = read_description({**parameters, "KeySchema": parameters["KeySchema"][::-1]})
    assert missing_indexes(table, described, "Order") == []
    assert described.on_demand


def test_differing_index_key_is_told():
    """An index under the same name with another key is named with both keys."""
    table = definition(Order)
    parameters = create_parameters(table, TableOptions())
    parameters["GlobalSecondaryIndexes"][2]["KeySchema"] = [{"AttributeName": "city", "KeyType": "HASH"}]
    with pytest.raises(ModelError, match=r"index 'some': its key is city \(S, partition\), not total \(N, partition\)"):
        missing_indexes(table, read_description(parameters), "Order")


def test_too_many_indexes_are_refused():
    """A table takes five local indexes."""

    @entity("many")
    class Many:
        pk: PartitionKey[str]
        sk: SortKey[str]
        a: Attribute[str]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(6):
            LocalSecondaryIndex(f"local-{number}", sort_key=Many.a)
    with pytest.raises(ModelError, match="Many has 6 local and 0 global indexes"):
        definition(Many)


def test_table_of_dicts_has_its_keys_only():
    """A table without a class can be made from what its handle knows."""
    legacy = Client().table("legacy", partition_key="pk", sort_key="sk", sort_key_type=bytes)
    table = definition_of(target_of(legacy).schema, legacy.name)
    assert (table.key, dict(table.attribute_types)) == ((("pk", "HASH"), ("sk", "RANGE")), {"pk": "S", "sk": "B"})
