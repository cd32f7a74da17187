"""The public names of every public class stand in the README or the guide."""

import inspect
import re
from pathlib import Path

import pytest

import mizzle_async

PACKAGE = Path(mizzle_async.__file__).parent
README = Path(__file__).parents[2] / "README.md"
CODE = re.compile(r"^```\w*\n(.*?)^```$|`([^`\n]+)`", re.MULTILINE | re.DOTALL)

PATH_MACHINERY = frozenset({"composite", "describe", "labels", "places"})
CONDITION_MACHINERY = frozenset({"arguments", "describe", "inner", "operator", "owners", "places"})
INDEX_MACHINERY = frozenset({"held_names", "key_names", "mapping", "partition_paths"})

# Names that one room asks of another, and no user: the list may only become shorter.
MACHINERY = {
    "AttributePath": PATH_MACHINERY,
    "PartitionKeyPath": PATH_MACHINERY,
    "SortKeyPath": PATH_MACHINERY,
    "Operand": PATH_MACHINERY - {"labels"},
    "Condition": CONDITION_MACHINERY - {"arguments", "operator"},
    "PartitionKeyCondition": CONDITION_MACHINERY,
    "PartitionChoice": CONDITION_MACHINERY,
    "SortKeyCondition": CONDITION_MACHINERY,
    "GlobalSecondaryIndex": INDEX_MACHINERY,
    "LocalSecondaryIndex": INDEX_MACHINERY,
    "SecondaryIndex": INDEX_MACHINERY,
    "SharedIndex": frozenset({"key_names"}),
    "SharedTable": frozenset({"is_sealed", "members_of_type", "recognise", "register", "seal"}),
    "KeyTemplate": frozenset({"paths"}),
    **dict.fromkeys(("Inserted", "Modified", "PartialChange", "Removed"), frozenset({"deliver"})),
    "BatchReport": frozenset({"become", "count_consumption", "count_request", "count_units", "note", "to_error"}),
    "RetryPolicy": frozenset({"delay", "delay_in_progress", "patience"}),
}


def public_classes():
    """Return the public classes by name, errors aside: each of those has its row in the guide's page of errors."""
    named = {name: getattr(mizzle_async, name) for name in mizzle_async.__all__}
    return {name: one for name, one in named.items() if inspect.isclass(one) and not issubclass(one, BaseException)}


def public_names(cls):
    """Return the names that a class shows."""
    return {name for name in dir(cls) if not name.startswith("_")}


def documented_names(pages):
    """Return the words in the code of Markdown texts: blocks and spans."""
    code = (block or span for page in pages for block, span in CODE.findall(page))
    return {word for part in code for word in re.findall(r"\w+", part)}


def missing_names(shown, machinery, documented):
    """Return the names that a class shows and no page has, and the machinery that it does not show any more."""
    return sorted(shown - machinery - documented), sorted(machinery - shown)


CLASSES = public_classes()
PAGES = [page.read_text(encoding="utf-8") for page in (README, *(PACKAGE / "guide").glob("*.md"))]
DOCUMENTED = documented_names(PAGES)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_public_name_is_documented(name):
    """Each name that a public class shows stands in the code of a page; machinery is listed, and still there."""
    shown = public_names(CLASSES[name])
    assert missing_names(shown, MACHINERY.get(name, frozenset()), DOCUMENTED) == ([], [])


def test_what_users_call_shows_no_machinery():
    """The client, tables, queries, statements and operations show their users' words only."""
    handles = {"Client", "Table", "Query", "ProjectedQuery", "Statement", "Writer", "Heat"}
    operations = {name for name, cls in CLASSES.items() if issubclass(cls, mizzle_async.Operation)}
    assert len(operations) >= 12
    assert MACHINERY.keys().isdisjoint(handles | operations)


def test_public_classes_are_documented():
    """Each public class itself, and each public function, stands in the code of a page."""
    assert sorted(set(mizzle_async.__all__) - DOCUMENTED) == []


def test_a_name_that_no_page_has_is_found():
    """A word of the prose documents no name, a word of a block or of a span does."""
    documented = documented_names(["It can close. `open(name)`\n```python\nthing.read()\n```\n"])
    assert documented == {"open", "name", "thing", "read"}
    assert missing_names({"open", "close", "gone"}, frozenset({"gone", "never"}), documented) == (["close"], ["never"])
