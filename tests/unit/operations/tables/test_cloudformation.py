"""Tables as resources of a CloudFormation template."""

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
from mizzle_async.errors import ItemCollectionLimitWarning
from mizzle_async.handles.client_tables import wanted_tables
from mizzle_async.operations.tables.cloudformation import logical_name, template


@entity("shop.orders-v2", stream="new_and_old_images")
class Order:
    customer: PartitionKey[str]
    number: SortKey[int]
    total: Attribute[int]
    note: Attribute[str] = attribute(default="")
    ends: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


BY_TOTAL = GlobalSecondaryIndex("by-total", partition_key=Order.customer, sort_key=Order.total, projection=[Order.note])


@entity("a-b")
class First:
    key: PartitionKey[bytes]


@entity("a.b")
class Second:
    key: PartitionKey[str]


def test_resource_says_what_ensure_tables_makes() -> None:
    """Keys, types, indexes, stream and time to live are those of the model, and data outlives the stack."""
    made = template(wanted_tables(Client(table_prefix="dev-"), [Order]))
    assert made["AWSTemplateFormatVersion"] == "2010-09-09"
    (name, resource), *rest = made["Resources"].items()
    assert rest == []
    assert name == "DevShopOrdersV2"
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert resource["Properties"] == {
        "TableName": "dev-shop.orders-v2",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "number", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
            {"AttributeName": "total", "AttributeType": "N"},
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by-total",
                "KeySchema": [
                    {"AttributeName": "customer", "KeyType": "HASH"},
                    {"AttributeName": "total", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["note"]},
            }
        ],
        "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
        "TimeToLiveSpecification": {"AttributeName": "ends", "Enabled": True},
    }


def test_local_index_is_a_member_of_its_own() -> None:
    """Local indexes stand beside global ones."""

    @entity("logs")
    class Log:
        source: PartitionKey[str]
        number: SortKey[int]
        level: Attribute[str]

    with pytest.warns(ItemCollectionLimitWarning):
        LocalSecondaryIndex("by-level", sort_key=Log.level)
    properties = template(wanted_tables(Client(), [Log]))["Resources"]["Logs"]["Properties"]
    assert [index["IndexName"] for index in properties["LocalSecondaryIndexes"]] == ["by-level"]


def test_two_tables_of_one_resource_name_are_refused() -> None:
    """Resource names have letters and digits only, so two tables could be one resource."""
    with pytest.raises(ModelError, match=r"'a-b' and 'a\.b' would both be the resource 'AB'"):
        template(wanted_tables(Client(), [First, Second]))


@pytest.mark.parametrize(("table", "name"), [("orders", "Orders"), ("my_app-V2.x", "MyAppV2X"), ("7days", "7days")])
def test_resource_name_has_letters_and_digits(table: str, name: str) -> None:
    """Words keep their capitals."""
    assert logical_name(table) == name
