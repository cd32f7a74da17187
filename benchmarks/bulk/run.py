"""Measure a bulk load: items a second, and CPU for an item, with one core's worth of client. See README.md beside it.

Run: ``python benchmarks/bulk/run.py``.
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

from calls.contestants import CONTESTANTS
from harness import environments
from harness.chart import Bar, Panel, draw
from harness.measure import Settings
from harness.processes import Client, Server

LOADERS = {
    "mizzle_async, put_many()": ("mizzle_client", "mizzle", 100_000),
    "dynamoxy, batch_put()": ("dynamoxy_client", "dynamoxy", 20_000),
    "aiodynamo, 8 lanes": ("aiodynamo_client", "aiodynamo", 20_000),
    "aioboto3, batch_writer()": ("aioboto3_client", "aioboto3", 5_000),
}


def main() -> None:
    """Run every loader in turns, and write it down."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", nargs="+", metavar="WORD", help="loaders whose name contains one of these words")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--share", type=float, default=1.0, help="load only this share of the items")
    options.add_argument("--output", type=Path, default=HERE / "results.json")
    given = options.parse_args()
    chosen = {name: how for name, how in LOADERS.items() if not given.only or any(word in name for word in given.only)}
    failures: dict[str, Any] = {}
    found: dict[str, list[dict[str, float]]] = {}
    with ExitStack() as stack:
        server = stack.enter_context(Server())
        clients: dict[str, Client] = {}
        for name, (script, requirements, _) in chosen.items():
            contestant = next(one for one in CONTESTANTS if one.requirements == requirements)
            try:
                python = contestant.interpreter()
            except environments.InstallationError as error:
                failures[name] = str(error)
                continue
            settings = Settings(server.endpoint)
            path = HERE / "clients" / f"{script}.py"
            client = stack.enter_context(Client(python, path, settings, probe=HERE / "probe.py"))
            if client.failures:
                failures[name] = client.failures
            else:
                clients[name] = client
        for _ in range(given.rounds):
            for name, client in clients.items():
                found.setdefault(name, []).append(client.order({"count": round(chosen[name][2] * given.share)}))
        million = {
            name: client.order({"count": round(1_000_000 * given.share)})
            for name, client in clients.items()
            if "mizzle" in name
        }
    medians = {
        name: {key: round(statistics.median(one[key] for one in answers), 2) for key in answers[0]}
        for name, answers in found.items()
    }
    outcome = {
        "measured_at": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "rounds": given.rounds,
        "loaders": medians,
        "one_million_items": million,
        "failures": failures,
    }
    given.output.write_text(json.dumps(outcome, indent=1) + "\n")
    for name, figures in medians.items():
        print(f"{name:30}" + "  ".join(f"{key} {value:10.1f}" for key, value in figures.items()))
    if failures:
        print(failures)
    bars = tuple(
        Bar(name, figures["items_per_second"], "ours" if "mizzle" in name else "") for name, figures in medians.items()
    )
    draw([Panel("Bulk load", "items a second, more is better", bars)], given.output.with_name("chart.svg"))


if __name__ == "__main__":
    main()
