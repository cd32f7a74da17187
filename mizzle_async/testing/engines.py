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
    "start_engine",
]

EngineName = Literal["embedded", "dynamodb-local"]


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
    match name:
        case "embedded":
            return EmbeddedEngine(port=port).start()
        case "dynamodb-local":
            return DynamoDBLocal(port=port).start()
        case _:
            assert_never(name)
