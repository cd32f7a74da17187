"""Web applications on the library, each in a process of its own, driven from outside as their users would."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from attrs import frozen

from mizzle_async.testing import EmbeddedEngine

HERE = Path(__file__).parent


@frozen
class Service:
    """A running application.

    Attributes:
        process: Its process.
        port: Where it listens, on 127.0.0.1.
    """

    process: subprocess.Popen[str]
    port: int


@pytest.fixture(params=["fastapi", "aiohttp"])
def service(request: pytest.FixtureRequest, embedded_engine: EmbeddedEngine) -> Iterator[Service]:
    """Each application in turn, stopped as a service manager would stop it; it must end well and say nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        script = HERE / f"{request.param}_service.py"
        process = subprocess.Popen(
            [sys.executable, "-X", "dev", script, str(listener.fileno()), f"{request.param}-"],
            pass_fds=[listener.fileno()],
            env=embedded_engine.environment | {"PYTHONPATH": str(HERE)},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield Service(process, listener.getsockname()[1])
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
    assert process.returncode in {0, -signal.SIGTERM}
    for complaint in ("Traceback", "never retrieved", "Unclosed", "unclosed", "never used"):
        assert complaint not in errors, errors


@pytest.fixture
async def web(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A user of the application."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.port}", timeout=60, trust_env=False) as client:
        yield client


async def test_service_under_concurrent_requests(web: httpx.AsyncClient) -> None:
    """Concurrent writes all land, counters add up, pages hold everything once, and errors have their status."""
    created = await asyncio.gather(*(web.post(f"/ada/{number}", json={"total": "1.5"}) for number in range(60)))
    assert {answer.status_code for answer in created} == {201}
    assert (await web.post("/ada/7", json={"total": "9"})).status_code == 409
    assert (await web.get("/ada/999")).status_code == 404

    views = await asyncio.gather(*(web.post("/ada/7/views") for _ in range(50)))
    assert sorted(answer.json()["views"] for answer in views) == list(range(1, 51))

    changed = await web.patch("/ada/7", json={"note": "fragile"})
    assert (changed.json()["note"], changed.json()["total"]) == ("fragile", "1.5")
    assert (await web.patch("/ada/7", json={"nonsense": 1})).status_code == 422

    seen: list[int] = []
    cursor: str | None = None
    while True:
        page = (await web.get("/ada", params={"cursor": cursor} if cursor else {})).json()
        seen += [order["number"] for order in page["items"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == list(range(60))
    assert (await web.get("/ada", params={"cursor": "forged"})).status_code == 400


async def test_callers_who_hang_up_cost_nothing(web: httpx.AsyncClient, service: Service) -> None:
    """After a hundred callers went away in the middle, no connection is in use and nobody waits for one."""
    assert (await web.post("/eve/1", json={"total": "1"})).status_code == 201
    for _ in range(100):
        _, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(b"POST /eve/1/views HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    for _ in range(1000):
        statistics = (await web.get("/statistics")).json()
        if not any(statistics.values()):
            break
    assert statistics == {"in_use": 0, "waiting": 0}
    assert (await web.post("/eve/1/views")).json()["views"] <= 101
