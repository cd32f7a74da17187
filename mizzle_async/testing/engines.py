"""DynamoDB engines on loopback, for tests, demonstrations and trying things by hand."""

from typing import Literal, assert_never

from mizzle_async.testing._dynamodb_local import DynamoDBLocal
from mizzle_async.testing._embedded import EmbeddedEngine
from mizzle_async.testing._engine import Engine, EngineCredentials
from mizzle_async.testing._errors import EngineError

__all__ = [
    "DynamoDBLocal",
    "EmbeddedEngine",
    "Engine",
    "EngineCredentials",
    "EngineError",
    "EngineName",
    "install_engine",
    "start_engine",
]

EngineName = Literal["embedded", "dynamodb-local"]


def install_engine(name: EngineName = "embedded") -> Engine:
    """Install an engine by its name, unless it is in the cache, so that later starts need no network.

    Args:
        name: The engine's name.

    Returns:
        The engine, not running.

    Raises:
        EngineError: If it cannot be installed.
    """
    engine = _make_engine(name, None)
    engine.install()
    return engine


def start_engine(name: EngineName = "embedded", *, port: int | None = None) -> Engine:
    """Start an engine by its name and wait until it answers.

    Args:
        name: The engine's name.
        port: The port on 127.0.0.1. None takes a free one.

    Returns:
        The running engine. Stop it with `stop()`, or use it as a context manager that stops it at the end.

    Raises:
        EngineError: If it cannot be installed or started.
    """
    return _make_engine(name, port).start()


def _make_engine(name: EngineName, port: int | None) -> Engine:
    match name:
        case "embedded":
            return EmbeddedEngine(port=port)
        case "dynamodb-local":
            return DynamoDBLocal(port=port)
        case _:
            assert_never(name)
