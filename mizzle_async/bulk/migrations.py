"""Migrations: all items of a query or a scan, deleted or rewritten, each under a condition.

Between reading an item and writing it another writer may change it. So a delete repeats its condition at the service. A
rewrite checks the version, or else that the attributes which it changes are as they were read, and begins again if not.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Any, Final, Generic, TypeAlias, TypeVar

from attrs import evolve, frozen

from mizzle_async.bulk.saved_state import ResumeFrom
from mizzle_async.bulk.sweeps import Pages, SweepState
from mizzle_async.bulk.write_engine import OnUndone, Progress
from mizzle_async.errors import (
    AppliedWriteError,
    ConditionalCheckFailedError,
    ItemNotFoundError,
    MarshallingError,
    MizzleError,
)
from mizzle_async.expressions import AttributePath
from mizzle_async.flow.pace import Lanes, Limiters
from mizzle_async.flow.ports import TaskPort
from mizzle_async.flow.repeat import while_throttled
from mizzle_async.flow.report import BatchReport, UndoneKind, UndoneWrite, may_be_applied
from mizzle_async.flow.tasks import run_lanes
from mizzle_async.flow.work import BulkWork
from mizzle_async.limits import WRITE_UNIT_BYTES
from mizzle_async.marshalling import item_size
from mizzle_async.operations import DeleteItem, Encoded, Metered, Operation, UpdateItem, check_at_least_one, stale_keys
from mizzle_async.operations.interpretation import UNREADABLE
from mizzle_async.operations.key import Key, entity_identity
from mizzle_async.operations.reads.plan import ReadPlan
from mizzle_async.operations.writes.unique import unique_delete
from mizzle_async.reading.by_key import ReadSettings, read_items
from mizzle_async.types import Item
from mizzle_async.values import Value
from mizzle_async.writing.patches import TablePatches, patch_stored
from mizzle_async.writing.table_part import target_of

ModelT = TypeVar("ModelT")

Rewrite: TypeAlias = Callable[[ModelT], ModelT | Awaitable[ModelT | None] | None]
"""Takes an item, and returns it changed, or None to leave it. It may be asynchronous. A conflict calls it again."""

PAGE_ITEMS: Final = 250
"""Items on a page where the caller does not say. At most so many are done again after a kill, for each segment."""

CONFLICT_LIMIT: Final = 10
"""How often an item is read and changed again because another writer was faster."""


class _Fate(Enum):
    """The end of one item of a migration."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


@frozen(eq=False, repr=False, kw_only=True)
class ChangeOptions(Value):
    """The options of a migration. `Query.rewrite` explains each."""

    limiters: Limiters
    concurrency: int = 32
    resume: ResumeFrom | None = None
    progress: Progress | None = None
    on_error: OnUndone = "raise"
    timeout: float | None = None


Act: TypeAlias = Callable[[Item, BatchReport], Awaitable[_Fate]]
"""Handles an item, and counts its requests and units in a report."""


class Migration(Generic[ModelT]):
    """Does one thing to each item of a plan.

    Args:
        owner: The client.
        plan: The plan.
        verb: The caller's verb.
        options: The options.
    """

    def __init__(self, owner: TaskPort, plan: ReadPlan[ModelT, Any], verb: str, options: ChangeOptions) -> None:
        check_at_least_one(verb, concurrency=options.concurrency)
        if plan.options.page_size is None:
            plan = evolve(plan, options=evolve(plan.options, page_size=PAGE_ITEMS))
        self.report: BatchReport = BatchReport()
        self._owner = owner
        self._plan = plan
        self._verb = verb
        self._options = options
        self._table: TablePatches[ModelT] = TablePatches(owner, evolve(plan.target, report_capacity=True))
        self._lanes = Lanes(options.concurrency)
        self._stopped: BaseException | None = None

    def delete(self) -> BulkWork:
        """Return the work of deleting each item for which the plan's filters still hold."""
        return self._work(self._delete)

    def rewrite(self, change: Rewrite[ModelT]) -> BulkWork:
        """Return the work of changing each item."""
        if self._plan.index is not None and not self._plan.hydrated:
            self._plan = evolve(self._plan, hydrated=True, hydrated_consistently=True)

        async def rewrite(item: Item, meter: BatchReport) -> _Fate:
            return await self._rewrite(item, change, meter)

        return self._work(rewrite)

    def _work(self, act: Act) -> BulkWork:
        async def work() -> BatchReport:
            options, report = self._options, self.report
            state = SweepState(self._plan, self._verb, options.resume, every=1)
            await state.load()
            pages = Pages(self._owner, self._plan, state, report, progress=options.progress)

            async def handle(items: Sequence[Item]) -> bool:
                await self._page(items, act)
                return self._stopped is None

            await pages.each(handle)
            if isinstance(self._stopped, Exception) and not isinstance(self._stopped, MizzleError):
                raise self._stopped
            if not report.is_complete:
                raise report.to_error(self._verb)
            return report

        return BulkWork(f"{self._verb} of {self._plan.target.table!r}", self.report, work)

    async def _page(self, items: Sequence[Item], act: Act) -> None:
        """Handle every item of a page, several at once."""
        source = iter(items)
        await run_lanes(partial(self._lane, source, act), min(self._options.concurrency, len(items)))

    async def _lane(self, source: Iterator[Item], act: Act) -> None:
        report, limiters = self.report, self._options.limiters
        while self._stopped is None:
            await self._lanes.enter()
            try:
                item = next(source, None)
                if item is None or self._stopped is not None:
                    return
                report.taken += 1
                await self._act(item, report.taken - 1, act, limiters)
            finally:
                self._lanes.leave()

    async def _act(self, item: Item, position: int, act: Act, limiters: Limiters) -> None:
        report, meter = self.report, BatchReport()
        estimate, admitted = 0.0, []
        try:
            if limiters:
                estimate = self._estimate(item)
                admitted = await limiters.admit(estimate)
            try:
                fate = await act(item, meter)
            finally:
                report.count_consumption(meter)
                if admitted:
                    # The service reports no units for a write that it refuses: then the estimate stands.
                    limiters.settle(admitted, estimate, meter.write_units or (None if meter.write_requests else 0.0))
            match fate:
                case _Fate.WRITTEN:
                    report.written += 1
                case _Fate.UNCHANGED:
                    report.unchanged += 1
                case _Fate.SKIPPED:
                    report.skipped += 1
            self._lanes.succeeded()
        except BaseException as error:
            uncertain = may_be_applied(error) or (meter.write_requests > 0 and not isinstance(error, Exception))
            self._failed(item, position, error, uncertain=uncertain)
            if not isinstance(error, Exception):
                raise

    def _failed(self, item: Item, position: int, error: BaseException, *, uncertain: bool) -> None:
        """Pass an item that was not done to ``on_error``, or note it and stop."""
        kind: UndoneKind = "delete" if self._verb == "delete_where" else "update"
        undone = UndoneWrite(kind, self._table.name, self._key(item), error, position, uncertain)
        if isinstance(error, MizzleError) and not isinstance(self._options.on_error, str):
            self.report.rejected += 1
            self._options.on_error(undone)
            return
        self.report.note(undone)
        self._stopped = self._stopped or error

    async def _send(self, operation: Operation[Any], meter: BatchReport) -> None:
        """Send an operation, and again while the service throttles and there is time.

        One that may have been applied before it was throttled raises `OutcomeUnknownError`, and is not sent again. One
        that was applied and whose answer does not fit the class is done.
        """
        metered: Metered[Any] = Metered(operation, meter)
        round_ = self._lanes.round

        async def send() -> None:
            nonlocal round_
            round_ = self._lanes.round
            with suppress(AppliedWriteError):
                await self._owner.send(metered)

        await while_throttled(self._owner, self._options.timeout, send, lambda: self._lanes.slowed(round_))

    def _estimate(self, item: Item) -> float:
        """Return the units of writing an item that was read."""
        try:
            return float(-(-item_size(item) // WRITE_UNIT_BYTES))
        except UNREADABLE as error:
            raise self._plan.misread(error, (item,)) from error

    def _key(self, item: Item) -> Key[ModelT]:
        codec = self._plan.target.codec
        return Key(entity_identity(codec.schema), codec.key_of_item(item))

    # ── one item ──

    async def _delete(self, item: Item, meter: BatchReport) -> _Fate:
        """Delete an item if the plan's filters still hold, whether it fits its class or not."""
        operation = self._deletion(item)
        for condition in self._plan.filters:
            operation = operation.when(condition)
        try:
            await self._send(operation, meter)
        except (ConditionalCheckFailedError, ItemNotFoundError):
            return _Fate.UNCHANGED
        return _Fate.WRITTEN

    def _deletion(self, item: Item) -> DeleteItem[ModelT]:
        """Return the deletion of an item, unless its version or a unique attribute was changed meanwhile.

        Nothing of the item is decoded, so that it need not fit its class, and it is not returned.
        """
        owner, target = self._owner, target_of(self._table)
        schema = target.schema
        operation: DeleteItem[ModelT] = DeleteItem(
            target,
            target.codec.key_of_item(item),
            now=owner.now(),
            timeout=self._options.timeout,
            returns_item=False,
        )
        if schema.unique:
            operation = unique_delete(operation, item, owner.new_token())
        if schema.version is not None:
            version: AttributePath[ModelT, Any] = schema.path(schema.version.field)
            stored = item.get(schema.version.name)
            operation = operation.when(version.not_exists() if stored is None else version == Encoded(stored))
        return operation

    async def _rewrite(self, item: Item, change: Rewrite[ModelT], meter: BatchReport) -> _Fate:
        """Change an item under the condition that the change's own attributes are as they were read."""
        for attempt in range(1, CONFLICT_LIMIT + 1):
            operation = await self._changed(item, change)
            if isinstance(operation, _Fate):
                return operation
            try:
                await self._send(operation, meter)
            except ItemNotFoundError:
                break
            except ConditionalCheckFailedError:
                if attempt == CONFLICT_LIMIT:
                    raise
                stored = await self._read_again(self._plan.target.codec.key_of_item(item), meter)
                if stored is None:
                    break
                item = stored
            else:
                return _Fate.WRITTEN
        return _Fate.UNCHANGED

    async def _changed(self, item: Item, change: Rewrite[ModelT]) -> UpdateItem[ModelT] | _Fate:
        """Return the update of an item, or its fate where none is sent."""
        codec = self._plan.target.codec
        try:
            old = codec.decode(item)
        except MarshallingError as error:
            self._plan.judge(error)
            return _Fate.SKIPPED
        changed: Any = change(codec.decode(item))
        new: ModelT | None = await changed if inspect.isawaitable(changed) else changed
        if new is None or (new == old and not stale_keys(self._plan.target, item, new)):
            return _Fate.UNCHANGED
        operation = self._guarded(item, old, new)
        if operation.sending.settled:
            await operation
            return _Fate.UNCHANGED
        return operation

    async def _read_again(self, key: Item, meter: BatchReport) -> Item | None:
        """Read an item that another writer has changed."""
        settings = ReadSettings(consistent_read=True, meter=meter)
        return (await read_items(self._owner, self._plan.target, [key], settings=settings))[0]

    def _guarded(self, item: Item, old: ModelT, new: ModelT) -> UpdateItem[ModelT]:
        """Return the smallest update, which is refused if another writer has changed the same attributes."""
        return patch_stored(self._table, item, old, to=new, timeout=self._options.timeout)
