"""Operations: one frozen class per verb, from arguments to a wire request, and from its answer to a result."""

from mizzle_async.expressions import Encoded
from mizzle_async.operations.actions import Action, Transactable
from mizzle_async.operations.arguments import check_at_least_one, check_many, check_timeout
from mizzle_async.operations.base import Operation, derive, use
from mizzle_async.operations.explain import Capacity, Explanation, explain_nothing
from mizzle_async.operations.guards import check_no_guard, check_reserved, is_guard
from mizzle_async.operations.key import (
    MISSING,
    Key,
    KeyLike,
    KeyPart,
    KeyScalar,
    Missing,
    OneKey,
    entity_identity,
    key_attributes,
    resolve_key,
)
from mizzle_async.operations.metered import Meter, Metered
from mizzle_async.operations.reads.exists import Exists
from mizzle_async.operations.reads.get import GetItem, GetOne, GetRaw, GetStored
from mizzle_async.operations.reads.projection import projection_of
from mizzle_async.operations.target import Target
from mizzle_async.operations.writes.check import CheckItem
from mizzle_async.operations.writes.delete import DeleteItem
from mizzle_async.operations.writes.families import family_conditions, refuse_through_parent, refuse_unique_below
from mizzle_async.operations.writes.immutable import check_difference, unchanged_conditions
from mizzle_async.operations.writes.index_keys import instance_values, key_values, stale_keys
from mizzle_async.operations.writes.patching import Patch
from mizzle_async.operations.writes.presence import Presence
from mizzle_async.operations.writes.put import PutItem
from mizzle_async.operations.writes.replace import ReplaceItem, replacing
from mizzle_async.operations.writes.stamps import is_stamped, stamp_new, stamp_put, stored_version
from mizzle_async.operations.writes.update import UpdateItem

__all__ = [
    "MISSING",
    "Action",
    "Capacity",
    "CheckItem",
    "DeleteItem",
    "Encoded",
    "Exists",
    "Explanation",
    "GetItem",
    "GetOne",
    "GetRaw",
    "GetStored",
    "Key",
    "KeyLike",
    "KeyPart",
    "KeyScalar",
    "Meter",
    "Metered",
    "Missing",
    "OneKey",
    "Operation",
    "Patch",
    "Presence",
    "PutItem",
    "ReplaceItem",
    "Target",
    "Transactable",
    "UpdateItem",
    "check_at_least_one",
    "check_difference",
    "check_many",
    "check_no_guard",
    "check_reserved",
    "check_timeout",
    "derive",
    "entity_identity",
    "explain_nothing",
    "family_conditions",
    "instance_values",
    "is_guard",
    "is_stamped",
    "key_attributes",
    "key_values",
    "projection_of",
    "refuse_through_parent",
    "refuse_unique_below",
    "replacing",
    "resolve_key",
    "stale_keys",
    "stamp_new",
    "stamp_put",
    "stored_version",
    "unchanged_conditions",
    "use",
]
