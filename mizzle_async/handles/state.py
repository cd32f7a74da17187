"""The handle of a state table: operations that are applied once, leases, the state of resumable work."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from typing import Any

from attrs import evolve

from mizzle_async.handles.catalog import Catalog
from mizzle_async.handles.runtime import Runtime
from mizzle_async.model import StateTable, schema_of
from mizzle_async.operations import Operation, Transactable, check_timeout
from mizzle_async.operations.base import is_detached, use_all
from mizzle_async.streams.state.consumer_rows import Position, Start, Worker
from mizzle_async.streams.state.lease_rules import Claim, LeaseRows
from mizzle_async.streams.state.leases import Lease, check_lease_seconds
from mizzle_async.streams.state.marks import KEEP, Marks, check_keep
from mizzle_async.streams.state.members import StateMember
from mizzle_async.streams.state.resumption import KEEP as KEEP_STATE
from mizzle_async.streams.state.resumption import ResumeState
from mizzle_async.streams.state.rows import Beat, Fence, Mark, Progress, scope_of
from mizzle_async.streams.state.shared_checkpoints import ConsumerStore, StateCheckpoints
from mizzle_async.streams.state.table import StateRows


class State:
    """Everything that must outlive a process, in one table: made by `Client.state`.

    Args:
        runtime: Sends, paces, owns tasks.
        catalog: Finds targets.
        table: The table.
    """

    def __init__(self, runtime: Runtime, catalog: Catalog, table: StateTable) -> None:
        def rows(model: type[Any]) -> StateRows[Any]:
            # Messages name the table as callers know it: they have never heard of the classes of its rows.
            return StateRows(runtime, catalog.target(evolve(schema_of(model), table=table.name, entity="STATE")))

        self._runtime = runtime
        self._catalog = catalog
        self._table = table
        self._marks = Marks(runtime, rows(Mark), catalog.spanning_target)
        self._leases = LeaseRows(rows(Fence), rows(Beat))
        self._progress = rows(Progress)
        self._consumers = ConsumerStore(rows(Start), rows(Worker), rows(Position), rows(Fence))

    @property
    def name(self) -> str:
        """The table's name at the service, prefix included."""
        return self._leases.fences.name

    async def once(
        self, key: str, /, *operations: Transactable[Any], keep: timedelta = KEEP, timeout: float | None = None
    ) -> bool:
        """Apply operations once for a key: all of them with a mark of the key, in one transaction.

        Of several calls with one key, also at the same time and in several processes, one applies its operations. Call
        it again after any error: `OutcomeUnknownError` says that the first call may have applied them, and the second
        one finds out.

        Args:
            key: Names the work: HTTP's ``Idempotency-Key``, a message's id.
            *operations: As `Client.transact_write` takes them, up to 99 actions. Without any, the mark alone is
                written.
            keep: How long the key is remembered. Later the operations are applied again.
            timeout: Seconds for everything, conflicts with other transactions included, or None for the client's.

        Returns:
            True where this call applied the operations, False where they were applied before.

        Raises:
            TransactionCanceledError: A condition of an operation was false, and nothing was written, no mark either.
                Its reasons are those of the operations, in their order.
            ExpressionError: Something that cannot be in a transaction of writes, or two operations about one item.
            LimitError: More than 99 actions, or more than 4 MB.
            OutcomeUnknownError: Every answer was lost.

        Cost: one request; two write units for the mark, and twice the write units of the operations.
        """
        use_all(operations)  # before the key is judged: a warning beside that error would mislead
        return await self._marks.apply(scope_of("once", key), self._own(operations), keep=keep, timeout=timeout)

    def lease(self, name: str, /, *, lease_seconds: float = 30.0, timeout: float | None = None) -> Lease:
        """Return a lease: one process at a time is within ``async with state.lease("nightly") as lease``.

        It is renewed three times in ``lease_seconds``. Where that fails for too long, the block is cancelled before
        another process can take the lease, and `LeaseLostError` is raised. A process that is killed keeps others out
        for ``lease_seconds``.

        Args:
            name: The name of the lease.
            lease_seconds: Seconds without a renewal after which others take it: 1 to 86,400.
            timeout: Seconds to wait for another holder: None waits for ever, 0 does not wait.

        Raises:
            ExpressionError: A number is not one of these.
            LeaseHeldError: Entering it: another process holds it, and the ``timeout`` is over.
            LeaseLostError: Leaving it: it was lost meanwhile.

        Cost: taking it, three requests, two read units and four write units. Renewing it, one request and one write
            unit. Releasing it, one request and four write units. Waiting for it, a read unit for each look, every
            tenth of ``lease_seconds``.
        """
        scope = scope_of("lease", name)
        if timeout is not None and timeout != 0:
            check_timeout(timeout)
        claim = Claim(scope, "", check_lease_seconds(lease_seconds), _this_process())
        return Lease(self._runtime, self._leases, self._catalog.spanning_target, name=name, claim=claim, wait=timeout)

    def resume(self, key: str, /, *, keep: timedelta = KEEP_STATE) -> ResumeState:
        """Return the place of one piece of resumable work: ``resume=state.resume("export-7")``, as a state file is.

        It is taken where a path is: by exports, loads, `rewrite`, `delete_where` and `resumable`. A run that was killed
        goes on in another process, from its last checkpoint. Of two processes at once the one that began last goes on,
        and the other one ends with `ResumeError` at its next checkpoint.

        Args:
            key: Names the work.
            keep: How long the state is kept after its last write.

        Raises:
            ExpressionError: ``key`` is no text, or ``keep`` no timedelta.

        Cost: each checkpoint is one request, and a write unit for each KB of the state.
        """
        return ResumeState(self._runtime, self._progress, scope_of("resume", key), key, check_keep(keep))

    def checkpoints(self, *, lease_seconds: float = 30.0) -> StateCheckpoints:
        """Return a store of positions for consumers of changes: ``checkpoints=state.checkpoints(lease_seconds=10)``.

        ``checkpoints=state`` is the same with 30 seconds. The processes of one consumer share the shards: each beats
        three times in ``lease_seconds``, takes its fair share, and gives shards up to those that come. Where a process
        is killed, others take its shards when ``lease_seconds`` are over.

        Args:
            lease_seconds: Seconds without a heartbeat after which others take a process's shards: 1 to 86,400.

        Raises:
            ExpressionError: ``lease_seconds`` is none of these.

        Cost: for each process, three requests every third of ``lease_seconds``: a write unit, and a read unit for about
            25 shards. A shard that is taken costs four write units, a position that is saved one.
        """
        return StateCheckpoints(
            self._runtime,
            self._consumers,
            self._catalog.spanning_target,
            seconds=check_lease_seconds(lease_seconds),
            holder=_this_process(),
            apply_once=self.apply_once,
        )

    async def join(self, consumer: str, stream_arn: str, /) -> StateMember:
        """Begin to consume a stream with other processes, as ``checkpoints=state`` does. See `Checkpoints.join`."""
        return await self.checkpoints().join(consumer, stream_arn)

    async def apply_once(self, consumer: str, event_id: str, operations: tuple[Transactable[Any], ...], /) -> bool:
        """Apply operations once for an event, as ``change.apply(*operations)`` does. See `once`.

        Args:
            consumer: The name whose mark it is.
            event_id: The identity of the event.
            operations: As `Client.transact_write` takes them.
        """
        scope = scope_of("applied", consumer, event_id)
        return await self._marks.apply(scope, self._own(operations), keep=KEEP, timeout=None)

    def _own(self, operations: tuple[Transactable[Any], ...]) -> list[Any]:
        """Return operations with this client's targets, where they came out of a pickle."""
        bound = self._catalog.bound
        return [
            each.sending.bound(bound) if isinstance(each, Operation) and is_detached(each) else each
            for each in operations
        ]

    def __repr__(self) -> str:
        return f"<State {self.name!r}>"


def _this_process() -> str:
    """Return the host and the process, for people who look into the table."""
    return f"{socket.gethostname()}:{os.getpid()}"
