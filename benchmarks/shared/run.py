"""Measure what it costs that entities share a table. See README.md beside it.

Run: ``python benchmarks/shared/run.py`` in an environment with this package; needs valgrind.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]  # the folder is no installed package

from harness import counting
from probe import LONGER, VERBS, WAYS
from shop import compact

LIMITS = {"query": 1.15, "put": 1.2}
"""The ratios to a plain entity with items of as many bytes."""

IMPORT_LIMIT_MS = 150.0


def counts() -> dict[str, dict[str, int]]:
    """Return the instructions of a call of each verb, in each way."""
    more = counting.counted(str(HERE / "probe.py"))
    return {
        verb: {way: round(more[f"{verb}|{way}"] / times / (LONGER - 1)) for way in WAYS}
        for verb, times in VERBS.items()
    }


def imports(rounds: int) -> dict[str, float]:
    """Return the CPU milliseconds of 60 entities in a fresh process: medians of rounds, in turns."""
    samples: dict[str, list[float]] = {"plain": [], "shared": []}
    for _ in range(rounds):
        for way, values in samples.items():
            command = [sys.executable, str(HERE / "modules.py"), way]
            values.append(float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))
    return {way: round(median(values), 1) for way, values in samples.items()}


def main() -> None:
    """Count and measure, and write down the result."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=9, help="rounds of the import")
    options.add_argument("--output", type=Path, default=HERE / "results.json")
    arguments = options.parse_args()
    result: dict[str, Any] = {
        "measured_at": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "bytes of an item": {way: len(compact(item(0))) for way, (_, item) in WAYS.items()},
        "instructions of a call": counts(),
    }
    ratios: dict[str, dict[str, float]] = {}
    for verb, count in result["instructions of a call"].items():
        ratios[verb] = {f"÷ {way}": round(count["shared"] / count[way], 3) for way in WAYS if way != "shared"}
    result["ratios"] = ratios
    loaded = result["milliseconds of 60 entities"] = imports(arguments.rounds)
    more = round(loaded["shared"] - loaded["plain"], 1)
    result["milliseconds more"] = more
    arguments.output.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    for verb, ratio in ratios.items():
        limit = LIMITS.get(verb)
        alike = ratio["÷ plain, as many bytes"]
        verdict = "" if limit is None else f", at most {limit}{'  TOO MUCH' if alike > limit else ''}"
        print(f"{verb}: {ratio['÷ plain']:.3f} of a plain entity, {alike:.3f} of one with as many bytes{verdict}")
    verdict = "  TOO MUCH" if more > IMPORT_LIMIT_MS else ""
    print(f"import of 60 entities: {more} ms more, at most {IMPORT_LIMIT_MS:g}{verdict}")


if __name__ == "__main__":
    main()
