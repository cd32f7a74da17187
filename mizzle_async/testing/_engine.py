"""The life of an engine: a free port, a start, a ready check, an end.

This module knows just enough of DynamoDB's protocol for one unsigned request. It uses nothing of this package's client,
because the engines test that client.
"""

import http.client
import json
import logging
import os
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Any, ClassVar, NamedTuple, Self

import anyio.to_thread
from anyio import CancelScope

from mizzle_async.testing._errors import EngineError
from mizzle_async.testing._process import LOOPBACK, EngineProcess, reserved_port

START_ATTEMPTS = 3
READY_INTERVAL = 0.05
CALL_TIMEOUT = 10.0

REGION_NAME = "us-east-1"

log = logging.getLogger("mizzle_async.testing")

TAKEN_PORT = ("address already in use", "is already in use", "failed to bind")


class EngineCredentials(NamedTuple):
    """Static credentials that an engine accepts. They are no secret: an engine checks none."""

    access_key_id: str = "mizzle"
    secret_access_key: str = "mizzle"  # noqa: S105 - for loopback engines, which accept any
    session_token: str | None = None


class EngineCommand(NamedTuple):
    """How to run an engine: the command and its settings, as environment variables."""

    arguments: list[str]
    settings: Mapping[str, str]


class Engine(ABC):
    """A DynamoDB engine on loopback, in a process of its own, with everything in memory.

    It is a synchronous and an asynchronous context manager, and has `start()` and `stop()`. After a stop it can be
    started again, and is then empty.

    Args:
        port: The port on 127.0.0.1. None takes a free one.
        ready_timeout: Seconds until it must answer its first request, downloads not included.
    """

    name: ClassVar[str]
    """The name that `start_engine` and the `mizzle-async local` command know it by."""

    region_name: ClassVar[str] = REGION_NAME
    credentials: ClassVar[EngineCredentials] = EngineCredentials()

    def __init__(self, *, port: int | None = None, ready_timeout: float = 60.0) -> None:
        self._wanted_port = port
        self._ready_timeout = ready_timeout
        self._port: int | None = None
        self._process: EngineProcess | None = None
        self._end: weakref.finalize[..., Any] | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        state = f"at {self.endpoint_url}" if self._port is not None else "stopped"
        return f"<{type(self).__name__} {state}>"

    @property
    @abstractmethod
    def version(self) -> str:
        """The pinned version of the engine."""

    @abstractmethod
    def _command(self, port: int) -> EngineCommand:
        """Download the engine unless it is in the cache, and return the command that runs it."""

    @property
    def port(self) -> int:
        """The port that it listens on.

        Raises:
            EngineError: If it is not running.
        """
        if self._port is None:
            raise self._not_running()
        return self._port

    @property
    def endpoint_url(self) -> str:
        """The URL to give to a client as its endpoint.

        Raises:
            EngineError: If it is not running.
        """
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that make any AWS SDK talk to this engine."""
        return {
            "AWS_ENDPOINT_URL_DYNAMODB": self.endpoint_url,
            "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": self.endpoint_url,
            "AWS_REGION": self.region_name,
            "AWS_DEFAULT_REGION": self.region_name,
            "AWS_ACCESS_KEY_ID": self.credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.credentials.secret_access_key,
        }

    def install(self) -> None:
        """Install the engine in the cache, unless it is there, so that later starts need no network.

        Raises:
            EngineError: It cannot be installed.

        Cost:
            As the first start on a machine (see the class).
        """
        self._installed_command(0)

    def start(self) -> Self:
        """Start it and wait until it answers.

        Returns:
            Itself.

        Raises:
            EngineError: If it runs already, cannot be installed, ends at once or does not answer in time. Also on a
                system that is not POSIX.

        Cost:
            The first start on a machine downloads the engine (see the class). Later ones take seconds.
        """
        with self._lock:
            if self._process is not None:
                raise EngineError(f"{self!r} is running already")
            if not hasattr(os, "killpg"):
                raise EngineError(
                    f"{self.name} needs a POSIX system to start and stop its processes:"
                    " run it in WSL or in a container, and give the client its address as endpoint_url"
                )
            attempts = START_ATTEMPTS if self._wanted_port is None else 1
            while True:
                attempts -= 1
                try:
                    self._start_once()
                except _TakenPortError as error:
                    if attempts == 0:
                        raise EngineError(str(error)) from error
                else:
                    return self

    def stop(self) -> None:
        """Stop it and wait until it has ended. Stopping twice is harmless."""
        with self._lock:
            self._port = self._process = None
            if self._end is not None:
                self._end()  # runs once: called here, by the garbage collector or at the interpreter's exit

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request to the engine without a client: for fixtures, and to check the effects of a client.

        Args:
            operation: The DynamoDB operation, such as `ListTables`.
            request: The request's JSON.

        Returns:
            The answer's JSON.

        Raises:
            EngineError: If the engine answers with an error. Its answer is in the text.
        """
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=CALL_TIMEOUT)
        try:
            connection.request("POST", "/", json.dumps(request), self._headers(operation))
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise EngineError(f"{self.name} answered {answer.status} to {operation}: {body.decode(errors='replace')}")
        content: dict[str, Any] = json.loads(body)
        return content

    def delete_tables(self, *, prefix: str = "") -> None:
        """Delete every table, so that the next test finds the engine empty.

        Args:
            prefix: Delete only the tables whose names begin with it.
        """
        names: list[str] = []
        request: dict[str, Any] = {}
        while True:
            answer = self.call("ListTables", request)
            names += answer["TableNames"]
            last = answer.get("LastEvaluatedTableName")
            if last is None:
                break
            request = {"ExclusiveStartTableName": last}
        for name in names:
            if name.startswith(prefix):
                self.call("DeleteTable", {"TableName": name})

    def wait(self) -> None:
        """Wait until it ends: by `stop()` in another thread, or by itself.

        Raises:
            EngineError: If it ended by itself. Its output is in the text.
        """
        process = self._process
        if process is None:
            raise self._not_running()
        status = process.wait()
        if self._process is process:
            raise self._failure(process, f"ended with status {status}")

    def __enter__(self) -> Self:
        return self if self._process is not None else self.start()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        try:
            return await anyio.to_thread.run_sync(self.__enter__)
        except BaseException:
            # The caller may have been cancelled while the thread goes on. stop() waits for it, then ends the engine.
            await self.__aexit__(None, None, None)
            raise

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.stop)

    def _installed_command(self, port: int) -> EngineCommand:
        try:
            return self._command(port)
        except EngineError as error:
            raise EngineError(
                f"{error}\nWithout a network, install the engine ahead: `mizzle-async local --install --engine"
                f" {self.name}`, with MIZZLE_ASYNC_CACHE naming the folder that is kept"
            ) from error

    def _start_once(self) -> None:
        try:
            with reserved_port(self._wanted_port) as port:
                log.info("starting %s %s", self.name, self.version)
                command = self._installed_command(port)
                self._process = EngineProcess(command.arguments, settings=command.settings)
                self._end = weakref.finalize(self, self._process.stop)
                self._port = port
                self._wait_until_ready(self._process)
        except BaseException:
            self._port = self._process = None
            if self._end is not None:
                self._end()
            raise

    def _wait_until_ready(self, process: EngineProcess) -> None:
        deadline = time.monotonic() + self._ready_timeout
        while True:
            problem: Exception | None = None
            try:
                self.call("ListTables", {})
            except (OSError, http.client.HTTPException, EngineError) as error:
                problem = error
            # Checked after the answer: if our process has ended, another program gave the answer.
            if process.exit_status is not None:
                raise self._failure(process, f"ended with status {process.exit_status} before it answered")
            if problem is None:
                return
            if time.monotonic() > deadline:
                raise self._failure(process, f"did not answer within {self._ready_timeout:g} seconds ({problem})")
            time.sleep(READY_INTERVAL)

    def _not_running(self) -> EngineError:
        return EngineError(f"{self.name} is not running: start() it, or enter it as a context manager")

    def _failure(self, process: EngineProcess, message: str) -> EngineError:
        output = process.output()
        taken = any(sign in output.lower() for sign in TAKEN_PORT)
        kind = _TakenPortError if taken else EngineError
        return kind(f"{self.name} {self.version} {message}. It printed:\n{output or '(nothing)'}")

    def _headers(self, operation: str) -> dict[str, str]:
        # The engines check no signature, but DynamoDB Local wants to see one.
        scope = f"{self.credentials.access_key_id}/20250101/{self.region_name}/dynamodb/aws4_request"
        return {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        }


class _TakenPortError(EngineError):
    """Another program took the port first: try another port."""
