"""The options for reading files."""

import click
import pytest
from click.testing import CliRunner

from mizzle_async.cli.files.options import reading
from mizzle_async.cli.files.rows import ReadOptions


@click.command()
@reading
def command(reading):
    """Print the options."""
    click.echo(repr(reading))


def options_of(*arguments):
    """Return what a command prints, and its exit code."""
    result = CliRunner().invoke(command, arguments)
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ReadOptions()),
        (["--delimiter", "tab"], ReadOptions(delimiter="\t")),
        (["--delimiter", ";"], ReadOptions(delimiter=";")),
        (["--encoding", "latin-1"], ReadOptions(encoding="latin-1")),
        (["--types", "n=N, tags=SS,a=b=L,"], ReadOptions(types={"n": "N", "tags": "SS", "a=b": "L"})),
        (["--format", "csv", "--strip", "--nan", "omit"], ReadOptions(format="csv", strip=True, nan="omit")),
    ],
)
def test_options_are_read(arguments, expected):
    """Each option has its place, and names for signs that are hard to type."""
    assert options_of(*arguments) == (0, f"{expected!r}\n")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--delimiter", ";;"], "expected one character, or tab"),
        (["--delimiter", '"'], "expected one character, or tab"),
        (["--encoding", "nonsense"], "knows no encoding 'nonsense'"),
        (["--encoding", "zlib"], "knows no encoding 'zlib'"),
        (["--types", "n"], "'n' is not NAME=TYPE"),
        (["--types", "n=X"], "'n=X' is not NAME=TYPE"),
        (["--types", "=N"], "'=N' is not NAME=TYPE"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments, part):
    """A value that cannot be meant is wrong usage."""
    code, output = options_of(*arguments)
    assert (code, part in output) == (2, True), output
