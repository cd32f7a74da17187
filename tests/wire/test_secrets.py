"""No secret leaves: canaries in credentials and proxies, and a service that repeats every header of its request."""

import asyncio
import logging
import pickle
import traceback

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mizzle_async import Client, Credentials, RetryPolicy, errors
from mizzle_async.integrations.otel import OpenTelemetry
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer

KEY, SECRET, TOKEN, PASSWORD = "AKCANARYKEY00001", "CANARYSECRET/x+y", "CANARYTOKEN/x+y==", "CANARYPASSWORD"
CANARIES = ("CANARYKEY", "CANARYSECRET", "CANARYTOKEN", PASSWORD)
CODES = (
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InternalServerError",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "ThrottlingException",
    "UnrecognizedClientException",
    "ValidationException",
)
CAUSES = 10


class Recorder:
    """An instrument that keeps everything it is told."""

    def __init__(self):
        self.records = []

    def call_finished(self, record):
        self.records.append(record)


def everything_about(error):
    """Write all that an error report could show: text, repr, attributes, pickle, traceback, causes and contexts."""
    shown, left = [], [error]
    while left and len(shown) < 100 * CAUSES:
        one = left.pop()
        shown += [str(one), repr(one), repr(one.args), repr(vars(one)), *traceback.format_exception(one)]
        if isinstance(one, errors.MizzleError):
            shown.append(pickle.dumps(one).decode("latin-1"))
            shown.append(repr(vars(pickle.loads(pickle.dumps(one)))))
        left += [other for other in (one.__cause__, one.__context__) if other is not None]
    return shown


def echo(code):
    """Answer with an error that repeats the request: its headers in the message, and one by one."""

    def answer(sent):
        headers = dict(sent.headers)
        message = "Refused.\n" + "\n".join(f"{name}:{value}" for name, value in headers.items())
        one_line = f"Refused with token {headers.get('x-amz-security-token')} of {headers['authorization']}"
        status = 500 if code == "InternalServerError" else 400
        return Reply.error(code, f"{one_line}\n{message}", status=status, Headers=headers, Echo=[one_line])

    return answer


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    """Hide the machine's own proxies."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("way", ["direct", "proxy"])
@pytest.mark.parametrize("holder", ["caller", "environment"])
async def test_a_service_that_repeats_every_header_makes_no_secret_leave(monkeypatch, caplog, way, holder):
    """In no error, cause, pickle, log line, span, record or repr of any call is anything of the credentials."""
    caplog.set_level(logging.DEBUG)
    exporter, recorder = InMemorySpanExporter(), Recorder()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    shown = []
    options = {"credentials": Credentials(KEY, SECRET, TOKEN)} if holder == "caller" else {}
    if holder == "environment":
        for name, value in (("ACCESS_KEY_ID", KEY), ("SECRET_ACCESS_KEY", SECRET), ("SESSION_TOKEN", TOKEN)):
            monkeypatch.setenv(f"AWS_{name}", value)
    for code in CODES:
        async with ScriptedServer(echo(code)) as server:
            if way == "proxy":
                monkeypatch.setenv("HTTP_PROXY", server.url.replace("://", f"://user:{PASSWORD}@"))
            client = Client(
                endpoint_url=server.url if way == "direct" else "http://dynamodb.example",
                region_name="eu-west-1",
                allow_http=True,
                retry=RetryPolicy.no_backoff(),
                instrument=(recorder, OpenTelemetry(tracer_provider=provider)),
                **options,
            )
            async with client:
                table = client.table("orders", partition_key="pk")
                calls = [table.get("a"), table.put({"pk": "a"}), table.delete("a")]
                for outcome in await asyncio.gather(*calls, client.describe_table("orders"), return_exceptions=True):
                    assert isinstance(outcome, errors.MizzleError), outcome
                    shown += everything_about(outcome)
                shown += [repr(client), repr(client.statistics()), repr(table), repr(client._runtime.pipeline._session)]
            assert len(server.requests) >= 4
    shown += [repr(record) for record in recorder.records]
    shown += [span.to_json() for span in exporter.get_finished_spans()]
    shown += [caplog.handler.format(record) for record in caplog.records]
    assert len(recorder.records) >= 4 * len(CODES)
    assert len(shown) > 500
    for canary in CANARIES:
        assert not [text for text in shown if canary in text], canary
