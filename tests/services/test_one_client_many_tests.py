"""The application of a test suite: one client of a module, opened by each test anew."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from mizzle_async import Attribute, Client, PartitionKey, entity
from mizzle_async.testing import StubCaller


@entity("notes")
class Note:
    name: PartitionKey[str]
    text: Attribute[str]


DATABASE = Client(caller=StubCaller({"GetItem": {"Item": {"name": {"S": "a"}, "text": {"S": "first"}}}}))
NOTES = DATABASE.table(Note)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Hold the client open while the application runs."""
    async with DATABASE:
        yield


APP = FastAPI(lifespan=lifespan)


@APP.get("/{name}")
async def read(name: str) -> Note:
    """Read a note."""
    return await NOTES.get_one(name)


@pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient` is deprecated")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_synchronous_test_client_can_enter_again(number: int) -> None:
    """Each test enters the application's lifespan, on an event loop of its own: the client is opened each time."""
    from starlette.testclient import TestClient  # noqa: PLC0415  (it warns where it is imported)

    with TestClient(APP) as web:
        assert web.get("/a").json() == {"name": "a", "text": "first"}, number


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_an_asynchronous_one_as_well(number: int) -> None:
    """The same on the loop of the tests."""
    transport = httpx.ASGITransport(APP)
    async with lifespan(APP), httpx.AsyncClient(transport=transport, base_url="http://app") as web:
        assert (await web.get("/a")).json() == {"name": "a", "text": "first"}, number
