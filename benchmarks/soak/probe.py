"""The client of the soak: two hundred callers, every kind of call, one in twenty cancelled, and a count of each end.

Run by ``run.py``: ``python probe.py ORDER``, an order of JSON with ``url``, ``loop``, ``seconds``, ``callers``,
``cancelled`` and ``seed``. It prints what each call came to as one line of JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
import traceback
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from zlib import compress

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    ItemExistsError,
    MarshallingError,
    MizzleError,
    ModelError,
    Outcome,
    OutcomeUnknownError,
    PartitionKey,
    ServiceError,
    SortKey,
    TransportError,
    attribute,
    entity,
)

DONE, NOT_APPLIED, UNKNOWN = 1, 2, 3
CANCEL_WITHIN_SECONDS = 0.02
SAMPLE_SECONDS = 5.0
FIRST_SERVER_ERROR = 500
MISTAKES = (ExpressionError, MarshallingError, ModelError)
"""Errors of the library's own that would be mistakes of this script."""


@entity("soak")
class Entry:
    """An item whose value can be counted up."""

    pk: PartitionKey[str]
    sk: SortKey[str]
    value: Attribute[int] = attribute(default=0)


class Ends:
    """How the numbered writes of one kind ended: one byte for each, so that the record does not grow the process."""

    def __init__(self) -> None:
        self.codes = bytearray()

    def begin(self) -> int:
        """Return the next number; until it is known better, its write is in doubt."""
        self.codes.append(UNKNOWN)
        return len(self.codes) - 1

    def count(self, code: int) -> int:
        """Return how many ended so."""
        return self.codes.count(code)


class Soak:
    """The callers, and what became of their calls."""

    def __init__(self, client: Client, order: dict[str, Any]) -> None:
        self.client = client
        self.table = client.table(Entry)
        self.random = random.Random(order["seed"])
        self.share_cancelled = order["cancelled"]
        self.calls: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.violations: list[str] = []
        self.inserts, self.puts, self.increments, self.exactly_once = Ends(), Ends(), Ends(), Ends()
        self.samples: list[tuple[int, int, int]] = []
        self.verbs: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self.get, 40),
            (self.query, 10),
            (self.get_many, 4),
            (self.put, 14),
            (self.put_many, 2),
            (self.insert, 14),
            (self.increment, 10),
            (self.increment_once, 6),
        ]

    # ── the calls ──

    async def get(self) -> None:
        """Read an item: it must be the one that was asked for."""
        name = f"g{self.random.randrange(10**9)}"
        found = await self.table.get(pk=name, sk="0")
        if found is None or (found.pk, found.sk) != (name, "0"):
            self.violations.append(f"get({name}) returned {found!r}")

    async def query(self) -> None:
        """Read a partition: all three items must be of it."""
        name = f"q{self.random.randrange(10**9)}"
        found = await self.table.query(Entry.pk == name).all()
        if [(entry.pk, entry.sk) for entry in found] != [(name, str(number)) for number in range(3)]:
            self.violations.append(f"query({name}) returned {found!r}")

    async def get_many(self) -> None:
        """Read five items: each in its place."""
        names = [f"m{self.random.randrange(10**9)}" for _ in range(5)]
        found = await self.table.get_many([self.table.key(pk=name, sk="0") for name in names])
        if [entry and entry.pk for entry in found] != names:
            self.violations.append(f"get_many({names}) returned {found!r}")

    async def put(self) -> None:
        """Write a new item, whole."""
        number = self.puts.begin()
        await self.ended(self.puts, number, self.table.put(Entry(pk=f"p{number}", sk="0", value=number)))

    async def put_many(self) -> None:
        """Write five new items at once; the outcome of each is told by its report."""
        numbers = [self.puts.begin() for _ in range(5)]
        report = await self.table.put_many([Entry(pk=f"p{number}", sk="0") for number in numbers])
        if report.written == len(numbers):
            for number in numbers:
                self.puts.codes[number] = DONE

    async def insert(self) -> None:
        """Insert an item under a key that is used once: being refused would be wrong."""
        number = self.inserts.begin()
        try:
            await self.ended(self.inserts, number, self.table.insert(Entry(pk=f"i{number}", sk="0")))
        except ItemExistsError as error:
            self.violations.append(f"insert(i{number}) was refused: {error}")

    async def increment(self) -> None:
        """Count up by an update, which is never sent twice once it may have arrived."""
        number = self.increments.begin()
        await self.ended(self.increments, number, self.table.update(pk="counter", sk="0").add(Entry.value, 1))

    async def increment_once(self) -> None:
        """Count up by a transaction of one, which may be sent again with its token."""
        number = self.exactly_once.begin()
        update = self.table.update(pk="counter", sk="1").add(Entry.value, 1)
        await self.ended(self.exactly_once, number, update.exactly_once())

    async def ended(self, ends: Ends, number: int, write: Awaitable[Any]) -> None:
        """Await a write, and note how it ended; a cancelled one stays in doubt."""
        try:
            await write
        except MizzleError as error:
            ends.codes[number] = UNKNOWN if may_have_applied(error) else NOT_APPLIED
            raise
        ends.codes[number] = DONE

    # ── the callers ──

    async def run(self, seconds: float, callers: int) -> None:
        """Call until the time is up."""
        ends = asyncio.get_running_loop().time() + seconds
        sampler = asyncio.create_task(self.sample())
        await asyncio.gather(*(self.caller(ends) for _ in range(callers)))
        sampler.cancel()
        await asyncio.gather(sampler, return_exceptions=True)

    async def caller(self, ends: float) -> None:
        """Make one call after another."""
        loop = asyncio.get_running_loop()
        verbs, weights = zip(*self.verbs, strict=True)
        while loop.time() < ends:
            (verb,) = self.random.choices(verbs, weights)
            task = asyncio.ensure_future(verb())
            if self.random.random() < self.share_cancelled:
                loop.call_later(self.random.random() * CANCEL_WITHIN_SECONDS, task.cancel)
            await asyncio.wait([task])
            self.tell(verb.__name__, task)

    def tell(self, name: str, task: asyncio.Future[None]) -> None:
        """Count how a call ended; an error that is not the library's own is a violation."""
        self.calls[name] += 1
        if task.cancelled():
            self.errors["cancelled"] += 1
            return
        error = task.exception()
        if isinstance(error, MizzleError) and not isinstance(error, MISTAKES):
            self.errors[f"{name}: {type(error).__name__}"] += 1
        elif error is not None:
            self.violations.append("".join(traceback.format_exception(error)))

    async def sample(self) -> None:
        """Note memory, open sockets and tasks, now and again."""
        while True:
            self.samples.append((resident_megabytes(), open_sockets(), len(asyncio.all_tasks())))
            await asyncio.sleep(SAMPLE_SECONDS)


def may_have_applied(error: MizzleError) -> bool:
    """Return whether a write that ended so may have been applied."""
    if isinstance(error, OutcomeUnknownError):
        return True
    if isinstance(error, TransportError):
        return error.outcome is not Outcome.NOT_SENT
    return isinstance(error, ServiceError) and (error.ambiguous or error.status >= FIRST_SERVER_ERROR)


def resident_megabytes() -> int:
    """Return the memory that the process holds, where the system tells."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * 4096 // 2**20 if status.exists() else 0


def open_sockets() -> int:
    """Return how many sockets the process has open, where the system tells."""
    folder = Path("/proc/self/fd")
    return sum("socket:" in link for link in map(target_of, folder.iterdir())) if folder.exists() else 0


def target_of(link: Path) -> str:
    """Return the target of a link; the one that reads the folder is gone by then."""
    try:
        return str(link.readlink())
    except OSError:
        return ""


async def main(order: dict[str, Any]) -> dict[str, Any]:
    """Run the soak; return its counts."""
    before = open_sockets()
    async with Client(endpoint_url=order["url"], region_name="eu-west-1", credentials=("AKID", "secret")) as client:
        soak = Soak(client, order)
        await soak.run(order["seconds"], order["callers"])
        gc.collect()
        statistics = client.statistics()
        tasks = len(asyncio.all_tasks()) - 1
    pool = statistics.pool
    return {
        "calls": dict(sorted(soak.calls.items())),
        "errors": dict(sorted(soak.errors.items())),
        "requests": statistics.requests,
        "retries": statistics.retries,
        "silent": sum(host.silent for host in pool.hosts),
        "places_lost": pool.in_use + pool.waiting + pool.opening,
        "tasks_left": tasks,
        "sockets_left": open_sockets() - before,
        "samples": soak.samples,
        "violations": soak.violations[:20],
        "violation_count": len(soak.violations),
        "writes": {
            name: b64encode(compress(bytes(ends.codes))).decode()
            for name, ends in vars(soak).items()
            if isinstance(ends, Ends)
        },
    }


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    if given["loop"] == "uvloop":
        import uvloop

        counts = uvloop.run(main(given))
    else:
        counts = asyncio.run(main(given))
    print(json.dumps(counts), flush=True)
