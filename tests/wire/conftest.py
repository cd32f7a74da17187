"""A client over a scripted server, on the virtual clock."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mizzle_async import Client, MizzleError, RetryPolicy
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.server import Script, ScriptedServer


def _play(
    script: Script, call: Callable[[Client], Awaitable[Any]], *, attempts: int = 1, **options: Any
) -> tuple[Any, ScriptedServer]:
    async def main() -> tuple[Any, ScriptedServer]:
        retry = RetryPolicy.no_backoff(attempts=attempts)
        async with (
            ScriptedServer(script) as server,
            Client(
                endpoint_url=server.url, region_name="us-east-1", credentials=("id", "secret"), retry=retry, **options
            ) as client,
        ):
            try:
                outcome = await call(client)
            except MizzleError as error:
                outcome = error
            await asyncio.sleep(0.01)  # virtual: what is closed is closed by now
            server.left_open = server.open  # type: ignore[attr-defined]  # connections that the answers left open
            return outcome, server

    return run_virtual(main())


@pytest.fixture(scope="session")
def play() -> Callable[..., tuple[Any, ScriptedServer]]:
    """A function that plays a script to a client, and returns the result or the error of a call, and the server."""
    return _play
