"""How connections grow old, how hosts are looked up, and what happens where they cannot be: on the virtual clock."""

import asyncio
import random

import pytest

from mizzle_async.errors import TransportError
from mizzle_async.testing.clock import VirtualClockLoop, run_virtual
from mizzle_async.testing.network import MemoryNetwork
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import Outcome
from mizzle_async.wire.exchange import Endpoint, Exchange
from mizzle_async.wire.pool.addresses import FAILED_SECONDS, FRESH_SECONDS, Addresses
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.pool.connection import Connection
from mizzle_async.wire.pool.host import LONGEST_OPENING_PAUSE_SECONDS
from mizzle_async.wire.pool.opening import NEXT_ADDRESS_SECONDS, Opener, _first
from mizzle_async.wire.pool.pool import ConnectionPool
from mizzle_async.wire.pool.reconnects import UnreachableError
from mizzle_async.wire.pool.sweeper import REPLACEMENT_PAUSE_SECONDS

PORT = 4566
HOST = Endpoint("http", "dynamodb.test", PORT)


class Service:
    """Servers at several addresses behind one name, on a network of their own."""

    def __init__(self, **names):
        self.network = MemoryNetwork()
        self.network.names["dynamodb.test"] = ("10.0.0.1",)
        self.network.names.update(names)
        self.servers = {}

    async def serve(self, address, script=()):
        """Serve at an address."""
        server = self.servers[address] = ScriptedServer(script)
        loop = asyncio.get_running_loop()
        listen = loop.network.listen
        loop.network.listen = lambda factory, _host, _port: listen(factory, address, PORT)
        await server.start()
        loop.network.listen = listen
        return server

    def run(self, main):
        """Run a coroutine function on this network; stop the servers."""

        async def whole():
            try:
                return await main()
            finally:
                for server in self.servers.values():
                    await server.stop()

        return run_virtual(whole(), network=self.network)

    @property
    def look_ups(self):
        """How often the name was looked up."""
        return self.network.look_ups.count("dynamodb.test")


@pytest.fixture
def service():
    """One name, one network."""
    return Service()


def exchange(body=b"{}", endpoint=HOST, **options):
    """Make an exchange to the name."""
    return Exchange(endpoint, [("Host", endpoint.authority)], body, **options)


def pool_of(**options):
    """Make a pool whose draws are known."""
    return ConnectionPool(PoolConfig(**options), generator=random.Random(1))


async def pass_time(seconds):
    """Let virtual time pass."""
    await asyncio.sleep(seconds)


# ── idleness and age ──


def test_an_idle_connection_is_closed_before_the_server_does(service):
    """After keep_alive seconds without a request, and not before, a connection is closed from this side."""

    async def main():
        server = await service.serve("10.0.0.1")
        pool = pool_of(keep_alive=15)
        await pool.exchange(exchange())
        await pass_time(14)
        assert pool.statistics().idle == 1
        await pool.exchange(exchange())
        await pass_time(14.9)
        assert (pool.statistics().idle, server.open) == (1, 1)
        await pass_time(0.2)
        assert (pool.statistics().idle, server.open) == (0, 0)
        await pool.aclose()
        return server.opened

    assert service.run(main) == 1


def test_a_connection_that_outlived_its_idleness_is_not_used(service):
    """A loop that was kept from running does not use a connection that should have been closed meanwhile."""

    async def main():
        server = await service.serve("10.0.0.1")
        pool = pool_of(keep_alive=15)
        await pool.exchange(exchange())
        asyncio.get_running_loop()._virtual.now += 16  # a suspended machine: no timer has fired
        await pool.exchange(exchange())
        await pool.aclose()
        return server.opened, len(server.requests)

    assert service.run(main) == (2, 2)


def test_an_aged_connection_is_replaced_and_follows_dns(service):
    """Between 80 % and 100 % of max_age each connection is replaced, after a new look-up, and never all at once."""

    async def main():
        old, new = await service.serve("10.0.0.1"), await service.serve("10.0.0.2")
        pool = pool_of(max_age=100, keep_alive=1000, max_connections=10)
        await asyncio.gather(*(pool.exchange(exchange()) for _ in range(10)))
        service.network.names["dynamodb.test"] = ("10.0.0.2",)
        await pass_time(79)
        assert (old.open, new.open) == (10, 0)
        seen = []
        for _ in range(22):
            await pass_time(1)
            seen.append((old.open, new.open))
        await asyncio.gather(*(pool.exchange(exchange()) for _ in range(10)))
        (host,) = pool.statistics().hosts
        await pool.aclose()
        return seen, host, old, new

    seen, host, old, new = service.run(main)
    assert seen[-1] == (0, 10)
    assert len(set(seen)) > 5
    assert {sum(pair) for pair in seen} <= {10, 11}
    assert (host.replaced, host.opened, host.closed) == (10, 20, 10)
    assert (len(old.requests), len(new.requests)) == (10, 10)


def test_a_busy_connection_is_replaced_when_it_comes_back(service):
    """An aged connection that carries a request finishes it; its replacement is there already."""

    async def main():
        server = await service.serve("10.0.0.1", [Reply(pause=150), Reply()])
        pool = pool_of(max_age=100, keep_alive=1000)
        task = asyncio.ensure_future(pool.exchange(exchange()))
        await pass_time(140)
        (host,) = pool.statistics().hosts
        assert (host.in_use, host.idle, host.replaced) == (1, 1, 1)
        await task
        assert pool.statistics().open == 1
        await pool.exchange(exchange())
        await pool.aclose()
        return [request.connection for request in server.requests], server.opened

    assert service.run(main) == ([1, 2], 2)


def test_replacing_never_opens_more_than_one_beyond_the_bound(service):
    """While a replaced connection is still busy, no other is replaced: one beyond the bound is all there ever is."""

    async def main():
        server = await service.serve("10.0.0.1", [Reply(pause=500), Reply()])
        pool = pool_of(max_age=100, keep_alive=1000, max_connections=1)
        task = asyncio.ensure_future(pool.exchange(exchange()))
        most = 0
        for _ in range(450):
            await pass_time(1)
            statistics = pool.statistics()
            most = max(most, statistics.open + statistics.opening)
        before = server.opened
        await task
        await pass_time(REPLACEMENT_PAUSE_SECONDS + 1)
        after = server.opened
        await pool.aclose()
        return most, before, after

    assert service.run(main) == (2, 2, 3)


def test_a_connection_that_cannot_be_replaced_stays(service):
    """While the name has no address, aged connections go on serving; replacing them is tried now and then."""

    async def main():
        server = await service.serve("10.0.0.1")
        pool = pool_of(max_age=100, keep_alive=1000)
        await pool.exchange(exchange())
        service.network.names["dynamodb.test"] = ()
        for _ in range(100):
            await pass_time(10)
            await pool.exchange(exchange())
        (host,) = pool.statistics().hosts
        service.network.names["dynamodb.test"] = ("10.0.0.1",)
        await pass_time(REPLACEMENT_PAUSE_SECONDS + 1)
        replaced = pool.statistics().hosts[0].replaced
        await pool.aclose()
        return host, replaced, server.opened

    host, replaced, opened = service.run(main)
    assert (host.opened, host.closed, host.requests) == (1, 0, 101)
    assert 100 < host.failed <= 1000 / REPLACEMENT_PAUSE_SECONDS
    assert (replaced, opened) == (1, 2)


def test_a_connection_lost_while_it_is_replaced_is_not_missed(service):
    """Where the old connection is lost before its replacement is open, the replacement takes its place."""

    async def main():
        server = await service.serve("10.0.0.1")
        pool = pool_of(max_age=100, keep_alive=1000, max_connections=1, connect_timeout=1000)
        await pool.exchange(exchange())
        service.network.latency = lambda: 10.0
        await pass_time(101)
        assert pool.statistics().opening == 1
        service.network.latency = lambda: 0.0
        server.close_connections()
        await pass_time(30)
        (host,) = pool.statistics().hosts
        await pool.aclose()
        return host

    host = service.run(main)
    assert (host.idle, host.opening, host.replaced) == (1, 0, 0)


def test_a_replacement_that_comes_too_late_is_closed(service):
    """Where the old connection was lost and its place was taken, the replacement is one too many."""

    async def main():
        server = await service.serve("10.0.0.1")
        pool = pool_of(max_age=100, keep_alive=1000, max_connections=1, connect_timeout=1000)
        await pool.exchange(exchange())
        service.network.latency = lambda: 50.0
        await pass_time(101)
        assert pool.statistics().opening == 1
        service.network.latency = lambda: 0.0
        server.close_connections()
        await pass_time(0.1)
        await pool.exchange(exchange())
        await pass_time(85)
        (host,) = pool.statistics().hosts
        await pool.aclose()
        return host, server.opened

    host, opened = service.run(main)
    assert (host.idle, host.opening, opened) == (1, 0, 3)


# ── names ──


def test_a_burst_asks_once_for_an_address(service):
    """A hundred connections at once are one look-up; a connection opened after the records' time to live is another."""

    async def main():
        await service.serve("10.0.0.1")
        pool = pool_of()
        await asyncio.gather(*(pool.exchange(exchange()) for _ in range(100)))
        first = service.look_ups
        await pass_time(FRESH_SECONDS + 0.1)
        await pool.exchange(exchange(fresh=True))
        await pool.aclose()
        return first, service.look_ups

    assert service.run(main) == (1, 2)


def test_where_dns_fails_only_new_connections_are_concerned(service):
    """While a name cannot be resolved, open connections serve every call, more calls than connections too."""

    async def main():
        server = await service.serve("10.0.0.1")
        pool = pool_of(keep_alive=1000)
        await asyncio.gather(*(pool.exchange(exchange()) for _ in range(4)))
        service.network.names["dynamodb.test"] = ()
        await pass_time(FRESH_SECONDS + 1)
        answers = await asyncio.gather(*(pool.exchange(exchange()) for _ in range(500)))
        await pool.aclose()
        return len(answers), server.opened, service.look_ups

    answers, opened, look_ups = service.run(main)
    assert (answers, opened) == (500, 4)
    assert look_ups <= 3


def test_an_unknown_name_is_a_clear_error_and_no_storm(service):
    """Without a connection, every call learns at once that the name cannot be resolved; it is asked once a second."""
    nowhere = Endpoint("http", "dynamodb.eu-moon-1.test", 80)

    async def main():
        pool = pool_of()
        outcomes = []
        for _ in range(20):
            calls = (pool.exchange(exchange(endpoint=nowhere)) for _ in range(50))
            outcomes += await asyncio.gather(*calls, return_exceptions=True)
            await pass_time(0.1)
        await pool.aclose()
        return outcomes

    outcomes = service.run(main)
    assert len(outcomes) == 1000
    assert {type(error) for error in outcomes} == {TransportError}
    assert {error.outcome for error in outcomes} == {Outcome.NOT_SENT}
    assert str(outcomes[0]) == (
        "the host name 'dynamodb.eu-moon-1.test' cannot be resolved (Name or service not known): "
        "check region_name and endpoint_url, and this machine's DNS"
    )
    assert len(service.network.look_ups) <= 2 / FAILED_SECONDS + 1


def test_dns_that_comes_back_is_believed(service):
    """A second after a failed look-up, the next call asks again."""

    async def main():
        await service.serve("10.0.0.1")
        service.network.names["dynamodb.test"] = ()
        pool = pool_of()
        with pytest.raises(TransportError):
            await pool.exchange(exchange())
        service.network.names["dynamodb.test"] = ("10.0.0.1",)
        await pass_time(FAILED_SECONDS)
        answer = await pool.exchange(exchange())
        await pool.aclose()
        return answer.status

    assert service.run(main) == 200


@pytest.mark.parametrize("outcome", [[], UnicodeError("label empty or too long"), OSError(-3, "Temporary failure")])
def test_every_failure_of_a_resolver_is_one_error(service, outcome):
    """No address, an impossible name and a failing resolver all are a TransportError that nothing was sent."""

    async def resolve(_host, _port):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def main():
        pool = ConnectionPool(resolve=resolve)
        with pytest.raises(TransportError, match="cannot be resolved") as caught:
            await pool.exchange(exchange())
        await pool.aclose()
        return caught.value.outcome

    assert service.run(main) is Outcome.NOT_SENT


def test_addresses_are_spread_and_both_families_are_tried():
    """Equal addresses are shuffled, and IPv6 and IPv4 alternate, beginning with the family that the system prefers."""

    async def resolve(_host, _port):
        return ["2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.3"]

    async def main():
        loop = asyncio.get_running_loop()
        addresses = Addresses(time=loop.time, spawn=asyncio.ensure_future, resolve=resolve, generator=random.Random(3))
        found = []
        for _ in range(20):
            order, error = await addresses.find("both.test", 443)
            assert error is None
            found.append(tuple(order))
        return found

    found = run_virtual(main())
    assert len(set(found)) > 5
    for order in found:
        assert [":" in address for address in order] == [True, False, True, False, False]
        assert len(set(order)) == 5


def test_whoever_leaves_a_look_up_leaves_it_to_the_others():
    """A look-up is shared: one that no longer waits for it does not end it."""
    asked = []

    async def resolve(host, _port):
        asked.append(host)
        await asyncio.sleep(1)
        return ["192.0.2.1"]

    async def main():
        loop = asyncio.get_running_loop()
        addresses = Addresses(time=loop.time, spawn=asyncio.ensure_future, resolve=resolve, generator=random.Random())
        hasty, patient = (asyncio.ensure_future(addresses.find("shared.test", 443)) for _ in range(2))
        await asyncio.sleep(0.5)
        hasty.cancel()
        return await patient

    assert run_virtual(main()) == (["192.0.2.1"], None)
    assert asked == ["shared.test"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "fe80::1%eth0"])
def test_an_address_is_not_looked_up(address):
    """An endpoint given as an address needs no resolver."""

    async def main():
        addresses = Addresses(time=lambda: 0.0, spawn=asyncio.ensure_future, resolve=None, generator=random.Random())
        return await addresses.find(address, 80)

    assert run_virtual(main()) == ([address], None)


# ── connecting ──


def opener_for(loop, network_names, *, tls=None, connect_timeout=3.0):
    """Make an opener that resolves names from a table."""

    async def resolve(host, _port):
        found = network_names[host]
        if isinstance(found, Exception):
            raise found
        return found

    addresses = Addresses(time=loop.time, spawn=asyncio.ensure_future, resolve=resolve, generator=random.Random(1))
    return Opener(
        loop,
        addresses=addresses,
        tls=tls or (lambda: None),
        connect_timeout=connect_timeout,
        max_answer_bytes=1000,
    )


def test_a_silent_address_costs_a_quarter_of_a_second(service):
    """Where the first address does not answer, the next is tried beside it; the first one to connect is used."""

    async def main():
        loop = asyncio.get_running_loop()
        server = await service.serve("10.0.0.2")
        service.network.silent.add("10.0.0.1")
        opener = opener_for(loop, {"dynamodb.test": ["10.0.0.1", "10.0.0.2"]})
        seconds = set()
        for _ in range(10):
            began = loop.time()
            connection = await opener.open(HOST, lambda _connection: None, trust_memory=True)
            seconds.add(round(loop.time() - began, 3))
            connection.abort()
        await server.until(lambda: server.open == 0)
        return seconds, server.opened

    assert service.run(main) == ({0.0, NEXT_ADDRESS_SECONDS}, 10)


def test_a_refusing_address_costs_nothing(service):
    """Where an address refuses, the next is tried at once; where all do, the last reason is told."""

    async def main():
        loop = asyncio.get_running_loop()
        server = await service.serve("10.0.0.2")
        opener = opener_for(loop, {"dynamodb.test": ["10.0.0.1", "10.0.0.2", "10.0.0.3"]})
        connection = await opener.open(HOST, lambda _connection: None, trust_memory=True)
        connection.abort()
        await server.stop()
        with pytest.raises(
            TransportError, match=r"no connection to dynamodb\.test:4566: 10\.0\.0\..:4566 refuses"
        ) as caught:
            await opener.open(HOST, lambda _connection: None, trust_memory=True)
        return loop.time(), caught.value.outcome

    assert service.run(main) == (0.0, Outcome.NOT_SENT)


def test_two_addresses_that_connect_at_once_leave_one_connection(service):
    """The loser of a race is closed: nothing is left of it on either side."""

    async def main():
        loop = asyncio.get_running_loop()
        one, two = await service.serve("10.0.0.1"), await service.serve("10.0.0.2")
        service.network.latency = lambda: NEXT_ADDRESS_SECONDS  # the second begins when the first is half there
        opener = opener_for(loop, {"dynamodb.test": ["10.0.0.1", "10.0.0.2"]})
        connection = await opener.open(HOST, lambda _connection: None, trust_memory=True)
        await pass_time(2)
        count = one.open + two.open
        connection.abort()
        await pass_time(1)
        return count, one.open + two.open

    assert service.run(main) == (1, 0)


def test_the_losers_of_a_race_are_closed_however_it_ends(service):
    """Cancelled at any moment of a race between addresses, opening leaves no connection behind."""

    async def main():
        loop = asyncio.get_running_loop()
        servers = [await service.serve(f"10.0.0.{number}") for number in (1, 2, 3)]
        addresses = [*service.servers]
        left = []
        for steps in range(40):
            draws = random.Random(steps)
            service.network.latency = lambda draws=draws: draws.choice([0.0, 0.1, 0.125, 0.25])
            opener = opener_for(loop, {"dynamodb.test": addresses}, connect_timeout=0.05 * (steps % 12 + 1))
            task = asyncio.ensure_future(opener.open(HOST, lambda _connection: None, trust_memory=True))
            for _ in range(steps):
                await asyncio.sleep(0)
            if steps % 3 == 0:
                task.cancel()
            for outcome in await asyncio.gather(task, return_exceptions=True):
                if isinstance(outcome, Connection):
                    outcome.abort()
            await pass_time(2)
            left.append(sum(server.open for server in servers))
        return left

    assert service.run(main) == [0] * 40


def test_a_winner_is_closed_where_its_caller_is_cancelled_while_the_losers_end():
    """Cancelled after one address has connected and before the other attempts have ended, nothing stays open."""
    closed = []

    class Won:
        def abort(self):
            closed.append(True)

    async def connect(address):
        if address == "quick":
            return Won()
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(10)  # an attempt that takes its time to end

    async def main():
        race = asyncio.ensure_future(_first(["slow", "quick"], connect))
        await asyncio.sleep(1)
        race.cancel()
        with pytest.raises(asyncio.CancelledError):
            await race
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 1
    assert closed == [True]


def test_connecting_takes_no_longer_than_allowed(service):
    """DNS, TCP and TLS together end after connect_timeout seconds, with an error that says so."""

    async def main():
        loop = asyncio.get_running_loop()
        service.network.silent.add("10.0.0.1")
        pool = pool_of(connect_timeout=3.1)
        began = loop.time()
        text = r"no connection to dynamodb.test:4566: no answer within connect_timeout=3.1 s"
        with pytest.raises(TransportError, match=text) as caught:
            await pool.exchange(exchange())
        seconds = loop.time() - began
        await pool.aclose()
        return seconds, caught.value.outcome

    assert service.run(main) == (pytest.approx(3.1), Outcome.NOT_SENT)


def test_where_nobody_listens_each_call_fails_once(service):
    """A refused connection is the failure of one call: as many attempts as calls, and every call is told."""

    async def main():
        pool = pool_of(max_connections=8)
        outcomes = await asyncio.gather(*(pool.exchange(exchange()) for _ in range(50)), return_exceptions=True)
        (host,) = pool.statistics().hosts
        await pool.aclose()
        return outcomes, host

    outcomes, host = service.run(main)
    assert {type(error) for error in outcomes} == {UnreachableError}
    assert (host.failed, host.opened, host.waiting, host.opening) == (50, 0, 0, 0)


def test_where_others_serve_a_refusal_is_nobodys_failure(service):
    """While one connection serves, calls wait for it; opening more is tried with growing pauses."""

    async def main():
        server = await service.serve("10.0.0.1", lambda _request: Reply(pause=0.5))
        pool = pool_of(max_connections=50)
        first = asyncio.ensure_future(pool.exchange(exchange()))
        await pass_time(0.1)
        service.network.forget(next(iter(service.network._servers.values())))
        answers = await asyncio.gather(*(pool.exchange(exchange()) for _ in range(60)))
        await first
        (host,) = pool.statistics().hosts
        await pool.aclose()
        return len(answers), host, server.opened

    answers, host, opened = service.run(main)
    assert (answers, opened) == (60, 1)
    assert host.failed < 60 + 50 * 30 / LONGEST_OPENING_PAUSE_SECONDS


def test_whoever_needs_a_fresh_connection_is_told_that_there_is_none(service):
    """While others serve, a call that cannot use them fails as soon as opening does."""

    async def main():
        await service.serve("10.0.0.1")
        pool = pool_of()
        await pool.exchange(exchange())
        service.network.forget(next(iter(service.network._servers.values())))
        with pytest.raises(TransportError, match="no connection to"):
            await pool.exchange(exchange(fresh=True))
        (host,) = pool.statistics().hosts
        await pool.aclose()
        return host.failed, host.idle

    assert service.run(main) == (1, 1)


def test_however_long_opening_failed_a_host_that_is_back_is_found_soon(service):
    """The pauses between attempts grow to five seconds, and no longer."""

    async def main():
        server = await service.serve("10.0.0.1", lambda _request: Reply(pause=0.5))
        pool = pool_of(max_connections=2)
        first = asyncio.ensure_future(pool.exchange(exchange()))
        await pass_time(0.1)
        ((address, listener),) = service.network._servers.items()
        service.network.forget(listener)
        waiting = asyncio.gather(*(pool.exchange(exchange()) for _ in range(300)))
        await pass_time(60)
        away = server.opened
        service.network._servers[address] = listener
        await pass_time(LONGEST_OPENING_PAUSE_SECONDS)
        back = server.opened
        await asyncio.gather(first, waiting)
        await pool.aclose()
        return away, back

    assert service.run(main) == (1, 2)


def test_a_server_that_closes_what_it_accepts_is_an_error_not_a_loop(service):
    """A host that closes every connection as soon as it is open costs each call one attempt."""

    async def main():
        server = await service.serve("10.0.0.1")
        server.greeting = b"go away"
        pool = pool_of()
        outcomes = await asyncio.gather(*(pool.exchange(exchange()) for _ in range(10)), return_exceptions=True)
        await pool.aclose()
        return outcomes, server.opened

    outcomes, opened = service.run(main)
    assert {type(error) for error in outcomes} == {UnreachableError}
    assert opened <= 20


SECURE = Endpoint("https", "dynamodb.test", PORT)


class Trusting(VirtualClockLoop):
    """A loop that takes TLS for granted: what matters here is which addresses are tried."""

    async def create_connection(self, factory, host, port, *, ssl=None, server_hostname=None):
        assert (ssl is None) == (server_hostname is None)
        return await super().create_connection(factory, host, port)


def run_trusting(service, main):
    """Run a coroutine function on a loop without TLS."""
    with asyncio.Runner(loop_factory=lambda: Trusting(service.network)) as runner:
        return runner.run(main())


def test_a_name_that_fails_over_tls_is_remembered(service):
    """Over TLS, where the certificate proves who answers, an address from before may serve while DNS fails."""
    names = {"dynamodb.test": ["10.0.0.1"]}

    async def main():
        loop = asyncio.get_running_loop()
        server = await service.serve("10.0.0.1")
        opener = opener_for(loop, names, tls=object)
        outcomes = []
        for endpoint, trust_memory, fails in [
            (SECURE, True, False),
            (SECURE, True, True),
            (SECURE, False, True),
            (HOST, True, True),
        ]:
            names["dynamodb.test"] = OSError(-2, "Name or service not known") if fails else ["10.0.0.1"]
            await pass_time(10)
            try:
                connection = await opener.open(endpoint, lambda _connection: None, trust_memory=trust_memory)
                connection.abort()
                outcomes.append("open")
            except TransportError as error:
                outcomes.append("cannot be resolved" in str(error))
        await server.stop()
        await pass_time(10)
        with pytest.raises(TransportError, match="cannot be resolved"):
            await opener.open(SECURE, lambda _connection: None, trust_memory=True)
        return outcomes

    assert run_trusting(service, main) == ["open", "open", True, True]


def test_a_replacement_is_not_opened_to_a_remembered_address(service):
    """A connection is replaced to follow DNS: while that fails the old one stays, though its host would answer."""

    async def main():
        server = await service.serve("10.0.0.1")
        pool = ConnectionPool(PoolConfig(max_age=100, keep_alive=1000), tls=object)
        await pool.exchange(exchange(endpoint=SECURE))
        service.network.names["dynamodb.test"] = ()
        await pass_time(200)
        await pool.exchange(exchange(endpoint=SECURE))
        (host,) = pool.statistics().hosts
        await pool.aclose()
        await server.stop()
        return host.failed > 0, server.opened

    assert run_trusting(service, main) == (True, 1)
