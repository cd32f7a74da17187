"""Parts of an input: their lanes, their order, and the rows that are done without a gap."""

import asyncio
import threading
from collections.abc import Generator

import pytest

from mizzle_async.bulk.workers.decks import BLOCKS_AHEAD, Block, ListDeck, Part, StreamDeck
from mizzle_async.bulk.workers.messages import Progress
from mizzle_async.flow.report import BatchReport, UndoneWrite


class Deal:
    """A deck of blocks, and the event that it wakes the loop by."""

    def __init__(self, blocks: Generator[Block, None, None], **earlier) -> None:
        self.deck = StreamDeck(blocks, **earlier)
        self._woken = asyncio.Event()
        self.deck.begin(self._woken.set)

    async def take(self) -> Part | None:
        """Return the next part, as soon as there is one or no more will come."""
        while (part := self.deck.take()) is None and self.deck.is_open and not self.deck._busy:
            await self._woken.wait()
            self._woken.clear()
        return part

    async def more(self) -> None:
        """Wait until something has come."""
        await self._woken.wait()
        self._woken.clear()


def block(rows: int, *lanes: int) -> Block:
    """Return a block whose payloads name their lane and their rows."""
    return Block({lane: (lane, rows) for lane in lanes}, rows, f"digest {rows}")


def done(part: Part, **report: int) -> Part:
    """Return a part at its end."""
    part.report = BatchReport(**report)
    part.is_done = True
    return part


async def test_parts_of_a_lane_are_done_one_after_the_other():
    """A second part of a lane waits for the first, those of other lanes do not, and the earliest comes first."""
    deal = Deal(block(each, 0, 1) for each in (10, 20))
    first, second = await deal.take(), await deal.take()
    while deal.deck._count < 4:
        await deal.more()
    assert (first.payload, second.payload, deal.deck.take()) == ((0, 10), (1, 10), None)
    deal.deck.finished(done(second, written=3))
    third = deal.deck.take()
    assert third.payload == (1, 20)
    deal.deck.give_back(third)
    assert deal.deck.take() is third
    assert (deal.deck.rows, deal.deck.report.written, deal.deck.is_complete) == (0, 3, False)
    deal.deck.finished(done(third, written=4))
    assert deal.deck.rows == 0
    deal.deck.finished(done(first, written=5))
    assert (deal.deck.rows, deal.deck.digest) == (10, "digest 10")
    last = deal.deck.take()
    deal.deck.finished(done(last, written=6))
    while not deal.deck.is_complete:
        await deal.more()
    assert (deal.deck.rows, deal.deck.report.written, deal.deck.is_open) == (20, 18, False)


async def test_a_part_that_is_not_complete_ends_the_input():
    """No further part is dealt, and the rows that are done end before it."""
    deal = Deal((block(each, 0, 1) for each in (10, 20)), rows=5, digest="digest 5")
    first, second = await deal.take(), await deal.take()
    first.report = BatchReport(failed=[UndoneWrite("put", "t", None, ValueError())])
    deal.deck.finished(first)
    assert (deal.deck.is_open, deal.deck.take()) == (False, None)
    deal.deck.finished(done(second, written=1))
    assert (deal.deck.rows, deal.deck.digest, deal.deck.is_complete) == (5, "digest 5", False)
    report = deal.deck.report
    assert (report.skipped, report.written, len(report.failed)) == (5, 1, 1)


async def test_few_blocks_are_read_ahead():
    """Memory does not grow with the input: the reader waits for blocks that are done, and ends with the deck."""
    read, ended = [], threading.Event()

    def blocks() -> Generator[Block, None, None]:
        try:
            for number in range(1, 100):
                read.append(number)
                yield block(number, 0)
        finally:
            ended.set()

    deal = Deal(blocks())
    for number in range(1, 20):
        part = await deal.take()
        assert part.payload == (0, number)
        assert len(read) <= number + BLOCKS_AHEAD
        deal.deck.finished(done(part))
    deal.deck.close()
    assert await asyncio.to_thread(ended.wait, 30)
    assert len(read) < 30


async def test_an_error_of_the_input_is_raised_when_all_before_is_done():
    """Rows that were read are dealt first."""

    def blocks() -> Generator[Block, None, None]:
        yield block(10, 0)
        raise OSError("the disk")

    deal = Deal(blocks())
    part = await deal.take()
    deal.deck.finished(done(part))
    while deal.deck.is_open:
        await deal.more()
    assert (deal.deck.rows, deal.deck.is_complete) == (10, False)
    with pytest.raises(OSError, match="the disk"):
        deal.deck.check()


def test_a_list_has_the_parts_that_are_not_done():
    """Those of an earlier run are not dealt, and a part that comes back is the next one."""
    parts = [Part(number, None, is_done=number == 0) for number in range(3)]
    deck = ListDeck(parts)
    assert deck.workers_limit == 2
    first = deck.take()
    assert first is parts[1]
    deck.give_back(first)
    assert [deck.take(), deck.take(), deck.take()] == [parts[1], parts[2], None]
    assert not deck.is_open


def test_a_report_adds_up_what_is_under_way_and_nothing_twice():
    """A part that was given back still counts, one that is done is added once, and then not looked at again."""
    parts = [Part(number, None) for number in range(3)]
    deck = ListDeck(parts)
    first, second = deck.take(), deck.take()
    first.report, second.report = BatchReport(written=5), BatchReport(written=7)
    assert deck.report.written == 12
    first.advance(Progress(BatchReport(written=4), "state", has_state=True))
    first.report = BatchReport(written=5)
    first.lose_worker()
    deck.give_back(first)
    assert deck.report.written == 11
    assert deck.take() is first
    first.report = BatchReport(written=2)
    deck.finished(done(second, written=8))
    assert deck.report.written == 14
    deck.finished(first)
    second.report = BatchReport(written=100)
    assert deck.report.written == 14
