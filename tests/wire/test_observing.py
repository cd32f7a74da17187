"""The log of calls: a line for each, with fields for structured logs, and no value in either."""

import logging

import pytest

from mizzle_async import AccessDeniedError, Attribute, Client, PartitionKey, entity
from mizzle_async.testing import StubTransport
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Reply

CANARY = "CANARY"


@entity("notes")
class Note:
    name: PartitionKey[str]
    text: Attribute[str]


def fields(record):
    """Return the fields that a structured log adds."""
    return {name: value for name, value in vars(record).items() if name.startswith("dynamodb_")}


@pytest.fixture
def log(caplog):
    """The log of the wire, whole."""
    caplog.set_level(logging.DEBUG, logger="mizzle_async.wire")
    return caplog


def test_calls_and_repetitions_have_fields(log):
    """A call that was sent twice has a record for the repetition and one for its end, for structured logging."""

    async def main():
        replies = [
            Reply.error("InternalServerError", status=500),
            Reply({"ConsumedCapacity": {"TableName": "notes", "CapacityUnits": 1.5}}),
            Reply.error("AccessDeniedException"),
        ]
        async with Client(transport=StubTransport(replies)) as client:
            await client.table(Note).put(Note(name=CANARY, text=CANARY))
            with pytest.raises(AccessDeniedError):
                await client.table(Note).get(CANARY)

    run_virtual(main())
    again, done, refused = [record for record in log.records if fields(record)]
    assert 0 <= fields(again).pop("dynamodb_pause") <= 1
    assert fields(again) == {
        "dynamodb_operation": "PutItem",
        "dynamodb_table": "notes",
        "dynamodb_index": None,
        "dynamodb_attempts": 1,
        "dynamodb_error": "InternalServerError",
        "dynamodb_pause": again.dynamodb_pause,
    }
    assert fields(done) == {
        "dynamodb_operation": "PutItem",
        "dynamodb_table": "notes",
        "dynamodb_index": None,
        "dynamodb_seconds": done.dynamodb_seconds,
        "dynamodb_attempts": 2,
        "dynamodb_failures": ["InternalServerError"],
        "dynamodb_request_id": "STUB0002",
        "dynamodb_error": None,
        "dynamodb_read_units": 0.0,
        "dynamodb_write_units": 1.5,
    }
    assert (refused.dynamodb_error, refused.dynamodb_request_id) == ("AccessDeniedException", "STUB0003")
    assert "PutItem notes: answered after" in done.getMessage()
    assert all(CANARY not in f"{record.getMessage()} {vars(record)}" for record in log.records)
