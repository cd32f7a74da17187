"""The client: its settings, its life, its tables. The rest of its verbs stand in its parts.

It knows neither how a request is built nor how it travels.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, overload

from mizzle_async.flow.pace import Throughput
from mizzle_async.handles.catalog import Catalog
from mizzle_async.handles.client_bulk import ClientBulk
from mizzle_async.handles.client_collections import ClientCollections
from mizzle_async.handles.client_partiql import ClientPartiql
from mizzle_async.handles.client_state import ClientState
from mizzle_async.handles.client_tables import ClientTables
from mizzle_async.handles.client_transactions import ClientTransactions
from mizzle_async.handles.runtime import Runtime, RuntimeSettings
from mizzle_async.handles.table import Table
from mizzle_async.operations.reads.cursors import CursorCodec, cursor_secret
from mizzle_async.signatures import explained
from mizzle_async.types import Caller, Instrument, Sendable
from mizzle_async.wire.calls import PipelineStatistics
from mizzle_async.wire.exchange import Transport
from mizzle_async.wire.hedge_policy import HedgePolicy
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.settings import CredentialsLike, WireSettings, check_setting

if TYPE_CHECKING:
    from mizzle_async.handles.usage import Usage

ModelT = TypeVar("ModelT")
ResultT = TypeVar("ResultT")


class Client(ClientTables, ClientTransactions, ClientPartiql, ClientCollections, ClientState, ClientBulk):
    """A client of DynamoDB, for one event loop: ``async with Client() as client: orders = client.table(Order)``.

    Making one does no I/O, opening it does. Where ``async with`` does not fit, `open` and `aclose` do the same.

    Args:
        region_name: AWS region, or None for that of the AWS configuration.
        profile_name: Profile of the AWS configuration.
        endpoint_url: Where to send everything, instead of the region's own endpoint.
        credentials: Static credentials, as `Credentials` or a tuple, or None for the AWS chain.
        session: Your own aiobotocore session.
        pool: Bounds and times of the connection pool.
        timeout: Seconds for a whole call: waiting for the pool, every attempt, every pause. Where many requests are
            sent, for each batch or page.
        retry: How often and when a request is sent again.
        hedge: Whether late reads are sent twice.
        throughput: The limits of all bulk work of the client together.
        cursor_key: Authenticates cursors, and encrypts them where the extra ``cursors`` is installed: 16 bytes or more.
        cursor_max_age: Seconds for which a cursor is good, or None for ever.
        converter: Your own cattrs converter: from `make_converter`, or a plain one, of which a configured copy is used.
        table_prefix: Put before every table name, such as ``"dev-"``.
        table_names: The whole name at the service for some tables, by the name in the model. No prefix is added to
            these.
        instrument: An `Instrument`, or several, called for every finished call.
        allow_http: Permit ``http://`` to hosts other than this machine.
        mfa_prompt: Asks the user for an MFA code, where a profile's role needs one. It is called in a thread. Without
            it such a profile is a `CredentialsError`.
        clock: Returns seconds since the epoch, for expiry and for timestamps.
        sleep: Makes pauses.
        transport: Carries every exchange in place of connections, for tests and simulations.
        caller: Answers every call in place of all that lies below: signing, retries, connections. For tests, such as
            `mizzle_async.testing.stub.StubCaller`.
    """

    @explained(error=TypeError)
    def __init__(
        self,
        *,
        region_name: str | None = None,
        profile_name: str | None = None,
        endpoint_url: str | None = None,
        credentials: CredentialsLike | None = None,
        session: Any = None,
        pool: PoolConfig | None = None,
        timeout: float = 10.0,
        retry: RetryPolicy | None = None,
        hedge: HedgePolicy | None = None,
        throughput: Throughput | None = None,
        cursor_key: str | bytes | None = None,
        cursor_max_age: float | None = None,
        converter: Any = None,
        table_prefix: str = "",
        table_names: Mapping[str, str] | None = None,
        instrument: Instrument | tuple[Instrument, ...] | list[Instrument] = (),
        allow_http: bool = False,
        mfa_prompt: Callable[[str], str] | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Coroutine[Any, Any, Any]] = asyncio.sleep,
        transport: Transport | None = None,
        caller: Caller | None = None,
    ) -> None:
        check_setting("throughput", throughput, (Throughput, type(None)), "a Throughput")
        check_setting("table_prefix", table_prefix, str, "a str")
        check_setting("table_names", table_names, (Mapping, type(None)), "a mapping of names to names")
        check_setting("cursor_key", cursor_key, (str, bytes, bytearray, type(None)), "str or bytes")
        for name, function in (("clock", clock), ("sleep", sleep)):
            if not callable(function):
                raise TypeError(f"{name}= takes a function, not {type(function).__name__}")
        wire = WireSettings(
            region_name=region_name,
            profile_name=profile_name,
            endpoint_url=endpoint_url,
            credentials=credentials,
            session=session,
            pool=pool or PoolConfig(),
            timeout=timeout,
            retry=retry or RetryPolicy(),
            hedge=hedge,
            instrument=instrument,
            allow_http=allow_http,
            mfa_prompt=mfa_prompt,
            transport=transport,
        )
        settings = RuntimeSettings(
            wire=wire,
            cursors=CursorCodec(cursor_secret(cursor_key), max_age=cursor_max_age),
            throughput=throughput or Throughput(),
            clock=clock,
            sleep=sleep,
            caller=caller,
            has_converter=converter is not None,
        )
        runtime = Runtime(settings)
        catalog = Catalog(runtime, converter, table_prefix, table_names or {})
        runtime.bind_with(catalog)
        super().__init__(runtime, catalog)

    # ── life ──

    async def open(self) -> Self:
        """Open the client on the running loop, and return it. Close it with `aclose`.

        A client can be opened again after it was closed, and so can one whose event loop has been closed: its tables
        and all other handles stay good, and limits begin anew. One client of a module serves every invocation of a
        Lambda function and every test.

        Raises:
            ClientStateError: It is open or opening, or the AWS configuration cannot be used.
        """
        await self._runtime.open()
        return self

    async def aclose(self) -> None:
        """Close every connection, and cancel everything that is under way. Closing again does nothing.

        Raises:
            ClientStateError: It was opened on another event loop that still exists, or in another process.
        """
        await self._runtime.aclose()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def drop_idle_connections(self) -> None:
        """Close the connections that carry no request, and the others after their answers: later calls open new ones.

        For a process that was frozen, or whose memory was copied: the other ends may have gone without a word, and a
        write on such a connection may end in `OutcomeUnknownError`.

        Raises:
            ClientStateError: The client is not open.
        """
        await self._runtime.distrust()

    def usage(
        self,
        *,
        max_requests: int | None = None,
        max_read_units: float | None = None,
        max_write_units: float | None = None,
    ) -> Usage:
        """Count the calls of a block, tasks that are started in it included: ``with client.usage() as used: …``.

        Each request in the block also asks for the capacity that it consumes. Tasks that run before the block begins,
        such as the lanes of a `Writer`, are not of it. Work that goes on after its end is not counted.

        Args:
            max_requests: Requests that the block may send. Once they are sent, the next call raises `LimitError`.
            max_read_units: Read units that it may consume. Once they are used up, the next read raises `LimitError`
                before it is sent. Reads at the same time may go beyond.
            max_write_units: The same for writes.

        Returns:
            The usage, whose numbers grow with each finished call.

        Raises:
            ExpressionError: A limit is negative.
        """
        from mizzle_async.handles.usage import Usage  # few processes count

        return Usage(
            self._runtime, max_requests=max_requests, max_read_units=max_read_units, max_write_units=max_write_units
        )

    def statistics(self) -> PipelineStatistics:
        """Return the client's numbers as a frozen record: calls, requests, retries, connections."""
        return self._runtime.statistics()

    def __reduce__(self) -> NoReturn:
        self._runtime.__reduce__()

    def __repr__(self) -> str:
        runtime = self._runtime
        if runtime.pipeline is None:
            return f"<Client {runtime.state}>"
        return f"<Client open, {len(self._catalog)} tables, {len(runtime.tasks)} tasks, {runtime.pipeline!r}>"

    # ── tables ──

    @overload
    def table(
        self,
        model: type[ModelT],
        /,
        *,
        name: str | None = None,
        partition_key: str | None = None,
        sort_key: str | None = None,
    ) -> Table[ModelT]: ...
    @overload
    def table(
        self,
        model: str,
        /,
        *,
        partition_key: str,
        sort_key: str | None = None,
        partition_key_type: type[Any] = str,
        sort_key_type: type[Any] = str,
        shards: int | None = None,
    ) -> Table[dict[str, Any]]: ...
    def table(
        self,
        model: Any,
        /,
        *,
        name: str | None = None,
        partition_key: str | None = None,
        sort_key: str | None = None,
        partition_key_type: type[Any] = str,
        sort_key_type: type[Any] = str,
        shards: int | None = None,
    ) -> Any:
        """Return the handle of a table. Nothing is sent, and the client need not be open.

        Args:
            model: An entity, any attrs class with ``name`` and ``partition_key``, or a table's name, whose items are
                dicts then.
            name: The table's name, in place of the entity's own.
            partition_key: The partition key attribute, where the class does not say.
            sort_key: The sort key attribute, where the class does not say.
            partition_key_type: For dicts: str, int, Decimal or bytes.
            sort_key_type: For dicts, as above.
            shards: For dicts: over how many partitions the partition key is spread, as by ``attribute(shards=…)``.

        Raises:
            ModelError: The class cannot be an entity, or an attribute has a type that cannot be stored.
        """
        return self._catalog.table(
            model,
            name=name,
            partition_key=partition_key,
            sort_key=sort_key,
            partition_key_type=partition_key_type,
            sort_key_type=sort_key_type,
            shards=shards,
        )

    # ── sending ──

    # Not asynchronous itself: the coroutine is the runtime's.
    def send(self, operation: Sendable[ResultT], /) -> Coroutine[Any, Any, ResultT]:
        """Send an operation and return its result, as ``await operation`` does.

        Raises:
            MizzleError: As the operation says.
        """
        return self._runtime.send(operation)

    async def control(
        self, operation: str, parameters: Mapping[str, Any], *, timeout: float | None = None
    ) -> dict[str, Any]:
        """Send an operation of the control plane, as botocore names it and its parameters.

        Args:
            operation: The API's name, such as ``DescribeTable``.
            parameters: Its parameters.
            timeout: Seconds for the whole call, or None for the client's.
        """
        return await self._runtime.control(operation, parameters, timeout=timeout)
