"""What `explain` estimates, beside what the engine says it consumed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mizzle_async import Attribute, CallRecord, Client, PartitionKey, SortKey, attribute, entity, evolve


@entity("notes")
class Note:
    author: PartitionKey[str]
    number: SortKey[int]
    text: Attribute[str] = attribute(default="")


class Consumed:
    """Remembers what each call consumed."""

    def __init__(self) -> None:
        self.units: list[float] = []

    def call_finished(self, call: CallRecord) -> None:
        """Note one call."""
        if call.consumed_capacity is not None:
            self.units.append(call.consumed_capacity["CapacityUnits"])


@pytest.fixture
def consumed() -> Consumed:
    """What the calls of a test consumed."""
    return Consumed()


@pytest.fixture
async def notes(dynamodb_local, new_table_name, consumed) -> AsyncIterator[Any]:
    """A handle of an empty table on DynamoDB Local, which counts as the service does."""
    async with Client(
        endpoint_url=dynamodb_local.endpoint_url,
        region_name=dynamodb_local.region_name,
        credentials=dynamodb_local.credentials,
        table_names={"notes": new_table_name()},
        instrument=consumed,
    ) as client:
        await client.create_table(Note)
        yield client.table(Note)


@pytest.mark.parametrize("size", [1, 900, 1_100, 5_000, 100_000])
async def test_writes(notes, consumed, size):
    """A put, an insert and a replacing update cost what was estimated."""
    note = Note(author="a", number=1, text="x" * size)
    for operation in (notes.insert(note), notes.put(note), notes.replace(note)):
        estimate = operation.explain().capacity
        await operation
        assert consumed.units.pop() == estimate.write_units


@pytest.mark.parametrize("consistent", [False, True])
async def test_read_of_a_small_item(notes, consumed, consistent):
    """A read of up to 4 KB costs what was estimated; consistent, twice as much."""
    await notes.put(Note(author="a", number=1, text="x"))
    operation = notes.get(author="a", number=1, consistent_read=consistent)
    estimate = operation.explain().capacity
    await operation
    assert consumed.units[-1] == estimate.read_units


async def test_estimates_are_from_below(notes, consumed):
    """What depends on what is stored is estimated from below, and says so."""
    await notes.put(Note(author="a", number=1, text="x" * 9_000))
    for operation in (
        notes.get(author="a", number=1),
        notes.update(author="a", number=1).set(Note.text, "y"),
        notes.delete(author="a", number=1),
    ):
        estimate = operation.explain().capacity
        assert estimate.at_least
        await operation
        assert consumed.units.pop() >= max(estimate.read_units, estimate.write_units)


async def test_query_and_scan(notes, consumed):
    """A page of a few small items costs the least that a page can."""
    await notes.put(Note(author="a", number=1))
    for query in (notes.query(Note.author == "a"), notes.query(Note.author == "a", consistent_read=True), notes.scan()):
        estimate = query.explain().capacity
        await query.all()
        assert consumed.units.pop() == estimate.read_units


async def test_a_block_uses_what_its_calls_report(client):
    """The usage of a block has the requests and units of the reports in it, bulk work and its tasks included."""
    await client.ensure_tables(Note)
    notes = client.table(Note)
    with client.usage() as used:
        loaded = await notes.put_many(Note(author="a", number=number, text="x" * 1500) for number in range(60))
        changed = await notes.query(Note.author == "a").rewrite(lambda note: evolve(note, text="y"))
        rows = await notes.scan(segments=3).all()
        page = await notes.query(Note.author == "a").page(max_items=20)
    assert (len(rows), len(page.items), loaded.written, changed.written) == (60, 20, 60, 60)
    assert used.write_units == loaded.write_units + changed.write_units
    assert used.read_units >= changed.read_units + page.read_units > 0
    assert used.requests == used.calls >= loaded.write_requests + changed.write_requests + changed.read_requests + 4
    assert used.tables[notes.name].write_units == used.write_units
