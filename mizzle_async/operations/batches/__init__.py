"""Batches of reads and writes."""

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

__all__ = [
    "GET_CHUNK",
    "WRITE_CHUNK",
    "BatchAnswer",
    "BatchEntry",
    "BatchGet",
    "BatchWrite",
    "WriteKind",
    "WritePacker",
    "check_batchable",
    "delete_entry",
    "operation_entry",
    "put_entry",
    "put_maker",
]
