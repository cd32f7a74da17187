"""One table of state on each engine: operations that are applied once, and leases."""

import asyncio
from datetime import timedelta

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ClientStateError,
    ConditionalCheckFailedError,
    ExpressionError,
    ItemExistsError,
    LeaseHeldError,
    LeaseLostError,
    LimitError,
    ModelError,
    PartitionKey,
    ResourceNotFoundError,
    State,
    StateTable,
    TransactionCanceledError,
    attribute,
    entity,
)

STATE = StateTable("app-state")


@entity("counts")
class Count:
    name: PartitionKey[str]
    number: Attribute[int] = attribute(default=0)


@pytest.fixture
async def state(client: Client) -> State:
    """Open an empty state table, beside a table of counts."""
    await client.ensure_tables(STATE, Count)
    return client.state(STATE)


async def number(client: Client, name: str = "a") -> int:
    """Read a count as it is now."""
    count = await client.table(Count).get(name, consistent_read=True)
    return 0 if count is None else count.number


async def test_table_is_made_with_its_time_to_live(client):
    """The state table is made as any table is, and a second time changes nothing."""
    (made,) = await client.ensure_tables(STATE)
    assert made.name.endswith("app-state")
    assert (await client.ensure_tables(STATE))[0].name == made.name == client.state(STATE).name
    answer = await client.control("DescribeTimeToLive", {"TableName": made.name})
    assert answer["TimeToLiveDescription"]["AttributeName"] == "expires"
    client.check(STATE)
    assert (await client.describe_table(STATE)).name == made.name
    await client.delete_table(STATE)


# ── once ──


async def test_operations_of_one_key_are_applied_once(client, state):
    """The first call applies them and says so. Every later one says that they were, and writes nothing."""
    counts = client.table(Count)
    applied = [await state.once("k", counts.upsert("a").add(Count.number, 1)) for _ in range(3)]
    assert applied == [True, False, False]
    assert await number(client) == 1
    assert await state.once("other", counts.upsert("a").add(Count.number, 1))
    assert await number(client) == 2


async def test_duplicates_at_the_same_time_are_applied_once(client, state):
    """Of many calls with one key at once, exactly one applies its operations."""
    counts = client.table(Count)
    for key in ("k1", "k2", "k3"):
        calls = [state.once(key, counts.upsert("a").add(Count.number, 1), timeout=30) for _ in range(12)]
        assert sorted(await asyncio.gather(*calls)) == [False] * 11 + [True]
    assert await number(client) == 3


async def test_failure_of_a_condition_is_its_operations(client, state):
    """A false condition surfaces with its operation, nothing is written, and the key stays free."""
    counts = client.table(Count)
    await counts.put(Count(name="there"))
    fine, refused = counts.upsert("a").add(Count.number, 1), counts.insert(Count(name="there"))
    with pytest.raises(TransactionCanceledError, match="operation 2 of 2") as raised:
        await state.once("k", fine, refused)
    assert [reason.operation for reason in raised.value.reasons] == [fine, refused]
    assert [reason.code for reason in raised.value.reasons] == [None, "ConditionalCheckFailed"]
    assert isinstance(raised.value.__cause__, ItemExistsError)
    assert raised.value.reasons[1].stored(Count) == Count(name="there")
    assert await number(client) == 0
    assert await state.once("k", counts.upsert("a").add(Count.number, 1))


async def test_key_that_was_applied_counts_before_conditions(client, state):
    """A repetition whose conditions are false by now, through the first one, is no failure."""
    counts = client.table(Count)
    assert await state.once("k", counts.insert(Count(name="a", number=5)))
    assert not await state.once("k", counts.insert(Count(name="a", number=5)))
    assert not await state.once("k", counts.update("a").set(Count.number, 7).when(Count.number == 4))
    assert await number(client) == 5


async def test_mark_past_its_time_counts_as_absent(client, state, clock):
    """After ``keep`` the operations are applied again, although the engine has not removed the mark."""
    counts = client.table(Count)
    one = timedelta(seconds=60)
    assert await state.once("k", counts.upsert("a").add(Count.number, 1), keep=one)
    clock.now += 59
    assert not await state.once("k", counts.upsert("a").add(Count.number, 1), keep=one)
    clock.now += 2
    assert await state.once("k", counts.upsert("a").add(Count.number, 1), keep=one)
    assert not await state.once("k", counts.upsert("a").add(Count.number, 1), keep=one)
    assert await number(client) == 2


async def test_too_many_operations_are_refused_before_they_are_sent(client, state):
    """99 actions fit beside the mark, 100 do not, and the message says that the mark is one."""
    counts = client.table(Count)
    with pytest.raises(LimitError, match=r"101 actions.*The mark"):
        await state.once("k", *(counts.put(Count(name=f"n{each}")) for each in range(100)))
    assert await state.once("k", *(counts.put(Count(name=f"n{each}")) for each in range(99)))
    assert await counts.scan().count() == 99


async def test_mark_alone_is_a_claim(client, state):
    """Without operations, or with one that changes nothing, the mark alone is written."""
    counts = client.table(Count)
    same = Count(name="a")
    assert await state.once("k")
    assert not await state.once("k")
    assert await state.once("k2", counts.patch(same, to=Count(name="a")))
    assert not await state.once("k2")


@pytest.mark.parametrize("key", ["#", "a#b", "ä" * 300, "x" * 5000, "x" * 5001, "%23"])
async def test_every_text_is_a_key(client, state, key):
    """Keys of any text and length are remembered, each by itself."""
    counts = client.table(Count)
    assert await state.once(key, counts.upsert("a").add(Count.number, 1))
    assert not await state.once(key, counts.upsert("a").add(Count.number, 1))
    assert await state.once(f"{key}!", counts.upsert("a").add(Count.number, 1))


@pytest.mark.parametrize("key", ["", 7, None, "\ud800"])
async def test_other_keys_are_refused(state, key):
    """What is no text of a character or more is refused."""
    with pytest.raises(ExpressionError, match="once"):
        await state.once(key)


@pytest.mark.parametrize("keep", [48, timedelta(0), timedelta(days=4000), None])
async def test_other_times_to_keep_are_refused(state, keep):
    """``keep`` is a timedelta within bounds."""
    with pytest.raises(ExpressionError, match="keep="):
        await state.once("k", keep=keep)


async def test_only_writes_are_taken(client, state):
    """A read, and two operations about one item, are refused as in any transaction."""
    counts = client.table(Count)
    with pytest.raises(ExpressionError, match="GetItem"):
        await state.once("k", counts.get("a"))
    with pytest.raises(ExpressionError, match="same item"):
        await state.once("k", counts.put(Count(name="a")), counts.put(Count(name="a")))
    with pytest.raises(ModelError, match="StateTable"):
        client.state("app-state")


# ── leases ──


async def test_one_holds_a_lease_at_a_time(client, state):
    """A second one waits, or is told; after the block the lease is free at once, and the epoch has grown."""
    async with state.lease("nightly") as lease:
        assert lease.epoch == 1
        assert lease.is_held
        with pytest.raises(LeaseHeldError, match="is held by") as raised:
            async with state.lease("nightly", timeout=0):
                pytest.fail("two hold it")
        assert (raised.value.lease, raised.value.holder.count(":")) == ("nightly", 1)
        waiting = asyncio.ensure_future(hold(state, "nightly"))
        async with state.lease("hourly", timeout=0):
            await asyncio.sleep(0.1)
        assert not waiting.done()
    assert not lease.is_held
    async with asyncio.timeout(10):
        assert await waiting == 2


async def hold(state: State, name: str) -> int:
    """Take a lease and return its epoch."""
    async with state.lease(name) as lease:
        return lease.epoch


async def test_many_take_turns(client, state):
    """Twelve tasks that want one lease have it one after the other, each under an epoch of its own."""
    within = 0
    epochs = []

    async def turn() -> None:
        nonlocal within
        async with state.lease("nightly", lease_seconds=1) as lease:
            within += 1
            assert within == 1
            await asyncio.sleep(0.01)
            within -= 1
            epochs.append(lease.epoch)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for _ in range(12):
            group.create_task(turn())
    assert sorted(epochs) == list(range(1, 13))


async def test_lease_outlives_its_time_by_renewal(client, state):
    """A lease of a second is held for longer, because it is renewed."""
    async with state.lease("nightly", lease_seconds=1) as lease:
        await asyncio.sleep(1.7)
        assert lease.is_held
        with pytest.raises(LeaseHeldError):
            async with state.lease("nightly", timeout=0):
                pytest.fail("two hold it")
        await client.transact_write(client.table(Count).put(Count(name="a")), lease.check())


async def test_check_holds_a_transaction_to_the_lease(client, state):
    """A transaction with the check of a lease that another one has taken is cancelled."""
    async with state.lease("nightly", lease_seconds=30) as lease:
        check = lease.check()
        await client.transact_write(client.table(Count).put(Count(name="a", number=1)), check)
    async with state.lease("nightly"):
        late = client.table(Count).put(Count(name="a", number=2))
        with pytest.raises(TransactionCanceledError) as raised:
            await client.transact_write(late, check)
        assert isinstance(raised.value.reasons[1].error, ConditionalCheckFailedError)
    assert await number(client) == 1


async def test_row_that_is_deleted_by_hand_loses_the_lease(client, state):
    """The holder finds out at its next renewal: the block is cancelled and the loss is raised."""
    rows = client.table("app-state", partition_key="scope", sort_key="row")

    async def work() -> None:
        async with asyncio.timeout(5), state.lease("nightly", lease_seconds=1):
            await rows.delete(scope="lease#nightly", row="beat")
            await asyncio.sleep(10)

    with pytest.raises(LeaseLostError, match="'nightly' was lost: another process has taken it, or its row"):
        await work()
    async with asyncio.timeout(5), state.lease("nightly", lease_seconds=1) as lease:
        assert lease.epoch == 2


async def test_killed_holder_keeps_others_out_for_its_time_alone(client, state):
    """A lease whose holder is gone is taken when nothing has moved for its own time, not the waiter's."""
    left = state.lease("nightly", lease_seconds=1)
    await left.__aenter__()
    left._keeper.cancel()
    left._state = "new"  # as if its process were gone: nothing renews it, and nothing releases it
    begun = asyncio.get_running_loop().time()
    async with asyncio.timeout(10), state.lease("nightly", lease_seconds=30) as lease:
        assert 1.0 <= asyncio.get_running_loop().time() - begun < 4
        assert lease.epoch == 2


# ── changes ──


@entity("orders", stream="new_and_old_images")
class Order:
    order_id: PartitionKey[str]
    number: Attribute[int] = attribute(default=0)


def event_of(client: Client, *orders: Order) -> dict[str, object]:
    """Return the event of a Lambda function for orders that came into being."""
    table = client.table(Order)
    return {
        "Records": [
            {
                "eventID": f"event-{order.order_id}",
                "eventName": "INSERT",
                "eventSource": "aws:dynamodb",
                "dynamodb": {
                    "Keys": {"order_id": {"S": order.order_id}},
                    "NewImage": table.encode(order),
                    "SequenceNumber": f"1000000000000000000{place:02}",
                    "StreamViewType": "NEW_AND_OLD_IMAGES",
                },
            }
            for place, order in enumerate(orders)
        ]
    }


async def test_event_is_applied_once_in_a_lambda_function(client, state):
    """`change.apply` in `handle_records` makes its operations once for each record, however often the event comes."""
    counts, orders = client.table(Count), client.table(Order)
    event = event_of(client, *(Order(order_id=f"o{each}") for each in range(20)))
    told = []

    async def handle(change):
        told.append(await change.apply(counts.upsert("a").add(Count.number, 1)))

    for _ in range(3):
        answer = await orders.handle_records(event, handle, consumer="c", state=state, concurrency=4)
        assert answer == {"batchItemFailures": []}
    assert sorted(told) == [False] * 40 + [True] * 20
    assert await number(client) == 20
    await orders.handle_records(event, handle, consumer="another", state=state)
    assert await number(client) == 40


async def test_marks_of_events_need_both(client, state):
    """A consumer without a state table, and a table without a consumer, are refused; so is `apply` without either."""
    orders = client.table(Order)
    event = event_of(client, Order(order_id="o"))
    errors = []

    async def handle(change):
        try:
            await change.apply()
        except ClientStateError as error:
            errors.append(str(error))
        with pytest.raises(ClientStateError):
            change.done()

    for options in (
        {"consumer": "c"},
        {"state": state},
        {"consumer": "c", "state": 7},
        {"consumer": "", "state": state},
    ):
        with pytest.raises(ExpressionError, match="belong together"):
            await orders.handle_records(event, handle, **options)
    await orders.handle_records(event, handle)
    assert len(errors) == 1
    await orders.handle_records(event, handle, consumer="c", state=state)
    assert len(errors) == 1


async def test_consumer_keeps_its_positions_in_the_table(client, state):
    """A consumer goes on where it was, and its operations are applied once although its positions are lost."""
    await client.ensure_tables(Order)
    counts, orders = client.table(Count), client.table(Order)
    seen = []

    async def handle(change):
        seen.append(change.new.order_id)
        assert await change.apply(counts.upsert("a").add(Count.number, 1)) is (seen.count(change.new.order_id) == 1)

    async def consume(consumer, **options):
        changes = orders.changes(consumer=consumer, start="oldest", checkpoints=state, **options)
        await changes.for_each(handle, concurrency=8, until="caught_up")

    for round_ in range(2):
        await orders.put_many([Order(order_id=f"{round_}-{each}") for each in range(20)])
        await consume("c")
    assert sorted(seen) == sorted(f"{round_}-{each}" for round_ in range(2) for each in range(20))
    rows = client.table("app-state", partition_key="scope", sort_key="row")
    for row in await rows.scan().all():
        if row["scope"].startswith("changes#"):
            await rows.delete(scope=row["scope"], row=row["row"])
    await consume("c")
    assert len(seen) == 80
    assert await number(client) == 40


async def test_table_that_was_not_made_is_named_as_callers_know_it(client):
    """The error says how to make the state table."""
    state = client.state(StateTable("none"))
    for call in (lambda: state.once("k"), state.resume("k").read, state.lease("k").__aenter__):
        with pytest.raises(ResourceNotFoundError, match=r"table .*none' does not exist.*ensure_tables\(STATE\)"):
            await call()
