"""When credentials are asked for again, and what their sources say. On the virtual clock."""

import asyncio
from contextvars import ContextVar

import pytest
from aiobotocore.session import AioSession

from mizzle_async.errors import CredentialsError
from mizzle_async.testing.clock import run_virtual
from mizzle_async.wire.session.credentials import CredentialKeeper, StaticSource
from mizzle_async.wire.session.sources import AiobotocoreSource
from mizzle_async.wire.settings import Credentials


class Source:
    """A source whose answers the test decides."""

    def __init__(self, *issued):
        self.issued = list(issued)
        self.due = False
        self.expired = False
        self.forced = []

    async def load(self, *, force):
        self.forced.append(force)
        await asyncio.sleep(0.1)
        return self.issued.pop(0) if len(self.issued) > 1 else self.issued[0]

    def is_due(self):
        return self.due

    def is_expired(self):
        return self.expired

    def has_changed(self):
        return False


def test_credentials_that_are_always_due_are_renewed_once_a_minute():
    """Credentials that live shorter than the advisory time are not fetched with every call."""

    async def main():
        source = Source(*(Credentials(str(number), "x") for number in range(1000)))
        source.due = True
        keeper = CredentialKeeper(source, asyncio.get_running_loop())
        for _ in range(600):
            await keeper.current()
            await asyncio.sleep(0.5)
        await keeper.aclose()
        return keeper

    assert 5 <= run_virtual(main()).refreshes <= 6


def test_the_same_credentials_again_are_asked_for_once_a_second():
    """A source that has nothing new is asked at most once a second, however many calls were refused."""

    async def main():
        source = Source(Credentials("a", "b"))
        keeper = CredentialKeeper(source, asyncio.get_running_loop())
        held = await keeper.current()
        for _ in range(10):
            renewed = await asyncio.gather(*(keeper.renew(held) for _ in range(50)))
            assert all(credentials is held for credentials in renewed)
        return source

    assert run_virtual(main()).forced == [False, True]


def test_a_refresh_in_flight_is_waited_for_before_another_is_forced():
    """A refused call that finds a refresh under way takes what that brings."""

    async def main():
        source = Source(Credentials("a", "b"), Credentials("c", "d"))
        keeper = CredentialKeeper(source, asyncio.get_running_loop())
        held = await keeper.current()
        source.due = True
        assert await keeper.current() is held
        renewed = await keeper.renew(held)
        return source, renewed

    source, renewed = run_virtual(main())
    assert source.forced == [False, False]
    assert renewed == Credentials("c", "d")


def test_a_refusal_of_old_credentials_renews_nothing():
    """A call that was signed with credentials that are gone is sent again with the ones that are there."""

    async def main():
        source = Source(Credentials("a", "b"))
        keeper = CredentialKeeper(source, asyncio.get_running_loop())
        held = await keeper.current()
        assert await keeper.renew(Credentials("older", "x")) is held
        return source

    assert run_virtual(main()).forced == [False]


def test_a_failure_that_is_over_is_forgotten():
    """Once credentials could be loaded, a refusal that brings no others is the service's, not the old failure."""

    class Late(Source):
        async def load(self, *, force):
            loaded = await super().load(force=force)
            if len(self.forced) == 1:
                raise ConnectionError
            return loaded

    async def main():
        keeper = CredentialKeeper(Late(Credentials("a", "b")), asyncio.get_running_loop())
        with pytest.raises(CredentialsError):
            await keeper.current()
        await asyncio.sleep(1)
        held = await keeper.current()
        return held, await keeper.renew(held)

    held, renewed = run_virtual(main())
    assert renewed is held


def test_a_refresh_belongs_to_no_caller():
    """A refresh sees nothing of the context of the call that happened to begin it, such as its trace."""
    trace = ContextVar("trace", default="none")
    seen = []

    class Traced(Source):
        async def load(self, *, force):
            seen.append(trace.get())
            return await super().load(force=force)

    async def main():
        trace.set("the caller's")
        await CredentialKeeper(Traced(Credentials("a", "b")), asyncio.get_running_loop()).current()

    run_virtual(main())
    assert seen == ["none"]


def test_reprs_tell_the_state_and_no_secret():
    """A keeper's repr is its state."""

    async def main():
        keeper = CredentialKeeper(Source(Credentials("CANARY", "CANARY")), asyncio.get_running_loop())
        seen = [repr(keeper)]
        loading = asyncio.ensure_future(keeper.current())
        await asyncio.sleep(0)
        seen.append(repr(keeper))
        await loading
        seen.append(repr(keeper))
        return seen

    assert run_virtual(main()) == [
        "<CredentialKeeper not loaded, 0 refreshes>",
        "<CredentialKeeper refreshing, 1 refreshes>",
        "<CredentialKeeper at hand, 1 refreshes>",
    ]


def test_static_sources_are_never_due():
    """What the caller gave tells nothing about its end."""
    source = StaticSource(Credentials("a", "b"))
    assert not source.is_due()
    assert not source.is_expired()


def test_a_users_static_session_is_not_read_again(monkeypatch):
    """Credentials that a user set on a session by hand are not swapped for what the chain finds."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "CHAIN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    async def main():
        session = AioSession()
        session.set_credentials("AKID", "secret", "token")
        source = AiobotocoreSource(session, reload=False)
        loaded = await source.load(force=False)
        assert await source.load(force=True) == loaded
        assert not source.is_due()
        assert not source.is_expired()
        return loaded

    assert run_virtual(main()) == Credentials("AKID", "secret", "token")
