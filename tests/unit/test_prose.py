"""The prose rules of the house: docstrings, comments, messages and the guide in plain technical English."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

import mizzle_async

PACKAGE = Path(mizzle_async.__file__).parent

ROOMS = sorted(
    each.name
    for each in PACKAGE.iterdir()
    if each.suffix == ".py" or (each / "__init__.py").is_file() or (each / "index.md").is_file()
)
"""The rooms of the package, its own modules, and the guide."""

FORBIDDEN_BEGINNINGS = re.compile(
    r"(Return|Say|Tell|Give|Yield) what\b|Hear\b|Let\b|Refuse what is no\b|What\b|Whoever\b"
)
NAMELESS_ACTORS = re.compile(r"\b(whoever|nobody|somebody|someone|anybody|whatever)\b", re.IGNORECASE)

MOST_WHATS = 2.0
MOST_SEMICOLONS = 3.0
"""Per 1,000 words of a room's docstrings."""


@attrs.frozen
class Text:
    """A piece of prose: where it stands, and its words."""

    place: str
    words: str


def sources(room: str) -> list[Path]:
    """Return the files of a room."""
    path = PACKAGE / room
    return [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.rglob("*.md")])


def docstrings(path: Path, tree: ast.Module) -> Iterator[Text]:
    """Yield the docstrings of a module, those below assignments included."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for child in body if isinstance(body, list) else []:
            if (
                isinstance(child, ast.Expr)
                and isinstance(child.value, ast.Constant)
                and isinstance(child.value.value, str)
            ):
                yield Text(f"{path.relative_to(PACKAGE)}:{child.lineno}", child.value.value)


def comments(path: Path, source: str) -> Iterator[Text]:
    """Yield the comments of a module."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(f"{path.relative_to(PACKAGE)}:{token.start[0]}", token.string)


def messages(path: Path, tree: ast.Module) -> Iterator[Text]:
    """Yield the texts of raised errors and of warnings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("warn")):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield Text(f"{path.relative_to(PACKAGE)}:{part.lineno}", part.value)


def prose(room: str) -> tuple[list[Text], list[Text]]:
    """Return a room's docstrings or pages (without code and tables), and everything else that people read there."""
    main, rest = [], []
    for path in sources(room):
        source = path.read_text(encoding="utf-8")
        if path.suffix == ".md":
            text = re.sub(r"^```.*?^```$|^\|.*$|`[^`\n]*`", "", source, flags=re.MULTILINE | re.DOTALL)
            main.append(Text(str(path.relative_to(PACKAGE)), text))
            continue
        tree = ast.parse(source)
        main += docstrings(path, tree)
        rest += [*comments(path, source), *messages(path, tree)]
    return main, rest


def breaches(main: list[Text], rest: list[Text]) -> list[str]:
    """Name each breach of the rules."""
    found = [
        f"{text.place} begins with {match[0]!r}"
        for text in main
        if (match := FORBIDDEN_BEGINNINGS.match(text.words.strip()))
    ]
    found += [
        f"{text.place} says {match[0]!r}: name the actor"
        for text in (*main, *rest)
        if (match := NAMELESS_ACTORS.search(text.words))
    ]
    everything = " ".join(text.words for text in main)
    thousands = len(everything.split()) / 1000
    for sign, limit in ((r"\bwhat\b", MOST_WHATS), (";", MOST_SEMICOLONS)):
        count = len(re.findall(sign, everything, re.IGNORECASE))
        if count > max(1, limit * thousands):
            places = [text.place for text in main if re.search(sign, text.words, re.IGNORECASE)]
            found.append(f"{sign} stands {count / thousands:.1f} times in 1,000 words, at most {limit}: {places}")
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_room_keeps_the_prose_rules(room):
    """Docstrings begin plainly, actors have names, one sentence says one thing."""
    assert breaches(*prose(room)) == []


@pytest.mark.parametrize(
    ("words", "breach"),
    [
        ("Return what tells items apart.", "begins with"),
        ("Hear what a request consumed.", "begins with"),
        ("Pass an item to whoever asks.", "name the actor"),
        ("Return the key; close the connection; leave; begin; end.", "; stands"),
        ("Give what it takes, what it makes, what it breaks.", "what"),
    ],
)
def test_breach_is_found(words, breach):
    """Each rule finds what it forbids."""
    assert any(breach in line for line in breaches([Text("here", words)], []))


def test_plain_prose_is_not_a_breach():
    """Plain sentences pass."""
    assert breaches([Text("here", "Return the key's identity. Called when a page arrives.")], []) == []
