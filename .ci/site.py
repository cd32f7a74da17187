"""Build the documentation's site: `python .ci/site.py FOLDER`. A warning is an error.

The pages are those of `mizzle_async/guide/`, the README's example is the front page's, and the reference is made of the
docstrings of every public name. Nothing of the built site is fetched from elsewhere.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shutil
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.console import nocolor
from sphinx.util.docutils import docutils_namespace

import mizzle_async

HERE = Path(__file__).resolve().parents[1]
GUIDE = HERE / "mizzle_async" / "guide"

REFERENCE: dict[str, tuple[str, str]] = {
    "client": ("Client and handles", "The client, and what it hands out."),
    "models": ("Models", "Classes, attributes, keys, indexes and tables."),
    "expressions": ("Expressions", "Paths, conditions and clauses."),
    "operations": ("Operations", "What verbs return: each is sent by `await`."),
    "reading": ("Reading", "Queries, pages, rows and their iterators."),
    "bulk": ("Many items", "Work over many items, and its reports."),
    "streams": ("Changes and state", "Change streams, and the table of state."),
    "settings": ("Settings and instruments", "Policies, credentials, statistics."),
    "errors": ("Errors and warnings", "Every class that is raised or warned with."),
    "functions": ("Functions", "What is called without a client."),
}
"""The pages of the reference: title and first sentence."""

PLACES = {
    "handles": "client",
    "model": "models",
    "expressions": "expressions",
    "operations": "operations",
    "reading": "reading",
    "bulk": "bulk",
    "flow": "bulk",
    "streams": "streams",
    "wire": "settings",
    "instruments": "settings",
    "types": "settings",
    "values": "models",
    "errors": "errors",
}
"""The page of a public name, by the room that it is defined in."""

FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<path fill="#2757dd" d="M16 2C11 10 7 15 7 20a9 9 0 0 0 18 0C25 15 21 10 16 2z"/></svg>\n'
)

MODULES = {
    "testing": "Engines, servers and doubles for your own tests.",
}
"""Public modules beside the package itself, each with a page."""

SETTINGS: dict[str, Any] = {
    "project": "mizzle_async",
    "author": "the mizzle_async authors",
    "version": metadata.version("mizzle-async"),
    "release": metadata.version("mizzle-async"),
    "extensions": ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser", "sphinx_copybutton"],
    "html_theme": "furo",
    "html_favicon": "favicon.svg",
    "html_title": "mizzle_async",
    "html_show_sourcelink": False,
    "html_copy_source": False,
    "html_permalinks_icon": "#",
    "html_theme_options": {"navigation_with_keys": True},
    "copybutton_prompt_text": r"\$ |>>> ",
    "copybutton_prompt_is_regexp": True,
    "default_role": "py:obj",
    "myst_heading_anchors": 3,
    "myst_enable_extensions": ["colon_fence"],
    "myst_links_external_new_tab": False,
    "napoleon_numpy_docstring": False,
    "napoleon_custom_sections": [("Cost", "notes_style"), ("Source", "notes_style")],
    "napoleon_use_rtype": False,
    "napoleon_use_ivar": True,
    "autodoc_member_order": "bysource",
    "autodoc_typehints": "signature",
    "autodoc_preserve_defaults": True,
    "autodoc_class_signature": "separated",
    "autodoc_default_options": {"members": True, "undoc-members": False, "inherited-members": "BaseException"},
    "python_maximum_signature_line_length": 88,
    "python_use_unqualified_type_names": True,
    "suppress_warnings": ["misc.highlighting_failure"],  # a block of what a terminal shows has no language
    "pygments_style": "friendly",
}


def main(folder: Path) -> None:
    """Write the sources, and build the site of them."""
    source, built = folder / "source", folder / "html"
    shutil.rmtree(folder, ignore_errors=True)
    source.mkdir(parents=True)
    (source / "favicon.svg").write_text(FAVICON)
    guide_pages(source)
    reference_pages(source / "reference")
    nocolor()
    with docutils_namespace():
        app = Sphinx(
            source,
            None,
            built,
            folder / "doctrees",
            "html",
            confoverrides=SETTINGS,
            warningiserror=True,
            exception_on_warning=False,
            keep_going=True,
        )
        app.connect("autodoc-process-docstring", plain_markup)
        app.build(force_all=True)
    if app.statuscode:
        sys.exit(app.statuscode)
    print(f"built: {built / 'index.html'}")


def guide_pages(source: Path) -> None:
    """Copy the pages of the guide; its table of contents becomes the site's navigation."""
    names = re.findall(r"^\| \[[^]]+\]\(([\w-]+)\.md\)", (GUIDE / "index.md").read_text(), re.MULTILINE)
    missing = {page.stem for page in GUIDE.glob("*.md")} - {"index", *names}
    if missing:
        sys.exit(f"guide/index.md does not list {', '.join(sorted(missing))}")
    for page in GUIDE.glob("*.md"):
        (source / page.name).write_text(with_pictures(page.read_text(), source / "pictures"))
    shutil.copy(HERE / "CHANGELOG.md", source / "changelog.md")
    index = (source / "index.md").read_text()
    index += toctree("Guide", names) + toctree("Reference", ["reference/index", "changelog"])
    (source / "index.md").write_text(index)


def with_pictures(text: str, folder: Path) -> str:
    """Return a page that finds its charts in a folder, to which they are copied."""
    folder.mkdir(exist_ok=True)
    for path in re.findall(r"!\[[^]]*\]\(\.\./\.\./(benchmarks/[\w./-]+)\)", text):
        name = path.removeprefix("benchmarks/").replace("/", "-")
        shutil.copy(HERE / path, folder / name)
        text = text.replace(f"../../{path}", f"{folder.name}/{name}")
    return text


def toctree(caption: str, pages: Iterable[str]) -> str:
    """Return a part of the navigation."""
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])


def reference_pages(folder: Path) -> None:
    """Write a page for each group of public names, and for each public module."""
    folder.mkdir()
    groups: dict[str, list[str]] = {name: [] for name in REFERENCE}
    for name in mizzle_async.__all__:
        if not name.startswith("__"):
            groups[group_of(name)].append(f"mizzle_async.{name}")
    pages = {name: (*REFERENCE[name], members) for name, members in groups.items() if members}
    for name, sentence in MODULES.items():
        module = importlib.import_module(f"mizzle_async.{name}")
        members = [f"{module.__name__}.{each}" for each in module.__all__]
        pages[name] = (f"mizzle_async.{name}", sentence, members)
    for name, (title, sentence, members) in pages.items():
        lines = [f"# {title}", "", sentence, "", "```{eval-rst}"]
        for member in sorted(members, key=str.lower):
            lines += ["", *directive(member)]
        (folder / f"{name}.md").write_text("\n".join([*lines, "```", ""]))
    index = ["# Reference", "", "Every public name, with its arguments, results, errors and cost.", ""]
    index += [f"- [{title}]({name}.md): {sentence}" for name, (title, sentence, _) in pages.items()]
    (folder / "index.md").write_text("\n".join(index) + "\n" + toctree("Reference", pages))


def group_of(name: str) -> str:
    """Return the page of a public name."""
    value = getattr(mizzle_async, name)
    if isinstance(value, type) and issubclass(value, BaseException):
        return "errors"
    if inspect.isfunction(value):
        return "functions"
    place = defined_in(name).split(".")[0]
    return PLACES.get(place, "models")


def defined_in(name: str) -> str:
    """Return the module that the package imports a public name from."""
    tree = ast.parse(Path(inspect.getfile(mizzle_async)).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and any(each.name == name for each in node.names):
            return node.module.removeprefix("mizzle_async.")
    raise LookupError(name)


def directive(member: str) -> list[str]:
    """Return the lines of one name."""
    module, _, name = member.rpartition(".")
    value = getattr(importlib.import_module(module), name)
    if isinstance(value, type):
        if issubclass(value, BaseException):  # its base has the members, and is named
            return [f".. autoexception:: {member}", "   :show-inheritance:", "   :no-inherited-members:"]
        return [f".. autoclass:: {member}"]
    return [f".. autofunction:: {member}" if inspect.isroutine(value) else f".. autodata:: {member}"]


def plain_markup(_app: Any, _what: str, _name: str, _value: Any, _options: Any, lines: list[str]) -> None:
    """Keep what reads as markup in a docstring from being taken for it: a star before an argument's name."""
    lines[:] = [re.sub(r"^(\s*)\*(\*?)(\w+):", r"\1\\*\2\3:", line) for line in lines]


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
