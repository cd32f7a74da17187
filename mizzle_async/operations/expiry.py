"""When an item counts as expired, by its time-to-live attribute: exactly DynamoDB's rule, on the client's clock.

The service deletes expired items within days. Until then they are hidden: an item is expired when the attribute is a
number of seconds that lies in the past, but less than five years
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html). Any other type, and a time
further back, is ignored by the service, and so by us.
"""

from __future__ import annotations

from math import floor
from typing import Any, Final

from mizzle_async.expressions import AttributePath, Condition, Encoded
from mizzle_async.limits import TIME_TO_LIVE_YEARS
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.model.scalars.numbers import float_in
from mizzle_async.operations.target import Target
from mizzle_async.types import AttributeValue

IGNORED_AFTER_SECONDS: Final = TIME_TO_LIVE_YEARS * 365 * 86_400


def expiry_bounds(now: float) -> tuple[AttributeValue, AttributeValue]:
    """Return the earliest and the latest time to live of an item that is expired at ``now``, as numbers of the wire."""
    latest = floor(now)
    return {"N": str(latest - IGNORED_AFTER_SECONDS)}, {"N": str(latest)}


def is_expired(value: AttributeValue | None, now: float) -> bool:
    """Return whether an item is expired at ``now``, by its stored time to live, which is None where it has none."""
    if value is None:
        return False
    try:
        expires = float_in(value["N"])
    except (KeyError, TypeError, Misfit):  # of another type, or no attribute value: reading the item says so
        return False
    latest = floor(now)
    return latest - IGNORED_AFTER_SECONDS <= expires <= latest


def expired_condition(target: Target[Any], now: float) -> Condition[Any] | None:
    """Return the condition that the stored item is expired, or None for an entity without a time to live."""
    lifetime = target.schema.time_to_live
    if lifetime is None:
        return None
    earliest, latest = expiry_bounds(now)
    path: AttributePath[Any, Any] = AttributePath(target.schema.owner, (lifetime.name,))
    return path.between(Encoded(earliest), Encoded(latest))
