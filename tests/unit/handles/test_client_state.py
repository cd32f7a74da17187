"""The client's handle of a state table."""

import pytest

from mizzle_async import Client, LimitError, ModelError, StateTable


def test_handle_of_a_state_table_is_made_once():
    """Asking again, by an equal name too, gives the same handle: its rows are compiled once."""
    client = Client(region_name="eu-west-1", credentials=("key", "secret"), table_prefix="dev-")
    state = client.state(StateTable("app-state"))
    assert client.state(StateTable("app-state")) is state
    assert client.state(StateTable("other")) is not state
    assert state.name == "dev-app-state"
    assert repr(state) == "<State 'dev-app-state'>"


@pytest.mark.parametrize("name", ["ab", "a b", ""])
def test_name_that_no_table_has_is_refused(name):
    """DynamoDB takes no such name."""
    with pytest.raises(LimitError, match="3 to 255"):
        StateTable(name)


def test_other_things_are_no_state_tables():
    """A name alone, and no text, are refused."""
    client = Client(region_name="eu-west-1", credentials=("key", "secret"))
    with pytest.raises(ModelError, match="takes a StateTable"):
        client.state("app-state")
    with pytest.raises(ModelError, match="takes the table's name"):
        StateTable(7)
    assert StateTable("app-state") == StateTable("app-state") != "app-state"
