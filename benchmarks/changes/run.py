"""Measure what a consumer of changes costs. See README.md beside it.

Run: ``python benchmarks/changes/run.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]  # the folder is no installed package

from harness import environments
from harness.chart import Bar, Panel, draw

LIMITS = {
    "async for ÷ bare decode": 2.0,
    "for_each ÷ bare decode": 4.0,
    "decode ÷ boto3's": 0.3,
    "memory at the end ÷ at a twentieth": 1.2,
    "share of a core of 200 idle shards": 0.05,
    "seconds from a write to its handler, busy": 0.1,
    "seconds from a write to its handler, quiet": 1.1,
}
IDLE_SECONDS = 1.0
LATENCIES = (
    ("1 shard, busy", 1, 50.0),
    ("4 shards, busy", 4, 50.0),
    ("1 shard, quiet", 1, 0.25),
    ("8 shards, quiet", 8, 2.0),
)
"""Streams, each with its shards and its writes a second: in a quiet one each shard has a write in 4 seconds."""


def run(*arguments: str) -> Any:
    """Run one of the probes with our own interpreter, and return what it prints."""
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def decoding(rounds: int, checkouts: dict[str, Path]) -> dict[str, dict[str, float]]:
    """Return the CPU microseconds of decoding a record by us and by boto3, for each checkout of the library.

    The checkouts take turns, and in each of them our decoder and boto3's: all in one run. Of the rounds the least one
    counts: the machine has other work too. Nothing is returned where boto3 cannot be installed.
    """
    try:
        python = environments.interpreter(HERE / "boto3.txt", package=HERE.parents[1])
    except environments.InstallationError as error:
        print(f"boto3 is not measured: {error}", file=sys.stderr)
        return {}
    command = [str(python), str(HERE / "decode_probe.py")]
    samples: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
    with ExitStack() as stack:
        probes = {
            name: stack.enter_context(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "PYTHONPATH": str(checkout)},
                )
            )
            for name, checkout in checkouts.items()
        }
        for round_ in range(rounds + 1):
            for name, probe in probes.items():
                print(file=probe.stdin, flush=True)
                measured = json.loads(probe.stdout.readline() if probe.stdout else "{}")
                if round_:  # the first one warms up
                    samples[name].append(measured)
        for probe in probes.values():
            probe.communicate()
    return {
        name: {way: round(min(each[way] for each in measured), 3) for way in measured[0]}
        for name, measured in samples.items()
    }


def latency(seconds: float) -> dict[str, Any]:
    """Return the milliseconds from a write to its handler, for streams of one shard and of several."""
    found: dict[str, Any] = {"idle": IDLE_SECONDS}
    for name, shards, writes in LATENCIES:
        command = [sys.executable, str(HERE / "latency_server.py"), str(shards)]
        order = {"shards": shards, "idle": IDLE_SECONDS, "writes_per_second": writes}
        order["seconds"] = seconds if writes > 10 * shards else 4 * seconds  # few writes take longer to count
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            started = json.loads(server.stdout.readline() if server.stdout else "{}")
            found[name] = run(str(HERE / "latency_probe.py"), started["url"], json.dumps(order))
            found["engine"] = started["engine"]
            server.communicate("")
    return found


def idle(seconds: float) -> dict[str, float]:
    """Return the share of a core that a consumer of 200 idle shards takes, and its requests a second."""
    command = [sys.executable, str(HERE / "idle_server.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        url = "" if server.stdout is None else server.stdout.readline().strip()
        found: dict[str, float] = run(str(HERE / "idle_probe.py"), url, str(seconds))
        server.communicate("")
    return found


def ratio_of(decoded: dict[str, float] | None) -> float | None:
    """Return our time of a record by boto3's."""
    return None if decoded is None else decoded["ours"] / decoded["boto3"]


def main() -> None:
    """Run the probes, and write down what they found."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--pages", type=int, default=20, help="pages of 1,000 records of one round")
    options.add_argument("--records", type=int, default=1_000_000, help="records of the run that looks at memory")
    options.add_argument("--seconds", type=float, default=20.0, help="seconds of the idle figure")
    options.add_argument(
        "--latency", type=float, default=15.0, help="seconds of a busy stream; a quiet one takes 4 times"
    )
    options.add_argument("--beside", type=Path, help="a checkout of another commit: its decoding takes turns with ours")
    options.add_argument("--output", type=Path, default=HERE / "results.json")
    given = options.parse_args()
    order = {"rounds": given.rounds, "pages": given.pages, "records": given.records}
    found: dict[str, Any] = run(str(HERE / "probe.py"), json.dumps(order))
    checkouts = {"ours": HERE.parents[1]} | ({} if given.beside is None else {str(given.beside): given.beside})
    decoded = decoding(4 * given.rounds, checkouts)
    found["decode_us_per_record"] = decoded.get("ours")
    found["latency"] = latency(given.latency)
    found["idle"] = idle(given.seconds)
    cpu = found["cpu_us_per_record"]
    bare = cpu["bare decode"]
    memory = list(found.get("resident_bytes_at", {}).values())
    ratios = {
        "async for ÷ bare decode": cpu["async for"] / bare,
        "for_each ÷ bare decode": cpu["for_each"] / bare,
        "decode ÷ boto3's": ratio_of(decoded.get("ours")),
        "memory at the end ÷ at a twentieth": memory[-1] / memory[0] if memory else None,
        "share of a core of 200 idle shards": found["idle"]["share_of_a_core"],
        "seconds from a write to its handler, busy": found["latency"]["1 shard, busy"]["p50_ms"] / 1000,
        "seconds from a write to its handler, quiet": found["latency"]["8 shards, quiet"]["p50_ms"] / 1000,
    }
    found["ratios"] = {name: None if ratio is None else round(ratio, 3) for name, ratio in ratios.items()}
    outcome = {"measured_at": time.strftime("%Y-%m-%d", time.gmtime()), "python": platform.python_version(), **found}
    given.output.write_text(json.dumps(outcome, indent=1, ensure_ascii=False) + "\n")
    for name, ratio in ratios.items():
        verdict = "not measured" if ratio is None else f"{ratio:.3f}, at most {LIMITS[name]}"
        print(f"{name}: {verdict}{'' if ratio is None or ratio <= LIMITS[name] else '  TOO MUCH'}")
    for name, each in decoded.items():
        print(f"decoding, {name}: {each['ours']:.2f} µs beside {each['boto3']:.2f} of boto3, {ratio_of(each):.3f}")
    bars = tuple(Bar(name, us, "ours" if "for" in name else "floor") for name, us in cpu.items())
    draw([Panel("One record with two images of ten attributes", "CPU, µs", bars)], given.output.with_name("chart.svg"))


if __name__ == "__main__":
    main()
