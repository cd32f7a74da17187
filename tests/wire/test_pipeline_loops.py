"""The whole way on real sockets: asyncio and uvloop, in clear text, over TLS, and through a proxy."""

import asyncio

import pytest

from mizzle_async import errors
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.testing.tls import LocalAuthority
from mizzle_async.types import RepeatSafety, WireRequest
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.settings import WireSettings

FACTORIES = {"asyncio": asyncio.SelectorEventLoop}
try:
    import uvloop
except ImportError:
    pass
else:
    FACTORIES["uvloop"] = uvloop.new_event_loop


@pytest.fixture(scope="module")
def authority():
    """Issue certificates."""
    with LocalAuthority() as made:
        yield made


@pytest.fixture(params=["clear", "tls", "proxy"])
def way(request):
    """Name one way to the server."""
    return request.param


@pytest.fixture(params=FACTORIES)
def run(request):
    """Run a coroutine on one kind of loop."""

    def run_on(main):
        with asyncio.Runner(loop_factory=FACTORIES[request.param]) as runner:
            return runner.run(main)

    return run_on


def test_calls_retries_deadlines_and_cancellations(run, way, authority, monkeypatch):
    """Whatever the loop and the way: answers are right, failures retried, time limits kept, cancellations delivered."""
    monkeypatch.setenv("AWS_CA_BUNDLE", authority.ca_bundle)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    async def main():
        hung = asyncio.Event()

        def script(sent):
            number = sent.payload["number"]
            if number == -1:
                hung.set()
                return Reply.hang()
            if number % 7 == 3 and number not in failed:
                failed.add(number)
                return (Reply.close(), Reply.error("InternalServerError", status=500))[number % 2]
            return Reply({"Echo": {"N": str(number)}})

        failed = set()
        async with ScriptedServer(script, tls=authority.server_context() if way == "tls" else None) as server:
            url = server.url
            if way == "proxy":
                monkeypatch.setenv("HTTP_PROXY", url)
                url = "http://dynamodb.example"
            settings = WireSettings(
                endpoint_url=url,
                allow_http=True,
                region_name="eu-west-1",
                credentials=("AKID", "secret"),
                retry=RetryPolicy.no_backoff(),
                timeout=250,  # 200 handshakes with a server in this process may take long on a busy machine
                pool=PoolConfig(connect_timeout=250),
            )
            pipeline = await open_pipeline(settings)

            def call(number, timeout=None):
                body = b'{"number":%d}' % number
                return pipeline.call(WireRequest("GetItem", body, "orders", RepeatSafety.READ, timeout=timeout))

            responses = await asyncio.gather(*(call(number) for number in range(200)))
            with pytest.raises(errors.DeadlineExceededError):
                await call(-1, timeout=0.02)
            hung.clear()
            task = asyncio.ensure_future(call(-1))
            await hung.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            last = await call(1000)
            await pipeline.aclose()
            return responses, last

    responses, last = run(main())
    assert [response.payload for response in responses] == [{"Echo": {"N": str(number)}} for number in range(200)]
    assert last.payload == {"Echo": {"N": "1000"}}
