"""A process that answers a consumer's requests with 200 shards in which nothing happens. It prints its URL."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # the folder is no installed package

from records import ARN

from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import Request, ScriptedServer

SHARDS = 200


def answer(request: Request) -> Reply:
    """Answer one request."""
    body: dict[str, Any]
    match request.operation:
        case "DescribeTable":
            stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
            body = {"Table": {"TableName": "orders", "LatestStreamArn": ARN, "StreamSpecification": stream}}
        case "DescribeStream":
            first = int((request.payload.get("ExclusiveStartShardId") or "-1").partition("-")[2] or -1) + 1
            shards = [{"ShardId": f"shard-{number}", "SequenceNumberRange": {}} for number in range(first, first + 100)]
            described = {"StreamArn": ARN, "StreamStatus": "ENABLED", "StreamViewType": "NEW_AND_OLD_IMAGES"}
            if first + 100 < SHARDS:
                described["LastEvaluatedShardId"] = f"shard-{first + 99}"
            body = {"StreamDescription": {**described, "Shards": shards}}
        case "GetShardIterator":
            body = {"ShardIterator": request.payload["ShardId"]}
        case _:
            body = {"Records": [], "NextShardIterator": request.payload["ShardIterator"]}
    return Reply(body)


async def main() -> None:
    """Serve until standard input ends."""
    async with ScriptedServer(answer) as server:
        print(server.url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
