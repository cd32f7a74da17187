"""Connections that fall silent, services that restart, and clients that are opened again."""

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ClientStateError,
    MizzleError,
    OutcomeUnknownError,
    PartitionKey,
    PoolConfig,
    RetryPolicy,
    attribute,
    entity,
)
from mizzle_async.testing import Reply, Request, ScriptedServer, StubCaller, run_virtual


@entity("notes")
class Note:
    key: PartitionKey[str]
    n: Attribute[int] = attribute(default=0)


SETTINGS: dict[str, Any] = {"region_name": "eu-west-1", "credentials": ("AKID", "secret")}


def item_of(request: Request) -> Reply:
    """Answer with the item of the key that was asked for."""
    if request.operation == "PutItem":
        return Reply({})
    item = {**request.payload["Key"], "n": {"N": "1"}}
    return Reply({"Attributes": item} if request.operation == "UpdateItem" else {"Item": item})


class Forgetful:
    """A network that forgets connections: what is sent on them is never answered."""

    def __init__(self) -> None:
        self.silent: set[int] = set()

    def __call__(self, request: Request) -> Reply:
        """Answer, unless the connection was forgotten."""
        return Reply.hang() if request.connection in self.silent else item_of(request)


async def warmed(server: ScriptedServer, count: int, **options: Any) -> Client:
    """Return an open client with so many connections."""
    client = Client(endpoint_url=server.url, **SETTINGS, **{"timeout": 10.0, **options})
    await client.open()
    await asyncio.gather(*(client.table(Note).get(f"warm {number}").send() for number in range(count)))
    return client


async def outcomes_of(calls: list[Any]) -> list[Any]:
    """Send calls at once and return results and errors."""
    return await asyncio.gather(*(call.send() for call in calls), return_exceptions=True)


@pytest.mark.parametrize("verb", ["get", "put"])
def test_calls_succeed_where_half_of_the_connections_are_silent(verb: str) -> None:
    """What may be repeated is repeated on a fresh connection, within the same deadline."""

    async def main() -> list[Any]:
        network = Forgetful()
        async with ScriptedServer(network) as server:
            client = await warmed(server, 20, pool=PoolConfig(max_connections=20))
            network.silent.update(range(1, 21, 2))
            table = client.table(Note)
            calls = [table.get(f"k{n}") if verb == "get" else table.put(Note(key=f"k{n}")) for n in range(200)]
            outcomes = await outcomes_of(calls)
            await client.aclose()
            return outcomes

    outcomes = run_virtual(main())
    assert [outcome for outcome in outcomes if isinstance(outcome, BaseException)] == []
    assert [outcome.key for outcome in outcomes] == [f"k{number}" for number in range(200)]


def test_a_write_that_must_not_be_repeated_ends_in_doubt_at_once() -> None:
    """An increment on a silent connection is not sent again, and does not wait for the whole deadline."""

    async def main() -> tuple[Any, float]:
        network = Forgetful()
        async with ScriptedServer(network) as server:
            client = await warmed(server, 1, timeout=60.0)
            network.silent.add(1)
            began = asyncio.get_running_loop().time()
            (outcome,) = await outcomes_of([client.table(Note).update("a").add(Note.n, 1)])
            seconds = asyncio.get_running_loop().time() - began
            await client.aclose()
            return outcome, seconds

    outcome, seconds = run_virtual(main())
    assert type(outcome) is OutcomeUnknownError
    assert seconds < 10


def test_silent_connections_give_their_places_back() -> None:
    """With every place of the pool silent, new connections are opened, and every read succeeds."""

    async def main() -> tuple[list[Any], int]:
        network = Forgetful()
        async with ScriptedServer(network) as server:
            client = await warmed(server, 4, pool=PoolConfig(max_connections=4))
            network.silent.update(range(1, 5))
            outcomes = await outcomes_of([client.table(Note).get(f"k{number}") for number in range(40)])
            await client.aclose()
            return outcomes, server.opened

    outcomes, opened = run_virtual(main())
    assert [type(outcome).__name__ for outcome in outcomes if isinstance(outcome, BaseException)] == []
    assert opened > 4


def test_requests_that_were_not_sent_are_not_counted_as_attempts() -> None:
    """A call that never got a connection says that nothing was sent."""

    async def main() -> list[Any]:
        network = Forgetful()
        async with ScriptedServer(network) as server:
            retry = RetryPolicy.no_backoff(attempts=1)
            client = await warmed(server, 1, pool=PoolConfig(max_connections=1), timeout=1.0, retry=retry)
            network.silent.update(range(1, 100))
            outcomes = await outcomes_of([client.table(Note).get(f"k{number}") for number in range(3)])
            await client.aclose()
            return [*outcomes, len(server.requests) - 1]

    *outcomes, sent = run_virtual(main())
    assert sum(getattr(outcome, "attempts", 0) for outcome in outcomes) == sent


def test_idle_siblings_of_a_silent_connection_are_not_trusted() -> None:
    """One silent connection is evidence about those that were idle as long: calls after it wait for none of them."""

    async def main() -> tuple[list[Any], float]:
        network = Forgetful()
        async with ScriptedServer(network) as server:
            client = await warmed(server, 8, timeout=10.0)
            network.silent.update(range(1, 9))
            await outcomes_of([client.table(Note).get("victim")])
            began = asyncio.get_running_loop().time()
            outcomes = [(await outcomes_of([client.table(Note).get(f"k{number}")]))[0] for number in range(5)]
            seconds = asyncio.get_running_loop().time() - began
            await client.aclose()
            return outcomes, seconds

    outcomes, seconds = run_virtual(main())
    assert [outcome for outcome in outcomes if isinstance(outcome, BaseException)] == []
    assert seconds < 1


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no TCP_USER_TIMEOUT")
async def test_the_kernel_gives_up_a_connection_that_is_not_acknowledged() -> None:
    """Sockets of a client have a `TCP_USER_TIMEOUT`."""
    async with ScriptedServer(item_of) as server:
        client = await warmed(server, 1)
        port = int(server.url.rpartition(":")[2])
        values = []
        for one in gc.get_objects():
            if isinstance(one, socket.socket) and one.fileno() >= 0 and one.family == socket.AF_INET:
                try:
                    if one.getpeername()[1] == port:
                        values.append(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
                except OSError:
                    continue
        await client.aclose()
    assert values
    assert min(values) > 0


@pytest.mark.parametrize("down", [0.3, 3.0])
def test_a_restart_of_the_service_does_not_surface(down: float) -> None:
    """Refused connections, on which nothing was sent, are tried again until the deadline."""

    async def main() -> list[Any]:
        async with ScriptedServer(item_of) as server:
            client = await warmed(server, 4)
            await server.stop()
            table = client.table(Note)
            calls = [
                *(table.get(f"k{n}") for n in range(50)),
                *(table.update(f"k{n}").add(Note.n, 1) for n in range(50)),
            ]
            waiting = asyncio.ensure_future(outcomes_of(calls))
            await asyncio.sleep(down)
            await server.start()
            outcomes = await waiting
            await client.aclose()
            return outcomes

    outcomes = run_virtual(main())
    assert [str(outcome) for outcome in outcomes if isinstance(outcome, BaseException)] == []


@pytest.mark.parametrize("attempts", [1, 4])
def test_calls_in_flight_when_the_client_is_closed_are_told_so(attempts: int) -> None:
    """Whatever the policy, a read that awaits its answer ends in `ClientStateError`."""

    async def main() -> list[Any]:
        async with ScriptedServer(lambda _: Reply.hang()) as server:
            client = Client(endpoint_url=server.url, **SETTINGS, retry=RetryPolicy.no_backoff(attempts=attempts))
            await client.open()
            calls = asyncio.ensure_future(outcomes_of([client.table(Note).get(f"k{n}") for n in range(200)]))
            await server.until(lambda: len(server.requests) > 100)
            await client.aclose()
            return await calls

    assert {type(outcome) for outcome in run_virtual(main())} == {ClientStateError}


ANSWER = {"GetItem": {"Item": {"key": {"S": "a"}, "n": {"N": "1"}}}}


def run_each(*mains: Callable[[], Awaitable[Any]]) -> list[Any]:
    """Run functions on an event loop each."""
    results = []
    for main in mains:
        with asyncio.Runner() as runner:
            results.append(runner.run(main()))
    return results


def test_a_client_of_a_module_is_opened_by_every_run() -> None:
    """A handle that was made before the first opening stays good."""
    client = Client(caller=StubCaller(ANSWER))
    table = client.table(Note)

    async def handler() -> Any:
        async with client:
            return await table.get("a")

    assert run_each(handler, handler, handler) == [Note(key="a", n=1)] * 3


def test_a_client_that_was_left_open_on_a_loop_that_ended_is_opened_again() -> None:
    """Where its loop is closed, `open` on a new one works, and `aclose` does too."""
    client = Client(caller=StubCaller(ANSWER))
    table = client.table(Note)

    async def left_open() -> Any:
        await client.open()
        return await table.get("a")

    async def closed() -> Any:
        await client.open()
        found = await table.get("a")
        await client.aclose()
        return found

    assert run_each(left_open, closed) == [Note(key="a", n=1)] * 2


def test_a_client_is_closed_on_another_loop_than_the_one_that_ended() -> None:
    """A client whose loop has ended lets its connections go, and can be opened again."""

    async def opened() -> None:
        await client.open()

    async def closed() -> None:
        await client.aclose()

    client = Client(endpoint_url="http://127.0.0.1:9", **SETTINGS)
    run_each(opened, closed, opened, closed)


async def test_throttled_work_of_a_reopened_client_keeps_its_rate() -> None:
    """Limiters are made anew at each opening: handles and bulk work of the second opening work as in the first."""
    caller = StubCaller({"BatchWriteItem": {"UnprocessedItems": {}}})
    client = Client(caller=caller)
    for _ in range(2):
        async with client:
            report = await client.table(Note).put_many([Note(key="a"), Note(key="b")])
            assert report.written == 2


def test_a_closed_client_still_refuses() -> None:
    """Reopening is asked for: a call on a closed client is an error as before."""

    async def main() -> None:
        client = Client(caller=StubCaller(ANSWER))
        async with client:
            pass
        with pytest.raises(MizzleError):
            await client.table(Note).get("a")

    run_virtual(main())
