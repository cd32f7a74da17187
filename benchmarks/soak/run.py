"""Soak the client in faults, on both event loops, plain and over TLS, and hold every call against the truth.

Run: ``python benchmarks/soak/run.py [--minutes 10]``. See README.md beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from base64 import b64decode
from pathlib import Path
from typing import Any
from zlib import decompress

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the folder is no installed package

from harness.processes import clean_environment

DONE, NOT_APPLIED, UNKNOWN = 1, 2, 3
SECONDS_TO_END = 60.0
"""Calls that are under way when the time is up end by themselves, at the latest when their own time is."""


def main() -> None:
    """Run each combination in turn; write down the counts, and fail on any that must be zero."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=10.0, help="for all combinations together")
    options.add_argument("--loops", nargs="+", choices=["asyncio", "uvloop"], default=["asyncio", "uvloop"])
    options.add_argument("--transports", nargs="+", choices=["plain", "TLS"], default=["plain", "TLS"])
    options.add_argument("--callers", type=int, default=200)
    options.add_argument("--faults", type=float, default=0.03, help="share of requests that go wrong")
    options.add_argument("--cancelled", type=float, default=0.05, help="share of calls that are cancelled")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--output", type=Path, default=HERE / "results.json")
    given = options.parse_args()
    combinations = [(loop, transport) for transport in given.transports for loop in given.loops]
    seconds = given.minutes * 60 / len(combinations)
    results: dict[str, Any] = {}
    for loop, transport in combinations:
        name = f"{loop}, {transport}"
        order = {
            "loop": loop,
            "seconds": seconds,
            **{key: getattr(given, key) for key in ("callers", "cancelled", "seed")},
        }
        result = soak(order, {"tls": transport == "TLS", "share": given.faults, "seed": given.seed})
        results[name] = result
        print(f"{name}: {json.dumps(result, indent=1)}", flush=True)
    outcome = {
        "measured_at": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "minutes": given.minutes,
        "results": results,
    }
    given.output.write_text(json.dumps(outcome, indent=1) + "\n")
    if broken := [f"{name}: {count}" for name, result in results.items() for count in broken_promises(result)]:
        sys.exit("broken: " + "; ".join(broken))


def soak(order: dict[str, Any], service_order: dict[str, Any]) -> dict[str, Any]:
    """Run one combination; return its counts."""
    environment = clean_environment() | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    service = subprocess.Popen(
        [sys.executable, str(HERE / "service.py"), json.dumps(service_order)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    if service.stdout is None:  # pragma: no cover  (it was asked for)
        raise RuntimeError("the service has no output")
    where = json.loads(service.stdout.readline())
    if where["ca_bundle"]:
        environment["AWS_CA_BUNDLE"] = where["ca_bundle"]
    command = [sys.executable, str(HERE / "probe.py"), json.dumps(order | {"url": where["url"]})]
    done = subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=order["seconds"] + SECONDS_TO_END,
    )
    # Its input is closed, so it tells what it applied.
    truth, _ = service.communicate()
    return judge(json.loads(done.stdout), json.loads(truth))


def judge(told: dict[str, Any], truth: dict[str, Any]) -> dict[str, Any]:
    """Hold what the callers were told against what the service applied."""
    ends = {name: decompress(b64decode(codes)) for name, codes in told.pop("writes").items()}
    inserted, stored = (decompress(b64decode(truth[name])) for name in ("inserted", "stored"))
    samples = told.pop("samples")
    return {
        "calls": sum(told["calls"].values()),
        "requests": truth["requests"],
        "retries": told["retries"],
        "faults": sum(truth["faults"].values()),
        "kinds of fault": len(truth["faults"]),
        "cancelled": told["errors"].pop("cancelled", 0),
        "errors": told["errors"],
        "connections given up as silent": told["silent"],
        "connections opened": truth["opened"],
        "increments": span(ends["increments"], truth["increments"]),
        "increments, exactly once": span(ends["exactly_once"], truth["exactly_once"]),
        "double applications": sum(
            max(0, truth[name] - ends[name].count(DONE) - ends[name].count(UNKNOWN))
            for name in ("increments", "exactly_once")
        )
        + sum(count > 1 for count in inserted),
        "lost writes": sum(max(0, ends[name].count(DONE) - truth[name]) for name in ("increments", "exactly_once"))
        + missing(ends["inserts"], inserted)
        + missing(ends["puts"], stored),
        "writes applied though said not to be": applied_after_all(ends["inserts"], inserted)
        + applied_after_all(ends["puts"], stored),
        "wrong answers and foreign errors": told["violation_count"],
        "examples": told["violations"],
        "places lost": told["places_lost"],
        "tasks left": told["tasks_left"],
        "sockets left": told["sockets_left"],
        "memory, MB": f"{samples[len(samples) // 4][0]} to {samples[-1][0]}" if samples else "",
        "open sockets, at most": max((sockets for _, sockets, _ in samples), default=0),
    }


def span(codes: bytes, applied: int) -> str:
    """Write a counter's value beside the bounds that its callers were told."""
    return f"{applied} in {codes.count(DONE)}-{codes.count(DONE) + codes.count(UNKNOWN)}"


def missing(codes: bytes, applied: bytes) -> int:
    """Count writes that were said to be done, and were not."""
    return sum(code == DONE and not (number < len(applied) and applied[number]) for number, code in enumerate(codes))


def applied_after_all(codes: bytes, applied: bytes) -> int:
    """Count writes that were said not to be applied, and were."""
    return sum(
        code == NOT_APPLIED and number < len(applied) and bool(applied[number]) for number, code in enumerate(codes)
    )


def broken_promises(result: dict[str, Any]) -> list[str]:
    """Name the counts that are not zero and must be."""
    names = (
        "double applications",
        "lost writes",
        "writes applied though said not to be",
        "wrong answers and foreign errors",
        "places lost",
        "tasks left",
        "sockets left",
    )
    return [f"{name} {result[name]}" for name in names if result[name]]


if __name__ == "__main__":
    main()
