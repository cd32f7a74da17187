"""Attributes that are keys of an index: what the service would refuse is refused before it is sent."""

import asyncio

import pytest

from mizzle_async import (
    Attribute,
    BatchError,
    Client,
    GlobalSecondaryIndex,
    ItemCollectionLimitWarning,
    LimitError,
    LocalSecondaryIndex,
    PartitionKey,
    SortKey,
    attribute,
    entity,
    evolve,
)
from mizzle_async.marshalling import Marshaller
from mizzle_async.model import schema_of
from mizzle_async.testing.stub import StubCaller


@entity("tickets")
class Ticket:
    id: PartitionKey[str]
    at: SortKey[int]
    status: Attribute[str | None] = attribute(default=None)
    owner: Attribute[str | None] = attribute(default=None, name="o")
    digest: Attribute[bytes | None] = attribute(default=None)
    rank: Attribute[int] = attribute(default=0)


BY_STATUS = GlobalSecondaryIndex("by-status", partition_key=Ticket.status, sort_key=Ticket.rank)
BY_OWNER = GlobalSecondaryIndex("by-owner", partition_key=Ticket.owner)
with pytest.warns(ItemCollectionLimitWarning):
    BY_DIGEST = LocalSecondaryIndex("by-digest", sort_key=Ticket.digest)


@entity("notes")
class Note:
    id: PartitionKey[str]
    text: Attribute[str] = attribute(default="")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"status": ""}, r"^Ticket.status: expected a partition key of index 'by-status' of 1 to 2,048 bytes, .* 0;"),
        ({"status": "ä" * 1_025}, r"^Ticket.status: expected .* of 1 to 2,048 bytes, found one of 2,050;"),
        ({"owner": ""}, r"^Ticket.o: expected a partition key of index 'by-owner'"),
        ({"digest": b""}, r"^Ticket.digest: expected a sort key of index 'by-digest' of 1 to 1,024 bytes"),
        ({"digest": bytes(1_025)}, r"^Ticket.digest: expected a sort key .*, found one of 1,025;"),
    ],
)
@pytest.mark.parametrize("verb", ["insert", "put", "replace"])
def test_a_key_of_an_index_has_the_limits_of_keys(verb, values, message):
    """Whole items whose index keys are empty or too long are refused when the operation is built."""
    tickets = Client().table(Ticket)
    with pytest.raises(LimitError, match=message):
        getattr(tickets, verb)(Ticket(id="a", at=1, **values))


def test_what_is_within_the_limits_is_written():
    """The longest keys are written, and items without the attribute, which are not in the index."""
    tickets = Client().table(Ticket)
    longest = Ticket(id="a", at=1, status="ä" * 1_024, owner="x", digest=bytes(1_024))
    assert tickets.put(longest).to_wire()["Item"]["status"] == {"S": "ä" * 1_024}
    assert "status" not in tickets.put(Ticket(id="a", at=1)).to_wire()["Item"]


def test_bulk_writes_check_them_too():
    """An item of a bulk write is refused like one of a single write."""

    async def load() -> None:
        async with Client(caller=StubCaller({})) as client:
            await client.table(Ticket).put_many([Ticket(id="a", at=1, status="")])

    with pytest.raises(BatchError, match=r"0 done, 1 not done, .*LimitError: .*by-status"):
        asyncio.run(load())


def test_updates_check_what_they_assign():
    """An attribute that is assigned on its own has the limits of keys too, however it is assigned."""
    tickets = Client().table(Ticket)
    old = Ticket(id="a", at=1, status="", owner="x")
    for assign in (
        lambda: tickets.update(old).set(Ticket.status, ""),
        lambda: tickets.update(old).set({"status": "ä" * 1_025}),
        lambda: tickets.upsert(id="a", at=1).set_default(Ticket.status, ""),
        lambda: tickets.patch(Ticket(id="a", at=1), to=old),
    ):
        with pytest.raises(LimitError, match="a partition key of index 'by-status'"):
            assign()
    assert tickets.update(old).set(Ticket.status, None).to_wire()["UpdateExpression"] == "REMOVE #status"
    assert tickets.patch(old, to=evolve(old, owner="y")).to_wire()["UpdateExpression"] == "SET #o = :o"


def test_an_item_that_was_read_can_be_changed_whatever_it_has():
    """An item that is older than the index can be patched: only what is written new is checked."""
    tickets = Client().table(Ticket)
    operation = tickets.patch(Ticket(id="a", at=1, status=""), to=Ticket(id="a", at=1, status="open"))
    assert operation.to_wire()["UpdateExpression"] == "SET #status = :status"


def test_an_entity_without_indexes_pays_nothing():
    """Without an index there is no further step."""
    codec = Marshaller().codec(schema_of(Note))
    assert codec.encode_new is codec.encode
