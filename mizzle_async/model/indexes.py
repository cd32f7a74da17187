"""Indexes: global and local secondary indexes, named after the paths they are made of.

An index belongs to the entity whose attributes it names and is found through it. Its own paths know it, so a query
knows which index its key conditions are about.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Never, TypeAlias, TypeVar, overload

from mizzle_async.errors import ItemCollectionLimitWarning, ModelError
from mizzle_async.expressions import (
    AttributePath,
    CompositePartitionKeyPath,
    CompositeSortKeyPath,
    Condition,
    PartitionKeyPath,
    SortKeyPath,
)
from mizzle_async.model.index_checks import (
    KeyPaths,
    Projection,
    check_index_name,
    check_key_paths,
    common_owner,
    key_paths,
    projected_names,
)
from mizzle_async.model.index_registry import INDEXES_ATTRIBUTE, is_importable, restored_index
from mizzle_async.model.schema import EntitySchema, is_entity, schema_of
from mizzle_async.model.shared.mappings import IndexMapping, make_mapping
from mizzle_async.model.shared.tables import SharedIndex
from mizzle_async.model.shared.templates import KeyTemplate

EntityT_contra = TypeVar("EntityT_contra", contravariant=True)
PartitionT = TypeVar("PartitionT")
SortT = TypeVar("SortT")
# The constructor's own: what stands in `self` there may not be the class's.
OwnerT = TypeVar("OwnerT")
FullT = TypeVar("FullT")
LeadingT = TypeVar("LeadingT")
P = TypeVar("P")
S = TypeVar("S")
P1 = TypeVar("P1")
P2 = TypeVar("P2")
P3 = TypeVar("P3")
P4 = TypeVar("P4")
S1 = TypeVar("S1")
S2 = TypeVar("S2")
S3 = TypeVar("S3")
S4 = TypeVar("S4")

"""Where a class keeps the indexes over its attributes, by name."""

if TYPE_CHECKING:
    # Keys of several attributes: type checkers need one overload per number of them. A tuple shorter than a sort key
    # names its leading parts.
    Paths2: TypeAlias = tuple[AttributePath[EntityT_contra, P1], AttributePath[EntityT_contra, P2]]
    Paths3: TypeAlias = tuple[
        AttributePath[EntityT_contra, P1], AttributePath[EntityT_contra, P2], AttributePath[EntityT_contra, P3]
    ]
    Paths4: TypeAlias = tuple[
        AttributePath[EntityT_contra, P1],
        AttributePath[EntityT_contra, P2],
        AttributePath[EntityT_contra, P3],
        AttributePath[EntityT_contra, P4],
    ]
    Leading2: TypeAlias = tuple[S1] | tuple[S1, S2]
    Leading3: TypeAlias = tuple[S1] | tuple[S1, S2] | tuple[S1, S2, S3]
    Leading4: TypeAlias = tuple[S1] | tuple[S1, S2] | tuple[S1, S2, S3] | tuple[S1, S2, S3, S4]


class SecondaryIndex(Generic[EntityT_contra, PartitionT, SortT]):
    """A global or a local secondary index.

    Attributes:
        name: Its name in the table.
        owner: The class whose attributes it names, or the schema of a table without one.
        sort_paths: The paths of the attributes of its sort key, none if it has none.
        projection: ``"all"``, ``"keys_only"``, or the stored names of the attributes that it holds beside keys.
    """

    is_local: ClassVar[bool]

    mapping: IndexMapping | None = None
    """How an entity fills an index of its shared table, None for an index of the entity's own."""

    def __init__(self, name: str, key: KeyPaths, sort_paths: KeyPaths, projection: Projection) -> None:
        """Check and register the index.

        Args:
            name: Its name in the table.
            key: The paths of all its own key attributes.
            sort_paths: Those of them that are its sort key.
            projection: The attributes that it holds beside keys.
        """
        check_index_name(name)
        self.name: str = name
        self.owner: Any = common_owner(name, key)
        check_key_paths(name, self.owner, key)
        self.sort_paths: KeyPaths = tuple(_of_index(path, self) for path in sort_paths)
        self.projection: Literal["all", "keys_only"] | tuple[str, ...] = projected_names(name, self.owner, projection)
        self._register()

    def _register(self) -> None:
        if isinstance(self.owner, type):
            # A class keeps its own: one inherited under the same name is replaced for this class only.
            registry: dict[str, SecondaryIndex[Any, Any, Any]] = vars(self.owner).get(INDEXES_ATTRIBUTE) or {}
            setattr(self.owner, INDEXES_ATTRIBUTE, {**registry, self._registered: self})

    @property
    def _registered(self) -> str:
        """The name that its class keeps it under: an entity may fill one shared index in several ways."""
        return self.name if self.mapping is None else self.mapping.identity

    @property
    @abstractmethod
    def partition_paths(self) -> KeyPaths:
        """The paths of the attributes of its partition key."""
        raise NotImplementedError

    @property
    def partition_key(self) -> PartitionKeyPath[EntityT_contra, PartitionT]:
        """The path of its partition key: of several attributes, to be compared with a tuple."""
        paths = self.partition_paths
        if len(paths) != 1:
            return CompositePartitionKeyPath(self.owner, (), index=self, parts=paths)
        (first,) = paths
        return PartitionKeyPath(self.owner, first.segments, index=self, labels=first.labels)

    @property
    def sort_key(self) -> SortKeyPath[EntityT_contra, SortT]:
        """The path of its sort key: of several attributes, to be compared with a tuple of the leading ones.

        Raises:
            ModelError: If it has none.
        """
        paths = self.sort_paths
        if not paths and (self.mapping is None or len(self.mapping.formats) == 1):
            raise ModelError(f"index {self.name!r} has no sort key: query it by its partition_key alone")
        if len(paths) != 1:
            return CompositeSortKeyPath(self.owner, (), index=self, parts=paths)
        (first,) = paths
        return SortKeyPath(self.owner, first.segments, index=self, labels=first.labels)

    def key_names(self) -> tuple[str, ...]:
        """Return the stored names of its key attributes, partition key first."""
        if self.mapping is not None:
            return self.mapping.index.key_names
        return tuple(str(path.segments[0]) for path in (*self.partition_paths, *self.sort_paths))

    def held_names(self, schema: EntitySchema) -> frozenset[str] | None:
        """Return the stored names of all attributes that it holds, None where it holds everything.

        Args:
            schema: The schema of the table that it is an index of.
        """
        if self.projection == "all":
            return None
        included = () if self.projection == "keys_only" else self.projection
        return frozenset((*schema.key_names, *self.key_names(), *included))

    def __repr__(self) -> str:
        keys = ", ".join(map(str, (*self.partition_paths, *self.sort_paths)))
        return f"<{type(self).__name__} {self.name!r} on {keys}>"

    def __reduce__(self) -> Any:
        """Pickle by entity and name, so that an index stays the same object.

        A class that travels by value takes its indexes along: theirs is then the state of a new object.
        """
        if isinstance(self.owner, type):
            state = None if is_importable(self.owner) else dict(vars(self))
            return restored_index, (type(self), self.owner, self._registered), state
        return object.__reduce__(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state of a pickle, where this is a new object; a class's own index stays as it is."""
        if not vars(self):
            vars(self).update(state)


class GlobalSecondaryIndex(SecondaryIndex[EntityT_contra, PartitionT, SortT]):
    """A global secondary index: the same items under another key, read with eventual consistency.

    Args:
        name: Its name in the table.
        partition_key: The path of the attribute that is its partition key, or a tuple of two to four.
        sort_key: The path of the attribute that is its sort key, or a tuple of two to four.
        projection: The attributes that it holds beside keys: ``"all"``, ``"keys_only"``, or the paths of some.

    Raises:
        ModelError: If the paths cannot be such a key.
    """

    is_local: ClassVar[bool] = False

    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, P, Never],
        name: str,
        *,
        partition_key: AttributePath[OwnerT, P],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, P, S],
        name: str,
        *,
        partition_key: AttributePath[OwnerT, P],
        sort_key: AttributePath[OwnerT, S],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, P, Leading2[S1, S2]],
        name: str,
        *,
        partition_key: AttributePath[OwnerT, P],
        sort_key: Paths2[OwnerT, S1, S2],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, P, Leading3[S1, S2, S3]],
        name: str,
        *,
        partition_key: AttributePath[OwnerT, P],
        sort_key: Paths3[OwnerT, S1, S2, S3],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, P, Leading4[S1, S2, S3, S4]],
        name: str,
        *,
        partition_key: AttributePath[OwnerT, P],
        sort_key: Paths4[OwnerT, S1, S2, S3, S4],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, tuple[P1, P2], Never],
        name: str,
        *,
        partition_key: Paths2[OwnerT, P1, P2],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, tuple[P1, P2], S],
        name: str,
        *,
        partition_key: Paths2[OwnerT, P1, P2],
        sort_key: AttributePath[OwnerT, S],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, tuple[P1, P2], Leading2[S1, S2]],
        name: str,
        *,
        partition_key: Paths2[OwnerT, P1, P2],
        sort_key: Paths2[OwnerT, S1, S2],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, tuple[P1, P2], Leading3[S1, S2, S3]],
        name: str,
        *,
        partition_key: Paths2[OwnerT, P1, P2],
        sort_key: Paths3[OwnerT, S1, S2, S3],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, tuple[P1, P2], Leading4[S1, S2, S3, S4]],
        name: str,
        *,
        partition_key: Paths2[OwnerT, P1, P2],
        sort_key: Paths4[OwnerT, S1, S2, S3, S4],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, tuple[P1, P2, P3], Never],
        name: str,
        *,
        partition_key: Paths3[OwnerT, P1, P2, P3],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, tuple[P1, P2, P3], S],
        name: str,
        *,
        partition_key: Paths3[OwnerT, P1, P2, P3],
        sort_key: AttributePath[OwnerT, S],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, tuple[P1, P2, P3], Leading2[S1, S2]],
        name: str,
        *,
        partition_key: Paths3[OwnerT, P1, P2, P3],
        sort_key: Paths2[OwnerT, S1, S2],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, tuple[P1, P2, P3], Leading3[S1, S2, S3]],
        name: str,
        *,
        partition_key: Paths3[OwnerT, P1, P2, P3],
        sort_key: Paths3[OwnerT, S1, S2, S3],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, tuple[P1, P2, P3], Leading4[S1, S2, S3, S4]],
        name: str,
        *,
        partition_key: Paths3[OwnerT, P1, P2, P3],
        sort_key: Paths4[OwnerT, S1, S2, S3, S4],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, tuple[P1, P2, P3, P4], Never],
        name: str,
        *,
        partition_key: Paths4[OwnerT, P1, P2, P3, P4],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, tuple[P1, P2, P3, P4], S],
        name: str,
        *,
        partition_key: Paths4[OwnerT, P1, P2, P3, P4],
        sort_key: AttributePath[OwnerT, S],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, tuple[P1, P2, P3, P4], Leading2[S1, S2]],
        name: str,
        *,
        partition_key: Paths4[OwnerT, P1, P2, P3, P4],
        sort_key: Paths2[OwnerT, S1, S2],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, tuple[P1, P2, P3, P4], Leading3[S1, S2, S3]],
        name: str,
        *,
        partition_key: Paths4[OwnerT, P1, P2, P3, P4],
        sort_key: Paths3[OwnerT, S1, S2, S3],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, tuple[P1, P2, P3, P4], Leading4[S1, S2, S3, S4]],
        name: str,
        *,
        partition_key: Paths4[OwnerT, P1, P2, P3, P4],
        sort_key: Paths4[OwnerT, S1, S2, S3, S4],
        projection: Projection = "all",
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, P1, Never],
        name: SharedIndex,
        /,
        *,
        partition_key: KeyTemplate[OwnerT, P1, LeadingT],
        where: Condition[OwnerT] | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: GlobalSecondaryIndex[OwnerT, P1, S1],
        name: SharedIndex,
        /,
        *,
        partition_key: KeyTemplate[OwnerT, P1, LeadingT],
        sort_key: KeyTemplate[OwnerT, FullT, S1],
        where: Condition[OwnerT] | None = None,
    ) -> None: ...
    def __init__(
        self,
        name: str | SharedIndex,
        *,
        partition_key: Any,
        sort_key: Any = None,
        projection: Projection = "all",
        where: Any = None,
    ) -> None:
        if isinstance(name, SharedIndex):
            self._fill(make_mapping(name, partition_key, sort_key, where, common_owner))
            return
        if where is not None:
            raise ModelError(f"index {name!r}: where= is for an index of a SharedTable, whose keys the library writes")
        partition_paths = key_paths(name, "partition_key", partition_key)
        sort_paths = () if sort_key is None else key_paths(name, "sort_key", sort_key)
        super().__init__(name, (*partition_paths, *sort_paths), sort_paths, projection)
        self._partition_paths = tuple(_of_index(path, self) for path in partition_paths)

    def _fill(self, mapping: IndexMapping) -> None:
        """Become how an entity fills an index of its shared table."""
        self.name: str = mapping.index.name
        self.owner: Any = mapping.owner
        self.mapping: IndexMapping | None = mapping
        self.projection: Literal["all", "keys_only"] | tuple[str, ...] = mapping.index.projection
        partition, *sort = mapping.templates
        self._partition_paths = tuple(_of_index(path, self) for path in partition.paths)
        self.sort_paths: KeyPaths = tuple(_of_index(path, self) for template in sort for path in template.paths)
        self._register()

    @property
    def partition_paths(self) -> KeyPaths:
        """The paths of the attributes of its partition key."""
        return self._partition_paths


class LocalSecondaryIndex(SecondaryIndex[EntityT_contra, Any, SortT]):
    """A local secondary index: the items of one partition key value under another sort key.

    It limits all items under one partition key value to 10 GB, for ever: an `ItemCollectionLimitWarning` says so.

    Args:
        name: Its name in the table.
        sort_key: The path of the attribute that is its sort key.
        projection: The attributes that it holds beside keys: ``"all"``, ``"keys_only"``, or the paths of some.

    Raises:
        ModelError: If the path cannot be such a key.
    """

    is_local: ClassVar[bool] = True

    def __init__(
        self, name: str, *, sort_key: AttributePath[EntityT_contra, SortT], projection: Projection = "all"
    ) -> None:
        sort_paths = key_paths(name, "sort_key", sort_key)
        if len(sort_paths) > 1:
            raise ModelError(f"index {name!r}: a local secondary index has one sort key attribute: use a global one")
        owner = common_owner(name, sort_paths)
        schema = owner if isinstance(owner, EntitySchema) else schema_of(owner) if is_entity(owner) else None
        if schema is not None and schema.sort_key is None:
            raise ModelError(
                f"index {name!r}: a local index is another sort key of a table that has one, and {schema.entity} has"
                " none: use a GlobalSecondaryIndex, or annotate one attribute with SortKey"
            )
        super().__init__(name, sort_paths, sort_paths, projection)
        warnings.warn(
            f"local secondary index {name!r} limits every partition key value of the table to 10 GB of items: "
            "a GlobalSecondaryIndex does not",
            ItemCollectionLimitWarning,
            stacklevel=2,
        )

    @property
    def partition_paths(self) -> KeyPaths:
        """The path of the table's partition key, which is its own too.

        Raises:
            ModelError: If the class is mapped from outside, so that only its table handle knows its key.
        """
        schema = self.owner if isinstance(self.owner, EntitySchema) else schema_of(self.owner)
        return (_of_index(schema.partition_key_path, self),)


def indexes_of(cls: type[Any]) -> tuple[SecondaryIndex[Any, Any, Any], ...]:
    """Return the indexes over a class's attributes, inherited ones first. A later one replaces one of its name."""
    found: dict[str, SecondaryIndex[Any, Any, Any]] = {}
    for base in reversed(cls.__mro__):
        found.update(vars(base).get(INDEXES_ATTRIBUTE, {}))
    return tuple(found.values())


def mappings_of(cls: type[Any]) -> tuple[IndexMapping, ...]:
    """Return how an entity fills the indexes of its shared table."""
    return tuple(index.mapping for index in indexes_of(cls) if index.mapping is not None)


def _of_index(path: AttributePath[Any, Any], index: Any) -> AttributePath[Any, Any]:
    return AttributePath(path.owner, path.segments, index=index, labels=path.labels)
