"""Stores of positions for one process: in memory, and in a file."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import anyio
import anyio.to_thread
from attrs import evolve

from mizzle_async.bulk.checkpoints import StateFile, StatePath
from mizzle_async.errors import ClientStateError, ResumeError
from mizzle_async.streams.checkpoints import Holding, SavedPositions, ShardProgress
from mizzle_async.streams.file_lock import lock_file

_Group: TypeAlias = tuple[str, str]
"""A consumer and the ARN of a table."""

_KIND: Final = "changes"


def table_arn(stream_arn: str) -> str:
    """Return the ARN of the table that a stream belongs to."""
    return stream_arn.partition("/stream/")[0]


class MemoryCheckpoints:
    """Keeps positions in memory, for tests and for consumers that may begin anew: ``checkpoints=MemoryCheckpoints()``.

    The positions live as long as the object: a second `changes` with the same object goes on from there.
    """

    def __init__(self) -> None:
        self._saved: dict[_Group, SavedPositions] = {}
        self._running: set[_Group] = set()

    async def join(self, consumer: str, stream_arn: str, /) -> SoleMember:
        """Begin to consume a stream.

        Raises:
            ClientStateError: The consumer is running already.
        """
        group = consumer, table_arn(stream_arn)
        enter(self._running, group)
        return SoleMember(self._saved, group, stream_arn, leave=lambda: self._running.discard(group))

    def __repr__(self) -> str:
        return f"<MemoryCheckpoints of {len(self._saved)} consumers>"


class SoleMember:
    """The member of a store that one process has for itself: every ready shard is its own, for ever.

    Args:
        saved: The positions of every group.
        group: The consumer and the table.
        stream_arn: The stream.
        leave: Called once when the member closes.
    """

    def __init__(
        self, saved: dict[_Group, SavedPositions], group: _Group, stream_arn: str, *, leave: Callable[[], object]
    ) -> None:
        self._saved = saved
        self._group = group
        self._stream_arn = stream_arn
        self._leave: Callable[[], object] | None = leave

    @property
    def interval(self) -> float | None:
        """No turn is due by time."""
        return None

    @property
    def valid_until(self) -> float:
        """No other process takes over."""
        return math.inf

    async def read(self) -> SavedPositions | None:
        """Return the positions of the consumer of this table, or None before its first start."""
        return self._saved.get(self._group)

    async def begin(self, origin: float | None, /) -> SavedPositions:
        """Note the first start on this stream, and forget an earlier stream of the table."""
        saved = self._saved.get(self._group)
        if saved is None or saved.stream_arn != self._stream_arn:
            saved = self._saved[self._group] = SavedPositions(self._stream_arn, origin)
            await self.store()
        return saved

    async def turn(self, ready: Collection[str], /) -> Holding:
        """Hold every shard that is ready."""
        return Holding(dict.fromkeys(ready, 0), progress=self._shards())

    async def save(self, progress: Collection[ShardProgress], /) -> frozenset[str]:
        """Keep the progress of shards. None of them can be lost."""
        await self._replace({**self._shards(), **{each.shard: each for each in progress}})
        return frozenset()

    async def release(self, shards: Collection[str], /) -> None:
        """Do nothing: no other process waits for a shard."""

    async def forget(self, shards: Collection[str], /) -> None:
        """Remove the progress of shards."""
        await self._replace({shard: each for shard, each in self._shards().items() if shard not in shards})

    async def close(self) -> None:
        """Leave. Closing again does nothing."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()

    async def store(self) -> None:
        """Make the positions durable, where the store is."""

    def _shards(self) -> Mapping[str, ShardProgress]:
        saved = self._saved.get(self._group)
        return {} if saved is None else saved.shards

    async def _replace(self, shards: Mapping[str, ShardProgress]) -> None:
        self._saved[self._group] = evolve(self._saved[self._group], shards=shards)
        await self.store()


class FileCheckpoints:
    """Keeps positions in a file: ``checkpoints=FileCheckpoints("orders.json")``.

    The file is JSON and is replaced as a whole, durably: at any moment it is the old one or the new one. It may hold
    the positions of several consumers and tables. While one of them runs, a lock keeps other processes out: the file
    beside it whose name ends in ``.lock``.

    Args:
        path: The file. Its folder must exist.
    """

    def __init__(self, path: StatePath) -> None:
        self._path = Path(path)
        self._file = StateFile(self._path, {"kind": _KIND})
        self._saved: dict[_Group, SavedPositions] = {}
        self._running: set[_Group] = set()
        self._joining = asyncio.Lock()
        self._lock: int | None = None

    async def join(self, consumer: str, stream_arn: str, /) -> SoleMember:
        """Begin to consume a stream.

        Raises:
            ClientStateError: The consumer is running already, or another process has the file.
            ResumeError: The file is damaged, or is no file of positions, or its folder does not exist.
        """
        group = consumer, table_arn(stream_arn)
        async with self._joining:
            enter(self._running, group)
            try:
                if self._lock is None:
                    await anyio.to_thread.run_sync(self._open)  # a thread that runs on would keep the lock
            except BaseException:
                self._left(group)
                raise
        return _FileMember(
            self._saved, group, stream_arn, leave=lambda: self._left(group), write=self._file, state=self._state
        )

    def _open(self) -> None:
        """Lock the file, and read it."""
        try:
            lock = lock_file(self._path.with_name(f"{self._path.name}.lock"))
        except BlockingIOError:
            raise ClientStateError(
                f"another process, or another FileCheckpoints, reads with the positions in {self._path}: one at a time "
                "may. Give this one a file of its own, or share the shards by a state table"
            ) from None
        except FileNotFoundError:
            raise ResumeError(f"{self._path} cannot be written: there is no folder {self._path.parent}") from None
        try:
            self._saved.clear()
            self._saved.update(self._file.read(_parsed) or {})
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock

    def _left(self, group: _Group) -> None:
        """End one consumer. The last one unlocks the file."""
        self._running.discard(group)
        if not self._running and self._lock is not None:
            lock, self._lock = self._lock, None
            os.close(lock)

    def _state(self) -> dict[str, Any]:
        return {"positions": [_shown(group, saved) for group, saved in self._saved.items()]}

    def __repr__(self) -> str:
        return f"<FileCheckpoints {str(self._path)!r}, {len(self._running)} running>"


class _FileMember(SoleMember):
    """A member whose positions stand in a file as well."""

    def __init__(
        self,
        saved: dict[_Group, SavedPositions],
        group: _Group,
        stream_arn: str,
        *,
        leave: Callable[[], object],
        write: StateFile,
        state: Callable[[], dict[str, Any]],
    ) -> None:
        super().__init__(saved, group, stream_arn, leave=leave)
        self._file = write
        self._state = state

    async def store(self) -> None:
        """Replace the file, in a thread."""
        await self._file.write_aside(self._state())


def enter(running: set[_Group], group: _Group) -> None:
    """Note that a consumer runs.

    Raises:
        ClientStateError: It runs already.
    """
    if group in running:
        consumer, table = group
        raise ClientStateError(
            f"the consumer {consumer!r} of {table} is running already with these checkpoints: one process reads a "
            "stream once. Give the second one a name of its own, or share the shards by a state table"
        )
    running.add(group)


def _shown(group: _Group, saved: SavedPositions) -> dict[str, Any]:
    """Return one consumer's positions as JSON."""
    shards = [
        {
            "shard": each.shard,
            "position": each.position,
            "done_at": each.done_at,
            "children": list(each.children),
        }
        for each in saved.shards.values()
    ]
    return {
        "consumer": group[0],
        "table": group[1],
        "stream": saved.stream_arn,
        "origin": saved.origin,
        "shards": shards,
    }


def _parsed(state: dict[str, Any]) -> dict[_Group, SavedPositions]:
    """Return the positions that a file holds."""
    found: dict[_Group, SavedPositions] = {}
    for each in state["positions"]:
        shards = {
            row["shard"]: ShardProgress(row["shard"], row["position"], row["done_at"], tuple(row["children"]))
            for row in each["shards"]
        }
        found[each["consumer"], each["table"]] = SavedPositions(each["stream"], each["origin"], shards)
    return found
