"""Changes to the providers of a botocore credential chain: child processes, MFA codes, the metadata service.

Each change is made to the objects of one session. An object that the user has put in their place is left alone.
"""

from __future__ import annotations

import asyncio
import getpass
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final

from mizzle_async.wire.session.credentials import LoadError

_NOT_SHOWN: Final = b"the command failed; run it to see what it says"
_NO_ROLE: Final = 404
_REFUSED: Final = frozenset({400, 401, 403})


ours: ContextVar[bool] = ContextVar("mizzle_async_loading_credentials", default=False)
"""Whether a client of this library asks, and not another user of the session, for whom nothing changes."""


def begin_anew(chain: Any) -> None:
    """Prepare a chain to be asked again: an older aiobotocore takes that for a loop of profiles."""
    for provider in chain.providers:
        if hasattr(provider, "_visited_profiles"):
            provider._visited_profiles = [provider._profile_name]  # noqa: SLF001  (there is no public way)


# ── credential_process ──


def end_processes(chain: Any) -> None:
    """Make each ``credential_process`` of a chain end with the call that waits for it, source profiles' included."""
    for provider in chain.providers:
        _end_process(provider)
        builder = getattr(provider, "_profile_provider_builder", None)
        create = getattr(builder, "_create_process_provider", None)
        if builder is not None and create is not None and not isinstance(create, _Created):
            builder._create_process_provider = _Created(create)  # noqa: SLF001  (there is no public way)


class _Created:
    """Makes providers of processes that end."""

    def __init__(self, create: Callable[..., Any]) -> None:
        self._create = create

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        provider = self._create(*arguments, **options)
        _end_process(provider)
        return provider


def _end_process(provider: Any) -> None:
    # In a session that is used again, as in one whose user has another way, there is nothing to replace.
    if getattr(provider, "_popen", None) is asyncio.create_subprocess_exec:
        provider._popen = _start  # noqa: SLF001  (as above)


async def _start(*command: str, **options: Any) -> _EndingProcess:
    return _EndingProcess(await asyncio.create_subprocess_exec(*command, **options))


class _EndingProcess:
    """A child process that does not outlive the call that waits for it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    async def communicate(self) -> tuple[bytes, bytes]:
        """Return the output. Where the caller is cancelled, kill the process and wait for its end."""
        try:
            printed, complained = await self._process.communicate()
        except BaseException:
            # Closing the transport kills the process, and closes its pipes: a grandchild may hold their other ends.
            self._process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001  (there is no public way)
            await self._process.wait()
            raise
        # Botocore makes the complaint a part of its error, and logs that with each refresh that fails.
        return printed, _NOT_SHOWN if ours.get() and self._process.returncode else complained


# ── MFA ──


class CodeNeededError(Exception):
    """A provider asked for an MFA code, on the event loop's thread, where no user can be waited for."""


_code: ContextVar[str | None] = ContextVar("mizzle_async_mfa_code", default=None)


def take_over_prompts(chain: Any) -> None:
    """Answer in place of botocore's own prompt, which reads the terminal on the event loop's thread."""
    for provider in chain.providers:
        if getattr(getattr(provider, "_prompter", None), "__module__", None) == "getpass":
            provider._prompter = _answer  # noqa: SLF001  (botocore has no public way after construction)


def _answer(question: str) -> str:
    if not ours.get():
        return getpass.getpass(question)
    code = _code.get()
    if code is None:
        raise CodeNeededError(question)
    _code.set(None)  # it is good for one request
    return code


async def answer_prompt(error: Exception, prompt: Callable[[str], str] | None) -> bool:
    """Ask the user for an MFA code, where an error says that one is needed.

    Args:
        error: The error of a provider.
        prompt: Asks the user, and blocks meanwhile. None where there is no user to ask.

    Returns:
        Whether the chain may be asked anew, in the current context.

    Raises:
        LoadError: A code is needed, and there is no user to ask, or none was given.
    """
    if isinstance(error, CodeNeededError):
        if prompt is None:
            raise LoadError(
                f"an MFA code is needed ({str(error).strip(' :')}), and only the command line asks for one: pass"
                " Client(mfa_prompt=…), or the credentials of a session that was begun with a code",
                may_pass=False,
            )
        _code.set(await _in_daemon(prompt, str(error)))
        return True
    # Botocore asks once in a provider's life. A new provider asks again.
    return prompt is not None and type(error).__name__ == "RefreshWithMFAUnsupportedError"


async def _in_daemon(function: Callable[[str], str], argument: str) -> str:
    """Call a function that may block for ever in a thread that the process does not wait for at its end."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[str] = loop.create_future()

    def settle(value: str | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value or "")

    def work() -> None:
        value: str | None = None
        problem: LoadError | None = None
        try:
            value = function(argument)
        except BaseException as error:  # noqa: BLE001  (a prompt is a caller's, and may raise anything)
            problem = LoadError(f"no MFA code was given ({type(error).__name__})", may_pass=False)
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, problem)

    threading.Thread(target=work, name="mizzle_async: MFA code", daemon=True).start()
    return await result


# ── the instance metadata service ──


class InstanceMetadata:
    """Sees how the instance metadata service answers. Its failures look like its absence to the chain.

    Args:
        send: Sends a request to the service, as botocore does.
    """

    def __init__(self, send: Callable[[Any], Awaitable[Any]]) -> None:
        self._send = send
        self._status: int | None = None
        self._answers = False

    async def send(self, request: Any) -> Any:
        """Send a request, and note how it was answered."""
        from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

        self._status, self._answers = None, False
        try:
            response = await self._send(request)
        except (ConnectionClosedError, ReadTimeoutError):
            self._answers = True  # the connection was accepted
            raise
        self._status, self._answers = response.status_code, True
        return response

    def problem(self) -> LoadError | None:
        """Return the failure of a service that is there, or None for one that is absent or has no role."""
        status = self._status
        if status == _NO_ROLE or not self._answers:
            return None
        if status in _REFUSED:
            return LoadError(f"the instance metadata service refuses (HTTP {status})", may_pass=False)
        said = "did not answer in time" if status is None else f"gave no usable answer (HTTP {status})"
        return LoadError(f"the instance metadata service {said}", may_pass=True)


def watch_metadata(chain: Any) -> InstanceMetadata | None:
    """Watch a chain's requests to the instance metadata service.

    Returns:
        The watch, the same for every client that uses the chain's session. None for a chain that does not ask.
    """
    for provider in chain.providers:
        session = getattr(getattr(provider, "_role_fetcher", None), "_session", None)
        if session is not None:
            watch = getattr(session.send, "__self__", None)
            if not isinstance(watch, InstanceMetadata):
                watch = InstanceMetadata(session.send)
                session.send = watch.send
            return watch
    return None
