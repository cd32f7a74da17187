"""The measured process of decoding: our decoder and boto3's take the same records, parsed before, in turns.

Run by `run.py` in an environment with boto3 and this package: ``python decode_probe.py``. For each line of standard
input it runs a round, and prints CPU microseconds a record as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # the folder is no installed package

import orjson
from boto3.dynamodb.types import TypeDeserializer
from records import PAGE, Order, StreamInMemory, page

from mizzle_async import Client
from mizzle_async.operations.streams import ChangeDecoder
from mizzle_async.writing.table_part import target_of

PASSES = 5


async def decoder() -> ChangeDecoder[Order]:
    """Return our decoder."""
    async with Client(caller=StreamInMemory(1)) as client:
        return ChangeDecoder(target_of(client.table(Order)))


def main() -> None:
    """Run a round for each line."""
    decode = asyncio.run(decoder()).decode
    deserialize = TypeDeserializer().deserialize
    records = orjson.loads(page(0, None))["Records"]

    def ours() -> None:
        for record in records:
            decode(record, record["dynamodb"]["SequenceNumber"])

    def theirs() -> None:
        for record in records:
            for image in ("OldImage", "NewImage"):
                for value in record["dynamodb"][image].values():
                    deserialize(value)

    for _ in sys.stdin:
        found: dict[str, Any] = {}
        for name, way in (("ours", ours), ("boto3", theirs)):
            gc.collect()
            begun = time.process_time()
            for _again in range(PASSES):
                way()
            found[name] = (time.process_time() - begun) / PASSES / PAGE * 1e6
        print(json.dumps(found), flush=True)


main()
