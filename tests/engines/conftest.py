"""Tests here share engines for the whole session: each makes tables of its own, under names that nobody else has."""

import itertools
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
async def client(engine: Engine, clock: Clock) -> AsyncIterator[Client]:
    """An open client on each engine in turn, whose tables are its own, on a clock that stands still."""
    opened = Client(
        endpoint_url=engine.endpoint_url,
        region_name=engine.region_name,
        credentials=engine.credentials,
        table_prefix=f"t{next(_numbers)}-",
        clock=clock,
        cursor_key="sixteen bytes or more",
        timeout=60.0,
    )
    async with opened:
        yield opened
