"""For tests of this package and of its users: engines to run against, and a pytest plugin that starts them."""

from mizzle_async.testing.engines import (
    DynamoDBLocal,
    EmbeddedEngine,
    Engine,
    EngineCredentials,
    EngineError,
    EngineName,
    start_engine,
)

__all__ = [
    "DynamoDBLocal",
    "EmbeddedEngine",
    "Engine",
    "EngineCredentials",
    "EngineError",
    "EngineName",
    "start_engine",
]
