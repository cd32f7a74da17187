"""Patching items that were written before their class had all its attributes, on each engine."""

import asyncio

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    PartitionKey,
    attribute,
    document,
    entity,
    evolve,
)


@document
class Settings:
    level: Attribute[int]
    marks: Attribute[list[str]] = attribute(factory=list)
    limits: Attribute[dict[str, int]] = attribute(factory=dict)
    colors: Attribute[list[str]] = attribute(factory=lambda: ["red"])
    sizes: Attribute[dict[str, int]] = attribute(factory=lambda: {"s": 1})


def words(value: str | list[str]) -> list[str]:
    """Split text, and leave what is split."""
    return value.split() if isinstance(value, str) else value


@entity("accounts")
class Before:
    id: PartitionKey[str]


@entity("accounts")
class Account:
    id: PartitionKey[str]
    history: Attribute[list[str]] = attribute(factory=list)
    counts: Attribute[dict[str, int]] = attribute(factory=dict)
    settings: Attribute[Settings] = attribute(factory=lambda: Settings(level=0))
    plan: Attribute[list[str]] = attribute(factory=lambda: ["free"])
    roles: Attribute[set[str]] = attribute(factory=lambda: {"guest"})
    words: Attribute[list[str]] = attribute(default="a b", converter=words)


@pytest.mark.parametrize(
    "changes",
    [
        {"history": ["made"]},
        {"counts": {"logins": 1}},
        {"settings": Settings(level=5)},
        {"settings": Settings(level=0, marks=["x"], limits={"a": 1})},
        {"plan": ["free", "paid"]},
        {"roles": {"admin"}},
        {"words": ["a", "b", "c"]},
        {"history": ["made"], "counts": {"logins": 1}, "settings": Settings(level=1), "plan": []},
    ],
)
async def test_a_patch_reaches_attributes_that_are_not_stored_yet(client: Client, changes: dict[str, object]) -> None:
    """An attribute whose default was read, because nothing is stored, can be patched, and then patched again."""
    await client.ensure_tables(Account)
    accounts = client.table(Account)
    await client.table(Before).put(Before(id="a"))
    old = await accounts.get_one("a")
    new = evolve(old, **changes)
    assert await accounts.patch(old, to=new) == new
    await accounts.put(old)  # now everything is stored
    assert await accounts.patch(old, to=new) == new
    assert await accounts.get_one("a") == new


async def test_a_patch_of_a_document_reaches_members_that_are_not_stored_yet(client: Client) -> None:
    """A member of a document that was added to its class later can be patched as well."""
    await client.ensure_tables(Account)
    accounts = client.table(Account)
    raw = client.table("accounts", partition_key="id")
    await raw.put({"id": "a", "settings": {"level": 3}})
    old = await accounts.get_one("a")
    changes = {"marks": ["x"], "limits": {"a": 1}, "colors": ["red", "blue"], "sizes": {"s": 1, "m": 2}}
    new = evolve(old, settings=evolve(old.settings, **changes))
    assert await accounts.patch(old, to=new) == new
    await accounts.put(old)  # now everything is stored
    assert await accounts.patch(old, to=new) == new


async def test_two_patches_of_what_is_not_stored_yet_do_not_overwrite_each_other(client: Client) -> None:
    """Of two patches that both start from an empty default, one is applied and the other is told."""
    await client.ensure_tables(Account)
    accounts = client.table(Account)
    await client.table(Before).put(Before(id="a"))
    old = await accounts.get_one("a")
    for first, second in (
        (evolve(old, history=["x"]), evolve(old, history=["y"])),
        (evolve(old, counts={"x": 1}), evolve(old, counts={"y": 1})),
        (evolve(old, settings=Settings(level=1)), evolve(old, settings=Settings(level=2))),
    ):
        await client.table(Before).put(Before(id="a"))
        outcomes = await asyncio.gather(
            accounts.patch(old, to=first), accounts.patch(old, to=second), return_exceptions=True
        )
        failed = [outcome for outcome in outcomes if not isinstance(outcome, Account)]
        assert [type(outcome) for outcome in failed] == [ConditionalCheckFailedError]


async def test_a_patch_that_replaces_a_set_does_not_lose_what_was_added_meanwhile(client: Client) -> None:
    """A set that both grew and shrank is replaced only if it still is what was read."""
    await client.ensure_tables(Account)
    accounts = client.table(Account)
    old = Account(id="a", roles={"x", "y"})
    await accounts.put(old)
    await accounts.update("a").add(Account.roles, {"z"})
    with pytest.raises(ConditionalCheckFailedError):
        await accounts.patch(old, to=evolve(old, roles={"y", "w"}))
    current = await accounts.get_one("a")
    assert current.roles == {"x", "y", "z"}
    assert (await accounts.patch(current, to=evolve(current, roles={"z", "w"}))).roles == {"z", "w"}


async def test_a_rewrite_leaves_what_it_does_not_change_as_it_is_stored(client: Client) -> None:
    """What a change leaves alone keeps what its class does not declare; what is stored otherwise is changed as well."""
    await client.ensure_tables(Account)
    accounts = client.table(Account)
    raw = client.table("accounts", partition_key="id")
    stored = {"id": "a", "settings": {"level": 0, "undeclared": 1}, "roles": [], "undeclared": 2}
    await raw.put(stored)
    await accounts.scan().rewrite(lambda account: evolve(account, history=["made"]))
    assert await raw.get("a") == stored | {"history": ["made"]}
    changes = {"level": 4, "colors": ["red", "blue"], "sizes": {"s": 1, "m": 2}}
    await accounts.scan().rewrite(
        lambda account: evolve(account, settings=evolve(account.settings, **changes), roles={"admin"})
    )
    assert await raw.get("a") == stored | {
        "history": ["made"],
        "settings": {"undeclared": 1, **changes},
        "roles": {"admin"},
    }
