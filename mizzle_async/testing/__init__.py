"""Tools for the tests of this package and of its users.

- Engines to run against, and a pytest plugin that starts them.
- A scripted server and a fault proxy, for faults that no engine shows.
- Stubs, for tests without a server.
- A virtual clock, for tests of timers and deadlines.
- Certificates for TLS on loopback.
"""

from mizzle_async.testing.clock import DeadlockError, VirtualClockLoop, run_virtual
from mizzle_async.testing.engines import (
    DynamoDBLocal,
    EmbeddedEngine,
    Engine,
    EngineCredentials,
    EngineError,
    EngineName,
    install_engine,
    start_engine,
)
from mizzle_async.testing.network import MemoryNetwork
from mizzle_async.testing.proxy import Fault, FaultProxy, at_reuse, sometimes
from mizzle_async.testing.replies import Ending, Reply
from mizzle_async.testing.resharder import Resharder
from mizzle_async.testing.server import Event, Request, ScriptedServer
from mizzle_async.testing.stub import StubCaller, StubTransport
from mizzle_async.testing.tables import Tables
from mizzle_async.testing.tls import LocalAuthority

__all__ = [
    "DeadlockError",
    "DynamoDBLocal",
    "EmbeddedEngine",
    "Ending",
    "Engine",
    "EngineCredentials",
    "EngineError",
    "EngineName",
    "Event",
    "Fault",
    "FaultProxy",
    "LocalAuthority",
    "MemoryNetwork",
    "Reply",
    "Request",
    "Resharder",
    "ScriptedServer",
    "StubCaller",
    "StubTransport",
    "Tables",
    "VirtualClockLoop",
    "at_reuse",
    "install_engine",
    "run_virtual",
    "sometimes",
    "start_engine",
]
