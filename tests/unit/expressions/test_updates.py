import copy
import pickle

import pytest

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import (
    AttributePath,
    Compiler,
    CompositePartitionKeyPath,
    PartitionKeyPath,
    SortKeyPath,
    UpdateClauses,
)


class Order:
    pass


class Customer:
    pass


TOTAL = AttributePath(Order, ("total",))
STATUS = AttributePath(Order, ("status",))
TAGS = AttributePath(Order, ("tags",))
LINES = AttributePath(Order, ("lines",))
UPDATE = UpdateClauses()


@pytest.mark.parametrize(
    ("clauses", "text"),
    [
        (UPDATE.set(STATUS, "x"), "SET #status = :status"),
        (UPDATE.set(STATUS, "x").set(TOTAL, 5), "SET #status = :status, #total = :total"),
        (UPDATE.set(STATUS, None), "REMOVE #status"),
        (UPDATE.set(TAGS, set()), "REMOVE #tags"),
        (UPDATE.set(TOTAL, STATUS), "SET #total = #status"),
        (UPDATE.set(TOTAL, TOTAL + 5), "SET #total = #total + :total"),
        (UPDATE.set(TOTAL, TOTAL - STATUS), "SET #total = #total - #status"),
        (UPDATE.set(TOTAL, 5 - TOTAL), "SET #total = :total - #total"),
        (UPDATE.set(TOTAL, 5 + TOTAL), "SET #total = :total + #total"),
        (UPDATE.set(TOTAL, TOTAL.if_not_exists(0)), "SET #total = if_not_exists(#total, :total)"),
        (UPDATE.set(TOTAL, TOTAL.if_not_exists(0) + 1), "SET #total = if_not_exists(#total, :total) + :total_2"),
        (UPDATE.set(TOTAL, TOTAL.if_not_exists(9) - 1), "SET #total = if_not_exists(#total, :total) - :total_2"),
        (UPDATE.set(TOTAL, STATUS.if_not_exists(LINES)), "SET #total = if_not_exists(#status, #lines)"),
        (UPDATE.set(LINES, LINES.list_append([1])), "SET #lines = list_append(#lines, :lines)"),
        (UPDATE.set(LINES, LINES.list_append(TAGS)), "SET #lines = list_append(#lines, #tags)"),
        (UPDATE.set_default(TOTAL, 1), "SET #total = if_not_exists(#total, :total)"),
        (UPDATE.add(TOTAL, 5), "ADD #total :total"),
        (UPDATE.add(TAGS, {"a"}), "ADD #tags :tags"),
        (UPDATE.remove(STATUS), "REMOVE #status"),
        (UPDATE.remove(LINES[0]).remove(STATUS).remove(LINES[12]), "REMOVE #lines[12], #lines[0], #status"),
        (UPDATE.discard(TAGS, {"a"}), "DELETE #tags :tags"),
        (UPDATE.append(LINES, [1]), "SET #lines = list_append(if_not_exists(#lines, :empty), :lines)"),
        (UPDATE.append(LINES, (1,)), "SET #lines = list_append(if_not_exists(#lines, :empty), :lines)"),
        (UPDATE.prepend(LINES, [1]), "SET #lines = list_append(:lines, if_not_exists(#lines, :empty))"),
        (UPDATE.append(LINES, TAGS), "SET #lines = list_append(if_not_exists(#lines, :empty), #tags)"),
        (UPDATE.set(LINES[0]["price"], 5), "SET #lines[0].#price = :price"),
        (
            UPDATE.add(TOTAL, 1).remove(STATUS).set(LINES, [1]).discard(TAGS, {"x"}),
            "SET #lines = :lines REMOVE #status ADD #total :total DELETE #tags :tags",
        ),
    ],
)
def test_clauses_are_written_in_dynamodbs_grammar(compiler, clauses, text):
    """Clauses are grouped by action, in the caller's order inside each."""
    assert compiler.update(clauses) == text


def test_update_shares_placeholders_with_its_condition(compiler):
    """An update and its condition are one request: the same value is sent once."""
    update = compiler.update(UPDATE.set(STATUS, "paid"))
    condition = compiler.condition((STATUS == "open") | (TOTAL == "paid"))
    assert update == "SET #status = :status"
    assert condition == "#status = :status_2 OR #total = :status"
    assert compiler.values == {":status": {"S": "paid"}, ":status_2": {"S": "open"}}


def test_adding_or_discarding_nothing_is_nothing(compiler):
    """An empty set changes nothing, so nothing is written for it."""
    assert compiler.update(UPDATE.add(TAGS, set()).discard(LINES, frozenset()).set_default(TOTAL, None)) == ""
    assert compiler.finish() == {}
    assert compiler.update(UPDATE.add(TAGS, set()).set(TOTAL, 1)) == "SET #total = :total"


@pytest.mark.parametrize(
    ("clauses", "message"),
    [
        (UPDATE.set(TOTAL, 1).set(TOTAL, 2), r"Order\.total is named twice"),
        (UPDATE.set(LINES, []).set(LINES[0], 2), r"Order\.lines\[0\] and Order\.lines overlap"),
        (UPDATE.set(LINES[0]["x"], 1).remove(LINES), r"Order\.lines and Order\.lines\[0\]\.x overlap"),
        (UPDATE.set(LINES[0], 1).set(LINES["a"], 1), r"Order\.lines\.a and Order\.lines\[0\] conflict"),
        (UPDATE.add(STATUS, [1]), r"\.add\(Order\.status, …\) takes a number or a set, not L"),
        (UPDATE.discard(TAGS, 5), r"\.discard\(Order\.tags, …\) takes a set of elements, not N"),
        (UPDATE.add(TOTAL, STATUS), r"\.add\(Order\.total, …\) takes a value: .* `\.set\(path, path \+ other\)`"),
        (UPDATE.discard(TAGS, LINES), "takes a value"),
        (UPDATE.set(TOTAL, TAGS.size()), r"Order\.total cannot be set to <Size size\(Order\.tags\)>"),
        (UPDATE.set(TOTAL, STATUS == 1), "cannot be set to <Predicate"),
        (UPDATE.set(TOTAL, TOTAL + (TOTAL + 1)), "neither chains sums"),
        (UPDATE.set(TOTAL, TOTAL.if_not_exists(STATUS + 1)), "neither chains sums"),
        (UPDATE.set(LINES, LINES.list_append(LINES.list_append([1]))), "neither chains sums"),
        (UPDATE.set(TOTAL, TOTAL + "x"), r"Order\.total: `\+` and `-` take numbers, not S"),
        (UPDATE.set(TOTAL, TOTAL + None), "stored as absence"),
        (UPDATE.append(LINES, "abc"), r"Order\.lines takes a list of elements to append, not str"),
        (UPDATE.append(LINES, {"a"}), "takes a list of elements to append, not set"),
        (UPDATE.append(LINES, 5), "takes a list of elements to append, not int"),
    ],
)
def test_what_dynamodb_would_refuse_is_refused(compiler, clauses, message):
    """An update that fails for every item is refused when it is compiled, naming the paths and never the values."""
    with pytest.raises(ExpressionError, match=message):
        compiler.update(clauses)


def test_sums_do_not_chain():
    """`path + 1 + 2` has no meaning in DynamoDB and none here; nor has any other operator."""
    for arithmetic in (
        lambda: TOTAL + 1 + 2,
        lambda: 1 - (TOTAL - 2),
        lambda: TOTAL * 2,
        lambda: 2 / TOTAL,
        lambda: -TOTAL,
        lambda: TOTAL.if_not_exists(0) * 2,
    ):
        with pytest.raises(ExpressionError, match="DynamoDB adds or subtracts two operands"):
            arithmetic()


def test_a_default_may_stand_in_sums_and_lists(compiler):
    """`if_not_exists` stands on either side of a sum, and is appended to, as the guide of AWS writes it."""
    clauses = UPDATE.set(TOTAL, 5 - TOTAL.if_not_exists(0)).set(LINES, LINES.if_not_exists([]).list_append(["x"]))
    assert compiler.update(clauses) == (
        "SET #total = :total - if_not_exists(#total, :total_2), "
        "#lines = list_append(if_not_exists(#lines, :lines), :lines_2)"
    )


def test_appending_needs_a_list(make_compiler):
    """An attribute that encodes its elements as something else cannot be appended to."""
    compiler = make_compiler(encode=lambda value, path, facet: {"S": "x"})
    with pytest.raises(ExpressionError, match=r"Order\.lines is no list"):
        compiler.update(UPDATE.append(LINES, [1]))


def test_siblings_do_not_overlap(compiler):
    """Different members and positions of one attribute may be changed together."""
    clauses = UPDATE.set(LINES[0], 1).set(LINES[1]["a"], 1).set(LINES[1]["b"], 1).remove(LINES[12])
    assert (
        compiler.update(clauses)
        == "SET #lines[0] = :lines, #lines[1].#a = :lines, #lines[1].#b = :lines REMOVE #lines[12]"
    )


def test_keys_are_never_updated(make_compiler):
    """A key attribute as the target is refused: by its path at once, by its name when compiled."""
    for key in (PartitionKeyPath(Order, ("id",)), SortKeyPath(Order, ("id",))):
        with pytest.raises(ExpressionError, match=r"Order\.id is a key: an update cannot change it"):
            UPDATE.set(key, 1)
    with pytest.raises(ExpressionError, match="is a key"):
        UPDATE.set(CompositePartitionKeyPath(Order, (), index=object(), parts=(TOTAL, STATUS)), 1)
    compiler = make_compiler(key_names=("id",))
    for path in (AttributePath(Order, ("id",)), AttributePath(Order, ("id", "x"))):
        with pytest.raises(ExpressionError, match="is a key: an update cannot change it"):
            compiler.update(UPDATE.remove(path))
    index_path = PartitionKeyPath(Order, ("status",), index=object())
    assert compiler.update(UPDATE.set(index_path, 1)) == "SET #status = :status"


@pytest.mark.parametrize("wrong", ["status", STATUS == 1, None, TOTAL + 1])
def test_target_is_a_path(wrong):
    """A name or a condition in place of a path is refused where it is written."""
    with pytest.raises(ExpressionError, match=r"\.remove\(\) takes an attribute's path first, such as `Order.status`"):
        UPDATE.remove(wrong)


@pytest.mark.parametrize(
    ("clauses", "safe"),
    [
        (UPDATE, True),
        (UPDATE.set(TOTAL, 5).remove(STATUS).set_default(LINES, []), True),
        (UPDATE.add(TAGS, {"a"}).discard(LINES, frozenset({"a"})), True),
        (UPDATE.set(LINES[0]["price"], 5).remove(LINES[0]["note"]), True),
        (UPDATE.add(TOTAL, 1), False),
        (UPDATE.set(TOTAL, TOTAL + 1), False),
        (UPDATE.set(TOTAL, STATUS), False),
        (UPDATE.append(LINES, [1]), False),
        (UPDATE.prepend(LINES, [1]), False),
        (UPDATE.set(LINES[9], 1), False),
        (UPDATE.remove(LINES[0]), False),
        (UPDATE.set_default(LINES[9], 1), False),
        (UPDATE.set_default(TOTAL, STATUS), False),
        (UPDATE.set(TOTAL, 5).add(STATUS, 1), False),
    ],
)
def test_clauses_know_whether_they_may_be_repeated(clauses, safe):
    """Constants, removals and set elements may be sent twice; sums, copies, appends and list positions may not."""
    assert clauses.is_repeat_safe is safe


def test_clauses_know_what_they_touch():
    """Top-level names and owners are told without compiling, operands' owners included."""
    clauses = UPDATE.set(LINES[0]["x"], AttributePath(Customer, ("name",))).remove(STATUS)
    assert clauses.top_level_names == {"lines", "status"}
    assert clauses.owners == (Order, Customer)
    assert UPDATE.set(TOTAL, TOTAL.if_not_exists(AttributePath(Customer, ("n",))) + 1).owners == (Order, Customer)
    assert UPDATE.set(LINES, LINES.list_append(AttributePath(Customer, ("n",)))).owners == (Order, Customer)
    assert UPDATE.is_empty
    assert not clauses.is_empty


def test_clauses_are_values():
    """Every method returns a new value and leaves the old one as it was; merging keeps the order."""
    one = UPDATE.set(TOTAL, 1)
    two = UPDATE.remove(STATUS)
    both = one.merge(two)
    assert (len(UPDATE.clauses), len(one.clauses), len(both.clauses)) == (0, 1, 2)
    assert both.clauses == one.clauses + two.clauses
    for again in (pickle.loads(pickle.dumps(both)), copy.deepcopy(both)):
        assert repr(again) == repr(both)


def test_text_of_clauses_never_shows_values():
    """`str` shows structure and names only; `describe()` shows values too."""
    clauses = (
        UPDATE.set(STATUS, "secret")
        .set_default(TOTAL, 7)
        .add(TAGS, {"secret"})
        .remove(LINES)
        .discard(TAGS, {"secret"})
        .append(LINES, ["secret"])
        .prepend(LINES, ["secret"])
    )
    assert str(clauses) == (
        "SET Order.status = …, SET Order.total = if_not_exists(Order.total, …), ADD Order.tags …, REMOVE Order.lines, "
        "DELETE Order.tags …, SET Order.lines = list_append(Order.lines, …), "
        "SET Order.lines = list_append(…, Order.lines)"
    )
    assert "secret" not in repr(clauses) + repr(clauses.clauses[0])
    assert "SET Order.status = 'secret'" in clauses.describe()
    assert UPDATE.set(TOTAL, TOTAL + 5).describe() == "SET Order.total = Order.total + 5"
    assert UPDATE.set(TOTAL, TOTAL.if_not_exists(5)).describe() == "SET Order.total = if_not_exists(Order.total, 5)"
    assert UPDATE.set(LINES, LINES.list_append([5])).describe() == "SET Order.lines = list_append(Order.lines, [5])"


def test_operands_show_no_values():
    """The repr of a sum, a default and a list has names only."""
    for operand in (TOTAL + 42, TOTAL.if_not_exists(42), LINES.list_append([42])):
        assert "42" not in repr(operand)
        assert "Order." in repr(operand)


def test_projection_is_a_list_of_paths(compiler):
    """A projection names paths, nested ones too, and refuses overlaps, keys of several attributes and other things."""
    assert compiler.projection([TOTAL, LINES[0]["sku"], STATUS]) == "#total, #lines[0].#sku, #status"
    with pytest.raises(ExpressionError, match="overlap"):
        compiler.projection([LINES, LINES[0]])
    for wrong in ("total", CompositePartitionKeyPath(Order, (), parts=(TOTAL, STATUS))):
        with pytest.raises(ExpressionError, match="a projection is made of attributes' paths"):
            compiler.projection([wrong])


def test_facets_tell_how_values_relate_to_their_paths(make_compiler):
    """The encoder hears with every value which path it is for and how it relates to it."""
    heard = []

    def encode(value, path, facet):
        heard.append((value, str(path), facet.value))
        if isinstance(value, set):
            return {"SS": sorted(value)}
        if isinstance(value, list):
            return {"L": []}
        return {"S": value} if isinstance(value, str) else {"N": str(value)}

    compiler: Compiler = make_compiler(encode=encode)
    compiler.condition((STATUS == "a") & TAGS.contains("b") & STATUS.begins_with("c") & (TAGS.size() > 1))
    compiler.update(UPDATE.add(TOTAL, 2).set(LINES[0], TOTAL + 3).discard(TAGS, {"d"}).append(STATUS, [4]))
    assert heard == [
        ("a", "Order.status", "whole"),
        ("b", "Order.tags", "element"),
        ("c", "Order.status", "text"),
        (1, "Order.tags", "number"),
        (2, "Order.total", "delta"),
        (3, "Order.lines[0]", "delta"),
        ({"d"}, "Order.tags", "whole"),
        ([4], "Order.status", "whole"),
    ]
