"""A use of an attribute that was found right before is checked by its value alone: with the same result, or error."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle_async import Attribute, Client, GlobalSecondaryIndex, MizzleError, PartitionKey, attribute, entity
from mizzle_async.expressions import ClauseKind, Encoded, UpdateClause, UpdateClauses
from mizzle_async.expressions.updates import ADD, SET
from mizzle_async.operations import Presence, Target, UpdateItem
from mizzle_async.testing import StubCaller
from mizzle_async.writing.table_part import target_of


@entity("things")
class Thing:
    id: PartitionKey[str]
    text: Attribute[str]
    note: Attribute[str | None] = attribute(default=None)
    whole: Attribute[int]
    ratio: Attribute[float]
    total: Attribute[Decimal]
    flag: Attribute[bool]
    blob: Attribute[bytes]
    at: Attribute[datetime] = attribute(datetime_format="epoch")
    lasts: Attribute[timedelta]
    words: Attribute[set[str]] = attribute(factory=set)
    sizes: Attribute[frozenset[int]] = attribute(factory=frozenset)
    items: Attribute[list[str]] = attribute(factory=list)
    either: Attribute[int | str]
    anything: Attribute[Any]
    state: Attribute[str]
    even: Attribute[int] = attribute(default=0, converter=lambda value: value // 2 * 2)
    few: Attribute[str] = attribute(default="", validator=attrs.validators.max_len(2))
    born: Attribute[int] = attribute(default=0, immutable=True)


BY_STATE = GlobalSecondaryIndex("by-state", partition_key=Thing.state)


paths: Any = Thing
TABLE = target_of(Client(caller=StubCaller()).table(Thing))
names = st.sampled_from([name for name in Thing.__annotations__ if name != "id"])
values = st.one_of(
    st.text(max_size=3),
    st.integers(-5, 5),
    st.booleans(),
    st.floats(allow_nan=True),
    st.decimals(allow_nan=False, places=2),
    st.binary(max_size=3),
    st.none(),
    st.sets(st.text(max_size=2), max_size=2),
    st.frozensets(st.integers(0, 3), max_size=2),
    st.lists(st.text(max_size=2), max_size=2),
    st.timedeltas(),
    st.datetimes(timezones=st.just(UTC)),
)
comparisons = st.sampled_from(["__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "contains", "begins_with"])


def known(argument: Any) -> Any:
    """Return a value, or a term, as it can be compared."""
    return ("encoded", argument.value) if type(argument) is Encoded else argument


def clause_result(target: Target[Any], clause: UpdateClause) -> Any:
    """Return the checked clause, or the error's class and text."""
    try:
        (checked,) = target.checker.update(UpdateClauses((clause,))).clauses
    except MizzleError as error:
        return type(error), str(error)
    return checked.kind, checked.path.segments, known(checked.value)


def condition_result(target: Target[Any], condition: Any) -> Any:
    """Return the checked condition, or the error's class and text."""
    try:
        checked: Any = target.checked(condition)
    except MizzleError as error:
        return type(error), str(error)
    return type(checked), checked.operator, checked.left.segments, tuple(map(known, checked.arguments))


def update_result(target: Target[Any], method: str, name: str, value: Any) -> Any:
    """Return the request of an update with one clause, or the error's class and text."""
    update: Any = UpdateItem(target, {"id": {"S": "1"}}, presence=Presence.PRESENT)
    try:
        return getattr(update, method)(getattr(paths, name), value).to_wire()
    except MizzleError as error:
        return type(error), str(error)


@given(st.sampled_from(ClauseKind), names, values)
def test_a_clause_of_an_approved_use_is_checked_as_the_first_one(kind: ClauseKind, name: str, value: Any) -> None:
    """One table has seen every example before, the other none."""
    clause = UpdateClause(kind, getattr(paths, name), None if kind is ClauseKind.REMOVE else value)
    fresh = Target(TABLE.codec, "things")
    assert clause_result(TABLE, clause) == clause_result(fresh, clause)


@given(comparisons, names, values)
def test_a_comparison_of_an_approved_use_is_checked_as_the_first_one(method: str, name: str, value: Any) -> None:
    """The same of conditions."""
    condition = getattr(getattr(paths, name), method)(value)
    fresh = Target(TABLE.codec, "things")
    assert condition_result(TABLE, condition) == condition_result(fresh, condition)


@settings(max_examples=400)
@given(st.sampled_from(["set", "set_default", "add"]), names, values | st.just("x" * 3_000))
def test_a_known_clause_is_the_one_that_is_checked(method: str, name: str, value: Any) -> None:
    """The same of an update's own verbs, demands of the class and limits of keys included: request, or error."""
    fresh = Target(TABLE.codec, "things")
    assert update_result(TABLE, method, name, value) == update_result(fresh, method, name, value)


def test_clauses_are_known_so_that_the_comparison_means_something() -> None:
    """The second clause of a kind, an attribute and a type of value is not checked anew; limited ones always are."""
    target = Target(TABLE.codec, "things")
    for method, name, value in [("set", "text", "x"), ("add", "whole", 1), ("set", "state", "x"), ("set", "few", "x")]:
        update_result(target, method, name, value)
    assert target.known.clause(SET, paths.text, "y") is not None
    assert target.known.clause(ADD, paths.whole, 2) is not None
    assert target.known.clause(ADD, paths.whole, 0.5) is None
    assert target.known.clause(SET, paths.state, "x") is None
    assert target.known.clause(SET, paths.few, "x") is None


def test_uses_are_kept_so_that_the_comparison_means_something() -> None:
    """A second clause and a second condition find the use of the first."""
    target = Target(TABLE.codec, "things")
    kept: Any = target.checker
    for value in (1, 2):
        clause_result(target, UpdateClause(ClauseKind.ADD, paths.whole, value))
        condition_result(target, paths.whole >= value)
    assert len(kept._approved) == 2
