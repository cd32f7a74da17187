"""Cases of one table for many entities that a first design forgets: each with its answer, or its error."""

import logging
import pickle
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
    Heat,
    InvalidCursorError,
    ItemExistsError,
    MarshallingError,
    MizzleError,
    ModelError,
    PartitionKey,
    SharedTable,
    SortKey,
    Table,
    UniqueConstraintError,
    attribute,
    document,
    entity,
    evolve,
    key_template,
)
from mizzle_async.testing import Engine

app = SharedTable("cases", partition_key="PK", sort_key="SK")
GSI1 = app.index("GSI1", partition_key="GSI1PK", sort_key="GSI1SK")
KEYS = app.index("KEYS", partition_key="KPK", sort_key="KSK", projection="keys_only")
DAY = datetime(2026, 1, 1, tzinfo=UTC)


class Mode(StrEnum):
    IN = "IN"
    INNER = "INNER"


@entity(app, partition_key="TEAM#{team}", sort_key="MODE#{mode}#{number:04}")
class Entry:
    team: PartitionKey[str]
    mode: SortKey[Mode]
    number: SortKey[int]
    text: Attribute[str] = attribute(default="")


@entity(app, partition_key="TEAM#{team}", sort_key="ORDER#{order_id}")
class Order:
    team: PartitionKey[str]
    order_id: SortKey[str]
    email: Attribute[str | None] = attribute(default=None, unique=True)
    note: Attribute[str] = attribute(default="")
    changed: Attribute[datetime | None] = attribute(default=None, updated_at=True)


CHANGED = GlobalSecondaryIndex(
    GSI1, partition_key=key_template("ORDERS"), sort_key=key_template("{}#{}", Order.changed, Order.order_id)
)
BY_ID = GlobalSecondaryIndex(
    KEYS, partition_key=key_template("ID#{}", Order.order_id), sort_key=key_template("{}", Order.team)
)


@entity(app, partition_key="TEAM#{team}", sort_key="ORDERS#{note_id}", type_name=("Note", "Memo"))
class Note:
    team: PartitionKey[str]
    note_id: SortKey[str]
    email: Attribute[str | None] = attribute(default=None, unique=True)


@entity(app, partition_key="MAIL#{address:lower}", sort_key="{at:day}")
class Mail:
    address: PartitionKey[str]
    at: SortKey[datetime]
    body: Attribute[str] = attribute(default="")


@entity(app, partition_key="CITY#{country}", sort_key="{city}#{street}")
class Street:
    country: PartitionKey[str]
    city: SortKey[str]
    street: SortKey[str]


@entity(app, partition_key="REPO#{owner}#{name}", sort_key="REPO#{owner}#{name}")
class Repo:
    owner: PartitionKey[str]
    name: PartitionKey[str]


@entity(app, partition_key="LEAN#{name}", sort_key="{tag}")
class Lean:
    name: PartitionKey[str]
    tag: SortKey[str] = attribute(key_only=True)
    text: Attribute[str] = attribute(default="")


@entity(app, partition_key="BOOK#{isbn}", sort_key="{number}")
class Copy:
    isbn: PartitionKey[str]
    number: SortKey[int]


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[Client]:
    """A client with the table, empty."""
    async with Client(
        endpoint_url=engine.endpoint_url,
        region_name=engine.region_name,
        credentials=engine.credentials,
        table_prefix=f"{uuid4().hex[:8]}-",
    ) as opened:
        await opened.ensure_tables(Order)  # one entity stands for its whole table
        yield opened
        await opened.delete_table(app)


@pytest.fixture
def stored(client: Client) -> Table[dict[str, Any]]:
    """The table as it is stored."""
    return client.table("cases", partition_key="PK", sort_key="SK")


async def test_one_entity_makes_the_whole_table(client: Client) -> None:
    """`ensure_tables(Order)` makes every index of the table, and is content with it afterwards."""
    described = await client.describe_table(app)
    assert set(described.indexes) == {"GSI1", "KEYS"}
    await client.ensure_tables(app, Entry, Mail)


async def test_values_that_begin_alike_are_apart(client: Client) -> None:
    """Of the modes IN and INNER one query never returns the other's items."""
    entries = client.table(Entry)
    await entries.put_many(Entry(team="t", mode=mode, number=number) for mode in Mode for number in (1, 2))
    for mode in Mode:
        found = await entries.query(Entry.team == "t", Entry.mode == mode).all()
        assert [(each.mode, each.number) for each in found] == [(mode, 1), (mode, 2)]
    narrowed = await entries.query(Entry.team == "t", Entry.mode == Mode.IN, Entry.number > 1).all()
    assert [each.number for each in narrowed] == [2]


async def test_prefix_of_one_entity_does_not_leak_into_another(client: Client) -> None:
    """An entity of the prefix `ORDERS#` is not in the range of `ORDER#`, though the texts begin alike."""
    await client.table(Order).insert(Order(team="t", order_id="1"))
    await client.table(Note).insert(Note(team="t", note_id="1"))
    assert len(await client.table(Order).query(Order.team == "t").all()) == 1
    assert len(await client.table(Order).query(Order.team == "t", Order.order_id.begins_with("1")).all()) == 1
    assert len(await client.table(Note).query(Note.team == "t").all()) == 1


async def test_equality_of_a_middle_part_is_exact(client: Client) -> None:
    """The city `a` does not return the streets of `ab`."""
    streets = client.table(Street)
    await streets.put_many(
        Street(country="c", city=city, street=street) for city in ("a", "ab", "a b") for street in ("1", "10")
    )
    found = await streets.query(Street.country == "c", Street.city == "a").all()
    assert [(each.city, each.street) for each in found] == [("a", "1"), ("a", "10")]
    assert len(await streets.query(Street.country == "c", Street.city.begins_with("a")).all()) == 6


def test_range_that_cannot_be_exact_is_refused() -> None:
    """Text in the middle, a number without a width, a bucket: the refusal says why, and what is exact."""
    client = Client()
    streets, mails, copies = client.table(Street), client.table(Mail), client.table(Copy)
    with pytest.raises(ExpressionError, match="no fixed width"):
        streets.query(Street.country == "c", Street.city >= "a")
    with pytest.raises(ExpressionError, match="begins_with"):
        mails.query(Mail.address == "a@b", Mail.at >= DAY)
    with pytest.raises(ExpressionError, match=r"\{number:010\}"):
        copies.query(Copy.isbn == "1", Copy.number >= 2)


async def test_bucket_and_lower_case_are_taken_of_the_value(client: Client) -> None:
    """Equality takes the day of a moment, and the lower case of a text; the attribute keeps the value."""
    mails = client.table(Mail)
    await mails.insert(Mail(address="Ada@Example.org", at=DAY.replace(hour=9)))
    found = await mails.query(Mail.address == "ADA@example.org", Mail.at == DAY.replace(hour=17)).all()
    assert [(each.address, each.at.hour) for each in found] == [("Ada@Example.org", 9)]


async def test_less_than_of_the_last_text_is_exact(client: Client, stored: Table[dict[str, Any]]) -> None:
    """The range ends at the value, and a filter leaves the value itself out; a part in the key alone is refused."""
    orders = client.table(Order)
    for number in ("1", "10", "2"):
        await orders.insert(Order(team="t", order_id=number))
    found = await orders.query(Order.team == "t", Order.order_id < "10").all()
    assert [each.order_id for each in found] == ["1"]
    with pytest.raises(ExpressionError, match="key"):
        client.table(Lean).query(Lean.name == "a", Lean.tag < "b")


async def test_parts_of_the_partition_key_are_known_in_the_sort_key(client: Client) -> None:
    """A sort key that repeats them is given once, and a query sends one equality."""
    repos = client.table(Repo)
    await repos.insert(Repo(owner="ada", name="engine"))
    assert await repos.get(owner="ada", name="engine") == Repo(owner="ada", name="engine")
    sent = repos.query(Repo.owner == "ada", Repo.name == "engine").to_wire()
    assert sent["KeyConditionExpression"] == "#PK = :PK AND #SK = :PK"  # one text, sent once


async def test_part_in_the_key_alone_is_refused_where_only_attributes_can_be(client: Client) -> None:
    """A filter, a condition and a clause about it are refused; a read takes it from the key."""
    leans = client.table(Lean)
    await leans.insert(Lean(name="a", tag="t"))
    assert await leans.query(Lean.name == "a").all() == [Lean(name="a", tag="t")]
    with pytest.raises(ExpressionError, match="in the key alone"):
        leans.scan().filter(Lean.tag == "t")
    with pytest.raises(ExpressionError, match="in the key alone"):
        leans.update(name="a", tag="t").set(Lean.text, "x").when(Lean.tag == "t")
    with pytest.raises(ExpressionError, match=r"is a key|in the key alone"):
        leans.update(name="a", tag="t").set(Lean.tag, "u")
    assert await leans.query(Lean.name == "a").project(Lean.tag, Lean.name).all() == [("t", "a")]


async def test_old_type_name_is_read_and_never_written(client: Client, stored: Table[dict[str, Any]]) -> None:
    """An alias is an old name of the class: its items are read, and a write gives them the new one."""
    await stored.put({"PK": "TEAM#t", "SK": "ORDERS#n1", "_type": "Memo", "team": "t", "note_id": "n1"})
    notes = client.table(Note)
    (note,) = await notes.query(Note.team == "t").all()
    assert note == Note(team="t", note_id="n1")
    assert await client.collection(Note, Order).query(Note.team == "t").all() == [note]


async def test_item_without_a_type_is_known_by_its_key(client: Client, stored: Table[dict[str, Any]]) -> None:
    """Its key belongs to one registered entity, in a query and in a collection; another key is foreign."""
    await stored.put({"PK": "TEAM#t", "SK": "ORDERS#n1", "team": "t", "note_id": "n1"})
    await stored.put({"PK": "TEAM#t", "SK": "THING#1"})
    assert await client.table(Note).query(Note.team == "t").all() == [Note(team="t", note_id="n1")]
    assert await client.collection(app).query(Note.team == "t").all() == [Note(team="t", note_id="n1")]


async def test_cursor_belongs_to_its_question(client: Client) -> None:
    """The cursor of a collection is no cursor of another collection, nor of an entity's query."""
    await client.table(Entry).put_many(Entry(team="t", mode=Mode.IN, number=number) for number in range(3))
    page = await client.collection(Entry, Order).query(Entry.team == "t").page(max_items=1)
    for other in (
        client.collection(Entry, Note).query(Entry.team == "t"),
        client.table(Entry).query(Entry.team == "t"),
        client.collection(Entry, Order).query(Entry.team == "t").filter(Entry.text == "x"),
    ):
        with pytest.raises(InvalidCursorError):
            await other.page(page.cursor)


async def test_time_of_change_is_one_moment_in_attribute_and_index(
    client: Client, stored: Table[dict[str, Any]]
) -> None:
    """`updated_at` as a part of an index key is written with the attribute, on every write."""
    orders = client.table(Order)
    placed = await orders.insert(Order(team="t", order_id="1"))
    for write in (
        orders.patch(placed, to=evolve(placed, note="a")),
        orders.update(team="t", order_id="1").set(Order.note, "b"),
    ):
        changed = await write
        (item,) = await stored.query(stored.partition_key == "TEAM#t").all()
        assert item["GSI1SK"] == f"{item['changed']}#1"
        assert changed.changed is not None
        assert changed.changed.isoformat().startswith(item["changed"][:19])
    found = await orders.query(CHANGED.partition_key == (), CHANGED.sort_key > (DAY,)).all()
    assert [each.order_id for each in found] == ["1"]


async def test_unique_attributes_of_two_entities_are_two_namespaces(client: Client) -> None:
    """One e-mail may be an order's and a note's; twice of one entity is refused; guards never show."""
    orders, notes = client.table(Order), client.table(Note)
    await orders.insert(Order(team="t", order_id="1", email="a@b"))
    await notes.insert(Note(team="t", note_id="1", email="a@b"))
    with pytest.raises(UniqueConstraintError):
        await notes.insert(Note(team="t", note_id="2", email="a@b"))
    everything = client.collection(app)
    assert len(await everything.query(Order.team == "t").all()) == 2
    assert len(await everything.scan().all()) == 2
    assert await everything.scan().count() == 2


async def test_key_of_another_class_is_an_item_that_exists(client: Client, stored: Table[dict[str, Any]]) -> None:
    """An insert over a foreign item fails, and its content is never decoded as the class."""
    await stored.put({"PK": "TEAM#t", "SK": "ORDERS#1", "_type": "Strange", "team": "t"})
    with pytest.raises(ItemExistsError) as failure:
        await client.table(Note).insert(Note(team="t", note_id="1"))
    with pytest.raises(MizzleError):
        failure.value.stored(Note)


async def test_index_of_keys_alone_is_typed_by_the_key(client: Client) -> None:
    """An index without the type attribute finds an entity's items by their keys, and hydrates them."""
    orders = client.table(Order)
    await orders.insert(Order(team="t", order_id="1"))
    (found,) = await orders.query(BY_ID.partition_key == "1").hydrate().all()
    assert (found.team, found.order_id) == ("t", "1")
    assert await orders.query(BY_ID.partition_key == "1").count() == 1
    assert await orders.query(BY_ID.partition_key == "1").project(Order.order_id).all() == [("1",)]


async def test_upsert_gives_all_parts_of_an_index_key_or_none(client: Client) -> None:
    """Some of them would leave a key that is not its format."""
    table = SharedTable("some", partition_key="PK")
    index = table.index("I", partition_key="IPK")

    @entity(table, partition_key="A#{name}")
    class Thing:
        name: PartitionKey[str]
        one: Attribute[str] = attribute(default="1")
        two: Attribute[str] = attribute(default="2")
        name_of: Attribute[str] = attribute(default="")

    GlobalSecondaryIndex(index, partition_key=key_template("{}#{}", Thing.one, Thing.two))
    things = client.table(Thing)
    with pytest.raises(ExpressionError, match="give two too, or none"):
        things.upsert("a").set(Thing.one, "x").to_wire()
    sent = things.upsert("a").set_default(Thing.name_of, "n").to_wire()["UpdateExpression"]
    assert "#IPK = if_not_exists(#IPK, :IPK)" in sent
    for unknown in (
        things.update("a").set(Thing.one, Thing.two),
        things.update("a").set(Thing.two, "x"),
        things.update("a").set(Thing.two, "x").when((Thing.one == "a") | (Thing.one == "b")),
    ):
        with pytest.raises(ExpressionError, match="not known"):
            unknown.to_wire()


@document
class Address:
    city: Attribute[str]


@pytest.mark.parametrize("kind", [float, bool, bytes, timedelta, Address, set[str], list[str]])
def test_type_that_has_no_place_in_a_key_is_refused(kind: Any) -> None:
    """The class is refused when it is made, and the message says what can be a part."""
    body = {"__annotations__": {"part": PartitionKey[kind]}, "__module__": __name__}
    with pytest.raises(ModelError, match=r"part|key"):
        entity(SharedTable("things", partition_key="PK"), partition_key="A#{part}")(type("Thing", (), body))


def test_parts_of_fixed_width_need_no_literal_between_them() -> None:
    """A date and a number of four digits are told apart by their widths."""
    body = {"__annotations__": {"day": PartitionKey[datetime], "n": PartitionKey[int]}, "__module__": __name__}
    made: Any = entity(SharedTable("things", partition_key="PK"), partition_key="{day:seconds}{n:04}")(
        type("Thing", (), body)
    )
    assert Client().table(made).key(day=DAY, n=7) is not None


def test_collection_of_entities_that_never_meet_is_refused() -> None:
    """Two tables, or two partitions that cannot be one."""
    other = SharedTable("other", partition_key="PK")

    @entity(other, partition_key="X#{name}")
    class Elsewhere:
        name: PartitionKey[str]

    client = Client()
    with pytest.raises(ModelError, match="table"):
        client.collection(Order, Elsewhere)
    with pytest.raises(ExpressionError, match="item of Repo is never in a partition of Mail"):
        client.collection(Mail, Repo).query(Mail.address == "a")


def test_collection_does_not_depend_on_the_value_that_is_asked_for() -> None:
    """Formats say whether entities can meet: a value that only one of them could have is no error."""
    table = SharedTable("meeting", partition_key="PK", sort_key="SK")

    @entity(table, partition_key="X#{name}", sort_key="A")
    class Named:
        name: PartitionKey[str]

    @entity(table, partition_key="X#{number:04}", sort_key="B")
    class Numbered:
        number: PartitionKey[int]

    both = Client().collection(Named, Numbered)
    for name in ("abc", "0007"):
        assert both.query(Named.name == name).to_wire()["ExpressionAttributeValues"][":PK"] == {"S": f"X#{name}"}


def test_values_of_a_shared_entity_travel_by_pickle() -> None:
    """Paths, keys, conditions and operations arrive as they were sent."""
    client = Client()
    orders = client.table(Order)
    for value in (orders.key(team="t", order_id="1"), Order(team="t", order_id="1", changed=DAY)):
        assert pickle.loads(pickle.dumps(value)) == value
    condition = pickle.loads(pickle.dumps(Order.order_id >= "1"))
    assert orders.query(Order.team == "t", condition).to_wire() == (
        orders.query(Order.team == "t", Order.order_id >= "1").to_wire()
    )


async def test_each_client_has_its_own_name_of_the_table(client: Client, engine: Engine) -> None:
    """A prefix is the client's; the declaration is one object."""
    assert client.table(Order).name != Client(table_prefix="b-").table(Order).name == "b-cases"
    assert app.name == "cases"


async def test_keys_are_values_and_never_logged(
    engine: Engine, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Logs, reprs, texts and pickles of errors show no part of a key."""
    orders = client.table(Order)
    with caplog.at_level(logging.DEBUG):
        await orders.insert(Order(team="SECRET", order_id="HIDDEN"))
        with pytest.raises(ItemExistsError) as failure:
            await orders.insert(Order(team="SECRET", order_id="HIDDEN"))
        with pytest.raises(MarshallingError) as misfit:
            orders.insert(Order(team="SECRET#", order_id="HIDDEN"))
    shown = caplog.text + str(failure.value) + repr(failure.value) + repr(orders) + str(misfit.value)
    assert "SECRET" not in shown
    assert "HIDDEN" not in shown


async def test_heat_counts_physical_keys(engine: Engine) -> None:
    """Hot partitions of a shared table are those of its stored keys."""
    heat = Heat()
    async with Client(
        endpoint_url=engine.endpoint_url,
        region_name=engine.region_name,
        credentials=engine.credentials,
        table_prefix=f"{uuid4().hex[:8]}-",
        instrument=heat,
    ) as client:
        await client.ensure_tables(app)
        entries = client.table(Entry)
        await entries.put_many(Entry(team="t", mode=Mode.IN, number=number) for number in range(5))
        await entries.query(Entry.team == "t").all()
        assert heat.report().keys
        await client.delete_table(app)


def test_price_in_a_key_keeps_its_places() -> None:
    """A Decimal has fixed width and places; more of them is refused, never rounded."""
    table = SharedTable("prices", partition_key="PK")

    @entity(table, partition_key="P#{price:08.2}")
    class Price:
        price: PartitionKey[Decimal]

    prices = Client().table(Price)
    assert prices.get(Decimal("1.5")).to_wire()["Key"] == {"PK": {"S": "P#00001.50"}}
    with pytest.raises(MarshallingError):
        prices.get(Decimal("1.555"))


def test_template_has_a_hole_for_each_path() -> None:
    """A path without a hole would not be in the key, and a hole without a path has no value."""
    for text, paths in (("A#{}#{}", (Order.team,)), ("A", (Order.team,)), ("A#{", ())):
        with pytest.raises(ModelError, match="key_template"):
            # The wrong call is the test.
            key_template(text, *paths)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue,reportUnknownVariableType]


def test_wrong_query_shows_the_line_to_write() -> None:
    """The example is of the entity that is asked for, and several values have their own advice."""
    client = Client()
    orders, mails = client.table(Order), client.table(Mail)
    for build, message in (  # each line is a mistake, which checkers refuse too
        (lambda: orders.query(Order.order_id >= "1"), r"such as `Order\.team == value`"),  # type: ignore[arg-type]
        (lambda: orders.query(Order.team == "t", Order.order_id.is_in(["1"])), "one query for each value"),  # type: ignore[arg-type]
        (lambda: client.collection(Order, Note).query(Order.team.is_in(["t"])), "reads one partition"),  # type: ignore[arg-type]
        (lambda: mails.query(Mail.address == "a", Mail.at.begins_with(DAY)), "."),  # type: ignore[attr-defined]
    ):
        with pytest.raises(MizzleError, match=message):
            build()
