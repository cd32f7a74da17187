"""The public names are imported when they are first asked for, and are the package's own."""

import ast
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import mizzle_async
from mizzle_async.late import late_names

SOURCE = ast.parse(Path(mizzle_async.__file__).read_text(encoding="utf-8"))

SERVICE = """
import asyncio
from mizzle_async import Attribute, Client, PartitionKey, entity

@entity("notes")
class Note:
    id: PartitionKey[str]
    text: Attribute[str]

notes = Client().table(Note)
"""


def loaded(program):
    """Return the modules of this package that a program has loaded at its end."""
    program += "\nimport sys; print(*(name for name in sys.modules if name.startswith('mizzle_async')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def imported_for_type_checkers():
    """Return the module of each public name, as type checkers see it."""
    (block,) = [node for node in SOURCE.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {alias.name: node.module for node in block.body for alias in node.names}


def imported_late():
    """Return the module of each public name, as the interpreter imports it."""
    (call,) = [
        node for node in ast.walk(SOURCE) if isinstance(node, ast.Call) and ast.unparse(node.func) == "late_names"
    ]
    homes = ast.literal_eval(call.args[1])
    return {name: f"mizzle_async.{module}" for module, names in homes.items() for name in names.split()}


def test_one_list_of_names():
    """Type checkers, the interpreter and `__all__` have the same names, from the same modules."""
    assert imported_late() == imported_for_type_checkers()
    assert sorted(imported_late()) == sorted(mizzle_async.__all__) == mizzle_async.__all__


@pytest.mark.parametrize("name", mizzle_async.__all__)
def test_name_is_the_package_s_own(name):
    """Tracebacks, pickles and help pages name `mizzle_async`, and asking again gives the same object."""
    value = getattr(mizzle_async, name)
    assert value.__module__ == "mizzle_async"
    assert getattr(mizzle_async, name) is value
    if value.__qualname__ == name:
        assert pickle.loads(pickle.dumps(value)) is value


def test_importing_the_package_imports_nothing_else():
    """A process pays for the names that it uses."""
    assert loaded("import mizzle_async") == {"mizzle_async", "mizzle_async.late"}


def test_a_service_loads_no_part_that_it_does_not_use():
    """A client and a table load neither bulk work nor statements, tables' definitions, heat, testing or the shell."""
    modules = loaded(SERVICE)
    assert "mizzle_async.handles.client" in modules
    unused = (
        "bulk",
        "instruments",
        "integrations",
        "testing",
        "cli",
        "handles.statement",
        "operations.tables.definition",
    )
    assert [name for name in modules for part in unused if f"{name}.".startswith(f"mizzle_async.{part}.")] == []


def test_late_parts_work_where_they_are_first_used():
    """A verb whose part is not loaded loads it."""
    modules = loaded(f"{SERVICE}\nasync def main(): notes.put_many([])\nasyncio.run(main())")
    assert "mizzle_async.bulk.loads" in modules


def test_name_that_is_not_there():
    """A misspelt name is an AttributeError, and an ImportError where it is imported."""
    with pytest.raises(AttributeError, match="module 'mizzle_async' has no attribute 'Cleint'"):
        _ = mizzle_async.Cleint
    with pytest.raises(ImportError, match="cannot import name 'Cleint'"):
        exec("from mizzle_async import Cleint")  # noqa: S102  (a type checker would refuse the line)


def test_names_are_listed():
    """`dir` lists every public name, loaded or not; `import *` imports them."""
    listed = subprocess.run(
        [sys.executable, "-c", "import mizzle_async; print(*dir(mizzle_async))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(mizzle_async.__all__) <= set(listed.stdout.split())
    names = {}
    exec("from mizzle_async import *", names)  # noqa: S102  (a module of names, as a notebook has it)
    assert set(mizzle_async.__all__) <= set(names)


def test_name_in_a_module_that_lacks_it():
    """A table that names a wrong module fails where the name is asked for."""
    get, _ = late_names("mizzle_async", {"limits": "Nothing"})
    with pytest.raises(AttributeError, match="Nothing"):
        get("Nothing")
