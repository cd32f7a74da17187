"""Three published designs of one table, with their access patterns and the keys that each sends.

The forge and the shop follow the entity charts of Alex DeBrie's "The DynamoDB Book" (chapters 19 and 21), the bills the
adjacency list of the service's developer guide ("Best practices for managing many-to-many relationships"). The library
of ElectroDB, a fourth design, is read as ElectroDB wrote it.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    GlobalSecondaryIndex,
    ItemExistsError,
    PartitionKey,
    SharedTable,
    SortKey,
    TransactionCanceledError,
    attribute,
    entity,
    key_template,
    make_converter,
)
from tests.golden import test_electrodb as electrodb

DAY = datetime(2026, 1, 1, tzinfo=UTC)

# ── the forge ──

forge = SharedTable("github", partition_key="PK", sort_key="SK")
FORGE1 = forge.index("GSI1", partition_key="GSI1PK", sort_key="GSI1SK")
FORGE2 = forge.index("GSI2", partition_key="GSI2PK", sort_key="GSI2SK")
FORGE3 = forge.index("GSI3", partition_key="GSI3PK", sort_key="GSI3SK")


class State(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


@entity(forge, partition_key="ACCOUNT#{account}", sort_key="ACCOUNT#{account}")
class Account:
    account: PartitionKey[str]


@entity(forge)
class User(Account):
    plan: Attribute[str] = attribute(default="free")


@entity(forge)
class Organization(Account):
    seats: Attribute[int] = attribute(default=1)


@entity(forge, partition_key="ACCOUNT#{account}", sort_key="MEMBERSHIP#{member}")
class Membership:
    account: PartitionKey[str]
    member: SortKey[str]
    role: Attribute[str]


@entity(forge, partition_key="REPO#{owner}#{name}", sort_key="REPO#{owner}#{name}")
class Repository:
    owner: PartitionKey[str]
    name: PartitionKey[str]
    updated: Attribute[datetime]
    fork_of: Attribute[str | None] = attribute(default=None)
    network: Attribute[str] = attribute(default="")
    stars: Attribute[int] = attribute(default=0)


REPOSITORY_PULLS = GlobalSecondaryIndex(
    FORGE1,
    partition_key=key_template("REPO#{}#{}", Repository.owner, Repository.name),
    sort_key=key_template("REPO#{}#{}", Repository.owner, Repository.name),
)
ORIGINAL = GlobalSecondaryIndex(
    FORGE2,
    partition_key=key_template("REPO#{}#{}", Repository.owner, Repository.name),
    sort_key=key_template("#REPO"),
    where=Repository.fork_of.not_exists(),
)
FORK = GlobalSecondaryIndex(
    FORGE2,
    partition_key=key_template("REPO#{}#{}", Repository.fork_of, Repository.name),
    sort_key=key_template("FORK#{}", Repository.owner),
    where=Repository.fork_of.exists(),
)
RECENT = GlobalSecondaryIndex(
    FORGE3,
    partition_key=key_template("ACCOUNT#{}", Repository.owner),
    sort_key=key_template("#{}", Repository.updated),
)


@entity(forge, partition_key="REPO#{owner}#{name}", sort_key="ISSUE#{number:08}")
class Issue:
    owner: PartitionKey[str]
    name: PartitionKey[str]
    number: SortKey[int]
    title: Attribute[str]
    state: Attribute[State] = attribute(default=State.OPEN)


@entity(forge, partition_key="PR#{owner}#{name}", sort_key="PR#{number:08}")
class PullRequest:
    owner: PartitionKey[str]
    name: PartitionKey[str]
    number: SortKey[int]
    title: Attribute[str]


PULLS = GlobalSecondaryIndex(
    FORGE1,
    partition_key=key_template("REPO#{}#{}", PullRequest.owner, PullRequest.name),
    sort_key=key_template("PR#{:08}", PullRequest.number),
)


@entity(forge, partition_key="REPO#{owner}#{name}", sort_key="STAR#{by}")
class Star:
    owner: PartitionKey[str]
    name: PartitionKey[str]
    by: SortKey[str]
    at: Attribute[datetime]


# ── the shop ──

shop = SharedTable("ecommerce", partition_key="PK", sort_key="SK")
SHOP1 = shop.index("GSI1", partition_key="GSI1PK", sort_key="GSI1SK")


@entity(shop, partition_key="CUSTOMER#{user}", sort_key="CUSTOMER#{user}")
class Customer:
    user: PartitionKey[str]
    email: Attribute[str] = attribute(unique=True)
    addresses: Attribute[dict[str, str]] = attribute(factory=dict)


@entity(shop, partition_key="CUSTOMER#{user}", sort_key="#ORDER#{order_id}")
class Order:
    user: PartitionKey[str]
    order_id: SortKey[str]
    amount: Attribute[Decimal]
    items: Attribute[int]
    state: Attribute[str] = attribute(default="PLACED")


ORDER_ITEMS = GlobalSecondaryIndex(
    SHOP1, partition_key=key_template("ORDER#{}", Order.order_id), sort_key=key_template("ORDER#{}", Order.order_id)
)


@entity(shop, partition_key="ORDER#{order_id}#ITEM#{item_id}", sort_key="ORDER#{order_id}#ITEM#{item_id}")
class OrderItem:
    order_id: PartitionKey[str]
    item_id: PartitionKey[str]
    price: Attribute[Decimal]


ITEMS = GlobalSecondaryIndex(
    SHOP1,
    partition_key=key_template("ORDER#{}", OrderItem.order_id),
    sort_key=key_template("ITEM#{}", OrderItem.item_id),
)

# ── the bills ──

billing = SharedTable("billing", partition_key="PK", sort_key="SK")
INVERTED = billing.index("GSI1", partition_key="SK", sort_key="PK")


@entity(billing, partition_key="Invoice-{invoice}", sort_key="Invoice-{invoice}")
class Invoice:
    invoice: PartitionKey[str]
    dated: Attribute[datetime]


@entity(billing, partition_key="Bill-{bill}", sort_key="Bill-{bill}")
class Bill:
    bill: PartitionKey[str]
    due: Attribute[datetime]


@entity(billing, partition_key="Invoice-{invoice}", sort_key="Bill-{bill}")
class InvoicedBill:
    invoice: PartitionKey[str]
    bill: SortKey[str]
    amount: Attribute[Decimal]


BILL_ITSELF = GlobalSecondaryIndex(
    INVERTED, partition_key=key_template("Bill-{}", Bill.bill), sort_key=key_template("Bill-{}", Bill.bill)
)
BY_BILL = GlobalSecondaryIndex(
    INVERTED,
    partition_key=key_template("Bill-{}", InvoicedBill.bill),
    sort_key=key_template("Invoice-{}", InvoicedBill.invoice),
)


@pytest.fixture
async def forged(client: Client) -> Client:
    """The forge: a repository with a fork, issues, pull requests and stars, and two kinds of accounts."""
    await client.ensure_tables(forge)
    engine = ("ada", "engine")
    rows: list[Any] = [
        User(account="ada"),
        Organization(account="acme", seats=3),
        Membership(account="acme", member="ada", role="owner"),
        Repository(owner="ada", name="engine", updated=DAY),
        Repository(owner="ada", name="loom", updated=DAY.replace(day=3)),
        Repository(owner="eve", name="engine", updated=DAY.replace(day=2), fork_of="ada"),
        *(Issue(owner=engine[0], name=engine[1], number=number, title=f"i{number}") for number in range(1, 13)),
        *(PullRequest(owner=engine[0], name=engine[1], number=number, title=f"p{number}") for number in (13, 14)),
        *(Star(owner=engine[0], name=engine[1], by=f"u{number}", at=DAY) for number in range(5)),
    ]
    await client.collection(forge).put_many(rows)
    return client


async def test_forge_answers_its_access_patterns(forged: Client) -> None:
    """Newest issues, pull requests, forks, an account's recent repositories, members: one query each."""
    at = (Repository.owner == "ada", Repository.name == "engine")
    (repository,), issues = await (
        forged.collection(Repository, Issue)
        .query(Issue.owner == "ada", Issue.name == "engine", reverse=True, max_items=4)
        .grouped()
    )
    assert repository.owner == "ada"
    assert [issue.number for issue in issues] == [12, 11, 10]

    pulls = await (
        forged.collection(Repository, PullRequest).query(PULLS.partition_key == ("ada", "engine"), reverse=True).all()
    )
    assert [type(row).__name__ for row in pulls] == ["Repository", "PullRequest", "PullRequest"]

    repositories = forged.table(Repository)
    forks = await repositories.query(FORK.partition_key == ("ada", "engine"), FORK.sort_key.begins_with("e")).all()
    assert [fork.owner for fork in forks] == ["eve"]
    original = await repositories.query(ORIGINAL.partition_key == ("ada", "engine"), ORIGINAL.sort_key == ()).all()
    assert [each.owner for each in original] == ["ada"]

    recent = await repositories.query(RECENT.partition_key == "ada", reverse=True).all()
    assert [each.name for each in recent] == ["loom", "engine"]

    members = await forged.collection(Organization, Membership).query(Membership.account == "acme").all()
    assert {type(row) for row in members} == {Organization, Membership}
    assert await forged.table(Account).get("ada") == User(account="ada")
    assert await forged.table(Star).query(Star.owner == "ada", Star.name == "engine").count() == 5
    assert await repositories.get(*at) == repository


async def test_starring_counts_once(forged: Client) -> None:
    """A star and its counter are one transaction: the second star of a user fails, and the counter stays."""
    stars, repositories = forged.table(Star), forged.table(Repository)
    star = Star(owner="ada", name="engine", by="new", at=DAY)
    counted = repositories.key(owner="ada", name="engine")
    await forged.transact_write(stars.insert(star), repositories.update(counted).add(Repository.stars, 1))
    with pytest.raises(TransactionCanceledError):
        await forged.transact_write(stars.insert(star), repositories.update(counted).add(Repository.stars, 1))
    assert (await repositories.get_one(counted)).stars == 1


async def test_fork_moves_in_its_index_when_it_becomes_an_original(forged: Client) -> None:
    """An update of the attribute of both conditions takes the item out of one way into the index, into the other."""
    repositories = forged.table(Repository)
    fork = await repositories.get_one(owner="eve", name="engine")
    await repositories.update(fork).remove(Repository.fork_of)
    assert await repositories.query(FORK.partition_key == ("ada", "engine"), FORK.sort_key.begins_with("e")).all() == []
    (moved,) = await repositories.query(ORIGINAL.partition_key == ("eve", "engine")).all()
    assert moved.owner == "eve"


async def test_shop_answers_its_access_patterns(client: Client) -> None:
    """A customer with the newest orders, an order with its items, an address in a map: one request each."""
    await client.ensure_tables(shop)
    customers, orders = client.table(Customer), client.table(Order)
    ada = await customers.insert(Customer(user="ada", email="ada@example.org"))
    with pytest.raises(ItemExistsError):
        await customers.insert(Customer(user="ada", email="other@example.org"))
    for number in range(1, 13):
        await orders.insert(Order(user="ada", order_id=f"o{number:02}", amount=Decimal(number), items=2))
    await client.table(OrderItem).put_many(
        [OrderItem(order_id="o12", item_id=f"i{number}", price=Decimal(1)) for number in (1, 2)]
    )

    newest = client.collection(Customer, Order).query(Customer.user == "ada", reverse=True, max_items=11)
    (found,), placed = await newest.grouped()
    assert found == ada
    assert [order.order_id for order in placed] == [f"o{number:02}" for number in range(12, 2, -1)]

    (order,), items = await client.collection(Order, OrderItem).query(ITEMS.partition_key == "o12").grouped()
    assert order.items == len(items) == 2

    changed = await customers.update(ada).set(Customer.addresses["home"], "1 St James's Square")
    assert changed.addresses == {"home": "1 St James's Square"}
    shipped = await orders.update(user="ada", order_id="o12").set(Order.state, "SHIPPED").when(Order.state == "PLACED")
    assert shipped.state == "SHIPPED"
    latest = await orders.query(Order.user == "ada", Order.order_id >= "o11").all()
    assert [each.order_id for each in latest] == ["o11", "o12"]


async def test_bills_are_found_from_both_sides(client: Client) -> None:
    """An invoice with its bills by the table, a bill with its invoices by the inverted index, which stores nothing."""
    await client.ensure_tables(billing)
    await client.collection(billing).put_many(
        [
            Invoice(invoice="92551", dated=DAY),
            Bill(bill="4224663", due=DAY),
            Bill(bill="4224687", due=DAY),
            InvoicedBill(invoice="92551", bill="4224663", amount=Decimal(5)),
            InvoicedBill(invoice="92551", bill="4224687", amount=Decimal(7)),
            InvoicedBill(invoice="92552", bill="4224663", amount=Decimal(9)),
        ]
    )
    (invoice,), bills = await client.collection(Invoice, InvoicedBill).query(InvoicedBill.invoice == "92551").grouped()
    assert invoice.dated == DAY
    assert [each.bill for each in bills] == ["4224663", "4224687"]

    (bill,), invoices = await client.collection(Bill, InvoicedBill).query(BY_BILL.partition_key == "4224663").grouped()
    assert bill.due == DAY
    assert [each.invoice for each in invoices] == ["92551", "92552"]
    rows = await client.table("billing", partition_key="PK", sort_key="SK").scan().all()
    assert not any(name.startswith("GSI") for row in rows for name in row)


async def test_library_of_electrodb_is_read_in_place(client: Client) -> None:
    """Items that ElectroDB wrote are found by key, by index and by collection, and an update keeps their keys."""
    await client.ensure_tables(electrodb.library)
    raw = client.table("library", partition_key="pk", sort_key="sk")
    converter = make_converter()
    fixture = json.loads((Path(electrodb.__file__).parent / "electrodb" / "library.json").read_text())
    for item in fixture["items"]:
        await raw.put(converter.structure({"M": item}, dict[str, Any]))
    books = client.table(electrodb.Book)
    assert (await books.get_one(isbn="978-0-13-4", book_id="B-1")).due == "2026-02-01"
    account = client.collection(electrodb.Member, electrodb.Book)
    (member,), loans = await account.query(electrodb.LOANS.partition_key == "M-1").grouped()
    assert (member.address.city, [each.book_id for each in loans]) == ("London", ["B-1"])
    works = client.collection(electrodb.Author, electrodb.Book, electrodb.Genre)
    found = await works.query(electrodb.BOOKS_OF_AUTHOR.partition_key == ("Lovelace", "Ada")).all()
    assert sorted(type(each).__name__ for each in found) == ["Author", "Book", "Book", "Genre"]
    late = books.query(electrodb.LOANS.partition_key == "M-1", electrodb.LOANS.sort_key.begins_with("2026"))
    assert [each.book_id for each in await late.all()] == ["B-1"]
    await books.update(loans[0]).set(electrodb.Book.due, "AVAILABLE").set(electrodb.Book.member_id, "nobody")
    free = await books.query(electrodb.LOANS.partition_key == "nobody").all()
    assert sorted(each.book_id for each in free) == ["B-1", "b2"]
