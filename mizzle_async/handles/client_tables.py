"""The client's verbs for tables: creating, ensuring, describing and deleting them, and waiting for the service.

The definition of a table is worked out in `operations`. Here it is sent and waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from mizzle_async.errors import (
    CorruptResponseError,
    DeadlineExceededError,
    ModelError,
    ResourceInUseError,
    ResourceNotFoundError,
    ValidationError,
)
from mizzle_async.flow.tasks import run_together
from mizzle_async.handles.client_part import ClientPart
from mizzle_async.handles.table import Table
from mizzle_async.model import EntitySchema, SharedTable, StateTable, StreamView
from mizzle_async.operations.missing import check_table_name, explain_missing
from mizzle_async.types import Outcome
from mizzle_async.writing.table_part import target_of

if TYPE_CHECKING:
    from mizzle_async.operations.tables.definition import TableDescription, TableOptions

TableLike: TypeAlias = type[Any] | Table[Any] | SharedTable | StateTable
"""Names a table: an entity, a handle of `Client.table`, a shared table, or a state table."""

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0
"""The service's own waiter polls every 20 seconds. A table on demand is often there after two."""


class ClientTables(ClientPart):
    """The part of a client that makes tables and deletes them.

    A table is named by its entity, or by the handle from `Client.table` where the class alone does not say everything.
    """

    async def create_table(
        self,
        model: TableLike,
        /,
        *,
        read_units: int | None = None,
        write_units: int | None = None,
        stream: StreamView | None = None,
        tags: Mapping[str, str] | None = None,
        deletion_protection: bool = False,
        wait_timeout: float = 300.0,
    ) -> TableDescription:
        """Create the table of an entity, with its indexes and its time to live, and wait until it can be used.

        Args:
            model: The entity, a `SharedTable`, a `StateTable`, or a table handle.
            read_units: Provisioned read units a second. Without both, the table is billed on demand.
            write_units: Provisioned write units a second.
            stream: The view of its stream, such as ``"new_and_old_images"``, or None for the class's own.
            tags: Tags of the table.
            deletion_protection: Whether the service refuses to delete it.
            wait_timeout: Seconds to wait until it can be used.

        Raises:
            ModelError: The class names another stream, or the service made the table without something that was asked
                for: some engines drop what they do not know.
            ResourceInUseError: The table exists.
            DeadlineExceededError: It cannot be used yet. The service goes on creating it.
        """
        from mizzle_async.operations.tables.definition import TableOptions

        options = TableOptions(
            read_units=read_units,
            write_units=write_units,
            stream=stream,
            tags=tags or {},
            deletion_protection=deletion_protection,
        )
        return await self._create(self._handle(model), options, _Deadline(wait_timeout))

    async def ensure_tables(
        self,
        *models: TableLike,
        read_units: int | None = None,
        write_units: int | None = None,
        wait_timeout: float = 300.0,
    ) -> list[TableDescription]:
        """Create the missing parts of some entities' tables, and delete nothing.

        These are tables, global indexes, the time to live, and the stream that a class asks for.

        Args:
            *models: Entities, shared tables, state tables, or table handles.
            read_units: For tables that are created: provisioned read units a second. Without both, on demand.
            write_units: As above.
            wait_timeout: Seconds to wait until all can be used.

        Returns:
            The tables in the order given.

        Raises:
            ModelError: A table exists with another key, index or view of its stream than its entity needs, and the
                message says how they differ. Or the service left something out that was asked for.
            DeadlineExceededError: Not all can be used yet.
        """
        from mizzle_async.operations.tables.asked import check_streams
        from mizzle_async.operations.tables.definition import TableOptions

        options = TableOptions(read_units=read_units, write_units=write_units)
        deadline = _Deadline(wait_timeout)
        self.check(*models)
        handles = [self._handle(model) for model in models]
        check_streams((target_of(handle).schema.entity, self._wanted(handle)) for handle in handles)
        sharing: dict[str, list[Table[Any]]] = {}
        for handle in dict.fromkeys(handles):
            sharing.setdefault(handle.name, []).append(handle)
        tables = await run_together(partial(self._ensure_all, each, options, deadline) for each in sharing.values())
        by_name = dict(zip(sharing, tables, strict=True))
        return [by_name[handle.name] for handle in handles]

    async def describe_table(self, model: TableLike | str, /) -> TableDescription:
        """Return the description of a table as it is now.

        Args:
            model: The entity, a `SharedTable`, a `StateTable`, a table handle, or the table's name at the service.

        Raises:
            ResourceNotFoundError: There is none.
        """
        from mizzle_async.operations.tables.definition import described

        name, entity = self._named(model)
        answer = await self._control("DescribeTable", {"TableName": name}, entity)
        return described(answer)

    async def delete_table(
        self,
        model: TableLike | str,
        /,
        *,
        missing_ok: bool = False,
        wait_timeout: float = 300.0,
    ) -> None:
        """Delete a table with everything in it, and wait until it is gone.

        Args:
            model: The entity, a `SharedTable`, a `StateTable`, a table handle, or the table's name at the service.
            missing_ok: Whether it is fine that there is none.
            wait_timeout: Seconds to wait until it is gone.

        Raises:
            ResourceNotFoundError: There is none.
            DeadlineExceededError: It is not gone yet. The service goes on deleting it.
        """
        name, entity = self._named(model)
        deadline = _Deadline(wait_timeout)
        try:
            await self._control("DeleteTable", {"TableName": name}, entity)
        except ResourceNotFoundError:
            if missing_ok:
                return
            raise
        while await self._described(name) is not None:
            await self._wait(deadline, name, "DeleteTable", "is still being deleted")

    async def list_tables(self, *, prefix: str = "") -> list[str]:
        """List the tables of the account in this region, by their names at the service.

        Args:
            prefix: List only those whose names begin so: ``table_prefix`` of the client, for instance.

        Raises:
            CorruptResponseError: A page of the list leads back to one that was read.

        Cost: one request of the control plane for each 100 tables.
        """
        names: list[str] = []
        seen: set[str] = set()
        more: dict[str, Any] = {}
        while True:
            answer = await self._runtime.control("ListTables", more)
            names += answer.get("TableNames", ())
            last = answer.get("LastEvaluatedTableName")
            if not last:
                return [name for name in names if name.startswith(prefix)]
            if last in seen:
                raise CorruptResponseError(
                    f"the list of tables goes on after {last!r} twice, so that reading it would never end",
                    operation="ListTables",
                )
            seen.add(last)
            more = {"ExclusiveStartTableName": last}

    async def table_exists(self, model: TableLike | str, /) -> bool:
        """Return whether a table exists, also one that is being created or deleted.

        Args:
            model: The entity, a `SharedTable`, a `StateTable`, a table handle, or the table's name at the service.
        """
        return await self._described(self._named(model)[0]) is not None

    def check(self, *models: TableLike) -> None:
        """Check at start-up that entities can be used: every type is resolved, and every index. Nothing is sent.

        Python resolves annotations when they are first asked for. A name that is imported under ``TYPE_CHECKING`` only
        would otherwise fail when the first request of its entity is built. `ensure_tables` checks as well.

        Args:
            *models: Entities, shared tables, state tables, or table handles.

        Raises:
            ModelError: A class cannot be an entity, or a type cannot be resolved or stored.
        """
        for model in models:
            members = model.members if isinstance(model, SharedTable) else ()
            for handle in map(self._handle, (model, *members)):
                self._wanted(handle)

    # ── steps ──

    async def _control(self, operation: str, parameters: Mapping[str, Any], entity: str | None) -> dict[str, Any]:
        """Send an operation about a table; where there is none, the error says where it was looked for."""
        try:
            return await self._runtime.control(operation, parameters)
        except ResourceNotFoundError as error:
            explain_missing(error, entity)
            raise

    def _named(self, model: TableLike | str) -> tuple[str, str | None]:
        """Return the name of a table at the service, and its entity where one is known."""
        if isinstance(model, str):
            check_table_name(model, "table")
            return model, None
        handle = self._handle(model)
        return handle.name, target_of(handle).schema.entity

    def _handle(self, model: TableLike) -> Table[Any]:
        argument: object = model
        if isinstance(argument, list | tuple | set):
            raise ModelError(
                "give entities one by one, `ensure_tables(Order, Customer)`, or `ensure_tables(*entities)`"
            )
        if isinstance(model, StateTable):
            from mizzle_async.streams.state.rows import Mark

            return self._catalog.table(Mark, name=model.name)
        if isinstance(model, SharedTable):
            member = next(iter(model.members), None)
            if member is None:
                raise ModelError(f"table {model.name!r} has no entities: import the modules that define them first")
            return self._catalog.table(member)
        return model if isinstance(model, Table) else self._catalog.table(model)

    async def _described(self, name: str) -> TableDescription | None:
        try:
            return await self.describe_table(name)
        except ResourceNotFoundError:
            return None

    def _wanted(self, handle: Table[Any]) -> TableDescription:
        """Return the table that an entity needs."""
        from mizzle_async.operations.tables.definition import definition_of

        target = target_of(handle)
        return definition_of(target.schema, handle.name, hooked=target.codec.hooked)

    async def _create(self, handle: Table[Any], options: TableOptions, deadline: _Deadline) -> TableDescription:
        from mizzle_async.operations.tables.asked import asked_for, check_made
        from mizzle_async.operations.tables.definition import create_parameters

        entity = target_of(handle).schema.entity
        asked = asked_for(self._wanted(handle), options, entity)
        await self._runtime.control("CreateTable", create_parameters(asked, options))
        table = await self._ready(handle.name, deadline)
        check_made(asked, table, entity)
        await self._ensure_time_to_live(target_of(handle).schema, handle.name)
        return table

    async def _ensure_all(
        self, handles: Sequence[Table[Any]], options: TableOptions, deadline: _Deadline
    ) -> TableDescription:
        """Ensure the table for each of several entities that share it, one after the other."""
        *others, last = handles
        for handle in others:
            await self._ensure(handle, options, deadline)
        return await self._ensure(last, options, deadline)

    async def _ensure(self, handle: Table[Any], options: TableOptions, deadline: _Deadline) -> TableDescription:
        from mizzle_async.operations.tables.asked import needs_stream
        from mizzle_async.operations.tables.definition import TableDescription, add_index_parameters, missing_indexes

        wanted, entity = self._wanted(handle), target_of(handle).schema.entity
        table = await self._described(handle.name)
        if table is None:
            try:
                return await self._create(handle, options, deadline)
            except ResourceInUseError:
                pass  # another client creates it at this moment: its state is read below
        table = await self._ready(handle.name, deadline)
        # One index at a time: the service makes no two of a table at once.
        for index in missing_indexes(wanted, table, entity):
            asked = TableDescription(handle.name, table.key, {}, {index.name: index})
            table = await self._change(asked, add_index_parameters(wanted, index, table), entity, deadline)
        if needs_stream(wanted, table, entity):
            asked = TableDescription(handle.name, table.key, {}, {}, stream=wanted.stream)
            table = await self._switch_on_stream(asked, entity, deadline)
        await self._ensure_time_to_live(target_of(handle).schema, handle.name)
        return table

    async def _change(
        self, asked: TableDescription, parameters: dict[str, Any], entity: str, deadline: _Deadline
    ) -> TableDescription:
        """Send UpdateTable, and wait until the table is as it was asked for.

        Raises:
            ModelError: Neither the answer nor the table shows the change: the service does not know it.
        """
        from mizzle_async.operations.tables.asked import check_made, dropped_settings
        from mizzle_async.operations.tables.definition import read_description

        answer = await self._runtime.control("UpdateTable", parameters)
        described = answer.get("TableDescription")
        is_taken = described is not None and not dropped_settings(asked, read_description(described))
        while True:
            table = await self._ready(asked.name, deadline)
            if not is_taken or not dropped_settings(asked, table):
                check_made(asked, table, entity)
                return table
            # The description is read eventually: it may be the one from before.
            await self._wait(deadline, asked.name, "DescribeTable", "does not show its change yet")

    async def _switch_on_stream(self, asked: TableDescription, entity: str, deadline: _Deadline) -> TableDescription:
        """Switch a stream on, unless another client does so at this moment."""
        from mizzle_async.operations.tables.asked import check_made
        from mizzle_async.operations.tables.definition import stream_specification

        parameters = {"TableName": asked.name, "StreamSpecification": stream_specification(str(asked.stream))}
        try:
            return await self._change(asked, parameters, entity, deadline)
        except (ResourceInUseError, ValidationError):
            table = await self._ready(asked.name, deadline)
            if table.stream is None:
                raise
            check_made(asked, table, entity)
            return table

    async def _ensure_time_to_live(self, schema: EntitySchema, name: str) -> None:
        from mizzle_async.operations.tables.definition import lifetime_of

        lifetime = lifetime_of(schema)
        if lifetime is None:
            return
        answer = await self._runtime.control("DescribeTimeToLive", {"TableName": name})
        description = answer.get("TimeToLiveDescription") or {}
        status, attribute = description.get("TimeToLiveStatus", "DISABLED"), description.get("AttributeName")
        if status in {"ENABLED", "ENABLING"}:
            if attribute != lifetime:
                raise ModelError(
                    f"{schema.entity}: table {name!r} expires items by {attribute!r}, not by {lifetime!r}; the"
                    " service changes that once an hour at most, and not here"
                )
            return
        await self._runtime.control(
            "UpdateTimeToLive",
            {"TableName": name, "TimeToLiveSpecification": {"Enabled": True, "AttributeName": lifetime}},
        )

    async def _ready(self, name: str, deadline: _Deadline) -> TableDescription:
        """Poll until the table and its indexes can be used."""
        while True:
            table = await self._described(name)  # a table that was just created may not be seen yet
            if table is not None and table.is_ready:
                return table
            state = "cannot be seen yet" if table is None else f"is {table.status}"
            await self._wait(deadline, name, "DescribeTable", state)

    async def _wait(self, deadline: _Deadline, name: str, operation: str, state: str) -> None:
        pause = deadline.next_pause()
        if pause is None:
            raise DeadlineExceededError(
                f"table {name!r} {state} after {deadline.seconds:g} seconds. The service goes on with it: wait longer"
                " with wait_timeout=, or look again with describe_table()",
                timeout=deadline.seconds,
                operation=operation,
                table=name,
                outcome=Outcome.ANSWERED,
            )
        await self._runtime.pause(pause)


class _Deadline:
    """The end of waiting, and the pauses until then: short at first, because an engine on this machine is quick."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends = asyncio.get_running_loop().time() + seconds
        self._pause = FIRST_PAUSE

    def next_pause(self) -> float | None:
        """Return the next pause, or None when the time is up."""
        left = self._ends - asyncio.get_running_loop().time()
        if left <= 0:
            return None
        pause, self._pause = self._pause, min(LONGEST_PAUSE, self._pause * 1.5)
        return min(pause, left)


def wanted_tables(client: ClientTables, models: Sequence[TableLike]) -> list[tuple[TableDescription, str | None]]:
    """Return the tables that models need, each with the stored name of its time to live, or None. Nothing is sent.

    Args:
        client: Names the tables, and knows how a converter's hooks store keys.
        models: The models.

    Raises:
        ModelError: A model is none, or its table cannot be made from it.
    """
    from mizzle_async.operations.tables.definition import lifetime_of

    # Private: a user asks for tables, never for their definitions.
    handles = [client._handle(model) for model in models]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return [
        (client._wanted(handle), lifetime_of(target_of(handle).schema))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        for handle in handles
    ]
