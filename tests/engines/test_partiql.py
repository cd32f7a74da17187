"""PartiQL on each engine: rows, pages, writes, batches and transactions."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    DuplicateItemError,
    PartitionKey,
    SortKey,
    TransactionCanceledError,
    ValidationError,
    attribute,
    entity,
    identifier,
    parameter,
)
from mizzle_async.testing import Engine


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[int]
    status: Attribute[str] = attribute(default="open")
    placed_at: Attribute[datetime | None] = attribute(default=None)
    odd: Attribute[str] = attribute(default="", name='o"d.d')


@pytest.fixture
async def orders(client: Client) -> Any:
    """A handle of a table with seven orders of two customers."""
    await client.create_table(Order)
    orders = client.table(Order)
    for number in range(5):
        await orders.put(Order(customer_id="c1", order_id=number, placed_at=datetime(2026, 1, number + 1, tzinfo=UTC)))
    for number in range(2):
        await orders.put(Order(customer_id="c2", order_id=number, status="paid"))
    return orders


def text(template, orders):
    """Return a statement about the table."""
    return template.replace("TABLE", identifier(orders.name))


async def test_rows(client, orders):
    """A SELECT gives instances, in the order of the sort key, or dicts."""
    statement = client.execute(text("SELECT * FROM TABLE WHERE customer_id = ?", orders), "c1", into=Order)
    assert await statement.all() == await orders.query(Order.customer_id == "c1").all()
    some = client.execute(text("SELECT order_id, status FROM TABLE WHERE customer_id = ?", orders), "c2")
    assert await some.all() == [{"order_id": 0, "status": "paid"}, {"order_id": 1, "status": "paid"}]
    assert await client.execute(text("SELECT * FROM TABLE", orders)).count() == 7


async def test_pages(client, orders, engine: Engine):
    """Rows come page after page, and a cursor goes on where one ended."""
    if engine.name == "embedded":
        pytest.skip("the embedded engine knows no Limit of a statement")
    statement = client.execute(text("SELECT * FROM TABLE WHERE customer_id = ?", orders), "c1", into=Order, page_size=2)
    assert [order.order_id async for order in statement] == [0, 1, 2, 3, 4]
    first = await statement.page(max_items=3)
    second = await statement.page(first.cursor, max_items=3)
    assert [[order.order_id for order in page.items] for page in (first, second)] == [[0, 1, 2], [3, 4]]
    assert second.cursor is None
    assert [len(page.items) async for page in statement.pages()][:2] == [2, 2]


async def test_parameters_are_values(client, orders):
    """What is given as a parameter is a value and nothing else."""
    statement = client.execute(text("SELECT * FROM TABLE WHERE customer_id = ?", orders), "x' OR '1'='1")
    assert await statement.all() == []


async def test_parameter_of_an_attribute(client, orders):
    """A value can be stored as the attribute it is compared with."""
    query = text("SELECT * FROM TABLE WHERE customer_id = ? AND placed_at >= ?", orders)
    when = parameter(Order.placed_at, datetime(2026, 1, 4, tzinfo=UTC))
    assert [order.order_id for order in await client.execute(query, "c1", when, into=Order).all()] == [3, 4]


async def test_odd_names(client, orders):
    """A name with a quotation mark and a dot is one name."""
    odd = identifier('o"d.d')
    update = f"UPDATE TABLE SET {odd} = ? WHERE customer_id = ? AND order_id = ?"  # noqa: S608  (it is quoted)
    await client.execute(text(update, orders), "x", "c1", 0).all()
    assert (await orders.get_one(customer_id="c1", order_id=0)).odd == "x"


async def test_writes(client, orders):
    """INSERT, UPDATE and DELETE write, and RETURNING gives rows."""
    insert = text("INSERT INTO TABLE VALUE {'customer_id': ?, 'order_id': ?, 'status': ?}", orders)
    assert await client.execute(insert, "c3", 1, "open").all() == []
    assert (await orders.get_one(customer_id="c3", order_id=1)).status == "open"
    with pytest.raises(DuplicateItemError):
        await client.execute(insert, "c3", 1, "open").all()
    update = text("UPDATE TABLE SET status = ? WHERE customer_id = ? AND order_id = ? RETURNING ALL NEW *", orders)
    (row,) = await client.execute(update, "paid", "c3", 1, into=Order).all()
    assert row.status == "paid"
    delete = text("DELETE FROM TABLE WHERE customer_id = ? AND order_id = ?", orders)
    assert await client.execute(delete, "c3", 1).all() == []
    assert await orders.get(customer_id="c3", order_id=1) is None


async def test_failed_condition(client, orders):
    """A condition that is false is an error, with what is stored."""
    update = text("UPDATE TABLE SET status = ? WHERE customer_id = ? AND order_id = ? AND status = ?", orders)
    with pytest.raises(ConditionalCheckFailedError) as raised:
        await client.execute(update, "paid", "c1", 0, "nonsense").all()
    assert raised.value.item["status"] == {"S": "open"}


async def test_batch_of_reads(client, orders):
    """Each statement of a batch has its row, or none."""
    select = text("SELECT * FROM TABLE WHERE customer_id = ? AND order_id = ?", orders)
    results = await client.execute_batch(*(client.execute(select, "c1", number, into=Order) for number in (3, 99, 1)))
    assert [result.row and result.row.order_id for result in results] == [3, None, 1]
    assert [result.error for result in results] == [None] * 3


async def test_batch_of_writes(client, orders):
    """One statement's failure is its own: the others are applied."""
    update = text("UPDATE TABLE SET status = ? WHERE customer_id = ? AND order_id = ? AND status = ?", orders)
    results = await client.execute_batch(
        client.execute(update, "paid", "c1", 0, "nonsense"), client.execute(update, "paid", "c1", 1, "open")
    )
    assert type(results[0].error) is ConditionalCheckFailedError
    assert results[1].error is None
    assert [order.status for order in await orders.query(Order.customer_id == "c1").all()][:2] == ["open", "paid"]
    with pytest.raises(ConditionalCheckFailedError):
        results[0].unwrap()


async def test_transaction(client, orders):
    """A transaction is applied as a whole, once for its token, and its failures are tied to the statements."""
    update = text("UPDATE TABLE SET status = ? WHERE customer_id = ? AND order_id = ? AND status = ?", orders)
    good, bad = client.execute(update, "paid", "c1", 0, "open"), client.execute(update, "paid", "c1", 1, "nonsense")
    with pytest.raises(TransactionCanceledError) as raised:
        await client.execute_transaction(good, bad)
    assert [reason.operation for reason in raised.value.reasons] == [good, bad]
    fine, failed = raised.value.reasons
    assert (fine.code, fine.error) == (None, None)
    assert failed.code.startswith("ConditionalCheckFailed")
    assert type(failed.error) is ConditionalCheckFailedError
    assert raised.value.__cause__ is failed.error
    assert (await orders.get_one(customer_id="c1", order_id=0)).status == "open"
    other = client.execute(update, "paid", "c1", 2, "open")
    assert await client.execute_transaction(good, other) == (None, None)
    assert (await orders.get_one(customer_id="c1", order_id=2)).status == "paid"


async def test_transaction_of_reads(client, orders):
    """A transaction of reads gives a row for each statement."""
    select = text("SELECT * FROM TABLE WHERE customer_id = ? AND order_id = ?", orders)
    rows = await client.execute_transaction(*(client.execute(select, "c1", number, into=Order) for number in (4, 99)))
    assert [row and row.order_id for row in rows] == [4, None]


async def test_what_the_service_refuses(client, orders):
    """What only the service understands is its own error."""
    with pytest.raises(ValidationError):
        await client.execute(text("SELECT FROM WHERE TABLE", orders)).all()
