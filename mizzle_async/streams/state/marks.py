"""Operations that are applied once: a mark in the same transaction says that they were."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from mizzle_async.errors import (
    ExpressionError,
    MizzleError,
    OutcomeUnknownError,
    TransactionCanceledError,
    TransactionInProgressError,
)
from mizzle_async.flow.ports import PacingPort
from mizzle_async.operations import Target, check_timeout, derive
from mizzle_async.operations.transactions.marked import MarkedWrite, marked_write, may_pass
from mizzle_async.streams.state.rows import MARK, Mark, moment
from mizzle_async.streams.state.table import StateRows

KEEP: Final = timedelta(hours=48)
"""How long marks are kept: longer than a stream keeps its records, and than queues and clients usually repeat."""

UNSETTLED: Final = (TransactionInProgressError, OutcomeUnknownError)
"""Errors after which a sending may have been applied."""

REPEATED: Final = (TransactionCanceledError, *UNSETTLED)
"""Errors after which the transaction is sent again. Of a cancellation, `may_pass` decides."""

LONGEST_KEEP: Final = timedelta(days=3653)

FIRST_PAUSE: Final = 0.025
LONGEST_PAUSE: Final = 1.0
"""Seconds: a pause after a conflict is drawn from zero to a bound, which doubles from the first to the second."""


class Marks:
    """Applies operations once for each scope.

    Args:
        port: The client.
        rows: The rows of marks.
        spanning: The target of transactions.
    """

    def __init__(self, port: PacingPort, rows: StateRows[Mark], spanning: Target[Any]) -> None:
        self._port = port
        self._rows = rows
        self._spanning = spanning

    async def apply(self, scope: str, operations: Sequence[Any], *, keep: timedelta, timeout: float | None) -> bool:
        """Send operations with a mark, in one transaction.

        Args:
            scope: The scope of the mark.
            operations: Operations as `Client.transact_write` takes them.
            keep: How long the mark is kept.
            timeout: Seconds for everything, or None for the client's.

        Returns:
            False where they were applied before.

        Raises:
            TransactionCanceledError: Nothing was written.
            OutcomeUnknownError: The answer of a sending was lost, and none of the later ones told what became of it.
        """
        check_timeout(timeout)
        port = self._port
        clock = asyncio.get_running_loop().time
        ends = clock() + (port.timeout if timeout is None else timeout)
        write = self.write(scope, operations, keep=keep, timeout=timeout)
        bound = FIRST_PAUSE
        unsettled: MizzleError | None = None  # an earlier sending may have been applied
        while True:
            try:
                return await port.send(write)
            except MizzleError as error:
                if isinstance(error, TransactionCanceledError) and not may_pass(error):
                    raise
                if isinstance(error, UNSETTLED):
                    unsettled = error
                pause = port.random() * bound
                if not isinstance(error, REPEATED) or clock() + pause >= ends:
                    if unsettled is None or unsettled is error:
                        raise
                    raise unsettled from error
                failure = unsettled or error
            await port.pause(pause)
            if clock() >= ends:
                raise failure
            bound = min(bound * 2, LONGEST_PAUSE)
            # Its token stays: were the last sending applied, this one is answered as that one would have been.
            write = derive(write, _timeout=max(ends - clock(), 0.0))

    def write(self, scope: str, operations: Sequence[Any], *, keep: timedelta, timeout: float | None) -> MarkedWrite:
        """Build the transaction of `apply`."""
        seconds = check_keep(keep)
        token = self._port.new_token()
        mark = Mark(scope=scope, row=MARK, by=token, expires=moment(self._port.now() + seconds))
        return marked_write(
            self._spanning, self._rows.insert(mark), {"by": {"S": token}}, operations, token=token, timeout=timeout
        )


def check_keep(keep: timedelta) -> float:
    """Return the seconds for which a row is kept.

    Raises:
        ExpressionError: It is no timedelta, less than a second or more than ten years.
    """
    untyped: Any = keep
    if not isinstance(untyped, timedelta) or not timedelta(seconds=1) <= keep <= LONGEST_KEEP:
        raise ExpressionError(f"keep= takes a timedelta of one second to ten years, not {keep!r}")
    return keep.total_seconds()
