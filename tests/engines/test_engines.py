"""Both engines as they really are: set up on first use, on loopback only, in memory, gone at the end."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from mizzle_async.testing import DynamoDBLocal, EmbeddedEngine, EngineError, start_engine

LISTENING = "0A"
LOOPBACK_ADDRESSES = {"0100007F", "0000000000000000FFFF00000100007F"}


def table(name: str) -> dict[str, object]:
    """Return the request for the simplest table."""
    return {
        "TableName": name,
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }


def sockets_of(pid: int) -> set[str]:
    """Return the numbers of the sockets that a process has open."""
    numbers = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            link = str(entry.readlink())
            if link.startswith("socket:["):
                numbers.add(link.removeprefix("socket:[").removesuffix("]"))
    return numbers


def listening_addresses(pid: int) -> set[str]:
    """Return the addresses, in the kernel's hexadecimal, on which a process listens."""
    own = sockets_of(pid)
    rows = [
        line.split()
        for version in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{version}").read_text().splitlines()[1:]
    ]
    return {row[1] for row in rows if row[3] == LISTENING and row[9] in own}


def test_items_are_stored(engine, new_table_name):
    """A written item is read back, and the answers are what the real service's clients understand."""
    name = new_table_name()
    engine.call("CreateTable", table(name))
    engine.call("PutItem", {"TableName": name, "Item": {"id": {"S": "a"}, "n": {"N": "1"}}})
    answer = engine.call("GetItem", {"TableName": name, "Key": {"id": {"S": "a"}}})
    assert answer == {"Item": {"id": {"S": "a"}, "n": {"N": "1"}}}
    engine.call("DeleteTable", {"TableName": name})


def test_only_loopback_is_listened_on(engine):
    """The engine has one listening socket, on 127.0.0.1 and its own port."""
    supervisor = engine._process._supervisor.pid
    [pid] = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    [address] = listening_addresses(int(pid))
    host, port = address.split(":")
    assert host in LOOPBACK_ADDRESSES
    assert int(port, 16) == engine.port


def test_refusals_carry_the_service_s_error(engine):
    """A request that the service would refuse raises, with the code in the text."""
    with pytest.raises(EngineError, match="ResourceNotFoundException"):
        engine.call("DescribeTable", {"TableName": "no-such-table"})


async def test_simultaneous_engines_are_apart(new_table_name):
    """Two embedded engines started at once have ports and tables of their own; each can be emptied."""
    first, second = EmbeddedEngine(), EmbeddedEngine()
    await asyncio.gather(first.__aenter__(), second.__aenter__())
    async with first, second:
        assert first.port != second.port
        first.call("CreateTable", table(new_table_name()))
        assert second.call("ListTables", {}) == {"TableNames": []}
        first.delete_tables()
        assert first.call("ListTables", {}) == {"TableNames": []}


@pytest.mark.parametrize(("name", "kind"), [("embedded", EmbeddedEngine), ("dynamodb-local", DynamoDBLocal)])
def test_engines_are_started_by_name(name, kind):
    """`start_engine` gives a running engine of the kind that its name says, at its pinned version."""
    with start_engine(name) as engine:
        assert type(engine) is kind
        assert engine.name == name
        assert engine.version[0].isdigit()
        assert engine.call("ListTables", {}) == {"TableNames": []}


def test_unknown_engine_is_refused():
    """A name that is no engine's is an error that shows it."""
    with pytest.raises(AssertionError, match="'dynalite'"):
        start_engine("dynalite")


@pytest.mark.parametrize("kind", [EmbeddedEngine, DynamoDBLocal])
def test_tables_of_a_prefix_are_dropped_alone(kind):
    """More tables than one answer lists are dropped, and those of another prefix stay."""
    with kind() as engine:
        names = [f"drop-{number:03}" for number in range(105)]
        for name in (*names, "keep-1"):
            engine.call("CreateTable", table(name))
        engine.delete_tables(prefix="drop-")
        assert engine.call("ListTables", {})["TableNames"] == ["keep-1"]
