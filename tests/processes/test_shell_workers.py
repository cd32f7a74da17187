"""`load` and `copy` of the shell by several processes: each item once, whichever process is killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mizzle_async import Attribute, Client, GlobalSecondaryIndex, PartitionKey, SortKey, attribute, entity
from mizzle_async.testing import EmbeddedEngine

PROGRAM = """
import multiprocessing, os, signal, sys

from mizzle_async.bulk.workers import keeping
from mizzle_async.cli import dealing, main
from mizzle_async.cli.progress import Display


def run(kills, items, end, *arguments):
    show, thresholds = Display.__call__, [200, 400] if kills == "kills" else []

    def shown(self, report):
        if thresholds and report.written >= thresholds[0]:
            thresholds.pop(0)
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
        if end and report.written >= int(items):
            with open("workers.txt", "w") as file:
                print(*[child.pid for child in multiprocessing.active_children()], file=file)
            os.kill(os.getpid(), getattr(signal, end))
        show(self, report)

    dealing.PART_ROWS, keeping.CHECKPOINT_SECONDS = 50, 0
    Display.__call__ = shown
    sys.argv[1:] = arguments
    main()


if __name__ == "__main__":
    run(*sys.argv[1:])
"""
ITEMS = 1_500


def item(number: int, **more: Any) -> dict[str, Any]:
    """Return an item in DynamoDB's JSON."""
    return {"pk": {"S": f"p{number % 40}"}, "sk": {"N": str(number)}, "value": {"N": str(number)}, **more}


@entity("one")
class One:
    pk: PartitionKey[str]
    sk: SortKey[int]


@entity("two")
class Two:
    pk: PartitionKey[str]
    sk: SortKey[int]
    kind: Attribute[str | None] = attribute(default=None)


BY_KIND = GlobalSecondaryIndex("by-kind", partition_key=Two.kind)


def plain(number: int, **more: Any) -> dict[str, Any]:
    """Return an item as a table of dicts has it."""
    return {"pk": f"p{number % 40}", "sk": number, "value": number, **more}


class Bench:
    """An engine, and a folder in which commands run."""

    def __init__(self, folder: Path, engine: Any) -> None:
        self.folder = folder
        self.engine = engine
        (folder / "program.py").write_text(PROGRAM)
        self.environment = os.environ | engine.environment | {"PYTHONSAFEPATH": ""}

    def shell(self, *arguments: str, kills: bool = False, end: tuple[int, str] = (0, ""), code: int = 0) -> Any:
        """Run a command. Return its report, and of one that is to fail its errors."""
        run = subprocess.run(
            [sys.executable, "program.py", "kills" if kills else "-", str(end[0]), end[1], *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        )
        assert run.returncode == code, run.stderr[-3000:]
        return json.loads(run.stdout) if "--json" in arguments and run.stdout else run.stderr

    def write(self, name: str, lines: list[Any]) -> None:
        """Write a file of lines: texts, and what becomes JSON."""
        texts = [each if isinstance(each, str) else json.dumps({"Item": each}) for each in lines]
        (self.folder / name).write_text("".join(f"{text}\n" for text in texts))

    def rejects(self, name: str) -> list[tuple[str, int]]:
        """Return the origins of the rejects of a file, in order."""
        lines = (self.folder / name).read_text().splitlines()
        return [(entry["file"], entry["line"]) for entry in map(json.loads, lines)]

    def client(self) -> Client:
        """Return a client of the engine."""
        engine = self.engine
        return Client(
            endpoint_url=engine.endpoint_url, region_name=engine.region_name, credentials=engine.credentials, timeout=60
        )

    async def create(self, *entities: type[Any]) -> None:
        """Create tables."""
        async with self.client() as client:
            await client.ensure_tables(*entities)

    async def items(self, table: str) -> list[Any]:
        """Return the items of a table, sorted."""
        async with self.client() as client:
            handle = client.table(table, partition_key="pk", sort_key="sk", sort_key_type=int)
            return sorted([each async for each in handle.scan()], key=lambda each: (each["sk"], each["pk"]))


@pytest.fixture
async def bench(tmp_path: Path) -> Any:
    """A bench with an engine."""
    async with EmbeddedEngine() as engine:
        yield Bench(tmp_path, engine)


async def test_a_load_by_workers_is_that_of_one_process(bench: Bench):
    """The later of two lines with one key stays, bad lines are rejected once each, and the reports are the same."""
    lines: list[Any] = [item(number) for number in range(ITEMS)]
    lines += [item(number, value={"N": f"-{number}"}) for number in range(0, ITEMS, 7)]
    lines[40:40] = ["{broken", "", {"pk": {"S": "no sort key"}}, {**item(1), "x": {"?": "no type"}}]
    lines.append(item(3, big={"S": "x" * 410_000}))
    bench.write("in.jsonl", lines)
    await bench.create(One, Two)
    alone = bench.shell("load", "in.jsonl", "-t", "one", "--json", code=3)
    shared = bench.shell("load", "in.jsonl", "-t", "two", "--json", "--workers", "2", code=3)
    assert await bench.items("two") == await bench.items("one")
    assert bench.rejects("two.rejects.jsonl") == sorted(bench.rejects("one.rejects.jsonl"))
    assert len(bench.rejects("two.rejects.jsonl")) == 4
    counted = ("loaded", "rejected", "failed", "unknown", "write_units", "complete")
    assert [shared[name] for name in counted] == [alone[name] for name in counted]
    deleted = bench.shell("load", "in.jsonl", "-t", "two", "--json", "--workers", "1", "--delete", "-q", code=3)
    assert deleted["deleted"] >= ITEMS
    assert await bench.items("two") == []


@pytest.mark.skipif(sys.platform != "linux", reason="it looks at /proc")
@pytest.mark.parametrize("end", ["SIGKILL", "SIGINT"])
async def test_a_load_by_workers_survives_kills(bench: Bench, all_end: Callable[..., bool], end: str):
    """Two workers and their parent are killed, or Ctrl-C ends all. Another run, by one worker, has each item once."""
    bench.write("in.jsonl", [*map(item, range(ITEMS)), "{broken"])
    await bench.create(One)
    command = ("load", "in.jsonl", "-t", "one", "--resume", "state.json", "--json")
    code = -signal.SIGKILL if end == "SIGKILL" else 130
    bench.shell(*command, "--workers", "2", kills=end == "SIGKILL", end=(700, end), code=code)
    assert all_end(map(int, (bench.folder / "workers.txt").read_text().split()))
    state = bench.folder / "state.json"
    done = json.loads(state.read_text())["rows"] if state.exists() else 0
    assert (0 if end == "SIGINT" else -1) < done < ITEMS  # a kill may come before the first state, Ctrl-C never
    report = bench.shell(*command, "--workers", "1", code=3)
    assert (report["skipped"], report["skipped"] + report["loaded"]) == (done, ITEMS)
    assert (report["rejected"], report["complete"]) == (1, True)
    assert [(each["sk"], each["value"]) for each in await bench.items("one")] == [(n, n) for n in range(ITEMS)]


@pytest.mark.skipif(sys.platform != "linux", reason="it looks at /proc")
async def test_a_copy_by_workers_survives_kills(bench: Bench, all_end: Callable[..., bool]):
    """Two workers and their parent are killed. A second run completes the copy; refused items are rejected once."""
    wrong = {"kind": 1}
    await bench.create(One, Two)
    async with bench.client() as client:
        one = client.table("one", partition_key="pk", sort_key="sk", sort_key_type=int)
        await one.put_many(plain(number, **(wrong if number % 500 == 0 else {})) for number in range(ITEMS))
    command = ("copy", "one", "two", "--parts", "40", "--resume", "state.json", "--json")
    bench.shell(*command, "--workers", "2", kills=True, end=(700, "SIGKILL"), code=-signal.SIGKILL)
    assert all_end(map(int, (bench.folder / "workers.txt").read_text().split()))
    address = ("--to-endpoint-url", bench.engine.endpoint_url)  # a client of its own for the target
    report = bench.shell(*command, *address, "--workers", "2", "--write-units", "100000", code=3)
    assert 0 < report["copied"] < ITEMS  # pages of parts that were done are not put again
    assert (report["rejected"], report["complete"], report["read_units"] > 0) == (3, True, True)
    assert len(bench.rejects("two.rejects.jsonl")) == 3
    assert await bench.items("two") == [each for each in await bench.items("one") if "kind" not in each]
