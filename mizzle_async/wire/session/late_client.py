"""An aiobotocore client that is made when the first operation needs it: most clients read no stream."""

from __future__ import annotations

import asyncio
from typing import Any

from mizzle_async.errors import ClientStateError
from mizzle_async.wire.session.clients import Prepared, configuration_error, load_model, make_client
from mizzle_async.wire.settings import WireSettings


class LateClient:
    """The aiobotocore client of one service, made once.

    Args:
        prepared: The session to make it from.
        settings: The client's settings, with the endpoint of this service.
        service: The service, as botocore names it.
    """

    def __init__(self, prepared: Prepared, settings: WireSettings, service: str) -> None:
        self._prepared = prepared
        self._settings = settings
        self._service = service
        self._making: asyncio.Task[Any] | None = None
        self._closed = False

    async def get(self) -> Any:
        """Return the client, which the first caller has made, and which no caller's end cancels.

        Raises:
            ClientStateError: The configuration cannot be used for this service, or the client is closed.
        """
        if self._closed:
            raise ClientStateError("the client is closed: open it again")
        if self._making is None or (self._making.done() and self._making.exception() is not None):
            name = f"mizzle_async: aiobotocore client of {self._service}"
            self._making = asyncio.get_running_loop().create_task(self._make(), name=name)
        making = self._making
        await asyncio.wait({making})
        if making.cancelled():
            raise ClientStateError("the client was closed during the call")
        return making.result()

    async def aclose(self) -> None:
        """Close the client, where there is one. It holds no connection."""
        self._closed = True
        making = self._making
        if making is not None:
            making.cancel()
            await asyncio.wait({making})
            if not making.cancelled() and making.exception() is None:
                await making.result().__aexit__(None, None, None)

    async def _make(self) -> Any:
        try:
            await asyncio.to_thread(load_model, self._prepared.session, self._service)
            client = await make_client(self._prepared, self._settings, self._service)
        except Exception as error:
            failure = configuration_error(error, self._settings.profile_name)
            if failure is None:
                raise
            raise failure from error
        client.meta.events.register("choose-signer", leave_unsigned)
        return client


def leave_unsigned(**_: Any) -> Any:
    """Tell aiobotocore not to sign: the pipeline does."""
    from botocore import UNSIGNED

    return UNSIGNED
