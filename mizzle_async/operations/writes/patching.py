"""The second look of `patch` and `replace`: their updates, built anew from the item that made a condition false."""

from __future__ import annotations

from typing import Any, NoReturn

from mizzle_async.errors import ConditionalCheckFailedError, ServiceError
from mizzle_async.expressions import Condition, Encoded
from mizzle_async.marshalling import Difference, StoredValue, diff
from mizzle_async.operations.error_context import answer_context
from mizzle_async.operations.target import Target
from mizzle_async.types import Item
from mizzle_async.values import transient


@transient(eq=False, repr=False)
class Patch:
    """A patch: two states of an item, and the update from one to the other.

    Attributes:
        before: The old instance, encoded, without maintained attributes.
        after: The new one, likewise.
        difference: The update that is sent.
    """

    before: Item
    after: Item
    difference: Difference

    def against(self, target: Target[Any], stored: Item) -> Patch | None:
        """Return the patch as an update of the item that is stored, None where that is the same update.

        Args:
            target: The table.
            stored: The item.

        Raises:
            Overtaken: Another writer changed a value that the patch would replace.
        """
        difference = diff(target.codec, self.before, self.after, stored)
        if _text(difference.guard) == _text(self.difference.guard):
            return None
        return Patch(self.before, self.after, difference)


def same_condition(first: Condition[Any] | None, second: Condition[Any] | None) -> bool:
    """Tell whether two conditions of the library's own are the same, values included."""
    return _text(first) == _text(second)


def raise_overtaken(target: Target[Any], error: ServiceError, item: Item | None, verb: str) -> NoReturn:
    """Raise that another writer changed a value that a patch would overwrite.

    Args:
        target: The table.
        error: The service's refusal.
        item: The stored item, where it is known.
        verb: The verb that the caller called.

    Raises:
        ConditionalCheckFailedError: Always.
    """
    raise ConditionalCheckFailedError(
        f"{target.schema.entity}: another writer changed a value that this {verb} would overwrite; nothing was "
        "written. Read the item again, and repeat the change",
        item=item,
        load=target.load,
        **answer_context(error),
    ) from error


def _text(condition: Condition[Any] | None) -> str:
    return "" if condition is None else condition.describe(_show)


def _show(value: Any) -> str:
    if isinstance(value, StoredValue):
        return repr(value.stored)
    return repr(value.value) if isinstance(value, Encoded) else repr(value)
