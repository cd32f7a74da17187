"""Hedged reads: the first answer wins, the other is cancelled, and the budget holds. On the virtual clock."""

import asyncio

import pytest

from mizzle_async import errors
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Ending, Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import RepeatSafety, WireRequest
from mizzle_async.wire.hedge_policy import HedgePolicy
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.settings import WireSettings

ITEM = Reply({"Item": {"a": {"S": "b"}}})
SLOW = Reply({"Item": {"a": {"S": "slow"}}}, pause=1.0)


def request(safety=RepeatSafety.READ, *, timeout=None):
    """Return a request of one kind."""
    return WireRequest("GetItem", b"{}", "orders", safety, timeout=timeout)


def hedged(script, run, *, then=None, policy=None, **options):
    """Run something with a pipeline that hedges reads after 10 ms; return its result, server, numbers and seconds."""

    async def main():
        async with ScriptedServer(script, then=then) as server:
            settings = WireSettings(
                endpoint_url=server.url,
                region_name="eu-west-1",
                credentials=("AKID", "secret"),
                retry=RetryPolicy.no_backoff(),
                hedge=policy or HedgePolicy(after=0.01),
                **options,
            )
            pipeline = await open_pipeline(settings)
            began = asyncio.get_running_loop().time()
            result = await run(pipeline)
            seconds = asyncio.get_running_loop().time() - began
            # A cancelled racer closes its connection in the loop's next turn.
            await asyncio.sleep(0)
            statistics = pipeline.statistics()
            assert (statistics.pool.in_use, statistics.pool.waiting) == (0, 0)
            await pipeline.aclose()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return result, server, statistics, seconds

    return run_virtual(main())


def test_a_late_read_is_sent_twice_and_the_first_answer_wins():
    """After 10 ms the read goes out again, on another connection; the caller has its answer then."""
    response, server, statistics, seconds = hedged([SLOW, ITEM], lambda pipeline: pipeline.call(request()))
    assert (response.payload, response.attempts) == (ITEM.payload, 2)
    assert seconds == pytest.approx(0.01)
    assert [sent.connection for sent in server.requests] == [1, 2]
    assert (statistics.hedges, statistics.requests, statistics.quota) == (1, 2, 500)


def test_the_first_request_may_still_win():
    """A hedge that is slower than what it was to overtake is dropped."""
    replies = [Reply(ITEM.payload, pause=0.02), SLOW]
    response, _, statistics, seconds = hedged(replies, lambda pipeline: pipeline.call(request()))
    assert (response.payload, seconds) == (ITEM.payload, pytest.approx(0.02))
    assert statistics.hedges == 1


def test_a_fast_read_is_sent_once():
    """An answer in time costs nothing more."""
    _, server, statistics, _ = hedged([ITEM], lambda pipeline: pipeline.call(request()))
    assert (len(server.requests), statistics.hedges) == (1, 0)


@pytest.mark.parametrize("safety", [safety for safety in RepeatSafety if safety is not RepeatSafety.READ])
def test_writes_are_never_hedged(safety):
    """However late its answer is, a write goes out once."""
    response, server, _, seconds = hedged([SLOW], lambda pipeline: pipeline.call(request(safety)), then=ITEM)
    assert (response.payload, len(server.requests), seconds) == (SLOW.payload, 1, pytest.approx(1.0))


def test_a_failed_racer_does_not_win():
    """While the other may still answer, an error of one is not the call's."""
    replies = [Reply(ITEM.payload, pause=0.05), Reply.close()]
    response, server, _, seconds = hedged(replies, lambda pipeline: pipeline.call(request()))
    assert (response.payload, seconds, len(server.requests)) == (ITEM.payload, pytest.approx(0.05), 2)


def test_two_failed_racers_are_one_failure():
    """Where both fail the call goes on as after one failure: it is retried."""
    late = Reply.reset()
    replies = [Reply(cut=0, pause=0.02, ending=late.ending), Reply(cut=0, pause=0.03, ending=late.ending)]
    response, server, statistics, _ = hedged(replies, lambda pipeline: pipeline.call(request()), then=ITEM)
    assert (response.payload, len(server.requests)) == (ITEM.payload, 3)
    assert statistics.retries == 1


def test_an_early_failure_is_not_hedged_but_retried():
    """A read that fails in time is an ordinary failure."""
    _, server, statistics, _ = hedged([Reply.close()], lambda pipeline: pipeline.call(request()), then=ITEM)
    assert (statistics.hedges, statistics.retries, len(server.requests)) == (0, 1, 2)


def test_the_budget_bounds_what_hedging_costs():
    """When every read is late, hedges are a twentieth of them, and one to begin with."""

    async def run(pipeline):
        for _ in range(100):
            await pipeline.call(request())

    _, server, statistics, _ = hedged([], run, then=Reply(ITEM.payload, pause=0.02))
    assert 5 <= statistics.hedges <= 7
    assert len(server.requests) == 100 + statistics.hedges


def test_a_percentile_learns_what_is_late():
    """After 64 reads of 5 ms, one of a second is hedged."""

    async def run(pipeline):
        for _ in range(64):
            await pipeline.call(request())
        return await pipeline.call(request())

    usual = Reply(ITEM.payload, pause=0.005)
    response, _, statistics, seconds = hedged([usual] * 64 + [SLOW], run, then=usual, policy=HedgePolicy())
    assert (response.attempts, statistics.hedges) == (2, 1)
    assert seconds == pytest.approx(64 * 0.005 + 0.005 + 0.005)


def test_a_deadline_ends_both():
    """Neither racer outlives the call's time."""

    async def run(pipeline):
        with pytest.raises(errors.DeadlineExceededError) as caught:
            await pipeline.call(request(timeout=0.5))
        await asyncio.sleep(0)
        return caught.value

    error, server, _, _ = hedged([], run, then=Reply.hang())
    assert (error.attempts, len(server.requests)) == (2, 2)


@pytest.mark.parametrize("hung", [0, 1], ids=["first", "second"])
@pytest.mark.parametrize("trouble", ["refused", "lost", "corrupt"])
def test_a_deadline_holds_when_one_has_failed(hung, trouble):
    """While one racer's failure waits for the other, which never comes, the call still has its deadline."""
    replies = {
        "refused": Reply({}, 500, pause=0.1),
        "lost": Reply(pause=0.1, cut=0, ending=Ending.CLOSE),
        "corrupt": Reply(pause=0.1, checksum="wrong"),
    }

    async def run(pipeline):
        with pytest.raises(errors.DeadlineExceededError) as caught:
            await pipeline.call(request(timeout=0.5))
        return caught.value

    script = [replies[trouble]]
    script.insert(hung, Reply.hang())
    error, server, _, seconds = hedged(script, run)
    assert (error.attempts, len(server.requests), seconds) == (2, 2, pytest.approx(0.5))


def test_a_cancelled_call_cancels_both():
    """The caller's cancellation ends both racers, before and after the hedge."""

    async def run(pipeline):
        for pause in (0.005, 0.015):
            call = asyncio.ensure_future(pipeline.call(request()))
            await asyncio.sleep(pause)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.sleep(0)

    _, server, statistics, _ = hedged([], run, then=Reply.hang())
    assert (len(server.requests), statistics.pool.open) == (3, 0)


class Slow:
    """A transport that takes its time to end."""

    def __init__(self):
        self.ended = 0

    async def exchange(self, _exchange):
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(5)
            self.ended += 1

    async def aclose(self):
        """Hold nothing."""


def test_closing_waits_for_racers():
    """A client is closed when what it sent twice has ended twice, although its call ended long before."""

    async def main():
        transport = Slow()
        pipeline = await open_pipeline(WireSettings(transport=transport, hedge=HedgePolicy(after=0.01)))
        with pytest.raises(errors.DeadlineExceededError):
            await pipeline.call(request(timeout=1.0))
        await pipeline.aclose()
        return transport.ended

    assert run_virtual(main()) == 2


def test_closing_ends_racers():
    """A client that is closed while it hedges leaves nothing behind."""

    async def run(pipeline):
        call = asyncio.ensure_future(pipeline.call(request()))
        await asyncio.sleep(0.02)
        await pipeline.aclose()
        with pytest.raises(errors.MizzleError):
            await call

    hedged([], run, then=Reply.hang())
