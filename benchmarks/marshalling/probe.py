"""One measured process: encodes and decodes what it is told, and reports the CPU time for an item.

Run by ``run.py`` in the codec's environment: ``python probe.py CODEC.py``; orders come as lines of JSON on standard
input, results go out the same way.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folder is no installed package

from harness.measure import load, say

BURST = 500


def fastest_burst(function: Callable[[Any], Any], argument: Any, bursts: int) -> float:
    """Return the CPU microseconds of one call, in the fastest of so many bursts."""
    clock = time.process_time
    calls = range(BURST)
    best = float("inf")
    gc.collect()
    for _ in range(bursts):
        started = clock()
        for _ in calls:
            function(argument)
        best = min(best, clock() - started)
    return best / BURST * 1e6


def main() -> None:
    """Obey orders until standard input closes."""
    try:
        codecs = load(sys.argv[1]).codecs()
        for kinds in codecs.values():
            for codec in kinds.values():
                codec.verify()
    except Exception as error:  # noqa: BLE001  (a codec that fails is reported)
        say({"cases": [], "failure": f"{type(error).__name__}: {error}"[:300]})
        return
    say({"cases": [[variant, kind] for variant, kinds in codecs.items() for kind in kinds]})
    for line in sys.stdin:
        order = json.loads(line)
        codec = codecs[order["variant"]][order["kind"]]
        say(
            {
                "encode_us": fastest_burst(codec.encode, codec.value, order["bursts"]),
                "decode_us": fastest_burst(codec.decode, codec.stored, order["bursts"]),
            }
        )


if __name__ == "__main__":
    main()
