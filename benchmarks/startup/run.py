"""Measure what a fresh process pays before its first answer, for every client. See README.md beside this file.

Run: ``python benchmarks/startup/run.py``.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the folder is no installed package

from calls.contestants import CONTESTANTS, Contestant
from harness import environments
from harness.chart import Bar, Panel, draw
from harness.measure import Settings
from harness.processes import Server, clean_environment

FOREIGN = ("aiobotocore", "aiohttp", "botocore")
IMPORT = f"""
import sys, time
started = time.perf_counter()
import mizzle_async
seconds = time.perf_counter() - started
print(seconds * 1e3, *sorted(name for name in {FOREIGN!r} if name in sys.modules))
"""


def run(command: list[str]) -> str:
    """Run a probe and return what it says, even where the process fails afterwards, while it ends.

    Raises:
        subprocess.CalledProcessError: It said nothing.
    """
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
    if not done.stdout:
        done.check_returncode()
    return done.stdout.strip()


def bare_import(contestant: Contestant, rounds: int) -> dict[str, Any]:
    """Import ``mizzle_async`` alone in fresh processes, and see which heavy packages it brought along."""
    answers = [run([str(contestant.interpreter()), "-P", "-c", IMPORT]).split() for _ in range(rounds)]
    return {"import_ms": statistics.median(float(one[0]) for one in answers), "brings": answers[0][1:]}


def main() -> None:
    """Run every client in turns, and write it down."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", nargs="+", metavar="WORD", help="clients whose name contains one of these words")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--output", type=Path, default=HERE / "results.json")
    given = options.parse_args()
    chosen = [one for one in CONTESTANTS if not given.only or any(word in one.name for word in given.only)]
    found: dict[str, list[dict[str, float]]] = {}
    failures: dict[str, str] = {}
    with Server() as server:
        for _ in range(given.rounds + 1):  # the first round fills the file cache, and is dropped
            for contestant in chosen:
                settings = json.dumps(asdict(Settings(server.endpoint, variant=contestant.variant)))
                try:
                    command = [str(contestant.interpreter()), "-P", str(HERE / "probe.py"), str(contestant.script)]
                    answer = run([*command, "--settings", settings])
                except (environments.InstallationError, subprocess.CalledProcessError) as error:
                    text = getattr(error, "stderr", None) or str(error)
                    failures[contestant.name] = text.strip().splitlines()[-1]
                    continue
                found.setdefault(contestant.name, []).append(json.loads(answer))
    medians = {
        name: {key: round(statistics.median(one[key] for one in answers[1:]), 1) for key in answers[0]}
        for name, answers in found.items()
    }
    ours = next((one for one in chosen if one.requirements == "mizzle" and one.name in medians), None)
    outcome = {
        "measured_at": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "rounds": given.rounds,
        "import_alone": bare_import(ours, given.rounds) if ours else None,
        "clients": medians,
        "failures": failures,
    }
    given.output.write_text(json.dumps(outcome, indent=1) + "\n")
    for name, figures in medians.items():
        print(f"{name:34}" + "  ".join(f"{key} {value:8.1f}" for key, value in figures.items()))
    print(outcome["import_alone"], failures or "")
    ranked = sorted(medians, key=lambda name: medians[name]["to_first_answer_ms"])
    bars = tuple(Bar(name, medians[name]["to_first_answer_ms"], "ours" if "mizzle" in name else "") for name in ranked)
    note = "import, open and first GetItem in a fresh process, ms; less is better"
    draw([Panel("Time to the first answer", note, bars)], given.output.with_name("chart.svg"))


if __name__ == "__main__":
    main()
