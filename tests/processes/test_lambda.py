"""A Lambda function in a process of its own: frozen, thawed, restored from a snapshot, and at its end."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import pytest

from mizzle_async import Attribute, Client, ClientStateError, PartitionKey, attribute, entity
from mizzle_async.integrations import aws_lambda
from mizzle_async.integrations.aws_lambda import lambda_handler
from mizzle_async.testing import EmbeddedEngine, Fault, FaultProxy, Request, StubCaller

FOLDER = Path(__file__).parent / "lambda_function"


@entity("pages")
class Page:
    name: PartitionKey[str]
    views: Attribute[int] = attribute(default=0)


class Environment:
    """An execution environment: Lambda's runtime with the function, behind a network that may forget connections."""

    def __init__(self, engine: EmbeddedEngine, prefix: str) -> None:
        self._settings = engine.environment | {"TABLE_PREFIX": prefix, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._forgotten: set[int] = set()
        self.proxy = FaultProxy(engine.endpoint_url, self._fault)

    async def __aenter__(self) -> Self:
        await self.proxy.start()
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-X",
            "dev",
            str(FOLDER / "runtime.py"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._settings | {"AWS_ENDPOINT_URL_DYNAMODB": self.proxy.url},
        )
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.process.kill()
        assert self.process.stdin is not None
        self.process.stdin.close()  # which is the runtime's end
        _, errors = await self.process.communicate()
        await self.proxy.stop()
        if kind is None:
            assert (self.process.returncode, errors.decode()) == (0, "")
        else:
            sys.stderr.write(errors.decode())

    async def send(self, **message: Any) -> Any:
        """Send a message to the runtime, and return its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{json.dumps(message)}\n".encode())
        return json.loads(await self.process.stdout.readline() or '"the runtime has ended"')

    async def invoke(self) -> dict[str, Any]:
        """Invoke the function once."""
        answer: dict[str, Any] = await self.send(event={"page": "home"})
        return answer

    def freeze(self) -> None:
        """Stop the process between two invocations, as Lambda does."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def key_ids(self) -> list[str]:
        """Return the access keys that signed the requests so far."""
        return [
            request.headers["authorization"].partition("Credential=")[2].partition("/")[0]
            for request in self.proxy.requests
        ]

    def forget(self) -> None:
        """Lose every request on a connection from before without a word, as routers and load balancers do."""
        self._forgotten = {request.connection for request in self.proxy.requests}

    def _fault(self, request: Request) -> Fault | None:
        return Fault.hang_before() if request.connection in self._forgotten else None


@pytest.fixture
async def environment(embedded_engine: EmbeddedEngine) -> AsyncIterator[Environment]:
    """An environment, and the table of its function."""
    prefix = f"{uuid4().hex}-"
    async with Client(
        endpoint_url=embedded_engine.endpoint_url,
        region_name=embedded_engine.region_name,
        credentials=embedded_engine.credentials,
        table_prefix=prefix,
    ) as client:
        await client.ensure_tables(Page)
        async with Environment(embedded_engine, prefix) as running:
            yield running
        await client.delete_table(Page)


async def test_invocations_share_a_loop_and_a_connection(environment: Environment) -> None:
    """The client is opened once, its connection serves every invocation, and no context variable is left over."""
    answers = [await environment.invoke() for _ in range(5)]
    assert [answer["views"] for answer in answers] == [1, 2, 3, 4, 5]
    assert {(answer["opened"], answer["loops"], answer["visitor"]) for answer in answers} == {(1, 1, "new")}
    assert len({answer["request"] for answer in answers}) == 5


async def test_a_short_freeze_keeps_the_connection(environment: Environment) -> None:
    """A process that was stopped for a moment goes on with the connection that it has."""
    assert (await environment.invoke())["opened"] == 1
    environment.freeze()
    environment.thaw()
    assert await environment.invoke() | {"request": ""} == {
        "views": 2,
        "opened": 1,
        "loops": 1,
        "visitor": "new",
        "request": "",
    }


async def test_connections_from_before_a_freeze_are_not_trusted(environment: Environment) -> None:
    """After a freeze in which the steady clock stood still, a write goes out on a new connection, and is counted once.

    The old connection is still open for the process, and whatever is sent on it is lost.
    """
    assert [(await environment.invoke())["views"] for _ in range(2)] == [1, 2]
    environment.freeze()
    environment.forget()
    environment.thaw()
    assert await environment.send(jump=60) is None
    started = time.monotonic()
    assert (await environment.invoke())["views"] == 3
    assert time.monotonic() - started < 3  # not the silence after which a connection is given up
    assert environment.proxy.faulted == {}
    assert (await environment.invoke())["views"] == 4


async def test_a_restored_process_has_other_connections_and_credentials(environment: Environment) -> None:
    """After SnapStart's restore nothing of the snapshot's connections and credentials is used."""
    await environment.send(open=True)
    assert (await environment.invoke())["views"] == 1
    environment.forget()
    assert await environment.send(restore={"AWS_ACCESS_KEY_ID": "other"}) is None
    assert (await environment.invoke())["views"] == 2
    assert environment.key_ids()[-1] == "other"
    assert environment.key_ids()[0] != "other"
    assert environment.proxy.faulted == {}


async def test_a_wall_clock_that_goes_back_is_a_freeze_of_unknown_length(environment: Environment) -> None:
    """Where the clock was set back, connections from before are not used either."""
    await environment.invoke()
    environment.forget()
    await environment.send(jump=-3600)
    assert (await environment.invoke())["views"] == 2
    assert environment.proxy.faulted == {}


# ── in this process ──


def test_a_handler_is_the_function_that_it_wraps() -> None:
    """Name and documentation are the function's, which tests can await."""

    @lambda_handler()
    async def answer(event: int, context: None) -> int:
        """Answer."""
        return event + 1

    assert (answer.__name__, answer.__doc__) == ("answer", "Answer.")
    assert answer(1, None) == 2
    assert asyncio.run(answer.function(2, None)) == 3
    assert "answer, 0 open>" in repr(answer)
    answer.close()
    answer.close()


async def test_a_handler_in_a_loop_says_what_to_await() -> None:
    """Inside a running loop the handler cannot run one of its own, and names the function."""

    @lambda_handler()
    async def answer(event: int, context: None) -> int:
        return event

    with pytest.raises(ClientStateError, match=r"in a loop, `await .*answer\.function\(…\)`$"):
        answer(1, None)


def test_an_error_of_the_function_leaves_the_handler_good() -> None:
    """An invocation that raises is that invocation's failure; the client stays open, and `close` may be undone."""
    stub = StubCaller({"GetItem": {}})
    client = Client(caller=stub)

    @lambda_handler(client)
    async def answer(event: str, context: None) -> str:
        if event == "fail":
            raise KeyError(event)
        return str(await client.table(Page).get(event))

    with pytest.raises(KeyError):
        answer("fail", None)
    assert answer("a", None) == "None"
    assert "1 open" in repr(answer)
    answer.close()
    assert answer("b", None) == "None"
    answer.close()
    assert stub.operations == ["GetItem", "GetItem"]


def test_a_client_that_cannot_open_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An invocation that cannot open the client fails, and the next one opens it."""
    client = Client(credentials=("a", "b"))

    @lambda_handler(client)
    async def answer(event: int, context: None) -> str:
        return repr(client)

    with pytest.raises(ClientStateError, match="region"):
        answer(1, None)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert "eu-west-1" in answer(1, None)
    answer.close()


@pytest.mark.parametrize(
    ("steady", "wall", "frozen"), [(1, 1, False), (16, 16, True), (1, 16, True), (16, 1, True), (1, -2, True)]
)
def test_a_freeze_is_seen_by_either_clock(
    monkeypatch: pytest.MonkeyPatch, *, steady: float, wall: float, frozen: bool
) -> None:
    """Connections are dropped where one of the clocks says that they were idle for too long, or one has gone back."""
    dropped: list[bool] = []
    client = Client(caller=StubCaller({}))

    async def drop() -> None:
        dropped.append(True)

    monkeypatch.setattr(client, "drop_idle_connections", drop)

    @lambda_handler(client)
    async def answer(event: int, context: None) -> int:
        return event

    answer(1, None)
    now, today = time.monotonic(), time.time()
    monkeypatch.setattr(aws_lambda.time, "monotonic", lambda: now + steady)
    monkeypatch.setattr(aws_lambda.time, "time", lambda: today + wall)
    answer(2, None)
    monkeypatch.undo()
    answer.close()
    assert bool(dropped) is frozen


async def test_a_handler_belongs_to_one_thread() -> None:
    """A second thread is refused, and may take over when the first one has closed the handler."""
    client = Client(caller=StubCaller({"GetItem": {}}))

    @lambda_handler(client)
    async def answer(event: str, context: None) -> str:
        return str(await client.table(Page).get(event))

    def first() -> str:
        return answer("a", None)

    def both() -> list[str]:
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
            answers = [one.submit(first).result()]
            for refused in (lambda: answer("b", None), answer.close, answer.open):
                with pytest.raises(ClientStateError, match=r"in another thread before.*answer\.close\(\)`"):
                    other.submit(refused).result()
            one.submit(answer.close).result()
            answers.append(other.submit(first).result())
            other.submit(answer.close).result()
        return answers

    assert await asyncio.to_thread(both) == ["None", "None"]
