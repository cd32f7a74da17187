"""Leases on a virtual clock: the loss of one ends its block as a timeout would, and two never hold it at once."""

import asyncio
import os
from random import Random

import pytest

from mizzle_async import (
    Client,
    ClientStateError,
    ExpressionError,
    LeaseHeldError,
    LeaseLostError,
    MizzleError,
    RetryPolicy,
    StateTable,
)
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.stub import StubTransport

STATE = StateTable("app-state")


@pytest.fixture
def world(memory_engine):
    """Return a function that runs a coroutine function with an engine, its network and a state table behind it."""

    def run(use, **options):
        async def main():
            network = memory_engine.Network(memory_engine.MemoryEngine(), **options)
            async with open_client(network) as client:
                return await use(network, client.state(STATE))

        return run_virtual(main())

    return run


def open_client(network, **options):
    """Return a client behind a network."""
    return Client(
        region_name="eu-west-1",
        credentials=("key", "secret"),
        transport=StubTransport(network),
        timeout=10.0,
        **options,
    )


def time():
    """Return the virtual time."""
    return asyncio.get_running_loop().time()


def rows(network):
    """Return the rows of leases that are stored."""
    return {key[1:]: sorted(item) for key, item in network.engine.items.items()}


# ── taking and giving up ──


def test_rows_of_a_lease(world):
    """While it is held there is a fence and a beat; afterwards a fence without owner, which expires."""

    async def use(network, state):
        async with state.lease("nightly") as lease:
            assert rows(network) == {
                ("lease#nightly", "fence"): ["epoch", "owner", "row", "scope"],
                ("lease#nightly", "beat"): ["beat", "epoch", "holder", "owner", "row", "scope", "seconds"],
            }
            assert repr(lease) == "<Lease 'nightly' held, epoch 1>"
        assert rows(network) == {("lease#nightly", "fence"): ["epoch", "expires", "row", "scope"]}
        assert repr(lease) == "<Lease 'nightly' free, epoch 1>"

    world(use)


def test_requests_of_a_lease(world):
    """Taking takes three requests, each third of the time a renewal, releasing one."""

    async def use(network, state):
        async with state.lease("nightly", lease_seconds=30):
            assert network.engine.requests == {"GetItem": 2, "TransactWriteItems": 1}
            await asyncio.sleep(35)
            assert network.engine.requests == {"GetItem": 2, "TransactWriteItems": 1, "PutItem": 3}
        assert network.engine.requests == {"GetItem": 2, "TransactWriteItems": 2, "PutItem": 3}

    world(use)


def test_lease_that_is_held_is_waited_for_or_refused(world):
    """``timeout=`` is the time to wait, and is kept; a lease that is released is taken by the one that waits."""

    async def use(_network, state):
        async with state.lease("nightly"):
            for timeout in (0, 7.5):
                begun = time()
                with pytest.raises(LeaseHeldError, match="lease 'nightly' is held by"):
                    async with state.lease("nightly", timeout=timeout):
                        pytest.fail("two hold it")
                assert timeout <= time() - begun < timeout + 0.1
            waiting = asyncio.ensure_future(taken(state))
            await asyncio.sleep(100)
            assert not waiting.done()
        begun = time()
        assert await waiting == 2
        assert time() - begun < 5

    world(use)


async def taken(state, **options):
    """Take a lease, and return its epoch."""
    async with state.lease("nightly", **options) as lease:
        return lease.epoch


def test_lease_is_entered_once_at_a_time(world):
    """The same object cannot be entered twice at once, and can be entered again later; before, it has no epoch."""

    async def use(_network, state):
        lease = state.lease("nightly")
        with pytest.raises(ClientStateError, match="was not taken"):
            _ = lease.epoch
        async with lease:
            with pytest.raises(ClientStateError, match="entered already"):
                await lease.__aenter__()
        async with lease:
            assert lease.epoch == 2

    world(use)


@pytest.mark.parametrize("seconds", [0.5, 90_000, True, "30", None])
def test_time_of_a_lease_has_bounds(world, seconds):
    """A lease takes from a second to a day."""

    async def use(_network, state):
        with pytest.raises(ExpressionError, match="lease"):
            state.lease("nightly", lease_seconds=seconds)

    world(use)


def test_cancelled_at_any_step_of_entering_leaves_the_lease_free(world):
    """Wherever the taking is cancelled, another one has the lease soon after, and not after its time alone."""

    async def hold_forever(lease):
        async with lease:
            await asyncio.sleep(1e6)

    async def use(_network, state):
        steps, reached = 0, False
        while not reached:
            name = f"lease {steps}"
            lease = state.lease(name, lease_seconds=1000)
            task = asyncio.ensure_future(hold_forever(lease))
            await asyncio.sleep(steps / 1_000)
            reached = lease.is_held
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            begun = time()
            async with state.lease(name, lease_seconds=1000):
                assert time() - begun < 60
            steps += 1
        return steps

    assert world(use, longest=0.1) > 10


def test_killed_holder_keeps_others_out_for_its_own_time(world):
    """The waiter counts the holder's seconds from the moment when it first saw the last beat, not its own."""

    async def use(network, state):
        async with open_client(network) as other:
            dead = other.state(STATE).lease("nightly", lease_seconds=20)
            await dead.__aenter__()
            await asyncio.sleep(3)
            dead._keeper.cancel()
            dead._state = "new"  # as if its process were gone
        begun = time()
        assert await taken(state, lease_seconds=300) == 2
        assert 20 <= time() - begun < 21

    world(use)


# ── losing it ──


def test_lost_lease_cancels_its_block_before_others_take_it(world):
    """A holder that cannot renew stops in time, and says why; another one takes the lease later."""

    async def use(network, state):
        ended = {}

        async def work():
            with pytest.raises(LeaseLostError, match="could not be renewed in time") as raised:
                await hold(state, ended, "first")
            assert raised.value.lease == "nightly"
            assert isinstance(raised.value.__cause__, asyncio.CancelledError)
            assert asyncio.current_task().cancelling() == 0

        task = asyncio.ensure_future(work())
        await asyncio.sleep(15)
        network.is_cut = True
        async with open_client(type(network)(network.engine)) as other, other.state(STATE).lease("nightly"):
            taken_at = time()
            assert task.done()
        await task
        assert ended["first"] == pytest.approx(10 + 25)  # its last renewal, and five sixths of its time
        assert 40 <= taken_at < 50

    world(use)


async def hold(state, ended, name, **options):
    """Hold the lease for ever, and note when that ended."""
    async with state.lease("nightly", lease_seconds=30, **options) as lease:
        try:
            await asyncio.sleep(1e6)
        finally:
            ended[name] = time()
            assert not lease.is_held or asyncio.current_task().cancelling()


def test_cancellation_from_outside_stays_one(world):
    """A block that is cancelled raises `CancelledError`, and its lease is free at once."""

    async def use(network, state):
        task = asyncio.ensure_future(hold(state, {}, "first"))
        await asyncio.sleep(15)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert ("lease#nightly", "beat") not in rows(network)

    world(use)


def test_cancellation_from_outside_wins_over_the_loss(world):
    """Where both happen before the block ends, the cancellation from outside is not swallowed."""

    async def use(_network, state):
        lease = state.lease("nightly")

        async def work():
            async with lease:
                await asyncio.sleep(1e6)

        task = asyncio.ensure_future(work())
        await asyncio.sleep(1)
        lease._lose("test")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    world(use)


@pytest.mark.parametrize("lost", ["inner", "outer", "both"])
def test_nested_leases(world, lost):
    """The loss of one ends the block of that one: the inner alone, or both with the outer's error."""

    async def use(_network, state):
        inner, outer = state.lease("inner"), state.lease("outer")
        inner_error = outer_error = None

        async def work():
            nonlocal inner_error, outer_error
            try:
                async with outer:
                    try:
                        async with inner:
                            await asyncio.sleep(1e6)
                    except LeaseLostError as error:
                        inner_error = error.lease
                    await asyncio.sleep(10)
            except LeaseLostError as error:
                outer_error = error.lease

        task = asyncio.ensure_future(work())
        await asyncio.sleep(1)
        for lease in {"inner": (inner,), "outer": (outer,), "both": (inner, outer)}[lost]:
            lease._lose("test")
        await task
        assert task.cancelling() == 0
        return inner_error, outer_error

    expected = {"inner": ("inner", None), "outer": (None, "outer"), "both": (None, "outer")}
    assert world(use) == expected[lost]


def test_timeouts_inside_and_outside_are_told_apart(world):
    """`asyncio.timeout` around a lease, and within it, end as without one."""

    async def use(_network, state):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5), state.lease("nightly"):
                await asyncio.sleep(1e6)
        with pytest.raises(TimeoutError):
            async with state.lease("nightly", timeout=0), asyncio.timeout(5):
                await asyncio.sleep(1e6)
        lease = state.lease("nightly", timeout=0)
        asyncio.get_running_loop().call_later(3, lambda: lease._lose("test"))
        with pytest.raises(LeaseLostError):
            async with asyncio.timeout(5), lease:
                await asyncio.sleep(1e6)

    world(use)


def test_block_that_catches_its_cancellation_raises_all_the_same(world):
    """A block that ends as if nothing had happened has worked without the lease: that is said."""

    async def use(_network, state):
        lease = state.lease("nightly")
        asyncio.get_running_loop().call_later(3, lambda: lease._lose("test"))

        async def work():
            async with lease:
                try:
                    await asyncio.sleep(1e6)
                except asyncio.CancelledError:
                    assert not lease.is_held
                    with pytest.raises(LeaseLostError):
                        lease.check()

        with pytest.raises(LeaseLostError):
            await work()
        assert asyncio.current_task().cancelling() == 0
        await asyncio.sleep(1)

    world(use)


def test_error_of_a_block_that_lost_its_lease_has_a_note(world):
    """The block's own error is raised, and says that the lease was lost."""

    async def use(_network, state):
        lease = state.lease("nightly")
        asyncio.get_running_loop().call_later(3, lambda: lease._lose("test"))

        async def work():
            async with lease:
                try:
                    await asyncio.sleep(1e6)
                finally:
                    raise KeyError("own")

        with pytest.raises(KeyError) as raised:
            await work()
        assert raised.value.__notes__ == ["lease 'nightly' was lost meanwhile: test"]
        assert asyncio.current_task().cancelling() == 0

    world(use)


def test_tasks_within_the_block_end_with_it(world):
    """A task group in the block is cancelled as a whole."""

    async def use(_network, state):
        lease, ended = state.lease("nightly"), []
        asyncio.get_running_loop().call_later(3, lambda: lease._lose("test"))

        async def child(name):
            try:
                await asyncio.sleep(1e6)
            finally:
                ended.append(name)

        async def work():
            async with lease, asyncio.TaskGroup() as group:
                for name in "abc":
                    group.create_task(child(name))

        with pytest.raises(LeaseLostError):
            await work()
        assert sorted(ended) == ["a", "b", "c"]

    world(use)


def test_client_that_closes_ends_the_block(world):
    """Without its client a lease is not renewed: the block ends."""

    async def use(network, _state):
        client = open_client(network)
        await client.open()

        async def work():
            async with client.state(STATE).lease("nightly"):
                await asyncio.sleep(1e6)

        task = asyncio.ensure_future(work())
        await asyncio.sleep(1)
        await client.aclose()
        with pytest.raises(LeaseLostError, match="the client was closed"):
            await task

    world(use)


def test_blocked_loop_is_noticed_by_the_check(world):
    """A process that slept through its time knows it at once, before any timer has run, and at the end of the block."""

    async def use(_network, state):
        with pytest.raises(LeaseLostError):
            await sleep_through(state)

    async def sleep_through(state):
        async with state.lease("nightly", lease_seconds=30) as lease:
            assert lease.check().sending.is_conditional
            asyncio.get_running_loop()._virtual.now += 26
            assert not lease.is_held
            with pytest.raises(LeaseLostError, match="its time is up"):
                lease.check()

    world(use)


def test_release_that_fails_does_not_hide_the_work(world, caplog):
    """A lease that cannot be released runs out by its time; the block's result stands, and the log says so."""

    async def use(network, state):
        async with state.lease("nightly", lease_seconds=30):
            network.is_cut = True
        network.is_cut = False
        begun = time()
        assert await taken(state) == 2
        assert 30 <= time() - begun < 36

    world(use)
    assert "was not released" in caplog.text


# ── never two ──


@pytest.mark.parametrize("seed", range(int(os.environ.get("MIZZLE_TEST_COUNT", "12"))))
def test_two_never_hold_a_lease_whatever_the_network_does(memory_engine, seed):
    """Requests and answers are slow and lost, networks are cut: one at a time is within, and all come to it at last."""
    random = Random(seed)
    engine = memory_engine.MemoryEngine()
    networks = [
        memory_engine.Network(engine, Random(seed + each), longest=6.0, lost=0.1, conflicts=0.2)
        for each in range(1000, 1003)
    ]
    within = []
    epochs = []
    losses = 0

    async def turns(network):
        nonlocal losses
        retry = RetryPolicy(randomness=network.random.random)
        async with open_client(network, retry=retry) as client:
            state, done = client.state(STATE), 0
            while done < 3:
                try:
                    async with state.lease("nightly", lease_seconds=6) as lease:
                        await block(network, lease)
                        done += 1
                except LeaseLostError:
                    losses += 1
                except MizzleError:
                    await asyncio.sleep(random.random())

    async def block(network, lease):
        assert within == []
        within.append(network)
        try:
            assert not epochs or lease.epoch > epochs[-1]
            epochs.append(lease.epoch)
            await asyncio.sleep(random.random() * 8)
        finally:
            within.remove(network)

    async def weather():
        while True:
            await asyncio.sleep(random.random() * 60)
            network = random.choice(networks)
            network.is_cut = True
            await asyncio.sleep(random.random() * 12)
            network.is_cut = False

    async def main():
        changing = asyncio.ensure_future(weather())
        async with asyncio.timeout(100_000):
            await asyncio.gather(*map(turns, networks))
        changing.cancel()

    run_virtual(main())
    assert len(epochs) == 9 + losses
