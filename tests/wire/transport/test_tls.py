"""TLS: whom we talk to is proven, or nothing is sent."""

import asyncio
import ssl

import pytest

from mizzle_async.errors import ClientStateError, TransportError
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import Outcome
from mizzle_async.wire.pool.pool import ConnectionPool
from mizzle_async.wire.pool.tls import make_tls_context


def test_a_verified_server_is_spoken_to(run_real, to, authority):
    """With its authority trusted and its name right, a server is used, and its connection kept."""

    async def main():
        contexts = []

        def tls():
            contexts.append(make_tls_context(authority.ca_bundle))
            return contexts[-1]

        async with ScriptedServer(tls=authority.server_context()) as server:
            pool = ConnectionPool(tls=tls)
            for _ in range(3):
                await pool.exchange(to(server))
            await pool.exchange(to(server, fresh=True))
            await pool.aclose()
            await server.until(lambda: server.open == 0)
            return server.opened, len(server.requests), contexts

    opened, requests, contexts = run_real(main())
    assert (opened, requests) == (2, 4)
    (context,) = contexts
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


BAD = {
    "wrong host": ({"names": ["dynamodb.eu-west-1.amazonaws.com"]}, "Hostname mismatch"),
    "expired": ({"expired": True}, "certificate has expired"),
    "self-signed": ({"self_signed": True}, "self.signed certificate"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_unproven_server_is_sent_nothing(run_real, to, authority, name):
    """A wrong host name, an expired or a self-signed certificate: a clear error, and not one request."""
    options, reason = BAD[name]

    async def main():
        async with ScriptedServer(tls=authority.server_context(**options)) as server:
            pool = ConnectionPool(tls=authority.client_context)
            exchange = to(server)
            text = f"no connection to localhost:[0-9]+: its certificate is not trusted: .*{reason}"
            with pytest.raises(TransportError, match=text) as caught:
                await pool.exchange(exchange)
            await pool.aclose()
            return caught.value.outcome, exchange.phase, server.requests

    assert run_real(main()) == (Outcome.NOT_SENT, Outcome.NOT_SENT, [])


def test_an_unknown_authority_is_not_trusted(run_real, to, authority):
    """What the machine trusts does not include our authority: the default context refuses it."""

    async def main():
        async with ScriptedServer(tls=authority.server_context()) as server:
            pool = ConnectionPool()
            with pytest.raises(TransportError, match="not trusted: unable to get local issuer certificate"):
                await pool.exchange(to(server))
            await pool.aclose()
            return server.requests

    assert run_real(main()) == []


def test_plain_http_behind_https_is_an_error(run_real, to, authority):
    """A server that does not speak TLS, or speaks only an old one, is sent nothing."""

    async def main(server):
        async with server:
            endpoint = server.endpoint
            exchange = to(server)
            exchange.endpoint = type(endpoint)("https", "localhost", endpoint.port)
            pool = ConnectionPool(tls=authority.client_context)
            with pytest.raises(TransportError, match=r"no connection to localhost:\d+: [A-Z]") as caught:
                await pool.exchange(exchange)
            await pool.aclose()
            return caught.value.outcome, server.requests

    assert run_real(main(ScriptedServer())) == (Outcome.NOT_SENT, [])
    talkative = ScriptedServer(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert run_real(main(talkative)) == (Outcome.NOT_SENT, [])


def test_a_context_that_cannot_be_made_is_an_error_of_the_call(run_real, to):
    """A CA bundle that is not there fails the call that needed it, naming the reason; nothing is sent."""

    async def main(tls):
        async with ScriptedServer() as server:
            exchange = to(server)
            exchange.endpoint = type(server.endpoint)("https", "localhost", server.endpoint.port)
            pool = ConnectionPool(tls=tls)
            with pytest.raises(TransportError) as caught:
                await pool.exchange(exchange)
            await pool.aclose()
            return str(caught.value).partition(": ")[2], caught.value.outcome

    def broken():
        raise RuntimeError("no such engine")

    missing = run_real(main(lambda: make_tls_context("/nowhere/ca.pem")))
    assert missing == ("No such file or directory", Outcome.NOT_SENT)
    assert run_real(main(broken)) == ("RuntimeError: no such engine", Outcome.NOT_SENT)


def test_a_large_page_arrives_whole_over_tls(run_real, to, authority):
    """An answer of many TLS records is joined in order."""
    page = {"Items": [{"a": {"S": f"{number:0>1000}"}} for number in range(300)]}

    async def main():
        async with ScriptedServer(then=Reply(page), tls=authority.server_context()) as server:
            pool = ConnectionPool(tls=authority.client_context)
            for _ in range(10):
                assert (await pool.exchange(to(server))).payload == page
            await pool.exchange(to(server, body=b'"' + b"x" * 2_000_000 + b'"'))
            await pool.aclose()
            return server.opened

    assert run_real(main()) == 1


@pytest.mark.parametrize("reply", [Reply.close(), Reply.reset(), Reply().cut_at(100)])
def test_failures_over_tls_are_told_as_without(run_real, to, authority, reply):
    """Closed, reset or cut: the outcome is unknown, and the next call has another connection."""

    async def main():
        async with ScriptedServer([Reply(), reply], tls=authority.server_context()) as server:
            pool = ConnectionPool(tls=authority.client_context)
            await pool.exchange(to(server))
            exchange = to(server)
            with pytest.raises(TransportError) as caught:
                await pool.exchange(exchange)
            await pool.exchange(to(server))
            await pool.aclose()
            return caught.value.outcome, exchange.phase, exchange.stale, server.opened

    stale = reply.cut == 0
    assert run_real(main()) == (Outcome.UNKNOWN, Outcome.UNKNOWN, stale, 2)


def test_idle_tls_connections_that_were_closed_are_not_used(run_real, to, until, authority):
    """The end of an idle TLS connection is noticed like that of a plain one."""

    async def main():
        async with ScriptedServer(tls=authority.server_context()) as server:
            pool = ConnectionPool(tls=authority.client_context)
            await pool.exchange(to(server))
            server.close_connections()
            await until(lambda: pool.statistics().open == 0)
            await pool.exchange(to(server))
            await pool.aclose()
            return server.opened

    assert run_real(main()) == 2


def test_a_handshake_may_be_given_up_at_any_step(run_real, to, authority):
    """Closed after any number of turns while TLS is being established, a pool leaves no socket behind."""

    async def main():
        async with ScriptedServer(tls=authority.server_context()) as server:
            for turns in range(0, 60, 3):
                pool = ConnectionPool(tls=authority.client_context)
                call = asyncio.ensure_future(pool.exchange(to(server)))
                for _ in range(turns):
                    await asyncio.sleep(0)
                await pool.aclose()
                (outcome,) = await asyncio.gather(call, return_exceptions=True)
                assert not isinstance(outcome, Exception) or isinstance(outcome, ClientStateError | TransportError)
            await server.until(lambda: server.open == 0)

    run_real(main())
