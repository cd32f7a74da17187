"""Draw what a load and the heat of its keys look like on a terminal. See README.md beside it.

Run: ``python benchmarks/bulk/pictures.py``, where the package is installed with its extra ``cli``.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import pty
import random
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

import anyio
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from mizzle_async import Attribute, Client, PartitionKey, SortKey, entity
from mizzle_async.testing import EmbeddedEngine, Engine

HERE = Path(__file__).resolve().parent
COLUMNS = 120


@entity("events")
class Event:
    """What is loaded: most events are of a few tenants."""

    tenant: PartitionKey[str]
    number: SortKey[int]
    kind: Attribute[str]
    note: Attribute[str]


def main() -> None:
    """Load a skewed file into an engine on this machine, in a terminal, and draw what it shows."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--items", type=int, default=20_000)
    options.add_argument("--output", type=Path, default=HERE)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name, EmbeddedEngine() as engine:
        folder = Path(name)
        write_events(folder / "events.jsonl", given.items)
        environment = os.environ | engine.environment | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        anyio.run(create_table, engine)
        for picture, command, enough in (
            ("progress", "load", re.compile(rb" (?:5[5-9]|6[0-9])%")),
            ("heat", "heat", re.compile(rb"(?!)")),
        ):
            arguments = (command, "events.jsonl", "--table", "events")
            draw(given.output / f"{picture}.svg", arguments, shown(folder, environment, arguments, enough))


async def create_table(engine: Engine) -> None:
    """Make the table."""
    async with Client(
        endpoint_url=engine.endpoint_url, region_name=engine.region_name, credentials=engine.credentials
    ) as client:
        await client.ensure_tables(Event)


def write_events(path: Path, count: int) -> None:
    """Write events of tenants of which a few have most, the same each time."""
    chance = random.Random(7)
    with path.open("w") as file:
        for number in range(count):
            tenant = f"tenant-{min(int(chance.paretovariate(0.9)), 999):03}"
            file.write(json.dumps({"tenant": tenant, "number": number, "kind": "click", "note": "x" * 60}) + "\n")


def shown(folder: Path, environment: dict[str, str], arguments: tuple[str, ...], enough: re.Pattern[bytes]) -> bytes:
    """Run the command in a terminal; return what it wrote, to its end or until a pattern is in it."""
    own, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    command = [sys.executable, "-c", "from mizzle_async.cli import main; main()", *arguments]
    written = b""
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment, cwd=folder) as process:
        os.close(its)
        with contextlib.suppress(OSError):  # Linux: the other end is closed
            while not enough.search(written) and (some := os.read(own, 65_536)):
                written += some
        process.terminate()
        os.close(own)
    return written


def draw(path: Path, arguments: tuple[str, ...], written: bytes) -> None:
    """Draw a terminal with a command and what it shows."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115 - nothing is written
    console.print(Text.assemble(("$ ", "bold green"), " ".join(["mizzle-async", *arguments])))
    for line in written.decode().replace("\r\n", "\n").split("\n"):
        last = re.sub(r"\x1b\[\??\d*[A-KhlJ]", "", line.rsplit("\r", 1)[-1])  # as it was drawn last
        if last:
            console.print(Text.from_ansi(last), no_wrap=True)
    picture = console.export_svg(title="mizzle-async", theme=MONOKAI, unique_id=path.stem)
    # Without fonts from elsewhere: what a page shows must not ask a third party for anything.
    path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL) + "\n")
    print(path)


if __name__ == "__main__":
    main()
