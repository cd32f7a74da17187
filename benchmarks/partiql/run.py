"""Does PartiQL add value? The same work through DynamoDB's own operations and through PartiQL, side by side.

    python benchmarks/partiql/run.py

Both ways go through the same client, so the difference is what PartiQL itself costs: requests, bytes sent, CPU of this
process, time until the answer on DynamoDB Local, and the capacity that the embedded engine reports (DynamoDB Local
reports none for PartiQL). Times on a local engine say nothing about the service's own; ratios say which way costs more.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from attrs import asdict, define, evolve, frozen

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the folder is no installed package

from abilities import abilities
from harness.chart import Bar, Panel, draw
from harness.measure import cpu_seconds

from mizzle_async import (
    Attribute,
    CallRecord,
    Client,
    Operation,
    PartitionKey,
    SortKey,
    Statement,
    UpdateItem,
    attribute,
    entity,
    identifier,
)
from mizzle_async.testing import Engine, start_engine

MANY = 100
"""Items in the partition that is queried, and in the batches."""

STATEMENTS = 25
"""What a BatchExecuteStatement takes."""


@entity("orders")
class Order:
    """An item of about 200 bytes."""

    customer_id: PartitionKey[str]
    order_id: SortKey[int]
    status: Attribute[str] = attribute(default="open")
    total: Attribute[int] = attribute(default=100)
    note: Attribute[str] = attribute(default="a note of some length, as people write them")
    tags: Attribute[set[str]] = attribute(factory=lambda: {"new", "web"})


@define
class Meter:
    """Counts calls and adds up the capacity that they report."""

    calls: int = 0
    capacity: float = 0.0
    reported: bool = False

    def call_finished(self, call: CallRecord) -> None:
        """Hear of a finished call."""
        self.calls += 1
        consumed: Any = call.consumed_capacity
        for each in consumed if isinstance(consumed, list) else [consumed] if consumed else []:
            self.capacity += float(each.get("CapacityUnits", 0))
            self.reported = True


@frozen
class Way:
    """One way to do a piece of work.

    Attributes:
        work: Does it once; the number tells rounds apart.
        size: Bytes of the requests' bodies.
    """

    work: Callable[[int], Awaitable[Any]]
    size: int


@frozen
class Task:
    """A piece of work, both ways.

    Attributes:
        name: What is done.
        native: By DynamoDB's own operations.
        partiql: By statements.
        times: How often it is done in a round.
    """

    name: str
    native: Way
    partiql: Way
    times: int = 50


@frozen
class Figures:
    """What one way of one piece of work came to, for each time it is done.

    Attributes:
        requests: Requests sent.
        sent_bytes: Bytes of their bodies.
        cpu_ms: CPU of this process.
        wall_ms: Time until everything was answered.
        capacity: Units that the engine reports; None where it reports none.
    """

    requests: float
    sent_bytes: int
    cpu_ms: float
    wall_ms: float
    capacity: float | None


@frozen
class Result:
    """One piece of work, both ways."""

    name: str
    native: Figures
    partiql: Figures


class Work:
    """Builds every piece of work for one client.

    Args:
        client: Open, with the table made.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.orders = client.table(Order)
        self.table = identifier(self.orders.name)
        key = "customer_id = ? AND order_id = ?"
        columns = "'customer_id': ?, 'order_id': ?, 'status': ?, 'total': ?, 'note': ?, 'tags': ?"
        # The table's name is quoted by `identifier`, and values are parameters.
        self.select = f"SELECT * FROM {self.table} WHERE {key}"  # noqa: S608  (as said above)
        self.select_all = f"SELECT * FROM {self.table} WHERE customer_id = ?"  # noqa: S608  (as said above)
        self.insert = f"INSERT INTO {self.table} VALUE {{{columns}}}"
        self.change = f"UPDATE {self.table} SET total = total + ? WHERE {key} AND status = ?"  # noqa: S608  (as said above)
        self.remove = f"DELETE FROM {self.table} WHERE {key}"  # noqa: S608  (as said above)

    # ── operations and statements ──

    def update(self, number: int) -> UpdateItem[Order]:
        """Change one item on a condition, natively."""
        return self.orders.update(customer_id="c", order_id=number).add(Order.total, 1).when(Order.status == "open")

    def read_statement(self, number: int) -> Statement[Order]:
        """Read one item by a statement."""
        return self.client.execute(self.select, "c", number, into=Order)

    def insert_statement(self, partition: str, number: int) -> Statement[dict[str, Any]]:
        """Insert one item by a statement."""
        order = Order(customer_id=partition, order_id=number)
        values = order.customer_id, order.order_id, order.status, order.total, order.note, order.tags
        return self.client.execute(self.insert, *values)

    def update_statement(self, number: int, returning: str = "") -> Statement[Order]:
        """Change one item on a condition by a statement."""
        return self.client.execute(f"{self.change}{returning}", 1, "c", number, "open", into=Order)

    # ── pieces of work ──

    def single_items(self) -> list[Task]:
        """Build the work on one item at a time."""
        orders, client = self.orders, self.client
        returning = " RETURNING ALL NEW *"
        return [
            Task(
                "read one item",
                Way(
                    lambda n: orders.get(customer_id="c", order_id=n % MANY).send(),
                    body(orders.get(customer_id="c", order_id=1)),
                ),
                Way(lambda n: self.read_statement(n % MANY).one(), statement_body(self.read_statement(1))),
            ),
            Task(
                "insert one item",
                Way(
                    lambda n: orders.insert(Order(customer_id="n", order_id=n)).send(),
                    body(orders.insert(Order(customer_id="n", order_id=1))),
                ),
                Way(lambda n: self.insert_statement("p", n).all(), statement_body(self.insert_statement("p", 1))),
            ),
            Task(
                "change one item on a condition",
                Way(lambda n: self.update(n % MANY).send(), body(self.update(1))),
                Way(
                    lambda n: self.update_statement(n % MANY, returning).one(),
                    statement_body(self.update_statement(1, returning)),
                ),
            ),
            Task(
                "delete one item",
                Way(
                    lambda n: orders.delete(customer_id="n", order_id=n).send(),
                    body(orders.delete(customer_id="n", order_id=1)),
                ),
                Way(
                    lambda n: client.execute(self.remove, "p", n).all(),
                    statement_body(client.execute(self.remove, "p", 1)),
                ),
            ),
        ]

    def many_items(self) -> list[Task]:
        """Build the work on many items at once."""
        orders, client = self.orders, self.client
        everything = client.execute(self.select_all, "c", into=Order)
        puts = [orders.put(Order(customer_id="tn0", order_id=number)) for number in range(STATEMENTS)]
        reads = client.execute_batch(*map(self.read_statement, range(STATEMENTS)))
        updates = client.execute_batch(*map(self.update_statement, range(STATEMENTS)))
        inserts = client.execute_transaction(*(self.insert_statement("tp0", number) for number in range(STATEMENTS)))
        keys = {"RequestItems": {orders.name: {"Keys": [key_of(number) for number in range(MANY)]}}}
        query = orders.query(Order.customer_id == "c")
        return [
            Task(
                f"query {MANY} items",
                Way(lambda _n: query.all(), len(orjson.dumps(query.to_wire()))),
                Way(lambda _n: everything.all(), statement_body(everything)),
            ),
            Task(
                f"read {MANY} items by key",
                Way(self.native_reads, len(orjson.dumps(keys))),
                Way(self.partiql_reads, MANY // STATEMENTS * body(reads)),
                10,
            ),
            Task(
                f"change {STATEMENTS} items on a condition each",
                Way(self.native_updates, STATEMENTS * body(self.update(1))),
                Way(self.partiql_updates, body(updates)),
                10,
            ),
            Task(
                f"write {STATEMENTS} items, all or none",
                Way(self.native_transaction, body(client.transact_write(*puts))),
                Way(self.partiql_transaction, body(inserts)),
                10,
            ),
        ]

    async def native_reads(self, _number: int) -> None:
        """Read many items by key."""
        await self.orders.get_many([self.orders.key(customer_id="c", order_id=each) for each in range(MANY)])

    async def partiql_reads(self, _number: int) -> None:
        """Read many items by key, in as many batches as that takes, at once."""
        await asyncio.gather(
            *(
                self.client.execute_batch(*map(self.read_statement, range(start, start + STATEMENTS)))
                for start in range(0, MANY, STATEMENTS)
            )
        )

    async def native_updates(self, _number: int) -> None:
        """Change several items, each on its condition: BatchWriteItem cannot."""
        await asyncio.gather(*map(self.update, range(STATEMENTS)))

    async def partiql_updates(self, _number: int) -> None:
        """Change several items, each on its condition, in one batch."""
        results = await self.client.execute_batch(*map(self.update_statement, range(STATEMENTS)))
        for result in results:
            result.unwrap()

    async def native_transaction(self, number: int) -> None:
        """Write several items in one transaction."""
        orders = [Order(customer_id=f"tn{number}", order_id=each) for each in range(STATEMENTS)]
        await self.client.transact_write(*map(self.orders.put, orders))

    async def partiql_transaction(self, number: int) -> None:
        """Insert several items in one transaction."""
        await self.client.execute_transaction(
            *(self.insert_statement(f"tp{number}", each) for each in range(STATEMENTS))
        )


def body(operation: Operation[Any]) -> int:
    """Return the bytes of a request's body."""
    return len(operation.sending.to_request().body)


def statement_body(statement: Statement[Any]) -> int:
    """Return the bytes of a statement's request."""
    return len(orjson.dumps(statement.to_wire()))


def key_of(number: int) -> dict[str, Any]:
    """Return a key in DynamoDB's JSON."""
    return {"customer_id": {"S": "c"}, "order_id": {"N": str(number)}}


async def measure(way: Way, numbers: range, meter: Meter) -> Figures:
    """Do the work once for each number, and return what one time came to."""
    calls, capacity = meter.calls, meter.capacity
    meter.reported = False
    gc.collect()
    started, used = time.perf_counter(), cpu_seconds()
    for number in numbers:
        await way.work(number)
    count = len(numbers)
    return Figures(
        requests=(meter.calls - calls) / count,
        sent_bytes=way.size,
        cpu_ms=(cpu_seconds() - used) / count * 1000,
        wall_ms=(time.perf_counter() - started) / count * 1000,
        capacity=(meter.capacity - capacity) / count if meter.reported else None,
    )


def median(figures: list[Figures]) -> Figures:
    """Return the medians of several rounds."""
    return evolve(
        figures[0],
        cpu_ms=statistics.median(each.cpu_ms for each in figures),
        wall_ms=statistics.median(each.wall_ms for each in figures),
    )


async def run(engine: Engine, rounds: int) -> dict[str, Result]:
    """Measure every piece of work on one engine, both ways in turns; the first round is dropped."""
    meter = Meter()
    async with Client(
        endpoint_url=engine.endpoint_url,
        region_name=engine.region_name,
        credentials=engine.credentials,
        timeout=60.0,
        instrument=(meter,),
    ) as client:
        await client.ensure_tables(Order)
        await client.table(Order).put_many(Order(customer_id="c", order_id=number) for number in range(MANY))
        work = Work(client)
        results: dict[str, Result] = {}
        for task in (*work.single_items(), *work.many_items()):
            native: list[Figures] = []
            partiql: list[Figures] = []
            for turn in range(rounds + 1):
                numbers = range(turn * task.times, (turn + 1) * task.times)
                native.append(await measure(task.native, numbers, meter))
                partiql.append(await measure(task.partiql, numbers, meter))
            results[task.name] = Result(task.name, median(native[1:]), median(partiql[1:]))
        return results


def show(results: dict[str, Result]) -> str:
    """Write the table."""
    lines = [
        "| work | requests | bytes sent | CPU, ms | time, ms | capacity |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, result in results.items():
        native, partiql = result.native, result.partiql
        capacity = " → ".join("?" if each is None else f"{each:g}" for each in (native.capacity, partiql.capacity))
        lines.append(
            f"| {name} | {native.requests:g} → {partiql.requests:g} "
            f"| {native.sent_bytes:,} → {partiql.sent_bytes:,} | {native.cpu_ms:.2f} → {partiql.cpu_ms:.2f} "
            f"| {native.wall_ms:.2f} → {partiql.wall_ms:.2f} | {capacity} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write the figures and the chart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    with start_engine("dynamodb-local") as engine:
        results = asyncio.run(run(engine, given.rounds))
        answers = abilities(engine)
    with start_engine("embedded") as engine:
        reported = asyncio.run(run(engine, 1))
    for name, result in results.items():
        capacity = reported[name].native.capacity, reported[name].partiql.capacity
        results[name] = evolve(
            result,
            native=evolve(result.native, capacity=capacity[0]),
            partiql=evolve(result.partiql, capacity=capacity[1]),
        )
    print(show(results))
    for answer in answers:
        print(f"{answer.wish}: {answer.answer}")
    outcome = {
        "measured_at": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "rounds": given.rounds,
        "work": [asdict(result) for result in results.values()],
        "abilities": [asdict(answer) for answer in answers],
    }
    given.output.write_text(json.dumps(outcome, indent=1) + "\n")
    panels = [
        Panel(
            name,
            "CPU of the client, ms; less is better",
            (Bar("DynamoDB's own operation", result.native.cpu_ms, "ours"), Bar("PartiQL", result.partiql.cpu_ms)),
        )
        for name, result in results.items()
    ]
    draw(panels, given.output.with_name("chart.svg"))


if __name__ == "__main__":
    main()
