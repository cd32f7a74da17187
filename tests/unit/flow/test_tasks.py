import asyncio
from functools import partial

import pytest

from mizzle_async.flow.tasks import Bell, run_lanes, run_together
from mizzle_async.testing.clock import run_virtual


class Killed(BaseException):
    """Stands for a process that ends."""


async def after(seconds, result):
    """Return a result, or raise it, after some time."""
    await asyncio.sleep(seconds)
    if isinstance(result, BaseException):
        raise result
    return result


def test_results_come_in_order():
    """Functions run at once, and their results come in the order of the functions."""

    async def main():
        started = asyncio.get_running_loop().time()
        assert await run_together([partial(after, 2, "a"), partial(after, 1, "b")]) == ["a", "b"]
        assert asyncio.get_running_loop().time() - started == pytest.approx(2)
        assert await run_together([]) == []

    run_virtual(main())


@pytest.mark.parametrize("error", [OSError("disk"), Killed(), asyncio.CancelledError()])
def test_first_failure_cancels_the_others_and_leaves_as_it_is(error):
    """The error is raised as it was, not in a group, and the other functions have ended by then."""
    ended = []

    async def other():
        try:
            await asyncio.sleep(10)
        finally:
            ended.append("other")

    async def main():
        with pytest.raises(type(error)) as caught:
            await run_together([other, partial(after, 1, error), partial(after, 1, OSError("second"))])
        assert caught.value is error or isinstance(error, asyncio.CancelledError)
        assert ended == ["other"]
        assert asyncio.get_running_loop().time() < 5

    run_virtual(main())


def test_lanes_end_by_themselves():
    """A lane that fails does not cancel the others; its error is raised as it was when all have ended."""
    numbers = iter(range(6))
    done = []

    async def lane():
        for number in numbers:
            await asyncio.sleep(1)
            if number == 1:
                raise OSError("disk")
            done.append(number)

    async def main():
        with pytest.raises(OSError, match="disk"):
            await run_lanes(lane, 3)
        assert sorted(done) == [0, 2, 3, 4, 5]

    run_virtual(main())


@pytest.mark.parametrize("run", [lambda lane: run_lanes(lane, 3), lambda lane: run_together([lane] * 3)])
def test_cancelled_caller_leaves_nothing_running(run, recwarn):
    """At whatever step the caller is cancelled, nothing runs on, and the cancellation leaves as it is."""
    running = 0

    async def lane():
        nonlocal running
        running += 1
        try:
            for _ in range(3):
                await asyncio.sleep(0)
        finally:
            running -= 1

    async def attempt(steps):
        task = asyncio.create_task(run(lane))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            assert running == 0
            return True
        return False

    steps = 0
    while run_virtual(attempt(steps)):
        steps += 1
    assert steps > 4
    assert not recwarn.list


def test_bell_wakes_those_who_wait():
    """All that wait when it rings are woken; who comes later waits for the next time."""

    async def main():
        bell = Bell()
        bell.ring()
        early = [asyncio.create_task(bell.wait()) for _ in range(2)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        bell.ring()
        late = asyncio.create_task(bell.wait())
        await asyncio.wait(early)
        await asyncio.sleep(1)
        assert not late.done()
        bell.ring()
        await late

    run_virtual(main())
