"""Many items at once, first version: plain chunks, what is left unprocessed is sent again after a pause."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence, Sized
from itertools import islice
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
    names = [identify(key) for key in keys]
    wanted = dict(zip(names, keys, strict=True))
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
    return [found.get(name) for name in names]


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

    async def work(chunk: list[ModelT]) -> None:
        while chunk:
            requests = [{"PutRequest": {"Item": stamp(target.codec.encode(item))}} for item in chunk]
            attempt = 0
            while requests:
                answer = await owner.send(BatchWrite(target, tuple(requests)))
                report.written += len(requests) - len(answer.unprocessed)
                requests = answer.unprocessed
                attempt += 1
                if requests:
                    await owner.pause(jittered(attempt))
            chunk = await source.take(WRITE_CHUNK)

    async def begin() -> None:
        await work(await source.take(WRITE_CHUNK))

    first = await source.take(WRITE_CHUNK)
    if source.is_spent():
        await work(first)  # one request, or none: worth no task
    else:
        await run_together([work(first), *(begin() for _ in range(concurrency - 1))])
    return report


def jittered(attempt: int) -> float:
    """Return the pause before what was left unprocessed is sent again, with full jitter."""
    return random.uniform(0.0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt))  # noqa: S311  (no secret)


class _Iterated:
    """A source that several workers take from, one at a time."""

    def __init__(self, items: Any) -> None:
        self._sync: Iterator[Any] | None = None if isinstance(items, AsyncIterable) else iter(items)
        self._async: AsyncIterator[Any] | None = aiter(items) if isinstance(items, AsyncIterable) else None
        self._lock = asyncio.Lock()
        self._left = len(items) if isinstance(items, Sized) else None

    def is_spent(self) -> bool:
        """Tell whether it is known that nothing is left."""
        return self._left == 0

    async def take(self, most: int) -> list[Any]:
        if self._sync is not None:
            taken = list(islice(self._sync, most))  # nobody comes between: there is no await
            if self._left is not None:
                self._left -= len(taken)
            return taken
        chunk: list[Any] = []
        async with self._lock:
            while self._async is not None and len(chunk) < most:
                try:
                    chunk.append(await anext(self._async))
                except StopAsyncIteration:
                    break
        return chunk
