"""Export from a server that costs next to nothing, by one process and by two workers. See README.md beside it.

Run: ``python benchmarks/beyond/gain.py`` on a machine that does nothing else. It prints the load before and after.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import resource
import socketserver
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Thread
from typing import Any

import installed
import orjson
import outcome
from shop import Order, make_orders

from mizzle_async import Client
from mizzle_async.marshalling import Marshaller
from mizzle_async.model import schema_of

HERE = Path(__file__).resolve().parent
PAGE = 2_500
SPIN = "sum(range(60_000_000))"
TARGETS = {
    "CPU an item, two workers / one process": ("at most", 1.2),
    "gain in wall time, two workers": ("at least", 1.6),
    "the same, of one process with frozen modules": ("at least", 1.6),
}


# ── the server, in a process of its own ──


def serve(parts: int, pages: int) -> None:
    """Answer scans, whole or by segment, with one page again and again. Print the port, and serve until input ends.

    Args:
        parts: In how many segments the table is read.
        pages: The pages of each.
    """
    encode = Marshaller().codec(schema_of(Order)).encode
    items = orjson.dumps([encode(order) for order in make_orders(PAGE)])
    begin = b'{"Count":%d,"ScannedCount":%d,"Items":%b' % (PAGE, PAGE, items)
    checked = zlib.crc32(begin)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                length = 0
                while line not in {b"\r\n", b""}:
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                    line = self.rfile.readline()
                self.answer(orjson.loads(self.rfile.read(length)))

        def answer(self, request: dict[str, Any]) -> None:
            start = request.get("ExclusiveStartKey")
            number = 0 if start is None else int(start["customer_id"]["S"]) + 1
            count = pages if "Segment" in request else parts * pages
            end = (
                b"}"
                if number + 1 == count
                else (b',"LastEvaluatedKey":{"customer_id":{"S":"%d"},"order_id":{"S":"x"}}}' % number)
            )
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amz-crc32: %d\r\n"
                b"Content-Length: %d\r\n\r\n" % (zlib.crc32(end, checked), len(begin) + len(end))
            )
            self.wfile.write(begin)
            self.wfile.write(end)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        print(server.server_address[1], flush=True)
        Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()
        server.shutdown()


@contextmanager
def served(parts: int, pages: int) -> Iterator[tuple[str, int]]:
    """Yield the address and the process number of a server in a process of its own."""
    command = [sys.executable, __file__, "--serve", str(parts), str(pages)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None  # noqa: S101  (it is a pipe)
        assert process.stdout is not None  # noqa: S101  (as above)
        yield f"http://127.0.0.1:{int(process.stdout.readline())}", process.pid
        process.stdin.close()


# ── the measurement ──


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def own_cpu() -> float:
    """Return the CPU seconds of this process and of the children that have ended."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in (own, children))


def spinning(count: int) -> float:
    """Return the seconds in which so many processes do the same work, each all of it."""
    begun = time.monotonic()
    processes = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(count)]
    for process in processes:
        process.wait()
    return time.monotonic() - begun


@contextmanager
def frozen() -> Iterator[None]:
    """Put everything that is imported out of the collector's sight, as a worker does."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def export(address: str, server: int, workers: int | None, parts: int | None) -> dict[str, float]:
    """Export once. Return wall seconds, and microseconds of CPU an item: ours, and the server's."""
    with tempfile.TemporaryDirectory() as name:
        async with Client(endpoint_url=address, region_name="eu-west-1") as client:
            begun, spent, served = time.monotonic(), own_cpu(), cpu_of(server)
            export = client.table(Order).scan().export(Path(name) / "out", workers=workers, parts=parts)
            report = await export
            wall = time.monotonic() - begun
            return {
                "items": report.written,
                "wall": wall,
                "cpu": (own_cpu() - spent) / report.written * 1e6,
                "server": (cpu_of(server) - served) / report.written * 1e6,
            }


def measured(rounds: int, parts: int, pages: int) -> dict[str, Any]:
    """Measure every way in turns, the least of all rounds, and what two processes gain that share nothing."""
    ways: dict[str, tuple[int | None, int | None]] = {
        "one process, whole": (None, None),
        "one process, whole, frozen": (None, None),
        "one process, in parts": (1, parts),
        "two workers": (2, parts),
    }
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    spins: dict[int, list[float]] = {1: [], 2: []}
    with served(parts, pages) as (address, server):
        for number in range(rounds + 1):
            for name, (workers, count) in ways.items():
                with frozen() if "frozen" in name else nullcontext():
                    run = asyncio.run(export(address, server, workers, count))
                assert run["items"] == parts * pages * PAGE  # noqa: S101  (each item once)
                if number:  # the first round writes the bytecode of every module
                    runs[name].append(run)
            for count, seen in spins.items():
                seen.append(spinning(count))
    least = {name: {each: min(run[each] for run in seen) for each in seen[0]} for name, seen in runs.items()}
    return {"exports": least, "two spinning processes": 2 * min(spins[1]) / min(spins[2])}


def ratios(figures: dict[str, Any]) -> dict[str, float]:
    """Return what the targets are about."""
    exports = figures["exports"]
    one, two = exports["one process, whole"], exports["two workers"]
    return {
        "CPU an item, two workers / one process": two["cpu"] / one["cpu"],
        "gain in wall time, two workers": one["wall"] / two["wall"],
        "the same, of one process with frozen modules": exports["one process, whole, frozen"]["wall"] / two["wall"],
        "the same, of one process that reads the same parts": exports["one process, in parts"]["wall"] / two["wall"],
        "gain of two spinning processes": figures["two spinning processes"],
        "the server's CPU an item, of one process": one["server"] / one["cpu"],
    }


def main() -> None:
    """Measure, print the ratios beside their targets, and write them down."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--parts", type=int, default=16)
    options.add_argument("--pages", type=int, default=25, help="pages of a part")
    options.add_argument("--serve", type=int, nargs=2, help=argparse.SUPPRESS)
    options.add_argument("--output", type=Path, default=HERE / "gain.json")
    chosen = options.parse_args()
    if chosen.serve:
        serve(*chosen.serve)
        return
    installed.with_bytecode()
    os.environ.update({"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"})
    before = os.getloadavg()
    figures = measured(chosen.rounds, chosen.parts, chosen.pages)
    after = os.getloadavg()
    figures["ratios"] = ratios(figures)
    outcome.show(figures["ratios"], TARGETS)
    print(f"load average: {before[0]:.1f} before, {after[0]:.1f} after, on {os.cpu_count()} cores")
    about = {"cores": os.cpu_count(), "load average before": before, "load average after": after}
    outcome.write(chosen.output, {**about, **figures})


if __name__ == "__main__":
    main()
