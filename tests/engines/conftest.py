"""Tests here share engines for the whole session: each makes tables of its own, under names that nobody else has."""

import itertools
import os
from collections.abc import AsyncIterator, Callable

import pytest
from attrs import define

from mizzle_async import Client
from mizzle_async.testing import Engine

_numbers = itertools.count(1)


@pytest.fixture
def new_table_name(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Give a table name that no other test uses, with the test's name in it."""

    def name() -> str:
        letters = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in request.node.name)
        return f"{letters[:200]}-{next(_numbers)}"

    return name


@define
class Clock:
    """A clock that stands where a test puts it: far ahead, so that an engine itself never finds an item expired."""

    now: float = 4_000_000_000.0

    def __call__(self) -> float:
        """Tell the time in seconds since the epoch."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock of the fixture `client`."""
    return Clock()


@pytest.fixture
async def client(engine: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """An open client on each engine in turn, whose tables are its own, on a clock that stands still.

    With ``MIZZLE_TEST_TRANSPORT=fallback`` it goes through a proxy, which the engine itself is: one on this machine is
    asked directly, and so the endpoint has a name that is looked up nowhere.
    """
    through_proxy = os.environ.get("MIZZLE_TEST_TRANSPORT") == "fallback"
    if through_proxy:
        monkeypatch.setenv("HTTP_PROXY", engine.endpoint_url)
    opened = Client(
        endpoint_url="http://dynamodb.example" if through_proxy else engine.endpoint_url,
        allow_http=through_proxy,
        region_name=engine.region_name,
        credentials=engine.credentials,
        table_prefix=f"t{next(_numbers)}-",
        clock=clock,
        cursor_key="sixteen bytes or more",
        timeout=60.0,
    )
    async with opened:
        yield opened
        assert not (through_proxy and opened.statistics().pool.hosts)
