"""Units over several workers: the sum is that of one limiter, and the last busy one has all of it."""

import asyncio
from collections.abc import Sequence

import pytest

from mizzle_async.bulk.workers.grants import Bucket, GrantedLimiter
from mizzle_async.bulk.workers.messages import Asked, Returned
from mizzle_async.testing.clock import run_virtual


class Workers:
    """Workers whose pages cost more than a grant, and tell it when the answer comes."""

    def __init__(self, rate: float, pages: Sequence[float]) -> None:
        loop = asyncio.get_running_loop()
        self.bucket = Bucket(rate, asyncio.sleep, loop.time)
        self.consumed: list[float] = [0.0] * len(pages)
        self.pages = pages
        self.limiters = [self.limiter(number) for number in range(len(pages))]
        self.granting: set[asyncio.Task[None]] = set()

    def limiter(self, number: int) -> GrantedLimiter:
        """Return the limiter of a worker, whose messages go to the bucket."""

        async def grant(debt: float) -> None:
            self.limiters[number].receive(await self.bucket.grant(debt))

        def send(message: Asked | Returned) -> None:
            if isinstance(message, Returned):
                self.bucket.give_back(message.units)
                return
            task = asyncio.create_task(grant(message.debt))
            self.granting.add(task)
            task.add_done_callback(self.granting.discard)

        return GrantedLimiter("read", send)

    async def work(self, number: int, seconds: float) -> None:
        """Read page after page."""
        limiter, page = self.limiters[number], self.pages[number]
        async with asyncio.timeout(seconds):
            while True:
                taken = await limiter.admit(0.5)
                await asyncio.sleep(0.001)
                limiter.settle(taken, 0.5, page)
                self.consumed[number] += page

    async def run(self, seconds: float, busy: Sequence[int]) -> float:
        """Let some workers work, and return what all of them have consumed."""
        await asyncio.gather(*(self.work(number, seconds) for number in busy), return_exceptions=True)
        return sum(self.consumed)


@pytest.mark.parametrize("rate", [1_000.0, 4_000.0, 40_000.0])
def test_four_workers_keep_one_limit(rate: float):
    """Over ten seconds, within three hundredths and a grant of each; pages cost more than what is left of a grant."""

    async def main() -> float:
        workers = Workers(rate, [128.0, 128.0, 64.0, 32.0])
        return await workers.run(10.0, range(4))

    consumed = run_virtual(main())
    assert rate * 10 * 0.9 <= consumed <= rate * 10 * 1.03 + 4 * rate / 4


@pytest.mark.parametrize("rate", [100.0, 4_000.0])
def test_the_only_busy_worker_has_all_units(rate: float):
    """Shares are not fixed: three idle workers leave theirs to the fourth."""

    async def main() -> float:
        return await Workers(rate, [20.0] * 4).run(10.0, [2])

    consumed = run_virtual(main())
    assert rate * 10 * 0.9 <= consumed <= rate * 10 * 1.03 + rate / 2


def test_a_debt_is_paid_before_anything_is_granted():
    """A page of a thousand units at a hundred a second is followed by ten seconds without one."""

    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        workers = Workers(100.0, [1_000.0, 1.0])
        first, second = workers.limiters
        taken = await first.admit(0.5)
        first.settle(taken, 0.5, 1_000.0)
        begun = loop.time()
        waiting = asyncio.create_task(first.admit(0.5))
        await asyncio.sleep(0)
        await second.admit(0.5)
        after = loop.time() - begun
        await waiting
        return after, loop.time() - begun

    first, both = run_virtual(main())
    assert first >= 9.5
    assert both >= first


def test_units_that_are_not_needed_go_back_and_a_cancelled_wish_is_no_loss():
    """An idle worker keeps nothing; the grant that a cancelled request has asked for serves the next one."""

    async def main() -> None:
        workers = Workers(1_000.0, [1.0])
        (limiter,) = workers.limiters
        limiter.settle(await limiter.admit(1.0), 1.0, 1.0)
        assert limiter._units == 249.0
        limiter.give_back()
        assert limiter._units == 0.0
        asking = asyncio.create_task(limiter.admit(1.0))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.sleep(1)
        assert await limiter.admit(1.0) > 0
        assert "GrantedLimiter of read units" in repr(limiter)
        assert "Bucket 1000 units a second" in repr(workers.bucket)

    run_virtual(main())
