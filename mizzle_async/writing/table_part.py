"""The base of a table handle's parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from mizzle_async.expressions import Condition
from mizzle_async.flow.ports import TaskPort
from mizzle_async.model import EntitySchema
from mizzle_async.operations import (
    Target,
    check_no_guard,
    check_reserved,
    family_conditions,
    is_stamped,
    refuse_through_parent,
    resolve_key,
    stored_version,
)
from mizzle_async.operations.key import MISSING
from mizzle_async.types import Item

ModelT = TypeVar("ModelT")


class TablePart(Generic[ModelT]):
    """One part of a table handle: a few verbs over a runtime and a target. No part knows another one.

    Args:
        runtime: Sends, paces, owns tasks.
        target: Given to every operation.
    """

    def __init__(self, runtime: TaskPort, target: Target[ModelT]) -> None:
        check_reserved(target.schema)
        self._runtime = runtime
        self._target = target
        self._schema: EntitySchema = target.schema
        # The time for stamps and time to live, or 0.0 where the entity has neither.
        self._now: Callable[[], float] = runtime.now if is_stamped(target.schema) else float
        shared = target.schema.shared
        self._is_shared = shared is not None
        self._is_versioned = target.schema.version is not None
        self._inherits_key = shared is not None and shared.parent is not None

    @property
    def name(self) -> str:
        """The table's name at the service, prefix included."""
        return self._target.table

    def _key(self, key: object, attributes: dict[str, Any], more: Sequence[Any] = ()) -> Item:
        codec = self._target.codec
        item = codec.encode_key(attributes) if key is MISSING else resolve_key(codec, key, attributes, more)
        if self._schema.unique:
            check_no_guard(self._schema, item)
        return item

    def _of_family(self, verb: str) -> tuple[Condition[ModelT], ...]:
        """Return the conditions under which a change of a shared table keeps to items of the entity's own classes.

        Args:
            verb: The verb that changes an item, for messages.

        Raises:
            ExpressionError: A subclass has what this entity would not keep.
        """
        refuse_through_parent(self._schema, verb)
        return family_conditions(self._target) if self._inherits_key else ()

    def _version(self, key: object, verb: str) -> int | None:
        """Return the version of an instance of an entity that counts them, or None where this is no instance."""
        schema = self._schema
        return stored_version(schema, key, verb) if isinstance(key, schema.cls) else None


def target_of(table: TablePart[ModelT]) -> Target[ModelT]:
    """Return the target of a table handle: the schema, the codec, and the name at the service."""
    return table._target  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # a user has no use for it
