"""Operations: one frozen class per verb, from arguments to a wire request, and from its answer to a result."""

from mizzle_async.expressions import Encoded
from mizzle_async.operations.actions import Action, Transactable
from mizzle_async.operations.arguments import check_at_least_one, check_many, check_timeout
from mizzle_async.operations.base import Operation, derive, use
from mizzle_async.operations.batches.requests import (
    GET_CHUNK,
    WRITE_CHUNK,
    BatchAnswer,
    BatchEntry,
    BatchGet,
    BatchWrite,
    WriteKind,
    WritePacker,
    check_batchable,
    delete_entry,
    operation_entry,
    put_entry,
    put_maker,
)
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
from mizzle_async.operations.partiql.statements import (
    ExecuteBatch,
    ExecuteStatement,
    ExecuteTransaction,
    StatementPlan,
    StatementResult,
    execute_batch,
    execute_transaction,
)
from mizzle_async.operations.partiql.text import identifier, table_of
from mizzle_async.operations.reads.collections import about_one, collection_query, collection_scan
from mizzle_async.operations.reads.cursors import Cipher, CursorCodec, cursor_secret, derived_key, query_digest
from mizzle_async.operations.reads.exists import Exists
from mizzle_async.operations.reads.get import GetItem, GetOne, GetRaw, GetStored
from mizzle_async.operations.reads.hidden import hidden_items
from mizzle_async.operations.reads.key_conditions import AnyIndex
from mizzle_async.operations.reads.options import OnError, ReadOptions
from mizzle_async.operations.reads.page import RawPage, ReadPage, add_units
from mizzle_async.operations.reads.plan import ReadPlan
from mizzle_async.operations.reads.projection import projection_of
from mizzle_async.operations.reads.selections import query_plan, scan_plan
from mizzle_async.operations.target import Target
from mizzle_async.operations.transactions.exactly_once import ExactlyOnce
from mizzle_async.operations.transactions.get import TransactGet, transact_get
from mizzle_async.operations.transactions.tokens import ClientRequestToken
from mizzle_async.operations.transactions.write import TransactWrite, transact_write
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
from mizzle_async.operations.writes.unique import refuse_unique, unique_delete, unique_insert, unique_patch
from mizzle_async.operations.writes.update import UpdateItem

__all__ = [
    "GET_CHUNK",
    "MISSING",
    "WRITE_CHUNK",
    "Action",
    "AnyIndex",
    "BatchAnswer",
    "BatchEntry",
    "BatchGet",
    "BatchWrite",
    "Capacity",
    "CheckItem",
    "Cipher",
    "ClientRequestToken",
    "CursorCodec",
    "DeleteItem",
    "Encoded",
    "ExactlyOnce",
    "ExecuteBatch",
    "ExecuteStatement",
    "ExecuteTransaction",
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
    "OnError",
    "OneKey",
    "Operation",
    "Patch",
    "Presence",
    "PutItem",
    "RawPage",
    "ReadOptions",
    "ReadPage",
    "ReadPlan",
    "ReplaceItem",
    "StatementPlan",
    "StatementResult",
    "Target",
    "TransactGet",
    "TransactWrite",
    "Transactable",
    "UpdateItem",
    "WriteKind",
    "WritePacker",
    "about_one",
    "add_units",
    "check_at_least_one",
    "check_batchable",
    "check_difference",
    "check_many",
    "check_no_guard",
    "check_reserved",
    "check_timeout",
    "collection_query",
    "collection_scan",
    "cursor_secret",
    "delete_entry",
    "derive",
    "derived_key",
    "entity_identity",
    "execute_batch",
    "execute_transaction",
    "explain_nothing",
    "family_conditions",
    "hidden_items",
    "identifier",
    "instance_values",
    "is_guard",
    "is_stamped",
    "key_attributes",
    "key_values",
    "operation_entry",
    "projection_of",
    "put_entry",
    "put_maker",
    "query_digest",
    "query_plan",
    "refuse_through_parent",
    "refuse_unique",
    "refuse_unique_below",
    "replacing",
    "resolve_key",
    "scan_plan",
    "stale_keys",
    "stamp_new",
    "stamp_put",
    "stored_version",
    "table_of",
    "transact_get",
    "transact_write",
    "unchanged_conditions",
    "unique_delete",
    "unique_insert",
    "unique_patch",
    "use",
]
