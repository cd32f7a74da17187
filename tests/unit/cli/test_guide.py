"""The guide in a pipe, and its search."""

import pytest
from click.testing import CliRunner

from mizzle_async.cli.commands import command_line
from mizzle_async.cli.guide import read_pages


@pytest.fixture
def run():
    """Run the command line with arguments."""

    def invoke(*arguments: str):
        return CliRunner().invoke(command_line, arguments)

    return invoke


def test_a_page_in_a_pipe_is_markdown(run):
    """Elsewhere than on a terminal a page is printed as it is, found with or without its suffix."""
    assert run("guide").stdout == read_pages()["index"]
    assert run("guide", "shell").stdout == run("guide", "Shell.md").stdout == read_pages()["shell"]


def test_search_names_page_and_section(run):
    """A search prints each line that has the words, below page and section, whatever their case."""
    result = run("guide", "--search", "EXIT CODE")
    assert result.exit_code == 0
    assert "shell: " in result.stdout


def test_search_without_a_result_says_so(run):
    """Words that no page has are exit code 4."""
    result = run("guide", "--search", "no such words at all")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "no page of the guide has" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["shel"], "did you mean 'shell'?"),
        (["xyzzy"], "its pages: "),
        (["shell", "--search", "x"], "name no page"),
    ],
)
def test_page_that_is_not_there_is_refused(run, arguments, part):
    """A page that does not exist is a usage error, which names the page that is spelled alike, or all of them."""
    result = run("guide", *arguments)
    assert (result.exit_code, part in result.stderr) == (2, True), result.stderr
