"""Credentials that expire: one refresh for everybody, which nobody can cancel. On the virtual clock."""

import asyncio
import datetime as dt
import itertools
import logging

import pytest
from aiobotocore.credentials import AioRefreshableCredentials
from aiobotocore.session import AioSession

from mizzle_async import errors
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import RepeatSafety, WireRequest
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.settings import WireSettings

ITEM = Reply({"Item": {"a": {"S": "b"}}})
EXPIRED = Reply.error("ExpiredTokenException", "The security token included in the request is expired")
EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
MINUTE = 60.0


def request(*, timeout=None, safety=RepeatSafety.READ):
    """Return a read."""
    return WireRequest("GetItem", b"{}", "orders", safety, timeout=timeout)


def now():
    """Return the virtual time."""
    return asyncio.get_running_loop().time()


def moment(seconds):
    """Return a virtual time as aiobotocore wants it."""
    return EPOCH + dt.timedelta(seconds=seconds)


class Issuer:
    """Issues temporary credentials through aiobotocore's own refreshable ones, slowly, and fails when told to."""

    def __init__(self, *, lives, seconds=0.0, first=None):
        self.lives = lives
        self.seconds = seconds
        self.fails = False
        self.begun = 0
        self.finished = 0
        self.moments = []
        self.session = AioSession()
        self.session._credentials = AioRefreshableCredentials(
            "AKID0",
            "secret0",
            "token0",
            moment(now() + (lives if first is None else first)),
            refresh_using=self.refresh,
            method="test",
            time_fetcher=lambda: moment(now()),
        )

    async def refresh(self):
        self.begun += 1
        self.moments.append(now())
        number = self.begun
        await asyncio.sleep(self.seconds)
        self.finished += 1
        if self.fails:
            raise ConnectionError("CANARY: the issuer is away")
        return {
            "access_key": f"AKID{number}",
            "secret_key": f"secret{number}",
            "token": f"token{number}",
            "expiry_time": moment(now() + self.lives).isoformat(),
        }


async def opened(server, issuer, **options):
    """Open a pipeline with a user's session."""
    return await open_pipeline(
        WireSettings(
            endpoint_url=server.url,
            region_name="eu-west-1",
            session=issuer.session,
            retry=RetryPolicy(randomness=lambda: 0.5),
            wall_clock=lambda: EPOCH.timestamp() + now(),
            **options,
        )
    )


def keys_of(server):
    """Return the access keys that requests were signed with, in order."""
    return [sent.headers["authorization"].partition("Credential=")[2].partition("/")[0] for sent in server.requests]


def test_a_slow_refresh_stops_no_call_with_a_short_deadline():
    """Thirty calls of 100 ms, credentials in their last minutes, a refresh of 200 ms: all succeed, with one refresh."""

    async def main():
        issuer = Issuer(lives=60 * MINUTE, seconds=0.2, first=5 * MINUTE)
        async with ScriptedServer(then=Reply(ITEM.payload, pause=0.01)) as server:
            pipeline = await opened(server, issuer)
            for _ in range(30):
                await pipeline.call(request(timeout=0.1))
            await asyncio.sleep(1)
            await pipeline.call(request(timeout=0.1))
            await pipeline.aclose()
            return issuer, server

    issuer, server = run_virtual(main())
    assert (issuer.begun, issuer.finished) == (1, 1)
    assert keys_of(server)[0] == "AKID0"
    assert keys_of(server)[-1] == "AKID1"


def test_a_call_that_gives_up_does_not_stop_the_refresh():
    """Thirty calls of 100 ms wait for a refresh of 200 ms in vain: it ends, and later calls have what it brought."""

    async def main():
        issuer = Issuer(lives=60 * MINUTE, seconds=0.2, first=-1.0)
        async with ScriptedServer(then=ITEM) as server:
            pipeline = await opened(server, issuer)
            calls = [pipeline.call(request(timeout=0.1)) for _ in range(30)]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {errors.DeadlineExceededError}
            assert {(outcome.attempts, outcome.timeout) for outcome in outcomes} == {(0, 0.1)}
            assert now() == pytest.approx(0.1)
            calls = [pipeline.call(request(timeout=0.15)) for _ in range(30)]
            outcomes = await asyncio.gather(*calls)
            await pipeline.aclose()
            return issuer, server, outcomes

    issuer, server, outcomes = run_virtual(main())
    assert (issuer.begun, issuer.finished) == (1, 1)
    assert [response.attempts for response in outcomes] == [1] * 30
    assert set(keys_of(server)) == {"AKID1"}


def test_a_hundred_calls_make_one_refresh():
    """However many calls come when credentials are due, the issuer is asked once."""

    async def main():
        issuer = Issuer(lives=60 * MINUTE, seconds=0.2)
        async with ScriptedServer(then=ITEM) as server:
            pipeline = await opened(server, issuer)
            await pipeline.call(request())
            await asyncio.sleep(50 * MINUTE)
            await asyncio.gather(*(pipeline.call(request(timeout=0.1)) for _ in range(100)))
            await asyncio.sleep(0.5)
            await pipeline.call(request())
            await pipeline.aclose()
            return issuer, server

    issuer, server = run_virtual(main())
    assert issuer.begun == 1
    assert keys_of(server) == ["AKID0"] * 101 + ["AKID1"]


def test_old_credentials_serve_until_they_expire(caplog):
    """While refreshing fails, calls go on with the old credentials to their last second; then the error is typed."""

    async def main():
        issuer = Issuer(lives=60 * MINUTE)
        issuer.fails = True
        async with ScriptedServer(then=ITEM) as server:
            pipeline = await opened(server, issuer)
            await pipeline.call(request())
            await asyncio.sleep(50.5 * MINUTE)
            for _ in range(95):
                await asyncio.gather(*(pipeline.call(request()) for _ in range(10)))
                await asyncio.sleep(6)
            assert now() == pytest.approx(60 * MINUTE)
            await asyncio.sleep(1.5)
            asked = issuer.begun
            calls = [pipeline.call(request(timeout=0.05)) for _ in range(100)]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert issuer.begun == asked + 1
            issuer.fails = False
            await asyncio.sleep(1.0)
            await pipeline.call(request())
            await pipeline.aclose()
            return issuer, server, outcomes

    with caplog.at_level(logging.CRITICAL, "aiobotocore"):
        issuer, server, outcomes = run_virtual(main())
    gaps = [later - earlier for earlier, later in zip(issuer.moments, issuer.moments[1:], strict=False)]
    assert min(gaps) >= 1.0
    assert keys_of(server)[:951] == ["AKID0"] * 951
    assert keys_of(server)[951:] == [f"AKID{issuer.begun}"]
    assert {type(error) for error in outcomes} == {errors.CredentialsError}
    assert len({id(error) for error in outcomes}) == 100
    (text,) = {str(error) for error in outcomes}
    assert text == "AWS credentials expired, and could not be refreshed: ConnectionError [GetItem, table 'orders']"
    assert isinstance(outcomes[0].__cause__, ConnectionError)


def test_a_first_load_that_fails_is_tried_again_within_the_deadline(caplog):
    """Until there are credentials, all calls wait on one schedule, and none fails that has time left."""

    async def main():
        issuer = Issuer(lives=60 * MINUTE, first=-1.0)
        issuer.fails = True
        async with ScriptedServer(then=ITEM) as server:
            pipeline = await opened(server, issuer)
            calls = [asyncio.ensure_future(pipeline.call(request(timeout=10.0))) for _ in range(50)]
            late = [asyncio.ensure_future(pipeline.call(request(timeout=2.0))) for _ in range(50)]
            await asyncio.sleep(5)
            issuer.fails = False
            outcomes = await asyncio.gather(*calls, *late, return_exceptions=True)
            await pipeline.aclose()
            return issuer, server, outcomes[:50], outcomes[50:]

    issuer, server, answered, failed = run_virtual(main())
    assert issuer.moments == pytest.approx([0.0, 0.1, 0.3, 0.7, 1.5, 2.5, 3.5, 4.5, 5.5])
    assert [response.attempts for response in answered] == [1] * 50
    assert {type(error) for error in failed} == {errors.CredentialsError}
    assert "AWS credentials could not be loaded: ConnectionError" in str(failed[0])
    assert len(server.requests) == 50
    warnings = [record.getMessage() for record in caplog.records if record.name == "mizzle_async.wire"]
    assert warnings == ["AWS credentials could not be loaded: ConnectionError"]


def test_a_failing_source_is_asked_once_a_second_at_most():
    """Calls that come one after another, without time to wait, do not ask more often than the schedule does."""

    async def main():
        issuer = Issuer(lives=60 * MINUTE, first=-1.0)
        issuer.fails = True
        async with ScriptedServer(then=ITEM) as server:
            pipeline = await opened(server, issuer)
            for _ in range(100):
                with pytest.raises(errors.CredentialsError):
                    await pipeline.call(request(timeout=0.05))
                await asyncio.sleep(0.1)
            await pipeline.aclose()
            return issuer, server

    issuer, server = run_virtual(main())
    assert issuer.begun == 13
    assert server.requests == []


def test_closing_ends_a_call_that_waits_for_a_first_load():
    """A client that is closed between two attempts to load credentials ends the calls that wait, at once."""

    async def main():
        issuer = Issuer(lives=60 * MINUTE, first=-1.0)
        issuer.fails = True
        async with ScriptedServer(then=ITEM) as server:
            pipeline = await opened(server, issuer)
            call = asyncio.ensure_future(pipeline.call(request()))
            await asyncio.sleep(2.0)
            await pipeline.aclose()
            with pytest.raises(errors.ClientStateError, match="closed while this call waited"):
                await call
            return now()

    assert run_virtual(main()) == 2.0


def test_an_expired_token_is_renewed_once():
    """When the service says that the token expired, one refresh serves all calls, and each is sent once more."""

    async def main():
        def script(sent):
            return EXPIRED if sent.headers["x-amz-security-token"] == "token0" else ITEM

        issuer = Issuer(lives=60 * MINUTE, seconds=0.05)
        async with ScriptedServer(script) as server:
            pipeline = await opened(server, issuer)
            responses = await asyncio.gather(*(pipeline.call(request(safety=RepeatSafety.UNSAFE)) for _ in range(100)))
            statistics = pipeline.statistics()
            await pipeline.aclose()
            return issuer, server, responses, statistics

    issuer, server, responses, statistics = run_virtual(main())
    assert issuer.begun == 1
    assert {(response.attempts, response.ambiguous) for response in responses} == {(2, False)}
    assert len(server.requests) == 200
    assert (statistics.quota, statistics.refreshes) == (500, 2)


def test_a_deadline_covers_the_renewal_of_an_expired_token():
    """A call whose token was refused waits for another one no longer than it has."""

    async def main():
        issuer = Issuer(lives=60 * MINUTE, seconds=30.0)
        async with ScriptedServer(then=EXPIRED) as server:
            pipeline = await opened(server, issuer)
            with pytest.raises(errors.DeadlineExceededError) as caught:
                await pipeline.call(request(timeout=1.0))
            seconds = now()
            await pipeline.aclose()
            return caught.value.attempts, seconds

    assert run_virtual(main()) == (1, 1.0)


def test_a_token_that_stays_expired_is_raised():
    """A renewed token that is refused as well is not renewed again."""

    async def main():
        issuer = Issuer(lives=60 * MINUTE)
        async with ScriptedServer(then=EXPIRED) as server:
            pipeline = await opened(server, issuer)
            with pytest.raises(errors.ExpiredTokenError) as caught:
                await pipeline.call(request())
            await pipeline.aclose()
            return issuer, server, caught.value

    issuer, server, error = run_virtual(main())
    assert (issuer.begun, len(server.requests), error.attempts) == (1, 2, 2)


def test_tokens_that_are_all_refused_are_renewed_once_a_second():
    """Where the service refuses whatever the issuer issues, not every call asks for more."""

    async def main():
        issuer = Issuer(lives=60 * MINUTE)
        async with ScriptedServer(then=EXPIRED) as server:
            pipeline = await opened(server, issuer)
            for _ in range(100):
                with pytest.raises(errors.ExpiredTokenError):
                    await pipeline.call(request())
                await asyncio.sleep(0.1)
            await pipeline.aclose()
            return issuer

    assert run_virtual(main()).begun == 10


def test_a_refresh_that_fails_after_an_expired_token_is_typed():
    """When the service refuses the token and the issuer is away, the error is about credentials."""

    async def main():
        issuer = Issuer(lives=60 * MINUTE)
        issuer.fails = True
        async with ScriptedServer(then=EXPIRED) as server:
            pipeline = await opened(server, issuer)
            calls = [pipeline.call(request()) for _ in range(20)]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            await pipeline.aclose()
            return issuer, outcomes

    issuer, outcomes = run_virtual(main())
    assert issuer.begun == 1
    assert {(type(error), error.attempts) for error in outcomes} == {(errors.CredentialsError, 1)}


def test_static_credentials_are_not_renewed():
    """Credentials that the caller gave cannot be others: the service's refusal is raised after one request."""

    async def main():
        async with ScriptedServer(then=EXPIRED) as server:
            pipeline = await open_pipeline(
                WireSettings(endpoint_url=server.url, region_name="eu-west-1", credentials=("a", "b", "c"))
            )
            with pytest.raises(errors.ExpiredTokenError):
                await pipeline.call(request())
            await pipeline.aclose()
            return server

    assert len(run_virtual(main()).requests) == 1


def test_credentials_without_an_end_are_read_again(monkeypatch, tmp_path):
    """A token that something else keeps fresh in the shared file is read again when the service refuses the old one."""
    shared = tmp_path / "credentials"
    template = "[default]\naws_access_key_id=AKID\naws_secret_access_key=secret\naws_session_token={}\n"
    shared.write_text(template.format("old"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))

    async def main():
        def script(sent):
            shared.write_text(template.format("new"))
            return EXPIRED if sent.headers["x-amz-security-token"] == "old" else ITEM

        async with ScriptedServer(script) as server:
            pipeline = await open_pipeline(WireSettings(endpoint_url=server.url, region_name="eu-west-1"))
            response = await pipeline.call(request())
            await pipeline.aclose()
            return response, server

    response, server = run_virtual(main())
    assert response.attempts == 2
    assert [sent.headers["x-amz-security-token"] for sent in server.requests] == ["old", "new"]


def test_no_credentials_at_all():
    """Where the chain finds nothing, each call's own error says what to do, and nothing is sent."""

    async def main():
        async with ScriptedServer(then=ITEM) as server:
            pipeline = await open_pipeline(WireSettings(endpoint_url=server.url, region_name="eu-west-1"))
            outcomes = await asyncio.gather(*(pipeline.call(request()) for _ in range(2)), return_exceptions=True)
            await pipeline.aclose()
            return outcomes, server

    outcomes, server = run_virtual(main())
    for error in outcomes:
        assert type(error) is errors.CredentialsError
        assert "no AWS credentials were found: set AWS_ACCESS_KEY_ID" in str(error)
    assert outcomes[0] is not outcomes[1]
    assert server.requests == []


def test_closing_stops_a_refresh():
    """A client that is closed while a call waits for credentials leaves no task behind, and tells the call."""

    async def main():
        issuer = Issuer(lives=60 * MINUTE, seconds=1000, first=-1.0)
        async with ScriptedServer(then=ITEM) as server:
            pipeline = await opened(server, issuer, timeout=5000)
            calls = [asyncio.ensure_future(pipeline.call(request())) for _ in range(3)]
            await asyncio.sleep(1)
            await pipeline.aclose()
            assert repr(pipeline._keeper) == "<CredentialKeeper not loaded, 1 refreshes>"
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return outcomes

    outcomes = run_virtual(main())
    assert {type(outcome) for outcome in outcomes} == {errors.ClientStateError}
    assert "closed while this call waited" in str(outcomes[0])


def test_a_refresh_that_hangs_is_given_up():
    """A refresh that never ends is given up after a minute, so that the next one can help."""

    async def main():
        issuer = Issuer(lives=60 * MINUTE, seconds=1e9, first=10 * MINUTE)
        async with ScriptedServer(then=ITEM) as server:
            pipeline = await opened(server, issuer)
            for pause in (1, 58, 4, 4, 0):  # the first call finds what is there, the second one that it is due
                await pipeline.call(request())
                begun.append(issuer.begun)
                await asyncio.sleep(pause)
                issuer.seconds = 1.0 if issuer.begun else issuer.seconds
            await pipeline.aclose()
            return keys_of(server)

    begun = []
    assert run_virtual(main()) == ["AKID0", "AKID0", "AKID0", "AKID0", "AKID2"]
    assert begun == [0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    "oddity",
    [
        KeyError("CANARY"),
        asyncio.CancelledError("CANARY"),
        GeneratorExit(),
        BaseExceptionGroup("CANARY", [GeneratorExit()]),
    ],
    ids=lambda oddity: type(oddity).__name__,
)
def test_whatever_a_provider_raises_is_an_error_about_credentials(oddity, caplog):
    """Not even a cancellation out of nowhere ends a call as anything else, or is asked for again within a second."""

    class Odd(AioSession):
        asked = 0

        async def get_credentials(self):
            self.asked += 1
            raise oddity

    async def main():
        session = Odd()
        async with ScriptedServer(then=ITEM) as server:
            pipeline = await open_pipeline(
                WireSettings(endpoint_url=server.url, region_name="eu-west-1", session=session)
            )
            for _ in range(10):
                with pytest.raises(errors.CredentialsError, match=type(oddity).__name__) as caught:
                    await pipeline.call(request())
                assert caught.value.__cause__ is oddity
                assert "CANARY" not in str(caught.value)
            await pipeline.aclose()
            return session.asked, server.requests

    assert run_virtual(main()) == (1, [])
    assert "CANARY" not in caplog.text


ROLE = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ROLE{}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


async def test_an_expired_token_of_a_role_is_renewed_although_it_is_cached(monkeypatch, tmp_path):
    """A role is assumed again where the service refuses its token, whatever the provider's cache says of its end."""
    assumed = itertools.count(1)

    def issue(sent):
        assert b"Action=AssumeRole" in sent.body
        return Reply(ROLE.format(next(assumed)).encode(), headers={"Content-Type": "text/xml"}, checksum="absent")

    config = tmp_path / "config"
    config.write_text(
        "[profile base]\naws_access_key_id = BASE\naws_secret_access_key = s\n"
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/orders\nsource_profile = base\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    async with ScriptedServer(issue) as issuer, ScriptedServer([ITEM, EXPIRED], then=ITEM) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", issuer.url)
        pipeline = await open_pipeline(
            WireSettings(endpoint_url=server.url, region_name="eu-west-1", profile_name="role")
        )
        attempts = [(await pipeline.call(request())).attempts for _ in range(3)]
        await pipeline.aclose()
    assert attempts == [1, 2, 1]
    assert keys_of(server) == ["ROLE1", "ROLE1", "ROLE2", "ROLE2"]


def test_a_route_that_is_found_too_late_is_not_kept():
    """Credentials that change while an endpoint is looked up belong to the next call, not to every later one."""

    async def main():
        issuer = Issuer(lives=60 * MINUTE)
        async with ScriptedServer(then=ITEM) as server:
            pipeline = await opened(server, issuer)
            resolve = pipeline._session.destination

            async def slowly(operation, table):
                await asyncio.sleep(1)
                return await resolve(operation, table)

            pipeline._session.destination = slowly
            first = asyncio.ensure_future(pipeline.call(request()))
            await asyncio.sleep(0.5)
            await pipeline._keeper.renew(pipeline._held)
            await pipeline._route(WireRequest("Query", b"{}", "orders", RepeatSafety.READ))
            await first
            kept = dict(pipeline._routes)
            await pipeline.call(request())
            await pipeline.aclose()
            return server, kept

    server, kept = run_virtual(main())
    assert list(kept) == ["Query"]
    assert keys_of(server) == ["AKID0", "AKID1"]
