"""Web services on the library, each in a process of its own, driven from outside as their users would.

Three services do the same work: FastAPI, aiohttp and Lambda. Between them and the engine is a network that may have
faults.
"""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from attrs import Factory, define, frozen

from mizzle_async import Attribute, Client, PartitionKey, SortKey, Table, attribute, entity
from mizzle_async.testing import EmbeddedEngine, Fault, FaultProxy, Reply, Request

HERE = Path(__file__).parent
MODULES = {
    "fastapi": "order_shop.fastapi_app",
    "aiohttp": "order_shop.aiohttp_app",
    "lambda": "order_shop.lambda_gateway",
}
COMPLAINTS = ("Traceback", "never retrieved", "Unclosed", "unclosed", "never used", "Warning")
CALLERS = 12
LOST = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.CloseError)
"""The caller cannot know what became of its request."""


@entity("service-orders")
class Stored:
    """The services' orders, as this test looks at them: not by their own class."""

    customer: PartitionKey[str]
    number: SortKey[int]
    note: Attribute[str | None] = attribute(default=None)
    views: Attribute[int] = attribute(default=0)


@frozen
class Service:
    """A running service.

    Attributes:
        process: Its process.
        port: Where it listens, on 127.0.0.1.
        proxy: The network between it and the engine.
        orders: Its table, as the engine has it.
    """

    process: asyncio.subprocess.Process
    port: int
    proxy: FaultProxy
    orders: Table[Stored]

    def caller(self) -> httpx.AsyncClient:
        """Make a caller of the service."""
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=60, trust_env=False)

    async def end(self) -> None:
        """Stop it as a service manager would; it must end well and say nothing."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        _, output = await asyncio.wait_for(self.process.communicate(), 60)
        errors = output.decode()
        assert self.process.returncode in {0, -signal.SIGTERM}, errors
        for complaint in COMPLAINTS:
            assert complaint not in errors, errors


class Faults:
    """Faults of a share of the requests about items: losses, refusals and nonsense of every kind."""

    def __init__(self, seed: int) -> None:
        self.share = 0.0
        self._random = random.Random(seed)

    def __call__(self, request: Request) -> Fault | None:
        """Choose the fault of a request, or none."""
        if self._random.random() >= self.share or request.operation.endswith(("Table", "TimeToLive")):
            return None
        return self._random.choice(
            [
                Fault.drop_before(),
                Fault.drop_after(),
                Fault.reset(),
                Fault.throttle(),
                Fault.html(503),
                Fault.corrupt(),
                Fault.cut(40),
                Fault.hang_before(),
                Fault.hang_after(),
                Fault.delay(0.2),
                Fault.instead(Reply.error("InternalServerError", status=500), name="internal"),
            ]
        )


@pytest.fixture
def faults() -> Faults:
    """The faults of the network: none, until a test sets their share."""
    return Faults(seed=9)


@pytest.fixture(params=MODULES)
async def service(
    request: pytest.FixtureRequest, embedded_engine: EmbeddedEngine, faults: Faults
) -> AsyncIterator[Service]:
    """Each service in turn, whose end is as good as its life."""
    prefix = f"{uuid4().hex}-"
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        async with (
            FaultProxy(embedded_engine.endpoint_url, faults) as proxy,
            Client(
                endpoint_url=embedded_engine.endpoint_url,
                region_name=embedded_engine.region_name,
                credentials=embedded_engine.credentials,
                table_prefix=prefix,
            ) as client,
        ):
            await client.ensure_tables(Stored)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-X", "dev", "-m", MODULES[request.param], str(listener.fileno()), prefix),
                pass_fds=[listener.fileno()],
                env=embedded_engine.environment
                | {"AWS_ENDPOINT_URL_DYNAMODB": proxy.url, "PYTHONPATH": f"{HERE}:{':'.join(sys.path)}"},
                stderr=subprocess.PIPE,
            )
            running = Service(process, listener.getsockname()[1], proxy, client.table(Stored))
            listener.close()  # the service has it: when that ends, callers are refused
            try:
                yield running
                await running.end()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
                await client.delete_table(Stored)


@pytest.fixture
async def web(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A user of the application."""
    async with service.caller() as client:
        yield client


def order(customer: str, number: int, **more: Any) -> dict[str, Any]:
    """Make the body of an order."""
    lines = [{"sku": f"sku-{number}", "price": "1.25", "amount": 2}]
    return {"customer": customer, "number": number, "lines": lines, "tags": ["b", "a"], **more}


async def test_service_under_concurrent_requests(web: httpx.AsyncClient) -> None:
    """Concurrent writes all land, counters add up, pages hold everything once, and errors have their status."""
    created = await asyncio.gather(*(web.post("/orders", json=order("ada", number)) for number in range(60)))
    assert {answer.status_code for answer in created} == {201}, created[0].text
    assert (await web.post("/orders", json=order("ada", 7))).status_code == 409
    assert (await web.get("/orders/ada/999")).status_code == 404

    views = await asyncio.gather(*(web.post("/orders/ada/7/views") for _ in range(50)))
    assert {answer.status_code for answer in views} == {204}
    read = (await web.get("/orders/ada/7")).json()
    assert (read["views"], read["status"], read["tags"]) == (50, "open", ["a", "b"])
    assert read["lines"] == [{"sku": "sku-7", "price": "1.25", "amount": 2}]
    assert read["placed_at"].endswith("Z")

    changed = (await web.patch("/orders/ada/7", json={"note": "fragile", "status": "paid"})).json()
    assert (changed["note"], changed["status"], changed["views"]) == ("fragile", "paid", 50)
    for wrong in ({"nonsense": 1}, {"views": "many"}, {"customer": "eve"}, {"lines": [{"sku": 1}]}):
        assert (await web.patch("/orders/ada/7", json=wrong)).status_code == 422, wrong

    seen: list[int] = []
    cursor: str | None = None
    while True:
        page = (await web.get("/orders/ada", params={"cursor": cursor} if cursor else {})).json()
        seen += [item["number"] for item in page["items"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == list(range(60))
    assert (await web.get("/orders/ada", params={"cursor": "forged"})).status_code == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 1},
        {"customer": "a", "number": "one"},
        {"customer": "", "number": 1},
        {"customer": "a", "number": 1, "lines": [{"sku": "x", "price": "dear"}]},
        {"customer": "a", "number": 1, "status": "lost"},
        {"customer": "a", "number": 1, "placed_at": "2026-01-31T09:05:00"},
    ],
)
async def test_a_wrong_body_is_the_callers_mistake(web: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    """A body that does not fit the entity is a 422 in each of the services."""
    assert (await web.post("/orders", json=wrong)).status_code == 422


@define
class Tally:
    """What the callers have been told.

    Attributes:
        statuses: Answers by status.
        created: Orders that are said to be there.
        notes: The note that was last said to be stored, by order.
        views: Views that are said to be counted, by order.
        maybe: Views of which nothing is known, by order.
    """

    statuses: Counter[int] = Factory(Counter)
    created: set[int] = Factory(set)
    notes: dict[int, str] = Factory(dict)
    views: Counter[int] = Factory(Counter)
    maybe: Counter[int] = Factory(Counter)


async def call(web: httpx.AsyncClient, tally: Tally, method: str, path: str, **more: Any) -> int:
    """Send a request and return its status; 0 where the service went away with the answer."""
    try:
        answer = await web.request(method, path, **more)
    except LOST:
        return 0
    tally.statuses[answer.status_code] += 1
    return answer.status_code


async def work(service: Service, tally: Tally, caller: int) -> None:
    """Create orders, change them and count their views, until the service is gone. No two callers share an order."""
    async with service.caller() as web:
        number = caller
        while True:
            number += CALLERS
            path = f"/orders/load/{number}"
            try:
                if await call(web, tally, "POST", "/orders", json=order("load", number)) == 201:
                    tally.created.add(number)
                for _ in range(3):
                    status = await call(web, tally, "POST", f"{path}/views")
                    tally.views[number] += status == 204
                    tally.maybe[number] += status in {0, 503}
                if await call(web, tally, "PATCH", path, json={"note": f"note {number}"}) == 200:
                    tally.notes[number] = f"note {number}"
                await call(web, tally, "GET", path)
                await call(web, tally, "GET", "/orders/load")
            except httpx.ConnectError:
                return


async def test_no_write_is_lost_under_faults_and_at_the_end(service: Service, faults: Faults) -> None:
    """Under load, with faults on the way to the engine and TERM in the middle, no answer is a 500, and each is true.

    What a caller was told is stored, is stored; a view that was counted is counted once. An answer of 503 says that the
    service could not do it, or does not know.
    """
    async with service.caller() as web:
        assert (await web.get("/orders/nobody")).status_code == 200  # it is up
    faults.share = 0.15
    tally = Tally()
    callers = [asyncio.create_task(work(service, tally, number)) for number in range(CALLERS)]
    while tally.statuses.total() < 600:
        await asyncio.sleep(0.05)
        assert not any(caller.done() for caller in callers)
    await service.end()
    await asyncio.gather(*callers)

    assert set(tally.statuses) <= {200, 201, 204, 404, 409, 503}, tally.statuses
    assert tally.statuses[503] < tally.statuses.total() / 5, tally.statuses
    assert service.proxy.faulted.total() > 50
    stored = {item.number: item async for item in service.orders.query(Stored.customer == "load")}
    assert tally.created <= stored.keys()
    assert len(tally.created) > 20
    assert {number: stored[number].note for number in tally.notes} == tally.notes
    for number, item in stored.items():
        assert tally.views[number] <= item.views <= tally.views[number] + tally.maybe[number], number


@pytest.mark.parametrize(
    "service", ["fastapi", "aiohttp"], indirect=True
)  # a Lambda function has one caller, who waits
async def test_callers_who_hang_up_cost_nothing(web: httpx.AsyncClient, service: Service) -> None:
    """After a hundred callers went away in the middle, no connection is in use and no call waits for one."""
    assert (await web.post("/orders", json=order("eve", 1))).status_code == 201
    for _ in range(100):
        _, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(b"POST /orders/eve/1/views HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    for _ in range(1000):
        statistics = (await web.get("/statistics")).json()
        if not any(statistics.values()):
            break
    assert statistics == {"in_use": 0, "waiting": 0}
    assert (await web.post("/orders/eve/1/views")).status_code == 204
    assert (await web.get("/orders/eve/1")).json()["views"] <= 101
