"""Outages and hot keys: what a client adds to the trouble, and how soon it is over. On the virtual clock."""

import asyncio
import random

import pytest

from mizzle_async import errors
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import Outcome, RepeatSafety, WireRequest
from mizzle_async.wire.hedge_policy import HedgePolicy
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.settings import WireSettings

ITEM = Reply({"Item": {"a": {"S": "b"}}})
FAILING = Reply.error("InternalServerError", status=500)


def request(table="orders", *, index=None, timeout=None, safety=RepeatSafety.READ):
    """Return a read of a table."""
    return WireRequest("GetItem", b"{}", table, safety, index=index, timeout=timeout)


async def opened(url, **options):
    """Open a pipeline whose pauses are drawn by a seeded generator."""
    policy = options.pop("retry", None) or RetryPolicy(randomness=random.Random(7).random)
    settings = WireSettings(
        endpoint_url=url, region_name="eu-west-1", credentials=("AKID", "secret"), retry=policy, **options
    )
    return await open_pipeline(settings)


def by_table(sent):
    """Return the table that a request's body names."""
    return sent.payload["TableName"]


@pytest.mark.parametrize("calls", [300, 3000])
@pytest.mark.parametrize("trouble", ["errors", "resets"])
def test_an_outage_is_made_at_most_fifteen_percent_worse(calls, trouble):
    """In a full outage concurrent calls send at most 1.15 requests each; right after it every call is answered."""

    async def main():
        down = True

        def script(_sent):
            return (FAILING if trouble == "errors" else Reply.reset()) if down else ITEM

        async with ScriptedServer(script) as server:
            pipeline = await opened(server.url)
            outcomes = await asyncio.gather(*(pipeline.call(request()) for _ in range(calls)), return_exceptions=True)
            assert all(isinstance(outcome, errors.ServiceError | errors.TransportError) for outcome in outcomes)
            during = pipeline.statistics().requests
            down = False
            began = asyncio.get_running_loop().time()
            after = await asyncio.gather(*(pipeline.call(request()) for _ in range(calls)))
            recovery = asyncio.get_running_loop().time() - began
            sent = pipeline.statistics().requests - during
            await pipeline.aclose()
            return during, sent, recovery, after

    during, sent, recovery, after = run_virtual(main())
    assert calls < during <= 1.15 * calls
    assert recovery < 5.0
    assert sent == calls
    assert all(response.attempts == 1 for response in after)


@pytest.mark.parametrize("calls", [300, 3000])
def test_calls_that_are_refused_ask_with_one_voice(calls):
    """In a full outage of refusals nothing is sent; one connection at a time asks whether the host is back."""

    async def main():
        async with ScriptedServer(then=ITEM) as server:
            pipeline = await opened(server.url)
            await server.stop()
            outcomes = await asyncio.gather(*(pipeline.call(request()) for _ in range(calls)), return_exceptions=True)
            during = pipeline.statistics()
            await server.start()
            began = asyncio.get_running_loop().time()
            after = await asyncio.gather(*(pipeline.call(request()) for _ in range(calls)))
            recovery = asyncio.get_running_loop().time() - began
            sent = pipeline.statistics().requests
            await pipeline.aclose()
            return outcomes, during, sent, recovery, after

    outcomes, during, sent, recovery, after = run_virtual(main())
    assert {(type(outcome), outcome.outcome, outcome.attempts) for outcome in outcomes} == {
        (errors.DeadlineExceededError, Outcome.NOT_SENT, 0)
    }
    (host,) = during.pool.hosts
    # The first round tries as many as there is room for; then one for each second of the ten that calls wait.
    assert host.failed <= 128 + 25
    assert (during.requests, during.quota) == (0, 500)
    assert recovery <= 1.0
    assert sent == calls
    assert all(response.attempts == 1 for response in after)


def test_a_restart_is_not_seen():
    """While a host is away for less than the calls' time, calls wait for it: reads and writes of every kind succeed."""

    async def main():
        async with ScriptedServer(then=ITEM) as server:
            pipeline = await opened(server.url)
            await asyncio.gather(*(pipeline.call(request()) for _ in range(20)))
            await server.stop()
            calls = [
                asyncio.ensure_future(pipeline.call(request(safety=safety)))
                for safety in RepeatSafety
                for _ in range(40)
            ]
            await asyncio.sleep(3.0)
            assert not any(call.done() for call in calls)
            opened_before = server.opened
            await server.start()
            began = asyncio.get_running_loop().time()
            responses = await asyncio.gather(*calls)
            recovery = asyncio.get_running_loop().time() - began
            statistics = pipeline.statistics()
            await pipeline.aclose()
            return responses, recovery, statistics, server.opened - opened_before

    responses, recovery, statistics, opened_after = run_virtual(main())
    assert {(response.attempts, response.ambiguous) for response in responses} == {(1, False)}
    assert recovery <= 1.0
    assert (statistics.requests, statistics.retries, statistics.quota) == (20 + 200, 0, 500)
    assert opened_after <= 128


def test_a_hedged_read_says_why_it_waited():
    """Where reads may be sent twice, one that waited for a host until its time was up names the reason too."""

    async def main():
        async with ScriptedServer() as server:
            pipeline = await opened(server.url, hedge=HedgePolicy(after=0.5))
        with pytest.raises(errors.DeadlineExceededError, match="no connection to") as caught:
            await pipeline.call(request(timeout=2.0))
        await pipeline.aclose()
        return caught.value

    error = run_virtual(main())
    assert error.outcome is Outcome.NOT_SENT
    assert isinstance(error.__cause__, errors.TransportError)


def test_retries_of_an_outage_are_spread():
    """Full jitter: the retries of calls that failed together do not come together."""

    async def main():
        moments = []

        def script(_sent):
            moments.append(asyncio.get_running_loop().time())
            return FAILING

        async with ScriptedServer(script) as server:
            pipeline = await opened(server.url)
            await asyncio.gather(*(pipeline.call(request()) for _ in range(30)), return_exceptions=True)
            await pipeline.aclose()
            return moments

    moments = run_virtual(main())
    assert moments[29] == 0.0
    assert len(set(moments[30:])) == len(moments) - 30


def test_a_hot_table_slows_no_other():
    """While one table refuses every request for its rate, another's reads take what they always take."""

    async def main():
        def script(sent):
            return Reply.throttled() if by_table(sent) == "hot" else Reply(ITEM.payload, pause=0.005)

        async with ScriptedServer(script) as server:
            pipeline = await opened(server.url, pool=PoolConfig(max_connections=512))
            loop = asyncio.get_running_loop()

            async def timed(table):
                began = loop.time()
                body = b'{"TableName":"%s"}' % table.encode()
                try:
                    outcome = await pipeline.call(WireRequest("GetItem", body, table, RepeatSafety.READ))
                except errors.ThrottledError as error:
                    outcome = error
                return outcome, loop.time() - began

            alone = await asyncio.gather(*(timed("cold") for _ in range(100)))
            hot = asyncio.gather(*(timed("hot") for _ in range(300)))
            beside = []
            for _ in range(20):
                beside += await asyncio.gather(*(timed("cold") for _ in range(5)))
            heated = await hot
            statistics = pipeline.statistics()
            await pipeline.aclose()
            return alone, beside, heated, statistics

    alone, beside, heated, statistics = run_virtual(main())
    assert max(seconds for _, seconds in beside) == pytest.approx(max(seconds for _, seconds in alone))
    assert all(response.attempts == 1 for response, _ in beside)
    assert all(isinstance(outcome, errors.ThrottledError) for outcome, _ in heated)
    # A hundred retries are what its own quota pays for; the quota of everybody else is untouched.
    assert statistics.throttled == {"hot": 400}
    assert statistics.quota == 500


def test_an_index_is_throttled_alone():
    """The quota of a throttled index is not the table's, nor another index's: theirs pay for a retry still."""

    async def main():
        throttled_once = set()

        def script(sent):
            index = sent.payload.get("IndexName")
            if index == "hot" or index not in throttled_once:
                throttled_once.add(index)
                return Reply.throttled()
            return ITEM

        async with ScriptedServer(script) as server:
            pipeline = await opened(server.url)

            def call(index):
                body = b"{}" if index is None else b'{"IndexName":"%s"}' % index.encode()
                return pipeline.call(WireRequest("Query", body, "orders", RepeatSafety.READ, index=index))

            await asyncio.gather(*(call("hot") for _ in range(200)), return_exceptions=True)
            responses = [await call("cold"), await call(None)]
            statistics = pipeline.statistics()
            await pipeline.aclose()
            return responses, statistics

    responses, statistics = run_virtual(main())
    assert [response.attempts for response in responses] == [2, 2]
    assert statistics.throttled == {"orders/hot": 300, "orders/cold": 1, "orders": 1}


def test_first_attempts_are_never_held_back():
    """With an empty quota every call still sends its first request at once, and ends with what that brought."""

    async def main():
        async with ScriptedServer(then=FAILING) as server:
            pipeline = await opened(server.url, retry=RetryPolicy(quota=1, randomness=lambda: 0.5))
            outcomes = await asyncio.gather(*(pipeline.call(request()) for _ in range(20)), return_exceptions=True)
            elapsed = asyncio.get_running_loop().time()
            await pipeline.aclose()
            return outcomes, len(server.requests), elapsed

    outcomes, sent, elapsed = run_virtual(main())
    assert (sent, elapsed) == (20, 0.0)
    assert {(type(outcome), outcome.attempts) for outcome in outcomes} == {(errors.InternalServerError, 1)}


def test_success_gives_tokens_back():
    """A retry that succeeds gives back what it took; every clean success gives one more, up to the capacity."""

    async def main():
        quota = []
        async with ScriptedServer([FAILING, ITEM, *[FAILING] * 4], then=ITEM) as server:
            pipeline = await opened(server.url)
            await pipeline.call(request())
            quota.append(pipeline.statistics().quota)
            with pytest.raises(errors.InternalServerError):
                await pipeline.call(request())
            quota.append(pipeline.statistics().quota)
            for _ in range(50):
                await pipeline.call(request())
                quota.append(pipeline.statistics().quota)
            await pipeline.aclose()
        return quota

    assert run_virtual(main()) == [500, 458, *range(459, 501), *[500] * 8]


def test_a_success_gives_back_its_last_retry_only():
    """A call that needed two retries pays for the first: a service that fails half of the time is spared."""

    async def main():
        async with ScriptedServer([FAILING, FAILING], then=ITEM) as server:
            pipeline = await opened(server.url)
            await pipeline.call(request())
            quota = pipeline.statistics().quota
            await pipeline.aclose()
        return quota

    assert run_virtual(main()) == 500 - 14


def test_a_deadline_gives_no_token_back():
    """A call whose time is up says that the service is in trouble: what its retries took stays taken."""

    async def main():
        async with ScriptedServer([FAILING], then=Reply.hang()) as server:
            pipeline = await opened(server.url)
            with pytest.raises(errors.DeadlineExceededError):
                await pipeline.call(request(timeout=1.0))
            quota = pipeline.statistics().quota
            await pipeline.aclose()
        return quota

    assert run_virtual(main()) == 500 - 14


@pytest.mark.parametrize(
    "code", ["TransactionConflictException", "TransactionInProgressException", "ReplicatedWriteConflictException"]
)
def test_conflicts_cost_their_own_table(code):
    """Retries for the sake of other writers are paid by the table's quota, and nobody else's."""

    async def main():
        attempts = []
        async with ScriptedServer(then=Reply.error(code)) as server:
            pipeline = await opened(server.url, retry=RetryPolicy(quota=10, randomness=lambda: 0.001))
            for table in ("orders", "orders", "customers"):
                with pytest.raises(errors.ServiceError) as caught:
                    await pipeline.call(request(table))
                attempts.append(caught.value.attempts)
            quota = pipeline.statistics().quota
            await pipeline.aclose()
        return attempts, quota

    assert run_virtual(main()) == ([3, 1, 3], 10)


def test_a_cancelled_call_gives_every_token_back():
    """Calls that are cancelled in their pauses do not use up the retries of those that come after them."""

    async def main():
        async with ScriptedServer(then=FAILING) as server:
            pipeline = await opened(server.url)
            for _ in range(110):
                call = asyncio.ensure_future(pipeline.call(request()))
                sent = len(server.requests)
                await server.until(lambda sent=sent: len(server.requests) >= sent + 2)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
            quota = pipeline.statistics().quota
            await pipeline.aclose()
            return quota

    assert run_virtual(main()) == 500


@pytest.mark.parametrize("index", [None, "by-status"])
def test_a_throttled_table_recovers_with_its_successes(index):
    """A table's own quota, or an index's, is filled again by its own successes."""

    async def main():
        hot = True
        async with ScriptedServer(lambda _sent: Reply.throttled() if hot else ITEM) as server:
            policy = RetryPolicy(quota=10, randomness=lambda: 0.001)
            pipeline = await opened(server.url, retry=policy)
            with pytest.raises(errors.ThrottledError) as caught:
                await pipeline.call(request(index=index))
            assert caught.value.attempts == 3
            with pytest.raises(errors.ThrottledError) as caught:
                await pipeline.call(request(index=index))
            assert caught.value.attempts == 1
            hot = False
            for _ in range(5):
                await pipeline.call(request(index=index))
            hot = True
            with pytest.raises(errors.ThrottledError) as caught:
                await pipeline.call(request(index=index))
            await pipeline.aclose()
            return caught.value.attempts

    assert run_virtual(main()) == 2


def test_a_table_gets_back_what_its_retries_took():
    """Retries after throttling that succeed, or that are cancelled, use up nothing of their table's quota."""

    async def main():
        async with ScriptedServer([Reply.throttled(), ITEM] * 5, then=Reply.throttled()) as server:
            pipeline = await opened(server.url, retry=RetryPolicy(quota=10, randomness=lambda: 0.5))
            attempts = [(await pipeline.call(request())).attempts for _ in range(5)]
            for _ in range(5):
                call = asyncio.ensure_future(pipeline.call(request()))
                await asyncio.sleep(0.1)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
            with pytest.raises(errors.ThrottledError) as caught:
                await pipeline.call(request())
            await pipeline.aclose()
            return attempts, caught.value.attempts

    assert run_virtual(main()) == ([2] * 5, 3)
