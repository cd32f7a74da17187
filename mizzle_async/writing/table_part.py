"""The base of a table handle's parts."""

from __future__ import annotations

from collections.abc import Sequence
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
        self._stamped = is_stamped(target.schema)
        shared = target.schema.shared
        self._is_shared = shared is not None
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

    def _now(self) -> float:
        """Return the time for stamps and time to live, or 0 where the entity has neither."""
        return self._runtime.now() if self._stamped else 0.0

    def _of_family(self, verb: str) -> tuple[Condition[ModelT], ...]:
        """Return the conditions under which a change keeps to items of the entity's own classes.

        Args:
            verb: The verb that changes an item, for messages.

        Raises:
            ExpressionError: A subclass has what this entity would not keep.
        """
        if not self._is_shared:
            return ()
        refuse_through_parent(self._schema, verb)
        return family_conditions(self._target) if self._inherits_key else ()

    def _version(self, key: object, verb: str) -> int | None:
        """Return the version of an instance, or None where this is no instance, or its entity counts no versions."""
        schema = self._schema
        if schema.version is None or not isinstance(key, schema.cls):
            return None
        return stored_version(schema, key, verb)

    def _write_id(self) -> str | None:
        """Return the id that a versioned item stores beside its version, or None without versions."""
        return None if self._schema.version is None else self._runtime.new_write_id()


def target_of(table: TablePart[ModelT]) -> Target[ModelT]:
    """Return the target of a table handle: the schema, the codec, and the name at the service."""
    return table._target  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # a user has no use for it
