"""What is sent again, how often, and what a caller is told: counted on the server, on the virtual clock."""

import asyncio

import pytest
from attrs import evolve

from mizzle_async import errors
from mizzle_async.codes import CODES
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import Outcome, RepeatSafety, WireRequest
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.settings import WireSettings

ITEM = Reply({"Item": {"a": {"S": "b"}}})
FAILING = Reply.error("InternalServerError", status=500)
SAFETIES = list(RepeatSafety)
REPEATED = [safety for safety in RepeatSafety if safety is not RepeatSafety.UNSAFE]
UNRESOLVED = {RepeatSafety.GUARDED, RepeatSafety.UNSAFE}


def request(safety=RepeatSafety.READ, *, operation="GetItem", table="orders", index=None, timeout=None):
    """Return a request of one kind."""
    return WireRequest(operation, b"{}", table, safety, index=index, timeout=timeout)


async def opened(server, **options):
    """Open a pipeline to a server, whose pauses are half of what they may be."""
    policy = options.pop("retry", None) or RetryPolicy(randomness=lambda: 0.5)
    credentials = options.pop("credentials", ("AKID", "secret"))
    return await open_pipeline(
        WireSettings(endpoint_url=server.url, region_name="eu-west-1", credentials=credentials, retry=policy, **options)
    )


def play(script, call=None, *, then=None, **options):
    """Play a script to one call; return what came of it, the server, the pipeline, and the virtual seconds."""

    async def main():
        async with ScriptedServer(script, then=then) as server:
            pipeline = await opened(server, **options)
            began = asyncio.get_running_loop().time()
            try:
                outcome = await pipeline.call(call or request())
            except errors.MizzleError as error:
                outcome = error
            seconds = asyncio.get_running_loop().time() - began
            await pipeline.aclose()
            return outcome, server, pipeline, seconds

    return run_virtual(main())


def test_one_request_is_one_request():
    """A call that is answered sends one request, signed and addressed as DynamoDB asks."""
    response, server, pipeline, _ = play([ITEM], credentials=("AKID", "secret", "token"))
    assert (response.payload, response.attempts, response.ambiguous) == (ITEM.payload, 1, False)
    assert response.request_id == "REQUEST00000001"
    (sent,) = server.requests
    assert (sent.method, sent.target, sent.operation, sent.body) == ("POST", "/", "GetItem", b"{}")
    assert sent.headers["content-type"] == "application/x-amz-json-1.0"
    assert sent.headers["x-amz-security-token"] == "token"
    assert sent.headers["accept-encoding"] == "identity"
    assert sent.headers["host"] == server.endpoint.authority
    assert sent.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert pipeline.statistics().requests == 1


@pytest.mark.parametrize("safety", SAFETIES)
@pytest.mark.parametrize(
    "refusal",
    [
        Reply.throttled(),
        Reply.error("ThrottlingException", throttlingReasons=[{"reason": "TableReadMaxOnDemand", "resource": "arn"}]),
        Reply.error("RequestLimitExceeded"),
        Reply.error("LimitExceededException"),
        Reply.error("TransactionConflictException"),
        Reply.error("TransactionInProgressException"),
        Reply.error("ReplicatedWriteConflictException", status=409),
        Reply({}, 429),
    ],
    ids=lambda reply: str(reply.payload.get("__type", reply.status)).rpartition("#")[2],
)
def test_what_was_certainly_not_applied_is_sent_again(safety, refusal):
    """A request refused for its rate or for another writer is repeated, whatever repeating would do."""
    response, server, pipeline, _ = play([refusal, ITEM], request(safety))
    assert (response.attempts, response.ambiguous) == (2, False)
    assert len(server.requests) == 2
    assert pipeline.statistics().retries == 1


@pytest.mark.parametrize("safety", SAFETIES)
@pytest.mark.parametrize(
    "code",
    [
        "ConditionalCheckFailedException",
        "ValidationException",
        "ResourceNotFoundException",
        "ResourceInUseException",
        "AccessDeniedException",
        "IdempotentParameterMismatchException",
        "ItemCollectionSizeLimitExceededException",
        "SerializationException",
        "UnknownOperationException",
        "UnrecognizedClientException",
        "NobodyKnowsThisException",
    ],
)
def test_what_would_be_refused_again_is_not_sent_again(safety, code):
    """A refusal that will not pass by itself is raised after one request, with the service's words and all it said."""
    error, server, _, _ = play([Reply.error(code, "the service's words", Extra=1)], request(safety))
    assert type(error) is CODES.get(code, (errors.ServiceError,))[0]
    assert (error.code, error.status, error.attempts, error.ambiguous) == (code, 400, 1, False)
    assert (error.operation, error.table, error.request_id) == ("GetItem", "orders", "REQUEST00000001")
    assert error.payload["Extra"] == 1
    expected = f"{code}: the service's words [GetItem, table 'orders', 1 attempt, request REQUEST00000001]"
    assert str(error) == expected
    assert len(server.requests) == 1


@pytest.mark.parametrize("safety", REPEATED)
@pytest.mark.parametrize(
    "failure", [FAILING, Reply.html(503), Reply.html(502), Reply.close(), Reply.reset(), Reply.html(200)], ids=str
)
def test_a_repeatable_request_survives_one_failure(safety, failure):
    """Where repeating does no harm one failure is not seen; a write says that it was repeated."""
    response, server, _, _ = play([failure, ITEM], request(safety))
    assert (response.attempts, response.ambiguous) == (2, safety is not RepeatSafety.READ)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "failure", [FAILING, Reply.html(503), Reply.close(), Reply.reset(), Reply.html(200), Reply({}, 408)], ids=str
)
def test_an_unsafe_request_is_never_repeated(failure):
    """What could be applied twice is sent once, and ends as unknown; the cause says what happened."""
    error, server, _, _ = play([failure], request(RepeatSafety.UNSAFE, operation="UpdateItem"), then=ITEM)
    assert type(error) is errors.OutcomeUnknownError
    assert isinstance(error.__cause__, errors.TransportError | errors.ServiceError)
    assert (error.operation, error.table, error.attempts) == ("UpdateItem", "orders", 1)
    assert len(server.requests) == 1


@pytest.mark.parametrize("safety", SAFETIES)
def test_a_lasting_failure_of_the_service_ends_after_four_attempts(safety):
    """Reads and harmless writes raise the service's error, with the doubt said; the others end as unknown."""
    error, server, _, _ = play([], request(safety), then=FAILING)
    assert len(server.requests) == (1 if safety is RepeatSafety.UNSAFE else 4)
    assert error.attempts == len(server.requests)
    if safety in UNRESOLVED:
        assert type(error) is errors.OutcomeUnknownError
        assert type(error.__cause__) is errors.InternalServerError
        assert error.request_id == error.__cause__.request_id != ""
    else:
        assert type(error) is errors.InternalServerError
        assert error.ambiguous is (safety is not RepeatSafety.READ)


@pytest.mark.parametrize("safety", REPEATED)
def test_lost_answers_end_after_four_attempts(safety):
    """Where every answer is lost, a harmless write raises the transport's error with the outcome unknown."""
    error, server, _, _ = play([], request(safety), then=Reply.reset())
    assert len(server.requests) == 4
    if safety is RepeatSafety.GUARDED:
        assert type(error) is errors.OutcomeUnknownError
        assert isinstance(error.__cause__, errors.TransportError)
    else:
        assert isinstance(error, errors.TransportError)
        assert error.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("safety", SAFETIES)
def test_nobody_listens(safety):
    """A call waits for a host that refuses connections until its time is up; its outcome is certain, and told why."""

    async def main():
        async with ScriptedServer() as server:
            pipeline = await opened(server)
        began = asyncio.get_running_loop().time()
        with pytest.raises(errors.DeadlineExceededError) as caught:
            await pipeline.call(request(safety, timeout=6.0))
        seconds = asyncio.get_running_loop().time() - began
        statistics = pipeline.statistics()
        await pipeline.aclose()
        return caught.value, server, seconds, statistics

    error, server, seconds, statistics = run_virtual(main())
    assert (error.outcome, error.attempts, error.timeout, seconds) == (Outcome.NOT_SENT, 0, 6.0, pytest.approx(6.0))
    assert str(error).startswith(f"timeout of 6 seconds exceeded: no connection to {server.endpoint.authority}: ")
    assert isinstance(error.__cause__, errors.TransportError)
    assert server.requests == []
    # After 0.1, 0.2, 0.4, 0.8 and then every 1.0 seconds, or after half of that.
    assert 8 <= statistics.pool.hosts[0].failed <= 16
    assert (statistics.requests, statistics.quota) == (0, 500)


def test_a_lost_answer_makes_a_later_refusal_ambiguous():
    """A condition that fails after a lost answer may have failed for the call's own success: the error says so."""
    refusal = Reply.error("ConditionalCheckFailedException", Item={"a": {"S": "b"}})
    error, server, _, _ = play([Reply.close(), refusal], request(RepeatSafety.GUARDED))
    assert type(error) is errors.ConditionalCheckFailedError
    assert (error.ambiguous, error.attempts, error.item) == (True, 2, {"a": {"S": "b"}})
    assert len(server.requests) == 2


def test_a_failed_condition_brings_its_item():
    """``ALL_OLD`` on a failed condition is on the error, and nothing where there was no item."""
    assert play([Reply.error("ConditionalCheckFailedException", Item={"a": {"S": "b"}})])[0].item == {"a": {"S": "b"}}
    assert play([Reply.error("ConditionalCheckFailedException")])[0].item is None


@pytest.mark.parametrize(
    ("code", "member"),
    [
        ("ProvisionedThroughputExceededException", "ThrottlingReasons"),
        ("RequestLimitExceeded", "ThrottlingReasons"),
        ("ThrottlingException", "throttlingReasons"),
    ],
)
def test_throttling_tells_its_reasons(code, member):
    """The service's reasons are on the error, in both of its spellings."""
    reasons = [
        {"reason": "TableWriteKeyRangeThroughputExceeded", "resource": "arn:x"},
        {"reason": "IndexReadAccountLimitExceeded"},
    ]
    error = play([], then=Reply.error(code, **{member: reasons}))[0]
    assert type(error) is errors.ThrottledError
    assert [(reason.reason, reason.resource, reason.hot_key) for reason in error.reasons] == [
        ("TableWriteKeyRangeThroughputExceeded", "arn:x", True),
        ("IndexReadAccountLimitExceeded", "", False),
    ]


@pytest.mark.parametrize("reasons", ["hot", 5, {"reason": "hot"}, [None, "hot", ["hot"]]])
def test_throttling_without_readable_reasons_has_none(reasons):
    """Where the service's reasons are not what they should be, the error has none, and can still be looked at."""
    assert play([], then=Reply.error("ThrottlingException", throttlingReasons=reasons))[0].reasons == ()


def cancelled(*codes):
    """Return a cancelled transaction's answer."""
    reasons = [{"Code": code} | ({} if code == "None" else {"Message": f"says {code}"}) for code in codes]
    return Reply.error("TransactionCanceledException", CancellationReasons=reasons)


def test_a_transaction_is_retried_only_where_every_reason_may_pass():
    """Conflicts and throttling are retried with the same body; a failed condition among them is not."""
    call = request(RepeatSafety.TOKEN, operation="TransactWriteItems")
    response, server, _, _ = play([cancelled("None", "TransactionConflict"), cancelled("ThrottlingError"), ITEM], call)
    assert (response.attempts, len({sent.body for sent in server.requests})) == (3, 1)
    error, server, _, _ = play([cancelled("ConditionalCheckFailed", "None", "TransactionConflict")], call)
    assert type(error) is errors.TransactionCanceledError
    assert [(reason.code, reason.message) for reason in error.reasons] == [
        ("ConditionalCheckFailed", "says ConditionalCheckFailed"),
        (None, ""),
        ("TransactionConflict", "says TransactionConflict"),
    ]
    assert len(server.requests) == 1


def test_a_transaction_at_work_is_given_its_five_seconds():
    """The last attempt comes at least five seconds after the first, when the service finishes a stuck transaction."""
    stuck = Reply.error("TransactionInProgressException")
    call = request(RepeatSafety.TOKEN, operation="TransactWriteItems")
    response, _, _, seconds = play([stuck, stuck, stuck, ITEM], call)
    assert response.attempts == 4
    assert 5.0 <= seconds <= 5.5
    error, server, _, seconds = play([], call, then=stuck, timeout=3.0)
    assert type(error) is errors.TransactionInProgressError
    assert (len(server.requests), seconds < 3.0) == (3, True)


def test_the_service_may_ask_for_longer_pauses():
    """``x-amz-retry-after`` lengthens the pause; nonsense does not."""
    asking = Reply.error("InternalServerError", status=500)
    for wish, low, high in (("2000", 2.0, 2.1), ("900000", 5.0, 5.1), ("soon", 0.0, 0.1)):
        reply = Reply(asking.payload, 500, {"x-amz-retry-after": wish})
        assert low <= play([reply, ITEM])[3] <= high


def test_a_pause_past_the_deadline_is_not_begun():
    """Where the next attempt would come too late, the last error is raised at once."""
    error, server, pipeline, seconds = play([], then=Reply.throttled(), timeout=0.4)
    assert type(error) is errors.ThrottledError
    assert (len(server.requests), seconds < 0.1) == (1, True)
    assert pipeline.statistics().deadlines == 0


def test_a_policy_may_send_once_only():
    """With one attempt nothing is repeated."""
    error, server, _, _ = play([], then=FAILING, retry=RetryPolicy(attempts=1))
    assert (type(error), len(server.requests)) == (errors.InternalServerError, 1)


def test_no_backoff_takes_no_time():
    """The policy for tests retries at once."""
    _, server, _, seconds = play([], then=Reply.throttled(), retry=RetryPolicy.no_backoff())
    assert (len(server.requests), seconds) == (4, 0.0)


def test_a_token_is_not_used_after_nine_minutes():
    """The service forgets a token after ten minutes: a transaction is not repeated when that is near."""
    slow = Reply.error("TransactionConflictException")
    call = request(RepeatSafety.TOKEN, operation="TransactWriteItems", timeout=5000)
    late = Reply(slow.payload, 400, pause=539.99)
    policy = RetryPolicy(randomness=lambda: 0.9, attempt_timeout=None)
    error, server, _, _ = play([late], call, then=ITEM, retry=policy)
    assert (type(error), len(server.requests)) == (errors.TransactionConflictError, 1)
    again = evolve(call, token_age=530.0)
    error, server, _, _ = play([Reply(slow.payload, 400, pause=9.99)], again, then=ITEM, retry=policy)
    assert (type(error), len(server.requests)) == (errors.TransactionConflictError, 1)


def test_stale_connections_cost_nothing():
    """A thousand reads, on connections that the server closes at reuse, are sent again on fresh ones, for nothing."""

    async def main():
        def script(sent):
            return Reply.close() if sent.number == 2 else ITEM

        async with ScriptedServer(script) as server:
            pipeline = await opened(server)
            for _ in range(10):
                responses = await asyncio.gather(*(pipeline.call(request()) for _ in range(100)))
                assert all(response.payload == ITEM.payload for response in responses)
            statistics = pipeline.statistics()
            await pipeline.aclose()
            return statistics, server

    statistics, server = run_virtual(main())
    assert statistics.failures == 0
    assert statistics.quota == 500
    assert statistics.retries > 100
    assert len(server.requests) == 1000 + statistics.retries


def test_a_stale_connection_is_followed_by_a_fresh_one():
    """However many idle connections the server closes at reuse, a call meets one of them."""

    async def main():
        async with ScriptedServer(lambda sent: Reply.close() if sent.number == 2 else ITEM) as server:
            pipeline = await opened(server)
            await asyncio.gather(*(pipeline.call(request()) for _ in range(20)))
            attempts = [(await pipeline.call(request())).attempts for _ in range(20)]
            await pipeline.aclose()
            return attempts

    assert run_virtual(main()) == [2] * 20


def test_a_stale_connection_is_retried_once_for_free():
    """A service that closes fresh connections too is not stale, but failing: that is counted."""

    async def main():
        async with ScriptedServer([ITEM], then=Reply.close()) as server:
            pipeline = await opened(server)
            await pipeline.call(request())
            with pytest.raises(errors.TransportError) as caught:
                await pipeline.call(request())
            await pipeline.aclose()
            return caught.value, server, pipeline.statistics()

    error, server, statistics = run_virtual(main())
    assert error.attempts == 5
    assert len(server.requests) == 6
    assert statistics.quota == 500 - 3 * 14


class Stale:
    """A transport whose every connection is closed as it is used, and has served before: twenty times."""

    def __init__(self):
        self.sent = 0

    async def exchange(self, exchange):
        self.sent += 1
        exchange.phase = Outcome.UNKNOWN
        exchange.stale = self.sent < 20
        raise errors.TransportError("closed", outcome=Outcome.UNKNOWN)

    async def aclose(self):
        """Hold nothing."""


def test_no_transport_makes_a_call_go_on_for_ever():
    """A transport that says "stale" of a connection that ought to be fresh is believed once for each call."""

    async def main():
        transport = Stale()
        pipeline = await open_pipeline(WireSettings(transport=transport, retry=RetryPolicy.no_backoff()))
        with pytest.raises(errors.TransportError):
            await pipeline.call(request())
        await pipeline.aclose()
        return transport.sent

    assert run_virtual(main()) == 5
