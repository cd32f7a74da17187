"""The client's credentials: one refresh at a time, which no caller can cancel. Old ones serve until they expire.

`CredentialKeeper` decides when a `CredentialSource` is asked. Neither knows a foreign library.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import Final, Protocol

from mizzle_async.errors import ClientStateError, CredentialsError, MizzleError
from mizzle_async.wire.settings import Credentials

logger: logging.Logger = logging.getLogger("mizzle_async.wire")

LOOK_SECONDS: Final = 1.0
"""How often a source is asked whether its credentials still serve, at most. After a refresh that failed, that brought
nothing new, or that was made because the service refused the old ones, the next comes no sooner either."""

REFRESH_SECONDS: Final = 60.0
"""A refresh that takes longer is given up, and tried again: one that hangs must not hang for ever."""

RENEWED_SECONDS: Final = 60.0
"""Credentials so short-lived that they are due as they come are renewed this often, while they serve."""

FIRST_PAUSE_SECONDS: Final = 0.1
"""While no credentials serve, a source whose failure may pass is asked again after this long, then twice as long, and
so on up to `LOOK_SECONDS`."""


class LoadError(Exception):
    """A source has no credentials.

    Attributes:
        reason: Why, in words that show no secret.
        may_pass: Whether asking again soon may help: the source exists, and did not answer as it should.
        missing: Whether no source is configured at all.
        cause: The error to show as the cause.
    """

    def __init__(
        self, reason: str, *, may_pass: bool, missing: bool = False, cause: BaseException | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_pass = may_pass
        self.missing = missing
        self.cause = cause


class CredentialSource(Protocol):
    """Where credentials come from."""

    async def load(self, *, force: bool) -> Credentials:
        """Return credentials that serve, refreshed where that is due, and in any case with ``force``.

        Raises:
            LoadError: There are none.
        """
        ...

    def is_due(self) -> bool:
        """Return whether the loaded credentials ought to be refreshed by now."""
        ...

    def is_expired(self) -> bool:
        """Return whether the loaded credentials no longer serve."""
        ...

    def has_changed(self) -> bool:
        """Return whether loading would certainly bring other credentials than the last time, as from a new file."""
        ...


class StaticSource:
    """Credentials that the user passed to the client."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def load(self, *, force: bool) -> Credentials:
        """Return the credentials: there are no others."""
        del force
        return self._credentials

    def is_due(self) -> bool:
        """Return False: static credentials have no known end."""
        return False

    def is_expired(self) -> bool:
        """Return False, as `is_due`."""
        return False

    def has_changed(self) -> bool:
        """Return False: there are no others."""
        return False


class CredentialKeeper:
    """Keeps the credentials of one client.

    Attributes:
        credentials: The credentials that serve now; None before the first use.
        next_look: Until this loop time `credentials` are used without asking the source.
        refreshes: How often the source was asked.
    """

    def __init__(self, source: CredentialSource, loop: asyncio.AbstractEventLoop) -> None:
        self._source = source
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._failures = 0
        self._not_before = float("-inf")
        self._due_after = float("-inf")
        self._closing: asyncio.Future[None] = loop.create_future()
        self.credentials: Credentials | None = None
        self.next_look: float = float("-inf")
        self.refreshes: int = 0

    async def current(self, until: float = float("-inf")) -> Credentials:
        """Return credentials that serve, waiting for a refresh only when there are none.

        Args:
            until: While none serve, a source whose failure may pass is asked again up to this loop time.

        Raises:
            CredentialsError: There are none, or they expired and could not be refreshed.
        """
        held = self._serving()
        if held is not None:
            now = self._loop.time()
            if now >= self._due_after and self._source.is_due():
                self._begin(force=False)
            self.next_look = now + LOOK_SECONDS
            return held
        while True:
            await self._refreshed(force=False)
            held = self._serving()
            if held is not None and not self._is_closed():
                return held
            if self._is_closed() or not self._may_pass() or self._not_before >= until:
                raise self._failure()
            # Ends early when the client is closed. Callers share the schedule: the first to wake up asks for all.
            await asyncio.wait({self._closing}, timeout=self._not_before - self._loop.time())

    async def renew(self, refused: Credentials) -> Credentials:
        """Ask for other credentials than the ones that the service refused.

        Args:
            refused: The credentials that the request was signed with.

        Returns:
            Other credentials, or the same where the source has no others.

        Raises:
            CredentialsError: They could not be refreshed.
        """
        if self.credentials is refused:
            # A refresh that is in flight will do as well, and is waited for.
            await self._refreshed(force=True)
        if self.credentials is None or self._is_closed() or (self.credentials is refused and self._error is not None):
            raise self._failure()
        return self.credentials

    async def aclose(self) -> None:
        """Stop a refresh in flight. Callers that wait for it get an error."""
        if not self._closing.done():
            self._closing.set_result(None)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _is_closed(self) -> bool:
        return self._closing.done()

    def _serving(self) -> Credentials | None:
        """Return the credentials at hand, unless they have expired."""
        return None if self.credentials is None or self._source.is_expired() else self.credentials

    def _may_pass(self) -> bool:
        """Return whether the last failure may be over when the source is asked again."""
        error = self._error
        return error.may_pass if isinstance(error, LoadError) else isinstance(error, OSError)

    async def _refreshed(self, *, force: bool) -> None:
        """Wait for the refresh in flight, or for a new one where it is time for one."""
        self._begin(force=force)
        if self._task is not None:
            # A caller whose time is up leaves, and the refresh goes on for the others: `wait` cancels nothing.
            await asyncio.wait({self._task})

    def _begin(self, *, force: bool) -> None:
        if self._task is not None or self._is_closed():
            return
        if self._loop.time() >= self._not_before or (force and self._source.has_changed()):
            self.refreshes += 1
            # An empty context: a refresh belongs to no caller, and to none of its traces.
            self._task = self._loop.create_task(
                self._refresh(force=force),
                name="mizzle_async: refresh of credentials",
                context=contextvars.Context(),
            )

    async def _refresh(self, *, force: bool) -> None:
        """Ask the source. Never raises, as no caller may be left to see it."""
        try:
            async with asyncio.timeout(REFRESH_SECONDS):
                loaded = await self._source.load(force=force)
        except BaseException as error:
            # A provider may raise anything, a cancellation of its own included; it becomes the cause of our error.
            if self._is_closed() or isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            # Warned of once: while old credentials serve, this may come every second for minutes. Where none do and
            # asking again does not help, the callers' own errors say it.
            raised = isinstance(error, LoadError) and not error.may_pass and self._serving() is None
            level = logging.WARNING if self._error is None and not raised else logging.DEBUG
            logger.log(level, "AWS credentials could not be loaded: %s", _reason(error))
            self._error = error
            self._failures = self._failures + 1 if self._serving() is None else 0
            self._not_before = self._loop.time() + self._pause()
        else:
            self._keep(loaded, force=force)
        finally:
            self._task = None

    def _pause(self) -> float:
        """Return the seconds until the source may be asked again after a failure."""
        if self._serving() is not None or not self._may_pass():
            return LOOK_SECONDS
        return min(LOOK_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures - 1, 10))

    def _keep(self, loaded: Credentials, *, force: bool) -> None:
        now = self._loop.time()
        self._error = None
        self._failures = 0
        same = loaded == self.credentials
        if same or force:
            # Refreshing failed inside the provider, which kept the old ones, or there are no others. And where new ones
            # are refused as well, still newer ones will be.
            self._not_before = now + LOOK_SECONDS
        if same:
            return
        # Short-lived ones may be due as they come; the first ones may be old.
        short = self.credentials is not None and self._source.is_due()
        self._due_after = now + RENEWED_SECONDS if short else now
        self.credentials = loaded
        # The next call takes them at once.
        self.next_look = float("-inf")
        logger.debug("AWS credentials loaded")

    def _failure(self) -> MizzleError:
        """Build a new error for each caller: each gets its own operation, table and traceback."""
        if self._is_closed():
            return ClientStateError("the client was closed while this call waited for AWS credentials")
        error = self._error
        if isinstance(error, LoadError) and error.missing:
            return CredentialsError(error.reason)
        state = "could not be loaded" if self.credentials is None else "expired, and could not be refreshed"
        failure = CredentialsError(f"AWS credentials {state}{'' if error is None else f': {_reason(error)}'}")
        failure.__cause__ = error.cause if isinstance(error, LoadError) else error
        return failure

    def __repr__(self) -> str:
        state = "refreshing" if self._task is not None else "at hand" if self.credentials is not None else "not loaded"
        return f"<CredentialKeeper {state}, {self.refreshes} refreshes>"


def _reason(error: BaseException) -> str:
    return error.reason if isinstance(error, LoadError) else type(error).__name__
