import pytest

from mizzle_async.expressions import AttributePath, Condition, Conjunction, Disjunction, Negation


class Order:
    pass


class Customer:
    pass


A = AttributePath(Order, ("a",))
B = AttributePath(Order, ("b",))
C = AttributePath(Order, ("c",))


def test_condition_has_no_truth_value():
    """`and`, `or`, `not`, `if` and chained comparisons raise, and the error says what to write instead."""
    uses = [
        lambda: (A == 1) and (B == 2),
        lambda: (A == 1) or (B == 2),
        lambda: not (A == 1),  # noqa: SIM201  (it is refused)
        lambda: 1 < A < 5,
        lambda: A in [B],  # noqa: FURB171  (it is refused)
    ]
    for use in uses:
        with pytest.raises(TypeError, match=r"has no truth value: .* Combine conditions with &, \| and ~"):
            use()


def test_chains_of_one_connective_are_flat():
    """`a & b & c` is one list of three, whichever way it is grouped; `&` inside `|` stays a part of its own."""
    flat = (A == 1) & ((B == 2) & (C == 3))
    assert isinstance(flat, Conjunction)
    assert len(flat.parts) == 3
    either = (A == 1) | (B == 2) | (C == 3)
    assert isinstance(either, Disjunction)
    assert len(either.parts) == 3
    mixed = (A == 1) & (B == 2) | (C == 3)
    assert isinstance(mixed, Disjunction)
    assert [type(part).__name__ for part in mixed.parts] == ["Conjunction", "Predicate"]


def test_double_negation_is_nothing():
    """A condition negated twice is the condition itself: DynamoDB's conditions are true or false."""
    condition = A == 1
    negated = ~condition
    assert isinstance(negated, Negation)
    assert ~negated is condition


def test_condition_combines_with_conditions_only():
    """Anything else on the right of a condition is Python's ordinary TypeError."""
    with pytest.raises(TypeError, match="unsupported operand"):
        (A == 1) & True


@pytest.mark.parametrize(
    "use",
    [
        lambda: A > 1 & B,
        lambda: A > 1 | B.begins_with("x"),
        lambda: (A == 1) & B == 2,
        lambda: (A == 1) | B,
        lambda: A & B,
        lambda: A.size() > 1 & B.size() > 2,
    ],
)
def test_forgotten_parentheses_are_told(use):
    """A path or a value where `&` and `|` take a condition raises, and the error says what to write instead."""
    with pytest.raises(TypeError, match=r"put each comparison into parentheses, `\(a > 1\) & \(b == 2\)`"):
        use()


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ((A == 1) & (B != 2) | (C < 3), "Order.a = 1 AND Order.b <> 2 OR Order.c < 3"),
        ((A <= 1) & ((B > 2) | (C >= 3)), "Order.a <= 1 AND (Order.b > 2 OR Order.c >= 3)"),
        (~((A == 1) & (B == 2)), "NOT (Order.a = 1 AND Order.b = 2)"),
        (~(A == "x"), "NOT Order.a = 'x'"),
        (A.between(1, B), "Order.a BETWEEN 1 AND Order.b"),
        (A.is_in([1, B]), "Order.a IN (1, Order.b)"),
        (A.begins_with("x"), "begins_with(Order.a, 'x')"),
        (A.contains(B), "contains(Order.a, Order.b)"),
        (A.exists() & A.not_exists(), "attribute_exists(Order.a) AND attribute_not_exists(Order.a)"),
        (A.size() > B.size(), "size(Order.a) > size(Order.b)"),
    ],
)
def test_condition_describes_itself_with_values_where_asked(condition: Condition, text):
    """`describe()` is the whole condition with its values, for its author's eyes."""
    assert condition.describe() == text


def test_text_of_a_condition_never_shows_values():
    """`str` and `repr` show structure and names, so that they may be logged."""
    condition = ~(A == "secret") & B.is_in(["secret", "hidden"]) & C.between("secret", "x")
    assert str(condition) == "NOT Order.a = … AND Order.b IN (…, …) AND Order.c BETWEEN … AND …"
    assert repr(condition) == f"<Conjunction {condition}>"


def test_condition_knows_the_owners_of_its_paths():
    """Every owner is listed once, in order, those of arguments included."""
    other = AttributePath(Customer, ("x",))
    assert (A == 1).owners == (Order,)
    assert ((A > other) & ~(other.size() > 1) & (B == 1)).owners == (Order, Customer)
    assert [str(place) for place in (A.between(B, 1) | (C == 1)).places()] == ["Order.a", "Order.b", "Order.c"]
