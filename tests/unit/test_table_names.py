"""Names of tables in answers: by name, or by resource name."""

import pytest

from mizzle_async.table_names import asked_table, name_of_table

ORDERS = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"


@pytest.mark.parametrize(
    "table",
    [
        "orders",
        ORDERS,
        ORDERS + "/index/by-status",
        ORDERS + "/stream/2026-11-28T07:52:44.766",
        ORDERS.replace("aws", "aws-cn").replace("eu-west-1", "cn-north-1"),
        ORDERS.replace("aws", "aws-us-gov"),
        "arn:aws:dynamodb:ddblocal:000000000000:table/orders",
        "arn:aws:dynamodb:::table/orders",
    ],
)
def test_a_table_has_one_name_however_it_is_named(table: str):
    """By name, by its resource name in any partition, or by that of its index or stream."""
    assert name_of_table(table) == "orders"
    assert asked_table("orders", [table]) == table
    assert asked_table(table, ["orders", "customers"]) == "orders"


@pytest.mark.parametrize("table", ["arn:aws:s3:::orders", "arn:", "arn:aws:dynamodb:eu-west-1:1:table/", "order"])
def test_another_resource_is_another_table(table: str):
    """A text that is no resource name of a table is taken as it is."""
    assert name_of_table(table) == table
    assert asked_table(table, ["orders", ORDERS]) is None


def test_a_replica_is_the_table_and_another_account_is_not():
    """The region is where a copy lies; the account is whose table it is."""
    assert asked_table(ORDERS.replace("eu-west-1", "us-east-1"), [ORDERS]) == ORDERS
    assert asked_table(ORDERS.replace("1111", "4444"), [ORDERS]) is None


def test_tables_of_one_name_are_told_apart_by_their_resource_names_alone():
    """An answer that gives the name alone is about neither of two, and what was sent is always understood."""
    both = [ORDERS, ORDERS.replace("1111", "4444")]
    assert [asked_table(each, both) for each in both] == both
    assert asked_table("orders", both) is None
    assert asked_table("orders", ["orders", ORDERS]) == "orders"
