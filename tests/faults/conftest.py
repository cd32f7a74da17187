"""Faults that were found in the first version, each by a test that fails there.

These tests use names that the first version had as well, so that `benchmarks/faults/run.py` can run them against it. An
option that it did not have is asked for where there is one (`options`): without it the fault shows.
"""

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from mizzle_async import Client
from mizzle_async.testing import DynamoDBLocal, EmbeddedEngine


def _client(engine: EmbeddedEngine | DynamoDBLocal) -> Client:
    """Return a client of an engine."""
    return Client(
        endpoint_url=engine.endpoint_url,
        region_name=engine.region_name,
        credentials=engine.credentials,
        table_prefix="faults-",
    )


@pytest.fixture(scope="session")
async def client(embedded_engine: EmbeddedEngine) -> AsyncIterator[Client]:
    """An open client on the embedded engine. Each class has one table, so each test has keys of its own."""
    async with _client(embedded_engine) as opened:
        yield opened


def _options(function: Callable[..., Any], **wanted: Any) -> dict[str, Any]:
    """Return those keyword arguments that a function takes."""
    known = inspect.signature(function).parameters
    return {name: value for name, value in wanted.items() if name in known}


@pytest.fixture(scope="session")
def options() -> Callable[..., dict[str, Any]]:
    """A function that returns those keyword arguments that another one takes."""
    return _options


@pytest.fixture(scope="session")
async def dynamodb(dynamodb_local: DynamoDBLocal) -> AsyncIterator[Client]:
    """An open client on DynamoDB Local, for what the embedded engine lets pass."""
    async with _client(dynamodb_local) as opened:
        yield opened
