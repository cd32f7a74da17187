"""Compiled conditions mean what their trees say, by a parser and evaluator of DynamoDB's grammar written apart."""

import operator
import re
from base64 import b64decode, b64encode
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from mizzle_async.expressions import AttributePath, Checker, Compiler, UpdateClauses

ORDERINGS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
TOKEN = re.compile(r"\s*(?:([#:]\w+)|(\[\d+\])|(<=|>=|<>|[=<>(),.])|(\w+))")


class Owner:
    """Whose attributes the paths are."""


# ── what DynamoDB's operators mean, on values in its JSON ──


def comparable(value):  # noqa: PLR0911  (one return per type)
    """Return what a value is compared by, with its type: 1 and 1.0 are one number, sets have no order."""
    ((code, payload),) = value.items()
    match code:
        case "N":
            return code, Decimal(payload)
        case "B":
            return code, b64decode(payload)
        case "SS" | "BS":
            return code, frozenset(payload)
        case "NS":
            return code, frozenset(map(Decimal, payload))
        case "L":
            return code, tuple(map(comparable, payload))
        case "M":
            return code, frozenset((name, comparable(inner)) for name, inner in payload.items())
        case _:
            return code, payload


def equal(left, right):
    """Whether two values are there and the same."""
    return left is not None and right is not None and comparable(left) == comparable(right)


def ordered(symbol, left, right):
    """Whether two scalars of one type are there and in order; text is ordered by its UTF-8 bytes."""
    if left is None or right is None or left.keys() != right.keys() or not left.keys() <= {"S", "N", "B"}:
        return False
    (code, one), (_, two) = comparable(left), comparable(right)
    return ORDERINGS[symbol](one.encode(), two.encode()) if code == "S" else ORDERINGS[symbol](one, two)


def contains(holder, wanted):
    """Whether a text, a binary, a set or a list has a part."""
    if holder is None or wanted is None:
        return False
    (code, payload), (wanted_code, part) = comparable(holder), comparable(wanted)
    match code:
        case "S" | "B":
            return wanted_code == code and part in payload
        case "SS" | "NS":
            return wanted_code == code[0] and part in payload
        case "L":
            return (wanted_code, part) in payload
        case _:
            return False


def begins_with(holder, prefix):
    """Whether a text or a binary begins with another."""
    if holder is None or prefix is None or holder.keys() != prefix.keys() or not holder.keys() <= {"S", "B"}:
        return False
    return comparable(holder)[1].startswith(comparable(prefix)[1])


def size(value):
    """Return the size of what has one, as a value."""
    if value is None or not value.keys() <= {"S", "B", "SS", "NS", "L", "M"}:
        return None
    ((code, payload),) = value.items()
    return {"N": str(len(b64decode(payload) if code == "B" else payload))}


def read(item, segments):
    """Return what lies at a path, None where nothing does."""
    value = {"M": item}
    for segment in segments:
        if isinstance(segment, int):
            elements = value.get("L", [])
            value = elements[segment] if segment < len(elements) else None
        else:
            value = value.get("M", {}).get(segment)
        if value is None:
            return None
    return value


# ── the evaluator of compiled text ──


class Evaluator:
    """Parses one condition by DynamoDB's grammar, redundant parentheses refused, and evaluates it on the way."""

    def __init__(self, text, names, values, item):
        self.tokens = [match.group().strip() for match in TOKEN.finditer(text)]
        assert "".join(self.tokens) == text.replace(" ", "")
        self.names = names
        self.values = values
        self.item = item
        self.used = set()

    def holds(self):
        result, _ = self.disjunction()
        assert not self.tokens
        return result

    def accept(self, *tokens):
        return self.tokens.pop(0) if self.tokens and self.tokens[0] in tokens else None

    def expect(self, token):
        assert self.accept(token), f"expected {token} at {self.tokens}"

    # Each returns the result and how tightly the outermost connective binds: 1 OR, 2 AND, 3 NOT, 4 a predicate.

    def disjunction(self):
        result, level = self.conjunction()
        while self.accept("OR"):
            right, _ = self.conjunction()
            result, level = result or right, 1
        return result, level

    def conjunction(self):
        result, level = self.negation()
        while self.accept("AND"):
            right, _ = self.negation()
            result, level = result and right, 2
        return result, level

    def negation(self):
        if self.accept("NOT"):
            result, level = self.group(needed_above=2)
            assert level != 3, "NOT NOT"
            return not result, 3
        return self.group(needed_above=1)

    def group(self, needed_above):
        if not self.accept("("):
            return self.predicate(), 4
        result, level = self.disjunction()
        self.expect(")")
        assert level <= needed_above, "redundant parentheses"
        return result, 4

    def predicate(self):
        function = self.accept("attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains")
        if function:
            return self.function(function)
        left = self.operand()
        symbol = self.tokens.pop(0)
        if symbol == "BETWEEN":
            low = self.operand()
            self.expect("AND")
            return ordered(">=", left, low) & ordered("<=", left, self.operand())
        if symbol == "IN":
            self.expect("(")
            found = equal(left, self.operand())
            while self.accept(","):
                found |= equal(left, self.operand())
            self.expect(")")
            return found
        right = self.operand()
        if symbol in {"=", "<>"}:
            return equal(left, right) is (symbol == "=")
        return ordered(symbol, left, right)

    def function(self, name):
        self.expect("(")
        first = self.operand()
        second = self.operand() if self.accept(",") else None
        self.expect(")")
        match name:
            case "attribute_exists":
                return first is not None
            case "attribute_not_exists":
                return first is None
            case "attribute_type":
                return first is not None and set(first) == {second["S"]}
            case "begins_with":
                return begins_with(first, second)
            case _:
                return contains(first, second)

    def operand(self):
        if self.accept("size"):
            self.expect("(")
            value = size(self.operand())
            self.expect(")")
            return value
        token = self.tokens.pop(0)
        self.used.add(token)
        if token.startswith(":"):
            return self.values[token]
        segments = [self.names[token]]
        while self.tokens and (self.tokens[0] == "." or self.tokens[0].startswith("[")):
            step = self.tokens.pop(0)
            if step == ".":
                token = self.tokens.pop(0)
                self.used.add(token)
                segments.append(self.names[token])
            else:
                segments.append(int(step[1:-1]))
        return read(self.item, segments)


# ── random items, and conditions as plain data with their own evaluation ──

NAMES = st.sampled_from(["a", "b", "a_2", "size", "a.b", "#a", "AND"])
TEXTS = st.sampled_from(["", "a", "b", "ab", "B", "aé", "\U0001f600"])
NUMBERS = st.sampled_from(["-1", "0", "1", "1.0", "2", "10", "1E1"])
ORDERED_VALUES = st.one_of(
    st.builds(lambda text: {"S": text}, st.sampled_from(["", "a", "ab", "b", "\uffff", "\U0001f600"])),
    st.builds(lambda number: {"N": number}, NUMBERS),
    st.builds(lambda data: {"B": b64encode(data).decode()}, st.sampled_from([b"", b"a", b"ab", b"\xff"])),
)
SCALARS = st.one_of(
    ORDERED_VALUES,
    st.builds(lambda flag: {"BOOL": flag}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda elements: {"SS": elements}, st.lists(TEXTS, min_size=1, unique=True)),
    st.builds(lambda elements: {"NS": elements}, st.lists(NUMBERS, min_size=1, unique_by=Decimal)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda elements: {"L": elements}, st.lists(inner, max_size=3)),
        st.builds(lambda members: {"M": members}, st.dictionaries(NAMES, inner, max_size=3)),
    ),
    max_leaves=5,
)
ITEMS = st.dictionaries(NAMES, VALUES, max_size=6)
SEGMENTS = st.builds(lambda first, rest: (first, *rest), NAMES, st.lists(NAMES | st.integers(0, 1), max_size=2))
PATHS = st.tuples(st.just("path"), SEGMENTS)
SIZES = st.tuples(st.just("size"), SEGMENTS)
PLACES = PATHS | SIZES
BOUNDS = st.tuples(ORDERED_VALUES, ORDERED_VALUES).filter(
    lambda bounds: bounds[0].keys() == bounds[1].keys() and ordered("<=", *bounds)
)


def value(values):
    """Tell values from paths and sizes."""
    return st.tuples(st.just("value"), values)


def distinct(plan):
    """Leave out what compares a place with itself: DynamoDB refuses it, and so does the compiler."""
    left, *arguments = [part for part in plan[1:] if isinstance(part, tuple) and part and part[0] in {"path", "size"}]
    return left not in arguments


PREDICATES = st.one_of(
    st.tuples(st.sampled_from(["=", "<>"]), PLACES, value(VALUES) | PLACES).filter(distinct),
    st.tuples(st.sampled_from(sorted(ORDERINGS)), PLACES, value(ORDERED_VALUES) | PLACES).filter(distinct),
    st.tuples(st.just("BETWEEN"), PLACES, BOUNDS.map(lambda bounds: tuple(("value", bound) for bound in bounds))),
    st.tuples(st.just("IN"), PLACES, st.lists(value(VALUES), min_size=1, max_size=4).map(tuple)),
    st.tuples(st.sampled_from(["exists", "not_exists"]), PATHS),
    st.tuples(st.just("attribute_type"), PATHS, st.sampled_from(["S", "N", "SS", "L", "M", "NULL", "BOOL"])),
    st.tuples(st.just("begins_with"), PATHS, value(ORDERED_VALUES.filter(lambda one: "N" not in one)) | PATHS).filter(
        distinct
    ),
    st.tuples(st.just("contains"), PATHS, value(VALUES) | PATHS).filter(distinct),
)
PLANS = st.recursive(
    PREDICATES,
    lambda inner: st.one_of(st.tuples(st.sampled_from(["AND", "OR"]), inner, inner), st.tuples(st.just("NOT"), inner)),
    max_leaves=8,
)


def place(plan):
    """Return a path, a size or a value as the library takes it; values are in DynamoDB's JSON already."""
    kind, content = plan
    if kind == "value":
        return content
    first, *rest = content
    path = AttributePath(Owner, (first,))
    for segment in rest:
        path = path[segment]
    return path.size() if kind == "size" else path


def condition(plan):  # noqa: C901, PLR0911  (one branch per operator)
    """Build a plan with the library's operators."""
    match plan:
        case ("AND", left, right):
            return condition(left) & condition(right)
        case ("OR", left, right):
            return condition(left) | condition(right)
        case ("NOT", inner):
            return ~condition(inner)
        case ("BETWEEN", left, (low, high)):
            return place(left).between(place(low), place(high))
        case ("IN", left, choices):
            return place(left).is_in([place(choice) for choice in choices])
        case ("=", left, right):
            return place(left) == place(right)
        case ("<>", left, right):
            return place(left) != place(right)
        case ("exists" | "not_exists" as name, path):
            return getattr(place(path), name)()
        case ("attribute_type", path, code):
            return place(path).attribute_type(code)
        case ("begins_with" | "contains" as name, path, argument):
            return getattr(place(path), name)(place(argument))
        case (symbol, left, right):
            return ORDERINGS[symbol](place(left), place(right))


def meaning(plan, item):  # noqa: C901, PLR0911, PLR0912  (one branch per operator)
    """Evaluate a plan directly."""

    def at(one):
        if one[0] == "value":
            return one[1]
        found = read(item, one[1])
        return size(found) if one[0] == "size" else found

    match plan:
        case ("AND", left, right):
            return meaning(left, item) and meaning(right, item)
        case ("OR", left, right):
            return meaning(left, item) or meaning(right, item)
        case ("NOT", inner):
            return not meaning(inner, item)
        case ("BETWEEN", left, (low, high)):
            return ordered(">=", at(left), at(low)) and ordered("<=", at(left), at(high))
        case ("IN", left, choices):
            return any(equal(at(left), at(choice)) for choice in choices)
        case ("=", left, right):
            return equal(at(left), at(right))
        case ("<>", left, right):
            return not equal(at(left), at(right))
        case ("exists", path):
            return at(path) is not None
        case ("not_exists", path):
            return at(path) is None
        case ("attribute_type", path, code):
            return at(path) is not None and code in at(path)
        case ("begins_with", path, argument):
            return begins_with(at(path), at(argument))
        case ("contains", path, argument):
            return contains(at(path), at(argument))
        case (symbol, left, right):
            return ordered(symbol, at(left), at(right))


def compiler():
    """Make a compiler whose values are in DynamoDB's JSON already."""
    return Compiler(lambda raw, path, facet: raw, "Owner")


@given(PLANS, ITEMS)
def test_compiled_condition_means_what_its_tree_says(plan, item):
    """The text is true of an item exactly where the tree is, and uses everything that is substituted."""
    compiled = compiler()
    checked = Checker(lambda raw, path, facet: raw, "Owner").condition(condition(plan))
    text = compiled.condition(checked)
    evaluator = Evaluator(text, compiled.names, compiled.values, item)
    assert evaluator.holds() is meaning(plan, item)
    assert evaluator.used == compiled.names.keys() | compiled.values.keys()


@given(PLANS)
def test_compiling_again_gives_the_same(plan):
    """A condition built twice compiles to the same text, names and values, in the same order."""
    one, two = compiler(), compiler()
    assert one.condition(condition(plan)) == two.condition(condition(plan))
    assert list(one.names.items()) == list(two.names.items())
    assert list(one.values.items()) == list(two.values.items())


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(st.characters(exclude_categories=["Cs"])))
@example("#a", ":a")
@example("a = b OR attribute_exists(a", ") --")
@example("size", "x")
@example("\x00", "\n")
def test_any_string_is_a_safe_name_and_a_safe_value(name, text):
    """Whatever an attribute is called and whatever it is compared with, the condition is about that attribute alone."""
    for path, holds in (
        (AttributePath(Owner, (name,)), {name: {"S": text}}),
        (AttributePath(Owner, ("a", 0))[name], {"a": {"L": [{"M": {name: {"S": text}}}]}}),
    ):
        compiled = compiler()
        written = compiled.condition(path == {"S": text})
        assert re.fullmatch(r"#\w+(\[0\]\.#\w+)? = :\w+", written, re.ASCII)
        assert Evaluator(written, compiled.names, compiled.values, holds).holds()
        assert not Evaluator(written, compiled.names, compiled.values, {}).holds()


CLAUSES = st.lists(
    st.tuples(st.sampled_from(["set", "add", "discard", "remove", "append", "set_default"]), SEGMENTS, st.booleans()),
    max_size=6,
    unique_by=lambda clause: clause[1][0],
)


@given(CLAUSES)
def test_update_substitutes_exactly_what_it_uses(clauses):
    """Every placeholder of an update is defined, and none is defined that the update does not use."""

    def encode(raw, path, facet):
        del path, facet
        if isinstance(raw, list):
            return {"L": [{"N": "1"} for _ in raw]}
        return ({"SS": sorted(raw)} if raw else None) if isinstance(raw, set) else raw

    update = UpdateClauses()
    for verb, segments, empty in clauses:
        elements = set() if empty else {"a", "b"}
        arguments = {"remove": (), "append": ([1],), "set_default": ({"N": "1"},)}.get(verb, (elements,))
        update = getattr(update, verb)(place(("path", segments)), *arguments)
    compiled = Compiler(encode, "Owner")
    text = compiled.update(Checker(encode, "Owner").update(update))
    assert set(re.findall(r"[#:]\w+", text)) == compiled.names.keys() | compiled.values.keys()
    sections = re.findall(r"(?<![#:\w])[A-Z]+\b", text)
    assert sections == [section for section in ("SET", "REMOVE", "ADD", "DELETE") if section in sections]
