"""Engines, clients and tables as pytest fixtures.

Load it by name in the top `conftest.py`: `pytest_plugins = ["mizzle_async.testing.plugin"]`.
Engines last for the test session, of which each worker of pytest-xdist has its own. The fixtures `client`, `tables` and
`make_client` give each test tables of its own, which are dropped at its end.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, Final, get_args
from uuid import uuid4

import pytest

from mizzle_async.handles.client import Client
from mizzle_async.testing.engines import DynamoDBLocal, EmbeddedEngine, Engine, EngineName
from mizzle_async.testing.tables import Tables

__all__ = [
    "client",
    "client_engine",
    "dynamodb_environment",
    "dynamodb_local",
    "embedded_engine",
    "engine",
    "make_client",
    "mizzle_client_on_anyio",
    "pytest_addoption",
    "pytest_configure",
    "pytest_generate_tests",
    "table_prefix",
    "tables",
]

FIXTURES: dict[EngineName, str] = {"embedded": "embedded_engine", "dynamodb-local": "dynamodb_local"}

LOOP_SCOPES: Final = ("function", "class", "module", "package", "session")
"""The scopes of pytest-asyncio's event loops."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--dynamodb-engine`, which limits the engines of the fixture `engine`, and chooses that of `client`."""
    parser.getgroup("mizzle_async").addoption(
        "--dynamodb-engine",
        action="append",
        choices=get_args(EngineName),
        help="run the tests of the fixture `engine` on this engine only (may be given again; default: on all), and"
        " those of the fixture `client` on the first that is given (default: embedded)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Where pytest-asyncio is at work, add fixtures that run on its event loops."""
    if config.pluginmanager.hasplugin("asyncio"):
        fixture = import_module("pytest_asyncio").fixture
        fixtures = ModuleType("mizzle_async_on_pytest_asyncio")
        for scope in LOOP_SCOPES:
            name = f"mizzle_client_on_asyncio_{scope}"
            setattr(fixtures, name, fixture(loop_scope=scope, name=name)(_opening()))
        config.pluginmanager.register(fixtures)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that uses the fixture `engine` once on each engine."""
    if "engine" in metafunc.fixturenames:
        names = metafunc.config.getoption("--dynamodb-engine") or get_args(EngineName)
        metafunc.parametrize("engine", names, indirect=True, scope="session")


# ── engines, for the session ──


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


@pytest.fixture(scope="session")
def client_engine(request: pytest.FixtureRequest) -> Engine:
    """The engine of `client`: the first that `--dynamodb-engine` names, else the embedded one. Override it for another.

    A `client_engine` of yours that returns the fixture `engine` runs each test on every engine.
    """
    names: list[EngineName] = request.config.getoption("--dynamodb-engine") or ["embedded"]
    chosen: Engine = request.getfixturevalue(FIXTURES[names[0]])
    return chosen


# ── clients and tables, for one test ──


@pytest.fixture
def table_prefix(client_engine: Engine) -> Iterator[str]:
    """A prefix that no other test has. At the end of the test its tables are dropped."""
    prefix = f"t{uuid4().hex}-"
    yield prefix
    client_engine.delete_tables(prefix=prefix)


@pytest.fixture
def make_client(client_engine: Engine, table_prefix: str) -> Callable[..., Client]:
    """A function that makes clients of the engine, not open, with the test's prefix: for applications that open theirs.

    It takes the settings of `Client`, which count before its own.
    """

    def make(**settings: Any) -> Client:
        own: dict[str, Any] = {
            "endpoint_url": client_engine.endpoint_url,
            "region_name": client_engine.region_name,
            "credentials": client_engine.credentials,
            "table_prefix": table_prefix,
        }
        return Client(**own | settings)

    return make


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Client:
    """An open client, on the event loop of the test, with tables of its own.

    It works with anyio's pytest plugin and with pytest-asyncio, whichever runs the test.
    """
    opened: Client = request.getfixturevalue(_opener(request))
    return opened


@pytest.fixture
def tables(client: Client) -> Tables:
    """Creates the tables of entities and returns their handles: see `mizzle_async.testing.Tables`."""
    return Tables(client)


@pytest.fixture
def dynamodb_environment(client_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables by which ``Client()``, and every AWS SDK, finds the engine: they are set for the test."""
    for name, value in client_engine.environment.items():
        monkeypatch.setenv(name, value)
    return client_engine.environment


def _opening() -> Callable[[Callable[..., Client]], AsyncIterator[Client]]:
    """Return a function that opens a client for one test. Plugins leave their marks on functions."""

    async def opened(make_client: Callable[..., Client]) -> AsyncIterator[Client]:
        async with make_client() as client:
            yield client

    return opened


mizzle_client_on_anyio: Any = pytest.fixture(_opening(), name="mizzle_client_on_anyio")


def _opener(request: pytest.FixtureRequest) -> str:
    """Return the fixture that opens a client on the event loop of the test."""
    config = request.config
    if config.pluginmanager.hasplugin("asyncio") and import_module("pytest_asyncio").is_async_test(request.node):
        marker = request.node.get_closest_marker("asyncio")
        scope = marker.kwargs.get("loop_scope") if marker is not None else None
        return f"mizzle_client_on_asyncio_{scope or config.getini('asyncio_default_test_loop_scope') or 'function'}"
    if "anyio_backend" in request.fixturenames:
        return "mizzle_client_on_anyio"
    pytest.fail(
        "the fixture `client` is open on an event loop, so its test must be asynchronous: `async def test_…` with"
        " anyio's pytest plugin (anyio_mode = 'auto') or with pytest-asyncio. A synchronous test takes `make_client`",
        pytrace=False,
    )
