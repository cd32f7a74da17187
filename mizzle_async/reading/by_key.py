"""Reading many items by key: each once, a hundred to a request, several requests at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Hashable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from mizzle_async.errors import DeadlineExceededError, MizzleError, ThrottledError
from mizzle_async.flow.pace import LAST_SECONDS, Lanes, Limiters, jittered
from mizzle_async.flow.ports import PacingPort
from mizzle_async.flow.report import BatchReport, UndoneWrite
from mizzle_async.flow.tasks import drop, run_together
from mizzle_async.flow.work import Pending
from mizzle_async.marshalling import ItemRecords
from mizzle_async.operations import GET_CHUNK, BatchGet, Target, check_timeout, use
from mizzle_async.types import Item

ModelT = TypeVar("ModelT")
KeyT = TypeVar("KeyT")
RowT = TypeVar("RowT")


@frozen(eq=False, repr=False, kw_only=True)
class ReadSettings:
    """How items are read.

    Attributes:
        consistent_read: Whether every write that was finished before is seen.
        concurrency: Requests under way at most.
        timeout: Seconds for each batch; None for the client's.
        limiters: What holds requests back.
        records: The lighter form that items may come in; None where they must be dicts.
    """

    consistent_read: bool = False
    concurrency: int = 8
    timeout: float | None = None
    limiters: Limiters = field(factory=Limiters)
    records: ItemRecords | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse a timeout that is no number."""
        check_timeout(self.timeout)


class BatchReader:
    """Reads chunks of keys, each until it is done or its time is up."""

    def __init__(self, owner: PacingPort, target: Target[Any], settings: ReadSettings) -> None:
        self._owner = owner
        self._target = target
        self._settings = settings
        self._timeout = owner.timeout if settings.timeout is None else settings.timeout
        self.lanes: Lanes = Lanes(settings.concurrency)
        self.report: BatchReport = BatchReport()

    async def read(self, keys: Sequence[Item]) -> list[Item]:
        """Read up to a hundred items; those that are missing are left out.

        Raises:
            BatchError: Some keys were left unprocessed until the time was up; the report names them.
            MizzleError: The service refused the request.
        """
        found: list[Item] = []
        await self.read_into(keys, found)
        return found

    async def read_into(self, keys: Sequence[Item], found: list[Item]) -> None:
        """Read up to a hundred items into a list, which has what was read even if not all was.

        Raises:
            BatchError: Some keys were left unprocessed until the time was up; the report names them.
            MizzleError: The service refused the request.
        """
        report = self.report
        limiters = self._settings.limiters
        consistent = self._settings.consistent_read
        clock = asyncio.get_running_loop().time
        ends = None
        unread = list(keys)
        attempt = 0
        while True:
            estimate = len(unread) * (1.0 if consistent else 0.5)
            taken = await limiters.admit(estimate) if limiters else []
            if ends is None:
                remaining = self._timeout  # exactly that: calls of one timeout share a timer
                ends = clock() + remaining
            else:
                remaining = max(ends - clock(), 0.001)
            operation = BatchGet(
                self._target,
                tuple(unread),
                consistent_read=consistent,
                report_capacity=bool(limiters),
                timeout=remaining,
                records=self._settings.records,
            )
            use(operation)  # a client that is closed never sends it
            failure: ThrottledError | None = None
            left: list[Item] = unread
            try:
                answer = await self._owner.send(operation)
            except ThrottledError as error:  # all were refused for their rate
                failure = error
            else:
                limiters.settle(taken, estimate, answer.units)
                report.consumed_capacity += answer.units or 0.0
                found += answer.items
                left = answer.unprocessed
            report.requests += 1
            if not left:
                self.lanes.succeeded()
                report.written += len(keys)
                return
            report.unprocessed += len(left)
            attempt = attempt + 1 if len(left) == len(unread) else 1
            unread = left
            remaining = ends - clock()
            if remaining < LAST_SECONDS:
                report.written += len(keys) - len(left)
                raise self._left(left, failure)
            if failure is not None or attempt > 1:
                self.lanes.slowed()
            await self._owner.pause(min(jittered(attempt, self._owner.random()), remaining / 2))

    def _left(self, keys: list[Item], failure: MizzleError | None) -> MizzleError:
        error = failure or DeadlineExceededError(
            f"the service left keys unprocessed for {self._timeout:g} seconds", timeout=self._timeout
        )
        for key in keys:
            self.report.note(UndoneWrite("get", self._target.table, key, error))
        return self.report.to_error("get_many")


async def read_items(
    owner: PacingPort,
    target: Target[Any],
    keys: Sequence[Item],
    *,
    consistent_read: bool = False,
    settings: ReadSettings | None = None,
) -> list[Item | None]:
    """Read items by key.

    Returns:
        The items in the order of the keys, None where there is none.
    """
    return await read_rows(owner, target, keys, list, settings or ReadSettings(consistent_read=consistent_read))


async def read_rows(
    owner: PacingPort,
    target: Target[Any],
    keys: Sequence[Item],
    decode: Callable[[Sequence[Item | None]], list[RowT]],
    settings: ReadSettings,
) -> list[RowT | None]:
    """Read items by key, and decode those of each request as they arrive: raw, an item takes several times its memory.

    Returns:
        The rows in the order of the keys, None where there is no item; a key that comes twice has a row for each time.
    """
    reader = BatchReader(owner, target, settings)
    identify_all = target.codec.identify_all
    names = identify_all(keys)
    wanted = list(dict(zip(names, keys, strict=True)).values())
    if len(wanted) < len(names):
        items = await read_rows(owner, target, wanted, list, settings)
        found = dict(zip(identify_all(wanted), items, strict=True))
        return [*decode(list(map(found.get, names)))]
    rows: dict[Hashable, RowT] = {}

    async def read(chunk: Sequence[Item]) -> None:
        items = await reader.read(chunk)
        rows.update(zip(identify_all(items), decode(items), strict=True))

    if len(wanted) <= GET_CHUNK:
        if wanted:
            await read(wanted)
    else:
        chunks = iter(range(0, len(wanted), GET_CHUNK))

        async def lane() -> None:
            for start in chunks:
                await reader.lanes.enter()
                try:
                    await read(wanted[start : start + GET_CHUNK])
                finally:
                    reader.lanes.leave()

        await run_together([lane() for _ in range(min(settings.concurrency, -(-len(wanted) // GET_CHUNK)))])
    return list(map(rows.get, names))


class GetMany(Pending, Generic[KeyT, ModelT]):
    """Items by key: ``await`` gives them in the order of the keys, ``async for`` as they arrive, each with its key."""

    def __init__(
        self,
        owner: PacingPort,
        target: Target[ModelT],
        keys: Iterable[tuple[KeyT, Item]],
        decode: Callable[[Sequence[Item | None]], list[ModelT | None]],
        settings: ReadSettings,
    ) -> None:
        self._owner = owner
        self._target = target
        self._keys = list(keys)
        self._decode = decode
        self._settings = settings
        super().__init__(f"get_many of {len(self._keys)} keys of {target.table!r}")

    def __await__(self) -> Generator[Any, Any, list[ModelT | None]]:
        return self.send().__await__()

    def send(self) -> Coroutine[Any, Any, list[ModelT | None]]:
        """Return a coroutine that reads everything into a list: for ``create_task`` and task groups.

        It raises `BatchError` where keys were left unprocessed until the time was up; its report names them.
        """
        self._used = True
        return self._read()

    async def _read(self) -> list[ModelT | None]:
        wanted = [item for _, item in self._keys]
        return await read_rows(self._owner, self._target, wanted, self._decode, self._settings)

    def __aiter__(self) -> GetManyIterator[KeyT, ModelT]:
        self._used = True
        return GetManyIterator(self._owner, self._target, self._keys, self._decode, self._settings)

    def __repr__(self) -> str:
        return f"<{self._description}>"


class GetManyIterator(AsyncIterator[tuple[KeyT, "ModelT | None"]], Generic[KeyT, ModelT]):
    """Keys with their items, None where there is none, as they arrive; a key that was asked for twice comes twice."""

    def __init__(
        self,
        owner: PacingPort,
        target: Target[ModelT],
        keys: Sequence[tuple[KeyT, Item]],
        decode: Callable[[Sequence[Item | None]], list[ModelT | None]],
        settings: ReadSettings,
    ) -> None:
        self._identify_all = target.codec.identify_all
        self._asked: dict[Hashable, list[KeyT]] = {}
        wanted: dict[Hashable, Item] = {}
        for name, (given, item) in zip(self._identify_all([item for _, item in keys]), keys, strict=True):
            wanted[name] = item
            self._asked.setdefault(name, []).append(given)
        self._wanted = list(wanted.items())
        self._decode = decode
        self._concurrency = settings.concurrency
        self._reader = BatchReader(owner, target, settings)
        self._started = 0
        self._tasks: dict[asyncio.Task[list[Item]], Sequence[tuple[Hashable, Item]]] = {}
        self._rows: deque[tuple[KeyT, ModelT | None]] = deque()

    def __aiter__(self) -> GetManyIterator[KeyT, ModelT]:
        return self

    async def __anext__(self) -> tuple[KeyT, ModelT | None]:
        while not self._rows:
            self._launch()
            if not self._tasks:
                raise StopAsyncIteration
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in self._tasks if task in done]:
                chunk = self._tasks.pop(task)
                try:
                    items = task.result()
                except BaseException:
                    await self.aclose()
                    raise
                self._arrived(chunk, items)
        return self._rows.popleft()

    def _launch(self) -> None:
        """Keep as many requests under way as the service bears: one chunk for each."""
        while self._started < len(self._wanted) and len(self._tasks) < self._reader.lanes.limit:
            chunk = self._wanted[self._started : self._started + GET_CHUNK]
            self._started += len(chunk)
            task = asyncio.get_running_loop().create_task(self._reader.read([item for _, item in chunk]))
            self._tasks[task] = chunk

    def _arrived(self, chunk: Sequence[tuple[Hashable, Item]], items: list[Item]) -> None:
        found = dict(zip(self._identify_all(items), items, strict=True))
        models = self._decode([found.get(name) for name, _ in chunk])
        for (name, _), model in zip(chunk, models, strict=True):
            self._rows += [(given, model) for given in self._asked[name]]

    async def aclose(self) -> None:
        """Stop what is under way, and wait until it has stopped."""
        tasks, self._tasks = list(self._tasks), {}
        self._started = len(self._wanted)
        self._rows.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __del__(self) -> None:
        for task in getattr(self, "_tasks", ()):
            drop(task)
