"""Read HTTP/1.1 answers from bytes: where one begins and ends, and which ones are not believed.

Both transports frame by these rules. The service's usual head is matched by one regular expression. Every other answer
is read by httptools. Both readers agree on every answer. This module knows neither sockets nor requests.

Source:
    https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import httptools

from mizzle_async.types import MAX_ANSWER_BYTES

RawAnswer: TypeAlias = tuple[int, dict[str, str], bytes]
"""A whole answer before it is checked: status, lower-case names to values, body."""

MAX_HEAD_BYTES: Final = 64 * 1024
"""The largest status line and headers, interim answers included. The service's own take a few hundred bytes."""

_SWITCHING_PROTOCOLS = 101
_FIRST_INTERIM_STATUS = 100
_FIRST_FINAL_STATUS = 200

_HEADER_NAMES = {
    name: name.decode("ascii").lower()
    for name in (
        b"Server",
        b"Date",
        b"Content-Type",
        b"Content-Length",
        b"Connection",
        b"x-amzn-RequestId",
        b"x-amz-crc32",
    )
}
"""The spelling of the service's own headers, so that they need not be lowered for each answer."""

_USUAL_HEAD = re.compile(
    rb"HTTP/1\.1 200 OK\r\n"
    rb"Server: Server\r\n"
    rb"Date: ([A-Z][ -~]{27}T)\r\n"
    rb"Content-Type: application/x-amz-json-1\.0\r\n"
    rb"Content-Length: ([0-9]{1,8})\r\n"
    rb"Connection: keep-alive\r\n"
    rb"x-amzn-RequestId: ([A-Za-z0-9-]+)\r\n"
    rb"x-amz-crc32: ([0-9]{1,10})\r\n"
    rb"\r\n"
)
"""The head of the service's answers of success, byte for byte but for four values. It accepts nothing that httptools
would read differently."""

_STATUS_LINE = re.compile(rb"[\r\n]*HTTP/1\.[01] ([1-9][0-9]{2})[ \r]")
"""The status lines that are believed: llhttp takes other protocols, versions and numbers for HTTP as well."""

_END_OF_HEAD = b"\r\n\r\n"


class FramingError(Exception):
    """The bytes are no HTTP/1.1 answer, or more than one may have."""


def read_usual(buffer: memoryview, size: int, max_answer_bytes: int) -> RawAnswer | None:
    """Read an answer that is whole and has the service's usual head.

    Args:
        buffer: The bytes that came.
        size: Their number. The buffer may be longer.
        max_answer_bytes: The largest body that is believed.

    Returns:
        The answer, after which its connection may be used again. None where `AnswerReader` has to look.
    """
    head = _USUAL_HEAD.match(buffer, 0, size)
    if head is None:
        return None
    date, length, request_id, checksum = head.groups()
    start = head.end()
    body_bytes = int(length)
    if size - start != body_bytes or body_bytes > max_answer_bytes:
        return None
    headers = {
        "server": "Server",
        "date": date.decode(),
        "content-type": "application/x-amz-json-1.0",
        "content-length": length.decode(),
        "connection": "keep-alive",
        "x-amzn-requestid": request_id.decode(),
        "x-amz-crc32": checksum.decode(),
    }
    return 200, headers, bytes(buffer[start:size])


class AnswerReader:
    """Reads the answers of one connection, one at a time, however they are cut into pieces.

    Args:
        max_answer_bytes: The largest answer that is believed.

    Attributes:
        max_answer_bytes: The same; each answer may have another limit.
        received: Bytes of the answer so far.
        keeps_alive: Whether the connection may carry another exchange after the last answer.
    """

    __slots__ = (
        "_answer",
        "_head",
        "_head_complete",
        "_headers",
        "_parser",
        "_parts",
        "_refusal",
        "keeps_alive",
        "max_answer_bytes",
        "received",
    )

    def __init__(self, max_answer_bytes: int = MAX_ANSWER_BYTES) -> None:
        self.max_answer_bytes: int = max_answer_bytes
        self._parser = httptools.HttpResponseParser(self)
        self._answer: RawAnswer | None = None
        self._head = b""
        self._head_complete = False
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._refusal = ""
        self.received: int = 0
        self.keeps_alive: bool = True

    def feed(self, data: bytes) -> RawAnswer | None:
        """Read on.

        Args:
            data: The bytes that came.

        Returns:
            The answer, if it is whole now, else None: more has to come.

        Raises:
            FramingError: It is no HTTP/1.1 answer, or larger than one may be.
        """
        self.received += len(data)
        if not self._head_complete:
            self._head += data
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            # Bytes after a whole answer were not asked for: the answer stands, and its connection ends.
            self.keeps_alive = False
            if self._answer is None:
                raise FramingError(f"it is not HTTP ({error})") from None
        if self._head_complete and self._head:
            self._check_head()
        if self._answer is None:
            self._check_size()
            return None
        return self._take()

    def end(self) -> RawAnswer | None:
        """Return the answer that the end of the connection makes whole, if it is one that has no other end."""
        if not self._head_complete or "content-length" in self._headers or "transfer-encoding" in self._headers:
            return None
        self.on_message_complete()
        self.keeps_alive = False
        return self._take()

    # ── httptools ──

    def on_message_begin(self) -> None:
        """Begin an answer. A second one in the same read was not asked for: its connection ends."""
        if self._answer is not None:
            self.keeps_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note one header. A trailer is none: any hop on the way may have added it."""
        if self._head_complete:
            return
        key = _HEADER_NAMES.get(name) or name.decode("latin-1").lower()
        text = value.decode("latin-1")
        # A repeated name is a list (RFC 9110, 5.3). The last value must not hide an earlier one.
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        """Tell a final head from an interim one."""
        status = self._parser.get_status_code()
        if status == _SWITCHING_PROTOCOLS:
            self._refusal = "it switches to another protocol"
        if self._answer is None and not _FIRST_INTERIM_STATUS <= status < _FIRST_FINAL_STATUS:
            self._head_complete = True

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if self._answer is None:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """Keep a whole answer, and drop an interim one."""
        if self._answer is not None:
            return
        if not self._head_complete:
            self._headers = {}
            return
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self.keeps_alive = self._parser.should_keep_alive()
        self._answer = (self._parser.get_status_code(), self._headers, body)

    # ── checks ──

    def _take(self) -> RawAnswer | None:
        """Hand the answer out, and be ready for the next one."""
        answer = self._answer
        self._answer = None
        self._headers = {}
        self._parts = []
        self._head_complete = False
        self.received = 0
        return answer

    def _check_head(self) -> None:
        """Refuse other protocols, versions and numbers than those of HTTP/1.1, once for each answer."""
        head, self._head = self._head, b""
        position = 0
        while (line := _STATUS_LINE.match(head, position)) is not None:
            if int(line[1]) >= _FIRST_FINAL_STATUS:
                return
            end = head.find(_END_OF_HEAD, line.end() - 1)
            if end < 0:
                break
            position = end + len(_END_OF_HEAD)
        raise FramingError("its status line is not HTTP/1.1")

    def _check_size(self) -> None:
        """Refuse an answer that is too large: as soon as it says so, or when it has become so."""
        if self._refusal:
            raise FramingError(self._refusal)
        if not self._head_complete:
            if self.received > MAX_HEAD_BYTES:
                raise FramingError(f"its headers have more than {MAX_HEAD_BYTES} bytes")
            return
        announced = self._headers.get("content-length", "")
        size = max(self.received, int(announced) if announced.isdecimal() else 0)
        if size > self.max_answer_bytes + MAX_HEAD_BYTES:
            raise FramingError(f"{size} bytes are more than this answer may have ({self.max_answer_bytes})")
