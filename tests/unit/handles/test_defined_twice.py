"""A class that is defined twice, by a cell of a notebook that ran again: errors say so."""

import pytest

from mizzle_async import Attribute, Client, ExpressionError, MarshallingError, PartitionKey, attribute, document, entity


def define() -> tuple[type, type]:
    """Run the cell."""

    @document
    class Part:
        size: Attribute[int] = attribute(default=1)

    @entity("things")
    class Thing:
        id: PartitionKey[str]
        part: Attribute[Part] = attribute(factory=Part)
        name: Attribute[str] = attribute(default="")

    return Thing, Part


TWICE = r"was it defined twice, by a cell that ran again or a module that was reloaded\?"


def test_instances_and_paths_of_the_first_class_name_the_reason():
    """What is left of the first class is refused by the second, and the message is no riddle."""
    first, first_part = define()
    second, _ = define()
    table = Client().table(second)
    with pytest.raises(MarshallingError, match=rf"Thing: expected Thing, found another class Thing; {TWICE}"):
        table.put(first(id="1"))
    with pytest.raises(MarshallingError, match=rf"Thing\.part: expected Part, found another class Part; {TWICE}"):
        table.put(second(id="1", part=first_part()))
    with pytest.raises(ExpressionError, match=rf"is about another class Thing than this table holds: {TWICE}"):
        table.update("1").set(first.name, "x")
    with pytest.raises(ExpressionError, match=TWICE):
        table.check("1").when(first.name == "x")
    with pytest.raises(ExpressionError, match=TWICE):
        table.query(first.id == "1")


def test_another_class_is_named_as_before():
    """A class of another name is just another class."""

    @entity("others")
    class Other:
        id: PartitionKey[str]
        name: Attribute[str]

    thing, _ = define()
    with pytest.raises(ExpressionError, match="is about Other, but this table holds Thing: use attributes of Thing"):
        Client().table(thing).update("1").set(Other.name, "x")
