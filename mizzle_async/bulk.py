"""Many items at once, first version: plain chunks, what is left unprocessed is sent again after a pause."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from attrs import define

from mizzle_async.concurrency import run_together
from mizzle_async.operations import GET_CHUNK, WRITE_CHUNK, BatchGet, BatchWrite, Target
from mizzle_async.types import Item, Sender

ModelT = TypeVar("ModelT")

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0


@define(eq=False)
class BatchReport:
    """What a bulk write did.

    Attributes:
        written: Items written.
    """

    written: int = 0


class BulkOwner(Sender, Protocol):
    """What bulk work needs of a client."""

    async def pause(self, seconds: float, /) -> None:
        """Sleep."""
        ...


async def read_items(
    owner: BulkOwner, target: Target[Any], keys: Sequence[Item], *, consistent_read: bool = False
) -> list[Item | None]:
    """Read items by key.

    Returns:
        The items in the order of the keys, None where there is none.
    """
    identify = target.codec.identify
    wanted = {identify(key): key for key in keys}
    found: dict[Any, Item] = {}
    todo = list(wanted.values())
    attempt = 0
    while todo:
        answer = await owner.send(BatchGet(target, tuple(todo[:GET_CHUNK]), consistent_read=consistent_read))
        found |= {identify(item): item for item in answer.items}
        todo = todo[GET_CHUNK:] + answer.unprocessed
        attempt = attempt + 1 if answer.unprocessed else 0
        if attempt:
            await owner.pause(jittered(attempt))
    return [found.get(identify(key)) for key in keys]


async def write_items(
    owner: BulkOwner,
    target: Target[ModelT],
    items: Iterable[ModelT] | AsyncIterable[ModelT],
    *,
    concurrency: int,
    stamp: Any,
) -> BatchReport:
    """Put items in chunks of 25, several at once, as fast as the source gives them."""
    report = BatchReport()
    source = _Iterated(items)

    async def work() -> None:
        while chunk := await source.take(WRITE_CHUNK):
            requests = [{"PutRequest": {"Item": stamp(target.codec.encode(item))}} for item in chunk]
            attempt = 0
            while requests:
                answer = await owner.send(BatchWrite(target, tuple(requests)))
                report.written += len(requests) - len(answer.unprocessed)
                requests = answer.unprocessed
                attempt += 1
                if requests:
                    await owner.pause(jittered(attempt))

    await run_together(work() for _ in range(concurrency))
    return report


def jittered(attempt: int) -> float:
    """Return the pause before what was left unprocessed is sent again, with full jitter."""
    return random.uniform(0.0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt))  # noqa: S311  (no secret)


class _Iterated:
    """A source that several workers take from, one at a time."""

    def __init__(self, items: Any) -> None:
        self._sync = None if isinstance(items, AsyncIterable) else iter(items)
        self._async: AsyncIterator[Any] | None = aiter(items) if isinstance(items, AsyncIterable) else None
        self._lock = asyncio.Lock()

    async def take(self, most: int) -> list[Any]:
        chunk: list[Any] = []
        async with self._lock:
            while len(chunk) < most:
                try:
                    chunk.append(next(self._sync) if self._sync is not None else await anext(self._async))  # type: ignore[arg-type]
                except (StopIteration, StopAsyncIteration):
                    break
        return chunk
