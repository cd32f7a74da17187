"""The recipes of the guide, each run as the program that a reader would make of it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import mizzle_async
from mizzle_async import Attribute, Client, PartitionKey, SortKey, attribute, entity
from mizzle_async.testing import EmbeddedEngine

PAGE = (Path(mizzle_async.__file__).parent / "guide" / "beyond.md").read_text(encoding="utf-8")
RECIPE = re.compile(r"^```py\n# (?P<name>\w+\.py)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@entity("readings")
class Reading:
    sensor: PartitionKey[str]
    second: SortKey[int]
    celsius: Attribute[float] = attribute(default=0.0)


async def test_a_pool_of_processes_reads_every_part(tmp_path: Path):
    """The recipe sums over all items, in two spawned processes."""
    recipes = {match["name"]: match["code"] for match in RECIPE.finditer(PAGE)}
    (tmp_path / "readings_pool.py").write_text(recipes["readings_pool.py"])
    async with EmbeddedEngine() as engine:
        async with Client(
            endpoint_url=engine.endpoint_url, region_name=engine.region_name, credentials=engine.credentials
        ) as client:
            await client.ensure_tables(Reading)
            rows = (Reading(sensor=f"s{n % 7}", second=n, celsius=0.5) for n in range(1000))
            await client.table(Reading).put_many(rows)
        run = subprocess.run(  # noqa: ASYNC221  (nothing else runs on this loop)
            [sys.executable, "readings_pool.py"],
            cwd=tmp_path,
            env=os.environ | engine.environment,
            capture_output=True,
            check=False,
            timeout=120,
        )
    assert (run.returncode, run.stdout) == (0, b"500.0\n"), run.stderr[-2000:].decode()


async def test_workers_share_a_rewrite_and_an_export(tmp_path: Path):
    """The program of the guide's section on workers changes and exports every item."""
    recipes = {match["name"]: match["code"] for match in RECIPE.finditer(PAGE)}
    (tmp_path / "readings_workers.py").write_text(recipes["readings_workers.py"])
    async with EmbeddedEngine() as engine:
        async with Client(
            endpoint_url=engine.endpoint_url, region_name=engine.region_name, credentials=engine.credentials
        ) as client:
            await client.ensure_tables(Reading)
            await client.table(Reading).put_many(Reading(sensor=f"s{n % 7}", second=n, celsius=0.5) for n in range(500))
        run = subprocess.run(  # noqa: ASYNC221  (nothing else runs on this loop)
            [sys.executable, "readings_workers.py"],
            cwd=tmp_path,
            env=os.environ | engine.environment,
            capture_output=True,
            check=False,
            timeout=120,
        )
    assert run.returncode == 0, run.stderr[-2000:].decode()
    assert run.stdout.decode().count("500 written") == 2
    manifest = json.loads((tmp_path / "readings" / "_manifest.json").read_text())
    assert (manifest["items"], manifest["parts"]) == (500, 32)
