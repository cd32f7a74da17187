"""Several entities of one table read together, on both engines."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import uuid4

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    GlobalSecondaryIndex,
    InvalidCursorError,
    MarshallingError,
    ModelError,
    PartitionKey,
    SharedTable,
    SortKey,
    attribute,
    entity,
    key_template,
)
from mizzle_async.testing import Engine

app = SharedTable("forge", partition_key="PK", sort_key="SK")
GSI1 = app.index("GSI1", partition_key="GSI1PK", sort_key="GSI1SK")


class State(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


@entity(app, partition_key="REPO#{owner}#{name}", sort_key="REPO#{owner}#{name}")
class Repository:
    owner: PartitionKey[str]
    name: PartitionKey[str]
    about: Attribute[str | None] = attribute(default=None)


@entity(app, partition_key="REPO#{owner}#{name}", sort_key="ISSUE#{number:06}")
class Issue:
    owner: PartitionKey[str]
    name: PartitionKey[str]
    number: SortKey[int]
    state: Attribute[State] = attribute(default=State.OPEN)


@entity(app, partition_key="REPO#{owner}#{name}", sort_key="ISSUE#{number:06}#COMMENT#{written:seconds}")
class Comment:
    owner: PartitionKey[str]
    name: PartitionKey[str]
    number: SortKey[int]
    written: SortKey[datetime]
    text: Attribute[str]


@entity(app, partition_key="REPO#{owner}#{name}", sort_key="STAR#{user}")
class Star:
    owner: PartitionKey[str]
    name: PartitionKey[str]
    user: SortKey[str]


@entity(app, partition_key="USER#{user}", sort_key="USER")
class User:
    user: PartitionKey[str]
    points: Attribute[Decimal] = attribute(default=Decimal(0))


for _model in (Repository, Issue):
    GlobalSecondaryIndex(
        GSI1,
        partition_key=key_template("OWNER#{}", _model.owner),
        sort_key=key_template("{}", _model.name),
    )

HERE = {"owner": "o", "name": "n"}
DAY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[Client]:
    """A client with one repository, twelve issues, comments on two of them, and stars."""
    async with Client(
        endpoint_url=engine.endpoint_url,
        region_name=engine.region_name,
        credentials=engine.credentials,
        table_prefix=f"{uuid4().hex[:8]}-",
    ) as opened:
        await opened.ensure_tables(app)
        await opened.collection(app).put_many(everything())
        yield opened


def everything() -> list[Any]:
    """Return the items of the table."""
    issues = [Issue(**HERE, number=number, state=State.OPEN if number % 2 else State.CLOSED) for number in range(1, 13)]
    comments = [Comment(**HERE, number=number, written=DAY, text="hm") for number in (1, 11)]
    stars = [Star(**HERE, user=f"u{number}") for number in range(20)]
    return [Repository(**HERE), *issues, *comments, *stars, User(user="u1")]


def here(model: Any) -> Any:
    """Return the key condition of the repository, said by one of its entities."""
    return model.owner == "o", model.name == "n"


async def test_several_entities_come_from_one_query(client):
    """Rows are instances of their classes, in the order of the stored keys, whoever says the partition."""
    found = client.collection(Repository, Issue)
    by_repository = await found.query(*here(Repository)).all()
    assert [type(row) for row in by_repository] == [Issue] * 12 + [Repository]
    assert await found.query(*here(Issue)).all() == by_repository
    assert await found.query(*here(Issue)).count() == 13


async def test_neighbours_are_not_evaluated(client):
    """A repository and its issues do not read its stars."""
    page = await client.collection(Repository, Issue).query(*here(Issue)).page()
    assert page.evaluated == 12 + 2 + 1  # issues, comments between them, the repository
    alone = await client.collection(Issue).query(*here(Issue)).page()
    assert [type(row) for row in alone.items] == [Issue] * 12


async def test_grouped_gives_one_list_for_each_entity(client):
    """The lists come in the order in which the collection names its classes."""
    repositories, issues, stars = await client.collection(Repository, Issue, Star).query(*here(Star)).grouped()
    assert (len(repositories), len(issues), len(stars)) == (1, 12, 20)


async def test_range_of_one_entity_narrows(client):
    """A comparison of the sort key reads the range of its entity, and what lies in it."""
    found = client.collection(Issue, Comment)
    rows = await found.query(*here(Issue), Issue.number >= 11).all()
    assert [(type(row), row.number) for row in rows] == [(Issue, 11), (Comment, 11), (Issue, 12)]


async def test_whole_key_stands_for_what_is_below_it(client):
    """An issue comes with its comments, and no other issue whose number begins alike."""
    found = client.collection(Issue, Comment)
    rows = await found.query(*here(Issue), Issue.number == 1).all()
    assert [(type(row), row.number) for row in rows] == [(Issue, 1), (Comment, 1)]
    assert await client.collection(Issue).query(*here(Issue), Issue.number == 1).count() == 1


async def test_filter_is_about_one_entity(client):
    """Items of the other entities stay."""
    found = client.collection(Repository, Issue).query(*here(Issue)).filter(Issue.state == State.OPEN)
    assert [type(row) for row in await found.all()] == [Issue] * 6 + [Repository]


async def test_pages_and_cursors(client):
    """A page counts rows of any class; a cursor belongs to its collection and its query."""
    query = client.collection(Repository, Issue).query(*here(Issue))
    first = await query.page(max_items=11)
    second = await query.page(first.cursor, max_items=11)
    assert (len(first.items), len(second.items), second.cursor) == (11, 2, None)
    with pytest.raises(InvalidCursorError):
        await client.collection(Repository, Issue).query(*here(Issue), reverse=True).page(first.cursor)


async def test_scan_reads_what_the_collection_names(client):
    """A scan of two entities in parallel segments gives their items alone."""
    rows = [row async for row in client.collection(Repository, User).scan(segments=3)]
    assert sorted(type(row).__name__ for row in rows) == ["Repository", "User"]
    assert len(await client.collection(app).scan().all()) == len(everything())


async def test_get_many_takes_keys_of_all_entities(client):
    """Items come in the order of the keys, None for a missing one."""
    issues, users = client.table(Issue), client.table(User)
    keys = [users.key("u1"), issues.key(**HERE, number=3), users.key("none")]
    user, issue, missing = await client.collection(Issue, User).get_many(keys)
    assert (user, issue.number, missing) == (User(user="u1"), 3, None)
    with pytest.raises(ExpressionError, match="takes keys of these entities, not of User"):
        client.collection(Issue, Star).get_many(keys)


async def test_index_that_all_entities_fill(client):
    """A query of an index reads each entity by its own mapping."""
    index = Issue.__mizzle_indexes__
    by_owner = next(iter(index.values()))
    rows = await client.collection(Repository, Issue).query(by_owner.partition_key == "o").all()
    assert len(rows) == 13
    with pytest.raises(ExpressionError, match="Star fills index 'GSI1' in 0 ways"):
        client.collection(Issue, Star).query(by_owner.partition_key == "o")


async def test_foreign_items_are_left_out_or_raise(client):
    """An item of no entity of the collection is never decoded as another."""
    stored = client.table("forge", partition_key="PK", sort_key="SK")
    await stored.put({"PK": "REPO#o#n", "SK": "ISSUE#000013", "_type": "PullRequest"})
    await stored.put({"PK": "REPO#o#n", "SK": "ISSUE#x"})
    assert await client.collection(Repository, Issue).query(*here(Issue)).count() == 13
    strict = client.collection(Repository, Issue, unknown="raise")
    with pytest.raises(MarshallingError, match="found a foreign one"):
        await strict.query(*here(Issue)).all()


async def test_collections_that_make_no_sense_are_refused(client):
    """Names, plain classes and conditions of other entities are refused."""
    with pytest.raises(ModelError, match="takes classes, not 'Issue'"):
        client.collection("Issue")
    with pytest.raises(ModelError, match="int is no entity of a shared table"):
        client.collection(int)
    with pytest.raises(ExpressionError, match="about User, which is not in this collection"):
        client.collection(Issue, Star).query(User.user == "u1")
    with pytest.raises(ExpressionError, match="a query needs `partition key == value` first"):
        client.collection(Issue, Star).query(Issue.number >= 1)


async def test_union_and_base_class_name_collections(client):
    """A union stands for its classes, and a table for all of its entities."""
    assert await client.collection(Repository | Issue).query(*here(Issue)).count() == 13
    assert "Repository | Issue" in repr(client.collection(Repository | Issue))


async def test_expired_items_of_a_collection_are_hidden(engine):
    """A member's time to live hides its expired items in queries, counts and scans; the others stay."""
    table = SharedTable(f"jobs-{uuid4().hex[:8]}", partition_key="PK", sort_key="SK")

    @entity(table, partition_key="JOB#{number}", sort_key="JOB")
    class Job:
        number: PartitionKey[str]
        ends: Attribute[datetime | None] = attribute(default=None, time_to_live=True)

    @entity(table, partition_key="JOB#{number}", sort_key="LOG#{line:04}")
    class Log:
        number: PartitionKey[str]
        line: SortKey[int]

    async with Client(
        endpoint_url=engine.endpoint_url,
        region_name=engine.region_name,
        credentials=engine.credentials,
        clock=lambda: 4e9,  # far ahead, so that an engine itself never finds an item expired
    ) as client:
        await client.ensure_tables(table)
        gone = datetime.fromtimestamp(4e9, UTC) - timedelta(hours=1)
        await client.collection(table).put_many([Job(number="1", ends=gone), Log(number="1", line=1), Job(number="2")])
        found = client.collection(Job, Log)
        assert await found.query(Job.number == "1").all() == [Log(number="1", line=1)]
        assert await found.query(Job.number == "1").count() == 1
        assert await found.query(Job.number == "1", include_expired=True).count() == 2
        assert await found.query(Job.number == "1").grouped() == ([], [Log(number="1", line=1)])
        assert len(await found.scan().all()) == 2
