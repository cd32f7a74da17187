"""Credentials at hand: one refresh in flight, which no caller can cancel, and old ones that serve until they expire.

`CredentialKeeper` decides when; a `CredentialSource` knows how. Only the aiobotocore source knows a foreign library.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import Any, Final, Protocol

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


class CredentialSource(Protocol):
    """Where credentials come from."""

    async def load(self, *, force: bool) -> Credentials:
        """Return credentials that serve, refreshed where that is due, and in any case with ``force``."""
        ...

    def is_due(self) -> bool:
        """Tell whether the loaded credentials ought to be refreshed by now."""
        ...

    def is_expired(self) -> bool:
        """Tell whether the loaded credentials no longer serve."""
        ...


class StaticSource:
    """Credentials that the user gave."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def load(self, *, force: bool) -> Credentials:
        """Return what was given: there is nothing else."""
        del force
        return self._credentials

    def is_due(self) -> bool:
        """Say no: static credentials tell nothing about their end."""
        return False

    def is_expired(self) -> bool:
        """Say no, as `is_due`."""
        return False


class AiobotocoreSource:
    """The credentials of an aiobotocore session, with all its providers.

    Args:
        session: The aiobotocore session.
        reload: Whether credentials without an end may be read again, from wherever they came, when the service refuses
            them as expired: for our own sessions, whose chain is all there is. A user's session may have been given
            others by hand.
    """

    def __init__(self, session: Any, *, reload: bool) -> None:
        self._session = session
        self._reload = reload
        self._provider: Any = None

    async def load(self, *, force: bool) -> Credentials:
        """Ask the provider, which refreshes what is due."""
        provider = self._provider
        if provider is None:
            provider = await self._session.get_credentials()
            if provider is None:
                raise CredentialsError(
                    "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile by"
                    " profile_name=, or pass credentials="
                )
            self._provider = provider
            held = getattr(provider, "_frozen_credentials", None)
            if held is not None and not self.is_expired():
                # Others may have used this session before us: what it holds serves, and is refreshed in the background.
                return _frozen(held)
        elif force:
            provider = await self._force(provider)
        return _frozen(await provider.get_frozen_credentials())

    async def _force(self, provider: Any) -> Any:
        """Make the provider refresh although it thinks its credentials good: there is no public word for that."""
        if hasattr(provider, "refresh_needed"):
            async with provider._refresh_lock:  # noqa: SLF001  (no public word, as said)
                _forget_cached(provider)
                await provider._protected_refresh(is_mandatory=True)  # noqa: SLF001  (as above)
        elif self._reload:
            chain = self._session.get_component("credential_provider")
            self._provider = provider = await chain.load_credentials() or provider
        return provider

    def is_due(self) -> bool:
        """Ask the provider whether its advisory time has come."""
        return hasattr(self._provider, "refresh_needed") and bool(self._provider.refresh_needed())

    def is_expired(self) -> bool:
        """Ask the provider whether nothing is left."""
        return hasattr(self._provider, "refresh_needed") and bool(self._provider.refresh_needed(0))


def _forget_cached(provider: Any) -> None:
    """Take refused credentials out of the cache in which an assumed role's stay until their time is up."""
    fetcher = getattr(provider._refresh_using, "__self__", None)  # noqa: SLF001  (as above)
    cache, key = getattr(fetcher, "_cache", None), getattr(fetcher, "_cache_key", None)
    if cache is not None and key in cache:
        del cache[key]


def _frozen(held: Any) -> Credentials:
    """Turn botocore's frozen credentials into ours."""
    return Credentials(held.access_key, held.secret_key, held.token, account_id=getattr(held, "account_id", None))


class CredentialKeeper:
    """Keeps the credentials of one client.

    Attributes:
        credentials: What serves now; None before the first use.
        next_look: Until this loop time `credentials` serve without a question.
        refreshes: How often the source was asked.
    """

    def __init__(self, source: CredentialSource, loop: asyncio.AbstractEventLoop) -> None:
        self._source = source
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._not_before = float("-inf")
        self._due_after = float("-inf")
        self._closed = False
        self.credentials: Credentials | None = None
        self.next_look: float = float("-inf")
        self.refreshes: int = 0

    async def current(self) -> Credentials:
        """Return credentials that serve, waiting for a refresh only when there are none.

        Raises:
            CredentialsError: There are none, or they expired and could not be refreshed.
        """
        held = self.credentials
        if held is not None:
            now = self._loop.time()
            due = self._source.is_due()
            if not due or not self._source.is_expired():
                if due and now >= self._due_after:
                    self._begin(force=False)
                self.next_look = now + LOOK_SECONDS
                return held
        await self._refreshed(force=False)
        held = self.credentials
        if held is None or self._closed or self._source.is_expired():
            raise self._failure()
        return held

    async def renew(self, refused: Credentials) -> Credentials:
        """Ask for other credentials than the ones that the service refused as expired.

        Args:
            refused: What the request was signed with.

        Returns:
            Other credentials, or the same where the source has no others.

        Raises:
            CredentialsError: They could not be refreshed.
        """
        if self.credentials is refused:
            # A refresh that is in flight will do as well, and is waited for.
            await self._refreshed(force=True)
        if self.credentials is None or self._closed or (self.credentials is refused and self._error is not None):
            raise self._failure()
        return self.credentials

    async def aclose(self) -> None:
        """Stop a refresh in flight; whoever waits for it is told."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _refreshed(self, *, force: bool) -> None:
        """Wait for the refresh in flight, or for a new one where it is time for one."""
        self._begin(force=force)
        if self._task is not None:
            # A caller whose time is up leaves, and the refresh goes on for the others: `wait` cancels nothing.
            await asyncio.wait({self._task})

    def _begin(self, *, force: bool) -> None:
        if self._task is None and not self._closed and self._loop.time() >= self._not_before:
            self.refreshes += 1
            # An empty context: a refresh belongs to no caller, and to none of its traces.
            self._task = self._loop.create_task(
                self._refresh(force=force),
                name="mizzle_async: refresh of credentials",
                context=contextvars.Context(),
            )

    async def _refresh(self, *, force: bool) -> None:
        """Ask the source; never raises, as nobody may be left who listens."""
        try:
            async with asyncio.timeout(REFRESH_SECONDS):
                loaded = await self._source.load(force=force)
        except BaseException as error:
            # A provider may raise anything, a cancellation of its own included; it becomes the cause of our error.
            if self._closed or isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            # Said once: while old credentials serve, this may come every second for minutes.
            level = logging.WARNING if self._error is None else logging.DEBUG
            logger.log(level, "AWS credentials could not be loaded: %s", type(error).__name__)
            self._error = error
            self._not_before = self._loop.time() + LOOK_SECONDS
        else:
            self._keep(loaded, force=force)
        finally:
            self._task = None

    def _keep(self, loaded: Credentials, *, force: bool) -> None:
        now = self._loop.time()
        self._error = None
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
        if self._closed:
            return ClientStateError("the client was closed while this call waited for AWS credentials")
        if isinstance(self._error, CredentialsError):
            return CredentialsError(self._error.message)
        what = "could not be loaded" if self.credentials is None else "expired, and could not be refreshed"
        why = f": {type(self._error).__name__}" if self._error is not None else ""
        failure = CredentialsError(f"AWS credentials {what}{why}")
        failure.__cause__ = self._error
        return failure

    def __repr__(self) -> str:
        state = "refreshing" if self._task is not None else "at hand" if self.credentials is not None else "not loaded"
        return f"<CredentialKeeper {state}, {self.refreshes} refreshes>"
