"""``mizzle-async demo``: load and query real data on the embedded engine.

It loads every airport of the PyPI package ``airportsdata`` into a table with two indexes and reads them back through
typed queries. It shows each request beside the code. It needs the extra ``demo``, and contacts 127.0.0.1 only.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any, Final

import airportsdata
import anyio
import click
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax
from rich.table import Table as Grid

from mizzle_async import (
    Attribute,
    Client,
    GlobalSecondaryIndex,
    PartitionKey,
    SortKey,
    Table,
    attribute,
    entity,
)
from mizzle_async.testing import EmbeddedEngine

ONE_ENTRY: Final = re.compile(r"\{\n\s+(\"\w+\": [^\n{\[]+)\n\s+\}")
NEXT: Final = (
    "[bold]Next[/bold]: `mizzle-async local` runs this engine for you to try things on, `mizzle-async guide models`"
    " shows how to declare your own items, and `mizzle-async guide shell` how to load and query tables without a"
    " program."
)


@entity("airports")
class Airport:
    """An airport. The airports of a country share a partition, in the order of their ICAO codes."""

    country: PartitionKey[str]
    icao: SortKey[str]
    name: Attribute[str]
    city: Attribute[str | None] = attribute(default=None)
    subdivision: Attribute[str | None] = attribute(default=None)
    iata: Attribute[str | None] = attribute(default=None)
    elevation_feet: Attribute[float]
    latitude: Attribute[float]
    longitude: Attribute[float]
    timezone: Attribute[str]
    visits: Attribute[int] = attribute(default=0)


BY_IATA = GlobalSecondaryIndex("by-iata", partition_key=Airport.iata)
BY_ELEVATION = GlobalSecondaryIndex("by-elevation", partition_key=Airport.timezone, sort_key=Airport.elevation_feet)


def airports() -> list[Airport]:
    """Return every airport of the package. Empty texts are left out, which keeps ``by-iata`` sparse."""
    return [
        Airport(
            country=row["country"],
            icao=row["icao"],
            name=row["name"],
            city=row["city"] or None,
            subdivision=row["subd"] or None,
            iata=row["iata"] or None,
            elevation_feet=row["elevation"],
            latitude=row["lat"],
            longitude=row["lon"],
            timezone=row["tz"],
        )
        for row in airportsdata.load("ICAO").values()
    ]


@click.command(short_help="Show the whole tour, on an engine of its own.")
def demo() -> None:
    """Load every airport of the world into the embedded engine and query it."""
    console = Console()
    console.print("[bold]mizzle_async[/bold] · starting the embedded engine (the first run installs it) …")
    with EmbeddedEngine() as engine:
        anyio.run(run, console, engine.endpoint_url)


async def run(console: Console, endpoint_url: str) -> None:
    """Run every step against the engine at ``endpoint_url``."""
    summary = Grid("step", "result", "seconds", title="What was done")
    clock = _Stopwatch(summary)
    async with Client(endpoint_url=endpoint_url, region_name="eu-central-1", credentials=("demo", "demo")) as client:
        table = client.table(Airport)
        await client.ensure_tables(Airport)
        clock.lap("create the table", "1 table, 2 indexes")

        written = await _load(console, table)
        clock.lap("load", f"{written:,} airports")

        frankfurt = await table.get_one(country="DE", icao="EDDF")
        clock.lap("read one", f"{frankfurt.name}, {frankfurt.elevation_feet:.0f} ft")

        german = [airport async for airport in table.query(Airport.country == "DE", page_size=100)]
        clock.lap("page through a country", f"{len(german)} airports in DE")

        high = table.query(
            BY_ELEVATION.partition_key == "Europe/Zurich", BY_ELEVATION.sort_key.between(3000, 9000), reverse=True
        )
        highest = await high.all()
        clock.lap("query an index by range", f"{len(highest)} above 3,000 ft near Zurich, first {highest[0].name}")

        visit = table.update(frankfurt).add(Airport.visits, 1).when(Airport.iata == "FRA")
        _show(console, "what `update(…).add(…).when(…)` sends", visit.to_wire())
        visited = await visit
        clock.lap("update with a condition", f"visits {frankfurt.visits} → {visited.visits}")

        by_iata = await table.query(BY_IATA.partition_key == "LHR").one()
        clock.lap("find by IATA code", by_iata.name)
    console.print(summary)
    console.print(NEXT, highlight=False)


async def _load(console: Console, table: Table[Airport]) -> int:
    items = airports()
    columns = (TextColumn("loading"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("loading", total=len(items))
        report = await table.put_many(
            items, concurrency=8, progress=lambda report: progress.update(task, completed=report.written)
        )
    return report.written


def _show(console: Console, title: str, wire: dict[str, Any]) -> None:
    # A stored value is a map of one entry: on three lines each, they would hide the request.
    text = ONE_ENTRY.sub(r"{\1}", json.dumps(wire, indent=2))
    console.print(Panel(Syntax(text, "json", background_color="default"), title=title))


class _Stopwatch:
    """The summary: one row per step, with its seconds."""

    def __init__(self, summary: Grid) -> None:
        self._summary = summary
        self._last = time.perf_counter()

    def lap(self, step: str, result: str) -> None:
        now = time.perf_counter()
        self._summary.add_row(step, result, f"{now - self._last:.2f}")
        self._last = now
