"""Classes that inherit one key in a shared table: read as what they are, and never changed as another one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    ExpressionError,
    GlobalSecondaryIndex,
    ItemExistsError,
    ItemNotFoundError,
    PartitionKey,
    SharedTable,
    Table,
    TransactionCanceledError,
    attribute,
    entity,
    evolve,
    key_template,
)

forge = SharedTable("forge", partition_key="PK", sort_key="SK")
GSI1 = forge.index("GSI1", partition_key="GSI1PK", sort_key="GSI1SK")


@entity(forge, partition_key="ACCOUNT#{name}", sort_key="ACCOUNT#{name}")
class Account:
    name: PartitionKey[str]
    plan: Attribute[str] = attribute(default="free")


@entity(forge)
class User(Account):
    email: Attribute[str] = attribute(default="")


@entity(forge)
class Organization(Account):
    seats: Attribute[int] = attribute(default=1)


plain = SharedTable("plain", partition_key="PK")


@entity(plain, partition_key="ITEM#{item_id}")
class Item:
    item_id: PartitionKey[str]
    state: Attribute[str] = attribute(default="new")


@entity(plain)
class Tracked(Item):
    version: Attribute[int] = attribute(default=0, version=True)


tagged = SharedTable("tagged", partition_key="PK", sort_key="SK")
TAGS = tagged.index("TAGS", partition_key="GPK")


@entity(tagged, partition_key="P#{post_id}", sort_key="P")
class Post:
    post_id: PartitionKey[str]
    state: Attribute[str] = attribute(default="new")


@entity(tagged)
class Listed(Post):
    slug: Attribute[str] = attribute(default="a", unique=True)


@entity(tagged, partition_key="Q#{post_id}", sort_key="Q")
class Query:
    post_id: PartitionKey[str]
    state: Attribute[str] = attribute(default="new")


@entity(tagged)
class Indexed(Query):
    pass


GlobalSecondaryIndex(TAGS, partition_key=key_template("STATE#{}", Indexed.state))


@pytest.fixture
async def accounts(client: Client) -> AsyncIterator[Table[Account]]:
    """A table with one user and one organization."""
    await client.ensure_tables(forge)
    await client.table(User).insert(User(name="ada", email="ada@example.org"))
    await client.table(Organization).insert(Organization(name="acme", seats=5))
    yield client.table(Account)
    await client.delete_table(Account)


async def test_parent_reads_each_item_as_its_own_class(client: Client, accounts: Table[Account]) -> None:
    """Get, query, scan, batches and collections give users and organizations."""
    assert await accounts.get("ada") == User(name="ada", email="ada@example.org")
    assert await accounts.query(Account.name == "acme").all() == [Organization(name="acme", seats=5)]
    assert {type(each) for each in await accounts.scan().all()} == {User, Organization}
    assert await accounts.get_many([accounts.key("ada"), accounts.key("nobody")]) == [
        User(name="ada", email="ada@example.org"),
        None,
    ]
    everything = client.collection(Account)
    assert {type(each) for each in await everything.scan().all()} == {User, Organization}
    both = client.collection(Account, User)
    others, users = await both.scan().grouped()  # each instance is in the list of its nearest class
    assert (others, users) == ([Organization(name="acme", seats=5)], [User(name="ada", email="ada@example.org")])


async def test_two_keys_of_one_item_are_read_once(client: Client, accounts: Table[Account]) -> None:
    """A key of the parent and one of the class name the same item: one read, two results."""
    users = client.table(User)
    ada = User(name="ada", email="ada@example.org")
    assert await client.collection(Account, User).get_many([accounts.key("ada"), users.key("ada")]) == [ada, ada]


async def test_class_does_not_read_its_siblings(client: Client, accounts: Table[Account]) -> None:
    """A user's queries leave organizations out, and its get says that the item is of another type."""
    assert [each.name for each in await client.table(User).scan().all()] == ["ada"]
    assert await client.table(User).query(User.name == "acme").all() == []


async def test_writes_of_a_class_never_change_a_sibling(client: Client, accounts: Table[Account]) -> None:
    """Each verb on the key of an organization, as a user's, fails and leaves it as it was."""
    users, before = client.table(User), await accounts.get("acme")
    with pytest.raises(ConditionalCheckFailedError, match="another class"):
        await users.update("acme").set(User.email, "x")
    with pytest.raises(ConditionalCheckFailedError, match="another class"):
        await users.upsert("acme").set(User.email, "x")
    with pytest.raises(ConditionalCheckFailedError, match="another class"):
        await users.delete("acme")
    with pytest.raises(ConditionalCheckFailedError, match="another class"):
        await users.replace(User(name="acme", email="x"))
    with pytest.raises(ConditionalCheckFailedError, match="another class"):
        await users.patch(User(name="acme"), to=User(name="acme", email="x"))
    with pytest.raises(ItemExistsError):
        await users.insert(User(name="acme"))
    with pytest.raises(TransactionCanceledError):
        await client.transact_write(
            users.update("acme").set(User.email, "x"), users.update("ada").set(User.email, "new@example.org")
        )
    assert await accounts.get("acme") == before
    assert await accounts.get("ada") == User(name="ada", email="ada@example.org")


async def test_writes_of_a_class_reach_its_own_items(client: Client, accounts: Table[Account]) -> None:
    """The condition on the type is true of the class's own items, and of none at all."""
    users = client.table(User)
    assert (await users.update("ada").set(User.email, "b")).email == "b"
    assert (await users.upsert("eve").set(User.email, "e")) == User(name="eve", email="e")
    assert await users.delete("eve") == User(name="eve", email="e")
    assert await users.delete("eve") is None
    with pytest.raises(ItemNotFoundError):
        await users.update("eve").set(User.email, "e")


async def test_parent_changes_what_it_declares_itself(accounts: Table[Account]) -> None:
    """Where no subclass adds a rule, a change through the parent is right for all of them, and gives their class."""
    assert await accounts.update("ada").set(Account.plan, "pro") == User(
        name="ada", plan="pro", email="ada@example.org"
    )
    assert await accounts.delete("acme") == Organization(name="acme", seats=5)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (Item, r"may be of Tracked, which has version, .* `client.table\(Tracked\)`"),
        (Post, r"may be of Listed, which has the unique attribute slug"),
        (Query, r"may be of Indexed, which has a way into the index 'TAGS'"),
    ],
)
async def test_parent_refuses_what_a_subclass_must_keep(client: Client, model: Any, text: str) -> None:
    """A version, a unique attribute or an index of a subclass would be passed over, so nothing is sent."""
    table = client.table(model)
    instance = Item(item_id="1") if model is Item else model(post_id="1")
    for build in (
        lambda: table.update("1").set(model.state, "x"),
        lambda: table.upsert("1").set(model.state, "x"),
        lambda: table.replace(instance),
        lambda: table.patch(instance, to=evolve(instance, state="x")),
    ):
        with pytest.raises(ExpressionError, match=text):
            build()


async def test_batches_never_reach_over_to_another_class(client: Client, accounts: Table[Account]) -> None:
    """BatchWriteItem checks no type, so deletes of a class in a batch are refused, and nothing is sent."""
    users = client.table(User)
    with pytest.raises(ExpressionError, match=r"shares its key with Account, .*send_all"):
        users.delete_many(["acme"])
    async with client.writer() as writer:
        with pytest.raises(ExpressionError, match="shares its key with Account"):
            await writer.delete(users.key("acme"))
    with pytest.raises(ExpressionError, match="condition"):
        await client.batch_write(users.delete("acme"))
    with pytest.raises(ExpressionError, match="unique attribute slug"):
        client.table(Post).put_many([Post(post_id="1")])
    assert await accounts.exists("acme")
    assert (await accounts.delete_many(["acme"])).written == 1
    assert await users.scan().delete_where(User.email == "ada@example.org")
    assert await accounts.scan().all() == []


async def test_parent_refuses_to_remove_unique_values(client: Client) -> None:
    """Delete and put through the parent would leave the guard of a unique attribute behind."""
    posts = client.table(Post)
    for build in (lambda: posts.delete("1"), lambda: posts.put(Post(post_id="1"))):
        with pytest.raises(ExpressionError, match="unique attribute slug"):
            build()
    for allowed in (client.table(Item).delete("1"), client.table(Query).put(Query(post_id="1"))):
        assert allowed.explain()
