"""Load and export a million items by two workers, and kill them on the way. See README.md beside it.

Run: ``python benchmarks/beyond/million.py``. An engine runs beside it, so wall times mean something on idle cores only.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import installed
import orjson
import outcome
from botocore.session import Session

from mizzle_async.testing import Engine, start_engine

HERE = Path(__file__).resolve().parent
SHELL = [sys.executable, "-c", "from mizzle_async.cli import main; main()"]
KEY = {"partition": "customer_id", "sort": "number"}


def item(number: int) -> dict[str, Any]:
    """Return an item of eight attributes in DynamoDB's JSON."""
    return {
        "customer_id": {"S": f"customer-{number % 9973}"},
        "number": {"N": str(number)},
        "status": {"S": "open" if number % 3 else "paid"},
        "total": {"N": f"{number}.25"},
        "placed": {"S": "2026-01-01T00:00:00.000000+00:00"},
        "tags": {"SS": ["express", "gift"]},
        "paid": {"BOOL": number % 3 == 0},
        "note": {"S": "a note of some length, as people write them beside an order"},
    }


class Bench:
    """An engine, a folder, and the commands that run there.

    Args:
        engine: The engine.
        folder: The folder.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.environment = os.environ | engine.environment

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command of the shell."""
        return subprocess.Popen([*SHELL, *arguments], cwd=self.folder, env=self.environment, stdout=subprocess.PIPE)

    def run(self, *arguments: str) -> dict[str, Any]:
        """Run a command to its end. Return its report, with its CPU and its wall time in seconds."""
        begun = time.monotonic()
        process = self.start(*arguments, "--json", "-q")
        assert process.stdout is not None  # noqa: S101  (it is a pipe)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, arguments  # noqa: S101  (a failure ends the measurement)
        times = {"cpu": usage.ru_utime + usage.ru_stime, "wall": time.monotonic() - begun}
        return {**(json.loads(output) if output else {}), **times}

    def create(self, table: str) -> None:
        """Create a table."""
        command = [*SHELL, "create", table, f"{KEY['partition']}:S", f"{KEY['sort']}:N"]
        subprocess.run(command, check=True, env=self.environment, capture_output=True)

    def write(self, name: str, count: int) -> None:
        """Write a file of items."""
        with (self.folder / name).open("wb") as file:
            file.writelines(b'{"Item":%b}\n' % orjson.dumps(item(number)) for number in range(count))

    def scanned(self, table: str) -> Iterator[dict[str, Any]]:
        """Yield the items of a table, read by botocore alone."""
        names = {"aws_access_key_id": "id", "aws_secret_access_key": "secret", "region_name": self.engine.region_name}
        client: Any = Session().create_client("dynamodb", endpoint_url=self.engine.endpoint_url, **names)
        for page in client.get_paginator("scan").paginate(TableName=table):
            yield from page["Items"]

    def exported(self, folder: str) -> Iterator[dict[str, Any]]:
        """Yield the items of the files of an export."""
        for path in sorted((self.folder / folder).glob("part-*.jsonl")):
            with path.open("rb") as lines:
                for line in lines:
                    yield orjson.loads(line)["Item"]


def counted(items: Iterator[dict[str, Any]], expected: int) -> dict[str, int]:
    """Count how often each item is there, and those that are not as they were written."""
    seen, wrong, foreign = bytearray(expected), 0, 0
    for each in items:
        number = int(each["number"]["N"])
        if not 0 <= number < expected:
            foreign += 1
            continue
        seen[number] = min(seen[number] + 1, 255)
        each["tags"]["SS"].sort()
        wrong += each != item(number)
    return {
        "once": seen.count(1),
        "never": seen.count(0),
        "more": expected - seen.count(1) - seen.count(0),
        "wrong": wrong + foreign,
    }


def workers_of(pid: int) -> list[int]:
    """Return the worker processes of a command."""
    workers: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status, words = (entry / "status").read_text(), (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if f"PPid:\t{pid}\n" in status and b"spawn_main" in words:
                workers.append(int(entry.name))
    return workers


def killed(bench: Bench, command: list[str], done: Callable[[], int], count: int) -> dict[str, Any]:
    """Run a command, kill two workers and then the parent, and run it again to its end.

    Args:
        bench: The bench.
        command: The command.
        done: Returns how many items are done.
        count: How many items there are.
    """
    begun = time.monotonic()
    process = bench.start(*command, "--json", "-q")
    kills: list[int] = []
    for share in (0.2, 0.4):
        wait_until(lambda share=share: done() >= share * count, process)
        os.kill(workers_of(process.pid)[0], signal.SIGKILL)
        kills.append(done())
    wait_until(lambda: done() >= 0.6 * count, process)
    workers = workers_of(process.pid)
    kills.append(done())
    process.kill()
    process.wait()
    ended = time.monotonic()
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        time.sleep(0.01)
    orphans = time.monotonic() - ended
    report = bench.run(*command)
    return {
        "workers killed at": kills[:2],
        "parent killed at": kills[2],
        "workers ended after, seconds": round(orphans, 2),
        "second run": {name: report[name] for name in ("loaded", "exported", "skipped", "complete") if name in report},
        "wall": round(time.monotonic() - begun, 1),
    }


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait until something is true.

    Raises:
        RuntimeError: The process has ended before.
    """
    while not condition():
        if process.poll() is not None:
            raise RuntimeError("the command ended before it was to be killed: more items are needed")
        time.sleep(0.05)


def rows_of(state: Path) -> int:
    """Return the rows that a load's state has."""
    return int(json.loads(state.read_bytes())["rows"]) if state.exists() else 0


def lines_of(folder: Path, line_bytes: float) -> int:
    """Return about how many items the files of an export have."""
    return int(sum(path.stat().st_size for path in folder.glob("part-*.jsonl")) / line_bytes)


def measured(bench: Bench, count: int) -> dict[str, Any]:
    """Load and export by one process and by two, without kills."""
    bench.write("few.jsonl", count)
    bench.write("one.jsonl", 1)
    bench.create("compiled")
    for more in ([], ["--workers", "2"]):  # every module has its bytecode before anything is measured
        bench.run("load", "one.jsonl", "-t", "compiled", *more)
        bench.run("export", "compiled" if more else "compiled.jsonl", "-t", "compiled", *more)
    seen: dict[str, Any] = {}
    for name, more in (("one process", []), ("two workers", ["--workers", "2"])):
        table = name.replace(" ", "-")
        bench.create(table)
        load = bench.run("load", "few.jsonl", "-t", table, *more)
        out = [f"{table}.jsonl"] if not more else [table]
        export = bench.run("export", *out, "-t", table, *more)
        for verb, report in (("load", load), ("export", export)):
            figures = {"cpu": report["cpu"] / count * 1e6, "wall": report["wall"] / count * 1e6}
            seen[f"{verb}, {name}"] = {**figures, "items": report.get("loaded", report.get("exported"))}
    for verb in ("load", "export"):
        one, two = seen[f"{verb}, one process"], seen[f"{verb}, two workers"]
        seen[f"{verb}: CPU an item, two of one"] = two["cpu"] / one["cpu"]
        seen[f"{verb}: gain in wall time"] = one["wall"] / two["wall"]
    return seen


def main() -> None:
    """Run, print, and write the figures down."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--items", type=int, default=1_000_000)
    options.add_argument("--compared", type=int, default=200_000, help="items of the runs without kills")
    options.add_argument("--engine", choices=["embedded", "dynamodb-local"], default="embedded")
    options.add_argument("--output", type=Path, default=HERE / "million.json")
    chosen = options.parse_args()
    installed.with_bytecode()
    figures: dict[str, Any] = {"engine": chosen.engine, "items": chosen.items}
    with tempfile.TemporaryDirectory() as name, start_engine(chosen.engine) as engine:
        bench = Bench(engine, Path(name))
        figures["load average before"] = os.getloadavg()
        figures["compared"] = measured(bench, chosen.compared)
        figures["load average between"] = os.getloadavg()
        print(json.dumps(figures, indent=1), flush=True)
        bench.write("orders.jsonl", chosen.items)
        line_bytes = (bench.folder / "orders.jsonl").stat().st_size / chosen.items
        bench.create("orders")
        state = bench.folder / "load.json"
        command = ["load", "orders.jsonl", "-t", "orders", "--workers", "2", "--resume", str(state)]
        figures["load"] = killed(bench, command, lambda: rows_of(state), chosen.items)
        figures["load"]["count"] = counted(bench.scanned("orders"), chosen.items)
        print(json.dumps(figures["load"], indent=1), flush=True)
        out = bench.folder / "out"
        command = ["export", "out", "-t", "orders", "--workers", "2", "--resume", "export.json"]
        figures["export"] = killed(bench, command, lambda: lines_of(out, line_bytes), chosen.items)
        figures["export"]["count"] = counted(bench.exported("out"), chosen.items)
        print(json.dumps(figures["export"], indent=1), flush=True)
    outcome.write(chosen.output, figures)


if __name__ == "__main__":
    main()
