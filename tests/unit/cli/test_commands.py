import json
import re
import sys

import click
import pytest
from click.testing import CliRunner

from mizzle_async.cli import commands, entry
from mizzle_async.cli.connection import Connection


@pytest.fixture
def run():
    """Run the command line with arguments, and return what click says of it."""

    def invoke(*arguments: str):
        return CliRunner().invoke(commands.command_line, arguments)

    return invoke


def test_help_names_every_command(run):
    """The help lists the commands, each with its first sentence."""
    result = run("--help")
    assert result.exit_code == 0
    for name in commands.COMMANDS:
        assert f"\n  {name} " in result.output


def test_help_has_every_command_once(run):
    """The sections of the help name commands that exist, and each of them once."""
    lines = run("--help").output.splitlines()
    names = [line.split()[0] for line in lines if line.startswith("  ") and line.split()[0] in commands.COMMANDS]
    assert sorted(names) == sorted(commands.COMMANDS)
    assert {name for names in commands.SECTIONS.values() for name in names} <= commands.COMMANDS.keys()


def test_unknown_command_is_refused(run):
    """A command that does not exist is a usage error."""
    result = run("dance")
    assert result.exit_code == 2
    assert "dance" in result.output


def test_misspelt_command_is_answered_with_the_right_one(run):
    """A name that is nearly a command's names that command."""
    result = run("qurey", "-t", "x")
    assert result.exit_code == 2
    assert "there is no command 'qurey': did you mean 'query'?" in result.stderr


@pytest.mark.parametrize("option", ["--insert", "--if-absent", "--heat"])
def test_a_load_by_workers_refuses_options_that_it_cannot_keep(run, option):
    """Rows of a worker that was killed are put again, and the parent sees no request of a worker."""
    result = run("load", "x.jsonl", "-t", "x", "--workers", "2", option)
    assert result.exit_code == 2
    assert f"--workers does not go with {option}" in result.stderr


@pytest.mark.parametrize("words", [("copy", "a", "b"), ("export", "a"), ("delete", "--everything")])
def test_parts_go_with_workers(run, words):
    """Parts without workers are a mistake."""
    result = run(*words, "--parts", "2")
    assert result.exit_code == 2
    assert "--parts goes with --workers" in result.stderr


@pytest.mark.parametrize(
    "words", [("copy", "a", "b", "--create"), ("export", "a"), ("delete", "--everything", "--yes")]
)
def test_a_limit_does_not_go_with_workers(run, words):
    """Each worker would count by itself: nothing is made, read or deleted before that is said."""
    result = run(*words, "--workers", "2", "--limit", "5")
    assert result.exit_code == 2
    assert "--workers does not go with --limit" in result.stderr


@pytest.mark.parametrize("words", [("a.csv",), ("a.csv.gz",), ("a.parquet",), ("a", "--format", "jsonl")])
def test_an_export_by_workers_has_one_format(run, words):
    """A name or an option of another format would make a folder that has none of it."""
    result = run("export", *words, "-t", "x", "--workers", "2")
    assert result.exit_code == 2
    assert "--workers writes a folder of files in DynamoDB's JSON" in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_of_completion(run, shell):
    """`completion` prints the script of each shell, which asks the program for words."""
    result = run("completion", shell)
    assert result.exit_code == 0
    assert f"{shell}_complete" in result.stdout


def test_interruption_while_the_first_modules_are_imported(monkeypatch, capsys):
    """Ctrl-C in the first moment ends the program with one word and exit code 130."""

    class Interrupted:
        def find_spec(self, name, path=None, target=None):
            if name == "mizzle_async.cli.commands":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "mizzle_async.cli.commands")
    monkeypatch.delattr("mizzle_async.cli.commands", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_interruption_before_the_work_begins(run, monkeypatch):
    """Ctrl-C while a command is being imported has the exit code of every other."""

    def interrupted(_module):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "import_module", interrupted)
    result = run("count")
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


def test_command_without_its_extra_says_how_to_get_it(run, monkeypatch):
    """A command whose library is not installed stays in the list, and names its extra when run."""
    place = commands.Place("nonexistent_library", extra="demo")
    monkeypatch.setitem(commands.COMMANDS, "demo", place)
    assert re.search(r"\n  demo +\(needs the extra `demo`\)\n", run("--help").output)
    result = run("demo")
    assert result.exit_code == 1
    assert "pip install 'mizzle-async[demo]'" in result.output


@pytest.mark.parametrize("module", ["nonexistent_library", "mizzle_async.nonexistent"])
def test_missing_module_of_ours_is_no_missing_extra(run, monkeypatch, module):
    """Only a foreign library can be missing for want of an extra; anything else is a mistake and shows."""
    extra = "demo" if module.startswith("mizzle_async") else None
    monkeypatch.setitem(commands.COMMANDS, "demo", commands.Place(module, extra))
    assert isinstance(run("demo").exception, ModuleNotFoundError)


def test_command_line_without_its_extra_says_how_to_get_it(monkeypatch):
    """Without click, `mizzle-async` ends with the remedy instead of a traceback."""
    monkeypatch.delitem(sys.modules, "mizzle_async.cli.commands")
    monkeypatch.setitem(sys.modules, "click", None)
    with pytest.raises(SystemExit, match=r"pip install 'mizzle-async\[cli\]'"):
        entry.main()


def test_other_missing_modules_are_not_hidden(monkeypatch):
    """A missing module that is none of the extra's raises as it is."""
    monkeypatch.delitem(sys.modules, "mizzle_async.cli.commands")
    monkeypatch.setitem(sys.modules, "click", None)
    monkeypatch.setattr(entry, "EXTRA", frozenset())
    with pytest.raises(ModuleNotFoundError):
        entry.main()


def test_a_command_of_its_own_process_says_when_the_work_begins(monkeypatch):
    """Everything is imported then, and the collector can leave it alone. Inside another program nothing is said."""
    seen: list[str] = []

    async def work(_connection, _work) -> int:
        seen.append("work")
        return 0

    monkeypatch.setattr(Connection, "_work", work)
    for told in (lambda: seen.append("begins"), None):
        with click.Context(commands.command_line, obj=told), pytest.raises(SystemExit):
            Connection(None, None, None).run(work)
    assert seen == ["begins", "work", "work"]


def test_connections_to_one_place_are_equal():
    """`copy` refuses to copy a table into itself: two connections are one if they reach the same place."""
    assert Connection("http://127.0.0.1:1", None, "eu-west-1") == Connection("http://127.0.0.1:1", None, "eu-west-1")
    assert Connection(None, "one", None) != Connection(None, "other", None)


def test_tables_prints_a_template_of_models(run, tmp_path, monkeypatch):
    """`tables --cloudformation` needs no service, and takes no names of tables."""
    module = "from mizzle_async import *\n@entity('orders')\nclass Order:\n    key: PartitionKey[str]\n"
    (tmp_path / "cf_orders.py").write_text(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # the shell looks for modules in its folder from now on
    result = run("tables", "--cloudformation", "cf_orders:Order", "--prefix", "dev-")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["Resources"]["DevOrders"]["Properties"]["TableName"] == "dev-orders"
    assert run("tables", "orders", "--cloudformation", "cf_orders:Order").exit_code == 2
    missing = run("tables", "--cloudformation", "cf_orders:Nothing")
    assert missing.exit_code == 2
    assert "not found" in missing.output
