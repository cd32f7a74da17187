"""Deadlines: which calls end when, and what is left in the loop."""

import asyncio

import pytest

from mizzle_async.testing.clock import run_virtual
from mizzle_async.types import RepeatSafety, WireRequest
from mizzle_async.wire.calls import Call
from mizzle_async.wire.deadlines import Deadlines

REQUEST = WireRequest("GetItem", b"{}", "orders", RepeatSafety.READ)
USUAL = 10.0


async def under_way(deadlines, seconds, timeout=USUAL):
    """Be a call that takes so many seconds; return when it ended, and whether its time was up."""
    loop = asyncio.get_running_loop()
    call = Call(REQUEST, asyncio.current_task(), loop.time(), timeout)
    deadlines.begin(call)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        assert call.ended_by_deadline()
    finally:
        deadlines.end(call)
    return loop.time(), call.expired


async def after(seconds, coroutine):
    """Begin something later."""
    await asyncio.sleep(seconds)
    return await coroutine


def run(*calls):
    """Run calls, given as (begin, seconds, timeout), in virtual time; return their ends, and what is left."""

    async def main():
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop, USUAL)
        began = loop.time()
        ended = await asyncio.gather(
            *(after(begin, under_way(deadlines, seconds, timeout)) for begin, seconds, timeout in calls)
        )
        left = [timer for timer in loop._scheduled if not timer.cancelled()]
        assert repr(deadlines) == "<Deadlines of 0 calls>"
        return [(pytest.approx(when - began), expired) for when, expired in ended], left, set(deadlines._queues)

    return run_virtual(main())


def test_each_call_ends_at_its_own_deadline():
    """Calls that began at different times end at different times, though one timer serves them."""
    ended, _, _ = run((0, 99, USUAL), (1, 99, USUAL), (4, 99, USUAL))
    assert ended == [(10, True), (11, True), (14, True)]


def test_a_call_that_ends_early_does_not_end_its_followers():
    """The timer that was set for a call that is over finds the next one, and is set for it."""
    ended, _, _ = run((0, 2, USUAL), (1, 99, USUAL), (3, 1, USUAL))
    assert ended == [(2, False), (11, True), (4, False)]


def test_timeouts_of_all_lengths_are_kept():
    """A call's own timeout is kept beside the usual one, whichever is longer."""
    ended, _, queues = run((0, 99, USUAL), (0, 99, 3.0), (0, 99, 30.0), (1, 5, 3.0))
    assert ended == [(10, True), (3, True), (30, True), (4, True)]
    assert queues == {USUAL}


def test_one_idle_timer_is_left():
    """When no call is under way the loop holds one timer, of the usual timeout, until it fires; other ones are gone."""
    _, left, _ = run((0, 1, USUAL), (0.5, 2, USUAL), (1, 1, 5.0))
    assert [timer.when() for timer in left] == [10.0]
    _, left, _ = run((0, 1, USUAL), (20, 1, 5.0))
    assert left == []


def test_the_timer_stays_armed_between_calls():
    """A hundred calls one after another set one timer, and the call that is under way when it fires has its own end."""

    async def main():
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop, USUAL)
        armed = []
        original = loop.call_at

        def call_at(when, function, *arguments, **options):
            if function == deadlines._fire:
                armed.append(when)
            return original(when, function, *arguments, **options)

        loop.call_at = call_at
        for _ in range(100):
            await under_way(deadlines, 0.09)
        last = await under_way(deadlines, 99)
        return armed, last

    armed, last = run_virtual(main())
    assert armed == pytest.approx([10.0, 19.0])
    assert last == (pytest.approx(19.0), True)


def test_closing_leaves_no_timer():
    """When its client is closed, neither the idle timer is left nor that of a call under way."""

    async def main():
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop, USUAL)
        await under_way(deadlines, 1)
        deadlines.begin(Call(REQUEST, asyncio.current_task(), loop.time(), 3.0))
        deadlines.close()
        return [timer for timer in loop._scheduled if not timer.cancelled()]

    assert run_virtual(main()) == []


def test_one_timer_serves_all_calls_of_one_timeout():
    """However many calls are under way, and whichever of them ends first, the loop holds one timer for them."""

    async def main():
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop, USUAL)
        calls = []
        for _ in range(100):
            await asyncio.sleep(0.01)
            calls.append(Call(REQUEST, asyncio.current_task(), loop.time(), USUAL))
            deadlines.begin(calls[-1])
        timers = [len(loop._scheduled)]
        for call in calls[:50]:
            deadlines.end(call)
        timers.append(len(loop._scheduled))
        for call in calls[50:]:
            deadlines.end(call)
        return timers

    assert run_virtual(main()) == [1, 1]


def test_ending_twice_is_nothing():
    """A call that was ended already is not known any more."""

    async def main():
        deadlines = Deadlines(asyncio.get_running_loop(), USUAL)
        call = Call(REQUEST, asyncio.current_task(), 0.0, 3.0)
        deadlines.begin(call)
        deadlines.end(call)
        deadlines.end(call)

    run_virtual(main())
