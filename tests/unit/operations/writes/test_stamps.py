"""Roles are classes: one that nobody has heard of takes part in every write."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from attrs import frozen

from mizzle_async import Attribute, Client, ExpressionError, ModelError, PartitionKey, attribute, entity
from mizzle_async.expressions import ClauseKind
from mizzle_async.model import Role, WriteContext
from mizzle_async.model.roles import ROLES, DeclaredAttribute, RoleAttribute, RoleClause

NOW = 1_700_000_000.5


@frozen
class Writer(Role):
    """The program that wrote an item last; the whole of a new role."""

    name: str
    keyword = "writer"
    is_automatic = True

    def check(self, declared: DeclaredAttribute) -> None:
        if declared.annotation is not str:
            raise ModelError(f"{declared.where}: a writer is a str")

    def on_new(self, attribute: RoleAttribute, item: Any, write: WriteContext) -> None:
        item[attribute.name] = {"S": f"{self.name} made it"}

    def on_put(self, attribute: RoleAttribute, item: Any, write: WriteContext) -> None:
        item[attribute.name] = {"S": f"{self.name} put it"}

    def on_update(self, attribute: RoleAttribute, write: WriteContext) -> Iterator[RoleClause]:
        yield RoleClause(ClauseKind.SET, attribute.name, {"S": f"{self.name} changed it"})

    def refusal(self, roles: Any) -> str | None:
        return "the writer, which the library keeps"


@entity("notes")
class Note:
    id: PartitionKey[str]
    text: Attribute[str]
    writer: Attribute[str] = attribute(default="", name="w", role=Writer("importer"))
    made: Attribute[datetime | None] = attribute(default=None, created_at=True)


@pytest.fixture
def notes():
    """The table of notes, on a clock that stands still."""
    return Client(clock=lambda: NOW).table(Note)


def test_a_role_of_its_own_takes_part_in_every_write(notes):
    """An item that is made, put, updated or replaced has what the role gave it, and nothing else had to know."""
    note = Note(id="1", text="t")
    assert notes.insert(note).to_wire()["Item"]["w"] == {"S": "importer made it"}
    assert notes.put(note).to_wire()["Item"]["w"] == {"S": "importer put it"}
    update = notes.update("1").set(Note.text, "u").to_wire()
    assert {"S": "importer changed it"} in update["ExpressionAttributeValues"].values()
    replaced = notes.replace(note).to_wire()
    assert {"S": "importer changed it"} in replaced["ExpressionAttributeValues"].values()


def test_a_role_of_its_own_may_keep_its_attribute_to_itself(notes):
    """No clause of a caller writes an attribute whose role refuses it, and no patch or upsert asks for it."""
    with pytest.raises(ExpressionError, match=r"Note\.writer is the writer, which the library keeps"):
        notes.update("1").set(Note.writer, "me")
    patch = notes.patch(Note(id="1", text="t"), to=Note(id="1", text="u", writer="me"))
    assert {"S": "me"} not in patch.to_wire()["ExpressionAttributeValues"].values()


def test_a_role_of_its_own_checks_its_attribute():
    """What a role asks of its attribute is checked when the class is made, as for the library's own roles."""
    with pytest.raises(ModelError, match=r"Thing\.writer: a writer is a str"):

        @entity("things")
        class Thing:
            id: PartitionKey[str]
            writer: Attribute[int] = attribute(default=0, role=Writer("x"))

    with pytest.raises(ModelError, match="cannot be version and writer at once"):

        @entity("things")
        class Both:
            id: PartitionKey[str]
            writer: Attribute[int] = attribute(default=0, version=True, role=Writer("x"))


def test_every_keyword_of_attribute_is_a_role():
    """Each role with a keyword of its own is reached by it."""
    for role in ROLES:
        options: Any = {role.keyword: True}
        assert attribute(**options).metadata["mizzle_async"].roles == (role,)
