"""Gets that come at one moment, read together: a hundred callers, one BatchGetItem."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar

from mizzle_async.errors import ClientStateError
from mizzle_async.flow.ports import TaskPort
from mizzle_async.operations import MISSING, KeyPart, OneKey, Target
from mizzle_async.operations.batches import GET_CHUNK
from mizzle_async.reading.by_key import BatchReader, ReadSettings
from mizzle_async.types import Item

ModelT = TypeVar("ModelT")
Chunk: TypeAlias = dict[Hashable, tuple[Item, list[asyncio.Future["Item | None"]]]]
"""Keys by their identity, with the futures of the callers that wait for the item."""


class CoalescedReads(Generic[ModelT]):
    """Reads items by key, those of one tick of the loop together. `Table.coalesced` makes it.

    Callers of the same key share one answer, and each has an instance of its own. A caller that is cancelled does not
    touch the others. An error reaches only the callers whose items were not read.
    """

    def __init__(
        self,
        owner: TaskPort,
        target: Target[ModelT],
        resolve: Callable[[object, dict[str, Any], Sequence[Any]], Item],
        decode: Callable[[Item | None], ModelT | None],
        settings: ReadSettings,
    ) -> None:
        self._owner = owner
        self._target = target
        self._resolve = resolve
        self._decode = decode
        self._settings = settings
        self._waiting: Chunk = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = False

    async def __aenter__(self) -> Self:
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open = False
        if self._waiting:
            self._launch()
        tasks = list(self._tasks)
        if error is not None:
            for task in tasks:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def get(self, key: OneKey[ModelT] = MISSING, /, *more: KeyPart[ModelT], **attributes: Any) -> ModelT | None:
        """Read an item, or None where there is none.

        Args:
            key: A `Key`, an instance, or the value of a key of one attribute.
            *more: The equalities of the other key attributes, where the first is one.
            **attributes: The key attributes by name.

        Raises:
            ExpressionError: This is not a key of the table.
            MarshallingError: A value does not fit its key attribute, or the item that was read not its class.
            BatchError: The service left this item unprocessed until the time of its batch was up.
            ClientStateError: The block is not entered, or was left.

        Cost: as for `Table.get`, in a request shared with up to 99 others.
        """
        if not self._open:
            raise ClientStateError("coalesced reads are open within their block: `async with orders.coalesced() as …`")
        item = self._resolve(key, attributes, more)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Item | None] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._launch)
        self._waiting.setdefault(self._target.codec.identify(item), (item, []))[1].append(future)
        return self._decode(await future)

    def _launch(self) -> None:
        """Send the keys that have come together."""
        waiting, self._waiting = self._waiting, {}
        wanted = list(waiting.items())
        for start in range(0, len(wanted), GET_CHUNK):
            chunk = dict(wanted[start : start + GET_CHUNK])
            try:
                task = self._owner.start(self._read(chunk))
            except ClientStateError as error:
                _fail(chunk, error)
            else:
                self._tasks.add(task)
                # Not at the end of `_read`: a task that is cancelled before its first step never gets there.
                task.add_done_callback(partial(self._ended, chunk))

    async def _read(self, chunk: Chunk) -> None:
        """Read the items of some keys. Callers whose item was read have it, also if reading the others fails."""
        items: dict[Hashable, Item] = {}
        try:
            reader = BatchReader(self._owner, self._target, self._settings)
            await reader.read_into([(name, key) for name, (key, _) in chunk.items()], items)
        finally:
            for name, item in items.items():
                _, futures = chunk.pop(name, (item, []))
                _resolve(futures, item)

    def _ended(self, chunk: Chunk, task: asyncio.Task[None]) -> None:
        """Return None to the callers that still wait, as there is no such item, or raise the failure to them."""
        self._tasks.discard(task)
        failure = (
            ClientStateError("the client, or the block of these reads, was closed before the answer came")
            if task.cancelled()
            else task.exception()
        )
        if failure is not None:
            _fail(chunk, failure)
        for _, futures in chunk.values():
            _resolve(futures, None)

    def __repr__(self) -> str:
        state = "open" if self._open else "closed"
        return f"<CoalescedReads {state}: {len(self._waiting)} waiting, {len(self._tasks)} requests under way>"


def _resolve(futures: list[asyncio.Future[Item | None]], item: Item | None) -> None:
    for future in futures:
        if not future.done():
            future.set_result(item)


def _fail(chunk: Chunk, error: BaseException) -> None:
    for _, futures in chunk.values():
        for future in futures:
            if not future.done():
                future.set_exception(error)
