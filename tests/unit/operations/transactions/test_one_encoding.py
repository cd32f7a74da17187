"""A transaction is encoded once: the bytes that are measured are those that are sent."""

import pickle
from typing import Any

import pytest

from mizzle_async import Attribute, Client, LimitError, PartitionKey, attribute, entity
from mizzle_async.testing import StubCaller


@entity("notes")
class Note:
    id: PartitionKey[str]
    text: Attribute[str] = attribute(default="")


paths: Any = Note
LARGE = "x" * 410_000


@pytest.fixture
async def client() -> Any:
    """A client whose service accepts every transaction."""
    async with Client(caller=StubCaller({"TransactWriteItems": {}})) as opened:
        yield opened


async def test_the_bytes_that_were_measured_are_sent(client: Client) -> None:
    """The same object, not an equal one; awaited again, they are sent again."""
    notes = client.table(Note)
    transaction: Any = client.transact_write(notes.insert(Note(id="a")), notes.update("b").set(paths.text, "x"))
    caller: Any = client._runtime.pipeline
    for _ in range(2):
        await transaction
    assert [request.body is transaction._encoded for request in caller.requests] == [True, True]


async def test_a_transaction_out_of_a_pickle_is_encoded_for_its_new_client(client: Client) -> None:
    """The other client may ask for more, such as consumed capacity; the token stays."""
    notes = client.table(Note)
    original: Any = client.transact_write(notes.insert(Note(id="a")))
    copy = pickle.loads(pickle.dumps(original))
    await client.send(copy)
    caller: Any = client._runtime.pipeline
    assert caller.requests[0].body == original._encoded


@pytest.mark.parametrize("verb", ["insert", "put", "replace"])
async def test_an_item_that_is_too_large_is_refused_as_its_transaction_is_built(client: Client, verb: str) -> None:
    """Each item has its own limit, far below the transaction's."""
    notes: Any = client.table(Note)
    transact: Any = client.transact_write
    with pytest.raises(LimitError, match="Note"):
        transact(getattr(notes, verb)(Note(id="a", text=LARGE)))


async def test_tokens_are_drawn_one_by_one(client: Client) -> None:
    """36 characters from the kernel for each: a prefix in memory would be the same in a restored snapshot."""
    notes = client.table(Note)
    tokens = [client.transact_write(notes.put(Note(id="a"))).to_wire()["ClientRequestToken"] for _ in range(3)]
    assert len({token[start : start + 12] for token in tokens for start in (0, 12, 24)}) == 9
    assert {len(token) for token in tokens} == {36}
