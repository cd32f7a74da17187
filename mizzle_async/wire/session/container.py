"""The credentials of a container, by ECS's and EKS's endpoint, without botocore.

Source:
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from time import time
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import orjson

from mizzle_async.wire.framing import AnswerReader, FramingError, RawAnswer
from mizzle_async.wire.session.credentials import LoadError
from mizzle_async.wire.settings import Credentials

_RELATIVE: Final = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
_FULL: Final = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_HOSTS: Final = frozenset({"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost"})
"""The hosts of ECS and EKS, which are on the machine, and the one other name that botocore accepts."""

_TIMEOUT_SECONDS: Final = 2.0
_ADVISORY_SECONDS: Final = 15 * 60.0
_MAX_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 16 * 1024
_OK: Final = 200


def is_plain_container(environ: Mapping[str, str]) -> bool:
    """Return whether the environment names an endpoint that is asked in plain HTTP on this machine."""
    return _url(environ) is not None


def _url(environ: Mapping[str, str]) -> SplitResult | None:
    """Return the endpoint's URL, or None where there is none, or one that is left to botocore."""
    relative, full = environ.get(_RELATIVE), environ.get(_FULL)
    text = f"http://169.254.170.2{relative}" if _RELATIVE in environ else full
    if not text:
        return None
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        return None
    host = url.hostname
    if url.scheme != "http" or not host or not (host in _HOSTS or _is_loopback_number(host)) or not _is_plain(text):
        return None
    return url


def _is_loopback_number(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text and "@" not in text


class ContainerSource:
    """The credentials that a container's endpoint issues.

    Args:
        environ: Names the endpoint, and the token that it asks for.
        clock: Returns seconds since the epoch.
    """

    def __init__(self, environ: Mapping[str, str], *, clock: Callable[[], float] = time) -> None:
        self._environ = environ
        self._clock = clock
        self._expires = float("inf")

    async def load(self, *, force: bool) -> Credentials:
        """Ask the endpoint.

        Raises:
            LoadError: It did not answer, or not with credentials.
        """
        del force
        url = _url(self._environ)
        if url is None:
            raise LoadError("the environment no longer names the container's credential endpoint", may_pass=False)
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                status, _, body = await _get(url, self._token())
        except TimeoutError as error:
            raise _failure("did not answer in time", error) from None
        except (OSError, FramingError) as error:
            raise _failure(f"did not answer ({type(error).__name__})", error) from None
        if status != _OK:
            raise _failure(f"answered HTTP {status}")
        return self._parse(body)

    def _token(self) -> str | None:
        """Return the token: the file, which is rotated, comes before the variable."""
        path = self._environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        if path is None:
            token = self._environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        else:
            try:
                token = Path(path).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise LoadError(
                    f"the container's token file {path} cannot be read ({type(error).__name__})", may_pass=True
                ) from None
        if token is not None and ("\r" in token or "\n" in token or not token.isascii()):
            raise LoadError("the container's token holds a line break, or what a header cannot carry", may_pass=False)
        return token

    def _parse(self, body: bytes) -> Credentials:
        try:
            answer: dict[str, Any] = orjson.loads(body)
            expires = datetime.fromisoformat(answer["Expiration"]).timestamp()
            credentials = Credentials(
                answer["AccessKeyId"], answer["SecretAccessKey"], answer["Token"], account_id=answer.get("AccountId")
            )
        except (KeyError, TypeError, ValueError) as error:
            failure = _failure(f"gave no usable answer ({type(error).__name__})")
        else:
            self._expires = expires
            return credentials
        raise failure  # out here: the parser's error holds the answer, and would be the context

    def is_due(self) -> bool:
        """Return whether less than a quarter of an hour is left."""
        return self._expires - self._clock() < _ADVISORY_SECONDS

    def is_expired(self) -> bool:
        """Return whether no time is left."""
        return self._expires <= self._clock()

    def has_changed(self) -> bool:
        """Return False: only the endpoint knows."""
        return False


def _failure(said: str, cause: BaseException | None = None) -> LoadError:
    return LoadError(f"the container's credential endpoint {said}", may_pass=True, cause=cause)


async def _get(url: SplitResult, token: str | None) -> RawAnswer:
    """Ask for a URL, once, on a connection of its own."""
    host = url.hostname or ""
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    authorization = "" if token is None else f"Authorization: {token}\r\n"
    head = f"GET {target} HTTP/1.1\r\nHost: {url.netloc}\r\nAccept: application/json\r\n{authorization}"
    reader, writer = await asyncio.open_connection(host, url.port or 80)
    try:
        writer.write(f"{head}Connection: close\r\n\r\n".encode("ascii"))
        answers = AnswerReader(_MAX_BYTES)
        while True:
            data = await reader.read(_READ_BYTES)
            answer = answers.feed(data) if data else answers.end()
            if answer is not None:
                return answer
            if not data:
                raise ConnectionResetError("the endpoint closed the connection before its answer was whole")
    finally:
        writer.close()
