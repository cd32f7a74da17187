"""Answers that are not the service's, clocks that are wrong, secrets, and who hears of calls. On the virtual clock."""

import asyncio
import logging
import pickle
from email.utils import formatdate

import orjson
import pytest

from mizzle_async import errors
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import Outcome, RepeatSafety, WireRequest
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.settings import WireSettings

ITEM = Reply({"Item": {"a": {"S": "b"}}})
CORRUPT = {
    "html": Reply.html(200),
    "empty": Reply(b"", 200, checksum="absent"),
    "empty, checksummed": Reply(b"", 200),
    "no object": Reply([1]),
    "cut": Reply(b'{"Item":', checksum="absent"),
    "wrong checksum": Reply(ITEM.payload, checksum="wrong"),
    "compressed": Reply(ITEM.payload, headers={"Content-Encoding": "gzip"}),
    "created": Reply({}, 201),
    "garbage": Reply.raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "wrong checksum of an error": Reply({"__type": "ValidationException"}, 400, checksum="wrong"),
}
REDIRECTS = [301, 302, 303, 307, 308]


def request(safety=RepeatSafety.READ, *, operation="GetItem", body=b"{}", table="orders"):
    """Return a request of one kind."""
    return WireRequest(operation, body, table, safety)


async def opened(url, **options):
    """Open a pipeline that retries at once."""
    settings = WireSettings(
        endpoint_url=url,
        region_name="eu-west-1",
        credentials=options.pop("credentials", ("AKID", "secret", "token")),
        retry=options.pop("retry", RetryPolicy.no_backoff()),
        **options,
    )
    return await open_pipeline(settings)


def play(script, call=None, *, then=None, **options):
    """Play a script to one call; return what came of it, the server, and the pipeline's numbers."""

    async def main():
        async with ScriptedServer(script, then=then) as server:
            pipeline = await opened(server.url, **options)
            try:
                outcome = await pipeline.call(call or request())
            except errors.MizzleError as error:
                outcome = error
            statistics = pipeline.statistics()
            await pipeline.aclose()
            return outcome, server, statistics

    return run_virtual(main())


def test_an_answer_is_read_as_its_operation_wants_it():
    """What a request gives for it reads the JSON of its answer, after every check, and of a retry's as well."""
    call = WireRequest("GetItem", b"{}", "orders", RepeatSafety.READ, parse=lambda body: {"bytes": len(body)})
    outcome, server, _ = play([CORRUPT["wrong checksum"], Reply.error("InternalServerError", status=500), ITEM], call)
    assert outcome.payload == {"bytes": len(orjson.dumps(ITEM.payload))}
    assert len(server.requests) == 3


@pytest.mark.parametrize("reply", CORRUPT.values(), ids=CORRUPT)
def test_a_corrupt_answer_is_never_a_result(reply):
    """Reads are sent again on another connection; where every answer is corrupt, the error is typed."""
    response, server, _ = play([reply, ITEM])
    assert (response.payload, response.attempts) == (ITEM.payload, 2)
    if reply is not CORRUPT["empty, checksummed"]:
        assert [sent.connection for sent in server.requests] == [1, 2]
    error, server, _ = play([], then=reply)
    assert type(error) is errors.CorruptResponseError
    assert (error.outcome, error.attempts, len(server.requests)) == (Outcome.UNKNOWN, 4, 4)


@pytest.mark.parametrize("reply", CORRUPT.values(), ids=CORRUPT)
def test_a_corrupt_answer_to_an_unsafe_write_is_unknown(reply):
    """Whoever sent the answer, the write may have been applied: it is not sent again."""
    error, server, _ = play([reply], request(RepeatSafety.UNSAFE), then=ITEM)
    assert type(error) is errors.OutcomeUnknownError
    assert type(error.__cause__) is errors.CorruptResponseError
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", REDIRECTS)
def test_no_redirect_is_followed(status):
    """Nothing, neither item nor signature, is sent to where a redirect points; the call ends typed."""

    async def main():
        async with ScriptedServer() as target:
            async with ScriptedServer(then=Reply.redirect(f"{target.url}/", status)) as server:
                pipeline = await opened(server.url)
                with pytest.raises(errors.CorruptResponseError, match="redirect") as caught:
                    await pipeline.call(request())
                await pipeline.aclose()
            return caught.value, server, target

    error, server, target = run_virtual(main())
    assert (target.log, len(server.requests), error.attempts) == ([], 4, 4)


def test_tagging_may_answer_with_nothing():
    """The one answer without a body that is right."""
    response, _, _ = play([Reply(b"", 200)], request(RepeatSafety.IDEMPOTENT, operation="TagResource"))
    assert (response.payload, response.attempts) == ({}, 1)


# ── clocks ──

SKEWED = "Signature expired: 20260101T000000Z is now earlier than 20260101T020000Z"


def skew_script(ahead, code="InvalidSignatureException"):
    """Answer by the service's clock, some seconds ahead of ours, and refuse what was signed at another time."""

    def script(sent):
        date = formatdate(1_767_225_600 + ahead, usegmt=True)
        day, hour = sent.headers["x-amz-date"][:8], sent.headers["x-amz-date"][9:13]
        expected = {7200: ("20260101", "0200"), -7200: ("20251231", "2200")}[ahead]
        if (day, hour) == expected:
            return Reply(ITEM.payload, headers={"Date": date})
        return Reply(Reply.error(code, SKEWED).payload, 400, {"Date": date})

    return script


@pytest.mark.parametrize("ahead", [7200, -7200])
@pytest.mark.parametrize("code", ["InvalidSignatureException", "RequestTimeTooSkewed", "RequestExpired"])
def test_a_wrong_clock_is_corrected_once_for_all(ahead, code):
    """A hundred calls, signed hours off, are sent again with the service's clock; later ones need not be."""

    async def main():
        async with ScriptedServer(skew_script(ahead, code)) as server:
            pipeline = await opened(server.url, wall_clock=lambda: 1_767_225_600.5)
            calls = [pipeline.call(request(RepeatSafety.UNSAFE)) for _ in range(100)]
            first = await asyncio.gather(*calls)
            later = await pipeline.call(request())
            statistics = pipeline.statistics()
            await pipeline.aclose()
            return first, later, statistics

    first, later, statistics = run_virtual(main())
    assert {(response.attempts, response.ambiguous) for response in first} == {(2, False)}
    assert later.attempts == 1
    assert statistics.clock_offset == pytest.approx(ahead, abs=1)
    assert statistics.quota == 500


def test_a_clock_that_is_put_right_is_believed_again():
    """A clock that jumps after it was corrected is measured anew, by the time that was signed."""
    service = 1_767_225_600.0 + 7200

    async def main():
        ours = [0.0]
        async with ScriptedServer(skew_script(7200)) as server:
            pipeline = await opened(server.url, wall_clock=lambda: ours[0])
            seen = []
            for behind in (7200, 0, 0, -3600):
                ours[0] = service - behind
                response = await pipeline.call(request())
                seen.append((response.attempts, pipeline.statistics().clock_offset))
            await pipeline.aclose()
            return seen

    assert run_virtual(main()) == [(2, 7200.0), (2, 0.0), (1, 0.0), (2, -3600.0)]


def test_a_wrong_signature_is_not_the_clocks_fault():
    """A signature that is refused at the right time is wrong: it is raised after one request."""
    refusal = Reply.error("InvalidSignatureException", "The request signature we calculated does not match")
    error, server, statistics = play([], then=refusal)
    assert (type(error), len(server.requests)) == (errors.InvalidSignatureError, 1)
    assert statistics.clock_offset == 0


def test_a_clock_is_corrected_once_for_each_call():
    """A service that goes on complaining, each time with another date, is believed once."""
    refusal = Reply.error("RequestTimeTooSkewed", SKEWED)
    dates = [formatdate(days * 86_400, usegmt=True) for days in range(3)]
    error, server, _ = play([Reply(refusal.payload, 400, {"Date": date}) for date in dates], then=ITEM)
    assert (type(error), len(server.requests)) == (errors.InvalidSignatureError, 2)


# ── secrets ──

CANARIES = ("CANARYKEY", "CANARYSECRET", "CANARYTOKEN", "CANARYVALUE")


def shown_by(error):
    """Return everything that an error may show on its way to a log."""
    shown = [str(error), repr(error), repr(error.args), repr(getattr(error, "reasons", ""))]
    if error.__cause__ is not None:
        shown += shown_by(error.__cause__)
    return shown


def test_no_secret_and_no_value_is_shown_anywhere(caplog):
    """Canaries in credentials and items appear in no log line at DEBUG, no repr and no error's text."""
    caplog.set_level(logging.DEBUG)
    value = {"a": {"S": "CANARYVALUE"}}
    echo = "does not match\n\nThe Canonical String should have been\nx-amz-security-token:CANARYTOKEN"
    replies = [
        Reply({"Item": value}),
        Reply.error("ConditionalCheckFailedException", "The conditional request failed", Item=value),
        Reply.error("InvalidSignatureException", echo),
        Reply.error("TransactionCanceledException", CancellationReasons=[{"Code": "None", "Item": value}]),
        Reply({"Item": value}, checksum="wrong"),
        Reply(b'{"Item": {"a": {"S": "CANARYVALUE"', checksum="absent"),
        Reply.html(200),
        Reply.close(),
        Reply.error("InternalServerError", status=500),
        Reply.throttled(),
        Reply.error("ExpiredTokenException"),
        Reply.redirect("http://127.0.0.1/CANARYVALUE"),
    ]

    async def main():
        shown = []
        for safety in RepeatSafety:
            for reply in replies:
                async with ScriptedServer(then=reply) as server:
                    credentials = ("CANARYKEY123456", "CANARYSECRET", "CANARYTOKEN")
                    pipeline = await opened(server.url, credentials=credentials)
                    call = request(safety, body=b'{"Item":{"a":{"S":"CANARYVALUE"}}}')
                    try:
                        await pipeline.call(call)
                    except errors.MizzleError as error:
                        shown += shown_by(error)
                        shown += shown_by(pickle.loads(pickle.dumps(error)))
                    shown += [repr(pipeline), repr(pipeline.statistics()), repr(pipeline._transports)]
                    shown += [repr(pipeline._keeper), repr(pipeline._routes["GetItem"].signer)]
                    shown += [repr(pipeline._held), repr(pipeline._keys)]
                    await pipeline.aclose()
        return shown

    shown = run_virtual(main())
    # All loggers, aiobotocore's and botocore's included: they are given neither credentials nor items.
    lines = [caplog.handler.format(record) for record in caplog.records]
    assert len(shown) > 300
    assert len(lines) > 200
    for canary in CANARIES:
        assert not [text for text in (*shown, *lines) if canary in text]


def test_what_is_logged_is_enough_to_follow_a_call(caplog):
    """Operation, table, attempt, reason, pause, sizes and the request's id are logged at DEBUG, by one logger."""
    caplog.set_level(logging.DEBUG, "mizzle_async.wire")
    play([Reply.throttled(), ITEM], retry=RetryPolicy.no_backoff())
    lines = [record.getMessage() for record in caplog.records if record.name == "mizzle_async.wire"]
    assert "GetItem orders: attempt 1 failed (ProvisionedThroughputExceededException), again in 0.000 s" in lines
    assert "GetItem orders: answered after 0.0000 s and 2 attempts, 2 bytes sent, request REQUEST00000002" in lines


# ── who hears of calls ──


class Listener:
    def __init__(self, *, fails=False):
        self.calls = []
        self.fails = fails

    def call_finished(self, call):
        self.calls.append(call)
        if self.fails:
            raise LookupError("an instrument's own trouble")


def test_instruments_hear_of_every_call(caplog):
    """Answered, failed and cancelled calls are told to every instrument; one that raises disturbs nobody."""
    broken, listener = Listener(fails=True), Listener()

    async def main():
        consumed = Reply({"ConsumedCapacity": {"CapacityUnits": 0.5}}, pause=0.25)
        async with ScriptedServer([consumed, Reply.error("ValidationException")], then=Reply.hang()) as server:
            pipeline = await opened(server.url, instrument=(broken, listener))
            await pipeline.call(WireRequest("Query", b"{}", "orders", RepeatSafety.READ, index="by-status"))
            with pytest.raises(errors.ValidationError) as caught:
                await pipeline.call(request())
            cancelled = asyncio.ensure_future(pipeline.call(request()))
            await asyncio.sleep(1)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            await pipeline.aclose()
            return caught.value

    error = run_virtual(main())
    answered, failed, cancelled = listener.calls
    assert broken.calls == listener.calls
    assert (answered.operation, answered.table, answered.index) == ("Query", "orders", "by-status")
    assert (answered.attempts, answered.seconds, answered.error) == (1, 0.25, None)
    assert (answered.request_id, answered.consumed_capacity) == ("REQUEST00000001", {"CapacityUnits": 0.5})
    assert (failed.error, failed.request_id, failed.consumed_capacity) == (error, "REQUEST00000002", None)
    assert isinstance(cancelled.error, asyncio.CancelledError)
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "an instrument failed: Listener"
    ] * 3


# ── states ──


def test_a_closed_pipeline_refuses():
    """After closing, every call is refused at once; closing again does nothing."""

    async def main():
        async with ScriptedServer() as server:
            pipeline = await opened(server.url)
            where = f"eu-west-1 at {server.endpoint.authority}"
            assert repr(pipeline) == f"<Pipeline open, {where}, 0 calls, 0 requests, quota 500 of 500>"
            await pipeline.aclose()
            await pipeline.aclose()
            with pytest.raises(errors.ClientStateError, match="closed"):
                await pipeline.call(request())
            return repr(pipeline)

    assert run_virtual(main()).startswith("<Pipeline closed")


def test_another_loop_is_refused():
    """A client that was opened on one loop says so on another, and is not harmed by it."""

    async def main():
        return await opened("http://127.0.0.1:9")

    pipeline = run_virtual(main())

    async def elsewhere():
        with pytest.raises(errors.ClientStateError, match="another event loop"):
            await pipeline.call(request())

    run_virtual(elsewhere())


def test_a_call_outside_of_a_task_is_refused():
    """A deadline cancels a task; where there is none, the call says so."""

    async def main():
        pipeline = await opened("http://127.0.0.1:9")
        loop = asyncio.get_running_loop()
        seen = loop.create_future()

        def step():
            try:
                pipeline.call(request()).send(None)
            except errors.ClientStateError as error:
                seen.set_result(str(error))

        loop.call_soon(step)
        text = await seen
        await pipeline.aclose()
        return text

    assert "awaited in a task" in run_virtual(main())


def test_closing_ends_calls_under_way():
    """Calls that are under way when the client is closed end with a typed error, and leave nothing behind."""

    async def main():
        async with ScriptedServer(then=Reply.hang()) as server:
            pipeline = await opened(server.url)
            calls = [
                asyncio.ensure_future(pipeline.call(request(safety)))
                for safety in (RepeatSafety.READ, RepeatSafety.UNSAFE)
            ]
            await server.until(lambda: len(server.requests) == 2)
            await pipeline.aclose()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return outcomes

    read, write = run_virtual(main())
    assert isinstance(read, errors.TransportError | errors.ClientStateError)
    assert type(write) is errors.OutcomeUnknownError


@pytest.mark.parametrize("safety", RepeatSafety)
@pytest.mark.parametrize(
    "trouble", [Reply.throttled(), Reply.error("InternalServerError", status=500)], ids=["throttled", "failed"]
)
def test_closing_ends_pauses(safety, trouble):
    """A call that pauses before its next attempt ends in the moment in which the client is closed."""

    async def main():
        loop = asyncio.get_running_loop()
        policy = RetryPolicy(base_delay=5.0, throttled_base_delay=5.0, randomness=lambda: 0.9)
        async with ScriptedServer(then=trouble) as server:
            pipeline = await opened(server.url, retry=policy)
            call = asyncio.ensure_future(pipeline.call(request(safety)))
            await asyncio.sleep(1)
            await pipeline.aclose()
            with pytest.raises(errors.MizzleError) as caught:
                await call
            assert loop.time() == 1
            assert all(timer.cancelled() for timer in loop._scheduled)
            return caught.value, len(server.requests)

    error, sent = run_virtual(main())
    doubtful = trouble.status == 500 and safety in {RepeatSafety.UNSAFE, RepeatSafety.GUARDED}
    assert type(error) is (errors.OutcomeUnknownError if doubtful else errors.ClientStateError)
    assert (error.attempts, sent) == (1, 1)
