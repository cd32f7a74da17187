"""The capacity of requests: estimated from sizes, and as an answer reports it.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from __future__ import annotations

from math import ceil
from typing import Any, Final

import orjson
from attrs import evolve

from mizzle_async.limits import READ_UNIT_BYTES, WRITE_UNIT_BYTES
from mizzle_async.operations.explain import Capacity
from mizzle_async.types import WirePayload, WireRequest

_REPORTING: Final = frozenset(
    {
        "BatchExecuteStatement",
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "ExecuteStatement",
        "ExecuteTransaction",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    }
)
"""The operations that report their capacity where they are asked to."""

_MEMBER: Final = "ReturnConsumedCapacity"


def read_capacity(size: int, *, consistent: bool, at_least: bool = False, note: str = "") -> Capacity:
    """Estimate a read of ``size`` bytes: one unit per 4 KB, half of it where the read may be eventually consistent."""
    units = max(1, ceil(size / READ_UNIT_BYTES))
    return Capacity(read_units=units if consistent else units / 2, at_least=at_least, note=note)


def write_capacity(size: int, *, at_least: bool = False, note: str = "") -> Capacity:
    """Estimate a write of an item of ``size`` bytes: one unit per KB."""
    return Capacity(write_units=max(1, ceil(size / WRITE_UNIT_BYTES)), at_least=at_least, note=note)


def reporting(request: WireRequest) -> WireRequest:
    """Return a request that also asks for the capacity that it consumes, where its operation can report it."""
    body = request.body
    if request.operation not in _REPORTING or (_MEMBER.encode() in body and _MEMBER in orjson.loads(body)):
        return request
    return evolve(request, body=b'%b,"%b":"TOTAL"}' % (body[:-1], _MEMBER.encode()))


def consumed(payload: WirePayload) -> float | None:
    """Return the capacity units that an answer reports, of all its tables, or None where it reports none."""
    reported: Any = payload.get("ConsumedCapacity")
    if not reported:
        return None
    parts = reported if isinstance(reported, list) else [reported]
    return float(sum(part.get("CapacityUnits") or 0.0 for part in parts))
