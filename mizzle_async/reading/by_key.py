"""Reading many items by key: each once, a hundred to a request, several requests at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Hashable,
    Iterable,
    Sequence,
)
from itertools import chain
from typing import Any, Generic, TypeAlias, TypeVar, overload

from attrs import evolve, field

from mizzle_async.errors import ExpressionError, MizzleError, ThrottledError
from mizzle_async.expressions import AttributePath
from mizzle_async.flow.pace import Lanes, Limiters
from mizzle_async.flow.ports import PacingPort, TaskPort
from mizzle_async.flow.repeat import RepeatedBatch
from mizzle_async.flow.report import BatchReport, UndoneWrite
from mizzle_async.flow.tasks import drop, run_together
from mizzle_async.flow.work import Pending
from mizzle_async.marshalling import ItemRecords
from mizzle_async.operations import Meter, Target, check_timeout, use
from mizzle_async.operations.batches import GET_CHUNK, BatchAnswer, BatchGet
from mizzle_async.operations.reads.projected_keys import projection_members
from mizzle_async.operations.reads.projection import Projection, projection_of
from mizzle_async.types import Item, WirePayload
from mizzle_async.values import transient

ModelT = TypeVar("ModelT")
KeyT = TypeVar("KeyT")
RowT = TypeVar("RowT")
V1 = TypeVar("V1")
V2 = TypeVar("V2")
V3 = TypeVar("V3")
V4 = TypeVar("V4")
V5 = TypeVar("V5")
V6 = TypeVar("V6")

NamedKey: TypeAlias = tuple[Hashable, Item]
"""A key after its identity, as the table's codec makes it."""

NamedKeys: TypeAlias = Sequence[NamedKey]
"""Some keys of one table, each once."""


@transient(eq=False, repr=False, kw_only=True)
class ReadSettings:
    """The options of reading by key.

    Attributes:
        consistent_read: Whether every write that was finished before is seen.
        concurrency: Requests under way at most.
        timeout: Seconds until the next item of a batch is read, or None for the client's.
        limiters: Hold requests back.
        meter: Counts requests and units as well, or None for the report of the reading alone.
        records: The lighter form that items may come in, or None where they must be dicts.
        projection: The members of a request that ask for some attributes only, or None for all.
    """

    consistent_read: bool = False
    concurrency: int = 8
    timeout: float | None = None
    limiters: Limiters = field(factory=Limiters)
    meter: Meter | None = None
    records: ItemRecords | None = None
    projection: WirePayload | None = None

    def __attrs_post_init__(self) -> None:
        """Raise an error unless the timeout is a number."""
        check_timeout(self.timeout)


class BatchReader:
    """Reads chunks of keys, each until it is done or its time is up.

    Args:
        owner: The client.
        target: The table.
        settings: How the items are read.
    """

    def __init__(self, owner: PacingPort, target: Target[Any], settings: ReadSettings) -> None:
        self.owner = owner
        self.target = target
        self.settings = settings
        self.timeout: float = owner.timeout if settings.timeout is None else settings.timeout
        self.lanes: Lanes = Lanes(settings.concurrency, GET_CHUNK)
        self.report: BatchReport = BatchReport()
        self.meters: tuple[Meter, ...] = (self.report,) if settings.meter is None else (self.report, settings.meter)

    async def read(self, keys: NamedKeys) -> dict[Hashable, Item]:
        """Read up to a hundred items. Missing ones are left out.

        Raises:
            BatchError: Some keys were left unprocessed until the time was up. The report names them.
            MizzleError: The service refused the request.
        """
        items: dict[Hashable, Item] = {}
        await self.read_into(keys, items)
        return items

    async def read_into(self, keys: NamedKeys, items: dict[Hashable, Item]) -> None:
        """Read up to a hundred items into a dict, which has those that were read even if not all were.

        Args:
            keys: The keys, each once.
            items: The items by the identities of their keys.

        Raises:
            BatchError: Some keys were left unprocessed until the time was up. The report names them.
            MizzleError: The service refused the request.
        """
        await _KeyBatch(self, keys, items).run()


class _KeyBatch(RepeatedBatch[NamedKey]):
    """Up to a hundred keys of one table."""

    def __init__(self, reader: BatchReader, keys: NamedKeys, items: dict[Hashable, Item]) -> None:
        super().__init__(reader.owner, reader.lanes, reader.settings.limiters, reader.timeout, list(keys))
        self._reader = reader
        self._items = items

    def estimate(self, todo: list[NamedKey]) -> float:
        """Return the read units of small items."""
        return len(todo) * (1.0 if self._reader.settings.consistent_read else 0.5)

    def send(self, todo: list[NamedKey], timeout: float) -> Awaitable[BatchAnswer]:
        """Send one request."""
        settings = self._reader.settings
        operation = BatchGet(
            self._reader.target,
            dict(todo),
            consistent_read=settings.consistent_read,
            report_capacity=True,
            timeout=timeout,
            records=settings.records,
            projection=settings.projection,
        )
        use(operation)  # a client that is closed never sends it
        for meter in self._reader.meters:
            meter.count_request(reads=True)
        return self._reader.owner.send(operation)

    def accepted(self, todo: list[NamedKey], answer: BatchAnswer) -> None:
        """Keep the items."""
        report = self._reader.report
        for meter in self._reader.meters:
            meter.count_units(answer.units or 0.0, reads=True)
        report.written += len(todo) - len(answer.unprocessed)
        self._items.update(answer.items)

    def unprocessed(self, left: list[NamedKey], failure: MizzleError | None) -> None:  # noqa: ARG002  (both are sent again)
        """Count keys that are sent again."""
        self._reader.report.unprocessed += len(left)

    def repeats(self, failure: MizzleError) -> bool:
        """Return whether the service throttles: it refused all keys for their rate."""
        return isinstance(failure, ThrottledError)

    def throttled(self, failure: MizzleError | None, attempt: int) -> bool:
        """Return whether keys were left for their rate: the first time it may be for the size of the answer."""
        return failure is not None or attempt > 1

    def give_up(self, left: list[NamedKey], failure: MizzleError | None) -> None:
        """Raise the error of the keys that were not read."""
        if failure is not None and not self.repeats(failure):
            raise failure
        report, error = self._reader.report, failure or self.too_late()
        for _, key in (*left, *chain.from_iterable(reversed(self._parts))):
            report.note(UndoneWrite("get", self._reader.target.table, key, error))
        raise report.to_error("get_many")


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
        The rows in the order of the keys, None where there is no item. A key that comes twice has a row for each time.
    """
    names = target.codec.identify_all(keys)
    asked = dict(zip(names, keys, strict=True))
    if len(asked) < len(names):
        items = await read_rows(owner, target, list(asked.values()), list, settings)
        by_name = dict(zip(asked, items, strict=True))
        return [*decode(list(map(by_name.get, names)))]
    reader = BatchReader(owner, target, settings)
    wanted = list(asked.items())
    rows: dict[Hashable, RowT] = {}

    async def read(chunk: NamedKeys) -> None:
        items = await reader.read(chunk)
        rows.update(zip(items, decode(list(items.values())), strict=True))

    if len(wanted) <= GET_CHUNK:
        if wanted:
            await read(wanted)
    else:
        chunks = iter(range(0, len(wanted), GET_CHUNK))

        async def lane() -> None:
            for start in chunks:
                await read(wanted[start : start + GET_CHUNK])

        await run_together([lane] * min(settings.concurrency, -(-len(wanted) // GET_CHUNK)))
    return list(map(rows.get, names))


class GetMany(Pending, Generic[KeyT, ModelT]):
    """Items by key: ``await`` gives them in the order of the keys, ``async for`` as they arrive, each with its key."""

    def __init__(
        self,
        owner: TaskPort,
        target: Target[ModelT],
        keys: Iterable[tuple[KeyT, Item]],
        decode: Callable[[Sequence[Item | None]], list[ModelT | None]],
        settings: ReadSettings,
        *,
        decode_rows: Callable[[Projection], Callable[[Sequence[Item | None]], list[Any]]] | None = None,
    ) -> None:
        self._owner = owner
        self._target = target
        self._keys = list(keys)
        self._decode = decode
        self._decode_rows = decode_rows
        self._settings = settings
        super().__init__(f"get_many of {len(self._keys)} keys of {target.table!r}")

    @overload
    def project(
        self,
        first: AttributePath[ModelT, V1],
        /,
    ) -> GetMany[KeyT, tuple[V1]]: ...
    @overload
    def project(
        self,
        first: AttributePath[ModelT, V1],
        second: AttributePath[ModelT, V2],
        /,
    ) -> GetMany[KeyT, tuple[V1, V2]]: ...
    @overload
    def project(
        self,
        first: AttributePath[ModelT, V1],
        second: AttributePath[ModelT, V2],
        third: AttributePath[ModelT, V3],
        /,
    ) -> GetMany[KeyT, tuple[V1, V2, V3]]: ...
    @overload
    def project(
        self,
        first: AttributePath[ModelT, V1],
        second: AttributePath[ModelT, V2],
        third: AttributePath[ModelT, V3],
        fourth: AttributePath[ModelT, V4],
        /,
    ) -> GetMany[KeyT, tuple[V1, V2, V3, V4]]: ...
    @overload
    def project(
        self,
        first: AttributePath[ModelT, V1],
        second: AttributePath[ModelT, V2],
        third: AttributePath[ModelT, V3],
        fourth: AttributePath[ModelT, V4],
        fifth: AttributePath[ModelT, V5],
        /,
    ) -> GetMany[KeyT, tuple[V1, V2, V3, V4, V5]]: ...
    @overload
    def project(
        self,
        first: AttributePath[ModelT, V1],
        second: AttributePath[ModelT, V2],
        third: AttributePath[ModelT, V3],
        fourth: AttributePath[ModelT, V4],
        fifth: AttributePath[ModelT, V5],
        sixth: AttributePath[ModelT, V6],
        /,
    ) -> GetMany[KeyT, tuple[V1, V2, V3, V4, V5, V6]]: ...
    @overload
    def project(self, *paths: AttributePath[ModelT, Any]) -> GetMany[KeyT, tuple[Any, ...]]: ...
    def project(self, *paths: Any) -> Any:
        """Read some attributes only, as tuples in the order of the paths.

        An absent attribute has the value that an instance would have: its default, an empty set, or None. It saves
        traffic and decoding, not read units. Keys travel too.

        Args:
            *paths: The attributes, such as ``Order.total``.

        Raises:
            ExpressionError: A path is another entity's, or leads nowhere, or this is projected already.
        """
        self._used = True
        target = self._target
        if self._decode_rows is None:
            raise ExpressionError(f"{target.schema.entity}: .project() is said twice: give all paths at once")
        projection = projection_of(target.schema, paths)
        settings = evolve(self._settings, records=None, projection=projection_members(target, projection))
        return GetMany(self._owner, target, self._keys, self._decode_rows(projection), settings)

    def __await__(self) -> Generator[Any, Any, list[ModelT | None]]:
        return self.send().__await__()

    def send(self) -> Coroutine[Any, Any, list[ModelT | None]]:
        """Return a coroutine that reads everything into a list: for ``create_task`` and task groups.

        It raises `BatchError` if keys were left unprocessed until the time was up. Its report names them.
        """
        self._used = True
        return self._read()

    async def _read(self) -> list[ModelT | None]:
        wanted = [item for _, item in self._keys]
        return await read_rows(self._owner, self._target, wanted, self._decode, self._settings)

    def __aiter__(self) -> GetManyIterator[KeyT, ModelT]:
        self._used = True
        return GetManyIterator(self._owner, self._target, self._keys, self._decode, self._settings)


class GetManyIterator(AsyncIterator[tuple[KeyT, "ModelT | None"]], Generic[KeyT, ModelT]):
    """Keys with their items, None where there is none, as they arrive. A key that was given twice comes twice."""

    def __init__(
        self,
        owner: TaskPort,
        target: Target[ModelT],
        keys: Sequence[tuple[KeyT, Item]],
        decode: Callable[[Sequence[Item | None]], list[ModelT | None]],
        settings: ReadSettings,
    ) -> None:
        self._owner = owner
        self._target = target
        self._asked: dict[Hashable, list[KeyT]] = {}
        wanted: dict[Hashable, Item] = {}
        for name, (key, item) in zip(target.codec.identify_all([item for _, item in keys]), keys, strict=True):
            wanted[name] = item
            self._asked.setdefault(name, []).append(key)
        self._wanted = list(wanted.items())
        self._decode = decode
        self._concurrency = settings.concurrency
        self._reader = BatchReader(owner, target, settings)
        self._started = 0
        self._tasks: dict[asyncio.Task[dict[Hashable, Item]], NamedKeys] = {}
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
        """Start as many requests as the service bears now, one for each chunk of keys."""
        while self._started < len(self._wanted) and len(self._tasks) < self._reader.lanes.limit:
            chunk = self._wanted[self._started : self._started + GET_CHUNK]
            self._started += len(chunk)
            task = self._owner.start(self._reader.read(chunk))
            self._tasks[task] = chunk

    def _arrived(self, chunk: NamedKeys, items: dict[Hashable, Item]) -> None:
        models = self._decode([items.get(name) for name, _ in chunk])
        for (name, _), model in zip(chunk, models, strict=True):
            self._rows += [(key, model) for key in self._asked[name]]

    async def aclose(self) -> None:
        """Cancel the requests under way, and wait until they have ended."""
        tasks, self._tasks = list(self._tasks), {}
        self._started = len(self._wanted)
        self._rows.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __del__(self) -> None:
        for task in getattr(self, "_tasks", ()):
            drop(task)
