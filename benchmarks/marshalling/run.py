"""Measure what it costs to encode and to decode an item, for every codec, in turns. See README.md beside this file.

Run: ``python benchmarks/marshalling/run.py``.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the folder is no installed package

from harness import environments
from harness.chart import Bar, Panel, draw
from harness.processes import Process, clean_environment

PROJECT = HERE.parents[1]
CALLS = HERE.parent / "calls" / "requirements"
CODECS = {
    "mizzle_codec": CALLS / "mizzle.txt",
    "boto3_codec": HERE / "requirements" / "boto3.txt",
    "dynamoxy_codec": CALLS / "dynamoxy.txt",
}
BASELINE = "boto3 TypeSerializer, dict"
DIRECTIONS = {"encode_us": "Encoding", "decode_us": "Decoding"}


def start(name: str, requirements: Path) -> Process:
    """Start one codec's process; raises InstallationError where its environment cannot be made."""
    package = PROJECT if name == "mizzle_codec" else None
    python = environments.interpreter(requirements, package=package)
    command = [str(python), "-P", str(HERE / "probe.py"), str(HERE / "codecs" / f"{name}.py")]
    return Process(command, clean_environment())


def measure(processes: dict[str, Process], rounds: int, bursts: int) -> tuple[dict[str, Any], dict[str, str]]:
    """Measure every codec in turns.

    Returns:
        For each variant and kind of item the medians over the rounds; and what failed, with the reason.
    """
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    failures: dict[str, str] = {}
    cases: list[tuple[Process, str, str]] = []
    for name, process in processes.items():
        ready = process.read()
        cases += [(process, variant, kind) for variant, kind in ready["cases"]]
        if "failure" in ready:
            failures[name] = ready["failure"]
    for _ in range(rounds):
        for process, variant, kind in cases:
            answer = process.order({"variant": variant, "kind": kind, "bursts": bursts})
            found.setdefault((variant, kind), []).append(answer)
    figures: dict[str, Any] = {}
    for (variant, kind), answers in found.items():
        medians = {key: round(statistics.median(one[key] for one in answers), 2) for key in DIRECTIONS}
        figures.setdefault(kind, {})[variant] = medians
    return figures, failures


def main() -> None:
    """Run every codec, and write it down."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--bursts", type=int, default=60, help="bursts in each round, of which the fastest counts")
    options.add_argument("--output", type=Path, default=HERE / "results.json")
    given = options.parse_args()
    failures: dict[str, str] = {}
    with ExitStack() as stack:
        processes: dict[str, Process] = {}
        for name, requirements in CODECS.items():
            try:
                processes[name] = stack.enter_context(start(name, requirements))
            except environments.InstallationError as error:
                failures[name] = str(error)
        figures, failed = measure(processes, given.rounds, given.bursts)
    outcome = {
        "measured_at": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "rounds": given.rounds,
        "items": figures,
        "ratios_to_baseline": {
            kind: {
                variant: {key: round(one[key] / variants[BASELINE][key], 3) for key in DIRECTIONS}
                for variant, one in variants.items()
            }
            for kind, variants in figures.items()
            if BASELINE in variants
        },
        "failures": failures | failed,
    }
    given.output.write_text(json.dumps(outcome, indent=1) + "\n")
    panels = []
    for kind, variants in figures.items():
        for key, title in DIRECTIONS.items():
            ranked = sorted(variants, key=lambda variant: variants[variant][key])
            bars = tuple(Bar(name, variants[name][key] * 1000, "ours" if "mizzle" in name else "") for name in ranked)
            panels.append(Panel(f"{title} one {kind} item", "CPU nanoseconds; less is better", bars))
            for name in ranked:
                ratio = outcome["ratios_to_baseline"].get(kind, {}).get(name, {}).get(key, "")
                print(f"{title:9} {kind:7} {name:28} {variants[name][key]:8.2f} us  {ratio}")
    print(outcome["failures"] or "")
    draw(panels, given.output.with_name("chart.svg"))


if __name__ == "__main__":
    main()
