"""Deadlines and cancellation: one time limit for everything, and nobody's cancellation swallowed. Virtual clock."""

import asyncio
import random
from email.utils import formatdate

import anyio
import pytest

from mizzle_async import errors
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.network import MemoryNetwork
from mizzle_async.testing.replies import Ending, Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import Outcome, RepeatSafety, WireRequest
from mizzle_async.wire.exchange import Answer
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.session.credentials import StaticSource
from mizzle_async.wire.settings import Credentials, WireSettings

ITEM = Reply({"Item": {"a": {"S": "b"}}})
FAILING = Reply.error("InternalServerError", status=500)


def request(safety=RepeatSafety.READ, *, timeout=None):
    """Return a request of one kind."""
    return WireRequest("UpdateItem", b"{}", "orders", safety, timeout=timeout)


async def opened(url, **options):
    """Open a pipeline whose pauses are half of what they may be."""
    settings = WireSettings(
        endpoint_url=url,
        region_name="eu-west-1",
        credentials=("AKID", "secret"),
        retry=options.pop("retry", RetryPolicy(randomness=lambda: 0.5)),
        **options,
    )
    return await open_pipeline(settings)


def now():
    """Return the virtual time."""
    return asyncio.get_running_loop().time()


def fail(script, call, *, then=None, **options):
    """Play a script to one call that fails; return the error, the server and the virtual seconds it took."""

    async def main():
        async with ScriptedServer(script, then=then) as server:
            pipeline = await opened(server.url, **options)
            began = now()
            with pytest.raises(errors.MizzleError) as caught:
                await pipeline.call(call)
            seconds = now() - began
            assert pipeline.statistics().deadlines == 1
            await pipeline.aclose()
            return caught.value, server, seconds

    return run_virtual(main())


@pytest.mark.parametrize("safety", RepeatSafety)
@pytest.mark.parametrize(
    "trouble",
    [
        Reply.hang(),
        ITEM.cut_at(40, Ending.HANG),
        Reply(ITEM.payload, pause=60.0),
        Reply(ITEM.payload, drip=1, pause=0.2),
    ],
    ids=["hang", "cut", "late", "drip"],
)
def test_a_call_ends_at_its_deadline(safety, trouble):
    """A server that hangs or drips holds a call for exactly its timeout; the error has the caller's own number."""
    error, server, seconds = fail([trouble], request(safety, timeout=0.75))
    assert seconds == pytest.approx(0.75)
    assert len(server.requests) == 1
    if safety in {RepeatSafety.UNSAFE, RepeatSafety.GUARDED}:
        assert type(error) is errors.OutcomeUnknownError
        error = error.__cause__
    assert type(error) is errors.DeadlineExceededError
    assert isinstance(error, TimeoutError)
    assert (error.timeout, error.outcome, error.attempts) == (0.75, Outcome.UNKNOWN, 1)
    assert str(error) == "timeout of 0.75 seconds exceeded [UpdateItem, table 'orders', 1 attempt]"


def test_the_clients_timeout_holds_for_every_call():
    """Without a timeout of its own, a call has the client's."""
    error, _, seconds = fail([], request(), then=Reply.hang(), timeout=2.5)
    assert (error.timeout, seconds) == (2.5, pytest.approx(2.5))


def test_a_deadline_covers_every_attempt_and_pause():
    """Attempts and pauses share one timeout."""
    slow = Reply(FAILING.payload, 500, pause=0.4)
    error, server, seconds = fail([slow, slow], request(timeout=1.0), then=Reply.hang())
    assert type(error) is errors.DeadlineExceededError
    assert (len(server.requests), error.attempts, seconds) == (3, 3, pytest.approx(1.0))


def test_an_earlier_doubt_stays_a_doubt():
    """A write that may have been applied once is unknown, though the attempt at the deadline was never sent."""

    async def main():
        network = asyncio.get_running_loop().network
        async with ScriptedServer([Reply.close()]) as server:
            pipeline = await opened(server.url)

            async def cut_off():
                await server.until(lambda: bool(server.requests))
                network.silent.add("127.0.0.1")

            watcher = asyncio.ensure_future(cut_off())
            with pytest.raises(errors.DeadlineExceededError) as caught:
                await pipeline.call(request(RepeatSafety.IDEMPOTENT, timeout=1.0))
            await watcher
            await pipeline.aclose()
            return caught.value

    assert run_virtual(main()).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("safety", RepeatSafety)
def test_a_call_that_never_got_a_connection_was_not_sent(safety):
    """Waiting for a connection counts, and its end is certain: nothing was sent."""

    async def main():
        async with ScriptedServer(then=Reply.hang()) as server:
            pipeline = await opened(server.url, pool=PoolConfig(max_connections=1))
            first = asyncio.ensure_future(pipeline.call(request(timeout=100)))
            await server.until(lambda: bool(server.requests))
            began = now()
            with pytest.raises(errors.DeadlineExceededError) as caught:
                await pipeline.call(request(safety, timeout=1.5))
            seconds = now() - began
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            await pipeline.aclose()
            return caught.value, seconds, server

    error, seconds, server = run_virtual(main())
    assert (error.outcome, seconds, len(server.requests)) == (Outcome.NOT_SENT, pytest.approx(1.5), 1)


def test_connecting_counts():
    """A host that swallows everything holds a call for its timeout, and no longer."""
    network = MemoryNetwork()
    network.silent.add("127.0.0.1")

    async def main():
        pipeline = await opened("http://127.0.0.1:9")
        began = now()
        with pytest.raises(errors.DeadlineExceededError) as caught:
            await pipeline.call(request(timeout=1.0))
        seconds = now() - began
        await pipeline.aclose()
        return caught.value, seconds

    error, seconds = run_virtual(main(), network=network)
    assert (error.outcome, seconds) == (Outcome.NOT_SENT, pytest.approx(1.0))


def test_a_pool_that_keeps_calls_waiting_is_named():
    """With a limit of its own on waiting, the pool says so, and nothing is retried."""

    async def main():
        async with ScriptedServer(then=Reply.hang()) as server:
            pipeline = await opened(server.url, pool=PoolConfig(max_connections=1, wait_timeout=0.5))
            first = asyncio.ensure_future(pipeline.call(request(timeout=100)))
            await server.until(lambda: bool(server.requests))
            with pytest.raises(errors.PoolTimeoutError) as caught:
                await pipeline.call(request(RepeatSafety.UNSAFE))
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            await pipeline.aclose()
            return caught.value

    error = run_virtual(main())
    assert (error.outcome, error.attempts, error.operation) == (Outcome.NOT_SENT, 0, "UpdateItem")


class Punctual:
    """A transport whose answer comes in the very turn of the loop in which a deadline of one second fires."""

    def __init__(self, answer):
        self.answer = answer
        self.sent = 0

    async def exchange(self, exchange):
        self.sent += 1
        exchange.phase = Outcome.UNKNOWN
        loop = asyncio.get_running_loop()
        answer = loop.create_future()

        def arrive():
            exchange.phase = Outcome.ANSWERED
            answer.set_result(self.answer)

        # The loop takes timers that are nearer to each other than its clock can tell in one turn, in their order.
        loop.call_at(loop.time() + 1.0 - 5e-10, arrive)
        return await answer

    async def aclose(self):
        """Hold nothing."""


def test_an_answer_that_is_there_when_the_time_is_up_counts():
    """A whole answer that came in the same moment as the deadline is returned: nobody needs to wonder."""

    async def main():
        pipeline = await opened(None, transport=Punctual(Answer(200, {}, {"a": 1})), timeout=1.0)
        response = await pipeline.call(request(RepeatSafety.UNSAFE))
        await pipeline.aclose()
        return response

    assert run_virtual(main()).attempts == 1


class Rotating(StaticSource):
    """A source that has other credentials each time."""

    async def load(self, *, force):
        del force
        return Credentials(str(random.random()), "secret")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("InternalServerError", errors.InternalServerError),
        ("ExpiredTokenException", errors.ExpiredTokenError),
        ("RequestTimeTooSkewed", errors.InvalidSignatureError),
    ],
)
def test_a_refusal_that_is_there_when_the_time_is_up_is_the_last(code, error):
    """A refusal that came in the same moment as the deadline is raised: neither pause nor correction follows."""

    async def main():
        transport = Punctual(Answer(400, {"date": formatdate(0, usegmt=True)}, {}, code))
        pipeline = await opened(None, transport=transport, timeout=1.0, retry=RetryPolicy.no_backoff())
        pipeline._keeper._source = Rotating(Credentials("AKID", "secret"))
        with pytest.raises(error):
            await pipeline.call(request())
        await pipeline.aclose()
        return transport.sent

    assert run_virtual(main()) == 1


def test_the_callers_cancellation_arrives():
    """A cancelled call raises CancelledError, whatever it was doing, and leaves no trace in its task."""

    async def main():
        async with ScriptedServer([Reply.hang()], then=ITEM) as server:
            pipeline = await opened(server.url)
            call = asyncio.ensure_future(pipeline.call(request()))
            await server.until(lambda: bool(server.requests))
            call.cancel("enough")
            with pytest.raises(asyncio.CancelledError, match="enough"):
                await call
            assert (await pipeline.call(request())).payload == ITEM.payload
            await pipeline.aclose()

    run_virtual(main())


def test_a_cancellation_in_the_moment_of_the_deadline_arrives():
    """Where caller and deadline end a call at once, the caller's cancellation wins."""

    async def main():
        async with ScriptedServer(then=Reply.hang()) as server:
            pipeline = await opened(server.url)
            task = asyncio.ensure_future(pipeline.call(request(timeout=1.0)))
            await asyncio.sleep(0)
            loop = asyncio.get_running_loop()
            loop.call_at(loop.time() + 1.0, task.cancel)
            with pytest.raises(asyncio.CancelledError):
                await task
            assert task.cancelled()
            await pipeline.aclose()

    run_virtual(main())


def test_the_deadline_leaves_the_task_uncancelled():
    """After a deadline the task goes on as if nothing had happened, with asyncio's own timeouts around it intact."""

    async def main():
        async with ScriptedServer([Reply.hang(), Reply.hang()], then=ITEM) as server:
            pipeline = await opened(server.url)
            async with asyncio.timeout(100) as outer:
                with pytest.raises(errors.DeadlineExceededError):
                    await pipeline.call(request(timeout=1.0))
                assert asyncio.current_task().cancelling() == 0
                await asyncio.sleep(1)
            assert not outer.expired()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await pipeline.call(request(timeout=100))
            assert (await pipeline.call(request())).payload == ITEM.payload
            await pipeline.aclose()

    run_virtual(main())


def test_what_has_ended_has_no_deadline_any_more():
    """A task whose call was answered or refused goes on past the call's time."""

    async def main():
        async with ScriptedServer([Reply.error("ValidationException")], then=ITEM) as server:
            pipeline = await opened(server.url)
            with pytest.raises(errors.ValidationError):
                await pipeline.call(request(timeout=1.0))
            await pipeline.call(request(timeout=1.0))
            await asyncio.sleep(10)
            await pipeline.aclose()
            return now()

    assert run_virtual(main()) == 10


def test_a_cancelled_task_may_still_call():
    """A task that was cancelled and cleans up may call once more, and its deadline still is a deadline."""

    async def main():
        async with ScriptedServer([ITEM], then=Reply.hang()) as server:
            pipeline = await opened(server.url)
            seen = []

            async def worker():
                try:
                    await asyncio.sleep(1000)
                except asyncio.CancelledError:
                    seen.append((await pipeline.call(request())).payload)
                    with pytest.raises(errors.DeadlineExceededError) as caught:
                        await pipeline.call(request(timeout=1.0))
                    seen.append(caught.value.timeout)
                    raise

            task = asyncio.ensure_future(worker())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await pipeline.aclose()
            return seen

    assert run_virtual(main()) == [ITEM.payload, 1.0]


def test_scopes_of_anyio_work_around_calls():
    """A caller's anyio scope ends a call at its own time, and a call's deadline does not end the scope."""

    async def main():
        async with ScriptedServer([Reply.hang(), Reply.hang()], then=ITEM) as server:
            pipeline = await opened(server.url)
            with anyio.move_on_after(2.0) as scope:
                await pipeline.call(request(timeout=100))
            assert scope.cancelled_caught
            assert now() == pytest.approx(2.0)
            with anyio.move_on_after(50) as scope:
                with pytest.raises(errors.DeadlineExceededError):
                    await pipeline.call(request(timeout=1.0))
                await anyio.sleep(1)
            assert not scope.cancelled_caught
            assert (await pipeline.call(request())).payload == ITEM.payload
            await pipeline.aclose()

    run_virtual(main())


def sweep(cancel_at):
    """Cancel one call at its n-th step, with failures and pauses on its way; return whether it was still under way."""

    async def main():
        async with ScriptedServer([Reply.close(), FAILING, Reply.throttled()], then=ITEM) as server:
            pipeline = await opened(server.url, pool=PoolConfig(max_connections=2))
            loop = asyncio.get_running_loop()
            before = asyncio.all_tasks()
            task = loop.create_task(pipeline.call(request()))
            for _ in range(cancel_at):
                if task.done():
                    break
                await _one_step(loop)
            finished = task.done()
            task.cancel()
            outcome = (await asyncio.gather(task, return_exceptions=True))[0]
            assert isinstance(outcome, asyncio.CancelledError) is not finished
            statistics = pipeline.statistics()
            assert finished or statistics.quota == 500
            after = await asyncio.gather(*(pipeline.call(request()) for _ in range(6)))
            assert all(response.payload == ITEM.payload for response in after)
            pool = pipeline.statistics().pool
            assert (pool.in_use, pool.waiting, pool.opening) == (0, 0, 0)
            assert pool.open <= 2
            assert asyncio.all_tasks() == before
            await pipeline.aclose()
            return finished

    return run_virtual(main())


async def _one_step(loop):
    """Let the loop turn once: whatever is ready runs, and time passes only when nothing is."""
    await asyncio.sleep(0)
    if not loop._ready:
        soon = loop._scheduled[0].when() if loop._scheduled else loop.time()
        await asyncio.sleep(max(0.0, soon - loop.time()))


def test_cancelled_at_every_step():
    """Cancelled at each of its steps, a call raises CancelledError, gives its tokens back, and harms no later call."""
    steps = 0
    while not sweep(steps):
        steps += 1
    assert steps > 10


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
def test_a_call_without_any_time_sends_nothing(timeout):
    """What is over before it begins is not sent, and says so."""
    error, server, seconds = fail([], request(RepeatSafety.UNSAFE, timeout=timeout))
    assert type(error) is errors.DeadlineExceededError
    assert (error.outcome, error.attempts, server.requests, seconds) == (Outcome.NOT_SENT, 0, [], 0.0)


class Stubborn:
    """A transport that makes an error of its own of a cancellation: its connection was a stale one, it says."""

    def __init__(self):
        self.sent = 0

    async def exchange(self, exchange):
        self.sent += 1
        exchange.phase = Outcome.UNKNOWN
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            exchange.stale = True
            raise errors.TransportError("gave up", outcome=Outcome.UNKNOWN) from None

    async def aclose(self):
        """Hold nothing."""


def test_a_deadline_stays_a_deadline_whatever_a_transport_makes_of_it():
    """Where a transport swallows the cancellation the call still ends as timed out, its task uncancelled."""

    async def main():
        transport = Stubborn()
        pipeline = await opened(None, transport=transport)
        with pytest.raises(errors.DeadlineExceededError) as caught:
            await pipeline.call(request(timeout=1.0))
        assert asyncio.current_task().cancelling() == 0
        await pipeline.aclose()
        return caught.value.timeout, transport.sent

    assert run_virtual(main()) == (1.0, 1)
