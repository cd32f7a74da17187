import subprocess
import sys

import pytest

CONFTEST = """
pytest_plugins = ["mizzle_async.testing.plugin"]
"""

TESTS = """
def test_engine(engine):
    pass

def test_other():
    pass
"""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["test_engine[embedded]", "test_engine[dynamodb-local]", "test_other"]),
        (["--dynamodb-engine=embedded"], ["test_engine[embedded]", "test_other"]),
        (
            ["--dynamodb-engine=dynamodb-local", "--dynamodb-engine=embedded"],
            ["test_engine[dynamodb-local]", "test_engine[embedded]", "test_other"],
        ),
    ],
)
def test_engine_fixture_stands_for_each_engine(tmp_path, options, expected):
    """A test that uses `engine` is collected once per engine, or once per engine that is asked for."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, *options], check=True, cwd=tmp_path, capture_output=True, text=True)
    collected = [line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line]
    assert sorted(collected) == sorted(expected)


def test_unknown_engine_is_refused(tmp_path):
    """An engine that does not exist is a usage error of pytest."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    command = [sys.executable, "-m", "pytest", "--dynamodb-engine=dynalite", "-p", "no:cacheprovider"]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "invalid choice: 'dynalite'" in done.stderr


# ── the fixtures of one test ──

ENTITIES = """
from typing import assert_type

from mizzle_async import Attribute, Client, PartitionKey, Table, entity
from mizzle_async.testing import Tables

@entity("notes")
class Note:
    name: PartitionKey[str]
    text: Attribute[str]

@entity("tags")
class Tag:
    name: PartitionKey[str]
"""

ISOLATED = """
async def test_one(client: Client, tables: Tables):
    notes = await tables(Note)
    await notes.insert(Note(name="a", text="one"))
    assert await notes.scan().count() == 1

async def test_two(client: Client, tables: Tables):
    notes, tags = await tables(Note, Tag)
    await notes.insert(Note(name="a", text="two"))
    await tags.insert(Tag(name="b"))
    assert (await notes.scan().count(), await tags.scan().count()) == (1, 1)
    assert client.table(Note).name == notes.name
"""

DROPPED = """
import pytest

@pytest.fixture(scope="session", autouse=True)
def tables_are_dropped(client_engine):
    yield
    assert client_engine.call("ListTables", {})["TableNames"] == []
"""

SYNCHRONOUS = """
import asyncio

def test_synchronous(make_client):
    async def main():
        async with make_client(timeout=3.0) as client:
            await client.ensure_tables(Note)
            return await client.table(Note).scan().count()
    assert asyncio.run(main()) == 0

def test_environment(dynamodb_environment, table_prefix):
    async def main():
        async with Client(table_prefix=table_prefix) as client:
            return (await client.ensure_tables(Note))[0].name
    assert asyncio.run(main()) == f"{table_prefix}notes"
"""

MARKED = """
import asyncio
import pytest

@pytest.mark.asyncio(loop_scope="module")
class TestOneLoop:
    loops = set()

    async def test_first(self, client: Client, tables: Tables):
        self.loops.add(id(asyncio.get_running_loop()))
        assert await (await tables(Note)).scan().count() == 0

    async def test_second(self, client: Client, tables: Tables):
        self.loops.add(id(asyncio.get_running_loop()))
        assert await (await tables(Note)).scan().count() == 0
        assert len(self.loops) == 1
"""


def run_tests(folder, tests, *options, plugins=("anyio",), settings=""):
    """Run tests in a pytest of their own, with these asynchronous plugins alone."""
    (folder / "conftest.py").write_text(f"{CONFTEST}{DROPPED}")
    (folder / "pytest.ini").write_text(f"[pytest]\n{settings}")
    (folder / "test_it.py").write_text(f"{ENTITIES}{tests}")
    absent = [f"-pno:{name}" for name in {"anyio", "asyncio", "xdist", "randomly", "cacheprovider"} - set(plugins)]
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", *absent, *options]
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=100)
    return f"{done.stdout}\n{done.stderr}"


def test_each_test_has_tables_of_its_own(tmp_path):
    """With anyio's plugin, tests find their tables empty, and no table is left at the end."""
    output = run_tests(tmp_path, f"{ISOLATED}{SYNCHRONOUS}", settings="anyio_mode = auto")
    assert "4 passed" in output, output


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_fixtures_work_with_pytest_asyncio(tmp_path, mode):
    """With pytest-asyncio the client is open on the loop of the test, of whichever scope; anyio may be there too."""
    marked = f"import pytest\npytestmark = pytest.mark.asyncio\n{ISOLATED}"
    plugins = ("asyncio", "anyio") if mode == "auto" else ("asyncio",)
    tests = f"{marked if mode == 'strict' else ISOLATED}{MARKED}"
    scope = "asyncio_default_fixture_loop_scope = function"
    output = run_tests(tmp_path, tests, plugins=plugins, settings=f"asyncio_mode = {mode}\n{scope}")
    assert "4 passed" in output, output


def test_fixtures_work_in_parallel(tmp_path):
    """Each worker of pytest-xdist has an engine of its own."""
    output = run_tests(tmp_path, ISOLATED, "-n2", plugins=("anyio", "xdist"), settings="anyio_mode = auto")
    assert "2 passed" in output, output


def test_a_synchronous_test_is_told_what_to_use(tmp_path):
    """The fixture `client` in a synchronous test says why it cannot be open, and names the one that serves."""
    output = run_tests(tmp_path, "def test_it(client):\n    pass\n", settings="anyio_mode = auto")
    assert "1 error" in output
    assert "A synchronous test takes `make_client`" in output


def test_the_engine_of_the_client_can_be_chosen(tmp_path):
    """`--dynamodb-engine` names the engine of the fixture `client`, and a fixture of the same name replaces it."""
    tests = """
def test_name(client_engine):
    assert client_engine.name == "dynamodb-local"
"""
    output = run_tests(tmp_path, tests, "--dynamodb-engine=dynamodb-local")
    assert "1 passed" in output, output
    tests = """
import pytest

@pytest.fixture(scope="session")
def client_engine(engine):
    return engine

async def test_each(client, tables):
    await tables(Note)
"""
    output = run_tests(tmp_path, tests, settings="anyio_mode = auto")
    assert "2 passed" in output, output
