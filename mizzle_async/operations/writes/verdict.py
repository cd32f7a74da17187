"""The fate of a write whose answer was lost, judged by the item that made its repetition fail.

A versioned item carries, beside its version, the id of the write that gave it this version. Every write through this
library stores an id of its own, so:

- our id: the write was applied;
- another's id at the version that ours would have made, or at the version that it expected: the write was not applied,
  because every version is made once;
- anything else (no item, a version further on) proves nothing.

Equality of the other attributes is no evidence: two writers may write the same.

One history is assumed: an item that others delete and insert again between two attempts of one call counts its
versions from 1 again.
"""

from __future__ import annotations

from enum import Enum

from mizzle_async.model import EntitySchema
from mizzle_async.types import WRITE_ID_ATTRIBUTE, Item


class Verdict(Enum):
    """The knowledge about a write that may have been applied."""

    APPLIED = "applied"
    REFUSED = "refused"
    UNKNOWN = "unknown"


def judge(schema: EntitySchema, stored: Item | None, *, write_id: str | None, expected: int | None) -> Verdict:
    """Judge a write by the item that is stored now.

    Args:
        schema: The entity's.
        stored: The item that made a later attempt fail, or None if there was none.
        write_id: The id that the write would have stored, None for a write that stores none.
        expected: The version that it checked, 0 for an insert, None where it checked none.
    """
    if schema.version is None or stored is None:
        return Verdict.UNKNOWN
    if write_id is not None and stored.get(WRITE_ID_ATTRIBUTE) == {"S": write_id}:
        return Verdict.APPLIED
    if expected is None:
        return Verdict.UNKNOWN
    version = stored.get(schema.version.name, {}).get("N")
    return Verdict.REFUSED if version in {str(expected), str(expected + 1)} else Verdict.UNKNOWN
