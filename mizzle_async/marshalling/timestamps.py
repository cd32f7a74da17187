"""Times that the library takes itself, as attributes store them."""

from __future__ import annotations

from mizzle_async.model import AttributeSchema
from mizzle_async.model.scalars import datetime_type
from mizzle_async.model.scalars.temporal import from_epoch
from mizzle_async.types import AttributeValue


def encode_timestamp(attribute: AttributeSchema, epoch_seconds: float) -> AttributeValue:
    """Return a point in time as an attribute of type ``datetime`` stores it, by the library's own rules.

    Where the user's converter has a say, it is ``codec.encode_timestamp``.

    Args:
        attribute: The attribute: its role and its ``datetime_format`` decide.
        epoch_seconds: Seconds since 1970, as ``time.time()`` gives them.
    """
    row = datetime_type(attribute.storage_format)
    return {row.tag: (row.stamp or row.write)(from_epoch(epoch_seconds))}
