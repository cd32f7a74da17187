"""Work by several processes: each item once, whoever is killed, and nothing that is left behind."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mizzle_async import Attribute, Client, PartitionKey, SortKey, attribute, entity
from mizzle_async.testing import EmbeddedEngine

MODULE = '''
import os
from pathlib import Path

from mizzle_async import Attribute, Client, PartitionKey, SortKey, attribute, entity, evolve


@entity("readings")
class Reading:
    sensor: PartitionKey[str]
    second: SortKey[int]
    celsius: Attribute[int] = attribute(default=0)


def warmer(reading):
    """Change a reading that was not changed."""
    return evolve(reading, celsius=1) if reading.celsius == 0 else None


def deadly(reading):
    """End the worker that has reading 77."""
    if reading.second == 77:
        os._exit(9)
    return warmer(reading)


def wrong(reading):
    """Fail for one reading."""
    raise ZeroDivisionError("in the caller's own code")


def nothing():
    """Connect to nothing."""
    return Client(endpoint_url="http://127.0.0.1:9", region_name="eu-west-1", credentials=("id", "secret"))
'''
HEAD = """
import asyncio, json, multiprocessing, os, signal, sys, time
from mizzle_async import BatchError, Client, DeadlineExceededError, MizzleError, TransportError
from readings import Reading, deadly, nothing, warmer, wrong

def kill_one():
    for child in multiprocessing.active_children()[:1]:
        os.kill(child.pid, signal.SIGKILL)

async def main():
    async with Client() as client:
        readings = client.table(Reading)
        scan = readings.scan(page_size=20)
"""
TAIL = """
if __name__ == "__main__":
    asyncio.run(main())
"""
ITEMS = 2_000


@entity("readings")
class Reading:
    sensor: PartitionKey[str]
    second: SortKey[int]
    celsius: Attribute[int] = attribute(default=0)


class Bench:
    """An engine with items, and a folder for programs that work on them."""

    def __init__(self, folder: Path, engine: Any) -> None:
        self.folder = folder
        self.engine = engine
        (folder / "readings.py").write_text(MODULE)
        self.environment = os.environ | engine.environment
        self.environment.pop("PYTHONSAFEPATH", None)  # programs import the module beside them, as users' scripts do

    def start(self, body: str, *, whole: bool = False) -> subprocess.Popen[str]:
        """Start a program."""
        indented = "".join(f"        {line}\n" for line in body.strip().splitlines())
        (self.folder / "program.py").write_text(body if whole else HEAD + indented + TAIL)
        return subprocess.Popen(
            [sys.executable, "program.py"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, body: str, *, whole: bool = False, code: int = 0) -> str:
        """Run a program, and return what it prints; of one that fails, its errors."""
        process = self.start(body, whole=whole)
        output, errors = process.communicate(timeout=120)
        assert process.returncode == code, errors[-3000:]
        return errors if code else output

    def exported(self) -> Counter[str]:
        """Count the exported items, by all files."""
        lines = [line for file in self.folder.glob("out/part-*.jsonl") for line in file.read_text().splitlines()]
        return Counter(json.loads(line)["Item"]["second"]["N"] for line in lines)

    def manifest(self) -> dict[str, Any] | None:
        """Return the manifest, None where there is none."""
        file = self.folder / "out" / "_manifest.json"
        return json.loads(file.read_text()) if file.exists() else None

    async def celsius(self) -> Counter[int]:
        """Count the readings by what they have."""
        async with client_of(self.engine) as client:
            return Counter([reading.celsius async for reading in client.table(Reading).scan()])


def client_of(engine: Any) -> Client:
    """Return a client of an engine."""
    return Client(
        endpoint_url=engine.endpoint_url, region_name=engine.region_name, credentials=engine.credentials, timeout=60
    )


@pytest.fixture
async def bench(tmp_path: Path) -> Any:
    """An engine with readings."""
    async with EmbeddedEngine() as engine:
        async with client_of(engine) as client:
            await client.ensure_tables(Reading)
            await client.table(Reading).put_many(Reading(sensor=f"s{n % 40}", second=n) for n in range(ITEMS))
        yield Bench(tmp_path, engine)


WHOLE = Counter({str(number): 1 for number in range(ITEMS)})


def children_of(pid: int) -> Iterator[int]:
    """Yield the processes that a process has started, and that have not ended."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "status").read_text()
            except OSError:
                continue
            if f"PPid:\t{pid}\n" in status and "State:\tZ" not in status:
                yield int(entry.name)


async def test_an_export_by_workers_has_each_item_once_whoever_is_killed(bench: Bench):
    """Two workers are killed in the middle: their parts go on from the last page that is sure."""
    output = bench.run("""
killed = []
def progress(report):
    if report.written > 300 * (len(killed) + 1) and len(killed) < 2:
        killed.append(report.written)
        kill_one()
report = await scan.export("out", workers=2, parts=16, checkpoint_pages=1, resume="state.json", progress=progress)
print(len(killed), report.written, report.evaluated >= report.written)
    """)
    assert output == f"2 {ITEMS} True\n"
    assert bench.exported() == WHOLE
    manifest = bench.manifest()
    assert manifest is not None
    assert (manifest["items"], manifest["parts"], len(manifest["files"])) == (ITEMS, 16, 16)
    assert all((bench.folder / "out" / file["name"]).stat().st_size == file["bytes"] for file in manifest["files"])


@pytest.mark.skipif(sys.platform != "linux", reason="it looks at /proc")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=lambda end: end.name)
async def test_a_parent_that_ends_leaves_nothing_behind_and_is_resumed(
    bench: Bench, wait_until: Callable[..., bool], all_end: Callable[..., bool], end: signal.Signals
):
    """Its workers end with it, and another run, by another number of workers, has each item once."""
    body = 'await scan.export("out", workers=2, parts=16, checkpoint_pages=1, resume="state.json", {more})'
    slow = "read_units_per_second=25"  # in a page of 20 small items is half a unit
    process = bench.start(body.format(more=slow))
    state = bench.folder / "state.json"
    assert wait_until(lambda: state.exists() and bool(re.search(r'"written": ?[1-9]', state.read_text())))
    workers = list(children_of(process.pid))
    process.send_signal(end)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert len(workers) >= 2
    assert all_end(workers, 15)
    assert bench.manifest() is None
    assert sum(bench.exported().values()) < ITEMS
    output = bench.run("""
try:
    await scan.export("out", workers=2, parts=8, resume="state.json")
except MizzleError as error:
    print(type(error).__name__, "parts is 16, here it is 8" in str(error))
report = await scan.export("out", workers=3, parts=16, resume="state.json")
print(0 < report.written < 2000)
    """)
    assert output == "ResumeError True\nTrue\n"
    assert bench.exported() == WHOLE
    manifest = bench.manifest()
    assert manifest is not None
    assert manifest["items"] == ITEMS


async def test_a_rewrite_and_a_delete_by_workers(bench: Bench):
    """A worker is killed between write and confirmation: what was done is found done; a second run changes nothing."""
    output = bench.run("""
killed = []
def progress(report):
    if report.written > 300 and not killed:
        killed.append(1)
        kill_one()
report = await scan.rewrite(warmer, workers=2, parts=8, progress=progress, write_units_per_second=100_000)
print(len(killed), report.written + report.unchanged >= 2000, report.is_complete)
report = await scan.rewrite(warmer, workers=2, parts=8)
print(report.written, report.unchanged)
report = await scan.delete_where(Reading.second < 500, workers=2, parts=8)
print(report.written)
report = await scan.delete_where(workers=1, parts=4)
print(report.written)
    """)
    assert output == "1 True True\n0 2000\n500\n1500\n"
    assert await bench.celsius() == Counter()


async def test_a_part_that_ends_three_workers_is_given_up(bench: Bench):
    """The rest is done, and the report names the part."""
    output = bench.run("""
try:
    await scan.rewrite(deadly, workers=2, parts=8)
except BatchError as error:
    (undone,) = error.report.unknown
    print(type(undone.error).__name__, "ended 3 workers, the last one with exit code 9" in str(undone.error))
    print(error.report.written >= 1000)
    """)
    assert output == "WorkerError True\nTrue\n"
    counts = await bench.celsius()
    assert counts[1] >= 1000


async def test_an_error_of_the_caller_or_of_the_connection_ends_all(bench: Bench):
    """It is raised as it is, at once."""
    output = bench.run("""
try:
    await scan.rewrite(wrong, workers=2, parts=8)
except ZeroDivisionError as error:
    print("caller:", error)
try:
    await scan.export("out", workers=2, parts=8, connect=nothing)
except MizzleError as error:
    print(isinstance(error, TransportError | DeadlineExceededError))
print(len(multiprocessing.active_children()))
    """)
    assert output == "caller: in the caller's own code\nTrue\n0\n"


async def test_a_script_without_its_guard_is_told_so(bench: Bench):
    """A spawned worker runs the script once more: one line says what to do."""
    body = """
import asyncio
from mizzle_async import Client
from readings import Reading

async def main():
    async with Client() as client:
        await client.table(Reading).scan().export("out", workers=2, parts=4)

asyncio.run(main())
"""
    errors = bench.run(body, whole=True, code=1)
    assert 'a script starts work with workers below `if __name__ == "__main__":`' in errors
    assert "WorkerError: a worker ended before it was ready (exit code 1" in errors


async def test_what_does_not_travel_is_refused_before_anything_starts(bench: Bench):
    """A lambda, a client with credentials, a target that is no folder, a wrong number."""
    output = bench.run("""
def refused(make):
    try:
        make()
    except MizzleError as error:
        print(str(error)[:70])

own = Client(credentials=("id", "secret"), region_name="eu-west-1").table(Reading).scan()
refused(lambda: scan.rewrite(lambda reading: None, workers=2))
refused(lambda: own.export("out", workers=2))
refused(lambda: scan.export(sys.stdout, workers=2))
refused(lambda: scan.export("out", workers=0))
refused(lambda: scan.export("out", workers=2, parts=0))
refused(lambda: readings.query(Reading.sensor == "s1").export("out", workers=2))
refused(lambda: readings.scan(max_items=5).export("out", workers=2))
print(len(multiprocessing.active_children()))
    """)
    assert output.splitlines() == [
        "work with workers= is done in other processes, and something of it doe",
        "workers= needs connect=: this client has credentials=, and nothing of ",
        "export(workers=…) writes a folder: give its path, not TextIOWrapper",
        "export: workers=0 must be a number of processes, from 1",
        "Reading: a query has 1 to 1,000,000 parts, not 0",
        "Reading: a query of one partition key value is one partition, which Dy",
        "Reading: max_items= counts over the whole query, and a part knows noth",
        "0",
    ]


def test_the_import_brings_no_processes_and_no_frames():
    """Nobody pays for what is not used."""
    code = (
        "import sys; before = set(sys.modules); "  # a measurement of coverage brings modules of its own
        "import mizzle_async; from mizzle_async import Client, Query, Table; new = set(sys.modules) - before; "
        "print([name for name in ('multiprocessing', 'pyarrow', 'pyspark', 'pandas') if name in new])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert run.stdout == "[]\n"


async def test_the_shell_exports_and_deletes_by_workers(bench: Bench):
    """`--workers` writes a folder with its manifest, and deletes each item once; wrong options are refused."""

    def shell(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from mizzle_async.cli import main; main()", *arguments],
            cwd=bench.folder,
            env=bench.environment,
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        )

    exported = shell("export", "out", "--table", "readings", "--workers", "2", "--parts", "8", "--json", "-q")
    assert exported.returncode == 0, exported.stderr
    assert json.loads(exported.stdout)["exported"] == ITEMS
    assert bench.exported() == WHOLE
    manifest = bench.manifest()
    assert manifest is not None
    assert manifest["parts"] == 8
    again = shell("export", "out", "--table", "readings", "--workers", "2")
    assert (again.returncode, "has an export: say --overwrite" in again.stderr) == (2, True)
    for wrong in (["-"], ["x.csv", "--format", "csv"], ["x.jsonl", "--columns", "a"]):
        refused = shell("export", *wrong, "--table", "readings", "--workers", "2")
        assert (refused.returncode, "writes a folder" in refused.stderr) == (2, True)
    deleted = shell("delete", "--table", "readings", "--everything", "-y", "--workers", "2", "--json", "-q")
    assert deleted.returncode == 0, deleted.stderr
    assert json.loads(deleted.stdout)["deleted"] == ITEMS
    assert await bench.celsius() == Counter()
