"""Engines as pytest fixtures.

Load it by name in the top `conftest.py`: `pytest_plugins = ["mizzle_async.testing.plugin"]`.
Every fixture lasts for the test session: tests share an engine, and use table names of their own.
"""

from collections.abc import Iterator
from typing import get_args

import pytest

from mizzle_async.testing.engines import DynamoDBLocal, EmbeddedEngine, Engine, EngineName

__all__ = ["dynamodb_local", "embedded_engine", "engine", "pytest_addoption", "pytest_generate_tests"]

FIXTURES: dict[EngineName, str] = {"embedded": "embedded_engine", "dynamodb-local": "dynamodb_local"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--dynamodb-engine`, which limits the engines of the fixture `engine`."""
    parser.getgroup("mizzle_async").addoption(
        "--dynamodb-engine",
        action="append",
        choices=get_args(EngineName),
        help="run the tests of the fixture `engine` on this engine only (may be given again; default: on all)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that uses the fixture `engine` once on each engine."""
    if "engine" in metafunc.fixturenames:
        names = metafunc.config.getoption("--dynamodb-engine") or get_args(EngineName)
        metafunc.parametrize("engine", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def embedded_engine() -> Iterator[EmbeddedEngine]:
    """The embedded engine, running for the whole test session."""
    with EmbeddedEngine() as engine:
        yield engine


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[DynamoDBLocal]:
    """DynamoDB Local, running for the whole test session."""
    with DynamoDBLocal() as engine:
        yield engine


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn, running for the whole test session."""
    chosen: Engine = request.getfixturevalue(FIXTURES[request.param])
    return chosen
