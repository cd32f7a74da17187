"""The shards of a stream by their lineage: which can be read now, which are done, which have no children yet.

A shard is read when the one before it is done, so that the changes of a key stay in order across a split.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mizzle_async.operations.streams import Shard
from mizzle_async.streams.checkpoints import ShardProgress


class ShardTree:
    """Everything that a process knows about the shards of a stream.

    A shard that was heard of once stays known, listed or not, until it is done and forgotten: its reading tells whether
    its changes are gone.
    """

    def __init__(self) -> None:
        self._parents: dict[str, str | None] = {}
        self._children: dict[str, set[str]] = {}
        self._done: dict[str, float | None] = {}
        self._saved: set[str] = set()
        self._listed: frozenset[str] = frozenset()

    # ── news ──

    def see(self, shards: Iterable[Shard]) -> bool:
        """Note shards of the service's answers. Return whether one of them is new."""
        before = len(self._parents)
        learnt = False
        for shard in shards:
            if self._parents.get(shard.id) is None:  # a shard of a saved position has no parent yet
                learnt |= shard.parent is not None and shard.id in self._parents
                self._parents[shard.id] = shard.parent
            if shard.parent is not None:
                self._children.setdefault(shard.parent, set()).add(shard.id)
        return learnt or len(self._parents) > before

    def list(self, shards: Iterable[Shard]) -> bool:
        """Note a listing of all shards, from its first page to its last. Return whether one of them is new."""
        shards = tuple(shards)
        self._listed = frozenset(shard.id for shard in shards)
        return self.see(shards)

    def restore(self, progress: Mapping[str, ShardProgress]) -> None:
        """Note the progress that a store keeps, of this process and of others.

        A shard that is known by its progress alone, because the service does not list it, is read as every other one:
        the service tells then that its changes are gone.
        """
        self._saved.update(progress)
        for shard, each in progress.items():
            self._parents.setdefault(shard, None)
            for child in each.children:
                self._parents.setdefault(child, shard)
                self._children.setdefault(shard, set()).add(child)
            if each.done_at is not None:
                self.finish(shard, each.done_at)

    def finish(self, shard: str, done_at: float | None = None) -> None:
        """Note that all changes of a shard are done.

        Args:
            shard: Its id.
            done_at: When, in seconds since the epoch. None for a shard that this process alone passes over.
        """
        self._parents.setdefault(shard, None)
        if self._done.get(shard) is None:
            self._done[shard] = done_at

    def forget(self, shard: str) -> None:
        """Remove a shard that is done."""
        self._parents.pop(shard, None)
        self._done.pop(shard, None)
        self._saved.discard(shard)
        self._children.pop(shard, None)

    # ── questions ──

    def ready(self) -> frozenset[str]:
        """Return the shards that are not done, and whose parents are done or were never heard of."""
        parents, done = self._parents, self._done
        return frozenset(
            shard
            for shard, parent in parents.items()
            if shard not in done and (parent is None or parent in done or parent not in parents)
        )

    def is_done(self, shard: str) -> bool:
        """Return whether all changes of a shard are done."""
        return shard in self._done

    def is_listed(self, shard: str) -> bool:
        """Return whether the last listing of all shards had a shard."""
        return shard in self._listed

    def children(self, shard: str) -> tuple[str, ...]:
        """Return the known children of a shard, in a fixed order."""
        return tuple(sorted(self._children.get(shard, ())))

    @property
    def is_finished(self) -> bool:
        """Whether every known shard is done."""
        return len(self._done) == len(self._parents)

    def outdated(self, before: float) -> frozenset[str]:
        """Return the shards whose progress is not needed any more.

        The service does not list them, and the progress of each child is saved: were it not, a restart could not know
        of a child that the service does not list either.

        Args:
            before: Done before this time, in seconds since the epoch.
        """
        return frozenset(
            shard
            for shard, done_at in self._done.items()
            if done_at is not None
            and done_at < before
            and shard not in self._listed
            and self._children.get(shard, set()) <= self._saved
        )

    def __len__(self) -> int:
        return len(self._parents)

    def __repr__(self) -> str:
        return f"<ShardTree {len(self._parents)} shards, {len(self._done)} done, {len(self.ready())} ready>"
