"""The credentials of an aiobotocore session, by all its providers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mizzle_async.wire.session.credentials import LoadError
from mizzle_async.wire.session.nested import trust_containers
from mizzle_async.wire.session.providers import (
    CodeNeededError,
    InstanceMetadata,
    answer_prompt,
    begin_anew,
    end_processes,
    ours,
    take_over_prompts,
    watch_metadata,
)
from mizzle_async.wire.session.reasons import explain
from mizzle_async.wire.settings import Credentials

_MISSING = (
    "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile by profile_name=,"
    " or pass credentials="
)


class AiobotocoreSource:
    """The credentials of an aiobotocore session.

    Args:
        session: The aiobotocore session.
        reload: Whether the chain of providers may be asked anew, when the service refuses credentials without an end or
            a provider cannot refresh its own: for our own sessions, whose chain is all there is. A user's session may
            have been given others by hand.
        mfa_prompt: Asks the user for an MFA code. None where there is no user to ask.
    """

    def __init__(self, session: Any, *, reload: bool, mfa_prompt: Callable[[str], str] | None = None) -> None:
        self._session = session
        self._reload = reload
        self._provider: Any = None
        self._files: list[tuple[int, int, int] | None] = []
        self._mfa_prompt = mfa_prompt
        self._metadata: InstanceMetadata | None = None
        self._prepared = False

    async def load(self, *, force: bool) -> Credentials:
        """Ask the provider, which refreshes credentials that are due.

        Raises:
            LoadError: No provider has credentials, or the one that is configured failed.
        """
        ours.set(True)  # of the refresh's own context
        while True:
            failure: LoadError | None = None
            try:
                return await self._load(force=force)
            except LoadError:
                raise
            except Exception as error:  # noqa: BLE001  (providers raise anything)
                if isinstance(error, CodeNeededError):
                    self._forget()
                if not await answer_prompt(error, self._mfa_prompt):
                    failure = explain(error, self._profile())
            if failure is not None:
                # Raised out here: the provider's error may show secrets, and would be the context of ours.
                raise failure
            self._forget()

    def _forget(self) -> None:
        """Forget a provider that asks for a code only once in its life, so that the chain makes another."""
        self._provider = self._session._credentials = None  # noqa: SLF001  (`get_credentials` keeps it there)
        begin_anew(self._session.get_component("credential_provider"))

    async def _load(self, *, force: bool) -> Credentials:
        provider = self._provider
        if provider is None:
            self._prepare()
            self._note_files()
            provider = await self._session.get_credentials()
            if provider is None:
                raise self._nothing()
            self._provider = provider
            held = getattr(provider, "_frozen_credentials", None)
            if held is not None and not self.is_expired():
                # Others may have used this session before: its credentials serve, and are refreshed beside the calls.
                return _frozen(held)
        elif force:
            provider = await self._force(provider)
        elif self._reload and self.has_changed():
            provider = await self._chain()
        return _frozen(await provider.get_frozen_credentials())

    async def _force(self, provider: Any) -> Any:
        """Make the provider refresh although it thinks its credentials good: there is no public word for that."""
        refreshes = hasattr(provider, "refresh_needed")
        if refreshes:
            _forget_cached(provider)
        if self._reload and (self.has_changed() or not refreshes):
            return await self._chain()
        if refreshes:
            async with provider._refresh_lock:  # noqa: SLF001  (no public word, as said)
                await provider._protected_refresh(is_mandatory=True)  # noqa: SLF001  (as above)
        return provider

    async def _chain(self) -> Any:
        """Ask the chain of providers anew, which reads files as they are now."""
        self._note_files()
        self._session._config = None  # noqa: SLF001  (the parsed files, which the session keeps for ever)
        chain = self._session.get_component("credential_provider")
        begin_anew(chain)
        loaded = await chain.load_credentials()
        if loaded is not None:
            self._provider = loaded
        return self._provider

    def _prepare(self) -> None:
        """Give the chain's providers our own way with child processes, MFA codes and the metadata service."""
        chain = self._session.get_component("credential_provider")
        begin_anew(chain)
        if not self._prepared:
            end_processes(chain)
            take_over_prompts(chain)
            if self._reload:
                trust_containers(chain, self._session)
            self._metadata = watch_metadata(chain)
            self._prepared = True

    def _nothing(self) -> LoadError:
        """Tell "nothing is configured" from a metadata service that is there and failed, which the chain does not."""
        problem = self._metadata.problem() if self._metadata is not None else None
        return problem or LoadError(_MISSING, may_pass=False, missing=True)

    def _profile(self) -> str:
        return self._session.get_config_variable("profile") or "default"

    def _note_files(self) -> None:
        self._files = self._stamps()

    def has_changed(self) -> bool:
        """Return whether a shared file is another than when it was last read."""
        return self._reload and self._provider is not None and self._stamps() != self._files

    def _stamps(self) -> list[tuple[int, int, int] | None]:
        variables = ("credentials_file", "config_file")
        return [_stamp(self._session.get_config_variable(variable)) for variable in variables]

    def is_due(self) -> bool:
        """Ask the provider whether its advisory time has come."""
        return hasattr(self._provider, "refresh_needed") and bool(self._provider.refresh_needed())

    def is_expired(self) -> bool:
        """Ask the provider whether its credentials have expired."""
        return hasattr(self._provider, "refresh_needed") and bool(self._provider.refresh_needed(0))


def _stamp(path: str | None) -> tuple[int, int, int] | None:
    """Return a file's stamp, which changes when it is written or replaced. Return None where there is no file."""
    if not path:
        return None
    try:
        status = Path(os.path.expandvars(path)).expanduser().stat()
    except (OSError, RuntimeError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _forget_cached(provider: Any) -> None:
    """Take refused credentials out of the cache in which an assumed role's stay until their time is up."""
    fetcher: Any = getattr(provider._refresh_using, "__self__", None)  # noqa: SLF001  (as above)
    while hasattr(fetcher, "_refresh"):  # what asks for an MFA code stands before what fetches
        fetcher = getattr(fetcher._refresh, "__self__", object())  # noqa: SLF001  (as above)
    cache, key = getattr(fetcher, "_cache", None), getattr(fetcher, "_cache_key", None)
    if cache is not None and key in cache:
        del cache[key]


def _frozen(held: Any) -> Credentials:
    """Turn botocore's frozen credentials into ours."""
    return Credentials(held.access_key, held.secret_key, held.token, account_id=getattr(held, "account_id", None))
