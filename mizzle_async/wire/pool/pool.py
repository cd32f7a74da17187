"""The connection pool: our transport to the service.

One set of connections for each host, on one event loop, in one process. It carries exchanges and never repeats one:
the layer above judges which may be. A call that is cancelled while it waits gives its place, or the connection it was
just handed, to the next. One that is cancelled later closes its connection.
"""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from threading import get_ident
from typing import Any, TypeAlias, TypeVar, overload

from mizzle_async.codes import CODES, RetryClass
from mizzle_async.errors import ClientStateError, TransportError
from mizzle_async.types import MAX_ANSWER_BYTES, Outcome
from mizzle_async.wire.answers import check_answer
from mizzle_async.wire.exchange import Answer, Endpoint, Exchange
from mizzle_async.wire.framing import RawAnswer
from mizzle_async.wire.home import FOREIGN, Home
from mizzle_async.wire.pool.addresses import Addresses, Resolve
from mizzle_async.wire.pool.config import PoolConfig, PoolStatistics, describe
from mizzle_async.wire.pool.connection import Connection
from mizzle_async.wire.pool.host import HostPool, Purpose
from mizzle_async.wire.pool.opening import Opener
from mizzle_async.wire.pool.tls import make_tls_context

AnswerT = TypeVar("AnswerT")
TaskT = TypeVar("TaskT")
Check: TypeAlias = Callable[[int, Mapping[str, str], bytes], AnswerT]
"""Judges a whole answer (status, lower-case headers, body): returns the caller's result, or raises."""

ANSWERED = Outcome.ANSWERED
_TOO_LARGE = 413
_FIRST_SERVER_ERROR = 500
_THROTTLING_CODES = frozenset(code for code, (_, kind) in CODES.items() if kind is RetryClass.THROTTLED)


class ConnectionPool:
    """Keep connections open, and carry exchanges over them.

    It belongs to the event loop on which it is first used.

    Args:
        config: The settings.
        tls: Returns the TLS context. Called once, when the first ``https`` connection is opened.
        resolve: Looks host names up, or None to ask the operating system.
        generator: Draws ages and spreads addresses. Tests pass one that they know.
        max_answer_bytes: The largest answer that is believed.
        patient: Whether an exchange waits, until it is cancelled, for a host that refuses connections. Otherwise it
            fails.
    """

    def __init__(
        self,
        config: PoolConfig | None = None,
        *,
        tls: Callable[[], ssl.SSLContext] = make_tls_context,
        resolve: Resolve | None = None,
        generator: random.Random | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        patient: bool = False,
    ) -> None:
        self._config = PoolConfig() if config is None else config
        self._tls = tls
        self._resolve = resolve
        self._random = random.Random() if generator is None else generator  # noqa: S311  (spreads load, guards nothing)
        self._max_answer_bytes = max_answer_bytes
        self._patient = patient
        self._home: Home | None = None
        self._opener: Opener | None = None
        self._hosts: dict[Endpoint, HostPool] = {}
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._closed = False

    # ── carrying ──

    @overload
    async def exchange(self, exchange: Exchange, /) -> Answer: ...
    @overload
    async def exchange(self, exchange: Exchange, check: Check[AnswerT], /) -> AnswerT: ...
    async def exchange(self, exchange: Exchange, check: Check[Any] | None = None, /) -> Any:
        """Carry one exchange to the service and back, its answer checked before the connection is used again.

        Args:
            exchange: The request. Its ``phase`` and ``stale`` are kept right.
            check: Judges status, lower-case headers and body, in place of `check_answer`. Its result is returned.

        Returns:
            The answer: of success, or of an error of the service.

        Raises:
            TransportError: No trustworthy answer came. Its ``outcome`` says whether the request may have been applied.
            PoolTimeoutError: No connection became free in time.
            ClientStateError: The pool is closed, or belongs to another event loop or process.
        """
        host = self._hosts.get(exchange.endpoint)
        home = self._home
        if host is None or home is None or self._closed or get_ident() != home.thread or not home.loop.is_running():
            host = self._enter(exchange.endpoint)
        connection = None if exchange.fresh else host.take()
        if connection is None:
            connection = await _wait(host, exchange)
        connection.patience = patience = exchange.patience
        if patience is not None and (due := connection.silent_since + patience) < host.watch.due:
            host.watch.begin(due)
        pending: asyncio.Future[RawAnswer] | None = None
        try:
            pending = connection.send(exchange)
            status, headers, body = await pending
            parse = exchange.parse
            answer: Any = check_answer(status, headers, body, parse) if check is None else check(status, headers, body)
        except BaseException:
            if pending is not None and pending.done() and not pending.cancelled():
                pending.exception()  # marks it as seen, where the call was cancelled in the moment in which it failed
            host.discard(connection)
            raise
        exchange.phase = ANSWERED
        if status == _TOO_LARGE or (status >= _FIRST_SERVER_ERROR and not _is_throttling(answer)):
            # A host that answers so may go on doing so: the next call gets another connection, and perhaps another
            # host. And one that finds a request too large need not have read it all.
            connection.reusable = False
        if isinstance(answer, Answer):
            # The object is this call's own: its class is frozen for everything else.
            answer.distrust = connection.distrust  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
        host.release(connection)
        return answer

    async def warm_up(self, endpoint: Endpoint) -> None:
        """Open the connections that the settings ask for, so that the first calls find them.

        A failure is not raised here: the first call will meet it, and say the reason.

        Args:
            endpoint: The host.
        """
        host = self._enter(endpoint)
        before = dict(self._tasks)
        host.warm_up()
        if started := [task for task in self._tasks if task not in before]:
            await asyncio.wait(started)

    def distrust(self) -> None:
        """Use no connection again that is open now: the process was frozen, and the other sides may have left."""
        for host in self._hosts.values():
            host.distrust()

    # ── numbers ──

    def statistics(self) -> PoolStatistics:
        """Return the numbers of this moment. Another thread may ask."""
        return PoolStatistics(hosts=tuple(host.statistics() for host in tuple(self._hosts.values())))

    def __repr__(self) -> str:
        if self._closed:
            return "<ConnectionPool closed>"
        hosts = "; ".join(describe(host) for host in self.statistics().hosts)
        return f"<ConnectionPool of at most {self._config.max_connections} to each host; {hosts or 'none used yet'}>"

    # ── ending ──

    async def aclose(self) -> None:
        """Close every connection, and leave no socket, task or timer behind. May be called again.

        Calls that are under way fail: with `ClientStateError` where they wait for a connection, with `TransportError`
        where their request was sent.

        Raises:
            ClientStateError: The pool belongs to another event loop or process.
        """
        if self._home is None:
            self._closed = True
            return
        _check_home(self._home)
        self._closed = True
        ends: list[asyncio.Future[Any]] = [host.close() for host in self._hosts.values()]
        for task in self._tasks:
            task.cancel()
        ends += self._tasks
        if ends:
            await asyncio.wait(ends)

    def drop(self) -> None:
        """Close every socket where nothing can be awaited any more. Sockets of another process are left alone."""
        self._closed = True
        if self._home is not None and self._home.thread != FOREIGN:
            for host in self._hosts.values():
                host.drop()

    # ── the slow parts ──

    def _enter(self, endpoint: Endpoint) -> HostPool:
        """Find or make the host's connections, after everything that can be wrong with the caller was checked."""
        if self._closed:
            raise ClientStateError("the client is closed: open a new one")
        if self._home is None:
            self._bind()
        else:
            _check_home(self._home)
        return self._hosts.get(endpoint) or self._add(endpoint)

    def _bind(self) -> None:
        self._home = Home()
        loop = self._home.loop
        addresses = Addresses(time=loop.time, spawn=self._spawn, resolve=self._resolve, generator=self._random)
        self._opener = Opener(
            loop,
            addresses=addresses,
            tls=self._tls,
            connect_timeout=self._config.connect_timeout,
            max_answer_bytes=self._max_answer_bytes,
        )

    def _add(self, endpoint: Endpoint) -> HostPool:
        home, opener = self._home, self._opener
        if home is None or opener is None:  # pragma: no cover  (`_enter` has bound them)
            raise ClientStateError("the client is not open")
        host = HostPool(
            endpoint,
            self._config,
            loop=home.loop,
            open_connection=partial(self._open_connection, opener),
            generator=self._random,
            patient=self._patient,
        )
        self._hosts[endpoint] = host
        return host

    # ── tasks ──

    def _spawn(self, work: Awaitable[TaskT]) -> asyncio.Task[TaskT]:
        """Start a task that the pool owns, and ends when it is closed."""
        task = asyncio.ensure_future(work)
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
        return task

    def _open_connection(self, opener: Opener, host: HostPool, purpose: Purpose) -> None:
        # A replacement is there to follow DNS: for it, an address known from before is no answer.
        work = opener.open(host.endpoint, host.lost, trust_memory=purpose is Purpose.DEMAND)
        self._spawn(work).add_done_callback(partial(_settle, host, purpose))


async def _wait(host: HostPool, exchange: Exchange) -> Connection:
    """Wait for a connection. Where the call's time is up meanwhile, the exchange says which host it waited for."""
    exchange.waits_for = host
    connection = await host.wait(fresh=exchange.fresh)
    exchange.waits_for = None
    return connection


def _settle(host: HostPool, purpose: Purpose, task: asyncio.Task[Connection]) -> None:
    """Tell the host the result of opening a connection."""
    if task.cancelled():
        host.failed(ClientStateError("the client was closed while a connection was being opened"), purpose)
        return
    error = task.exception()
    if error is None:
        host.opened(task.result(), purpose)
    elif isinstance(error, TransportError):
        host.failed(error, purpose)
    else:
        text = f"no connection to {host.endpoint.authority}: {type(error).__name__}: {error}"
        wrapped = TransportError(text, outcome=Outcome.NOT_SENT)
        wrapped.__cause__ = error
        host.failed(wrapped, purpose)


def _is_throttling(answer: object) -> bool:
    return isinstance(answer, Answer) and answer.code in _THROTTLING_CODES


def _check_home(home: Home) -> None:
    """Refuse to be used in another process, or on another event loop, than the pool's own."""
    process = os.getpid()
    if process != home.process:
        text = f"this client was opened in process {home.process} and is used in {process}, after a fork"
        raise ClientStateError(f"{text}: open a client in each process")
    if not home.is_here():
        raise ClientStateError("this client belongs to another event loop: open one client in each loop")
