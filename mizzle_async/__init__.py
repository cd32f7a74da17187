"""An asyncio-native, fully typed client library for Amazon DynamoDB: everything public is imported from here."""

from typing import TYPE_CHECKING

from mizzle_async.late import late_names

if TYPE_CHECKING:
    from mizzle_async.bulk.exports import ExportTarget
    from mizzle_async.bulk.saved_state import StateStore
    from mizzle_async.bulk.send_all import OperationOutcome, SendAll
    from mizzle_async.bulk.sweeps import ResumableItems
    from mizzle_async.bulk.writer import Writer
    from mizzle_async.errors import (
        AccessDeniedError,
        AppliedWriteError,
        BatchError,
        CancellationReason,
        ClientStateError,
        ConditionalCheckFailedError,
        CorruptResponseError,
        CredentialsError,
        DeadlineExceededError,
        DuplicateItemError,
        ExpiredIteratorError,
        ExpiredTokenError,
        ExpressionError,
        IdempotentParameterMismatchError,
        IncompleteSignatureError,
        InternalServerError,
        InvalidCursorError,
        InvalidSignatureError,
        ItemCollectionLimitWarning,
        ItemCollectionSizeLimitExceededError,
        ItemExistsError,
        ItemNotFoundError,
        LeaseHeldError,
        LeaseLostError,
        LimitError,
        LimitExceededError,
        MarshallingError,
        MissingAuthenticationTokenError,
        MizzleError,
        MizzleWarning,
        ModelError,
        MultipleItemsError,
        OutcomeUnknownError,
        PoolTimeoutError,
        ProxyError,
        ReplicatedWriteConflictError,
        RequestTooLargeError,
        ResourceInUseError,
        ResourceNotFoundError,
        ResumeError,
        SerializationError,
        ServiceError,
        ServiceUnavailableError,
        ThrottledError,
        TransactionCanceledError,
        TransactionConflictError,
        TransactionInProgressError,
        TransportError,
        TrimmedDataAccessError,
        UnawaitedOperationWarning,
        UnindexedFilterWarning,
        UniqueConstraintError,
        UnknownOperationError,
        UnrecognizedClientError,
        ValidationError,
        VersionConflictError,
    )
    from mizzle_async.expressions import (
        AttributePath,
        Condition,
        Operand,
        PartitionChoice,
        PartitionKeyCondition,
        PartitionKeyPath,
        SortKeyCondition,
        SortKeyPath,
        raw,
    )
    from mizzle_async.flow.pace import Throughput
    from mizzle_async.flow.report import BatchReport, UndoneWrite, WorkerError, WorkStoppedError
    from mizzle_async.flow.work import BulkWork
    from mizzle_async.handles.client import Client
    from mizzle_async.handles.collection import Collection, CollectionQuery
    from mizzle_async.handles.query import ProjectedQuery, Query
    from mizzle_async.handles.state import State
    from mizzle_async.handles.statement import Statement, parameter
    from mizzle_async.handles.table import Table
    from mizzle_async.handles.usage import TableUsage, Usage
    from mizzle_async.instruments.heat import Heat, HeatReport, HotKey
    from mizzle_async.marshalling import configure_converter, make_converter
    from mizzle_async.marshalling.json_functions import from_builtins, from_json, to_builtins, to_json
    from mizzle_async.model import (
        Attribute,
        GlobalSecondaryIndex,
        KeyTemplate,
        LocalSecondaryIndex,
        PartitionKey,
        SecondaryIndex,
        SharedIndex,
        SharedTable,
        SortKey,
        StateTable,
        asdict,
        attribute,
        document,
        entity,
        evolve,
        key_template,
        path,
    )
    from mizzle_async.operations import (
        Capacity,
        CheckItem,
        DeleteItem,
        Explanation,
        GetItem,
        GetOne,
        Key,
        Operation,
        PutItem,
        ReplaceItem,
        Transactable,
        UpdateItem,
    )
    from mizzle_async.operations.partiql import ExecuteBatch, ExecuteTransaction, StatementResult, identifier
    from mizzle_async.operations.streams.changes import Change, Inserted, Modified, PartialChange, Removed
    from mizzle_async.operations.tables.definition import IndexDescription, TableDescription
    from mizzle_async.operations.transactions.exactly_once import ExactlyOnce
    from mizzle_async.operations.transactions.get import TransactGet
    from mizzle_async.operations.transactions.write import TransactWrite
    from mizzle_async.reading.by_key import GetMany
    from mizzle_async.reading.coalescing import CoalescedReads
    from mizzle_async.reading.iterators import ItemIterator, Page, PageIterator, Stream
    from mizzle_async.streams.change_stream import ChangeStream
    from mizzle_async.streams.changes import Changes
    from mizzle_async.streams.failures import StreamGapError
    from mizzle_async.streams.handling import ChangeFailure
    from mizzle_async.streams.state.leases import Lease
    from mizzle_async.streams.state.resumption import ResumeState
    from mizzle_async.streams.stores import FileCheckpoints, MemoryCheckpoints
    from mizzle_async.streams.tally import ChangeReport, ShardReport
    from mizzle_async.types import CallRecord, Instrument, Outcome, ThrottlingReason
    from mizzle_async.wire.calls import PipelineStatistics
    from mizzle_async.wire.hedge_policy import HedgePolicy
    from mizzle_async.wire.pool.config import HostStatistics, PoolConfig, PoolStatistics
    from mizzle_async.wire.retry import RetryPolicy
    from mizzle_async.wire.settings import Credentials

__all__ = [
    "AccessDeniedError",
    "AppliedWriteError",
    "Attribute",
    "AttributePath",
    "BatchError",
    "BatchReport",
    "BulkWork",
    "CallRecord",
    "CancellationReason",
    "Capacity",
    "Change",
    "ChangeFailure",
    "ChangeReport",
    "ChangeStream",
    "Changes",
    "CheckItem",
    "Client",
    "ClientStateError",
    "CoalescedReads",
    "Collection",
    "CollectionQuery",
    "Condition",
    "ConditionalCheckFailedError",
    "CorruptResponseError",
    "Credentials",
    "CredentialsError",
    "DeadlineExceededError",
    "DeleteItem",
    "DuplicateItemError",
    "ExactlyOnce",
    "ExecuteBatch",
    "ExecuteTransaction",
    "ExpiredIteratorError",
    "ExpiredTokenError",
    "Explanation",
    "ExportTarget",
    "ExpressionError",
    "FileCheckpoints",
    "GetItem",
    "GetMany",
    "GetOne",
    "GlobalSecondaryIndex",
    "Heat",
    "HeatReport",
    "HedgePolicy",
    "HostStatistics",
    "HotKey",
    "IdempotentParameterMismatchError",
    "IncompleteSignatureError",
    "IndexDescription",
    "Inserted",
    "Instrument",
    "InternalServerError",
    "InvalidCursorError",
    "InvalidSignatureError",
    "ItemCollectionLimitWarning",
    "ItemCollectionSizeLimitExceededError",
    "ItemExistsError",
    "ItemIterator",
    "ItemNotFoundError",
    "Key",
    "KeyTemplate",
    "Lease",
    "LeaseHeldError",
    "LeaseLostError",
    "LimitError",
    "LimitExceededError",
    "LocalSecondaryIndex",
    "MarshallingError",
    "MemoryCheckpoints",
    "MissingAuthenticationTokenError",
    "MizzleError",
    "MizzleWarning",
    "ModelError",
    "Modified",
    "MultipleItemsError",
    "Operand",
    "Operation",
    "OperationOutcome",
    "Outcome",
    "OutcomeUnknownError",
    "Page",
    "PageIterator",
    "PartialChange",
    "PartitionChoice",
    "PartitionKey",
    "PartitionKeyCondition",
    "PartitionKeyPath",
    "PipelineStatistics",
    "PoolConfig",
    "PoolStatistics",
    "PoolTimeoutError",
    "ProjectedQuery",
    "ProxyError",
    "PutItem",
    "Query",
    "Removed",
    "ReplaceItem",
    "ReplicatedWriteConflictError",
    "RequestTooLargeError",
    "ResourceInUseError",
    "ResourceNotFoundError",
    "ResumableItems",
    "ResumeError",
    "ResumeState",
    "RetryPolicy",
    "SecondaryIndex",
    "SendAll",
    "SerializationError",
    "ServiceError",
    "ServiceUnavailableError",
    "ShardReport",
    "SharedIndex",
    "SharedTable",
    "SortKey",
    "SortKeyCondition",
    "SortKeyPath",
    "State",
    "StateStore",
    "StateTable",
    "Statement",
    "StatementResult",
    "Stream",
    "StreamGapError",
    "Table",
    "TableDescription",
    "TableUsage",
    "ThrottledError",
    "ThrottlingReason",
    "Throughput",
    "TransactGet",
    "TransactWrite",
    "Transactable",
    "TransactionCanceledError",
    "TransactionConflictError",
    "TransactionInProgressError",
    "TransportError",
    "TrimmedDataAccessError",
    "UnawaitedOperationWarning",
    "UndoneWrite",
    "UnindexedFilterWarning",
    "UniqueConstraintError",
    "UnknownOperationError",
    "UnrecognizedClientError",
    "UpdateItem",
    "Usage",
    "ValidationError",
    "VersionConflictError",
    "WorkStoppedError",
    "WorkerError",
    "Writer",
    "asdict",
    "attribute",
    "configure_converter",
    "document",
    "entity",
    "evolve",
    "from_builtins",
    "from_json",
    "identifier",
    "key_template",
    "make_converter",
    "parameter",
    "path",
    "raw",
    "to_builtins",
    "to_json",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = late_names(
        __name__,
        {
            "bulk.exports": "ExportTarget",
            "bulk.saved_state": "StateStore",
            "bulk.send_all": "OperationOutcome SendAll",
            "bulk.sweeps": "ResumableItems",
            "bulk.writer": "Writer",
            "errors": (
                "AccessDeniedError AppliedWriteError BatchError CancellationReason ClientStateError "
                "ConditionalCheckFailedError CorruptResponseError CredentialsError DeadlineExceededError "
                "DuplicateItemError ExpiredIteratorError ExpiredTokenError ExpressionError "
                "IdempotentParameterMismatchError IncompleteSignatureError InternalServerError InvalidCursorError "
                "InvalidSignatureError ItemCollectionLimitWarning ItemCollectionSizeLimitExceededError "
                "ItemExistsError ItemNotFoundError LeaseHeldError LeaseLostError LimitError LimitExceededError "
                "MarshallingError "
                "MissingAuthenticationTokenError MizzleError MizzleWarning ModelError MultipleItemsError "
                "OutcomeUnknownError PoolTimeoutError ProxyError ReplicatedWriteConflictError RequestTooLargeError "
                "ResourceInUseError ResourceNotFoundError ResumeError SerializationError ServiceError "
                "ServiceUnavailableError ThrottledError TransactionCanceledError "
                "TransactionConflictError "
                "TransactionInProgressError TransportError TrimmedDataAccessError UnawaitedOperationWarning "
                "UnindexedFilterWarning UniqueConstraintError UnknownOperationError UnrecognizedClientError "
                "ValidationError VersionConflictError"
            ),
            "expressions": (
                "AttributePath Condition Operand PartitionChoice PartitionKeyCondition PartitionKeyPath "
                "SortKeyCondition SortKeyPath raw"
            ),
            "flow.pace": "Throughput",
            "flow.report": "BatchReport UndoneWrite WorkStoppedError WorkerError",
            "flow.work": "BulkWork",
            "handles.client": "Client",
            "handles.collection": "Collection CollectionQuery",
            "handles.query": "ProjectedQuery Query",
            "handles.state": "State",
            "handles.statement": "Statement parameter",
            "handles.table": "Table",
            "handles.usage": "TableUsage Usage",
            "instruments.heat": "Heat HeatReport HotKey",
            "marshalling": "configure_converter make_converter",
            "marshalling.json_functions": "from_builtins from_json to_builtins to_json",
            "model": (
                "Attribute GlobalSecondaryIndex KeyTemplate LocalSecondaryIndex PartitionKey SecondaryIndex "
                "SharedIndex SharedTable SortKey StateTable asdict attribute document entity evolve key_template path"
            ),
            "operations": (
                "Capacity CheckItem DeleteItem Explanation GetItem GetOne Key Operation PutItem ReplaceItem "
                "Transactable UpdateItem"
            ),
            "operations.partiql": "ExecuteBatch ExecuteTransaction StatementResult identifier",
            "operations.streams.changes": "Change Inserted Modified PartialChange Removed",
            "operations.tables.definition": "IndexDescription TableDescription",
            "operations.transactions.exactly_once": "ExactlyOnce",
            "operations.transactions.get": "TransactGet",
            "operations.transactions.write": "TransactWrite",
            "reading.by_key": "GetMany",
            "reading.coalescing": "CoalescedReads",
            "reading.iterators": "ItemIterator Page PageIterator Stream",
            "streams.change_stream": "ChangeStream",
            "streams.changes": "Changes",
            "streams.failures": "StreamGapError",
            "streams.handling": "ChangeFailure",
            "streams.stores": "FileCheckpoints MemoryCheckpoints",
            "streams.tally": "ChangeReport ShardReport",
            "streams.state.leases": "Lease",
            "streams.state.resumption": "ResumeState",
            "types": "CallRecord Instrument Outcome ThrottlingReason",
            "wire.calls": "PipelineStatistics",
            "wire.hedge_policy": "HedgePolicy",
            "wire.pool.config": "HostStatistics PoolConfig PoolStatistics",
            "wire.retry": "RetryPolicy",
            "wire.settings": "Credentials",
        },
        public=True,
    )
    del TYPE_CHECKING, late_names  # no names of the package
