"""PartiQL statements."""

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

__all__ = [
    "ExecuteBatch",
    "ExecuteStatement",
    "ExecuteTransaction",
    "StatementPlan",
    "StatementResult",
    "execute_batch",
    "execute_transaction",
    "identifier",
    "table_of",
]
