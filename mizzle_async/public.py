"""The public names, gathered, and told that they live in `mizzle_async`: so tracebacks, pickles and help pages say."""

from __future__ import annotations

from typing import Any

from mizzle_async.bulk.exports import ExportTarget
from mizzle_async.bulk.send_all import OperationOutcome, SendAll
from mizzle_async.bulk.sweeps import ResumableItems
from mizzle_async.bulk.writer import Writer
from mizzle_async.errors import CancellationReason
from mizzle_async.expressions import (
    AttributePath,
    Condition,
    Operand,
    PartitionKeyCondition,
    PartitionKeyPath,
    SortKeyCondition,
    SortKeyPath,
)
from mizzle_async.flow.pace import Throughput
from mizzle_async.flow.report import BatchReport, UndoneWrite, WorkStoppedError
from mizzle_async.flow.work import BulkWork
from mizzle_async.handles.client import Client
from mizzle_async.handles.query import ProjectedQuery, Query
from mizzle_async.handles.statement import Statement, parameter
from mizzle_async.handles.table import Table
from mizzle_async.instruments.heat import Heat, HeatReport, HotKey
from mizzle_async.marshalling import configure_converter, make_converter
from mizzle_async.model import (
    Attribute,
    GlobalSecondaryIndex,
    LocalSecondaryIndex,
    PartitionKey,
    SecondaryIndex,
    SortKey,
    asdict,
    attribute,
    document,
    entity,
    evolve,
)
from mizzle_async.operations import (
    Capacity,
    CheckItem,
    DeleteItem,
    ExactlyOnce,
    ExecuteBatch,
    ExecuteTransaction,
    Explanation,
    GetItem,
    Key,
    Operation,
    PutItem,
    ReplaceItem,
    StatementResult,
    Transactable,
    TransactGet,
    TransactWrite,
    UpdateItem,
    identifier,
)
from mizzle_async.operations.tables.definition import IndexDescription, TableDescription
from mizzle_async.reading.by_key import GetMany
from mizzle_async.reading.coalescing import CoalescedReads
from mizzle_async.reading.iterators import ItemIterator, Page, PageIterator, Stream
from mizzle_async.types import CallRecord, Instrument, Outcome, ThrottlingReason
from mizzle_async.wire.calls import PipelineStatistics
from mizzle_async.wire.hedge_policy import HedgePolicy
from mizzle_async.wire.pool.config import HostStatistics, PoolConfig, PoolStatistics
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.settings import Credentials

__all__ = [
    "Attribute",
    "AttributePath",
    "BatchReport",
    "BulkWork",
    "CallRecord",
    "CancellationReason",
    "Capacity",
    "CheckItem",
    "Client",
    "CoalescedReads",
    "Condition",
    "Credentials",
    "DeleteItem",
    "ExactlyOnce",
    "ExecuteBatch",
    "ExecuteTransaction",
    "Explanation",
    "ExportTarget",
    "GetItem",
    "GetMany",
    "GlobalSecondaryIndex",
    "Heat",
    "HeatReport",
    "HedgePolicy",
    "HostStatistics",
    "HotKey",
    "IndexDescription",
    "Instrument",
    "ItemIterator",
    "Key",
    "LocalSecondaryIndex",
    "Operand",
    "Operation",
    "OperationOutcome",
    "Outcome",
    "Page",
    "PageIterator",
    "PartitionKey",
    "PartitionKeyCondition",
    "PartitionKeyPath",
    "PipelineStatistics",
    "PoolConfig",
    "PoolStatistics",
    "ProjectedQuery",
    "PutItem",
    "Query",
    "ReplaceItem",
    "ResumableItems",
    "RetryPolicy",
    "SecondaryIndex",
    "SendAll",
    "SortKey",
    "SortKeyCondition",
    "SortKeyPath",
    "Statement",
    "StatementResult",
    "Stream",
    "Table",
    "TableDescription",
    "ThrottlingReason",
    "Throughput",
    "TransactGet",
    "TransactWrite",
    "Transactable",
    "UndoneWrite",
    "UpdateItem",
    "WorkStoppedError",
    "Writer",
    "asdict",
    "attribute",
    "configure_converter",
    "document",
    "entity",
    "evolve",
    "identifier",
    "make_converter",
    "parameter",
]

for _name in __all__:
    _public: Any = globals()[_name]
    _public.__module__ = "mizzle_async"
