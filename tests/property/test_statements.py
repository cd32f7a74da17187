"""Statements that are filled from a kept shape are those that the compiler writes, byte for byte."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import AttributePath, Compiler, Encoded, UpdateClauses
from mizzle_async.marshalling import StoredSet, StoredValue
from mizzle_async.operations.statement_cache import SHAPES, ReadStatement, StatementCache


class Owner:
    """The owner of the paths."""


NAMES = ["a", "b", "name", "_hidden", "with space", "a_very_long_name_that_is_no_placeholder", "size"]
VALUES = [{"S": "x"}, {"S": "S"}, {"N": "1"}, {"N": "2"}, {"L": []}, {"L": [{"S": "x"}]}, {"SS": ["a"]}, {"S": "L"}]

values: Any = st.sampled_from([kind(value) for value in VALUES for kind in (Encoded, StoredValue)])


def encode(raw: Any, _path: Any, _facet: Any) -> Any:
    """Encode a value of a statement that was not encoded as it was checked, such as those of patches."""
    return raw.stored if isinstance(raw, StoredValue) else raw.value if isinstance(raw, StoredSet) else raw


@st.composite
def paths(draw: Any) -> AttributePath[Any, Any]:
    """Draw a path of one to three steps."""
    path: AttributePath[Any, Any] = AttributePath(Owner, (draw(st.sampled_from(NAMES)),))
    for step in draw(st.lists(st.sampled_from([*NAMES, 0, 3]), max_size=2)):
        path = path[step]
    return path


@st.composite
def conditions(draw: Any, depth: int = 2) -> Any:
    """Draw a condition."""
    if depth and draw(st.integers(0, 2)):
        first, second = draw(conditions(depth - 1)), draw(conditions(depth - 1))
        return draw(st.sampled_from([first & second, first | second, ~first, ~(first | second) & second]))
    path, other = draw(paths()), draw(paths())
    one, two = draw(values), draw(values)
    return draw(
        st.sampled_from([
            path == one, path != other, path < one, path.between(one, two), path.exists(), path.not_exists(),
            path.attribute_type("S"), path.attribute_type("L"), path.begins_with(one), path.contains(two),
            path.size() > one, path.size() == other.size(), path.is_in([one]), path.is_in([one, two]),
        ])
    )  # fmt: skip


@st.composite
def updates(draw: Any) -> UpdateClauses:
    """Draw the clauses of an update."""
    update = UpdateClauses()
    for _ in range(draw(st.integers(0, 4))):
        path, other, value, second = draw(paths()), draw(paths()), draw(values), draw(values)
        update = draw(
            st.sampled_from([
                update.set(path, value), update.set(path, Encoded(None)), update.set(path, other),
                update.set(path, path + value), update.set(path, value - other),
                update.set(path, path.if_not_exists(value) + second), update.set_default(path, value),
                update.set_default(path, Encoded(None)), update.add(path, value), update.discard(path, value),
                update.add(path, StoredSet.of("SS", ["b", "a"])), update.discard(path, StoredSet.of("NS", ["1"])),
                update.remove(path), update.append(path, value), update.prepend(path, value),
                update.set(path, path.list_append(value)),
            ])
        )  # fmt: skip
    return update


statements = st.tuples(st.none() | updates(), st.none() | conditions())
CACHE = StatementCache(lambda: Compiler(encode, "Owner"), "Owner")


def made(function: Any, *statement: Any) -> bytes:
    """Return what a function makes of a statement, as bytes; of one that is refused, the reason."""
    try:
        return orjson.dumps(function(*statement))
    except ExpressionError as error:
        return str(error).encode()


@st.composite
def reads(draw: Any) -> ReadStatement:
    """Draw the expressions of a query or a scan."""
    key, sort = draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES))
    one, two = draw(values), draw(values)
    partition = draw(st.none() | st.just(AttributePath(Owner, (key,)) == one))
    path: Any = AttributePath(Owner, (sort,))
    ranges = st.sampled_from([path == two, path > two, path.between(one, two), path.begins_with(two)])
    return ReadStatement(
        partition=partition,
        sort=None if partition is None else draw(st.none() | ranges),
        filter=draw(st.none() | conditions()),
        projection=draw(st.none() | st.lists(paths(), max_size=4)),
        is_count=draw(st.booleans()),
    )


@settings(max_examples=800, deadline=None)
@given(reads(), reads())
def test_a_filled_read_is_the_compiled_one(first: ReadStatement, second: ReadStatement) -> None:
    """The same of key conditions, filters and projections, which share the shapes of one table with its writes."""
    for read in (first, second, first):
        assert made(CACHE.read_members, read) == made(lambda each: each.compiled(CACHE._compiler()), read)


def test_reads_of_one_shape_are_compiled_once() -> None:
    """Queries of other partitions, and other values in a filter, fill the first one's texts."""
    cache = StatementCache(lambda: Compiler(encode, "Owner"), "Owner")
    key, state = (AttributePath[Any, Any](Owner, (name,)) for name in ("key", "state"))
    for text in ("x", "y", "z"):
        read = ReadStatement(partition=key == Encoded({"S": text}), filter=state == Encoded({"S": "open"}))
        values = cache.read_members(read)["ExpressionAttributeValues"]
        assert values == {":key": {"S": text}, ":state": {"S": "open"}}
    assert (cache.hits, cache.misses) == (2, 1)


@settings(max_examples=1500, deadline=None)
@given(statements, statements)
def test_a_filled_statement_is_the_compiled_one(first: Any, second: Any) -> None:
    """Text, names, placeholders and their order are the same, compiled or filled, whatever was kept before."""
    for statement in (first, second, first):
        assert made(CACHE.members, *statement) == made(CACHE.compiled, *statement)


def test_shapes_are_kept_up_to_a_bound() -> None:
    """The least recently used shape goes first; what was used stays."""
    cache = StatementCache(lambda: Compiler(encode, "Owner"), "Owner")
    for number in range(SHAPES + 10):
        path: AttributePath[Any, Any] = AttributePath(Owner, (f"n{number}",))
        cache.members(None, path == Encoded({"S": "x"}))
        cache.members(None, AttributePath(Owner, ("always",)).exists())
    assert len(cache) == SHAPES
    hits = cache.hits
    cache.members(None, AttributePath(Owner, ("always",)).exists())
    assert cache.hits == hits + 1
    assert repr(cache) == f"<StatementCache of Owner, {SHAPES} shapes, {cache.hits} filled, {cache.misses} compiled>"


def test_statements_whose_text_depends_on_their_values_are_compiled() -> None:
    """IN sorts its values, so it is never filled."""
    cache = StatementCache(lambda: Compiler(encode, "Owner"), "Owner")
    path: AttributePath[Any, Any] = AttributePath(Owner, ("a",))
    for one, two in (("x", "y"), ("y", "x")):
        members = cache.members(None, path.is_in([Encoded({"S": one}), Encoded({"S": two})]))
        assert list(members["ExpressionAttributeValues"].values()) == [{"S": "x"}, {"S": "y"}]
    assert (cache.hits, len(cache)) == (0, 0)
