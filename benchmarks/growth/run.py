"""Measure how the cost grows with the work: items in a call, calls at once, pages of a scan. See README.md beside it.

Run: ``python benchmarks/growth/run.py``.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the folder is no installed package

from calls.contestants import CONTESTANTS
from harness.chart import Bar, Panel, draw
from harness.measure import Settings
from harness.processes import Server, clean_environment


def main() -> None:
    """Run the probe, and write down what it found."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--items", type=int, default=10_000, help="items of one round at each size")
    options.add_argument("--calls", type=int, default=3_000, help="calls of one round at each concurrency")
    options.add_argument("--output", type=Path, default=HERE / "results.json")
    given = options.parse_args()
    python = next(one for one in CONTESTANTS if one.requirements == "mizzle").interpreter()
    with Server() as server:
        order = {
            "settings": asdict(Settings(server.endpoint)),
            "rounds": given.rounds,
            "items": given.items,
            "calls": given.calls,
        }
        command = [str(python), "-P", str(HERE / "probe.py"), json.dumps(order)]
        done = subprocess.run(command, env=clean_environment(), stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    outcome = {
        "measured_at": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "rounds": given.rounds,
        **found,
    }
    given.output.write_text(json.dumps(outcome, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    panels = [
        Panel(
            name,
            "CPU, nanoseconds per item",
            tuple(Bar(f"{size} items", cpu * 1e3, "ours") for size, cpu in of.items()),
        )
        for name, of in found["cpu_us_per_item"].items()
    ]
    bars = tuple(Bar(f"{size} at once", cpu, "ours") for size, cpu in found["cpu_us_per_call"].items())
    panels.append(Panel("GetItem", "CPU, µs per call", bars))
    bars = tuple(Bar(f"{size} items", peak, "ours") for size, peak in found["scan_peak_kb"].items())
    panels.append(Panel("scan()", "peak memory, KB", bars))
    draw(panels, given.output.with_name("chart.svg"))


if __name__ == "__main__":
    main()
