"""A block of `client.usage()` in a dependency of FastAPI: where it counts, and where it does no harm."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI

from mizzle_async import Attribute, Client, LimitError, PartitionKey, Usage, entity
from mizzle_async.testing import StubCaller


@entity("notes")
class Note:
    name: PartitionKey[str]
    text: Attribute[str]


CLIENT = Client(caller=StubCaller({"GetItem": {"ConsumedCapacity": {"TableName": "notes", "CapacityUnits": 0.5}}}))
NOTES = CLIENT.table(Note)


async def usage() -> AsyncIterator[Usage]:
    """Count on the event loop, in the context of the request."""
    with CLIENT.usage(max_read_units=1) as used:
        yield used


def usage_in_a_thread() -> Iterator[Usage]:
    """Count in a thread of the framework, in a copy of the context."""
    with CLIENT.usage(max_read_units=1) as used:
        yield used


def application() -> FastAPI:
    """Make an application that reads three times, with either dependency."""
    app = FastAPI()

    async def answer(used: Usage) -> dict[str, Any]:
        try:
            for _ in range(3):
                await NOTES.get("a")
        except LimitError:
            return {"units": used.read_units, "stopped": True}
        return {"units": used.read_units, "stopped": False}

    @app.get("/right")
    async def right(used: Annotated[Usage, Depends(usage)]) -> dict[str, Any]:
        return await answer(used)

    @app.get("/thread")
    async def thread(used: Annotated[Usage, Depends(usage_in_a_thread)]) -> dict[str, Any]:
        return await answer(used)

    return app


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/right", {"units": 1.0, "stopped": True}), ("/thread", {"units": 0.0, "stopped": False})],
)
async def test_usage_counts_in_the_context_of_the_request(path: str, expected: dict[str, Any]) -> None:
    """An asynchronous dependency counts and limits its request; one in a thread counts nothing, and raises nothing."""
    transport = httpx.ASGITransport(application())
    async with CLIENT, httpx.AsyncClient(transport=transport, base_url="http://app") as web:
        for _ in range(2):
            answer = await web.get(path)
            assert (answer.status_code, answer.json()) == (200, expected)
