"""Silence: connections that say nothing are given up, and what may be repeated is repeated. On the virtual clock."""

import asyncio
import random

import pytest

from mizzle_async import errors
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Ending, Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import Outcome, RepeatSafety, WireRequest
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.settings import WireSettings

ITEM = Reply({"Item": {"a": {"S": "b"}}})
REPEATED = [safety for safety in RepeatSafety if safety is not RepeatSafety.UNSAFE]
GET, PUT, ADD = RepeatSafety.READ, RepeatSafety.IDEMPOTENT, RepeatSafety.UNSAFE


def request(safety=GET, *, operation="GetItem", timeout=None, number=0):
    """Return a request that can be told from every other."""
    return WireRequest(operation, b'{"number":%d}' % number, "orders", safety, timeout=timeout)


async def opened(server, **options):
    """Open a pipeline whose pauses are drawn by a seeded generator."""
    policy = RetryPolicy(randomness=random.Random(7).random, **options.pop("retry", {}))
    return await open_pipeline(
        WireSettings(
            endpoint_url=server.url, region_name="eu-west-1", credentials=("AKID", "secret"), retry=policy, **options
        )
    )


def now():
    """Return the virtual time."""
    return asyncio.get_running_loop().time()


class Forgetful:
    """A network that forgets connections: what is sent on them is never answered."""

    def __init__(self):
        self.silent = set()

    def __call__(self, sent):
        """Echo a request's number, unless its connection was forgotten."""
        return Reply.hang() if sent.connection in self.silent else Reply({"you": sent.payload["number"]})


async def warm(pipeline, count):
    """Open connections: as many as calls overlap."""
    await asyncio.gather(*(pipeline.call(request(number=number)) for number in range(count)))


def test_half_of_the_connections_fall_silent():
    """With half of twenty connections forgotten, 200 gets and 200 puts succeed, each with its own answer."""

    async def main():
        network = Forgetful()
        async with ScriptedServer(network) as server:
            pipeline = await opened(server, pool=PoolConfig(max_connections=20))
            await warm(pipeline, 20)
            network.silent.update(range(1, 21, 2))
            began = now()
            calls = [pipeline.call(request(safety, number=number)) for number in range(200) for safety in (GET, PUT)]
            responses = await asyncio.gather(*calls)
            seconds = now() - began
            statistics = pipeline.statistics()
            await pipeline.aclose()
            return responses, seconds, statistics, server

    responses, seconds, statistics, server = run_virtual(main())
    assert [response.payload["you"] for response in responses] == [number for number in range(200) for _ in range(2)]
    assert sum(response.attempts for response in responses) == 400 + 10
    assert max(response.attempts for response in responses) == 2
    assert seconds < 3.1
    (host,) = statistics.pool.hosts
    assert (host.silent, host.in_use, statistics.retries) == (10, 0, 10)
    # What was forgotten on the way says nothing about the service: it costs no quota.
    assert statistics.quota == 500
    assert server.opened <= 20 + 10


def test_a_large_pool_half_silent_costs_no_quota():
    """Sixty-four forgotten connections are more than the quota would pay for: every call succeeds all the same."""

    async def main():
        network = Forgetful()
        async with ScriptedServer(network) as server:
            pipeline = await opened(server)
            await warm(pipeline, 128)
            network.silent.update(range(1, 129, 2))
            calls = [pipeline.call(request(safety, number=number)) for number in range(200) for safety in (GET, PUT)]
            responses = await asyncio.gather(*calls)
            statistics = pipeline.statistics()
            await pipeline.aclose()
            return responses, statistics

    responses, statistics = run_virtual(main())
    assert len(responses) == 400
    assert (statistics.retries, statistics.pool.hosts[0].silent, statistics.quota) == (64, 64, 500)


@pytest.mark.parametrize("safety", RepeatSafety)
def test_silent_connections_give_their_places_back(safety):
    """With every place of a pool silent, the calls that wait get new connections; only what was sent is in doubt."""

    async def main():
        network = Forgetful()
        async with ScriptedServer(network) as server:
            pipeline = await opened(server, pool=PoolConfig(max_connections=4))
            await warm(pipeline, 4)
            network.silent.update(range(1, 5))
            calls = (pipeline.call(request(safety, number=number)) for number in range(40))
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            statistics = pipeline.statistics()
            await pipeline.aclose()
            return outcomes, statistics, server

    outcomes, statistics, server = run_virtual(main())
    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if safety is RepeatSafety.UNSAFE:
        assert [(type(error), error.attempts) for error in failed] == [(errors.OutcomeUnknownError, 1)] * 4
        assert len(server.requests) == 4 + 40
    else:
        assert failed == []
        assert len(server.requests) == 4 + 44
    assert statistics.pool.hosts[0].silent == 4
    assert server.opened == 8


@pytest.mark.parametrize("safety", REPEATED)
@pytest.mark.parametrize(
    ("operation", "timeout", "options", "seconds"),
    [
        ("GetItem", 10.0, {}, 3.0),
        ("Query", 10.0, {}, 5.0),
        ("Query", 100.0, {}, 9.0),
        ("GetItem", 5.0, {}, 2.5),
        ("GetItem", 1.5, {}, 1.0),
        ("GetItem", 1.5, {"attempt_timeout": 0.2}, 0.2),
        ("Scan", 10.0, {"attempt_timeout": 0.2}, 0.6),
    ],
)
def test_how_long_an_attempt_may_be_silent(safety, operation, timeout, options, seconds):
    """Operation and time left say when an attempt is given up; it is repeated within the same deadline."""

    async def main():
        async with ScriptedServer([ITEM, Reply.hang()], then=ITEM) as server:
            pipeline = await opened(server, retry=options)
            await pipeline.call(request())
            began = now()
            response = await pipeline.call(request(safety, operation=operation, timeout=timeout))
            took = now() - began
            await pipeline.aclose()
            return response, took, [sent.connection for sent in server.requests]

    response, took, connections = run_virtual(main())
    assert (response.attempts, response.ambiguous) == (2, safety is not RepeatSafety.READ)
    assert took == pytest.approx(seconds)
    assert connections == [1, 1, 2]


def test_a_write_that_must_not_be_repeated_ends_as_unknown():
    """A silent connection ends an unsafe write in its doubt, and frees its place, long before the deadline."""

    async def main():
        async with ScriptedServer([Reply.hang()], then=ITEM) as server:
            pipeline = await opened(server)
            began = now()
            with pytest.raises(errors.OutcomeUnknownError) as caught:
                await pipeline.call(request(ADD, operation="UpdateItem"))
            seconds = now() - began
            in_use = pipeline.statistics().pool.in_use
            await pipeline.aclose()
            return caught.value, seconds, len(server.requests), in_use

    error, seconds, sent, in_use = run_virtual(main())
    assert (error.attempts, sent, seconds, in_use) == (1, 1, pytest.approx(3.0), 0)
    assert "no byte of an answer came within 3 s" in str(error.__cause__)


def test_without_an_attempt_timeout_the_deadline_ends_a_silence():
    """None switches it off: a call waits for its answer as long as it has time."""

    async def main():
        async with ScriptedServer([Reply(ITEM.payload, pause=8.0), Reply.hang()], then=ITEM) as server:
            pipeline = await opened(server, retry={"attempt_timeout": None})
            attempts = [(await pipeline.call(request())).attempts]
            with pytest.raises(errors.DeadlineExceededError) as caught:
                await pipeline.call(request())
            await pipeline.aclose()
            return attempts, caught.value.attempts, len(server.requests)

    assert run_virtual(main()) == ([1], 1, 2)


def test_the_last_attempt_has_all_the_time_that_is_left():
    """Where no attempt follows, the time left shortens none: a call to a silent service ends at its deadline."""

    async def main():
        async with ScriptedServer(then=Reply.hang()) as server:
            pipeline = await opened(server)
            began = now()
            with pytest.raises(errors.DeadlineExceededError) as caught:
                await pipeline.call(request())
            seconds = now() - began
            await pipeline.aclose()
            return caught.value, seconds, len(server.requests)

    error, seconds, sent = run_virtual(main())
    assert (error.attempts, sent, seconds) == (4, 4, pytest.approx(10.0))


def test_bytes_end_a_silence():
    """An answer that comes slowly, but comes, is waited for; one that stops in its middle is not."""

    async def main():
        slow = Reply(ITEM.payload, drip=20, pause=2.9)
        stopping = ITEM.cut_at(60, Ending.HANG)
        async with ScriptedServer([slow, stopping], then=ITEM) as server:
            pipeline = await opened(server, timeout=1000.0)
            attempts, seconds = [], []
            for _ in range(2):
                began = now()
                attempts.append((await pipeline.call(request())).attempts)
                seconds.append(now() - began)
            await pipeline.aclose()
            return attempts, seconds

    attempts, (slow, stopped) = run_virtual(main())
    assert attempts == [1, 2]
    assert slow > 30
    assert stopped == pytest.approx(3.0)


def test_idle_siblings_of_a_silent_connection_are_not_trusted():
    """When a connection proves dead, those that have been idle since before its request are closed, unused."""

    async def main():
        network = Forgetful()
        async with ScriptedServer(network) as server:
            pipeline = await opened(server)
            await warm(pipeline, 10)
            await asyncio.sleep(5)
            network.silent.update(range(1, 11))
            began = now()
            responses = [await pipeline.call(request(number=number)) for number in range(5)]
            seconds = now() - began
            statistics = pipeline.statistics()
            await pipeline.aclose()
            return responses, seconds, statistics, [sent.connection for sent in server.requests[10:]]

    responses, seconds, statistics, connections = run_virtual(main())
    assert [response.attempts for response in responses] == [2, 1, 1, 1, 1]
    assert seconds == pytest.approx(3.0)
    assert connections[1:] == [11] * 5
    assert (statistics.pool.open, statistics.pool.hosts[0].closed) == (1, 10)


def test_a_short_deadline_is_one_victim_of_a_forgetful_network():
    """Where the call's own time ends before the silence is proven, its siblings are not trusted either."""

    async def main():
        network = Forgetful()
        async with ScriptedServer(network) as server:
            pipeline = await opened(server, timeout=1.0)
            await warm(pipeline, 10)
            await asyncio.sleep(5)
            network.silent.update(range(1, 11))
            outcomes = await asyncio.gather(pipeline.call(request()), return_exceptions=True)
            outcomes += [await pipeline.call(request(number=number)) for number in range(20)]
            statistics = pipeline.statistics()
            await pipeline.aclose()
            return outcomes, statistics

    (first, *others), statistics = run_virtual(main())
    assert type(first) is errors.DeadlineExceededError
    assert [response.attempts for response in others] == [1] * 20
    assert statistics.pool.hosts[0].closed == 10


def test_a_call_that_leaves_early_says_nothing_about_its_siblings():
    """A call that is cancelled, or whose time is up, within a second closes its own connection only."""

    async def main():
        network = Forgetful()
        async with ScriptedServer(network) as server:
            pipeline = await opened(server)
            await warm(pipeline, 10)
            network.silent.update(range(1, 11))
            with pytest.raises(errors.DeadlineExceededError):
                await pipeline.call(request(timeout=0.9))
            statistics = pipeline.statistics()
            await pipeline.aclose()
            return statistics

    statistics = run_virtual(main())
    assert (statistics.pool.idle, statistics.pool.hosts[0].closed) == (9, 1)


def test_siblings_that_have_answered_since_are_kept():
    """A connection that answered after the silent one was asked has proved itself, and is used on."""

    async def main():
        network = Forgetful()
        async with ScriptedServer(network) as server:
            pipeline = await opened(server)
            await warm(pipeline, 2)
            network.silent.add(2)
            silent = asyncio.ensure_future(pipeline.call(request()))
            await asyncio.sleep(1)
            await pipeline.call(request())
            await silent
            await pipeline.call(request())
            await pipeline.aclose()
            return [sent.connection for sent in server.requests[2:]], server.opened

    connections, opened_in_all = run_virtual(main())
    assert connections[:2] == [2, 1]
    assert (opened_in_all, set(connections[2:]) <= {1, 3}) == (3, True)


@pytest.mark.parametrize("calls", [300, 3000])
def test_an_outage_of_silence_is_not_made_worse(calls):
    """A service that accepts everything and answers nothing gets at most 1.15 requests for each call."""

    async def main():
        hanging = True
        async with ScriptedServer(lambda _sent: Reply.hang() if hanging else ITEM) as server:
            pipeline = await opened(server, pool=PoolConfig(max_connections=calls))
            outcomes = await asyncio.gather(*(pipeline.call(request()) for _ in range(calls)), return_exceptions=True)
            during = pipeline.statistics()
            hanging = False
            await asyncio.gather(*(pipeline.call(request()) for _ in range(calls)))
            after = pipeline.statistics().requests - during.requests
            await pipeline.aclose()
            return outcomes, during, after

    outcomes, during, after = run_virtual(main())
    assert all(isinstance(outcome, errors.TransportError) for outcome in outcomes)
    assert calls < during.requests <= 1.15 * calls
    assert during.pool.in_use == 0
    assert after == calls


@pytest.mark.parametrize("attempts", [1, 4])
def test_calls_in_flight_when_the_client_is_closed_are_told_so(attempts):
    """Reads and repeatable writes in flight end in `ClientStateError`, every other write in its doubt."""

    async def main():
        async with ScriptedServer(then=Reply.hang()) as server:
            pipeline = await opened(server, retry={"attempts": attempts}, pool=PoolConfig(max_connections=500))
            kinds = [safety for safety in RepeatSafety for _ in range(100)]
            calls = [asyncio.ensure_future(pipeline.call(request(safety))) for safety in kinds]
            await server.until(lambda: len(server.requests) == 500)
            await pipeline.aclose()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            return list(zip(kinds, outcomes, strict=True)), len(server.requests)

    outcomes, sent = run_virtual(main())
    assert sent == 500
    for safety, error in outcomes:
        if safety in {RepeatSafety.UNSAFE, RepeatSafety.GUARDED}:
            assert type(error) is errors.OutcomeUnknownError
            error = error.__cause__  # noqa: PLW2901  (it is the cause that says why)
        if safety is not RepeatSafety.UNSAFE:
            assert type(error) is errors.ClientStateError
            assert error.message == "the client was closed during the call"


def test_requests_that_were_not_sent_are_not_counted():
    """`attempts` counts requests sent: a call that only waited for a connection has none."""

    async def main():
        async with ScriptedServer(then=Reply.hang()) as server:
            pipeline = await opened(server, pool=PoolConfig(max_connections=1), retry={"attempt_timeout": None})
            calls = [asyncio.ensure_future(pipeline.call(request(timeout=1.0))) for _ in range(5)]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            statistics = pipeline.statistics()
            await pipeline.aclose()
            return outcomes, statistics.requests, len(server.requests)

    outcomes, counted, sent = run_virtual(main())
    assert sorted((error.attempts, error.outcome is Outcome.UNKNOWN) for error in outcomes) == [(0, False)] * 4 + [
        (1, True)
    ]
    assert counted == sent == 1
    assert "attempt" not in str(next(error for error in outcomes if not error.attempts))
