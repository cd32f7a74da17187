"""The command line, as a user has it: a folder to work in, an engine in the environment, tables of one's own."""

import itertools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import define
from click.testing import CliRunner, Result

from mizzle_async import Client
from mizzle_async.cli.commands import command_line
from mizzle_async.testing import Engine

_numbers = itertools.count(1)

MODEL = """
from decimal import Decimal
from mizzle_async import Attribute, GlobalSecondaryIndex, LocalSecondaryIndex, PartitionKey, SortKey, attribute, entity

@entity("{table}")
class Airport:
    country: PartitionKey[str]
    icao: SortKey[str]
    name: Attribute[str]
    city: Attribute[str | None] = attribute(default=None, name="town")
    subd: Attribute[str | None] = attribute(default=None)
    iata: Attribute[str | None] = attribute(default=None)
    elevation: Attribute[Decimal]
    lat: Attribute[Decimal]
    lon: Attribute[Decimal]
    tz: Attribute[str]
    lid: Attribute[str | None] = attribute(default=None)
    tags: Attribute[set[str]] = attribute(factory=set)

BY_IATA = GlobalSecondaryIndex("by-iata", partition_key=Airport.iata)
BY_ZONE = GlobalSecondaryIndex("by-zone", partition_key=Airport.tz, sort_key=Airport.elevation)
"""


@define
class Shell:
    """A shell in a folder, with the engine in its environment."""

    engine: Engine
    folder: Path
    model: str

    @property
    def environment(self) -> dict[str, str]:
        """What processes are started with."""
        return {**os.environ, **self.engine.environment, "COLUMNS": "200"}

    def __call__(self, *arguments: str, input: str | bytes | None = None) -> Result:  # noqa: A002 - click's word
        """Run a command in this process."""
        result = CliRunner().invoke(command_line, arguments, input=input, env=self.engine.environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def rows(self, *arguments: str) -> list[Any]:
        """Run a command that must end well, and return the lines of JSON that it prints."""
        result = self(*arguments)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    def write(self, name: str, *lines: Any) -> str:
        """Write a file of lines, each a text or what becomes JSON; return its name."""
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        (self.folder / name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        return name

    def read(self, name: str) -> list[Any]:
        """Return the JSON of a file's lines."""
        return [json.loads(line) for line in (self.folder / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def shell(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell in an empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return Shell(engine, tmp_path, "")


@pytest.fixture
def new_table(engine: Engine) -> Callable[..., str]:
    """Make a table; returns its name."""

    def make(key: str = "id:S", *, indexes: tuple[dict[str, Any], ...] = (), types: str = "") -> str:
        name = f"cli-{next(_numbers)}"
        pairs = [part.split(":") for part in key.split()]
        schema = [
            {"AttributeName": each[0], "KeyType": kind} for each, kind in zip(pairs, ("HASH", "RANGE"), strict=False)
        ]
        attributes = dict([*pairs, *(part.split(":") for part in types.split())])
        parameters: dict[str, Any] = {
            "TableName": name,
            "KeySchema": schema,
            "AttributeDefinitions": [
                {"AttributeName": each, "AttributeType": code} for each, code in attributes.items()
            ],
            "BillingMode": "PAY_PER_REQUEST",
        }
        for member in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
            found = [index["index"] for index in indexes if index["member"] == member]
            if found:
                parameters[member] = found
        anyio.run(_create, engine, parameters)
        return name

    return make


async def _create(engine: Engine, parameters: dict[str, Any]) -> None:
    async with Client(
        endpoint_url=engine.endpoint_url, region_name=engine.region_name, credentials=engine.credentials
    ) as client:
        await client.control("CreateTable", parameters)


@pytest.fixture
def airports(shell: Shell, engine: Engine) -> str:
    """A table of airports with indexes and a model in the folder; returns the name of the model."""
    number = next(_numbers)
    module = f"airports_{number}"
    (shell.folder / f"{module}.py").write_text(MODEL.format(table=f"airports-{number}"), encoding="utf-8")
    shell.model = f"{module}:Airport"
    sys.path.insert(0, str(shell.folder))
    model = __import__(module).Airport

    async def create() -> None:
        async with Client(
            endpoint_url=engine.endpoint_url, region_name=engine.region_name, credentials=engine.credentials
        ) as client:
            await client.ensure_tables(model)

    anyio.run(create)
    return f"airports-{number}"
