"""AWS Signature Version 4 for DynamoDB's requests: POST, one path, no query, a handful of headers that hardly change.

The key changes once a day, the date and all that is hashed before the body once a second, the body with every request.
They are kept apart, so that signing a request hashes its body and little else.

Source:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

import hmac
import re
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from hashlib import _Hash

from mizzle_async.errors import CredentialsError
from mizzle_async.wire.exchange import Endpoint, HeaderLines
from mizzle_async.wire.services import target_of

SERVICE: Final = "dynamodb"
CONTENT_TYPE: Final = "application/x-amz-json-1.0"

_BLOCK = 64
_NO_KEY_ID = re.compile(r"""[\s,;=:"'/\\{}\[\]()<>]""")
"""No access key id holds one of these. The service repeats an id that does, in parts, in its refusal."""

_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))


class SigningKey:
    """The day's signing key of one pair of credentials in one region. Its repr shows neither secret nor token.

    Attributes:
        access_key_id: The access key's id.
        session_token: The session token of temporary credentials.
        region: The region that signatures are scoped to.
    """

    __slots__ = ("_day", "_key", "_secret", "access_key_id", "region", "session_token")

    def __init__(self, access_key_id: str, secret_access_key: str, session_token: str | None, region: str) -> None:
        if _NO_KEY_ID.search(access_key_id):
            raise CredentialsError(
                "the AWS access key id holds a space, a comma, a quote or the like, which no key id does: something"
                " else, such as JSON or a whole line, was put in its place"
            )
        self.access_key_id: str = access_key_id
        self.session_token: str | None = session_token
        self.region: str = region
        self._secret = secret_access_key
        self._day = ""
        self._key = b""

    def of_day(self, day: str) -> bytes:
        """Return the key of one day, which is written ``YYYYMMDD``."""
        if day != self._day:
            key = ("AWS4" + self._secret).encode()
            for part in (day, self.region, SERVICE, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._day, self._key = day, key
        return self._key

    def __repr__(self) -> str:
        return f"<SigningKey for {self.region}>"


class RequestSigner:
    """Signs requests of one operation to one endpoint with one key.

    Attributes:
        endpoint: Where the requests go.
        key: Signs them.
    """

    __slots__ = (
        "_canonical",
        "_constant",
        "_inner",
        "_lines",
        "_outer",
        "_second",
        "endpoint",
        "key",
    )

    _canonical: _Hash
    _inner: _Hash
    _outer: _Hash

    def __init__(self, endpoint: Endpoint, operation: str, key: SigningKey, user_agent: str) -> None:
        self.endpoint: Endpoint = endpoint
        self.key: SigningKey = key
        self._second = -1
        constant = [
            ("host", endpoint.authority),
            ("x-amz-target", target_of(operation)),
            ("content-type", CONTENT_TYPE),
            ("accept-encoding", "identity"),
            ("user-agent", user_agent),
        ]
        if key.session_token:
            constant.append(("x-amz-security-token", key.session_token))
        self._constant = tuple(constant)
        self._lines = b""

    def sign(self, body: bytes, second: int) -> HeaderLines:
        """Return the headers of one request.

        Args:
            body: The encoded JSON.
            second: The service's time, in whole epoch seconds.

        Returns:
            Names, in lower case, with values, in the order in which they are sent, without ``content-length``.

        Raises:
            CredentialsError: The access key, the token or the region holds a character that HTTP cannot carry. It is
                not shown.
        """
        if second != self._second:
            self._turn(second)
        canonical = self._canonical.copy()
        canonical.update(sha256(body).hexdigest().encode())
        inner = self._inner.copy()
        inner.update(canonical.hexdigest().encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return HeaderLines(b"%b%b\r\n" % (self._lines, outer.hexdigest().encode()))

    def _turn(self, second: int) -> None:
        """Prepare all that is the same for every request within one second."""
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        day = date[:8]
        scope = f"{day}/{self.key.region}/{SERVICE}/aws4_request"
        dated = (*self._constant, ("x-amz-date", date))
        signed = sorted(header for header in dated if header[0] not in {"accept-encoding", "user-agent"})
        names = ";".join(name for name, _ in signed)
        lines = "".join(f"{name}:{' '.join(value.split())}\n" for name, value in signed)
        # Everything up to the body's hash, which is the canonical request's last line.
        self._canonical = sha256(f"POST\n{_canonical_path(self.endpoint.path)}\n\n{lines}\n{names}\n".encode())
        # HMAC is H(key ^ outer pad, H(key ^ inner pad, message)): both keyed states are the same all day long, and the
        # message is the same all second long up to the canonical request's hash. Copying states costs less than keying
        # HMAC anew.
        key = self.key.of_day(day).ljust(_BLOCK, b"\0")
        self._inner = sha256(key.translate(_INNER_PAD) + f"AWS4-HMAC-SHA256\n{date}\n{scope}\n".encode())
        self._outer = sha256(key.translate(_OUTER_PAD))
        credential = f"Credential={self.key.access_key_id}/{scope}"
        head = "".join(f"{name}: {value}\r\n" for name, value in dated)
        head += f"authorization: AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature="
        if not head.isascii() or head.count("\r") != len(dated) or head.count("\n") != len(dated):
            raise CredentialsError(
                "AWS access key, session token or region holds a line break or another character that HTTP cannot carry"
            )
        self._lines = head.encode()
        self._second = second

    def __repr__(self) -> str:
        return f"<RequestSigner for {self.endpoint.authority}>"


def _canonical_path(path: str) -> str:
    """Write a path as the service does before it checks a signature: dots and empty segments resolved, encoded."""
    if not path:
        return "/"
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in {"", "."}:
            kept.append(segment)
    slash = "/" if kept and path.endswith("/") else ""
    return quote("/" + "/".join(kept) + slash, safe="/~")
