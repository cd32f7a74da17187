import gc
import warnings

import pytest

from mizzle_async import Attribute, Client, PartitionKey, attribute, entity
from mizzle_async.errors import ClientStateError, UnawaitedOperationWarning
from mizzle_async.operations.actions import WriteSending
from mizzle_async.operations.base import Operation, promote
from mizzle_async.operations.reads.get import GetSending
from mizzle_async.operations.writes.put import PutItem
from mizzle_async.types import RepeatSafety, WireResponse
from mizzle_async.writing.table_part import target_of


@entity("notes")
class Note:
    note_id: PartitionKey[str]
    text: Attribute[str] = attribute(default="")


class LoudPut(PutItem[Note]):
    """A put of a more special class."""

    __slots__ = ()


@pytest.fixture
def notes():
    """A table of a client that is not open."""
    return Client().table(Note)


def test_an_operation_shows_its_users_words_only(notes):
    """The steps of sending stand behind one attribute, which says more about writes and gets."""
    shown = {name for name in dir(Operation) if not name.startswith("_")}
    assert shown == {"explain", "send", "sending", "timeout", "to_wire"}
    assert isinstance(notes.put(Note(note_id="a")).sending, WriteSending)
    assert isinstance(notes.get("a").sending, GetSending)


def test_taking_the_steps_counts_as_use(notes):
    """An operation whose steps were taken does not warn when it is dropped, one without use does."""
    with pytest.warns(UnawaitedOperationWarning):
        notes.get("a")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _ = notes.get("a").sending
        gc.collect()


def test_the_steps_lead_from_the_request_to_the_result(notes):
    """They know the table, the safety, the request, and the meaning of an answer and of a failure."""
    sending = notes.insert(Note(note_id="a", text="x")).when(Note.text == "y").sending
    assert sending.target is target_of(notes)
    assert sending.safety is sending.to_request().safety is RepeatSafety.GUARDED
    assert (sending.settled, sending.is_conditional, len(sending.conditions)) == (False, True, 1)
    assert sending.item_key() == {"note_id": {"S": "a"}}
    assert sending.from_wire(WireResponse({}), 0.0) == sending.transacted() == Note(note_id="a", text="x")
    with pytest.raises(ClientStateError):
        sending.recover(ClientStateError("closed"), 0.0)
    assert sending.follow_up(ClientStateError("closed"), 0.0) is None


def test_a_plain_operation_is_promoted_with_all_that_it_has(notes):
    """Promotion takes every attribute over, changes some, and uses the original up."""
    plain = notes.insert(Note(note_id="a"), timeout=3.0).when(Note.text == "y")
    special = promote(plain, LoudPut, timeout=4.0)
    assert type(special) is LoudPut
    assert special.timeout == 4.0
    assert special.to_wire() == plain.to_wire()
