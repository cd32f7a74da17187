"""Spans around handlers, for instruments that open them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from mizzle_async.operations.streams import ChangeRecord
from mizzle_async.streams.handling import HandlerSpan
from mizzle_async.types import HandlerInstrument, HandlerRecord


def handler_spans(instruments: Sequence[object], table: str, consumer: str | None) -> list[HandlerSpan]:
    """Return functions that open a span around a handler, one for each instrument that has spans.

    Args:
        instruments: The client's.
        table: The table whose changes are handled.
        consumer: The name of the consumer, or None.
    """
    return [_span(each, table, consumer) for each in instruments if isinstance(each, HandlerInstrument)]


def _span(instrument: HandlerInstrument, table: str, consumer: str | None) -> HandlerSpan:
    def span(changes: Sequence[Any], attempt: int) -> AbstractContextManager[object]:
        first: ChangeRecord[Any] = changes[0]
        record = HandlerRecord(table, consumer, first.shard or "", first.number, len(changes), attempt)
        return instrument.handler_span(record)

    return span
