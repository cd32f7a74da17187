"""The client's verb for state tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mizzle_async.errors import ModelError
from mizzle_async.handles.catalog import Catalog
from mizzle_async.handles.client_part import ClientPart
from mizzle_async.handles.runtime import Runtime
from mizzle_async.model import StateTable

if TYPE_CHECKING:
    from mizzle_async.handles.state import State


class ClientState(ClientPart):
    """The part of a client that opens state tables.

    Args:
        runtime: Sends, paces, owns tasks.
        catalog: Finds schemas, codecs and targets.
    """

    def __init__(self, runtime: Runtime, catalog: Catalog) -> None:
        super().__init__(runtime, catalog)
        self._states: dict[StateTable, State] = {}

    def state(self, table: StateTable, /) -> State:
        """Return the handle of a state table. Nothing is sent, and the client need not be open.

        Args:
            table: The table, which `ensure_tables` creates.

        Raises:
            ModelError: This is no `StateTable`.
        """
        untyped: Any = table
        if not isinstance(untyped, StateTable):
            raise ModelError(f'client.state() takes a StateTable, such as StateTable("app-state"), not {table!r}')
        known = self._states.get(table)
        if known is None:
            from mizzle_async.handles.state import State

            known = self._states[table] = State(self._runtime, self._catalog, table)
        return known
