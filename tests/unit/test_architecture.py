"""The house rules of the package, read from its source: rooms, doors, foreign libraries, purity, sizes."""

import ast
import graphlib
import importlib.util
import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs
import pytest

PACKAGE = "mizzle_async"

# ── the rooms, from the ground up: each with the rooms that it may import from, beside its own ──

VOCABULARY = frozenset({"vocabulary"})
MODEL = VOCABULARY | {"expressions", "model.scalars", "model"}
MARSHALLING = MODEL | {"marshalling.shapes", "marshalling"}
BASE = MARSHALLING | {"operations.base"}
GUARDS = BASE | {"operations.guards"}
READS = GUARDS | {"operations.reads"}
TRANSACTIONS = READS | {"operations.transactions"}
WRITES = TRANSACTIONS | {"operations.writes"}
PURE_ROOMS = WRITES | {"operations.batches", "operations.partiql", "operations.streams", "operations.tables"}
PURE_ROOMS |= {"operations"}
WIRE_GROUND = VOCABULARY | {"wire.ground"}
WIRE = WIRE_GROUND | {"wire.pool", "wire.settings", "wire.session", "wire"}
FLOW = PURE_ROOMS | {"flow"}
BULK = FLOW | {"reading", "writing", "bulk"}
HANDLES = BULK | {"streams", "instruments", "handles"} | WIRE

BELOW = {
    "vocabulary": frozenset[str](),
    "expressions": VOCABULARY,
    "model.scalars": VOCABULARY | {"expressions"},
    "model": MODEL - {"model"},
    "marshalling.shapes": MODEL,
    "marshalling": MODEL | {"marshalling.shapes"},
    "operations.base": MARSHALLING,
    "operations.guards": BASE,
    "operations.reads": GUARDS,
    "operations.transactions": READS,
    "operations.writes": TRANSACTIONS,
    "operations.batches": WRITES,
    "operations.partiql": WRITES,
    "operations.streams": WRITES,
    "operations.tables": WRITES,
    "operations": PURE_ROOMS - {"operations"},
    "wire.ground": VOCABULARY,
    "wire.pool": WIRE_GROUND,
    "wire.settings": WIRE_GROUND | {"wire.pool"},
    "wire.session": WIRE_GROUND | {"wire.pool", "wire.settings"},
    "wire": WIRE - {"wire"},
    "flow": PURE_ROOMS,
    "reading": FLOW,
    "writing": FLOW,
    "bulk": BULK - {"bulk"},
    "streams": BULK,
    "instruments": BULK,
    "handles": HANDLES - {"handles", "instruments"},
    "integrations": HANDLES,
    "package": HANDLES,
    "testing": HANDLES | {"package"},
    "cli": HANDLES | {"package", "integrations", "testing"},
}

# The modules of a room that has no folder of its own; every other module stands in the room of its folder.
WITHOUT_FOLDER = {
    "vocabulary": ("types", "values", "limits", "errors", "codes", "late", "signatures", "table_names"),
    "operations.guards": ("operations.guards",),
    "wire.ground": (
        "wire.answers",
        "wire.exchange",
        "wire.framing",
        "wire.hedge_policy",
        "wire.home",
        "wire.retry",
        "wire.services",
        "wire.signing",
        "wire.throttles",
    ),
    "wire.settings": ("wire.settings",),
    "package": ("",),
    "cli": ("__main__",),
}
ROOMS = {module: room for room, modules in WITHOUT_FOLDER.items() for module in modules}

# Folders whose own modules stand lower than the folder itself, which gathers the names of its rooms.
GATHERING = {"operations": "operations.base"}

PURE_STACK = ("expressions", "model", "marshalling", "operations")

# Where a function may import a foreign library, and where it may import a module of the package.
LATE_FOREIGN = ("wire.session", "integrations", "cli", "testing", "marshalling.preconf")
LATE_OWN = {
    "": None,
    "cli": None,
    "integrations": None,
    "handles.client_bulk": ("bulk.loads", "bulk.send_all", "bulk.writer", "operations.batches"),
    "handles.client_collections": ("handles.collection",),
    "handles.client_partiql": (
        "handles.statement",
        "operations.partiql",
        "operations.reads.hidden",
        "operations.reads.options",
    ),
    "handles.client_state": ("handles.state",),
    "handles.client_tables": ("operations.tables.asked", "operations.tables.definition", "streams.state.rows"),
    "handles.client_transactions": ("operations.transactions.get", "operations.transactions.write"),
    "handles.collection": ("bulk.loads",),
    "handles.divided": ("bulk.parts", "integrations.arrow.batches"),
    "handles.query": ("bulk.exports", "bulk.migrations", "bulk.sweeps", "handles.with_workers"),
    "handles.record_verbs": ("operations.streams", "streams.events"),
    "handles.runtime": ("integrations.cursors",),
    "handles.client": ("handles.usage",),  # after its parts, whose names begin with its own
    "handles.change_verbs": ("operations.streams", "streams.change_stream", "streams.settings"),
    "handles.table_bulk": (
        "bulk.loads",
        "integrations.arrow.writing",
        "operations.batches",
        "operations.reads.by_key",
        "reading.by_key",
        "reading.coalescing",
    ),
    "handles.table": (
        "handles.query",
        "operations.reads.options",
        "operations.reads.selections",
    ),  # after its part, as above
    "model.seams": ("integrations.pydantic", "integrations.pydantic_pages"),
    "writing.patches": ("operations.writes.unique",),
    "writing.verbs": ("operations.writes.unique",),
    "wire.session.direct": ("wire.session.aiobotocore_session",),
}

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
    "pydantic": ("integrations",),
    "pydantic_core": ("integrations",),
    "pyarrow": ("integrations",),
    "pyspark": ("integrations.spark",),
    "trustme": ("testing.tls",),
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
MEDIAN_MODULE = 140


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
    """Return the room that a module stands in: its own by name, or that of its innermost folder."""
    folder = name
    while folder not in ROOMS and folder not in BELOW:
        folder = folder.rpartition(".")[0]
        if not folder:
            raise LookupError(f"{name} stands in no room: give it one in the architecture test")
    return ROOMS.get(folder) or (folder if folder == name else GATHERING.get(folder, folder))


def may_import(importer: str, imported: str) -> bool:
    """Say whether a module may import another."""
    room, other = room_of(importer), room_of(imported)
    return room == other or other in BELOW[room]


def is_named_late(importer: str, imported: str) -> bool:
    """Say whether a function of a module may import another module of the package."""
    for place, allowed in LATE_OWN.items():
        if importer == place or (place and within(importer, (place,))):
            return allowed is None or imported in allowed
    return False


def door_violations(module: Module, names: Iterable[str]) -> list[str]:
    """Name the imports that go upwards, across, or are hidden in functions."""
    found = []
    for one in imports(module, names):
        own = own_name(one.target)
        named = own is not None and one.late and is_named_late(module.name, own)
        if own is not None and not named and not may_import(module.name, own):
            found.append(f"line {one.line}: {room_of(module.name)} must not know {one.target}")
        if one.late and not named and (own is not None or not within(module.name, LATE_FOREIGN)):
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
            case ast.If(test=test) if module.name == "" and ast.unparse(test).endswith("TYPE_CHECKING"):
                continue  # the public names, for type checkers and, late, for the interpreter
        found.append(f"line {node.lineno}: an __init__.py holds imports and a static __all__ only")
    return found


def graph_of(modules: dict[str, Module]) -> dict[str, set[str]]:
    """Return the modules that each module imports, late imports by name aside."""
    return {
        name: {
            own
            for one in imports(module, modules)
            if (own := own_name(one.target)) is not None and own != name and not (one.late and is_named_late(name, own))
        }
        for name, module in modules.items()
    }


def room_graph_of(modules: dict[str, Module]) -> dict[str, set[str]]:
    """Return the rooms that each room imports from."""
    rooms: dict[str, set[str]] = {}
    for name, imported in graph_of(modules).items():
        room = room_of(name)
        rooms.setdefault(room, set()).update(other for own in imported if (other := room_of(own)) != room)
    return rooms


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """Return the members of a cycle of imports, if there is one."""
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
    assert " → ".join(cycle(graph_of(MODULES))) == ""


def test_rooms_have_no_cycle():
    """No room imports from one that imports from it, neither as the rooms are drawn nor as the modules stand."""
    assert " → ".join(cycle({room: set(below) for room, below in BELOW.items()})) == ""
    assert " → ".join(cycle(room_graph_of(MODULES))) == ""


def test_modules_are_short():
    """Half of the modules have no more than 140 lines, files that are nothing but a docstring aside."""
    lengths = [lines for module in MODULES.values() if (lines := len(module.source.splitlines())) > 1]
    assert statistics.median(lengths) <= MEDIAN_MODULE


@pytest.mark.parametrize(
    ("name", "source", "violation"),
    [
        ("expressions.paths", "from mizzle_async.model import entity", "expressions must not know mizzle_async.model"),
        ("expressions.paths", "from mizzle_async import model", "expressions must not know mizzle_async.model"),
        ("expressions.paths", "from .. import model", "expressions must not know mizzle_async.model"),
        ("expressions.paths", "from ..model import entity", "expressions must not know mizzle_async.model"),
        ("types", "import mizzle_async.wire", "vocabulary must not know mizzle_async.wire"),
        ("wire.pipeline", "from mizzle_async.operations import GetItem", "wire must not know mizzle_async.operations"),
        (
            "wire.pool.host",
            "from mizzle_async.wire import pipeline",
            "wire.pool must not know mizzle_async.wire.pipeline",
        ),
        (
            "operations.key",
            "from mizzle_async.wire import pool",
            "operations.base must not know mizzle_async.wire.pool",
        ),
        (
            "operations.target",
            "from mizzle_async.operations.writes.put import PutItem",
            "operations.base must not know mizzle_async.operations.writes.put",
        ),
        (
            "marshalling.shapes.shape",
            "from mizzle_async.marshalling.codec import EntityCodec",
            "marshalling.shapes must not know mizzle_async.marshalling.codec",
        ),
        ("flow.pace", "from mizzle_async.reading import by_key", "flow must not know mizzle_async.reading.by_key"),
        ("flow.tasks", "from mizzle_async.bulk.loads import load", "flow must not know mizzle_async.bulk.loads"),
        ("reading.rows", "from mizzle_async.writing import verbs", "reading must not know mizzle_async.writing.verbs"),
        ("bulk.writer", "from mizzle_async.handles import table", "bulk must not know mizzle_async.handles.table"),
        (
            "handles.client",
            "from mizzle_async.instruments import heat",
            "handles must not know mizzle_async.instruments.heat",
        ),
        ("handles.client", "from mizzle_async import Client", "handles must not know mizzle_async"),
        (
            "handles.client",
            "from mizzle_async.testing import start_engine",
            "handles must not know mizzle_async.testing",
        ),
        ("testing.engines", "from mizzle_async.cli import main", "testing must not know mizzle_async.cli"),
        (
            "model.entity",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from mizzle_async.handles.client import Client",
            "model must not know mizzle_async.handles.client",
        ),
        ("handles.client", "def f():\n    import json", "json is imported inside a function"),
        (
            "handles.client",
            "def f():\n    from mizzle_async.integrations import cursors",
            "mizzle_async.integrations.cursors is imported inside a function",
        ),
        (
            "wire.session.session",
            "def f():\n    from mizzle_async import types",
            "mizzle_async.types is imported inside a function",
        ),
        ("wire.pool.host", "import botocore.session", "botocore.session belongs to wire.session"),
        ("handles.client", "from aiobotocore import session", "aiobotocore belongs to wire.session"),
        ("model.entity", "import cattrs", "cattrs belongs to marshalling"),
        ("operations.key", "import asyncio", "imports asyncio"),
        ("operations.key", "from time import monotonic", "imports time"),
        ("operations.key", "async def f(): pass", "is asynchronous"),
        ("wire.retry", "import random", "imports random"),
        ("wire.retry", "f = lambda xs: [x async for x in xs]", "is asynchronous"),
        ("marshalling.codec", "import datetime\nnow = datetime.datetime.now()", "calls datetime.datetime.now"),
    ],
)
def test_breach_is_found(name, source, violation):
    """Each rule finds what it forbids, so that a silent rule means a kept one."""
    module = Module(name, source)
    names = MODULES.keys()
    found = [
        *door_violations(module, names),
        *foreign_violations(module, names),
        *purity_violations(module, names),
    ]
    assert any(line.endswith(violation) for line in found), found


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("operations.key", "from mizzle_async.marshalling import encode\nfrom mizzle_async.errors import MizzleError"),
        ("operations.writes.put", "from mizzle_async.operations.transactions.tokens import request_token"),
        ("wire.session.adapter", "def f():\n    import botocore.session"),
        ("handles.client", "from mizzle_async.operations import GetItem\nfrom mizzle_async.wire import pipeline"),
        ("handles.runtime", "def f():\n    from mizzle_async.integrations.cursors import CursorCipher"),
        ("", "def __getattr__(name):\n    from mizzle_async.integrations import otel"),
        ("instruments.heat", "from mizzle_async.writing.table_part import target_of"),
        ("cli.local", "from mizzle_async.testing import start_engine"),
        ("wire.retry", "from datetime import datetime\nage = lambda now: now() - datetime.min"),
    ],
)
def test_what_is_allowed_is_not_found(name, source):
    """The rules let pass what the house allows."""
    module = Module(name, source)
    names = MODULES.keys()
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
    assert set(cycle(graph_of(modules))) == {"a", "b", "c"}
    del modules["c"]
    assert cycle(graph_of(modules)) == []


def test_cycle_of_rooms_is_found():
    """Two rooms that import from each other are named, though none of their modules stands in a cycle."""
    modules = {
        "flow.pace": Module("flow.pace", "from mizzle_async.reading import rows"),
        "reading.rows": Module("reading.rows", ""),
        "reading.by_key": Module("reading.by_key", "from mizzle_async.flow import tasks"),
        "flow.tasks": Module("flow.tasks", ""),
    }
    assert cycle(graph_of(modules)) == []
    assert set(cycle(room_graph_of(modules))) == {"flow", "reading"}


def test_module_without_a_room_is_found():
    """A new module at the top, or a new folder, must be given a room."""
    with pytest.raises(LookupError, match="helpers stands in no room"):
        room_of("helpers")
    with pytest.raises(LookupError, match=r"shop\.orders stands in no room"):
        room_of("shop.orders")


def process_users(folders: Iterable[Path]) -> list[str]:
    """Name the test modules that import a library for processes."""
    return [
        f"{path.parent.name}/{path.name}"
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
        for one in imports(Module("", path.read_text()), ())
        if one.target in {"subprocess", "multiprocessing", "concurrent.futures"}
    ]


def test_tests_that_spawn_processes_have_a_folder_of_their_own(tmp_path):
    """Nothing in the quick folders imports a library for processes: such tests stand in `tests/processes`."""
    tests = Path(__file__).parents[1]
    assert process_users(tests / name for name in ("unit", "wire", "property")) == []
    (tmp_path / "test_slow.py").write_text("import subprocess\n")
    assert process_users([tmp_path]) == [f"{tmp_path.name}/test_slow.py"]


def test_no_data_lies_at_the_top_of_the_checkout():
    """What a command wrote into the current folder, a frame or an export, is not kept by a commit."""
    top = Path(__file__).parents[2]
    files = [path.name for path in top.iterdir() if path.is_file() and not path.name.startswith(".")]
    assert {Path(name).suffix for name in files} <= {"", ".lock", ".md", ".py", ".toml"}, files
