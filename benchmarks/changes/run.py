"""Measure what a consumer of changes costs. See README.md beside it.

Run: ``python benchmarks/changes/run.py``.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]  # the folder is no installed package

from harness import environments
from harness.chart import Bar, Panel, draw
from records import page

LIMITS = {
    "async for ÷ orjson and bare decode": 2.0,
    "for_each ÷ orjson and bare decode": 4.0,
    "decode ÷ boto3's": 0.3,
    "memory at the end ÷ at a twentieth": 1.2,
    "share of a core of 200 idle shards": 0.05,
}


def run(*arguments: str) -> Any:
    """Run one of the probes with our own interpreter, and return what it prints."""
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def boto3_us(rounds: int) -> float | None:
    """Return boto3's CPU microseconds for both images of a record, or None where it cannot be installed."""
    try:
        python = environments.interpreter(HERE / "boto3.txt")
    except environments.InstallationError as error:
        print(f"boto3 is not measured: {error}", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "page.json"
        body.write_bytes(page(0, None))
        command = [str(python), str(HERE / "boto3_probe.py"), str(body), str(rounds)]
        return float(json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))


def idle(seconds: float) -> dict[str, float]:
    """Return the share of a core that a consumer of 200 idle shards takes, and its requests a second."""
    command = [sys.executable, str(HERE / "idle_server.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        url = "" if server.stdout is None else server.stdout.readline().strip()
        found: dict[str, float] = run(str(HERE / "idle_probe.py"), url, str(seconds))
        server.communicate("")
    return found


def main() -> None:
    """Run the probes, and write down what they found."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--pages", type=int, default=20, help="pages of 1,000 records of one round")
    options.add_argument("--records", type=int, default=1_000_000, help="records of the run that looks at memory")
    options.add_argument("--seconds", type=float, default=20.0, help="seconds of the idle figure")
    options.add_argument("--output", type=Path, default=HERE / "results.json")
    given = options.parse_args()
    order = {"rounds": given.rounds, "pages": given.pages, "records": given.records}
    found: dict[str, Any] = run(str(HERE / "probe.py"), json.dumps(order))
    boto3 = found["boto3_us_per_record"] = boto3_us(given.rounds)
    found["idle"] = idle(given.seconds)
    cpu = found["cpu_us_per_record"]
    bare, parsing = cpu["orjson and bare decode"], cpu["orjson alone"]
    memory = list(found.get("resident_bytes_at", {}).values())
    ratios = {
        "async for ÷ orjson and bare decode": cpu["async for"] / bare,
        "for_each ÷ orjson and bare decode": cpu["for_each"] / bare,
        "decode ÷ boto3's": None if boto3 is None else (bare - parsing) / boto3,
        "memory at the end ÷ at a twentieth": memory[-1] / memory[0] if memory else None,
        "share of a core of 200 idle shards": found["idle"]["share_of_a_core"],
    }
    found["ratios"] = {name: None if ratio is None else round(ratio, 3) for name, ratio in ratios.items()}
    outcome = {"measured_at": time.strftime("%Y-%m-%d", time.gmtime()), "python": platform.python_version(), **found}
    given.output.write_text(json.dumps(outcome, indent=1, ensure_ascii=False) + "\n")
    for name, ratio in ratios.items():
        verdict = "not measured" if ratio is None else f"{ratio:.3f}, at most {LIMITS[name]}"
        print(f"{name}: {verdict}{'' if ratio is None or ratio <= LIMITS[name] else '  TOO MUCH'}")
    bars = tuple(Bar(name, us, "ours" if "for" in name else "floor") for name, us in cpu.items())
    draw([Panel("One record with two images of ten attributes", "CPU, µs", bars)], given.output.with_name("chart.svg"))


if __name__ == "__main__":
    main()
