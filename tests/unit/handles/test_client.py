"""The client's own business: its life, its tables, and how it sends."""

import asyncio
import pickle
import sys
from decimal import Decimal
from typing import Any

import attrs
import pytest

from mizzle_async import (
    Attribute,
    Client,
    ClientStateError,
    ConditionalCheckFailedError,
    ItemExistsError,
    ModelError,
    PartitionKey,
    SortKey,
    entity,
)
from mizzle_async.handles import runtime as runtime_module
from mizzle_async.operations.reads.cursors import CursorCodec
from mizzle_async.testing.stub import StubCaller
from mizzle_async.wire import pipeline as pipeline_module
from mizzle_async.writing.table_part import target_of


@entity("customers")
class Customer:
    customer_id: PartitionKey[str]
    name: Attribute[str]


@attrs.define
class Plain:
    pk: str
    amount: Decimal


STORED = {"customer_id": {"S": "c1"}, "name": {"S": "Ann"}}
ANN = Customer(customer_id="c1", name="Ann")


def stub(**replies: Any) -> StubCaller:
    """Make a service that answers from a script."""
    return StubCaller(replies)


# ── life ──


async def test_context_opens_and_closes():
    """Within its context a client is open, and behind it closed."""
    async with Client(caller=stub(GetItem={"Item": STORED})) as client:
        assert await client.table(Customer).get("c1") == ANN
        assert repr(client).startswith("<Client open, 1 tables, 0 tasks, <StubCaller")
    assert repr(client) == "<Client closed>"
    await client.aclose()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"converter": 5}, r"converter= takes a cattrs converter, not int"),
        ({"credentials": ("a",)}, r"credentials= takes Credentials, or a tuple of access key id, secret access key"),
        ({"credentials": ("a", 5)}, r"credentials= takes Credentials, or a tuple of"),
        ({"credentials": "CANARY"}, r"credentials= takes Credentials, or a tuple of .* not str$"),
        ({"pool": 5}, r"pool= takes a PoolConfig, not int"),
        ({"retry": 5}, r"retry= takes a RetryPolicy, not int"),
        ({"hedge": 5}, r"hedge= takes a HedgePolicy, not int"),
        ({"timeout": "x"}, r"timeout= takes seconds as a number, not str"),
        ({"throughput": 5}, r"throughput= takes a Throughput, not int"),
        ({"table_prefix": None}, r"table_prefix= takes a str, not NoneType"),
        ({"table_names": 5}, r"table_names= takes a mapping of names to names, not int"),
        ({"cursor_key": 32}, r"cursor_key= takes str or bytes, not int"),
        ({"instrument": 5}, r"instrument= takes an object with a method call_finished, or several, not int"),
        ({"instrument": [5]}, r"instrument= takes an object with a method call_finished, or several, not int"),
        ({"region_name": 5}, r"region_name= takes a str, not int"),
        ({"endpoint_url": 5}, r"endpoint_url= takes a str, not int"),
        ({"clock": 5}, r"clock= takes a function, not int"),
        ({"sleep": 5}, r"sleep= takes a function, not int"),
    ],
)
def test_a_setting_of_another_type_is_refused(settings, message):
    """A setting of the wrong type is refused when the client is made, by its name, and its value is not shown."""
    with pytest.raises(TypeError, match=message) as caught:
        Client(**settings)
    assert "CANARY" not in str(caught.value)


async def test_use_before_opening_says_how_to_open():
    """A client that is not open yet says what to write."""
    client = Client()
    assert repr(client) == "<Client new>"
    with pytest.raises(ClientStateError, match=r"not open yet: `async with client:`, or `await client.open\(\)`"):
        await client.table(Customer).get("c1")
    with pytest.raises(ClientStateError, match="not open yet"):
        client.statistics()


async def test_use_after_closing_says_so():
    """A closed client says how to open it again, and is as good as new then."""
    client = await Client(caller=stub()).open()
    await client.aclose()
    with pytest.raises(ClientStateError, match="is closed: `async with client:`"):
        await client.table(Customer).get("c1")
    async with client:
        assert repr(client).startswith("<Client open")


async def test_opening_twice_is_refused():
    """One client, one opening."""
    client = await Client(caller=stub()).open()
    with pytest.raises(ClientStateError, match="open already"):
        await client.open()
    await client.aclose()


async def test_failed_opening_can_be_tried_again():
    """An opening that failed leaves a client that can be opened."""
    client = Client(endpoint_url="http://example.com", region_name="x", credentials=("a", "b"))
    for _ in range(2):
        with pytest.raises(ClientStateError):
            await client.open()
    assert repr(client) == "<Client new>"


async def test_closing_while_opening_wins(monkeypatch):
    """A client that is closed while it opens is closed, and what was opened is closed too."""
    asked, go_on = asyncio.Event(), asyncio.Event()
    pipelines = []

    async def open_pipeline(settings):
        asked.set()
        await go_on.wait()
        pipelines.append(await pipeline_module.open_pipeline(settings))
        return pipelines[0]

    monkeypatch.setattr(runtime_module, "open_pipeline", open_pipeline)
    client = Client(credentials=("a", "b"), region_name="x", endpoint_url="http://127.0.0.1:1")
    opening = asyncio.create_task(client.open())
    await asked.wait()
    await client.aclose()
    go_on.set()
    with pytest.raises(ClientStateError, match="closed while"):
        await opening
    assert repr(client) == "<Client closed>"
    assert repr(pipelines[0]).startswith("<Pipeline closed,")


async def test_client_that_is_dropped_open_warns():
    """A client that nobody closed says so."""
    client = await Client(credentials=("a", "b"), region_name="x", endpoint_url="http://127.0.0.1:1").open()
    pipeline = client._runtime.pipeline
    assert pipeline is not None
    with pytest.warns(ResourceWarning, match="never closed"):
        del client
    await pipeline.aclose()


async def test_client_of_another_process_is_refused():
    """Connections do not survive a fork: the child is told to open a client of its own."""
    async with Client(caller=stub()) as client:
        client._runtime._home.leave()  # as the hook does in a forked child
        with pytest.raises(ClientStateError, match="another process"):
            await client.table(Customer).get("c1")


async def test_closing_ends_its_tasks():
    """What a client started ends with it."""
    client = await Client(caller=stub()).open()
    task = client._runtime.start(asyncio.sleep(3_600))
    failed = client._runtime.start(asyncio.to_thread(lambda: 1 / 0))
    await asyncio.wait([failed])
    await client.aclose()
    assert task.cancelled()


# ── tables ──


def test_handles_are_made_once():
    """The same table is the same handle."""
    client = Client()
    assert client.table(Customer) is client.table(Customer)
    assert client.table(Customer) is not client.table(Customer, name="archive")
    assert repr(client.table(Customer, name="archive")) == "<Table Customer in 'archive'>"


def test_what_holds_a_client_is_not_pickled():
    """A client is of one process; what would drag one along says so, and what can be pickled instead."""
    customers = Client().table(Customer)
    for held in (Client(), customers):
        with pytest.raises(TypeError, match=r"a client holds connections.* operations and queries can be pickled"):
            pickle.dumps(held)


def test_names_at_the_service():
    """A prefix is put before names, and a name of its own replaces both."""
    client = Client(table_prefix="dev-", table_names={"customers": "Prod-Customers"})
    assert client.table(Customer).name == "Prod-Customers"
    assert client.table("other", partition_key="pk").name == "dev-other"
    assert target_of(client.table(Customer)).schema.entity == "Customer"


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("legacy",), {}, "which attribute is its key"),
        ((Plain,), {}, "Plain"),
        ((Plain,), {"partition_key": "pk"}, "which table"),
        ((Plain,), {"partition_key": "none", "name": "plain"}, "no attribute 'none'"),
        ((Customer,), {"partition_key": "name", "name": "x"}, "by its decorator"),
        ((int,), {}, "int"),
        ((Customer(customer_id="c1", name="Ann"),), {}, "^an instance of Customer is not a class"),
        (([Customer],), {}, "^an instance of list is not a class"),
    ],
)
def test_table_that_cannot_be_is_refused(arguments, options, message):
    """What a handle lacks is said when it is asked for."""
    with pytest.raises(ModelError, match=message):
        Client().table(*arguments, **options)


def test_paths_of_a_handle():
    """Where no class gives paths, the handle does."""
    legacy = Client().table("legacy", partition_key="pk", sort_key="sk", sort_key_type=int)
    query = legacy.query(legacy.partition_key == "a", legacy.sort_key >= 3)
    assert query.to_wire()["KeyConditionExpression"] == "#pk = :pk AND #sk >= :sk"
    assert str(legacy.attribute("a.b", 0, "c")) == "legacy['a.b'][0].c"


# ── sending ──


async def test_operation_is_sent_and_answered():
    """Awaiting an operation, sending it and handing it to the client are the same."""
    caller = stub(GetItem={"Item": STORED})
    async with Client(caller=caller) as client:
        customers = client.table(Customer)
        assert await customers.get("c1") == await customers.get("c1").send() == await client.send(customers.get("c1"))
        task = asyncio.create_task(customers.get("c1").send())
        assert await task == ANN
    assert caller.payloads[0] == {"TableName": "customers", "Key": {"customer_id": {"S": "c1"}}}


async def test_operation_can_be_awaited_again():
    """The same operation sends the same request again."""
    caller = stub(GetItem=[{"Item": STORED}, {}])
    async with Client(caller=caller) as client:
        operation = client.table(Customer).get("c1")
        assert [await operation, await operation] == [ANN, None]
    assert caller.payloads[0] == caller.payloads[1]


async def test_failure_is_judged_by_its_operation():
    """What a false condition means is the verb's to say, with the stored item as an instance."""
    caller = stub(PutItem=ConditionalCheckFailedError("no", item=STORED))
    async with Client(caller=caller) as client:
        with pytest.raises(ItemExistsError) as raised:
            await client.table(Customer).insert(ANN)
        assert raised.value.stored(Customer) == ANN
        assert raised.value.stored(dict) == {"customer_id": "c1", "name": "Ann"}


async def test_stored_item_of_a_mapped_class():
    """An error reads the stored item as the class that was mapped, too."""
    item = {"pk": {"S": "a"}, "amount": {"N": "1.5"}}
    async with Client(caller=stub(PutItem=ConditionalCheckFailedError("no", item=item))) as client:
        plain = client.table(Plain, name="plain", partition_key="pk")
        with pytest.raises(ItemExistsError) as raised:
            await plain.insert(Plain("a", Decimal(1)))
        assert raised.value.stored(Plain) == Plain("a", Decimal("1.5"))


async def test_settled_operation_sends_nothing():
    """Where the result is known no request is made, however it is sent."""
    caller = stub()
    async with Client(caller=caller) as client:
        customers = client.table(Customer)
        same = Customer(customer_id="c1", name="Ann")
        assert await customers.patch(ANN, to=same) is same
        assert await client.send(customers.patch(ANN, to=same)) is same
    assert caller.requests == []


async def test_capacity_is_asked_for_where_somebody_listens():
    """With an instrument every request asks for what it consumes."""

    class Listener:
        def call_finished(self, call: Any) -> None: ...

    caller = stub(GetItem={}, Query={"Items": []})
    async with Client(caller=caller, instrument=Listener()) as client:
        await client.table(Customer).get("c1")
        await client.table(Customer).query(Customer.customer_id == "c1").all()
    assert [payload["ReturnConsumedCapacity"] for payload in caller.payloads] == ["TOTAL", "TOTAL"]


async def test_control_plane():
    """Anything about tables can be sent by its own name."""
    caller = stub(ListTables={"TableNames": ["a"]})
    async with Client(caller=caller) as client:
        assert await client.control("ListTables", {"Limit": 1}) == {"TableNames": ["a"]}


# ── cursors ──


async def test_cursor_key_encrypts_where_the_extra_is_installed():
    """A cursor key makes cursors that nobody reads, without which they are plain."""
    async with Client(caller=stub(), cursor_key="sixteen bytes or more") as client:
        assert repr(client._runtime.cursors) == "<CursorCodec encrypted>"
    async with Client(caller=stub()) as client:
        assert repr(client._runtime.cursors) == "<CursorCodec unauthenticated>"


async def test_cursor_key_authenticates_without_the_extra(monkeypatch):
    """Where the extra is missing, cursors are authenticated and not encrypted."""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.delitem(sys.modules, "mizzle_async.integrations.cursors", raising=False)
    async with Client(caller=stub(), cursor_key=b"sixteen bytes or more") as client:
        assert isinstance(client._runtime.cursors, CursorCodec)
        assert repr(client._runtime.cursors) == "<CursorCodec authenticated>"


def test_short_cursor_key_is_refused():
    """A key that can be guessed is none."""
    with pytest.raises(ValueError, match="cursor_key has 5 bytes"):
        Client(cursor_key="short")


async def test_key_and_sort_key_of_a_handle():
    """A handle without a sort key says so."""

    @entity("pairs")
    class Pair:
        left: PartitionKey[str]
        right: SortKey[str]

    client = Client()
    assert str(client.table(Pair).sort_key) == "Pair.right"
    with pytest.raises(Exception, match="has no sort key"):
        _ = client.table(Customer).sort_key
