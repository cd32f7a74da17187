"""`state.once` on the wire: lost answers, conflicts and refusals, each by what the service says, request by request."""

import asyncio
import itertools

import orjson
import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    LimitError,
    OutcomeUnknownError,
    PartitionKey,
    RetryPolicy,
    StateTable,
    TransactionCanceledError,
    attribute,
    entity,
)
from mizzle_async.testing import Reply, ScriptedServer
from mizzle_async.testing.clock import run_virtual

STATE = StateTable("app-state")
FAILED = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
CONFLICT = {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}
FINE = {"Code": "None"}
NOW = 1_800_000_000


@entity("counts")
class Count:
    name: PartitionKey[str]
    number: Attribute[int] = attribute(default=0)


def cancelled(*reasons):
    """Return the service's cancellation."""
    return Reply.error("TransactionCanceledException", "cancelled", CancellationReasons=list(reasons))


def marked(request, **changes):
    """Return the mark that a request would write, as it is stored."""
    return {**request.payload["TransactItems"][0]["Put"]["Item"], **changes}


async def run(script, *, attempts=2, timeout=5.0, operations=1, key="k"):
    """Call `once` against a scripted service, and return its result and the requests."""
    requests = []

    def answer(request):
        requests.append(request)
        reply = script(len(requests), request)
        return Reply({}) if reply is None else reply

    retry = RetryPolicy(
        attempts=attempts, base_delay=0.0, throttled_base_delay=0.0, max_delay=0.0, transaction_span=0.0
    )
    async with (
        ScriptedServer(answer) as server,
        Client(
            endpoint_url=server.url,
            region_name="eu-west-1",
            credentials=("key", "secret"),
            retry=retry,
            clock=lambda: float(NOW),
        ) as client,
    ):
        counts = client.table(Count)
        made = [counts.upsert(f"n{each}").add(Count.number, 1) for each in range(operations)]
        try:
            result = await client.state(STATE).once(key, *made, timeout=timeout)
        except Exception as error:  # noqa: BLE001  (the test looks at it)
            result = error
    return result, requests


async def test_request_has_the_mark_first():
    """The mark must be absent, or past its time; it holds the transaction's token, and expires after 48 hours."""
    applied, (request,) = await run(lambda _number, _request: None)
    assert applied is True
    mark, operation = request.payload["TransactItems"]
    token = request.payload["ClientRequestToken"]
    assert mark == {
        "Put": {
            "TableName": "app-state",
            "Item": {
                "scope": {"S": "once#k"},
                "row": {"S": "mark"},
                "by": {"S": token},
                "expires": {"N": str(NOW + 48 * 3600)},
            },
            "ConditionExpression": "#expires BETWEEN :expires AND :expires_2 OR attribute_not_exists(#scope)",
            "ExpressionAttributeNames": {"#expires": "expires", "#scope": "scope"},
            "ExpressionAttributeValues": {
                ":expires": {"N": str(NOW - 5 * 365 * 86_400)},
                ":expires_2": {"N": str(NOW)},
            },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }
    assert operation["Update"]["Key"] == {"name": {"S": "n0"}}


@pytest.mark.parametrize(
    "lost", [Reply.close(), Reply.reset(), Reply.html(503), Reply.error("InternalServerError", status=500)]
)
async def test_lost_answer_is_repeated_with_the_same_token(lost):
    """However often answers are lost, the same transaction is sent, beyond the attempts of one call too."""
    applied, requests = await run(lambda number, _request: lost if number <= 5 else None, attempts=2)
    assert applied is True
    assert len(requests) == 6
    assert len({request.body for request in requests}) == 1


async def test_own_mark_says_that_it_was_applied():
    """A service that has forgotten the token refuses the repetition for the mark: that is this transaction's own."""

    def script(number, request):
        return Reply.close() if number == 1 else cancelled({**FAILED, "Item": marked(request)}, FINE)

    assert (await run(script))[0] is True


async def test_mark_of_another_says_that_it_was_applied_before():
    """The mark of another transaction, and one that the service does not show, are no success of this one."""

    def another(_number, request):
        return cancelled({**FAILED, "Item": marked(request, by={"S": "another"})}, FINE)

    assert (await run(another))[0] is False
    assert (await run(lambda _number, _request: cancelled(FAILED, FAILED)))[0] is False


def test_every_answer_lost_is_unknown():
    """When the time is up without an answer, the outcome is unknown, and the words say what to do."""
    error, requests = run_virtual(run(lambda _number, _request: Reply.close()))
    assert isinstance(error, OutcomeUnknownError)
    assert "Ask again with the same key" in str(error)
    assert len(requests) > 4


@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("last", ["throttled", "silent", "conflict"])
def test_lost_answer_stays_unknown_where_later_sendings_fail_too(last, lost):
    """What came of the lost one is unknown, although the last sending was certainly not applied, or never answered.

    It is where both answers of the first call were lost, and where that call has the second answer too.
    """
    replies = {"throttled": Reply.throttled(), "silent": Reply.hang(), "conflict": cancelled(CONFLICT, FINE)}
    error, requests = run_virtual(run(lambda number, _request: Reply.close() if number <= lost else replies[last]))
    assert isinstance(error, OutcomeUnknownError), error
    assert "Ask again with the same key" in str(error)
    assert len(requests) > lost


@pytest.mark.parametrize("reasons", [(CONFLICT, FINE), (FINE, CONFLICT), (CONFLICT, CONFLICT), (CONFLICT, FAILED)])
async def test_conflict_is_sent_again(reasons):
    """A conflict of any action is sent again until it passes; beside one of the mark, another's failure may be its."""
    applied, requests = await run(lambda number, _request: cancelled(*reasons) if number <= 9 else None)
    assert applied is True
    assert len(requests) == 10


def test_conflict_that_does_not_pass_is_raised():
    """When the time is up, the conflict is raised: it is certain that nothing was written."""
    error, _ = run_virtual(run(lambda _number, _request: cancelled(FINE, CONFLICT)))
    assert isinstance(error, TransactionCanceledError)
    assert [reason.code for reason in error.reasons] == ["TransactionConflict"]


async def test_false_condition_is_raised_at_once():
    """A condition of the caller's is not sent again, although another action met a conflict."""
    error, requests = await run(lambda _number, _request: cancelled(FINE, FAILED, CONFLICT), operations=2)
    assert isinstance(error, TransactionCanceledError)
    assert [reason.code for reason in error.reasons] == ["ConditionalCheckFailed", "TransactionConflict"]
    assert isinstance(error.reasons[0].error, ConditionalCheckFailedError)
    assert "operation 1 of 2" in str(error)
    assert len(requests) == 1


async def test_transaction_under_way_is_waited_for():
    """The same token under way is this transaction: it is asked again until it is done."""
    busy = Reply.error("TransactionInProgressException", "in progress")
    applied, requests = await run(lambda number, _request: busy if number <= 5 else None)
    assert applied is True
    assert len({request.body for request in requests}) == 1


async def test_too_many_actions_are_not_sent():
    """The limit is found before anything is sent."""
    error, requests = await run(lambda _number, _request: None, operations=100)
    assert isinstance(error, LimitError)
    assert requests == []
    assert (await run(lambda _number, _request: None, operations=99))[0] is True


async def test_every_order_of_faults_ends_in_the_truth():
    """Whatever comes before it, an answer of success is True, another's mark False, each by the service's state."""
    faults = [Reply.close(), cancelled(FINE, CONFLICT), cancelled(CONFLICT, FAILED), Reply.html(502)]
    for order in itertools.permutations(faults, 3):
        applied, _ = await run(lambda number, _request, order=order: order[number - 1] if number <= 3 else None)
        assert applied is True
        applied, _ = await run(
            lambda number, _request, order=order: order[number - 1] if number <= 3 else cancelled(FAILED, FINE)
        )
        assert applied is False


async def test_cancelled_call_is_asked_again():
    """A call that is cancelled on its way may be applied: the next one with its key finds out."""
    stored = {}

    async def apply(request):
        body = orjson.loads(request.body)
        mark = body["TransactItems"][0]["Put"]["Item"]
        if stored and stored != mark:
            return cancelled({**FAILED, "Item": stored}, FINE)
        stored.update(mark)
        await asyncio.sleep(0.2)
        return Reply({})

    async with (
        ScriptedServer(apply) as server,
        Client(endpoint_url=server.url, region_name="eu-west-1", credentials=("key", "secret")) as client,
    ):
        state, counts = client.state(STATE), client.table(Count)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await state.once("k", counts.upsert("a").add(Count.number, 1))
        assert await state.once("k", counts.upsert("a").add(Count.number, 1)) is False
