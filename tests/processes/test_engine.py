"""The life of an engine, with stand-ins that need no set-up: small Python servers that answer like one."""

import asyncio
import gc
import os
import select
import socket
import subprocess
import sys
import textwrap
import threading
import weakref

import anyio
import pytest

from mizzle_async.testing import _engine, _process
from mizzle_async.testing._engine import EngineCommand
from mizzle_async.testing.engines import Engine, EngineError

SERVER = textwrap.dedent("""
    import http.server, json, sys

    class Handler(http.server.BaseHTTPRequestHandler):
        tables = ["one", "two"]

        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            operation = self.headers["X-Amz-Target"].partition(".")[2]
            if operation == "DeleteTable":
                self.tables.remove(request["TableName"])
            status = 400 if operation == "Refuse" else 200
            body = json.dumps({"TableNames": self.tables}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    print("starting", flush=True)
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
""")


class FakeEngine(Engine):
    """Runs a Python program, which gets the port as its argument."""

    name = "fake"
    version = "1.0"

    def __init__(self, program: str = SERVER, **options) -> None:
        super().__init__(**options)
        self.program = program
        self.ports: list[int] = []

    def _command(self, port: int) -> EngineCommand:
        self.ports.append(port)
        return EngineCommand([sys.executable, "-I", "-c", self.program, str(port)], {"FAKE": "1"})


def ended(pid: int) -> bool:
    """Wait until a process that need not be our child has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 60)[0])
    finally:
        os.close(handle)


def test_context_manager_starts_and_stops():
    """Inside, it answers on a free port of 127.0.0.1; afterwards nobody listens there."""
    with FakeEngine() as engine:
        port = engine.port
        assert engine.endpoint_url == f"http://127.0.0.1:{port}"
        assert repr(engine) == f"<FakeEngine at http://127.0.0.1:{port}>"
        assert engine.call("ListTables", {}) == {"TableNames": ["one", "two"]}
    assert repr(engine) == "<FakeEngine stopped>"
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0


async def test_asynchronous_context_manager_starts_and_stops():
    """The same without blocking the loop."""
    async with FakeEngine() as engine:
        assert engine.call("ListTables", {}) == {"TableNames": ["one", "two"]}
        pid = engine._process._supervisor.pid
    assert ended(pid)


def test_restarted_engine_is_new():
    """An engine may be started again; a running one may not."""
    engine = FakeEngine()
    with engine:
        engine.delete_tables()
        assert engine.call("ListTables", {}) == {"TableNames": []}
        with pytest.raises(EngineError, match="is running already"):
            engine.start()
    with engine:
        assert engine.call("ListTables", {}) == {"TableNames": ["one", "two"]}


def test_started_engine_can_be_entered():
    """`with engine.start():` stops it at the end, like `with engine:`."""
    with FakeEngine().start() as engine:
        assert engine.call("ListTables", {})
    engine.stop()
    assert repr(engine) == "<FakeEngine stopped>"


def test_stopped_engine_says_so():
    """Without a process there is no port, and nothing to wait for; stopping it is harmless."""
    engine = FakeEngine()
    engine.stop()
    for use in (lambda: engine.port, lambda: engine.endpoint_url, engine.wait, lambda: engine.call("ListTables", {})):
        with pytest.raises(EngineError, match=r"fake is not running: start\(\) it"):
            use()


def test_refusal_shows_the_answer():
    """An answer other than 200 is an error with the body in it."""
    with FakeEngine() as engine, pytest.raises(EngineError, match=r"fake answered 400 to Refuse: .*TableNames"):
        engine.call("Refuse", {})


def test_environment_points_any_sdk_at_it():
    """The variables name endpoint, region and credentials."""
    with FakeEngine() as engine:
        assert engine.environment == {
            "AWS_ENDPOINT_URL_DYNAMODB": engine.endpoint_url,
            "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": engine.endpoint_url,
            "AWS_REGION": engine.region_name,
            "AWS_DEFAULT_REGION": engine.region_name,
            "AWS_ACCESS_KEY_ID": engine.credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": engine.credentials.secret_access_key,
        }


def test_engine_sees_none_of_our_settings(monkeypatch):
    """An engine gets its own settings, a home of its own, and no credentials or proxies of its user."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "private")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    engine = FakeEngine("import os; print(sorted(os.environ)); raise SystemExit(1)")
    with pytest.raises(EngineError) as caught:
        engine.start()
    assert "'FAKE'" in str(caught.value)
    assert "'HOME'" in str(caught.value)
    assert "AWS" not in str(caught.value)
    assert "PROXY" not in str(caught.value)


def test_engine_that_ends_at_once_shows_its_output():
    """The status and what was printed are in the error."""
    engine = FakeEngine("print('no licence'); raise SystemExit(3)")
    with pytest.raises(EngineError, match=r"fake 1\.0 ended with status 3 before it answered.*\nno licence"):
        engine.start()
    assert repr(engine) == "<FakeEngine stopped>"


def test_engine_that_cannot_be_run_is_named():
    """A command that does not exist is an error like any other."""
    engine = FakeEngine()
    engine._command = lambda _: EngineCommand(["/nonexistent/engine"], {})
    with pytest.raises(EngineError, match="cannot run /nonexistent/engine"):
        engine.start()


def test_engine_that_never_answers_is_stopped():
    """Past `ready_timeout` it is stopped, with the last problem in the error."""
    engine = FakeEngine("import threading; threading.Event().wait()", ready_timeout=0.0)
    with pytest.raises(EngineError, match=r"did not answer within 0 seconds \(.*refused.*\nIt|printed:\n\(nothing\)"):
        engine.start()


def test_port_that_somebody_took_is_exchanged():
    """An engine that finds its port taken is started again on another one."""
    engine = FakeEngine()
    programs = iter(["print('Address already in use'); raise SystemExit(1)", SERVER])
    original = engine._command

    def command(port: int) -> EngineCommand:
        engine.program = next(programs)
        return original(port)

    engine._command = command
    with engine:
        assert engine.port == engine.ports[1]


def test_ports_that_are_always_taken_end_the_tries():
    """After a few ports it gives up, with the engine's own words."""
    engine = FakeEngine("print('Address already in use'); raise SystemExit(1)")
    with pytest.raises(EngineError, match="Address already in use"):
        engine.start()
    assert len(engine.ports) == _engine.START_ATTEMPTS


def test_wanted_port_is_used_or_refused():
    """A port that is asked for is used if it is free; if not, the error names it and nothing is started."""
    with FakeEngine() as first:
        second = FakeEngine(port=first.port)
        with pytest.raises(EngineError, match=f"cannot listen on port {first.port} of 127.0.0.1"):
            second.start()
        assert second.ports == []
        port = first.port
    with FakeEngine(port=port) as third:
        assert third.port == port


def test_port_is_let_go_where_it_cannot_be_held(monkeypatch):
    """Elsewhere than on Linux nobody can listen on a port that is held, so it is only looked for."""
    monkeypatch.setattr(_process.sys, "platform", "darwin")
    with _process.reserved_port(None) as port, socket.create_server(("127.0.0.1", port)) as server:
        assert server.getsockname() == ("127.0.0.1", port)


def test_answer_of_somebody_else_is_not_taken_for_ours():
    """An engine that has ended is not ready, even if its port answers."""
    with FakeEngine() as other:
        engine = FakeEngine("raise SystemExit(4)")
        engine.call = lambda *_: (engine._process.wait(), other.call("ListTables", {}))
        with pytest.raises(EngineError, match="ended with status 4"):
            engine.start()


def test_wait_ends_with_the_engine():
    """`wait` raises when the engine ends by itself, and returns when it is stopped."""
    with FakeEngine() as engine:
        os.killpg(engine._process._supervisor.pid, 9)
        with pytest.raises(EngineError, match="ended with status"):
            engine.wait()
    with FakeEngine() as engine:
        waiting = threading.Thread(target=engine.wait)
        waiting.start()
        engine.stop()
        waiting.join()


def test_dropped_engine_is_stopped():
    """An engine that nobody holds ends, without a warning."""
    engine = FakeEngine().start()
    pid = engine._process._supervisor.pid
    reference = weakref.ref(engine)
    del engine
    gc.collect()
    assert reference() is None
    assert ended(pid)


async def test_cancelled_start_leaves_no_engine():
    """A task that is cancelled while its engine starts stops it before it ends."""
    engine = FakeEngine()
    commanded = anyio.Event()
    original = engine._command

    def command(port: int) -> EngineCommand:
        anyio.from_thread.run_sync(commanded.set)
        return original(port)

    async def enter() -> None:
        async with engine:
            await anyio.sleep_forever()

    engine._command = command
    task = asyncio.create_task(enter())
    await commanded.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert repr(engine) == "<FakeEngine stopped>"


def test_stubborn_engine_is_killed(monkeypatch):
    """An engine whose supervisor does not end in time is killed with it."""
    monkeypatch.setattr(_process, "STOP_TIMEOUT", 0.0)
    engine = FakeEngine(f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SERVER}").start()
    pid = engine._process._supervisor.pid
    engine.stop()
    assert ended(pid)


@pytest.mark.parametrize("signal_name", ["SIGKILL", "SIGTERM"])
def test_engine_ends_with_its_killed_parent(signal_name):
    """Whatever ends the process that started it, the engine ends too, and its folder is removed."""
    program = textwrap.dedent("""
        import os, pathlib, signal, sys
        sys.path.insert(0, sys.argv[1])
        import test_engine
        engine = test_engine.FakeEngine().start()
        supervisor = engine._process._supervisor
        pid = supervisor.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        print(pid, *children, supervisor.args[5], sep="\\n", flush=True)
        os.kill(os.getpid(), getattr(signal, sys.argv[2]))
    """)
    command = [sys.executable, "-c", program, os.path.dirname(__file__), signal_name]  # noqa: PTH120 - for sys.path
    printed = subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()
    *pids, folder = printed
    assert len(pids) == 2
    assert all(ended(int(pid)) for pid in pids)
    assert not os.path.exists(folder)  # noqa: PTH110 - a string
