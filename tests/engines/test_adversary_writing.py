"""What a hostile first user of the writing verbs found, on each engine."""

from datetime import UTC, datetime
from typing import Any, Protocol

import attrs
import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    ExpressionError,
    LimitError,
    MarshallingError,
    PartitionKey,
    TransactionCanceledError,
    attribute,
    document,
    entity,
)


class Clock(Protocol):
    """The clock of the fixture `client`."""

    now: float


@document
class Address:
    city: Attribute[str]
    street: Attribute[str | None] = attribute(default=None)


@entity("people")
class Person:
    email: PartitionKey[str]
    name: Attribute[str]
    code: Attribute[str] = attribute(default="", validator=attrs.validators.max_len(3))
    address: Attribute[Address | None] = attribute(default=None)
    expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


async def test_a_required_attribute_cannot_be_removed(client: Client) -> None:
    """Removing what no read could do without is refused before it is sent, in the item and in its documents."""
    await client.ensure_tables(Person)
    people = client.table(Person)
    ada = await people.put(Person(email="a", name="Ada", address=Address(city="London", street="High")))
    with pytest.raises(ExpressionError, match=r"Person\.name is required"):
        people.update("a").remove(Person.name).to_wire()
    with pytest.raises(ExpressionError, match=r"Person\.address\.city is required"):
        people.update("a").remove(Person.address[Address.city]).to_wire()
    assert await people.get("a") == ada
    assert (await people.update("a").remove(Person.address[Address.street], Person.code)).address == Address(
        city="London"
    )
    assert (await people.update("a").remove(Person.address)).address is None


async def test_a_write_whose_answer_does_not_fit_says_that_it_was_applied(client: Client) -> None:
    """An update or a delete that was applied says so, where what is stored does not fit the class."""
    await client.ensure_tables(Person)
    people = client.table(Person)
    raw: Any = client.table("people", partition_key="email")
    await raw.put({"email": "a", "name": 5})
    with pytest.raises(MarshallingError, match=r"Person\.name: expected S, found N; the write was applied") as updated:
        await people.update("a").set(Person.code, "x")
    assert updated.value.key == {"email": {"S": "a"}}
    assert updated.value.table == people.name
    with pytest.raises(MarshallingError, match=r"Person\.name: expected S, found N; the write was applied"):
        await people.delete("a")
    assert await raw.get("a") is None


async def test_a_replacement_that_is_too_large_is_refused_before_it_is_sent(client: Client) -> None:
    """One byte more than an item may have is a limit error of `replace` too, alone and in a transaction."""
    await client.ensure_tables(Person)
    people = client.table(Person)
    room = 409_600 - len("email") - 1 - len("name") - len("code")
    await people.put(Person(email="a", name="x"))
    with pytest.raises(LimitError, match="409,601 bytes"):
        await people.replace(Person(email="a", name="x" * (room + 1)))
    with pytest.raises(LimitError, match="409,601 bytes"):
        client.transact_write(people.replace(Person(email="a", name="x" * (room + 1)))).to_wire()


async def test_an_upsert_in_a_transaction_says_that_an_expired_item_is_in_its_way(client: Client, clock: Clock) -> None:
    """A transaction cannot remove an expired item before its upsert, and says what to do instead."""
    await client.ensure_tables(Person)
    people = client.table(Person)
    await people.put(Person(email="a", name="old", expires=datetime.fromtimestamp(clock.now - 10, UTC)))
    with pytest.raises(TransactionCanceledError, match="an expired item lies under this key") as canceled:
        await client.transact_write(people.upsert("a").set(Person.name, "new"))
    assert isinstance(canceled.value.reasons[0].error, ConditionalCheckFailedError)
    assert (await people.upsert("a").set(Person.name, "new")).expires is None


async def test_a_transaction_explains_keys_and_items(client: Client) -> None:
    """Explaining a transaction shows what each action is about: its key, or the whole item."""
    people = client.table(Person)
    text = str(
        client.transact_write(
            people.insert(Person(email="a", name="Ada")), people.delete("b"), people.check("c").when(Person.name == "C")
        ).explain()
    )
    assert 'item: email = "a", name = "Ada"' in text
    assert 'key: email = "b"' in text
    assert 'key: email = "c"' in text
