"""The client: where operations meet the I/O stack. It owns what runs, and what must be closed.

It knows neither how a request is built nor how it travels.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Coroutine, Hashable, Mapping
from importlib import import_module, util
from random import random
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar, cast, overload

from attrs import evolve

from mizzle_async.errors import ClientStateError, MizzleError, ModelError, StoredLoader
from mizzle_async.flow.follow_ups import FOLLOW_UPS, follow_up
from mizzle_async.flow.pace import RateLimiter, Throughput, rate_limiter
from mizzle_async.handles.client_bulk import BulkVerbs
from mizzle_async.handles.client_tables import TableAdministration
from mizzle_async.handles.client_transactions import Transactions
from mizzle_async.handles.statement import Statements
from mizzle_async.handles.table import Table
from mizzle_async.instruments.heat import Heat, HeatReport
from mizzle_async.marshalling import EntityCodec, marshaller_of
from mizzle_async.model import EntitySchema, dict_schema, is_entity, map_class, schema_of
from mizzle_async.operations import Cipher, CursorCodec, cursor_secret
from mizzle_async.operations.interpretation import raise_failure, result_of
from mizzle_async.types import Caller, Instrument, Item, Sendable
from mizzle_async.wire.calls import PipelineStatistics
from mizzle_async.wire.exchange import Transport
from mizzle_async.wire.hedge_policy import HedgePolicy
from mizzle_async.wire.pipeline import Pipeline, open_pipeline
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.settings import CredentialsLike, WireSettings, check_setting

ModelT = TypeVar("ModelT")
ResultT = TypeVar("ResultT")


class Client(TableAdministration, Transactions, Statements, BulkVerbs):
    """A client of DynamoDB, for one event loop: ``async with Client() as client: orders = client.table(Order)``.

    Making one does no I/O; opening it does. Where ``async with`` does not fit, `open` and `aclose` do the same.

    Args:
        region_name: AWS region; None means what the AWS configuration says.
        profile_name: Profile of the AWS configuration.
        endpoint_url: Where to send everything, instead of the region's own endpoint.
        credentials: Static credentials, as `Credentials` or a tuple; None means the AWS chain.
        session: Your own aiobotocore session.
        pool: Bounds and times of the connection pool.
        timeout: Seconds for a whole call: waiting for the pool, every attempt, every pause. Where many requests are
            sent, for each batch or page.
        retry: How often and when a request is sent again.
        hedge: Whether late reads are sent twice.
        throughput: What bulk work of the client may consume in all.
        cursor_key: Authenticates cursors, and encrypts them where the extra ``cursors`` is installed: 16 bytes or more.
        cursor_max_age: Seconds for which a cursor is good; None for ever.
        converter: Your own cattrs converter.
        table_prefix: Put before every table name, such as ``"dev-"``.
        table_names: The whole name at the service for some tables, by the name in the model; no prefix is added to
            these.
        instrument: What hears of every finished call.
        allow_http: Permit ``http://`` to hosts other than this machine.
        mfa_prompt: Asks the user for an MFA code, where a profile's role needs one; called in a thread. Without it such
            a profile is a `CredentialsError`.
        clock: Seconds since the epoch: what is expired, and what timestamps say.
        sleep: How pauses are made.
        transport: Carries every exchange in place of connections, for tests and simulations.
        caller: Answers every call in place of all that lies below: signing, retries, connections. For tests, such as
            `mizzle_async.testing.stub.StubCaller`.
    """

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
        self._settings = WireSettings(
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
        self._marshaller = marshaller_of(converter)
        self._cursors = CursorCodec(cursor_secret(cursor_key), max_age=cursor_max_age)
        self._table_prefix = table_prefix
        self._table_names = dict(table_names or {})
        self._clock = clock
        self._sleep = sleep
        self._heat = next((one for one in self._settings.instrument if isinstance(one, Heat)), None)
        given = throughput or Throughput()
        self._read_limiter = rate_limiter(given.read_units_per_second, self.pause)
        self._write_limiter = rate_limiter(given.write_units_per_second, self.pause)
        self._tables: dict[Any, Table[Any]] = {}
        self._schemas: dict[type[Any], EntitySchema] = {}
        self._stand_in = cast("Pipeline | None", caller)
        self._pipeline: Pipeline | None = None
        self._state = "new"
        self._process = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    # ── life ──

    async def open(self) -> Self:
        """Open the client on the running loop, and return it. Close it with `aclose`.

        Raises:
            ClientStateError: It was opened before, or the AWS configuration cannot be used.
        """
        if self._state != "new":
            raise ClientStateError(f"this client is {self._state} already: make another one")
        self._state = "opening"
        try:
            secret = self._cursors.secret
            cipher = await asyncio.to_thread(_find_cipher, secret) if secret else None
            pipeline = self._stand_in or await open_pipeline(self._settings)
        except BaseException:
            if self._state == "opening":
                self._state = "new"
            raise
        if self._state != "opening":
            await pipeline.aclose()
            raise ClientStateError("this client was closed while it was being opened: make another one")
        self._cursors = evolve(self._cursors, cipher=cipher)
        self._process = os.getpid()
        self._pipeline = pipeline
        self._state = "open"
        return self

    async def aclose(self) -> None:
        """Close everything; what is under way ends. Closing again does nothing."""
        pipeline, self._pipeline = self._pipeline, None
        self._state = "closed"
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                await asyncio.wait(tasks)
        finally:
            if pipeline is not None:
                await pipeline.aclose()

    def __del__(self) -> None:
        if getattr(self, "_pipeline", None) is not None and self._stand_in is None and not sys.is_finalizing():
            message = f"{self!r} was never closed: use `async with`, or `aclose()`"
            warnings.warn(message, ResourceWarning, stacklevel=2, source=self)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def statistics(self) -> PipelineStatistics:
        """Return what the client has done and holds, as a frozen record."""
        return self._opened().statistics()

    def heat(self) -> HeatReport:
        """Return which partition keys consume how much; print it for a plot.

        Raises:
            ClientStateError: It was not switched on: ``Client(instrument=Heat())``.
        """
        if self._heat is None:
            raise ClientStateError("heat is counted by an instrument: switch it on with `Client(instrument=Heat())`")
        return self._heat.report()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a client holds connections, and tables and queries hold their client: none of them is pickled or deeply"
            " copied. Make a client in each process; entities, keys, conditions and operations can be pickled"
        )

    def __repr__(self) -> str:
        if self._pipeline is None:
            return f"<Client {self._state}>"
        return f"<Client open, {len(self._tables)} tables, {len(self._tasks)} tasks, {self._pipeline!r}>"

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
            model: An entity; or an attrs class of anybody's, with ``name`` and ``partition_key``; or a table's name,
                whose items are dicts then.
            name: The table's name, in place of the entity's own.
            partition_key: The partition key attribute, where the class does not say.
            sort_key: The sort key attribute, where the class does not say.
            partition_key_type: For dicts: str, int, Decimal or bytes.
            sort_key_type: For dicts, as above.
            shards: For dicts: over how many partitions the partition key is spread, as by ``attribute(shards=…)``.

        Raises:
            ModelError: The class cannot be an entity, or an attribute has a type that cannot be stored.
        """
        identity = (model, name, partition_key, sort_key, partition_key_type, sort_key_type, shards)
        # An instance, or a list of classes, has no hash; its schema says what is wrong with it.
        found = self._tables.get(identity) if isinstance(model, Hashable) else None
        if found is None:
            schema = self._schema(model, name, partition_key, sort_key, (partition_key_type, sort_key_type, shards))
            codec: EntityCodec[Any] = self._marshaller.codec(schema)
            found = self._tables[identity] = Table(self, codec, self.table_name(name or schema.table))
        return found

    def table_name(self, name: str) -> str:
        """Return what a table is called at the service: as ``table_names`` say, else with the prefix."""
        return self._table_names.get(name) or f"{self._table_prefix}{name}"

    def _schema(
        self,
        model: Any,
        name: str | None,
        partition_key: str | None,
        sort_key: str | None,
        of_dicts: tuple[type[Any], type[Any], int | None],
    ) -> EntitySchema:
        if isinstance(model, str):
            if partition_key is None:
                raise ModelError(
                    f"table {model!r}: say which attribute is its key: partition_key=…, and sort_key=… if it has one"
                )
            partition_key_type, sort_key_type, shards = of_dicts
            return dict_schema(
                model,
                partition_key=partition_key,
                sort_key=sort_key,
                partition_key_type=partition_key_type,
                sort_key_type=sort_key_type,
                shards=shards,
            )
        if is_entity(model) and partition_key is None and sort_key is None:
            return schema_of(model)
        if partition_key is None:
            return schema_of(model)  # says what is wrong with the class
        if name is None:
            raise ModelError(f"{getattr(model, '__name__', model)}: say which table it is stored in: name=…")
        schema = self._schemas[model] = map_class(model, name=name, partition_key=partition_key, sort_key=sort_key)
        return schema

    # ── sending ──

    async def send(self, operation: Sendable[ResultT], /) -> ResultT:
        """Send an operation and return its result: what ``await operation`` does.

        Raises:
            MizzleError: As the operation says.
        """
        sending = operation.sending
        pipeline = self._opened()
        if sending.settled:
            return sending.result()
        sending.begin(self._clock())
        request = sending.to_request()
        ends = asyncio.get_running_loop().time() + (self.timeout if request.timeout is None else request.timeout)
        failures = 0
        while True:
            try:
                response = await pipeline.call(request)
            except MizzleError as error:
                failures += 1
                again = None
                if failures <= FOLLOW_UPS:
                    again = await follow_up(self, operation, request, error, ends)
                if again is None:
                    return raise_failure(operation.sending, request, error, self._clock())
                operation, request = again
            else:
                if self._heat is not None:
                    self._heat.observe(operation, response.payload)
                return result_of(operation.sending, request, response, self._clock())

    async def control(
        self, operation: str, parameters: Mapping[str, Any], *, timeout: float | None = None
    ) -> dict[str, Any]:
        """Send an operation of the control plane, as botocore names it and its parameters.

        Args:
            operation: The API's name, such as ``DescribeTable``.
            parameters: Its parameters.
            timeout: Seconds for the whole call, or None for the client's.
        """
        if timeout is None:
            return await self._opened().control(operation, parameters)
        return await self._opened().control(operation, parameters, timeout=timeout)

    def _opened(self) -> Pipeline:
        pipeline = self._pipeline
        if pipeline is None:
            advice = (
                "make another one"
                if self._state == "closed"
                else "`async with Client() as client`, or `await client.open()`"
            )
            raise ClientStateError(
                f"this client is {'not open yet' if self._state == 'new' else self._state}: {advice}"
            )
        if self._process != os.getpid():
            raise ClientStateError(
                "this client was opened in another process: open one in each process, after the fork"
            )
        return pipeline

    # ── what handles and readers ask ──

    @property
    def cursors(self) -> CursorCodec:
        """Return what writes and reads cursors."""
        return self._cursors

    @property
    def reports_capacity(self) -> bool:
        """Tell whether requests ask for the capacity that they consume: somebody listens."""
        return bool(self._settings.instrument)

    @property
    def load_stored(self) -> StoredLoader:
        """Return how an error reads a stored item as an instance."""
        return self._load_stored

    def schema_of(self, model: type[Any]) -> EntitySchema:
        """Return the schema of an entity, or of a class that was mapped from outside."""
        return self._schemas.get(model) or schema_of(model)

    def _load_stored(self, model: type[Any], item: Item) -> Any:
        schema = self._schemas.get(model)
        if model is dict:
            schema = dict_schema("item", partition_key=next(iter(item)))
        return self._marshaller.codec(schema or schema_of(model)).decode(item)

    def now(self) -> float:
        """Return the time in seconds since the epoch, by the client's clock."""
        return self._clock()

    @property
    def timeout(self) -> float:
        """Return the seconds that a call may take where it does not say."""
        return self._settings.timeout

    def random(self) -> float:
        """Return a random number from zero to one, for jitter."""
        return (self._settings.retry.randomness or random)()

    @property
    def read_limiter(self) -> RateLimiter | None:
        """Return what holds all reading of the client's bulk work back, if anything does."""
        return self._read_limiter

    @property
    def write_limiter(self) -> RateLimiter | None:
        """Return what holds all writing of the client's bulk work back, if anything does."""
        return self._write_limiter

    def new_token(self) -> str:
        """Return a client request token, for one transaction."""
        return str(uuid.uuid4())

    def new_write_id(self) -> str:
        """Return an id for one write of a versioned item: 72 random bits, as 12 characters."""
        return secrets.token_urlsafe(9)

    async def pause(self, seconds: float) -> None:
        """Sleep, the client's way."""
        await self._sleep(seconds)

    def start(self, coroutine: Coroutine[Any, Any, ResultT]) -> asyncio.Task[ResultT]:
        """Start a task that the client owns: it is cancelled and awaited when the client closes."""
        if self._pipeline is None:
            coroutine.close()
            self._opened()
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # its reader may have left: then nobody else looks at it


def _find_cipher(secret: bytes) -> Cipher | None:
    """Return what encrypts cursors, where there is a key and the extra ``cursors`` is installed.

    The extra is found by name, so that nothing of it is imported where it is not wanted.
    """
    if util.find_spec("cryptography") is None:
        return None
    cipher: Cipher = import_module("mizzle_async.integrations.cursors").CursorCipher(secret)
    return cipher
