"""Every verb that writes, on each engine: what is stored, what comes back, and what a failure tells."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    ItemExistsError,
    ItemNotFoundError,
    LimitError,
    PartitionKey,
    SortKey,
    ValidationError,
    attribute,
    document,
    entity,
    evolve,
    raw,
)
from mizzle_async.marshalling import item_size


class Status(StrEnum):
    OPEN = "open"
    PAID = "paid"


@document
class Address:
    city: Attribute[str]
    zip: Attribute[str | None] = attribute(default=None)


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[int]
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    status: Attribute[Status] = attribute(default=Status.OPEN)
    placed_at: Attribute[datetime | None] = attribute(default=None)
    reference: Attribute[UUID | None] = attribute(default=None)
    note: Attribute[str | None] = attribute(default=None)
    paid: Attribute[bool] = attribute(default=False)
    picture: Attribute[bytes] = attribute(default=b"")
    tags: Attribute[set[str]] = attribute(factory=set)
    lines: Attribute[list[str]] = attribute(factory=list)
    counts: Attribute[dict[str, int]] = attribute(factory=dict)
    address: Attribute[Address | None] = attribute(default=None)
    made: Attribute[datetime | None] = attribute(default=None, created_at=True)
    changed: Attribute[datetime | None] = attribute(default=None, updated_at=True)


# Names that DynamoDB reserves, and names that no placeholder can be made of.
@entity("words")
class Word:
    hash: PartitionKey[str] = attribute(name="HASH")
    range: SortKey[str] = attribute(name="RANGE")
    select: Attribute[str] = attribute(name="SELECT")
    dotted: Attribute[int] = attribute(name="a.b", default=0)
    spaced: Attribute[set[str]] = attribute(name="größte Zahl #1", factory=set)


FULL = Order(
    customer_id="c1",
    order_id=7,
    total=Decimal("12.50"),
    status=Status.PAID,
    placed_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    reference=UUID(int=5),
    note="grüße",
    paid=True,
    picture=b"\x00\xff",
    tags={"a", "b"},
    lines=["x", "x"],
    counts={"a.b": 1, "c": 2},
    address=Address(city="Bonn"),
)


@pytest.fixture
async def orders(client: Client) -> Any:
    """A handle of an empty table."""
    await client.create_table(Order)
    return client.table(Order)


async def test_insert_and_get(orders, clock):
    """What was inserted is what is read, of every type; the result of the insert is the same."""
    now = datetime.fromtimestamp(clock.now, UTC)
    stored = await orders.insert(FULL)
    assert stored == evolve(FULL, made=now, changed=now)
    assert await orders.get(FULL) == stored
    assert await orders.get_one(customer_id="c1", order_id=7, consistent_read=True) == stored


async def test_insert_onto_an_item(orders):
    """A second insert changes nothing and shows what is there."""
    stored = await orders.insert(FULL)
    with pytest.raises(ItemExistsError) as raised:
        await orders.insert(Order(customer_id="c1", order_id=7))
    assert raised.value.stored(Order) == stored
    assert await orders.get(FULL) == stored


async def test_get_of_nothing(orders):
    """Nothing is None, or an error where something must be."""
    assert await orders.get(FULL) is None
    with pytest.raises(ItemNotFoundError):
        await orders.get_one(FULL)


async def test_put_replaces_everything(orders, client):
    """A put leaves nothing of what was there, undeclared attributes included."""
    wide = client.table("orders", partition_key="customer_id", sort_key="order_id", sort_key_type=int)
    await wide.put({"customer_id": "c1", "order_id": 7, "other": 1, "note": "old"})
    await orders.put(Order(customer_id="c1", order_id=7))
    stored = await wide.get(customer_id="c1", order_id=7)
    assert stored is not None
    assert "other" not in stored
    assert "note" not in stored


async def test_normal_form(orders):
    """The result of a write is in the form that a read brings: UTC, and nothing for what is empty."""
    berlin = timezone(timedelta(hours=2))
    given = Order(customer_id="c1", order_id=1, placed_at=datetime(2026, 1, 1, 2, tzinfo=berlin), note=None)
    stored = await orders.put(given)
    assert stored.placed_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert stored.placed_at.tzinfo is UTC
    assert stored == await orders.get(given)


async def test_replace(orders, client, clock):
    """A replace writes every declared attribute, leaves the others and the creation time, and needs an item."""
    with pytest.raises(ItemNotFoundError):
        await orders.replace(FULL)
    inserted = await orders.insert(FULL)
    wide = client.table("orders", partition_key="customer_id", sort_key="order_id", sort_key_type=int)
    await wide.update(customer_id="c1", order_id=7).set(wide.attribute("other"), 1)
    clock.now += 60
    replaced = await orders.replace(Order(customer_id="c1", order_id=7, note="new"))
    assert (replaced.note, replaced.tags, replaced.address, replaced.status) == ("new", set(), None, Status.OPEN)
    assert replaced.made == inserted.made
    assert replaced.changed == datetime.fromtimestamp(clock.now, UTC)
    assert (await wide.get(customer_id="c1", order_id=7))["other"] == 1


async def test_update_clauses(orders):
    """Every clause does what its name says, and the result is the item afterwards."""
    await orders.insert(FULL)
    updated = await (
        orders.update(customer_id="c1", order_id=7)
        .set(Order.status, Status.OPEN)
        .set(Order.total, Order.total + Decimal("0.50"))
        .set(Order.note, None)
        .set(Order.counts["a.b"], 5)
        .set(Order.address[Address.zip], "53111")
        .set_default(Order.paid, False)  # noqa: FBT003  (it is the value)
        .add(Order.tags, {"c"})
        .append(Order.lines, ["y"])
        .remove(Order.picture)
    )
    assert updated == evolve(
        FULL,
        status=Status.OPEN,
        total=Decimal(13),
        note=None,
        counts={"a.b": 5, "c": 2},
        address=Address(city="Bonn", zip="53111"),
        tags={"a", "b", "c"},
        lines=["x", "x", "y"],
        picture=b"",
        made=updated.made,
        changed=updated.changed,
    )
    again = (
        await orders.update(updated)
        .discard(Order.tags, {"a", "b", "c"})
        .prepend(Order.lines, ["0"])
        .add(Order.total, -1)
    )
    assert (again.tags, again.lines[0], again.total) == (set(), "0", Decimal(12))
    assert await orders.get(FULL) == again


@pytest.mark.parametrize("positions", [(0, 1), (1, 0), (0, 3, 1), (3, 10, 0)])
async def test_positions_of_a_list_are_removed_together(orders, positions):
    """Positions are those from before the update, in whichever order they are named."""
    letters = list("abcde")
    await orders.insert(Order(customer_id="c1", order_id=1, lines=letters))
    update = orders.update(customer_id="c1", order_id=1)
    for position in positions:
        update = update.remove(Order.lines[position])
    left = [letter for position, letter in enumerate(letters) if position not in positions]
    assert (await update).lines == left


async def test_list_clauses_create_the_list(orders):
    """Appending to nothing makes a list."""
    await orders.insert(Order(customer_id="c1", order_id=1))
    await orders.update(customer_id="c1", order_id=1).remove(Order.lines)
    assert (await orders.update(customer_id="c1", order_id=1).append(Order.lines, ["a"])).lines == ["a"]


async def test_update_of_what_is_not_stored_says_where(orders):
    """A place inside an absent map, and an absent attribute that is read, are named; nothing is written."""
    await orders.insert(Order(customer_id="c1", order_id=1))
    update = orders.update(customer_id="c1", order_id=1).set({"paid": True})
    with pytest.raises(ValidationError, match=r"Order\.address\.zip: nothing is stored at Order\.address, and a value"):
        await update.set(Order.address[Address.zip], "53111")
    with pytest.raises(ValidationError, match=r"not all stored \(Order\.counts\.b\): use \.if_not_exists"):
        await update.set(Order.counts["a"], Order.counts["b"])
    with pytest.raises(ValidationError, match="maximum allowed size"):
        await orders.update(customer_id="c1", order_id=1).set(Order.note, "x" * 409_600)
    assert (await orders.get_one(customer_id="c1", order_id=1)).paid is False


async def test_update_by_names(orders):
    """A mapping of names to values sets and removes, as a PATCH request's body would."""
    await orders.insert(FULL)
    updated = await orders.update(FULL).set({"note": None, "paid": False, "status": Status.OPEN})
    assert (updated.note, updated.paid, updated.status) == (None, False, Status.OPEN)


async def test_update_of_nothing(orders):
    """An update never creates an item."""
    with pytest.raises(ItemNotFoundError):
        await orders.update(FULL).set(Order.note, "x")
    assert await orders.get(FULL) is None


async def test_failed_condition(orders):
    """A false condition writes nothing and shows what is stored."""
    stored = await orders.insert(FULL)
    with pytest.raises(ConditionalCheckFailedError) as raised:
        await orders.update(FULL).set(Order.note, "x").when(Order.status == Status.OPEN).when(Order.paid == True)
    assert raised.value.stored(Order) == stored
    assert await orders.get(FULL) == stored


@pytest.mark.parametrize(
    "condition",
    [
        Order.total > 12,
        Order.total.between(Decimal("12.5"), 13),
        Order.status.is_in([Status.PAID, Status.OPEN]),
        Order.note.begins_with("grü"),
        Order.note.contains("üß"),
        Order.tags.contains("a"),
        Order.lines.contains("x"),
        Order.tags.size() == 2,
        Order.note.exists() & Order.address[Address.zip].not_exists(),
        Order.picture.attribute_type("B"),
        ~(Order.paid == False),
        (Order.note == "a") | (Order.lines[1] == "x"),
        Order.counts["a.b"] == 1,
        Order.address == Address(city="Bonn"),
        Order.total != Order.order_id,
    ],
    ids=str,
)
async def test_true_conditions(orders, condition):
    """Each kind of condition is understood by the engine as it is meant."""
    await orders.insert(FULL)
    assert (await orders.update(FULL).set(Order.note, "x").when(condition)).note == "x"
    with pytest.raises(ConditionalCheckFailedError):
        await orders.delete(FULL).when(~condition & (Order.note == "gone"))


async def test_upsert(orders, clock):
    """An upsert creates once and changes afterwards; the creation time stays."""
    made = await orders.upsert(customer_id="c1", order_id=1).add(Order.total, 5)
    clock.now += 60
    again = await orders.upsert(customer_id="c1", order_id=1).add(Order.total, 5).set_default(Order.note, "n")
    assert (made.total, again.total, again.note) == (Decimal(5), Decimal(10), "n")
    assert made.made == again.made
    assert again.changed > made.changed


async def test_patch(orders):
    """A patch turns one state into another, and leaves alone what somebody else changed in between."""
    old = await orders.insert(FULL)
    await orders.update(FULL).add(Order.tags, {"other"}).set(Order.counts["z"], 9)
    new = evolve(
        old, tags={"b", "c", "a"}, note=None, lines=["x", "x", "y"], counts={"a.b": 3, "c": 2}, total=Decimal(1)
    )
    patched = await orders.patch(old, to=new)
    assert patched.tags == {"a", "b", "c", "other"}
    assert patched.counts == {"a.b": 3, "c": 2, "z": 9}
    assert (patched.note, patched.lines, patched.total) == (None, ["x", "x", "y"], Decimal(1))
    with pytest.raises(ItemNotFoundError):
        await orders.patch(Order(customer_id="c9", order_id=1), to=Order(customer_id="c9", order_id=1, note="x"))


async def test_patch_without_a_difference(client):
    """Nothing to change needs no item, and not even a table."""
    orders = client.table(Order)
    assert await orders.patch(FULL, to=evolve(FULL)) == FULL


async def test_delete(orders):
    """A delete hands back what it deleted, once."""
    stored = await orders.insert(FULL)
    with pytest.raises(ConditionalCheckFailedError):
        await orders.delete(FULL).when(Order.paid == False)
    assert await orders.delete(stored) == stored
    assert await orders.delete(customer_id="c1", order_id=7) is None


async def test_reserved_and_strange_names(client):
    """Any name can be written, read, updated, filtered and compared: placeholders stand for all of them."""
    await client.create_table(Word)
    words = client.table(Word)
    stored = await words.insert(Word(hash="a", range="b", select="c", spaced={"x"}))
    updated = await words.update(stored).add(Word.dotted, 2).add(Word.spaced, {"y"}).when(Word.select == "c")
    assert (updated.dotted, updated.spaced) == (2, {"x", "y"})
    found = await words.query(Word.hash == "a", Word.range >= "b").filter(Word.dotted == 2).project(Word.spaced).all()
    assert found == [({"x", "y"},)]


async def test_largest_item(orders):
    """An item of 400 KB is written and read; one byte more is refused before it is sent."""
    smallest = Order(customer_id="c1", order_id=1, note="")
    room = 409_600 - await stored_size(orders, smallest)
    largest = evolve(smallest, note="x" * room)
    stored = await orders.put(largest)
    assert len(stored.note) == room
    assert await orders.get(largest) == stored
    with pytest.raises(LimitError, match="409,601"):
        await orders.put(evolve(smallest, note="x" * (room + 1)))


async def stored_size(orders: Any, order: Order) -> int:
    """Return the size of an order as it is stored, by the library's own count."""
    return item_size(orders.put(order).to_wire()["Item"])


async def test_put_many_and_get_many(orders):
    """Many are written in chunks, and read back in the order asked, None where there is none."""
    written = [Order(customer_id=f"c{number % 7}", order_id=number) for number in range(130)]
    report = await orders.put_many(written, concurrency=3)
    assert report.written == 130
    keys = [orders.key(customer_id="none", order_id=1), *(orders.key(order) for order in reversed(written))]
    found = await orders.get_many(keys)
    assert found[0] is None
    assert [order.order_id for order in found[1:]] == list(reversed(range(130)))


@entity("registered")
class Registered:
    id: PartitionKey[str]
    number: Attribute[int | None] = attribute(default=None, immutable=True)
    note: Attribute[str] = attribute(default="")


async def test_immutable_attributes_keep_their_first_value(client: Client) -> None:
    """No verb changes a stored value of an immutable attribute; one that is absent may be given."""
    await client.ensure_tables(Registered)
    registered = client.table(Registered)
    assert await registered.put(Registered(id="1")) == Registered(id="1")
    first = await registered.put(Registered(id="1", number=7))
    assert await registered.replace(evolve(first, note="a")) == Registered(id="1", number=7, note="a")
    for write in (registered.put(Registered(id="1", number=8)), registered.replace(Registered(id="1", number=8))):
        with pytest.raises(ConditionalCheckFailedError, match=r"Registered\.number is immutable"):
            await write
    with pytest.raises(ConditionalCheckFailedError):
        await registered.put(Registered(id="1"))
    again = await registered.upsert("1").set_default(Registered.number, 9).set(Registered.note, "b")
    assert (again.number, again.note) == (7, "b")
    assert (await registered.upsert("2").set_default(Registered.number, 9)).number == 9
    await registered.delete("1")
    assert (await registered.insert(Registered(id="1", number=8))).number == 8


async def test_raw_expressions_are_evaluated_by_the_service(client: Client) -> None:
    """A text in the service's own words is a condition, a filter and the value of a SET clause."""
    await client.ensure_tables(Registered)
    registered = client.table(Registered)
    await registered.insert(Registered(id="1", number=7, note="abc"))
    note = raw("if_not_exists(#other, :default)", other=Registered.note, default="x")
    short = raw("size(#a) = :n AND begins_with(#a, :b)", a=Registered.note, n=3, b="ab")
    changed = await registered.update("1").set(Registered.note, note).when(short)
    assert changed.note == "abc"
    with pytest.raises(ConditionalCheckFailedError, match=r"size\(Registered\.note\) > …"):
        await registered.update("1").set(Registered.note, "x").when(raw("size(#a) > :n", a=Registered.note, n=3))
    query = registered.query(Registered.id == "1")
    assert await query.filter(raw("#a IN (:b, :c)", a=Registered.note, b="abc", c=") OR (")).count() == 1
    wrong = raw("contains(#a, :b) OR #c > :d", a=Registered.note, b="z", c=Registered.number, d=8)
    assert (await query.filter(wrong).count(), await query.filter(~wrong).count()) == (0, 1)
