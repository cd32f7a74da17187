from typing import Any

import attrs
import pytest

from mizzle_async import Attribute, Client, MarshallingError, PartitionKey, attribute, document, entity
from mizzle_async.operations.reads.projection import value_at


def stripped(text: str) -> str:
    """Return text without blanks around it; refuse nothing."""
    return text.strip() if text else {}[text]


@document
class Part:
    name: Attribute[str]
    tags: Attribute[frozenset[str]] = attribute(factory=frozenset)
    size: Attribute[str] = attribute(default="small")


@entity("things")
class Thing:
    thing_id: PartitionKey[str]
    labels: Attribute[set[str]]
    kind: Attribute[str] = attribute(default="plain")
    steps: Attribute[list[str]] = attribute(factory=lambda: ["first"])
    part: Attribute[Part | None] = attribute(default=None)
    parts: Attribute[list[Part]] = attribute(factory=list)
    extra: Attribute[dict[str, int]] = attribute(factory=dict)
    roles: Attribute[set[str]] = attribute(factory=lambda: {"guest"})
    limit: Attribute[int | None] = attribute(default=5)
    count: Attribute[int] = attribute(default="7", converter=int)
    name: Attribute[str] = attribute(default="none", converter=stripped)
    groups: Attribute[dict[str, set[str]]] = attribute(factory=dict)


@attrs.define
class Plain:
    pk: str
    double: str = attrs.field()

    @double.default
    def _double(self) -> str:
        return self.pk * 2


def row(query: Any, item: Any) -> Any:
    """Return what a projected query makes of an item."""
    return query._plan.row(item)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (Thing.labels, set()),
        (Thing.kind, "plain"),
        (Thing.steps, ["first"]),
        (Thing.part, None),
        (Thing.part[Part.name], None),
        (Thing.part[Part.tags], frozenset()),
        (Thing.parts[1][Part.name], None),
        (Thing.part[Part.size], None),
        (Thing.extra["x"], None),
        (Thing.groups["x"], set()),
        (Thing.roles, set()),
        (Thing.limit, None),
        (Thing.count, 7),
    ],
    ids=str,
)
def test_absent_attribute_has_what_an_instance_would_have(path, value):
    """A default, converted, an empty set or None stands for what is not stored, as in an instance."""
    things = Client().table(Thing)
    item = {"thing_id": {"S": "a"}}
    assert row(things.scan().project(path), item) == (value,)
    if len(path.segments) == 1:
        assert getattr(row(things.scan(), item), path.segments[0]) == value


def test_absent_member_of_a_stored_document_has_its_default():
    """What a document lacks is what an instance of its class would have."""
    query = Client().table(Thing).scan().project(Thing.part[Part.size], Thing.part[Part.tags])
    assert row(query, {"part": {"M": {"name": {"S": "p"}}}}) == ("small", frozenset())


def test_made_defaults_are_not_shared():
    """Every row has a list of its own."""
    query = Client().table(Thing).scan().project(Thing.steps)
    ((first,), (second,)) = row(query, {}), row(query, {})
    assert first == second
    assert first is not second


def test_default_that_needs_an_instance_is_none():
    """A default that is computed from the rest of an instance cannot be known for a row."""
    plain = Client().table(Plain, name="plain", partition_key="pk")
    assert row(plain.scan().project(plain.attribute("double")), {"pk": {"S": "a"}}) == (None,)


def test_values_are_converted_as_in_an_instance():
    """What is stored passes the converter of its attribute, which may refuse it."""
    query = Client().table(Thing).scan().project(Thing.name)
    assert row(query, {"thing_id": {"S": "a"}, "name": {"S": " Ada "}}) == ("Ada",)
    with pytest.raises(MarshallingError, match=r"Thing\.name: expected a value that its converter takes, found KeyErr"):
        row(query, {"thing_id": {"S": "a"}, "name": {"S": ""}})


def test_values_inside():
    """Members of maps and elements of lists are found where they lie."""
    item = {
        "part": {"M": {"name": {"S": "p"}}},
        "parts": {"L": [{"M": {"name": {"S": "q"}}}, {"M": {"name": {"S": "r"}}}]},
        "extra": {"M": {"a.b": {"N": "1"}}},
    }
    query = Client().table(Thing).scan().project(Thing.part[Part.name], Thing.parts[1][Part.name], Thing.extra["a.b"])
    assert row(query, item) == ("p", "r", 1)
    assert query.to_wire()["ProjectionExpression"] == "#part.#name, #parts, #extra.#4, #thing_id"


@pytest.mark.parametrize("segments", [("a",), ("a", "b"), ("a", 0), ("l", 5), ("l", 0, "x"), ("l", "x"), ("s", 0)])
def test_path_that_leads_nowhere_is_none(segments):
    """A path through something that is not there, or is no container, finds nothing."""
    assert value_at({"l": {"L": [{"S": "x"}]}, "s": {"S": "text"}}, segments) is None
