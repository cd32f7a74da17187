"""Keys by condition, and queries of several partitions, on both engines."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    PartitionKey,
    SharedTable,
    SortKey,
    Table,
    UnindexedFilterWarning,
    attribute,
    entity,
    evolve,
)
from mizzle_async.testing import Engine

app = SharedTable("shared-notes", partition_key="PK", sort_key="SK")


@entity("notes")
class Note:
    author: PartitionKey[str]
    number: SortKey[int]
    text: Attribute[str] = attribute(default="")
    version: Attribute[int] = attribute(default=0, version=True)


@entity("authors")
class Author:
    name: PartitionKey[str]


@entity(app, partition_key="AUTHOR#{author}", sort_key="NOTE#{written}#{number:04}")
class SharedNote:
    author: PartitionKey[str]
    written: SortKey[datetime]
    number: SortKey[int]
    text: Attribute[str] = attribute(default="")


DAY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[Client]:
    """A client with the tables."""
    async with Client(
        endpoint_url=engine.endpoint_url,
        region_name=engine.region_name,
        credentials=engine.credentials,
        table_prefix=f"{uuid4().hex[:8]}-",
    ) as opened:
        await opened.ensure_tables(Note, Author, app)
        yield opened


@pytest.fixture
def notes(client: Client) -> Table[Note]:
    """The notes."""
    return client.table(Note)


async def test_every_verb_takes_a_key_by_conditions(client, notes):
    """Each verb about one item finds it by one equality for each attribute of its key."""
    key: tuple[Any, Any] = (Note.author == "a", Note.number == 1)
    assert await notes.get(*key) is None
    assert await notes.exists(*key) is False
    await notes.upsert(*key).set(Note.text, "x")
    assert (await notes.get_one(*key)).text == "x"
    assert await notes.exists(*key) is True
    assert await client.transact_get(notes.exists(*key), notes.exists(author="a", number=2)) == (True, False)
    assert (await notes.update(*key).set(Note.text, "y")).text == "y"
    assert (await notes.modify(*key, lambda note: evolve(note, text="z"))).text == "z"
    assert (await notes.modify(*key, change=lambda note: evolve(note, text="w"))).text == "w"
    await client.transact_write(notes.check(*key).when(Note.text == "w"), client.table(Author).put(Author(name="a")))
    assert notes.key(*key) == notes.key(author="a", number=1)
    async with notes.coalesced() as reads:
        assert (await reads.get(*key)).text == "w"
    assert (await notes.get_many([notes.key(*key)]))[0].text == "w"
    assert (await notes.delete(*key)).text == "w"
    assert await client.table(Author).get(Author.name == "a") == Author(name="a")


async def test_shared_entity_is_found_by_conditions_of_its_parts(client):
    """All parts of the texts are given by equality."""
    notes = client.table(SharedNote)
    key: tuple[Any, ...] = (SharedNote.author == "a", SharedNote.written == DAY, SharedNote.number == 1)
    await notes.upsert(*key).set(SharedNote.text, "x")
    assert await notes.get(*key) == SharedNote(author="a", written=DAY, number=1, text="x")
    with pytest.raises(ExpressionError, match="number is missing"):
        notes.get(*key[:2])


async def test_half_a_key_a_range_and_others_are_refused(notes):
    """Each refusal names the rest, or the right verb, when the operation is built."""
    for conditions, message in [
        ((Note.author == "a",), "number is missing"),
        ((Note.author == "a", Note.number >= 1), "a key is one value"),
        ((Note.author == "a", Note.text == "x"), "a key is given by =="),
        ((Note.author == "a", Note.author == "b"), "author is given twice"),
        ((Author.name == "a", Note.number == 1), "about another entity"),
        ((Note.author == "a", "x"), "a key is given by =="),
    ]:
        with pytest.raises(ExpressionError, match=message):
            notes.get(*conditions)
    with pytest.raises(ExpressionError, match="not both"):
        notes.get(Note.author == "a", number=1)


async def test_several_partitions_are_merged_or_chained(client):
    """Rows come in the order of the sort key, or partition by partition; limits count rows of all."""
    notes = client.table(SharedNote)
    await notes.put_many(
        SharedNote(author=author, written=DAY.replace(day=day), number=1) for author in "abc" for day in range(1, 9)
    )
    chosen = SharedNote.author.is_in(["c", "a", "c", "none"])

    def seen(rows: list[SharedNote]) -> list[str]:
        return [f"{row.author}{row.written.day}" for row in rows]

    merged = await notes.query(chosen, SharedNote.written >= DAY.replace(day=7)).all()
    assert sorted(seen(merged)[:2]) == ["a7", "c7"]
    assert sorted(seen(merged)[2:]) == ["a8", "c8"]
    chained = await notes.query(chosen, SharedNote.written >= DAY.replace(day=7), merged=False).all()
    assert seen(chained) == ["c7", "c8", "a7", "a8"]
    assert len(await notes.query(chosen, max_items=5).all()) == 5
    assert len(await notes.query(chosen, max_items=11, merged=False, page_size=3).all()) == 11
    assert await notes.query(chosen).count() == 16
    assert await notes.query(SharedNote.author.is_in(["b"])).count() == 8
    with pytest.raises(ExpressionError, match="a cursor stands in one"):
        await notes.query(chosen).page()
    with pytest.raises(ExpressionError, match="names no partition"):
        notes.query(SharedNote.author.is_in([]))


async def test_choice_of_partitions_of_a_plain_table(client, notes):
    """A plain entity is queried likewise, and the same words filter a scan."""
    for author in "abc":
        for number in range(3):
            await notes.insert(Note(author=author, number=number))
    rows = await notes.query(Note.author.is_in(["a", "b"]), Note.number >= 1, reverse=True).all()
    assert [row.number for row in rows] == [2, 2, 1, 1]
    with pytest.warns(UnindexedFilterWarning):
        filtered = notes.scan().filter(Note.author.is_in(["a", "b"]))
    assert len(await filtered.all()) == 6
