"""A request is compiled once, when it is shown or sent; a mistake shows where it is written."""

from collections.abc import Iterator
from typing import Any

import pytest

from mizzle_async import Attribute, Client, ExpressionError, MarshallingError, PartitionKey, SortKey, attribute, entity
from mizzle_async.expressions import Compiler
from mizzle_async.testing.stub import StubCaller
from mizzle_async.writing.table_part import target_of


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    total: Attribute[int] = attribute(default=0)
    status: Attribute[str] = attribute(default="open")
    tags: Attribute[set[str]] = attribute(factory=set)


paths: Any = Order
STORED = {"customer_id": {"S": "c"}, "order_id": {"S": "o"}, "total": {"N": "1"}}


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The requests compiled so far, by what they are about."""
    made: list[str] = []
    original = Compiler.__init__

    def counted(self: Compiler, encode: Any, entity: str) -> None:
        made.append(entity)
        original(self, encode, entity)

    monkeypatch.setattr(Compiler, "__init__", counted)
    return made


@pytest.fixture
async def client() -> Any:
    """A client whose service has one order."""
    replies = {
        "Query": {"Items": [STORED], "Count": 1, "ScannedCount": 1},
        "Scan": {"Items": [STORED], "Count": 1, "ScannedCount": 1},
        "UpdateItem": {"Attributes": STORED},
        "DeleteItem": {},
    }
    async with Client(caller=StubCaller(replies)) as opened:
        yield opened


async def test_a_query_is_compiled_once_when_it_is_read(client: Client, compilations: list[str]) -> None:
    """Filters and options are checked when they are given; the request is made when it is sent."""
    by_customer = client.table(Order).query(paths.customer_id == "c")
    query = by_customer.filter(paths.total > 0).filter(paths.status == "open")
    assert compilations == []
    assert await query.first() is not None
    assert len(compilations) == 1


async def test_a_query_that_is_shown_is_compiled_for_that(client: Client, compilations: list[str]) -> None:
    """What is shown is kept: showing a query twice compiles it once."""
    query = client.table(Order).query(paths.customer_id == "c", paths.order_id > "a").filter(paths.total > 0)
    assert query.to_wire() == query.to_wire()
    assert len(compilations) == 1


async def test_an_update_is_compiled_once_when_it_is_sent(client: Client, compilations: list[str]) -> None:
    """Clauses and conditions are checked when they are given, and written together once."""
    update = client.table(Order).update(customer_id="c", order_id="o")
    operation = (
        update.set(paths.total, paths.total + 5)
        .add(paths.tags, {"x"})
        .when(paths.status == "open")
        .when(paths.total < 9)
    )
    assert compilations == []
    await operation
    await operation
    assert operation.to_wire()["UpdateExpression"] == "SET #total = #total + :total ADD #tags :tags"
    assert len(compilations) == 1


async def test_statements_of_one_shape_are_compiled_once(client: Client, compilations: list[str]) -> None:
    """Another update with the same clauses, names and connectives fills the texts of the first with its values."""
    orders = client.table(Order)

    def update(status: str, tag: str, total: int) -> Any:
        started = orders.update(customer_id="c", order_id="o").set(paths.status, status).add(paths.tags, {tag})
        return started.when(paths.total == total).when(paths.status == "open")

    first, second = update("paid", "x", 1).to_wire(), update("sent", "y", 2).to_wire()
    assert len(compilations) == 1
    assert first["UpdateExpression"] == second["UpdateExpression"]
    assert second["ExpressionAttributeValues"] == {
        ":status": {"S": "sent"},
        ":tags": {"SS": ["y"]},
        ":total": {"N": "2"},
        ":status_2": {"S": "open"},
    }
    # Equal values share a placeholder, so it is another shape.
    assert len(update("open", "x", 1).to_wire()["ExpressionAttributeValues"]) == 3
    assert len(compilations) == 2
    assert "2 shapes, 1 filled, 2 compiled" in repr(target_of(orders).statements)


async def test_a_delete_is_compiled_once(client: Client, compilations: list[str]) -> None:
    """Other writes with conditions as well."""
    await client.table(Order).delete(customer_id="c", order_id="o").when(paths.total == 1).when(paths.status == "open")
    assert len(compilations) == 1


async def test_a_mistake_shows_where_it_is_written(client: Client, compilations: list[str]) -> None:
    """A clause, a condition, a filter or a key condition that is wrong raises at once, without any text."""
    orders: Any = client.table(Order)
    update = orders.update(customer_id="c", order_id="o").set(paths.total, 1)
    query = orders.query(paths.customer_id == "c")
    for mistake, error in (
        (lambda: update.set(paths.total, paths.status), ExpressionError),
        (lambda: update.add(paths.status, 5), ExpressionError),
        (lambda: update.set(paths.status, 5), MarshallingError),
        (lambda: update.remove(paths.order_id), ExpressionError),
        (lambda: update.when(paths.total == "x"), MarshallingError),
        (lambda: update.when(paths.total.begins_with("x")), ExpressionError),
        (lambda: query.filter(paths.total.between(5, 1)), ExpressionError),
        (lambda: query.filter(paths.order_id == "x"), ExpressionError),
        (lambda: orders.query(paths.customer_id == 5), MarshallingError),
        (lambda: orders.query(paths.customer_id == "c", paths.order_id == 5), MarshallingError),
        (lambda: orders.query(paths.total == 5), ExpressionError),
    ):
        with pytest.raises(error):
            mistake()
    await update
    assert len(compilations) == 1
