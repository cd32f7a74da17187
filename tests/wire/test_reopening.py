"""One client of a module: opened again and again, on new event loops, as Lambda functions, tests and notebooks do."""

import asyncio
import contextlib
import gc
import threading

import pytest
import uvloop

from mizzle_async import Client, errors
from mizzle_async.flow.pace import Throughput
from mizzle_async.handles import runtime
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.testing.tls import LocalAuthority
from mizzle_async.wire import pipeline

ITEM = Reply({"Item": {"pk": {"S": "a"}, "n": {"N": "1"}}})


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    """Hide the machine's own proxies and bundles."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


class Beside:
    """A scripted server on an event loop of its own, in a thread: it outlives the loops of its clients."""

    def __init__(self, *script, **options):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.server = ScriptedServer(*script, **options)

    def run(self, coroutine):
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def __enter__(self):
        self._thread.start()
        self.run(self.server.__aenter__())
        return self

    def __exit__(self, *_):
        self.run(self.server.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def all_closed(self):
        """Wait until no connection is open; return how many there were."""
        self.run(self.server.until(lambda: self.server.open == 0))
        return self.server.opened


@pytest.fixture
def beside():
    """A server that answers every request with an item."""
    with Beside(then=ITEM) as it:
        yield it


def client_of(url, **options):
    """Return a client, as a module would hold it."""
    return Client(endpoint_url=url, region_name="eu-west-1", credentials=("AKID", "secret"), **options)


def run_on(factory, main):
    """Run a coroutine on a loop of its own, which is closed then."""
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


LOOPS = pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


@LOOPS
def test_a_client_of_a_module_serves_every_invocation(beside, factory):
    """Opened and closed by each of three invocations, each on a loop of its own, it answers, as does its table."""
    client = client_of(beside.server.url)
    table = client.table("orders", partition_key="pk")

    async def handler():
        async with client:
            return await table.get("a")

    assert [run_on(factory, handler()) for _ in range(3)] == [{"pk": "a", "n": 1}] * 3
    assert beside.all_closed() == 3
    assert repr(client) == "<Client closed>"


@LOOPS
@pytest.mark.filterwarnings("ignore:unclosed resource <TCPTransport:ResourceWarning")  # uvloop's own, as its loop ends
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_client_that_was_left_open_is_opened_again(monkeypatch, factory, scheme):
    """Where the old loop is closed, opening discards its sockets at once, without a warning, and all handles work."""
    with contextlib.ExitStack() as stack:
        authority = stack.enter_context(LocalAuthority())
        monkeypatch.setenv("AWS_CA_BUNDLE", authority.ca_bundle)
        tls = authority.server_context() if scheme == "https" else None
        beside = stack.enter_context(Beside(then=ITEM, tls=tls))
        client = client_of(beside.server.url)
        table = client.table("orders", partition_key="pk")

        async def use():
            await client.open()
            await asyncio.gather(*(table.get("a") for _ in range(3)))
            return client.statistics()

        for _ in range(3):
            statistics = run_on(factory, use())
            assert (statistics.calls, statistics.pool.open) == (3, 3)
        asyncio.run(client.aclose())
        gc.collect()
        assert beside.all_closed() == 9
        assert repr(client) == "<Client closed>"


def test_a_client_behind_a_proxy_is_opened_again(monkeypatch, beside):
    """The connections of the other transport are discarded as well."""
    monkeypatch.setenv("HTTP_PROXY", beside.server.url)
    client = client_of("http://dynamodb.example", allow_http=True)
    table = client.table("orders", partition_key="pk")

    async def use():
        await client.open()
        return await table.get("a")

    assert [asyncio.run(use()) for _ in range(2)] == [{"pk": "a", "n": 1}] * 2
    asyncio.run(client.aclose())
    gc.collect()
    assert beside.all_closed() == 2


def test_a_client_whose_loop_was_closed_says_what_to_do(beside):
    """Used as it is, it says to open it again; closing it needs its old loop no more."""
    client = client_of(beside.server.url)
    table = client.table("orders", partition_key="pk")

    async def leave():
        await client.open()
        await table.get("a")

    async def use():
        with pytest.raises(errors.ClientStateError, match="another event loop, which has been closed: open it again"):
            await table.get("a")
        await client.aclose()
        with pytest.raises(errors.ClientStateError, match="is closed: `async with client:`"):
            await table.get("a")

    asyncio.run(leave())
    asyncio.run(use())
    assert beside.all_closed() == 1


def test_a_client_of_a_living_loop_is_left_alone(beside):
    """While its loop exists, another loop neither opens nor closes it, and it goes on working."""
    client = client_of(beside.server.url)
    table = client.table("orders", partition_key="pk")

    async def elsewhere():
        with pytest.raises(errors.ClientStateError, match="open already on another event loop: use it, or close it"):
            await client.open()
        with pytest.raises(errors.ClientStateError, match="open already on another event loop: close it there"):
            await client.aclose()
        with pytest.raises(errors.ClientStateError, match="was opened on another event loop: open one on each loop"):
            await client.control("ListTables", {})  # aiobotocore's part of it would wait for the other loop

    async def home():
        async with client:
            with pytest.raises(errors.ClientStateError, match="open already: use it, or close it before"):
                await client.open()
            await asyncio.to_thread(asyncio.run, elsewhere())
            return await table.get("a")

    assert asyncio.run(home()) == {"pk": "a", "n": 1}
    assert beside.all_closed() == 1


def test_a_client_in_use_as_its_loop_ends_is_opened_again():
    """Calls, tasks and a warm-up that were under way are gone with their loop, and the next opening is whole."""
    replies = iter([Reply.hang(), Reply.hang()])
    with Beside(lambda _: next(replies, ITEM)) as beside:
        client = client_of(beside.server.url)
        table = client.table("orders", partition_key="pk")

        async def leave():
            await client.open()
            calls = [asyncio.ensure_future(table.get("a")) for _ in range(2)]
            while len(beside.server.requests) < 2:  # noqa: ASYNC110  (the server is on another loop)
                await asyncio.sleep(0)
            return calls

        async def use():
            async with client:
                return await table.get("a"), len(client._runtime.tasks)

        asyncio.run(leave())
        assert asyncio.run(use()) == ({"pk": "a", "n": 1}, 0)
        gc.collect()
        assert beside.all_closed() == 3


def test_a_stopped_loop_that_was_never_run_to_its_end_is_left_behind():
    """A loop that is closed with tasks pending, as notebooks may, keeps its client no less."""
    with Beside(then=ITEM) as beside:
        client = client_of(beside.server.url)
        table = client.table("orders", partition_key="pk")
        loop = asyncio.new_event_loop()
        loop.run_until_complete(client.open())
        loop.run_until_complete(table.get("a"))
        loop.close()

        async def use():
            async with client:
                return await table.get("a")

        assert asyncio.run(use()) == {"pk": "a", "n": 1}
        gc.collect()
        assert beside.all_closed() == 2


def test_limits_begin_anew_with_each_opening():
    """What an earlier opening consumed holds the next one back no more: its loop had another time."""
    client = client_of("http://127.0.0.1:1", throughput=Throughput(read_units_per_second=10, write_units_per_second=10))

    async def main():
        loop = asyncio.get_running_loop()
        async with client:
            limiters = (client._runtime.read_limiter, client._runtime.write_limiter)
            for limiter in limiters:
                limiter.settle(await limiter.admit(1.0), 1.0, 100_000.0)
            return limiters, loop.time()

    (first, waited), (second, again) = run_virtual(main()), run_virtual(main())
    assert not set(map(id, first)) & set(map(id, second))
    assert (waited, again) == (0.0, 0.0)


def test_a_client_that_is_closed_and_opened_while_it_opens(monkeypatch, beside):
    """The later opening wins; the earlier one is told, and leaves nothing behind."""
    gates = [asyncio.Event(), asyncio.Event()]
    waiting = iter(gates)

    async def open_pipeline(settings):
        gate = next(waiting)
        await gate.wait()
        return await pipeline.open_pipeline(settings)

    monkeypatch.setattr(runtime, "open_pipeline", open_pipeline)
    client = client_of(beside.server.url)
    table = client.table("orders", partition_key="pk")

    async def main():
        first = asyncio.ensure_future(client.open())
        await asyncio.sleep(0)
        await client.aclose()
        second = asyncio.ensure_future(client.open())
        await asyncio.sleep(0)
        gates[1].set()
        await second
        gates[0].set()
        with pytest.raises(errors.ClientStateError, match="closed while it was being opened"):
            await first
        result = await table.get("a")
        await client.aclose()
        return result

    assert asyncio.run(main()) == {"pk": "a", "n": 1}
    assert beside.all_closed() == 1


def test_credentials_are_looked_for_anew_by_each_opening(monkeypatch, beside):
    """An opening finds the environment as it is then."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    client = Client(endpoint_url=beside.server.url, region_name="eu-west-1")
    table = client.table("orders", partition_key="pk")

    async def handler():
        async with client:
            await table.get("a")

    for key in ("AKONE", "AKTWO"):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        asyncio.run(handler())
    keys = [
        sent.headers["authorization"].partition("Credential=")[2].partition("/")[0] for sent in beside.server.requests
    ]
    assert keys == ["AKONE", "AKTWO"]


def test_a_client_of_another_process_is_left_alone(beside):
    """In a forked child neither opening nor closing touches the parent's connections: each says what to do."""
    client = client_of(beside.server.url)
    table = client.table("orders", partition_key="pk")

    async def main():
        async with client:
            await table.get("a")
            home, thread = client._runtime._home, client._runtime._home.thread
            home.leave()  # as the hook does in a forked child
            with pytest.raises(errors.ClientStateError, match="opened in another process: open one in each"):
                await client.open()
            with pytest.raises(errors.ClientStateError, match="opened in another process: open one in each"):
                await asyncio.to_thread(asyncio.run, client.aclose())
            home.thread = thread
            return await table.get("a"), client.statistics().pool.open

    assert asyncio.run(main()) == ({"pk": "a", "n": 1}, 1)


@LOOPS
def test_a_client_that_is_dropped_leaves_no_socket(beside, factory):
    """A client that was never closed says so, and its sockets are closed as it goes, with no task left."""

    async def use():
        client = await client_of(beside.server.url).open()
        await asyncio.gather(*(client.table("orders", partition_key="pk").get("a") for _ in range(3)))
        return [client]

    def forget(holder):
        holder.clear()
        gc.collect()

    async def main():
        holder = await use()
        with pytest.warns(ResourceWarning, match="never closed"):
            forget(holder)
        await asyncio.sleep(0)
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert run_on(factory, main()) == set()
    assert beside.all_closed() == 3


async def test_idle_connections_can_be_dropped():
    """Connections from before a freeze carry nothing any more: idle ones close, one in use when it is done."""
    async with ScriptedServer(then=ITEM) as server:
        settings = {"endpoint_url": server.url, "region_name": "eu-west-1", "credentials": ("a", "b")}
        async with Client(**settings) as client:
            table = client.table("rows", partition_key="pk")
            await asyncio.gather(*(table.get("a") for _ in range(3)))
            assert client.statistics().pool.idle == server.opened
            before = server.opened
            reading = asyncio.ensure_future(table.get("a"))
            await server.until(lambda: len(server.requests) == 4)
            assert client.statistics().pool.in_use == 1
            await client.drop_idle_connections()
            await reading
            assert client.statistics().pool.open == 0
            await table.get("a")
            assert (server.opened, client.statistics().pool.idle) == (before + 1, 1)
    with pytest.raises(errors.ClientStateError, match="closed"):
        await client.drop_idle_connections()


async def test_a_client_shows_region_and_host():
    """The repr of an open client says where its data lives, before anything is changed there."""
    async with ScriptedServer(then=ITEM) as server:
        settings = {"endpoint_url": server.url, "region_name": "eu-west-1", "credentials": ("a", "b")}
        async with Client(**settings) as client:
            assert f"eu-west-1 at {server.endpoint.authority}" in repr(client)
    async with Client(region_name="eu-central-1", credentials=("a", "b")) as client:
        assert "eu-central-1 at dynamodb.eu-central-1.amazonaws.com" in repr(client)
