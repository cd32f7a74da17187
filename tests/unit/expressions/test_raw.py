"""Raw expressions: functions that the library does not know, with placeholders that nothing can be smuggled through."""

import pickle
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    LimitError,
    MarshallingError,
    ModelError,
    PartitionKey,
    attribute,
    document,
    entity,
    raw,
)
from mizzle_async.model.shared.conditions import check_where
from mizzle_async.testing.stub import StubCaller


@document
class Part:
    name: Attribute[str] = attribute(name="n")


@entity("orders")
class Order:
    id: PartitionKey[str]
    total: Attribute[Decimal] = attribute(default=Decimal(0), name="t")
    status: Attribute[str] = attribute(default="")
    part: Attribute[Part | None] = attribute(default=None)


@entity("others")
class Other:
    id: PartitionKey[str]
    name: Attribute[str]


pytestmark = pytest.mark.filterwarnings("ignore::mizzle_async.UnindexedFilterWarning")

client = Client(caller=StubCaller({}))
orders = client.table(Order)


def test_condition_has_the_text_and_the_request_s_placeholders():
    """The text goes out as it is written, its placeholders merged with those of the rest of the request."""
    body = (
        orders.update("1")
        .set(Order.total, Decimal(1))
        .when((Order.status == "a") & raw("my_function(#a, :b)", a=Order.total, b=1))
        .to_wire()
    )
    assert body["ConditionExpression"] == "attribute_exists(#id) AND #status = :status AND my_function(#t, :t)"
    assert body["ExpressionAttributeNames"] == {"#t": "t", "#id": "id", "#status": "status"}
    assert body["ExpressionAttributeValues"] == {":t": {"N": "1"}, ":status": {"S": "a"}}


def test_names_of_its_own_do_not_collide():
    """Placeholders are the request's: the same name for another value, or another attribute, makes a new one."""
    first = raw("f(#status, :total)", status=Order.part[Part.name], total=1)
    body = orders.scan().filter(first & (Order.total == 2) & raw("g(:total)", total=3)).to_wire()
    assert body["FilterExpression"] == "f(#part.#n, :total) AND #t = :t AND g(:total_2)"
    assert body["ExpressionAttributeNames"] == {"#part": "part", "#n": "n", "#t": "t"}
    assert body["ExpressionAttributeValues"] == {":total": {"N": "1"}, ":t": {"N": "2"}, ":total_2": {"N": "3"}}


def test_update_takes_it_as_a_value():
    """A SET clause takes it as the value; such an update is not repeated after a lost answer."""
    update = orders.update("1").set(Order.total, raw("round_to(#a, :b) + :c", a=Order.total, b=2, c=Decimal("0.5")))
    assert update.to_wire()["UpdateExpression"] == "SET #t = round_to(#t, :b) + :c"
    with pytest.raises(ExpressionError, match=r"takes a value"):
        orders.update("1").add(Order.total, raw("f(#a)", a=Order.total))  # type: ignore[type-var]  # the mistake


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("f(#a) OR g(#a)", "(f(#status) OR g(#status)) AND #t = :t"),
        ("f(#a) AND g(#a)", "f(#status) AND g(#status) AND #t = :t"),
        ("#a BETWEEN :low AND :high", "#status BETWEEN :low AND :high AND #t = :t"),
        ("#a IN (:low, :high)", "#status IN (:low, :high) AND #t = :t"),
        ("(f(#a) OR g(#a))", "(f(#status) OR g(#status)) AND #t = :t"),
        ("NOT f(#a)", "NOT f(#status) AND #t = :t"),
        ("f(g(#a), :low) >= :high", "f(g(#status), :low) >= :high AND #t = :t"),
    ],
)
def test_parentheses_are_put_where_they_are_needed(text, written):
    """Beside others, a text gets parentheses exactly where its loosest word binds less tightly."""
    values = {name: name for name in ("low", "high") if f":{name}" in text}
    condition = raw(text, a=Order.status, **values) & (Order.total == 1)
    assert orders.scan().filter(condition).to_wire()["FilterExpression"] == written


def test_negation_of_several_words_has_parentheses():
    """A negated text keeps its meaning."""
    negated = ~raw("f(#a) AND g(#a)", a=Order.status)
    assert orders.scan().filter(negated).to_wire()["FilterExpression"] == "NOT (f(#status) AND g(#status))"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("status = :b", r"'status' is no function and none of AND, BETWEEN, IN, NOT, OR"),
        ("f(status)", r"'status' is no function"),
        ("#a = 'x'", r"\"'\" at position 5 is no part of an expression"),
        ('#a = "x"', r"'\"' at position 5"),
        ("#a = 5", r"'5' at position 5"),
        ("#a.b = :b", r"'.' at position 2"),
        ("#a[0] = :b", r"'\[' at position 2"),
        ("#a = :b; f(#a)", r"';' at position 7"),
        ("#a = :b -- x", r"'x' is no function"),
        ("#ä = :b", r"'#' at position 0"),
        ("f(#a", r"its parentheses do not match"),
        ("f(#a))", r"its parentheses do not match"),
        (")f(#a)(", r"its parentheses do not match"),
        ("", r"takes the text of an expression"),
        ("   ", r"takes the text of an expression"),
        ("and(#a) f", r"'f' is no function"),
    ],
)
def test_text_is_words_operators_and_placeholders(text, message):
    """Anything that could be an attribute's name, a value or another language is refused, with its place."""
    arguments = {name[1:]: Order.status if name[0] == "#" else 1 for name in ("#a", ":b") if name in text}
    with pytest.raises(ExpressionError, match=message):
        raw(text, **arguments)


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("f(#a, :b)", {"a": Order.total}, r"b= is missing"),
        ("f(#a)", {"a": Order.total, "c": 1}, r"c= is not in the text"),
        ("f(#a, :a)", {"a": Order.total}, r"'a' is an attribute and a value at once"),
        ("f(#a)", {"a": "total"}, r"#a is an attribute, and a= takes its path, such as Order\.total, not str"),
        ("f(:a)", {"a": Order.total}, r":a is a value, and a= takes one, not AttributePath"),
        ("f(:a)", {"a": Order.total == 1}, r":a is a value, and a= takes one, not Predicate"),
    ],
)
def test_placeholders_and_arguments_match(text, arguments, message):
    """Each placeholder has one argument of its kind, and each argument a placeholder."""
    with pytest.raises(ExpressionError, match=message):
        raw(text, **arguments)


@pytest.mark.parametrize("value", ["x) OR attribute_exists(#id", ":b", "#a", "'; DROP", "ü\n"])
def test_values_are_never_part_of_the_text(value):
    """A value that looks like an expression is a value, and an attribute's name that looks like one is a name."""
    legacy = client.table("legacy", partition_key="pk")
    body = legacy.scan().filter(raw("f(#a, :b)", a=legacy.attribute("x) OR (1"), b=value)).to_wire()
    assert body["FilterExpression"] == "f(#0, :b)"
    assert body["ExpressionAttributeNames"] == {"#0": "x) OR (1"}
    assert body["ExpressionAttributeValues"] == {":b": {"S": value}}


def test_paths_of_another_entity_are_refused():
    """A raw condition about another entity's attribute is refused where it is given, as others are."""
    condition = raw("f(#a)", a=Other.name)
    with pytest.raises(ExpressionError, match=r"f\(Other\.name\) is about Other, but this table holds Order"):
        orders.update("1").set(Order.status, "a").when(condition)
    with pytest.raises(ExpressionError, match="Other"):
        orders.scan().filter((Order.status == "a") & condition)
    with pytest.raises(ExpressionError, match="Other"):
        orders.update("1").set(Order.total, raw("f(#a)", a=Other.name))


@pytest.mark.parametrize("value", [object(), datetime(2026, 1, 1, tzinfo=UTC), float("nan")])
def test_values_that_cannot_be_stored_are_refused(value):
    """A value is stored by its own type: one that has none is refused."""
    with pytest.raises(MarshallingError):
        orders.scan().filter(raw("f(#a, :b)", a=Order.total, b=value))


def test_operators_count_against_the_limit():
    """Its words and operators count as others do."""
    long = raw(" AND ".join(["f(#a) = :b"] * 101), a=Order.total, b=1)
    with pytest.raises(LimitError, match="operators and functions"):
        orders.scan().filter(long).to_wire()


def test_keys_of_a_query_are_not_filtered():
    """A filter of a query cannot read the key, in a raw expression neither."""
    with pytest.raises(ExpressionError, match=r"Order\.id is a key"):
        orders.query(Order.id == "1").filter(raw("f(#a)", a=Order.id))


def test_sparse_index_takes_none():
    """The client evaluates the condition of a sparse index itself, so that it must know the function."""
    with pytest.raises(ModelError, match="evaluated by the client"):
        check_where("sparse", (Order.status == "a") & raw("f(#a)", a=Order.status))


def test_it_shows_names_and_no_values_and_pickles():
    """Its text shows structure without values; it survives a pickle."""
    condition = raw("f(#a, :b)", a=Order.total, b="secret")
    assert str(condition) == "f(Order.total, …)"
    assert repr(condition) == "<Raw f(Order.total, …)>"
    assert condition.describe() == "f(Order.total, 'secret')"
    back: Any = pickle.loads(pickle.dumps(condition))
    assert orders.scan().filter(back).to_wire() == orders.scan().filter(condition).to_wire()


def test_changes_of_the_caller_s_containers_are_not_seen():
    """A container that is a value is copied."""
    values = ["a"]
    condition = raw("f(#a, :b)", a=Order.status, b=values)
    values.append("b")
    assert orders.scan().filter(condition).to_wire()["ExpressionAttributeValues"] == {":b": {"L": [{"S": "a"}]}}
