"""What the start-up check finds: everything that would fail when the first request of an entity is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mizzle_async import Attribute, Client, GlobalSecondaryIndex, ModelError, PartitionKey, document, entity
from mizzle_async.testing.stub import StubCaller

if TYPE_CHECKING:
    from decimal import Decimal


@document
class Line:
    price: Attribute[Decimal]


@entity("invoices")
class Invoice:
    key: PartitionKey[str]
    lines: Attribute[list[Line]]


@entity("prices")
class Price:
    key: PartitionKey[str]
    amount: Attribute[Decimal]


@entity("notes")
class Note:
    key: PartitionKey[str]
    text: Attribute[str]


BY_TEXT = GlobalSecondaryIndex("by-text", partition_key=Note.text)


@pytest.mark.parametrize("model", [Price, Invoice], ids=["attribute", "document"])
def test_a_name_that_only_type_checkers_import_fails_at_the_check(model: type):
    """The error names the class and the name; nothing is sent, and the client need not be open."""
    with pytest.raises(ModelError, match="Decimal"):
        Client().check(model)


def test_what_can_be_used_passes_the_check():
    """Entities, handles, and several at once."""
    client = Client()
    client.check(Note)
    client.check(client.table(Note), Note)
    client.check()


@pytest.mark.parametrize("model", [Price, Invoice], ids=["attribute", "document"])
async def test_ensure_tables_checks_before_it_asks(model: type):
    """Nothing is made of the first entity where the second cannot be used."""
    caller = StubCaller()
    async with Client(caller=caller) as client:
        with pytest.raises(ModelError, match="Decimal"):
            await client.ensure_tables(Note, model)
    assert caller.requests == []
