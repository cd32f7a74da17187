"""Definitions of tables as the shell reads and writes them: words, files, and tables that exist."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import anyio
import click
from attrs import frozen

from mizzle_async.cli.formats import COMPRESSIONS, SUFFIXES
from mizzle_async.cli.values import json_bytes
from mizzle_async.errors import DeadlineExceededError, ResourceNotFoundError
from mizzle_async.handles.client import Client
from mizzle_async.marshalling import parse_json
from mizzle_async.operations.missing import check_table_name
from mizzle_async.operations.tables.definition import TableDescription
from mizzle_async.types import Outcome

KEPT: Final = (
    "AttributeDefinitions",
    "KeySchema",
    "LocalSecondaryIndexes",
    "GlobalSecondaryIndexes",
    "BillingMode",
    "ProvisionedThroughput",
    "OnDemandThroughput",
    "StreamSpecification",
    "TableClass",
    "DeletionProtectionEnabled",
)
"""Parameters of CreateTable that describe a table in every account. Encryption keys and tags belong to one."""

INDEX_MEMBERS: Final = ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")
KEY_PART: Final = re.compile(r"(?P<name>.+?)(?::(?P<type>[SNB]))?")
SUFFIX: Final = ".schema.json"
WAIT_SECONDS: Final = 300.0
FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0


@frozen
class Schema:
    """The definition of a table, without its name.

    Attributes:
        parameters: The parameters of CreateTable.
        time_to_live: The attribute of the time to live, or None.
    """

    parameters: Mapping[str, Any]
    time_to_live: str | None = None

    @property
    def key(self) -> str:
        """The key in words."""
        types = {each["AttributeName"]: each["AttributeType"] for each in self.parameters["AttributeDefinitions"]}
        return ", ".join(f"{each['AttributeName']} ({types[each['AttributeName']]})" for each in self._key_schema)

    @property
    def _key_schema(self) -> Sequence[Mapping[str, str]]:
        schema: Sequence[Mapping[str, str]] = self.parameters["KeySchema"]
        return schema

    def as_json(self) -> bytes:
        """Return the definition for a file."""
        return json_bytes({"Table": dict(self.parameters), "TimeToLive": self.time_to_live}, indent=True) + b"\n"

    def difference(self, existing: TableDescription) -> str:
        """Return how the key of a table differs from this one, or nothing."""
        names = [each["AttributeName"] for each in self._key_schema]
        types = {each["AttributeName"]: each["AttributeType"] for each in self.parameters["AttributeDefinitions"]}
        own = [(name, types[name]) for name in names]
        other = [(name, existing.attribute_types[name]) for name, _ in existing.key]
        return "" if own == other else ", ".join(f"{name} ({code})" for name, code in other)


def of_words(
    key: Sequence[str],
    indexes: Sequence[str] = (),
    local_indexes: Sequence[str] = (),
    *,
    units: tuple[int, int] | None = None,
) -> Schema:
    """Return the definition of ``id:S at:N`` and of indexes ``by-name=name:S,at``.

    Raises:
        click.UsageError: If they are none.
    """
    types: dict[str, str] = {}
    if len(key) > 2:  # noqa: PLR2004  (partition key and sort key)
        raise click.UsageError("a key is PARTITION[:TYPE] and SORT[:TYPE]")
    throughput = None if units is None else {"ReadCapacityUnits": units[0], "WriteCapacityUnits": units[1]}
    parameters: dict[str, Any] = {"KeySchema": _key_schema(key, types)}
    for member, texts in zip(INDEX_MEMBERS, (local_indexes, indexes), strict=True):
        made = [_index(text, types, parameters["KeySchema"], is_local=member == INDEX_MEMBERS[0]) for text in texts]
        if throughput is not None and member == INDEX_MEMBERS[1]:
            made = [{**index, "ProvisionedThroughput": throughput} for index in made]
        if made:
            parameters[member] = made
    parameters["AttributeDefinitions"] = [
        {"AttributeName": name, "AttributeType": code} for name, code in types.items()
    ]
    parameters["BillingMode"] = "PAY_PER_REQUEST" if throughput is None else "PROVISIONED"
    if throughput is not None:
        parameters["ProvisionedThroughput"] = throughput
    return Schema(parameters)


def _key_schema(key: Sequence[str], types: dict[str, str]) -> list[dict[str, str]]:
    schema: list[dict[str, str]] = []
    for text, kind in zip(key, ("HASH", "RANGE"), strict=False):
        match = KEY_PART.fullmatch(text)
        if match is None or "=" in text or ":" in match["name"]:
            raise click.UsageError(f"{text!r} is not NAME:TYPE with a type of S, N, B")
        name, code = match["name"], match["type"]
        known = types.setdefault(name, code or "S")
        if code is not None and code != known:
            raise click.UsageError(f"{name!r} is {known} and {code}: an attribute has one type in all keys")
        schema.append({"AttributeName": name, "KeyType": kind})
    return schema


def _index(text: str, types: dict[str, str], key: list[dict[str, str]], *, is_local: bool) -> dict[str, Any]:
    name, sign, words = text.partition("=")
    parts = [part for part in words.split(",") if part]
    limit = 1 if is_local else 2
    if not sign or not name or not 1 <= len(parts) <= limit:
        form = "NAME=SORT:TYPE" if is_local else "NAME=PARTITION:TYPE[,SORT:TYPE]"
        raise click.UsageError(f"{text!r} is not an index: write {form}")
    if re.fullmatch(r"[a-zA-Z0-9_.-]{3,255}", name) is None:
        raise click.UsageError(
            f"{name!r} is not the name of an index: 3 to 255 letters, digits, underscores, hyphens, dots"
        )
    schema = _key_schema([key[0]["AttributeName"], *parts] if is_local else parts, types)
    return {"IndexName": name, "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}


def of_table(description: Mapping[str, Any], time_to_live: str | None = None) -> Schema:
    """Return the definition of a table as DescribeTable, or CreateTable, writes it.

    Raises:
        LookupError: If a part is missing that every table has.
    """
    parameters = {name: description[name] for name in KEPT if description.get(name)}
    mode = description.get("BillingMode") or (description.get("BillingModeSummary") or {}).get("BillingMode")
    throughput = _throughput(description)
    on_demand = mode == "PAY_PER_REQUEST" or throughput is None
    parameters["BillingMode"] = "PAY_PER_REQUEST" if on_demand else "PROVISIONED"
    parameters.pop("ProvisionedThroughput", None)
    if not on_demand:
        parameters["ProvisionedThroughput"] = throughput
    for member in INDEX_MEMBERS:
        if member in parameters:
            parameters[member] = [_kept_index(index, on_demand=on_demand) for index in parameters[member]]
    if "TableClassSummary" in description:
        parameters["TableClass"] = description["TableClassSummary"]["TableClass"]
    for needed in ("KeySchema", "AttributeDefinitions"):
        parameters[needed] = description[needed]
    return Schema(parameters, time_to_live)


def _throughput(description: Mapping[str, Any]) -> dict[str, int] | None:
    units = description.get("ProvisionedThroughput") or {}
    read, write = units.get("ReadCapacityUnits"), units.get("WriteCapacityUnits")
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write} if read and write else None


def _kept_index(index: Mapping[str, Any], *, on_demand: bool) -> dict[str, Any]:
    kept = {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
    throughput = _throughput(index)
    return kept if on_demand or throughput is None else {**kept, "ProvisionedThroughput": throughput}


def is_file(name: str) -> bool:
    """Return whether a name is that of a file, and not of a table."""
    return Path(name).is_file()


def of_file(name: str | Path) -> Schema:
    """Return the definition in a file: of an export, of a backup of dynamodump, or of `aws dynamodb describe-table`.

    Raises:
        click.UsageError: If the file has none.
    """
    try:
        content: Any = parse_json(Path(name).read_bytes())
        table = content.get("Table", content)
        lifetime = content.get("TimeToLive")
        return of_table(table, lifetime if isinstance(lifetime, str) else None)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise click.UsageError(f"{name} does not describe a table, as `export --schema` writes it") from error


async def of_existing(client: Client, name: str) -> Schema:
    """Return the definition of a table that exists.

    Raises:
        ResourceNotFoundError: If there is none.
    """
    await client.describe_table(name)  # its error explains where the table was looked for
    answer = await client.control("DescribeTable", {"TableName": name})
    return of_table(answer["Table"], await time_to_live(client, name))


async def time_to_live(client: Client, name: str) -> str | None:
    """Return the attribute of the time to live of a table, or None."""
    answer = await client.control("DescribeTimeToLive", {"TableName": name})
    described = answer.get("TimeToLiveDescription") or {}
    is_on = described.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
    return described.get("AttributeName") if is_on else None


def schema_file(data: Path) -> Path:
    """Return the name of the definition beside a file of items."""
    while data.suffix.lower() in COMPRESSIONS | set(SUFFIXES):
        data = data.with_suffix("")
    return data.with_name(f"{data.name}{SUFFIX}")


def find_file(data: Path) -> Path | None:
    """Return the definition beside a file or a folder of items, or None."""
    folders = [data, data.parent] if data.is_dir() else [data.parent, data.parent.parent]
    candidates = [schema_file(data), *(folder / "schema.json" for folder in folders)]
    return next((path for path in candidates if path.is_file()), None)


async def create(client: Client, name: str, schema: Schema) -> TableDescription:
    """Create a table, and wait until it can be used.

    Raises:
        ResourceInUseError: If it exists.
        DeadlineExceededError: If it cannot be used yet.
    """
    check_table_name(name, "table")
    await client.control("CreateTable", {"TableName": name, **schema.parameters})
    description = await ready(client, name)
    if schema.time_to_live is not None:
        await set_time_to_live(client, name, schema.time_to_live, enabled=True)
    return description


async def set_time_to_live(client: Client, name: str, attribute: str, *, enabled: bool) -> None:
    """Switch the time to live of a table on or off."""
    specification = {"Enabled": enabled, "AttributeName": attribute}
    await client.control("UpdateTimeToLive", {"TableName": name, "TimeToLiveSpecification": specification})


async def ready(client: Client, name: str) -> TableDescription:
    """Wait until a table and its indexes can be used.

    Raises:
        DeadlineExceededError: If they cannot after five minutes.
    """
    pause, waited = FIRST_PAUSE, 0.0
    while True:
        try:
            description = await client.describe_table(name)
            if description.is_ready:
                return description
        except ResourceNotFoundError:  # a table that was just created may not be seen yet
            pass
        if waited >= WAIT_SECONDS:
            raise DeadlineExceededError(
                f"table {name!r} cannot be used after {WAIT_SECONDS:g} seconds; the service goes on creating it:"
                f" look again with `mizzle-async tables {name}`",
                timeout=WAIT_SECONDS,
                operation="DescribeTable",
                table=name,
                outcome=Outcome.ANSWERED,
            )
        await anyio.sleep(pause)
        waited += pause
        pause = min(LONGEST_PAUSE, pause * 1.5)
