"""Advice where nothing was found: attributes that are misspelt, or are of another type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, Final

from attrs import evolve, frozen

from mizzle_async.cli.conditions import COMPARISONS, SIZE, WORDS
from mizzle_async.cli.handles import Opened
from mizzle_async.cli.selections import Selection
from mizzle_async.cli.values import any_from_text, parse_path
from mizzle_async.cli.where import comparisons_of, parse_where
from mizzle_async.marshalling import encode_any
from mizzle_async.types import Item

SAMPLE: Final = 25
"""The number of items that are read to see which attributes there are."""

TYPE_WORDS: Final = {"S": "text", "N": "a number", "B": "binary", "BOOL": "true or false", "NULL": "null"}
ABSENCE: Final = frozenset({"exists", "missing", "type"})


@frozen
class Use:
    """An attribute that a condition names, and the value that it is compared with.

    Attributes:
        name: The stored name of the attribute.
        type: The stored type of the value, or None if it does not count.
    """

    name: str
    type: str | None


async def advise(opened: Opened, selection: Selection) -> list[str]:
    """Return sentences that may explain why no item was found. It reads some items, without the conditions.

    Args:
        opened: The table.
        selection: The selection that has found nothing.
    """
    if not selection.is_filtered:
        return []
    everything = evolve(selection, filters=(), where=None, limit=SAMPLE)
    page = await everything.rows(opened).page(max_items=SAMPLE)
    items = [opened.stored_codec.encode(row) for row in page.items]
    return list(_sentences(_uses(opened, selection), items)) if items else []


def _sentences(uses: Iterable[Use], items: list[Item]) -> Iterator[str]:
    names = list(dict.fromkeys(name for item in items for name in item))
    which = f"the first {len(items)} items that were read" if len(items) > 1 else "the first item that was read"
    for use in dict.fromkeys(uses):
        types = {tag for item in items if use.name in item for tag in item[use.name]}
        if not types:
            yield f"no attribute {use.name!r} in {which}{alike(use.name, names)}"
        elif use.type is not None and use.type not in types and len(types) == 1:
            stored, other = (TYPE_WORDS.get(tag, f"of type {tag}") for tag in (min(types), use.type))
            remedy = ": '\"…\"' is text" if min(types) == "S" else ""
            yield f"{use.name!r} is {stored} in {which}, and is compared with {other}{remedy}"


def alike(name: str, names: Iterable[str]) -> str:
    """Return a question with the names that are spelled alike, or nothing."""
    folded = {each.casefold(): each for each in names}
    close = difflib.get_close_matches(name.casefold(), folded, n=2)
    return f": did you mean {' or '.join(repr(folded[each]) for each in close)}?" if close else ""


def _uses(opened: Opened, selection: Selection) -> Iterator[Use]:
    for path, operator, text in selection.filters:
        size = SIZE.fullmatch(path)
        is_compared = size is None and WORDS.get(operator, operator) in COMPARISONS
        if operator not in ABSENCE:
            yield _use(opened, size["path"] if size else path, _type(any_from_text(text)) if is_compared else None)
    for test in comparisons_of(parse_where(selection.where)) if selection.where is not None else ():
        is_compared = not test.of_size and test.operator in COMPARISONS
        if test.operator not in ABSENCE:
            yield _use(opened, test.path, _type(encode_any(test.values[0])) if is_compared else None)


def _use(opened: Opened, path: str, kind: str | None) -> Use:
    """Return the use of an attribute. A value is of its type if the type is declared, or if it is inside of it."""
    first, *inside = parse_path(path)
    name = opened.stored_name(str(first))
    declared = opened.model is not None or name in opened.description.attribute_types
    return Use(name, None if declared or inside else kind)


def _type(stored: Any) -> str:
    return str(next(iter(stored)))
