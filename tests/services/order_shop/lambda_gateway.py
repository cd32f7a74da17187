"""An execution environment behind a function URL: ``python -m order_shop.lambda_gateway FILE_DESCRIPTOR TABLE_PREFIX``.

It turns HTTP requests into events, and passes the function one at a time, as Lambda does with each environment.
"""

import os
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import FrameType
from urllib.parse import parse_qsl, urlsplit

os.environ["TABLE_PREFIX"] = sys.argv[2]

from .lambda_app import handler


class Gateway(BaseHTTPRequestHandler):
    """Turns one request into an event, and the answer into a response."""

    timeout = 5  # seconds for a caller who says nothing

    def answer(self) -> None:
        """Answer a request of any method."""
        url = urlsplit(self.path)
        event = {
            "rawPath": url.path,
            "queryStringParameters": dict(parse_qsl(url.query)),
            "requestContext": {"http": {"method": self.command}},
            "body": self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(),
        }
        answer = handler(event, None)
        body = answer["body"].encode()
        self.send_response(answer["statusCode"])
        for name, value in answer.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = answer  # noqa: N815  (http.server's names)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
        """Write no line for each request."""


class Stop:
    """Whether the environment is to end, after the request that it answers."""

    wanted = False

    @classmethod
    def want(cls, _number: int, _frame: FrameType | None) -> None:
        """End when there is no request: the signal's handler."""
        cls.wanted = True


def main() -> None:
    """Serve until the signal to end."""
    signal.signal(signal.SIGTERM, Stop.want)
    server = HTTPServer(("127.0.0.1", 0), Gateway, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=int(sys.argv[1]))
    server.timeout = 0.1
    with server:
        while not Stop.wanted:
            server.handle_request()
    handler.close()


if __name__ == "__main__":
    main()
