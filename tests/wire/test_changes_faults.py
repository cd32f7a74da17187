"""A consumer of changes over a network and a service that fail: every change comes, once, in order."""

import pytest

from mizzle_async import Attribute, Client, MemoryCheckpoints, PartitionKey, RetryPolicy, entity
from mizzle_async.testing import ScriptedServer
from mizzle_async.testing.replies import Ending, Reply

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/rows/stream/1"
VIEW = "NEW_AND_OLD_IMAGES"
CHANGES = 60


@entity("rows")
class Row:
    name: PartitionKey[str]
    color: Attribute[str]


def record(number):
    """Return a record of an insert."""
    item = {"name": {"S": f"n{number}"}, "color": {"S": "red"}}
    body = {
        "Keys": {"name": item["name"]},
        "NewImage": item,
        "SequenceNumber": f"{number:021d}",
        "StreamViewType": VIEW,
        "ApproximateCreationDateTime": 1_800_000_000,
    }
    return {"eventID": f"e{number}", "eventName": "INSERT", "dynamodb": body}


class Service:
    """One closed shard whose pages have three records; every third answer is a fault.

    Args:
        fault: Makes the fault.
    """

    def __init__(self, fault):
        self.fault = fault
        self.asked = 0
        self.faults = 0

    def __call__(self, request):
        """Answer a request."""
        if request.operation == "DescribeTable":
            stream = {"StreamEnabled": True, "StreamViewType": VIEW}
            return Reply({"Table": {"TableName": "rows", "LatestStreamArn": ARN, "StreamSpecification": stream}})
        if request.operation == "DescribeStream":
            shards = [{"ShardId": "shard-1", "SequenceNumberRange": {"StartingSequenceNumber": "1"}}]
            described = {"StreamArn": ARN, "StreamStatus": "DISABLED", "StreamViewType": VIEW}
            return Reply({"StreamDescription": {**described, "Shards": shards}})
        self.asked += 1
        if self.asked % 3 == 0:
            self.faults += 1
            return self.fault()
        if request.operation == "GetShardIterator":
            return Reply({"ShardIterator": f"{int(request.payload.get('SequenceNumber', '0'))}"})
        first = int(request.payload["ShardIterator"]) + 1
        last = min(first + 2, CHANGES)
        answer = {"Records": [record(number) for number in range(first, last + 1)]}
        return Reply(answer if last == CHANGES else answer | {"NextShardIterator": str(last)})


FAULTS = {
    "throttled": lambda: Reply.error("LimitExceededException", "slow"),
    "failed": lambda: Reply.error("InternalServerError", "failure", status=500),
    "expired": lambda: Reply.error("ExpiredIteratorException", "old"),
    "page of HTML": lambda: Reply.html(502),
    "cut off": lambda: Reply({"Records": []}).cut_at(9, Ending.RESET),
    "closed": Reply.close,
    "of another kind": lambda: Reply({"Items": []}),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("retries", [1, 4])
async def test_every_change_comes_once_through_faults(name, retries):
    """Whatever every third answer is, and whether or not the pipeline sends again itself."""
    service = Service(FAULTS[name])
    seen = []
    async with (
        ScriptedServer(service) as server,
        Client(
            endpoint_url=server.url,
            region_name="us-east-1",
            credentials=("id", "secret"),
            retry=RetryPolicy.no_backoff(attempts=retries),
        ) as client,
    ):

        async def handle(change):
            seen.append(change.sequence_number)

        stream = client.table(Row).changes(start="oldest", consumer="a", checkpoints=MemoryCheckpoints(), idle=0.01)
        report = await stream.for_each(handle, concurrency=1)
    assert seen == list(range(1, CHANGES + 1))
    assert report.done == CHANGES
    assert service.faults >= 5
