"""Many calls with faults: what is held at the end is what was held near the beginning."""

import asyncio
import gc
import random
from pathlib import Path

from mizzle_async.errors import TransportError
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.pool.pool import ConnectionPool

CONCURRENCY = 32
FAULTS = [
    Reply.close(),
    Reply.reset(),
    Reply.html(503),
    Reply.html(200),
    Reply.throttled(),
    Reply.error("InternalServerError", status=500),
    Reply(checksum="wrong"),
    Reply(trailing=b"garbage"),
    Reply().cut_at(80),
]


def open_files():
    """Count this process' file descriptors, where the system tells."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_a_long_run_with_faults_holds_nothing_back(run, to, scale):
    """Through thousands of calls of which one in a hundred fails, sockets, tasks and objects stay as many."""
    draws = random.Random(11)
    count = int(4000 * scale)

    def answer(request):
        return draws.choice(FAULTS) if draws.random() < 0.01 else Reply({"you": request.body.decode()})

    async def main():
        async with ScriptedServer(answer) as server:
            pool = ConnectionPool(PoolConfig(max_connections=16))
            failures = 0

            async def worker(numbers):
                nonlocal failures
                for number in numbers:
                    try:
                        reply = await pool.exchange(to(server, b"%d" % number))
                    except TransportError:
                        failures += 1
                    else:
                        assert reply.status != 200 or reply.payload in ({"you": str(number)}, {})

            async def measure(part):
                numbers = iter(range(part))
                await asyncio.gather(*(worker(numbers) for _ in range(CONCURRENCY)))
                server.forget()
                gc.collect()
                return open_files(), len(asyncio.all_tasks()), len(gc.get_objects()), pool.statistics().open

            files, tasks, objects, connections = await measure(count // 4)
            end = await measure(count - count // 4)
            await pool.aclose()
            assert connections <= 16
            assert end[3] <= 16
            assert end[0] <= files + 16 * 2
            assert end[1] == tasks == 1
            assert end[2] < objects + 2000
            return failures

    assert run(main()) > 0
