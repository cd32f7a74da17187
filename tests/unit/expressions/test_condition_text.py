from decimal import Decimal

import pytest

from mizzle_async.errors import ExpressionError, LimitError
from mizzle_async.expressions import AttributePath, PartitionKeyPath


class Order:
    pass


A = AttributePath(Order, ("a",))
B = AttributePath(Order, ("b",))
C = AttributePath(Order, ("c",))
D = AttributePath(Order, ("d",))


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (A == 1, "#a = :a"),
        (A != 1, "#a <> :a"),
        (A < 1, "#a < :a"),
        (A <= 1, "#a <= :a"),
        (A > 1, "#a > :a"),
        (A >= 1, "#a >= :a"),
        (B == A, "#b = #a"),
        (A.between(1, 2), "#a BETWEEN :a AND :a_2"),
        (A.between(B, 2), "#a BETWEEN #b AND :a"),
        (A.is_in([2, 1, 2, B]), "#a IN (:a, :a_2, #b)"),
        (A.exists(), "attribute_exists(#a)"),
        (A.not_exists(), "attribute_not_exists(#a)"),
        (A.attribute_type("SS"), "attribute_type(#a, :type)"),
        (A.begins_with("x"), "begins_with(#a, :a)"),
        (A.begins_with(b"x"), "begins_with(#a, :a)"),
        (A.contains("x"), "contains(#a, :a)"),
        (A.contains(B), "contains(#a, #b)"),
        (A.size() > 3, "size(#a) > :a"),
        (A.size() == B.size(), "size(#a) = size(#b)"),
        (A > B.size(), "#a > size(#b)"),
        (A[0]["x"][1] == 5, "#a[0].#x[1] = :x"),
        (A["a.b"] == 5, "#a.#1 = :0"),
        (A[3] == 5, "#a[3] = :a"),
    ],
)
def test_predicate_is_written_in_dynamodbs_grammar(compiler, condition, text):
    """Every comparison and function has its form, with placeholders for every name and value."""
    assert compiler.condition(condition) == text


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ((A == 1) & (B == 2) & (C == 3), "#a = :a AND #b = :b AND #c = :c"),
        ((A == 1) & (B == 2) | (C == 3), "#a = :a AND #b = :b OR #c = :c"),
        ((A == 1) & ((B == 2) | (C == 3)), "#a = :a AND (#b = :b OR #c = :c)"),
        (((A == 1) | (B == 2)) & ((C == 3) | (D == 4)), "(#a = :a OR #b = :b) AND (#c = :c OR #d = :d)"),
        (~(A == 1), "NOT #a = :a"),
        (~((A == 1) & (B == 2)), "NOT (#a = :a AND #b = :b)"),
        (~(A == 1) & (B == 2), "NOT #a = :a AND #b = :b"),
        (~~(A == 1), "#a = :a"),
        (~(~(A == 1) | (B == 2)), "NOT (NOT #a = :a OR #b = :b)"),
        (A.between(1, 2) & (B == 3), "#a BETWEEN :a AND :a_2 AND #b = :b"),
    ],
)
def test_parentheses_stand_only_where_precedence_needs_them(compiler, condition, text):
    """DynamoDB refuses redundant parentheses, and NOT binds tighter than AND, AND tighter than OR."""
    assert compiler.condition(condition) == text


def test_names_and_values_are_substituted_once(compiler):
    """The same name and the same value have one placeholder in all expressions of a request."""
    assert compiler.condition((A == 1) & (B == 1) & (A != 2)) == "#a = :a AND #b = :a AND #a <> :a_2"
    assert compiler.condition(B == 2, "FilterExpression") == "#b = :a_2"
    assert compiler.finish() == {
        "ExpressionAttributeNames": {"#a": "a", "#b": "b"},
        "ExpressionAttributeValues": {":a": {"N": "1"}, ":a_2": {"N": "2"}},
    }


def test_values_of_different_types_are_different(compiler):
    """A number, a text, a binary and a boolean that look alike keep placeholders of their own, lists and maps too."""
    condition = (A == 1) & (A == "1") & (A == True) & (A == b"1") & (A == [1]) & (A == ["1"]) & (A == [1])
    assert compiler.condition(condition) == (
        "#a = :a AND #a = :a_2 AND #a = :a_3 AND #a = :a_4 AND #a = :a_5 AND #a = :a_6 AND #a = :a_5"
    )


def test_nothing_to_substitute_is_left_out(compiler):
    """A request without values has no `ExpressionAttributeValues`: DynamoDB refuses an empty one."""
    assert compiler.finish() == {}
    compiler.condition(A.exists())
    assert compiler.finish() == {"ExpressionAttributeNames": {"#a": "a"}}


def test_placeholder_of_a_value_never_takes_anothers(compiler):
    """A second value named after `a` does not take the name of the first value of an attribute called `a_2`."""
    taken = AttributePath(Order, ("a_2",))
    assert compiler.condition((taken == 5) & (A == 1) & (A == 2)) == "#a_2 = :a_2 AND #a = :a AND #a = :a_3"


def test_many_names_and_values_are_numbered(compiler):
    """From the 33rd on placeholders are short numbers, so that long names do not use up the 4,096 bytes."""
    paths = [AttributePath(Order, (f"attribute_{number}",)) for number in range(40)]
    condition = paths[0] == 0
    for number, path in enumerate(paths[1:], start=1):
        condition &= path == number
    text = compiler.condition(condition)
    assert "#attribute_31 = :attribute_31 AND #32 = :32" in text
    assert compiler.names["#39"] == "attribute_39"
    assert compiler.values[":39"] == {"N": "39"}
    assert len(compiler.names) == len(compiler.values) == 40


@pytest.mark.parametrize("name", ["a b", "#a", ":a", "1a", "_a", "é", "SELECT * FROM", "a" * 21, "$", "\n", "😀"])
def test_any_name_is_substituted_safely(compiler, name):
    """A name that is no plain identifier appears in no expression text, only behind a numbered placeholder."""
    assert compiler.condition(AttributePath(Order, (name,)) == 1) == "#0 = :0"
    assert compiler.names == {"#0": name}


def test_impossible_names_are_refused(compiler):
    """An empty name, one that is no UTF-8, and one that is too long never reach the service."""
    with pytest.raises(ExpressionError, match="cannot be empty"):
        compiler.condition(A[""] == 1)
    with pytest.raises(ExpressionError, match="lone surrogate"):
        compiler.condition(A["\ud800"] == 1)
    with pytest.raises(LimitError, match="65,536 bytes; DynamoDB takes 65,535"):
        compiler.condition(A["x" * 65_536].exists())
    with pytest.raises(LimitError, match="65,536 bytes"):
        compiler.condition(A["é" * 32_768].exists())


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (A == A, r"Order\.a is compared with itself"),
        (A.between(1, A), r"Order\.a is compared with itself"),
        (A.is_in([A]), r"Order\.a is compared with itself"),
        (A.contains(A), r"Order\.a is compared with itself"),
        (A == None, r"Order\.a: this value is stored as absence, .* use \.exists\(\) or \.not_exists\(\)"),
        (set() == A, "stored as absence"),
        (A.is_in([1, None]), "stored as absence"),
        (A < True, r"Order\.a: < orders text, numbers and bytes, not BOOL; use == or contains\(\)"),
        ({"x"} <= A, ">= orders text, numbers and bytes, not SS"),
        (A.between([1], [2]), r"between\(\) orders text, numbers and bytes, not L"),
        (A.between(1, "x"), r"Order\.a\.between\(\) takes two values of one type, not N and S"),
        (A.between(2, 1), r"Order\.a\.between\(low, high\): low is greater than high"),
        (A.between("b", "a"), "low is greater than high"),
        (A.between(b"b", b"a"), "low is greater than high"),
        (A.between(Decimal("1e2"), 11), "low is greater than high"),
        (A.begins_with(5), r"Order\.a\.begins_with\(\) takes text or bytes"),
        (A.is_in([]), r"Order\.a\.is_in\(\) needs at least one value"),
        ((B == 1) == A, r"Order\.a cannot be compared with <Predicate Order\.b = …>"),
        (A == B + 1, r"cannot stand in a condition: DynamoDB computes in updates only"),
    ],
)
def test_what_dynamodb_would_refuse_is_refused(compiler, condition, message):
    """A condition that fails for every item is refused when it is compiled, naming the path and never the value."""
    with pytest.raises(ExpressionError, match=message):
        compiler.condition(condition)


def test_equal_bounds_are_a_range():
    """`between` with equal bounds is allowed, and so are bounds that differ in form only."""
    assert str(A.between(1, 1)) == "Order.a BETWEEN … AND …"


def test_bounds_are_compared_by_value(compiler):
    """Numbers are ordered as numbers, texts by their UTF-8 bytes."""
    assert compiler.condition(A.between(9, 11)) == "#a BETWEEN :a AND :a_2"
    assert compiler.condition(A.between("\uffff", "\U00010000")) == "#a BETWEEN :a_3 AND :a_4"
    assert compiler.condition(A.between(Decimal("1.0"), 1)) == "#a BETWEEN :a_5 AND :a_6"


def test_compiler_takes_conditions_only(compiler):
    """A boolean or a path in place of a condition is refused, naming the expression."""
    for wrong in (True, A, "a = 1", None):
        with pytest.raises(ExpressionError, match="Order: the FilterExpression is made of conditions such as"):
            compiler.condition(wrong, "FilterExpression")


def test_membership_does_not_depend_on_the_order_of_a_set(compiler):
    """The values of IN are sorted, because a set of texts has another order in every process."""
    compiler.condition(A.is_in({"c", "a", "b"}))
    assert list(compiler.values.values()) == [{"S": "a"}, {"S": "b"}, {"S": "c"}]


def test_too_many_choices_are_refused(compiler):
    """IN takes 100 values, counted after repetitions are dropped."""
    assert compiler.condition(A.is_in([*range(100), *range(100)])).count(",") == 99
    with pytest.raises(LimitError, match=r"Order\.a\.is_in\(\) in the ConditionExpression has 101 values; .* 100"):
        compiler.condition(A.is_in(range(101)))


def test_too_many_operators_are_refused(compiler):
    """300 operators and functions pass and 301 do not: comparisons, connectives, NOT and size() count."""
    allowed = A == 1
    for _ in range(149):
        allowed &= B == 1
    assert compiler.condition(allowed)
    with pytest.raises(
        LimitError, match="Order: the FilterExpression has 301 operators and functions; DynamoDB takes 300"
    ):
        compiler.condition(allowed & (B == 1), "FilterExpression")
    sizes = A.size() == 1
    for _ in range(99):
        sizes &= A.size() == 1
    assert compiler.condition(sizes)
    with pytest.raises(LimitError, match="302 operators"):
        compiler.condition(sizes & A.size().between(1, 2))
    with pytest.raises(LimitError, match="302 operators"):
        compiler.condition(allowed | ~(C == 1))


def test_too_deep_conditions_are_refused(compiler):
    """A tree that is deeper than Python's stack has too many operators, and its paths are known all the same."""
    condition = A == 1
    for _ in range(5_000):
        condition = ~(condition & (B == 1))
    assert condition.owners == (Order,)
    with pytest.raises(LimitError, match="Order: the ConditionExpression is nested too deeply; DynamoDB takes 300"):
        compiler.condition(condition)


def test_one_text_is_no_choice():
    """A text in place of a list of values is refused, because its letters can hardly be meant."""
    for text in ("open", b"open"):
        with pytest.raises(ExpressionError, match=r"Order\.a\.is_in\(\) takes several values"):
            A.is_in(text)


def test_too_long_expressions_are_refused(compiler):
    """An expression has 4,096 bytes, whatever its number of operators."""
    path = A
    for number in range(60):
        path = path[f"member_number_{number:06d}"]
    condition = path.exists()
    compiler.condition(condition)
    with pytest.raises(LimitError, match=r"the ConditionExpression has [\d,]+ bytes; DynamoDB takes 4,096"):
        compiler.condition(condition & condition & condition & condition & condition & condition)


def test_too_large_substitutions_are_refused(compiler):
    """Names and values together take 2 MB at most, inside lists, maps and sets too."""
    half = "x" * 1024 * 1024
    compiler.condition(half == A)
    compiler.finish()
    compiler.condition(A == [{"é": "y" * 1024 * 1024}])
    with pytest.raises(LimitError, match=r"Order: the names and values of the expressions take 2,097,\d+ bytes"):
        compiler.finish()


def test_every_type_of_value_counts_towards_the_limit(compiler):
    """Bytes count decoded, sets by their elements, everything else a little."""
    compiler.condition((A == b"x" * 3_000) & ({"e" * 3_000} == A) & (A == True) & (A == [True]))
    assert set(compiler.finish()) == {"ExpressionAttributeNames", "ExpressionAttributeValues"}


def test_partition_key_may_stand_in_a_condition(compiler):
    """A key condition is a condition like any other outside a query."""
    assert compiler.condition((PartitionKeyPath(Order, ("p",)) == "x") & (A == 1)) == "#p = :p AND #a = :a"
