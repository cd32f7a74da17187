"""Close the sockets of a client that cannot be awaited: its event loop has been closed, or its last holder is gone."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any


def discard(transport: asyncio.BaseTransport) -> None:
    """Close the socket of a transport, also of a closed event loop. No callback of its protocol can be relied on.

    A transport of a closed loop cannot be closed by its own means: they schedule a callback on the loop. uvloop has
    closed its sockets by itself.

    Args:
        transport: A transport of ``loop.create_connection``, plain or encrypted.
    """
    try:
        abort: Any = getattr(transport, "abort", transport.close)
        abort()
    except RuntimeError:  # "Event loop is closed", after the transport has noted that it is closing
        pass
    else:
        return
    plain = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None) or transport
    end: Any = getattr(plain, "_call_connection_lost", None)
    if end is not None:
        # The loop would have called it next. It closes the socket, even where the protocol fails.
        with contextlib.suppress(RuntimeError):
            end(None)
