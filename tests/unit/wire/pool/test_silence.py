"""The watch over silent connections: who is given up when, and how many timers that takes. On the virtual clock."""

import asyncio

from mizzle_async.testing.clock import run_virtual
from mizzle_async.wire.pool.silence import SilenceWatch


class Waiting:
    """The little of a connection that the watch looks at."""

    def __init__(self, *, progress=()):
        self.silent_since = asyncio.get_running_loop().time()
        self.patience = None
        self.is_waiting = True
        self._progress = list(progress)

    def is_silent(self, now):
        """Make the scripted progress, one step for each look."""
        if self._progress:
            self._progress.pop()
            self.silent_since = now
            return False
        return True


def watched(main):
    """Run a scenario with a watch; return when each connection was given up, in order."""

    async def run():
        loop = asyncio.get_running_loop()
        connections, given_up = [], []

        def give_up(connection):
            connection.is_waiting = False
            given_up.append((connections.index(connection), loop.time()))

        watch = SilenceWatch(loop, connections, give_up)

        def begin(patience, **options):
            connection = Waiting(**options)
            connection.patience = patience
            connections.append(connection)
            if loop.time() + patience < watch.due:
                watch.begin(loop.time() + patience)
            return connection

        def timers():
            return [timer for timer in loop._scheduled if not timer.cancelled()]

        await main(begin, timers, watch)
        return given_up

    return run_virtual(run())


def test_each_connection_is_given_up_when_its_patience_has_passed():
    """Exchanges that began at different times, with patience of different lengths, end each at its own moment."""

    async def main(begin, _timers, _watch):
        begin(3.0)
        await asyncio.sleep(1)
        begin(9.0)
        begin(0.5)
        await asyncio.sleep(20)

    assert watched(main) == [(2, 1.5), (0, 3.0), (1, 10.0)]


def test_one_timer_serves_all_and_none_is_left():
    """However many exchanges are under way there is one timer, and none once nothing is."""

    async def main(begin, timers, _watch):
        connections = [begin(3.0) for _ in range(50)]
        assert len(timers()) == 1
        for connection in connections[1:]:
            connection.is_waiting = False
        await asyncio.sleep(2)
        begin(3.0)
        assert len(timers()) == 1
        await asyncio.sleep(10)
        assert timers() == []

    assert [number for number, _ in watched(main)] == [0, 50]


def test_an_answered_exchange_is_left_alone():
    """The timer that was set for an exchange that is over gives up nothing, and is not set again."""

    async def main(begin, timers, _watch):
        begin(3.0).is_waiting = False
        await asyncio.sleep(10)
        assert timers() == []

    assert watched(main) == []


def test_progress_ends_a_silence():
    """A connection that moved since the last look has as long again."""

    async def main(begin, _timers, _watch):
        begin(3.0, progress=[1, 1])
        await asyncio.sleep(20)

    assert watched(main) == [(0, 9.0)]


def test_a_connection_without_patience_is_never_given_up():
    """An exchange that has no limit is not watched, beside one that has."""

    async def main(begin, _timers, _watch):
        begin(3.0).patience = None
        begin(4.0)
        await asyncio.sleep(20)

    assert watched(main) == [(1, 4.0)]


def test_closing_leaves_no_timer():
    """A watch that is closed, with exchanges under way, gives up nothing any more."""

    async def main(begin, timers, watch):
        begin(3.0)
        watch.close()
        assert timers() == []
        watch.close()
        await asyncio.sleep(20)

    assert watched(main) == []
