"""A missing table or index: the error says which, where it was looked for, and how it is made."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    GlobalSecondaryIndex,
    LimitError,
    MizzleError,
    PartitionKey,
    ResourceNotFoundError,
    RetryPolicy,
    ValidationError,
    attribute,
    entity,
)
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer


@entity("orders")
class Order:
    key: PartitionKey[str]
    status: Attribute[str] = attribute(default="")


@entity("customers")
class Customer:
    key: PartitionKey[str]


BY_STATUS = GlobalSecondaryIndex("by-status", partition_key=Order.status)
MISSING = Reply.error("ResourceNotFoundException", "Requested resource not found")
NO_INDEX = Reply.error("ValidationException", "The table does not have the specified index: by-status")


def fail(call: Callable[[Client], Awaitable[Any]], reply: Reply) -> tuple[MizzleError, str]:
    """Return the error of a call that is refused, and the server's host and port."""

    async def main() -> tuple[MizzleError, str]:
        async with ScriptedServer([reply]) as server:
            async with Client(
                endpoint_url=server.url,
                region_name="eu-west-1",
                credentials=("id", "secret"),
                retry=RetryPolicy.no_backoff(attempts=1),
            ) as client:
                with pytest.raises(MizzleError) as caught:
                    await call(client)
            return caught.value, server.endpoint.authority

    return run_virtual(main())


@pytest.mark.parametrize(
    ("call", "made"),
    [
        (lambda c: c.table(Order).get("a"), "ensure_tables(Order)"),
        (lambda c: c.table(Order).put(Order(key="a", status="open")), "ensure_tables(Order)"),
        (lambda c: c.table(Order).query(Order.key == "a").all(), "ensure_tables(Order)"),
        (lambda c: c.table(Order).get_many(["a"]), "ensure_tables(Order)"),
        (lambda c: c.describe_table(Order), "ensure_tables(Order)"),
        (lambda c: c.delete_table(Order), "ensure_tables(Order)"),
    ],
    ids=["get", "put", "query", "batch", "describe", "delete"],
)
def test_a_missing_table_is_named_with_its_place_and_its_remedy(call: Any, made: str):
    """In practice it is the wrong region, account or prefix, or a table that nobody has made."""
    error, host = fail(call, MISSING)
    assert isinstance(error, ResourceNotFoundError)
    assert error.message.startswith(f"table 'orders' does not exist in eu-west-1 at {host}: create it with ")
    assert made in error.message
    assert "check region, credentials and table_prefix" in error.message
    assert error.code == "ResourceNotFoundException"
    assert str(error).count("'orders'") == 2


def test_missing_tables_of_a_transaction_are_named_together():
    """Which of them is missing the service does not say."""
    error, host = fail(
        lambda c: c.transact_write(
            c.table(Order).put(Order(key="a", status="open")), c.table(Customer).put(Customer(key="b"))
        ),
        MISSING,
    )
    assert f"one of the tables orders, customers does not exist in eu-west-1 at {host}" in error.message
    assert "ensure_tables(Order, Customer)" in error.message


def test_a_missing_table_of_dicts_is_not_made_by_a_class():
    """There is no class that could say what it is."""
    error, _ = fail(lambda c: c.table("legacy", partition_key="pk").get("a"), MISSING)
    assert "table 'legacy' does not exist in eu-west-1" in error.message
    assert "ensure_tables" not in error.message


def test_a_missing_index_is_named_with_its_remedy():
    """The service refuses the query: the index was declared and never made."""
    error, host = fail(lambda c: c.table(Order).query(BY_STATUS.partition_key == "open").all(), NO_INDEX)
    assert isinstance(error, ValidationError)
    assert f"table 'orders' has no index 'by-status' in eu-west-1 at {host}" in error.message
    assert "ensure_tables(Order)" in error.message


@pytest.mark.parametrize("name", ["x", "a b", "", "x" * 256, "tab/le"])
def test_a_table_name_is_checked_before_anything_is_sent(name: str):
    """Too short a name is refused by the service, from deep inside aiobotocore: here it never gets there."""
    client = Client()
    with pytest.raises(LimitError, match="is not a table name: DynamoDB takes 3 to 255"):
        client.table(Order, name=name) if name else client.table("", partition_key="pk")


def test_the_prefix_counts_and_resource_names_are_taken():
    """The name at the service is what is checked."""
    assert Client(table_prefix="dev-").table("x", partition_key="pk").name == "dev-x"
    with pytest.raises(LimitError):
        Client(table_prefix="dev/").table(Order)
    arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
    assert Client(table_names={"orders": arn}).table(Order).name == arn


async def test_names_of_tables_are_checked_by_the_control_plane_too():
    """describe_table and delete_table take a name as text."""
    client = Client()
    for call in (client.describe_table, client.delete_table):
        with pytest.raises(LimitError):
            await call("x")


def test_every_error_of_a_call_names_operation_entity_and_table():
    """Where the sentence does not name the entity, the context behind it does."""
    refusal = Reply.error("ValidationException", "One or more parameter values were invalid")
    error, _ = fail(lambda c: c.table(Order).get("a"), refusal)
    assert (error.operation, error.entity, error.table) == ("GetItem", "Order", "orders")
    assert "[GetItem, Order, table 'orders'," in str(error)
    error, _ = fail(lambda c: c.table(Order).get("a"), Reply({"Item": {"key": {"S": "a"}, "status": {"N": "1"}}}))
    assert (error.operation, error.entity, error.table) == ("GetItem", "Order", "orders")
    assert "Order.status: expected S, found N" in str(error)
    error, _ = fail(
        lambda c: c.table(Order).scan().all(),
        Reply({"Items": [{"key": {"S": "a"}, "status": {"N": "1"}}], "Count": 1}),
    )
    assert (error.operation, error.entity, error.table) == ("Scan", "Order", "orders")
