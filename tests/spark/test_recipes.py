"""The guide's recipe for Dask, run as the program that a reader would make of it."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import mizzle_async
from mizzle_async import Attribute, Client, PartitionKey, SortKey, attribute, entity
from mizzle_async.testing import EmbeddedEngine

PAGE = (Path(mizzle_async.__file__).parent / "guide" / "beyond.md").read_text(encoding="utf-8")
RECIPE = re.compile(r"^```py\n# readings_dask\.py\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@entity("readings")
class Reading:
    sensor: PartitionKey[str]
    second: SortKey[int]
    celsius: Attribute[float] = attribute(default=0.0)


def test_dask_reads_every_part(tmp_path: Path) -> None:
    """A data frame of sixteen parts, summed by two processes."""
    recipe = RECIPE.search(PAGE)
    assert recipe is not None
    (tmp_path / "readings_dask.py").write_text(recipe["code"])
    with EmbeddedEngine().start() as engine:

        async def fill() -> None:
            async with Client(
                endpoint_url=engine.endpoint_url, region_name=engine.region_name, credentials=engine.credentials
            ) as client:
                await client.ensure_tables(Reading)
                rows = (Reading(sensor=f"s{n % 7}", second=n, celsius=0.5) for n in range(1000))
                await client.table(Reading).put_many(rows)

        asyncio.run(fill())
        run = subprocess.run(
            [sys.executable, "readings_dask.py"],
            cwd=tmp_path,
            env=os.environ | engine.environment,
            capture_output=True,
            check=False,
            timeout=120,
        )
    assert (run.returncode, run.stdout) == (0, b"500.0\n"), run.stderr[-2000:].decode()
