"""The house rules of the package, read from its source: rooms, doors, foreign libraries, purity, sizes."""

import ast
import graphlib
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs
import pytest

PACKAGE = "mizzle_async"

PURE_STACK = ("expressions", "model", "marshalling", "operations")

# Each room, and the rooms that it may import from; a module may always import from its own.
BELOW = {
    "vocabulary": frozenset[str](),
    "expressions": frozenset({"vocabulary"}),
    "model": frozenset({"vocabulary", "expressions"}),
    "marshalling": frozenset({"vocabulary", "expressions", "model"}),
    "operations": frozenset({"vocabulary", "expressions", "model", "marshalling"}),
    "wire": frozenset({"vocabulary"}),
    "composition": frozenset({"vocabulary", *PURE_STACK, "wire"}),
    "public": frozenset({"vocabulary", *PURE_STACK, "wire", "composition"}),
    "testing": frozenset({"vocabulary", *PURE_STACK, "wire", "composition", "public"}),
    "integrations": frozenset({"vocabulary", *PURE_STACK, "wire", "composition", "public"}),
    "cli": frozenset({"vocabulary", *PURE_STACK, "wire", "composition", "public", "testing"}),
}

# Rooms of modules that have no folder: the rest of the top level is composition.
ROOMS = {"": "public"} | dict.fromkeys(("codes", "types", "limits", "errors", "values"), "vocabulary")

LATE_FOREIGN = ("wire.session", "integrations", "cli", "testing", "marshalling.preconf")
LATE_OWN = ("cli",)

# A foreign library, and the only modules that may import it.
OWNERS = {
    "aiobotocore": ("wire.session",),
    "botocore": ("wire.session",),
    "cattrs": ("marshalling",),
    "click": ("cli",),
    "rich": ("cli",),
    "airportsdata": ("cli.demo",),
    "pytest": ("testing.plugin",),
    "opentelemetry": ("integrations",),
}

PURE = (*PURE_STACK, "wire.retry")
IMPURE_MODULES = frozenset(
    {"anyio", "asyncio", "random", "secrets", "select", "selectors", "socket", "threading", "time"}
)
IMPURE_CALLS = frozenset(
    {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "os.urandom", "uuid.uuid1"}
)
IMPURE_CALLS |= {"uuid.uuid4", "uuid1", "uuid4", "urandom"}

LONGEST_MODULE = 500


@attrs.frozen
class Module:
    """One module: its name within the package (empty for the package), its source, whether it is a folder's."""

    name: str
    source: str
    is_package: bool = False

    @property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.source)


@attrs.frozen
class Import:
    """One imported module by its full name, where, and whether within a function."""

    target: str
    line: int
    late: bool


def installed_modules() -> dict[str, Module]:
    """Read every module of the installed package."""
    specification = importlib.util.find_spec(PACKAGE)
    assert specification is not None
    assert specification.origin is not None, f"{PACKAGE} has no __init__.py"
    folder = Path(specification.origin).parent
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        modules[name] = Module(name, path.read_text(), is_package)
    return modules


def imports(module: Module, names: Iterable[str]) -> Iterator[Import]:
    """Yield what a module imports, `TYPE_CHECKING` blocks included.

    `from mizzle_async.x import y` means the module `x.y` if there is one, else `x`.
    """
    known = {f"{PACKAGE}.{name}" if name else PACKAGE for name in names}

    def visit(node: ast.AST, *, late: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, late)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = [PACKAGE, *filter(None, module.name.split("."))]
                kept = parts[: len(parts) - node.level + (1 if module.is_package else 0)]
                base = ".".join([*kept, *filter(None, [base])])
            for alias in node.names:
                member = f"{base}.{alias.name}"
                yield Import(member if member in known else base, node.lineno, late)
        late = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, late=late)

    yield from visit(module.tree, late=False)


def within(name: str, places: Iterable[str]) -> bool:
    """Say whether a module is one of these, below one, or named after it (`wire.session_adapter`)."""
    return any(name == place or name.startswith((f"{place}.", f"{place}_")) for place in places)


def own_name(target: str) -> str | None:
    """Return the name within the package of an imported module, None for a foreign one."""
    if target == PACKAGE:
        return ""
    return target.removeprefix(f"{PACKAGE}.") if target.startswith(f"{PACKAGE}.") else None


def room_of(name: str) -> str:
    """Return the room that a module stands in."""
    top = name.partition(".")[0]
    return ROOMS.get(top) or (top if top in BELOW else "composition")


def may_import(importer: str, imported: str) -> bool:
    """Say whether a module may import another."""
    room, other = room_of(importer), room_of(imported)
    return room == other or other in BELOW[room]


def door_violations(module: Module, names: Iterable[str]) -> list[str]:
    """Name the imports that go upwards, across, or are hidden in functions."""
    found = []
    for one in imports(module, names):
        own = own_name(one.target)
        if own is not None and not may_import(module.name, own):
            found.append(f"line {one.line}: {room_of(module.name)} must not know {one.target}")
        if one.late and not within(module.name, LATE_FOREIGN if own is None else LATE_OWN):
            found.append(f"line {one.line}: {one.target} is imported inside a function")
    return found


def foreign_violations(module: Module, names: Iterable[str]) -> list[str]:
    """Name the imports of foreign libraries that belong to another module."""
    return [
        f"line {one.line}: {one.target} belongs to {', '.join(owners)}"
        for one in imports(module, names)
        if (owners := OWNERS.get(one.target.partition(".")[0])) is not None and not within(module.name, owners)
    ]


def purity_violations(module: Module, names: Iterable[str]) -> list[str]:
    """Name what does I/O, waits, or asks a clock or dice, in a module that must do none of it."""
    if not within(module.name, PURE):
        return []
    found = [
        f"line {one.line}: imports {one.target}"
        for one in imports(module, names)
        if one.target.partition(".")[0] in IMPURE_MODULES
    ]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith | ast.Await):
            found.append(f"line {node.lineno}: is asynchronous")
        elif isinstance(node, ast.comprehension) and node.is_async:
            found.append(f"line {node.target.lineno}: is asynchronous")
        elif isinstance(node, ast.Call) and within_calls(ast.unparse(node.func)):
            found.append(f"line {node.lineno}: calls {ast.unparse(node.func)}")
    return found


def within_calls(called: str) -> bool:
    """Say whether a called name is one of the impure ones, whatever module it is reached through."""
    return any(called == name or called.endswith(f".{name}") for name in IMPURE_CALLS)


def folder_violations(module: Module) -> list[str]:
    """Name the statements of an `__init__.py` that are neither imports, `__all__` nor the docstring."""
    if not module.is_package:
        return []
    found = []
    for index, node in enumerate(module.tree.body):
        match node:
            case ast.Import() | ast.ImportFrom():
                continue
            case ast.Expr(value=ast.Constant(value=str())) if index == 0:
                continue
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=elements) | ast.Tuple(elts=elements)):
                if all(isinstance(element, ast.Constant) for element in elements):
                    continue
        found.append(f"line {node.lineno}: an __init__.py holds imports and a static __all__ only")
    return found


def cycle(modules: dict[str, Module]) -> list[str]:
    """Return the modules of a cycle of imports, if there is one."""
    graph = {
        name: {own for one in imports(module, modules) if (own := own_name(one.target)) is not None and own != name}
        for name, module in modules.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        found: list[str] = error.args[1]
        return found[::-1]
    return []


MODULES = installed_modules()


@pytest.mark.parametrize("module", MODULES.values(), ids=lambda module: module.name or PACKAGE)
def test_module_keeps_the_house_rules(module):
    """A module imports downwards, at its top, only what is its own to import; it is short, and pure where it must."""
    violations = [
        *door_violations(module, MODULES),
        *foreign_violations(module, MODULES),
        *purity_violations(module, MODULES),
        *folder_violations(module),
    ]
    assert violations == []
    assert len(module.source.splitlines()) <= LONGEST_MODULE


def test_imports_have_no_cycle():
    """No module imports one that imports it, over however many others, type checking included."""
    assert " → ".join(cycle(MODULES)) == ""


@pytest.mark.parametrize(
    ("name", "source", "violation"),
    [
        ("expressions.paths", "from mizzle_async.model import entity", "expressions must not know mizzle_async.model"),
        ("expressions.paths", "from mizzle_async import model", "expressions must not know mizzle_async.model"),
        ("expressions.paths", "from .. import model", "expressions must not know mizzle_async.model"),
        ("expressions.paths", "from ..model import entity", "expressions must not know mizzle_async.model"),
        ("types", "import mizzle_async.wire", "vocabulary must not know mizzle_async.wire"),
        ("wire.pool", "from mizzle_async.operations import GetItem", "wire must not know mizzle_async.operations"),
        (
            "operations.get",
            "from mizzle_async.wire import pool",
            "operations must not know mizzle_async.wire.pool",
        ),
        ("client", "from mizzle_async import Client", "composition must not know mizzle_async"),
        ("client", "from mizzle_async.testing import start_engine", "composition must not know mizzle_async.testing"),
        ("testing.engines", "from mizzle_async.cli import main", "testing must not know mizzle_async.cli"),
        (
            "model.entity",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from mizzle_async.handles.client import Client",
            "model must not know mizzle_async.handles.client",
        ),
        ("client", "def f():\n    import json", "json is imported inside a function"),
        (
            "wire.session",
            "def f():\n    from mizzle_async import types",
            "mizzle_async.types is imported inside a function",
        ),
        ("wire.pool", "import botocore.session", "botocore.session belongs to wire.session"),
        ("client", "from aiobotocore import session", "aiobotocore belongs to wire.session"),
        ("model.entity", "import cattrs", "cattrs belongs to marshalling"),
        ("operations.get", "import asyncio", "imports asyncio"),
        ("operations.get", "from time import monotonic", "imports time"),
        ("operations.get", "async def f(): pass", "is asynchronous"),
        ("wire.retry", "import random", "imports random"),
        ("wire.retry", "f = lambda xs: [x async for x in xs]", "is asynchronous"),
        ("marshalling.hooks", "import datetime\nnow = datetime.datetime.now()", "calls datetime.datetime.now"),
    ],
)
def test_breach_is_found(name, source, violation):
    """Each rule finds what it forbids, so that a silent rule means a kept one."""
    module = Module(name, source)
    names = {*MODULES, "", "model", "client", "operations", "wire", "types"}
    found = [
        *door_violations(module, names),
        *foreign_violations(module, names),
        *purity_violations(module, names),
    ]
    assert any(line.endswith(violation) for line in found), found


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("operations.get", "from mizzle_async.marshalling import encode\nfrom mizzle_async.errors import MizzleError"),
        ("wire.session_adapter", "def f():\n    import botocore.session"),
        ("client", "from mizzle_async.operations import GetItem\nfrom mizzle_async.wire import pool"),
        ("cli.local", "from mizzle_async.testing import start_engine"),
        ("wire.retry", "from datetime import datetime\nage = lambda now: now() - datetime.min"),
    ],
)
def test_what_is_allowed_is_not_found(name, source):
    """The rules let pass what the house allows."""
    module = Module(name, source)
    names = {*MODULES, "", "operations", "wire", "testing"}
    assert door_violations(module, names) == []
    assert foreign_violations(module, names) == []
    assert purity_violations(module, names) == []


def test_code_in_a_folder_s_init_is_found():
    """An assignment, a call or a computed `__all__` in an `__init__.py` is a breach."""
    source = '"""Doc."""\nimport json\n__all__ = ["a"]\nx = 1\n__all__ = sorted(["a"])\nprint()\n'
    assert [line.partition(":")[0] for line in folder_violations(Module("model", source, is_package=True))] == [
        "line 4",
        "line 5",
        "line 6",
    ]


def test_cycle_is_found():
    """A cycle over three modules is named in its order, one of them for type checking only."""
    modules = {
        "a": Module("a", "from mizzle_async import b"),
        "b": Module("b", "import mizzle_async.c"),
        "c": Module("c", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from mizzle_async.a import A"),
    }
    assert set(cycle(modules)) == {"a", "b", "c"}
    del modules["c"]
    assert cycle(modules) == []
