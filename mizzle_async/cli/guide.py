"""`mizzle-async guide`: read the guide on a terminal."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator
from importlib import resources
from typing import Final

import click

from mizzle_async.cli.exit_codes import DONE, EXIT_CODES, NOT_FOUND

SUFFIX: Final = ".md"
START: Final = "index"
WIDTH: Final = 100
"""The widest line of a page. Longer lines of prose are hard to read."""


@click.command(short_help="Read the guide.", epilog=EXIT_CODES)
@click.argument("page", required=False)
@click.option("--search", metavar="WORDS", help="Show the lines of the guide that have these words.")
def guide(page: str | None, search: str | None) -> None:
    """Show a page of the guide, or its list of pages. Nothing is contacted.

    On a terminal the page is laid out. Elsewhere it is printed as Markdown, as it is.
    """
    if search is not None:
        if page is not None:
            raise click.UsageError("--search looks through every page: name no page")
        raise SystemExit(_search(search))
    pages = read_pages()
    name = (page or START).removesuffix(SUFFIX).lower()
    if name not in pages:
        close = difflib.get_close_matches(name, pages, n=1)
        known = f"did you mean {close[0]!r}?" if close else f"its pages: {', '.join(pages)}"
        raise click.UsageError(f"the guide has no page {page!r}; {known}")
    _show(pages[name])


def read_pages() -> dict[str, str]:
    """Return the pages of the guide, Markdown by name."""
    folder = resources.files("mizzle_async") / "guide"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(SUFFIX)), key=lambda file: file.name)
    return {file.name.removesuffix(SUFFIX): file.read_text(encoding="utf-8") for file in files}


def _show(text: str) -> None:
    if not sys.stdout.isatty():
        click.echo(text, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    console.print(Markdown(text, hyperlinks=False, code_theme="ansi_dark"), width=min(console.width, WIDTH))


def _search(words: str) -> int:
    """Print each line that has the words, below its page and section. Return the exit code."""
    hits = 0
    last: tuple[str, str] | None = None
    for name, section, line in _lines():
        if words.casefold() not in line.casefold():
            continue
        if (name, section) != last:
            click.echo(click.style(f"{name}: {section}", bold=True))
            last = name, section
        click.echo(f"  {line.strip()}")
        hits += 1
    if not hits:
        click.echo(f"no page of the guide has {words!r}", err=True)
        return NOT_FOUND
    return DONE


def _lines() -> Iterator[tuple[str, str, str]]:
    """Yield each line of the guide with its page and its section."""
    for name, text in read_pages().items():
        section, in_code = "", False
        for line in text.splitlines():
            in_code ^= line.startswith("```")
            heading = None if in_code else re.match(r"#+ (.+)", line)
            section = heading[1] if heading else section
            yield name, section, line
