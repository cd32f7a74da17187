"""Read a table into Spark: `read_query` beside boto3 by segment, in one session and in turns. See README.md beside it.

Run: ``python benchmarks/beyond/spark_read.py``, with the extra ``spark``, pyspark 4, boto3 and a JVM.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # the folder is no installed package

import outcome
from shop import Order, make_orders

from mizzle_async import Client
from mizzle_async.integrations.spark import read_query
from mizzle_async.marshalling import Marshaller
from mizzle_async.model import schema_of

SEGMENTS = 8
PAGE = 2_500
TARGETS = {
    "CPU of Python, read_query / boto3": ("at most", 0.2),
    "wall time, read_query / boto3": ("at most", 0.4),
}


# ── the server, in a process of its own ──


def serve(items: int) -> None:
    """Answer scans by segment with pages that are made before. Print the port, and serve until standard input ends."""
    encode = Marshaller().codec(schema_of(Order)).encode
    stored = [encode(order) for order in make_orders(items)]
    share = -(-items // SEGMENTS)
    pages: dict[tuple[int, int], bytes] = {}
    for segment in range(SEGMENTS):
        own = stored[segment * share : (segment + 1) * share]
        starts = range(0, len(own), PAGE)
        for number, start in enumerate(starts):
            part = own[start : start + PAGE]
            answer: dict[str, Any] = {"Items": part, "Count": len(part), "ScannedCount": len(part)}
            if number + 1 < len(starts):
                answer["LastEvaluatedKey"] = {"customer_id": {"S": str(number)}, "order_id": {"S": "x"}}
            pages[segment, number] = orjson.dumps(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            start = request.get("ExclusiveStartKey")
            number = 0 if start is None else int(start["customer_id"]["S"]) + 1
            body = pages[request["Segment"], number]
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


# ── the readers ──


def connect() -> Client:
    """Return a client of the server."""
    address = os.environ["BENCHMARK_ENDPOINT"]
    return Client(endpoint_url=address, region_name="eu-west-1", credentials=("id", "secret"), timeout=120)


def segment_rows(segment: int) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a segment, as boto3 reads them."""
    import boto3  # noqa: PLC0415  (in Spark's workers)

    names = {"aws_access_key_id": "id", "aws_secret_access_key": "secret", "region_name": "eu-west-1"}
    resource: Any = boto3.resource("dynamodb", endpoint_url=os.environ["BENCHMARK_ENDPOINT"], **names)
    table, start = resource.Table("orders"), {}
    while True:
        page = table.scan(Segment=segment, TotalSegments=SEGMENTS, **start)
        for item in page["Items"]:
            yield (
                item["customer_id"],
                item["order_id"],
                item["status"],
                item["total"],
                item["placed"],
                sorted(item.get("tags", ())),
                item["paid"],
                item.get("note"),
                int(item["count"]),
                float(item["weight"]),
            )
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


BOTO3_COLUMNS = (
    "customer_id string, order_id string, status string, total decimal(38,18), placed string, tags array<string>, "
    "paid boolean, note string, count bigint, weight double"
)


def sums(frame: Any) -> tuple[Any, ...]:
    """Read all columns of a frame, and return sums over them."""
    row = frame.selectExpr(
        "count(*)", "sum(total)", "sum(count)", "sum(cast(paid as int))", "sum(size(tags))", "count(note)"
    ).first()
    return tuple(Decimal(value).normalize() for value in row)


def python_cpu() -> float:
    """Return the CPU seconds of all Python processes below this one, those that have ended included."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    tick = os.sysconf("SC_CLK_TCK")
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
            except OSError:
                continue
            fields = rest.split()
            parents[int(entry.name)] = int(fields[1])
            if name.startswith(("python", "pyspark")):
                seconds[int(entry.name)] = sum(map(int, fields[11:15])) / tick
    below = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return sum(each for pid, each in seconds.items() if pid in below and pid != os.getpid())


def main() -> None:
    """Measure both readers in turns, print the ratios, and write the figures down."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--items", type=int, default=200_000)
    options.add_argument(
        "--rounds", type=int, default=4, help="the first of them, in which the JVM warms up, is left out"
    )
    options.add_argument("--output", type=Path, default=HERE / "spark.json")
    options.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.serve:
        serve(chosen.items)
        return
    command = [sys.executable, __file__, "--serve", "--items", str(chosen.items)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None  # noqa: S101  (it is a pipe)
        os.environ["BENCHMARK_ENDPOINT"] = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        seen = measured(chosen.rounds, server.pid)
        assert server.stdin is not None  # noqa: S101  (as above)
        server.stdin.close()
    ours, theirs = seen["read_query"], seen["boto3"]
    ratios = {
        "CPU of Python, read_query / boto3": min(ours["cpu"]) / min(theirs["cpu"]),
        "wall time, read_query / boto3": min(ours["wall"]) / min(theirs["wall"]),
    }
    outcome.show(ratios, TARGETS)
    outcome.write(chosen.output, {"items": chosen.items, "seconds": seen, "ratios": ratios})


def measured(rounds: int, server: int) -> dict[str, dict[str, list[float]]]:
    """Return the CPU and wall seconds of each reader in each round but the first."""
    from pyspark.sql import SparkSession  # noqa: PLC0415  (the server has none)

    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), *sys.path])
    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark: Any = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    import spark_read  # noqa: PLC0415  (by its name, so that its functions travel)

    scan = spark_read.connect().table(Order).scan()

    def ours() -> Any:
        return read_query(spark, scan, parts=SEGMENTS, connect=spark_read.connect)

    def theirs() -> Any:
        rows = spark.sparkContext.parallelize(range(SEGMENTS), SEGMENTS).flatMap(spark_read.segment_rows)
        return spark.createDataFrame(rows, BOTO3_COLUMNS, verifySchema=False)

    ways: dict[str, Callable[[], Any]] = {"read_query": ours, "boto3": theirs}
    seen: dict[str, dict[str, list[float]]] = {name: {"cpu": [], "wall": []} for name in ways}
    results = set()
    for number in range(rounds):
        for name, way in ways.items():
            begun, spent = time.monotonic(), python_cpu() - cpu_of(server)
            results.add(sums(way()))
            wall, cpu = time.monotonic() - begun, python_cpu() - cpu_of(server) - spent
            print(f"{name}: {cpu:.2f} s of CPU, {wall:.2f} s", flush=True)
            if number:
                seen[name]["cpu"].append(cpu)
                seen[name]["wall"].append(wall)
    assert len(results) == 1, results  # noqa: S101  (the same rows)
    spark.stop()
    return seen


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
