"""Values that are assigned without an instance pass what their class demands of them."""

import attrs
import pytest

from mizzle_async import Attribute, Client, MarshallingError, PartitionKey, attribute, entity


def whole(instance: object, _attribute: object, _value: object) -> None:
    """Look at the whole instance."""
    assert isinstance(instance, Counted)


@entity("counted")
class Counted:
    id: PartitionKey[str]
    count: Attribute[int] = attribute(default=0, validator=attrs.validators.ge(0), name="n")
    name: Attribute[str] = attribute(default="", converter=str.strip)
    other: Attribute[int] = attribute(default=0, validator=whole)


@pytest.fixture
def update():
    """Return an update without clauses."""
    return Client().table(Counted).update("a")


@pytest.mark.parametrize(
    "change",
    [
        lambda update: update.set(Counted.count, -77),
        lambda update: update.set({"count": -77}),
        lambda update: update.set_default(Counted.count, -77),
    ],
)
def test_what_a_validator_refuses_is_not_sent(update, change):
    """A value that its attribute's validator refuses is refused, and not shown."""
    with pytest.raises(MarshallingError, match=r"^Counted.count: its validator refuses the value") as caught:
        change(update)
    assert "77" not in str(caught.value)


def test_a_converter_runs(update):
    """A value is converted as it would be in an instance, and what cannot be is refused."""
    assert update.set(Counted.name, " a ").to_wire()["ExpressionAttributeValues"] == {":name": {"S": "a"}}
    with pytest.raises(MarshallingError, match=r"^Counted.name: its converter refuses the value \(TypeError\)"):
        update.set(Counted.name, 5)


def test_what_needs_an_instance_is_left_to_reading(update):
    """Validators of the user's may look at the instance, and operands are computed by the service: both are sent."""
    wire = update.set(Counted.other, 5).set(Counted.count, Counted.count + 1).to_wire()
    assert wire["UpdateExpression"] == "SET #other = :other, #n = #n + :n"
