"""Frames for code without a loop: a plain generator of record batches, in tasks of Spark, Dask, Ray and others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from mizzle_async.flow.pace import rate_limiter
from mizzle_async.handles.client import Client
from mizzle_async.handles.query import Read


def read_batches(
    query: Read[Any, Any],
    /,
    *,
    connect: Callable[[], Client] = Client,
    rows: int = 10_000,
    schema: Any = None,
    read_units_per_second: float | None = None,
) -> Iterator[Any]:
    """Yield the rows of a query as Arrow record batches, on a loop and a client of its own.

    Closing the generator closes both; no request is sent after that.

    Args:
        query: A query or a part of one, of another client or out of a pickle.
        connect: Returns the client.
        rows: Rows of a batch.
        schema: As for `Query.to_arrow`.
        read_units_per_second: Consume no more than this.
    """
    with asyncio.Runner() as runner:
        client = connect()
        runner.run(client.open())
        batches = None
        try:
            if read_units_per_second is not None:
                runtime = client._runtime  # noqa: SLF001  (the limit of one task, not of the client's settings)
                runtime.read_limiter = rate_limiter(read_units_per_second, runtime.pause)
            batches = runner.run(_begun(query, client, rows, schema))
            while (batch := runner.run(_next(batches))) is not None:
                yield batch
        finally:
            if batches is not None:
                runner.run(batches.aclose())
            runner.run(client.aclose())


async def _begun(query: Read[Any, Any], client: Client, rows: int, schema: Any) -> Any:
    return query.on(client).arrow_batches(rows=rows, schema=schema)


async def _next(batches: Any) -> Any | None:
    try:
        return await anext(batches)
    except StopAsyncIteration:
        return None
