import pickle
from decimal import Decimal
from typing import Any

import pytest

from mizzle_async import Attribute, Client, ExpressionError, Key, PartitionKey, SortKey, entity


@entity("scores")
class Score:
    game: PartitionKey[str]
    points: SortKey[Decimal]
    player: Attribute[str]


@entity("players")
class Player:
    name: PartitionKey[str]


@pytest.fixture
def client():
    """A client that was never opened."""
    return Client()


def test_keys_of_one_item_are_equal(client):
    """Numbers are compared by value, as the service compares them, so a key finds itself in a set."""
    scores = client.table(Score)
    one, same, other = (scores.key(game="g", points=Decimal(text)) for text in ("1", "1.0", "2"))
    assert one == same
    assert hash(one) == hash(same)
    assert {one, same, other} == {one, other}
    assert one != "g"


def test_keys_of_two_entities_differ(client):
    """The same values are another key for another entity."""
    assert client.table(Player).key("g") != Key(Score, {"name": {"S": "g"}})


def test_repr_has_no_values(client):
    """A key tells its entity and attributes only: it ends in logs."""
    key = client.table(Score).key(game="secret", points=Decimal(99))
    assert repr(key) == "<Key of Score by game, points: its values are in .item>"


def test_key_can_be_pickled(client):
    """A key travels to another process and stays the same key."""
    key = client.table(Score).key(game="g", points=Decimal(1))
    assert pickle.loads(pickle.dumps(key)) == key


def test_key_of_another_entity_is_refused(client):
    """A key says whose it is, whatever its attributes are called."""
    key: Any = client.table(Player).key("g")
    with pytest.raises(ExpressionError, match="this is a key of Player"):
        client.table(Score).get(key)


def test_key_of_a_table_without_a_class(client):
    """A table of dicts has keys too, known by its name."""
    legacy = client.table("legacy", partition_key="pk", sort_key="sk")
    key = legacy.key(pk="a", sk="b")
    assert repr(key) == "<Key of legacy by pk, sk: its values are in .item>"
    assert legacy.get({"pk": "a", "sk": "b", "payload": 1}).to_wire() == legacy.get(key).to_wire()


def test_one_value_is_enough_for_one_attribute(client):
    """Where the key has one attribute, its value says everything."""
    assert client.table(Player).get("Ann").to_wire()["Key"] == {"name": {"S": "Ann"}}
