"""Transactions that meet at an item: AWS cancels one of them, and engines on one machine let both pass.

Assumptions about AWS, of its guide to transactions unless they are marked otherwise:

- A transaction that meets another one, under way at one of its items, is cancelled with ``TransactionConflict`` for
  that item. Nothing of it was written.
- PutItem, UpdateItem and DeleteItem that meet a transaction are refused with TransactionConflictException.
- A transaction that meets its own token under way is refused with TransactionInProgressException.
- Reads are not refused here, although TransactGetItems may be.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

import orjson

Identity = tuple[str, bytes]
"""An item: its table, and its key."""


class Overlaps:
    """The items that transactions are at work on."""

    def __init__(self) -> None:
        self._busy: set[Identity] = set()
        self._tokens: set[str] = set()

    def is_busy(self, item: Identity) -> bool:
        """Return whether a transaction is at work on an item."""
        return item in self._busy

    def has_token(self, token: object) -> bool:
        """Return whether the transaction with this token is under way."""
        return token in self._tokens

    @contextmanager
    def working(self, items: Iterable[Identity], token: object) -> Generator[None]:
        """Keep items for a transaction meanwhile."""
        mine = set(items)
        self._busy |= mine
        if isinstance(token, str):
            self._tokens.add(token)
        try:
            yield
        finally:
            self._busy -= mine
            self._tokens.discard(str(token))


def identity(table: str, key: Mapping[str, Any]) -> Identity:
    """Return the identity of an item."""
    return table, orjson.dumps(dict(key), option=orjson.OPT_SORT_KEYS)


def actions_of(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the actions of TransactWriteItems, each with its table, and its key or its item."""
    return [next(iter(each.values())) for each in request.get("TransactItems") or ()]


def cancelled(conflicts: Iterable[bool]) -> tuple[str, list[dict[str, str]]]:
    """Return the words of the refusal, and a reason for each action.

    Args:
        conflicts: For each action, whether it met another transaction.
    """
    reasons = [
        {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"} if met else {"Code": "None"}
        for met in conflicts
    ]
    codes = ", ".join(reason["Code"] for reason in reasons)
    return f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]", reasons
