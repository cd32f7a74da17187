import logging
import signal

import pytest
from click.testing import CliRunner

from mizzle_async.cli import local as module
from mizzle_async.testing.engines import EngineError


class FakeEngine:
    """An engine that runs until the interrupt key, or ends by itself."""

    name = "embedded"
    version = "1.0"
    endpoint_url = "http://127.0.0.1:4711"
    environment = {"AWS_ENDPOINT_URL_DYNAMODB": endpoint_url}  # noqa: RUF012 - nobody changes it

    def __init__(self, end: BaseException) -> None:
        self.end = end
        self.stopped = False

    def wait(self) -> None:
        raise self.end

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped = True


@pytest.fixture
def run(monkeypatch):
    """Run `mizzle-async local` over a fake engine; returns click's result, the engine and what it was asked for."""

    def invoke(*arguments: str, end: BaseException):
        engine = FakeEngine(end)
        asked = {}
        before = signal.getsignal(signal.SIGTERM)
        monkeypatch.setattr(module, "start_engine", lambda name, port: asked.update(name=name, port=port) or engine)
        try:
            return CliRunner().invoke(module.local, arguments), engine, asked
        finally:
            signal.signal(signal.SIGTERM, before)

    return invoke


def test_engine_runs_until_interrupted(run):
    """What a shell needs is on standard output, the rest is not, and the engine is stopped at the end."""
    result, engine, asked = run(end=KeyboardInterrupt())
    assert result.exit_code == 0
    assert result.stdout == "export AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:4711\n"
    assert result.stderr == "embedded 1.0 listens at http://127.0.0.1:4711; Ctrl-C ends it\nstopped\n"
    assert asked == {"name": "embedded", "port": None}
    assert engine.stopped


def test_install_puts_the_engine_into_the_cache(monkeypatch, tmp_path):
    """`--install` names engine, version and folder, and runs nothing; an engine that cannot be had is an error."""
    monkeypatch.setenv("MIZZLE_ASYNC_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "start_engine", None)
    monkeypatch.setattr(module, "install_engine", lambda _name: FakeEngine(KeyboardInterrupt()))
    result = CliRunner().invoke(module.local, ["--install"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"embedded 1.0 is installed in {tmp_path}\n"

    def fail(name):
        raise EngineError(f"could not install {name}")

    monkeypatch.setattr(module, "install_engine", fail)
    result = CliRunner().invoke(module.local, ["--install", "--engine=dynamodb-local"])
    assert (result.exit_code, result.stderr) == (1, "Error: could not install dynamodb-local\n")


def test_start_shows_its_steps(monkeypatch):
    """Each step of the start is a line of standard error while it lasts; afterwards the log is as it was."""
    log = logging.getLogger("mizzle_async.testing")
    before = (log.level, list(log.handlers))

    def start(_name, port):
        log.info("installing %s", f"an engine for port {port}")
        raise EngineError("no network")

    monkeypatch.setattr(module, "start_engine", start)
    result = CliRunner().invoke(module.local, ["--port", "8000"])
    assert result.stderr == "installing an engine for port 8000 …\nError: no network\n"
    assert (log.level, list(log.handlers)) == before


def test_engine_and_port_can_be_chosen(run):
    """The options reach the engine."""
    _, _, asked = run("--engine", "dynamodb-local", "--port", "8000", end=KeyboardInterrupt())
    assert asked == {"name": "dynamodb-local", "port": 8000}


def test_engine_that_fails_is_an_error(run):
    """An engine that ends by itself fails the command, with its words."""
    result, engine, _ = run(end=EngineError("ended with status 3"))
    assert result.exit_code == 1
    assert "Error: ended with status 3" in result.stderr
    assert engine.stopped
