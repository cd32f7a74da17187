"""What is done when a client opens, before its first call: connections, authorities, imports."""

import asyncio

import certifi
import pytest
from aiobotocore.session import AioSession

from mizzle_async import errors
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.session.session import open_session
from mizzle_async.wire.settings import WireSettings

ITEM = Reply({"Item": {"a": {"S": "b"}}})


# ── warming up ──


def test_connections_are_warmed_up_at_opening():
    """The connections that the settings ask for are open before the first call."""

    async def main():
        async with ScriptedServer(then=ITEM) as server:
            settings = WireSettings(
                endpoint_url=server.url, region_name="a", credentials=("a", "b"), pool=PoolConfig(warm_up=3)
            )
            pipeline = await open_pipeline(settings)
            warm = (server.opened, len(server.requests), pipeline.statistics().pool.idle)
            await pipeline.aclose()
            return warm

    assert run_virtual(main()) == (3, 0, 3)


def test_a_client_without_credentials_opens_cold():
    """Warming up needs to know where to; what is wrong is said by the first call."""

    async def main():
        async with ScriptedServer(then=ITEM) as server:
            settings = WireSettings(endpoint_url=server.url, region_name="a", pool=PoolConfig(warm_up=3))
            pipeline = await open_pipeline(settings)
            await pipeline.aclose()
            return server.opened

    assert run_virtual(main()) == 0


def test_warming_up_takes_no_longer_than_a_call():
    """Credentials that never come do not keep a client from opening: its first call meets them."""

    class Waiting(AioSession):
        async def get_credentials(self):
            await asyncio.get_running_loop().create_future()

    async def main():
        async with ScriptedServer(then=ITEM) as server:
            settings = WireSettings(
                endpoint_url=server.url, region_name="a", session=Waiting(), pool=PoolConfig(warm_up=3), timeout=2.0
            )
            pipeline = await open_pipeline(settings)
            opened_at = asyncio.get_running_loop().time()
            await pipeline.aclose()
            return opened_at, server.opened

    assert run_virtual(main()) == (2.0, 0)


def test_a_cancelled_opening_leaves_nothing_behind():
    """Whoever gives up while connections are being warmed up keeps neither connections nor tasks."""

    async def main():
        loop = asyncio.get_running_loop()
        loop.network.silent.add("127.0.0.1")
        settings = WireSettings(
            endpoint_url="http://127.0.0.1:9", region_name="a", credentials=("a", "b"), pool=PoolConfig(warm_up=3)
        )
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await open_pipeline(settings)
        return loop.time(), asyncio.all_tasks() - {asyncio.current_task()}

    assert run_virtual(main()) == (1.0, set())


# ── the certificate authorities ──


async def test_authorities_are_read_at_opening(monkeypatch):
    """A client that will need TLS reads its authorities when it opens, in a thread; a bundle can be named."""
    monkeypatch.setenv("AWS_CA_BUNDLE", certifi.where())
    settings = WireSettings(region_name="eu-west-1", credentials=("a", "b"))
    session = await open_session(settings)
    context = session.tls()
    assert context.check_hostname
    assert session.tls() is context
    again = await open_session(settings)
    assert again.tls() is context
    await session.aclose()
    await again.aclose()


async def test_a_bundle_that_cannot_be_read_is_said_at_opening(monkeypatch, tmp_path):
    """A bundle that is not there is no reason to trust somebody else."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(errors.ClientStateError, match="certificate authorities"):
        await open_session(WireSettings(region_name="eu-west-1", credentials=("a", "b")))


def test_authorities_are_read_late_where_the_first_endpoint_needs_none():
    """An endpoint that turns out to be encrypted finds its context."""

    async def main():
        session = await open_session(
            WireSettings(endpoint_url="http://127.0.0.1:1", region_name="a", credentials=("a", "b"))
        )
        context = session.tls()
        await session.aclose()
        return context

    assert run_virtual(main()).check_hostname
