"""A process with an engine, before it a facade whose streams have several shards. It prints its URL and the engine.

Run by `run.py`: ``python latency_server.py SHARDS``. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys

from mizzle_async.testing import DynamoDBLocal, EmbeddedEngine, Engine, EngineError, Resharder


async def serve(engine: Engine, shards: int) -> None:
    """Serve until standard input ends."""
    async with Resharder(engine, shards=shards, generator=random.Random(1)) as facade:
        print(json.dumps({"url": facade.url, "engine": type(engine).__name__}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Start DynamoDB Local, or the embedded engine where there is no Java."""
    engine: Engine = DynamoDBLocal()
    try:
        engine.start()
    except EngineError as error:
        print(f"the embedded engine instead: {error}", file=sys.stderr)
        engine = EmbeddedEngine().start()
    with engine:
        asyncio.run(serve(engine, int(sys.argv[1])))


main()
