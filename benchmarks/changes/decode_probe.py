"""The measured process of decoding: our decoder and boto3's take the JSON of the same page, in turns.

Run by `run.py` in an environment with boto3 and this package: ``python decode_probe.py``. For each line of standard
input it runs a round, and prints CPU microseconds a record as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # the folder is no installed package

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


def ways() -> dict[str, Callable[[], None]]:
    """Return the ways to decode the page."""
    body = page(0, None)
    own = asyncio.run(decoder())
    decode, form = own.decode, own.form
    deserialize = TypeDeserializer().deserialize
    if form is None:
        raise SystemExit("the entity has no lighter form")
    parsed = form.parse(body)["Records"], json.loads(body)["Records"]

    def ours_alone(records: Any = parsed[0]) -> None:
        for record in records:
            decode(record, record["dynamodb"]["SequenceNumber"])

    def theirs_alone(records: Any = parsed[1]) -> None:
        for record in records:
            for image in ("OldImage", "NewImage"):
                for value in record["dynamodb"][image].values():
                    deserialize(value)

    def ours() -> None:
        ours_alone(form.parse(body)["Records"])

    def theirs() -> None:
        theirs_alone(json.loads(body)["Records"])

    return {"ours": ours, "boto3": theirs, "ours, parsed before": ours_alone, "boto3, parsed before": theirs_alone}


def main() -> None:
    """Run a round for each line."""
    found_ways = ways()
    for _ in sys.stdin:
        found: dict[str, Any] = {}
        for name, way in found_ways.items():
            gc.collect()
            begun = time.process_time()
            for _again in range(PASSES):
                way()
            found[name] = (time.process_time() - begun) / PASSES / PAGE * 1e6
        print(json.dumps(found), flush=True)


main()
