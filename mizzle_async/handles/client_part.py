"""The base of the client's parts."""

from __future__ import annotations

from mizzle_async.handles.catalog import Catalog
from mizzle_async.handles.runtime import Runtime


class ClientPart:
    """One part of the client: a few verbs over its runtime and its catalog. No part knows another one.

    Args:
        runtime: Sends, paces, owns tasks.
        catalog: Finds schemas, codecs and targets.
    """

    def __init__(self, runtime: Runtime, catalog: Catalog) -> None:
        self._runtime = runtime
        self._catalog = catalog
