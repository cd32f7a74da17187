"""What was really applied, counted by the server, against what callers were told: a thousand calls each."""

import asyncio
import random
from collections import Counter

import pytest

from mizzle_async import errors
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import RepeatSafety, WireRequest
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.settings import WireSettings

CALLS = 1000
LOST_AFTER = 0.24
LOST_BEFORE = 0.06
REFUSED = Reply.error("ConditionalCheckFailedException")


def tell(safety, *, seed):
    """Send a thousand writes through a network that loses answers; return what callers were told, and the truth."""
    generator = random.Random(seed)
    applied = Counter()

    def script(sent):
        number = sent.payload["number"]
        if generator.random() < LOST_BEFORE:
            return Reply.reset()
        reply = Reply({})
        if safety is RepeatSafety.GUARDED and applied[number]:
            reply = REFUSED
        elif safety is not RepeatSafety.TOKEN or not applied[number]:
            applied[number] += 1
        return Reply.reset() if generator.random() < LOST_AFTER else reply

    async def main():
        async with ScriptedServer(script) as server:
            policy = RetryPolicy(quota=1_000_000, randomness=generator.random)
            settings = WireSettings(
                endpoint_url=server.url, region_name="eu-west-1", credentials=("AKID", "secret"), retry=policy
            )
            pipeline = await open_pipeline(settings)
            calls = [
                pipeline.call(WireRequest("UpdateItem", b'{"number":%d}' % number, "orders", safety))
                for number in range(CALLS)
            ]
            told = await asyncio.gather(*calls, return_exceptions=True)
            await pipeline.aclose()
            return told

    return run_virtual(main()), applied


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_unsafe_write_is_never_applied_twice(seed):
    """Told ok, it was applied once; told unknown, once or not at all; there is nothing else."""
    told, applied = tell(RepeatSafety.UNSAFE, seed=seed)
    unknown = 0
    for number, outcome in enumerate(told):
        if isinstance(outcome, errors.OutcomeUnknownError):
            unknown += 1
            assert applied[number] <= 1
        else:
            assert not outcome.ambiguous
            assert applied[number] == 1
    assert 0.2 * CALLS < unknown < 0.4 * CALLS
    assert CALLS - unknown <= applied.total() <= CALLS


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_write_with_a_token_is_applied_once(seed):
    """The service recognises the repetition: told ok is applied exactly once."""
    told, applied = tell(RepeatSafety.TOKEN, seed=seed)
    succeeded = [number for number, outcome in enumerate(told) if not isinstance(outcome, BaseException)]
    assert len(succeeded) > 0.95 * CALLS
    assert all(applied[number] == 1 for number in succeeded)
    assert max(applied.values()) == 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_repeatable_write_is_applied_where_it_is_told(seed):
    """Lost answers of a put are not seen, but in the very worst luck, and told ok is applied."""
    told, applied = tell(RepeatSafety.IDEMPOTENT, seed=seed)
    for number, outcome in enumerate(told):
        if isinstance(outcome, BaseException):
            assert isinstance(outcome, errors.TransportError)
        else:
            assert applied[number] >= 1
            assert outcome.ambiguous is (outcome.attempts > 1)
    assert sum(isinstance(outcome, BaseException) for outcome in told) < 0.03 * CALLS


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_guarded_write_never_fails_falsely(seed):
    """No condition of ours was false: every refusal that a caller sees says that it may be the call's own success."""
    told, applied = tell(RepeatSafety.GUARDED, seed=seed)
    refused = 0
    for number, outcome in enumerate(told):
        if isinstance(outcome, errors.ConditionalCheckFailedError):
            refused += 1
            assert outcome.ambiguous
            assert applied[number] == 1
        elif isinstance(outcome, errors.OutcomeUnknownError):
            assert applied[number] <= 1
        else:
            assert applied[number] == 1
    assert refused > 0.1 * CALLS
