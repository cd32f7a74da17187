"""Measure what a service sees: latency, one endpoint, and the collector's pauses. See README.md beside this file.

Run: ``python benchmarks/service/run.py [part …]`` in an environment with this package, FastAPI and uvloop.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the folder is no installed package

from harness.chart import Bar, Panel, draw
from harness.processes import Server, clean_environment

PARTS = ("latency", "endpoint", "collector")
MODES = {
    "kept, as by .all()": "keep",
    "kept, after gc.freeze()": "keep freeze",
    "kept, gc.set_threshold(50_000, 20, 100)": "keep threshold",
    "dropped, as by async for": "drop",
}


def orders(part: str) -> dict[str, dict[str, Any]]:
    """Return the measurements of a part, by the names of their rows."""
    if part == "latency":
        cases = [(1, False), (64, False), (512, False), (64, True)]
        return {
            f"{client}, {count} at once{', loop half busy' if busy else ''}": {
                "part": part,
                "client": client,
                "concurrency": count,
                "busy": busy,
            }
            for count, busy in cases
            for client in ("floor", "ours")
        }
    if part == "endpoint":
        return {
            f"{'GetItem and response' if reads else 'response alone'}, {loop}": {
                "part": part,
                "reads": reads,
                "loop": loop,
            }
            for loop in ("asyncio", "uvloop")
            for reads in (False, True)
        }
    return {name: {"part": part, "mode": mode} for name, mode in MODES.items()}


def main() -> None:
    """Run every measurement of the wanted parts in turns, print medians, and keep them."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    options.add_argument("--rounds", type=int, default=5)
    arguments = options.parse_args()
    environment = clean_environment() | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    outcome: dict[str, Any] = {
        "measured_at": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "rounds": arguments.rounds,
    }
    with Server(tls=False, python=sys.executable) as server:
        for part in arguments.parts or PARTS:
            rows = orders(part)
            found: dict[str, list[dict[str, float]]] = {name: [] for name in rows}
            for _ in range(arguments.rounds):
                for name, order in rows.items():
                    command = [
                        sys.executable,
                        str(HERE / "probe.py"),
                        json.dumps(order | {"endpoint": server.endpoint}),
                    ]
                    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
                    found[name].append(json.loads(result.stdout))
            outcome[part] = {
                name: {key: round(statistics.median(each[key] for each in answers), 3) for key in answers[0]}
                for name, answers in found.items()
            }
            print(f"\n{part}")
            for name, figures in outcome[part].items():
                print(f"  {name:44}", ", ".join(f"{key} {value:,.4g}" for key, value in figures.items()), flush=True)
    if not arguments.parts:
        (HERE / "results.json").write_text(json.dumps(outcome, indent=1) + "\n", encoding="utf-8")
        picture(outcome)


def picture(outcome: dict[str, Any]) -> None:
    """Draw the figures that a service feels most."""
    shown = (
        ("latency", "p99_us", "GetItem", "99th percentile, µs; less is better"),
        ("endpoint", "cpu_us", "A FastAPI endpoint", "CPU, µs per request; less is better"),
        ("collector", "longest_pause_ms", "40,000 items", "longest pause of the collector, ms; less is better"),
    )
    panels = [
        Panel(title, note, tuple(bar(name, figures[key]) for name, figures in outcome[part].items()))
        for part, key, title, note in shown
    ]
    draw(panels, HERE / "chart.svg")


def bar(name: str, value: float) -> Bar:
    """Return the bar of one row."""
    label = name.replace("gc.set_threshold(50_000, 20, 100)", "higher thresholds")
    return Bar(label, value, "floor" if "floor" in name else "ours")


main()
