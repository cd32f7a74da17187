"""One fresh process: import a client, open it, make its first call, and open a second one. Prints one line of JSON.

Run by ``run.py`` in the client's own environment: ``python probe.py CLIENT.py --settings JSON``. Times are wall-clock
milliseconds; ``blocked`` is the longest time for which the event loop could not run while the client opened. CPU and
memory are the whole process's from its beginning to its first answer, Python's own start included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folder is no installed package

from harness.measure import Settings, load

TICK = 0.0005
KIB_PER_MB = 1024


class Watch:
    """Asks the loop for its attention twice a millisecond, and notes the longest wait."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._loop = asyncio.get_running_loop()
        self._last = time.perf_counter()
        self._timer = self._loop.call_later(TICK, self._tick)

    def _tick(self) -> None:
        now = time.perf_counter()
        self.longest = max(self.longest, now - self._last - TICK)
        self._last = now
        self._timer = self._loop.call_later(TICK, self._tick)

    def stop(self) -> float:
        """Return the longest wait in milliseconds."""
        self._tick()
        self._timer.cancel()
        return self.longest * 1e3


async def probe(client: ModuleType, settings: Settings, imported: float) -> dict[str, float]:
    """Open twice, and call once."""
    clock = time.perf_counter
    threads = getattr(client, "THREADS", False)
    await asyncio.sleep(0)
    watch = Watch()
    started = clock()
    async with client.connect(settings) as operations:
        opened = clock()
        result = operations["get_item"]()
        if not threads:
            await result
        answered = clock()
        used = resource.getrusage(resource.RUSAGE_SELF)
        blocked = watch.stop()
        async with client.connect(settings):
            again = clock()
    return {
        "import_ms": imported * 1e3,
        "open_ms": (opened - started) * 1e3,
        "first_call_ms": (answered - opened) * 1e3,
        "to_first_answer_ms": (imported + answered - started) * 1e3,
        "cpu_ms": (used.ru_utime + used.ru_stime) * 1e3,
        "memory_mb": used.ru_maxrss / KIB_PER_MB,
        "blocked_ms": blocked,
        "second_open_ms": (again - answered) * 1e3,
    }


def main() -> None:
    """Time the import first: nothing that the client needs may be here already."""
    options = argparse.ArgumentParser()
    options.add_argument("client")
    options.add_argument("--settings", required=True)
    given = options.parse_args()
    started = time.perf_counter()
    client = load(given.client)
    imported = time.perf_counter() - started
    print(json.dumps(asyncio.run(probe(client, Settings(**json.loads(given.settings)), imported))))


if __name__ == "__main__":
    main()
