"""Operations: one frozen class per verb, from arguments to a wire request, and from its answer to a result."""

from mizzle_async.operations.base import Operation, use
from mizzle_async.operations.check import CheckItem
from mizzle_async.operations.conditions import Presence
from mizzle_async.operations.cursors import Cipher, CursorCodec, cursor_secret, derived_key
from mizzle_async.operations.delete import DeleteItem
from mizzle_async.operations.explain import Capacity, Explanation
from mizzle_async.operations.get import GetItem
from mizzle_async.operations.key import MISSING, Key, Missing, entity_identity, resolve_key
from mizzle_async.operations.pages import RawPage, ReadPage
from mizzle_async.operations.projection import projection_of
from mizzle_async.operations.put import PutItem
from mizzle_async.operations.reading import AnyIndex, OnError, ReadOptions, ReadPlan, query_index
from mizzle_async.operations.stamps import is_stamped, stamp_new, stamp_put, stored_version
from mizzle_async.operations.target import Encoded, Target
from mizzle_async.operations.update import UpdateItem

__all__ = [
    "MISSING",
    "AnyIndex",
    "Capacity",
    "CheckItem",
    "Cipher",
    "CursorCodec",
    "DeleteItem",
    "Encoded",
    "Explanation",
    "GetItem",
    "Key",
    "Missing",
    "OnError",
    "Operation",
    "Presence",
    "PutItem",
    "RawPage",
    "ReadOptions",
    "ReadPage",
    "ReadPlan",
    "Target",
    "UpdateItem",
    "cursor_secret",
    "derived_key",
    "entity_identity",
    "is_stamped",
    "projection_of",
    "query_index",
    "resolve_key",
    "stamp_new",
    "stamp_put",
    "stored_version",
    "use",
]
