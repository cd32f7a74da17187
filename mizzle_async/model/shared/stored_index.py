"""An index of a shared table as it is stored, for queries by its texts."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from mizzle_async.model.index_checks import KeyPaths
from mizzle_async.model.indexes import SecondaryIndex
from mizzle_async.model.shared.tables import SharedIndex


class StoredIndex(SecondaryIndex[Any, str, str]):
    """A global secondary index whose keys are the stored texts.

    Args:
        index: The index.
    """

    is_local: ClassVar[bool] = False

    def __init__(self, index: SharedIndex) -> None:
        self.name: str = index.name
        self.owner: Any = index.table
        self.projection: Literal["all", "keys_only"] | tuple[str, ...] = index.projection
        self._partition_paths: KeyPaths = (index.partition_key,)
        self.sort_paths: KeyPaths = () if len(index.key_names) == 1 else (index.sort_key,)

    @property
    def partition_paths(self) -> KeyPaths:
        """The path of its partition key."""
        return self._partition_paths
