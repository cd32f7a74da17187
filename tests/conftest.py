"""What every test gets: one event loop, no AWS settings of this machine, and no way out of loopback."""

import importlib.util
import ipaddress
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

pytest_plugins = ["mizzle_async.testing.plugin"]

OFFLINE = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def _is_loopback(host: object) -> bool:
    if isinstance(host, bytes | bytearray):
        host = bytes(host).decode()
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse_the_network(event: str, arguments: tuple[object, ...]) -> None:
    """Raise where a test would look up or contact another machine."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if not _is_loopback(host):
        raise PermissionError(f"a test tried to reach {host!r}: tests contact loopback only")


sys.addaudithook(_refuse_the_network)

# Whoever runs the tests in the background, or without a terminal, may have them ignore Ctrl-C and hang-ups, and the
# processes that they start would inherit that. What is handled here is at its default there.
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run asynchronous tests and fixtures on asyncio, all in one loop; with ``MIZZLE_TEST_LOOP=uvloop`` on uvloop."""
    return "asyncio", {"use_uvloop": os.environ.get("MIZZLE_TEST_LOOP") == "uvloop"}


@pytest.fixture(scope="session", autouse=True)
def _no_aws_settings() -> Iterator[None]:
    """Hide the machine's own AWS settings, so that a test sees only those that it makes."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in OFFLINE.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    """Take back a test's settings of loggers: tests run in any order, and a page of the guide sets levels."""
    loggers = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    before = [(logger, logger.level, logger.propagate, logger.disabled, [*logger.handlers]) for logger in loggers]
    yield
    for logger, level, propagate, disabled, handlers in before:
        if logger.level != level:
            logger.setLevel(level)  # which forgets what loggers below have remembered of it
        logger.propagate, logger.disabled = propagate, disabled
        logger.handlers[:] = handlers


def _helper(name: str) -> ModuleType:
    """Import a module of this folder, which is no package."""
    if name not in sys.modules:
        specification = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert specification is not None
        assert specification.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def memory_engine() -> ModuleType:
    """The engine in memory, and its network."""
    return _helper("memory_engine")
