"""The newer types and forms on the engines: keys, ranges, entries of dicts, and a table of another program."""

from datetime import UTC, datetime, time, timedelta
from enum import IntEnum, StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict
from zoneinfo import ZoneInfo

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    GlobalSecondaryIndex,
    PartitionKey,
    SortKey,
    attribute,
    entity,
    evolve,
    make_converter,
)
from mizzle_async.model import Role, WriteContext
from mizzle_async.model.roles import RoleAttribute

NOON = datetime(2026, 1, 31, 12, 0, 0, 34_000, tzinfo=UTC)


class Status(StrEnum):
    OPEN = "open"


class Level(IntEnum):
    LOW = 1


class Size(TypedDict):
    width: int
    unit: NotRequired[str]


class Point(NamedTuple):
    x: int
    y: int


@entity("shifts")
class Shift:
    host: PartitionKey[IPv4Address]
    begins: SortKey[time]
    zone: Attribute[ZoneInfo] = attribute(default=ZoneInfo("UTC"))
    gateway: Attribute[IPv6Address] = attribute(default=IPv6Address("::1"))
    log: Attribute[Path] = attribute(default=Path("log.txt"))
    status: Attribute[Status | str] = attribute(default=Status.OPEN)
    by_level: Attribute[dict[Level, int]] = attribute(factory=dict)
    by_hour: Attribute[dict[int, str]] = attribute(factory=dict)
    size: Attribute[Size | None] = attribute(default=None)
    point: Attribute[Point | None] = attribute(default=None)


BY_GATEWAY = GlobalSecondaryIndex("by-gateway", partition_key=Shift.gateway, sort_key=Shift.log)


@entity("events")
class Event:
    """A table that a JavaScript program wrote."""

    source: PartitionKey[str]
    at: SortKey[datetime] = attribute(datetime_format="iso_ms")
    seen: Attribute[datetime | None] = attribute(default=None, datetime_format="%d.%m.%Y %H:%M:%S%z")
    tags: Attribute[list[str]] = attribute(factory=list, null_as_default=True)
    updated: Attribute[datetime | None] = attribute(default=None, updated_at=True, datetime_format="iso_ms")


@pytest.fixture
async def shifts(client: Client) -> Any:
    """A handle of a table of shifts, with three of them."""
    await client.ensure_tables(Shift)
    table = client.table(Shift)
    for hour in (9, 14, 22):
        await table.put(
            Shift(
                host=IPv4Address("10.0.0.1"),
                begins=time(hour, 5),
                zone=ZoneInfo("Europe/Berlin"),
                gateway=IPv6Address("2001:db8::1"),
                log=Path("logs") / f"{hour}.txt",
                by_level={Level.LOW: hour},
                by_hour={hour: "x"},
                size={"width": hour},
                point=Point(hour, 0),
            )
        )
    return table


async def test_values_survive_the_service(shifts):
    """Each value is read back equal, of its own class."""
    shift = await shifts.get_one(host=IPv4Address("10.0.0.1"), begins=time(9, 5))
    assert (shift.zone, shift.log) == (ZoneInfo("Europe/Berlin"), Path("logs/9.txt"))
    assert (shift.by_level, shift.by_hour) == ({Level.LOW: 9}, {9: "x"})
    assert (shift.size, shift.point) == ({"width": 9}, Point(9, 0))
    assert shift.status is Status.OPEN
    await shifts.put(evolve(shift, status="paused"))
    assert (await shifts.get_one(host=shift.host, begins=shift.begins)).status == "paused"


async def test_ranges_of_a_time_are_in_the_order_of_the_day(shifts):
    """A sort key of times takes ranges; keys whose texts have no order refuse them, before anything is sent."""
    host = IPv4Address("10.0.0.1")
    found = await shifts.query(Shift.host == host, Shift.begins.between(time(9), time(15))).all()
    assert [shift.begins.hour for shift in found] == [9, 14]
    gateway = IPv6Address("2001:db8::1")
    by_log = await shifts.query(BY_GATEWAY.partition_key == gateway, BY_GATEWAY.sort_key.begins_with("logs/2")).all()
    assert [shift.begins.hour for shift in by_log] == [22]
    with pytest.raises(ExpressionError, match="which does not take <, <=, >"):
        shifts.query(BY_GATEWAY.partition_key == gateway, BY_GATEWAY.sort_key > Path("logs"))


async def test_entries_and_members_are_changed_in_place(shifts):
    """Updates and conditions reach entries by their keys, and members by name and position."""
    key = {"host": IPv4Address("10.0.0.1"), "begins": time(9, 5)}
    update = shifts.update(**key).set(Shift.by_level[Level.LOW], 3).set(Shift.by_hour["9"], "y")
    changed = await update.set(Shift.size["unit"], "cm").set(Shift.point[1], 7).when(Shift.status == Status.OPEN)
    assert (changed.by_level, changed.by_hour) == ({Level.LOW: 3}, {9: "y"})
    assert (changed.size, changed.point) == ({"width": 9, "unit": "cm"}, Point(9, 7))


async def test_a_table_of_another_language_is_mapped(client):
    """Keys, conditions, ranges and timestamps have the other program's form, and its NULL is the default."""
    await client.ensure_tables(Event)
    raw = client.table("events", partition_key="source", sort_key="at")
    for minute in (1, 2, 3):
        await raw.put(
            {"source": "js", "at": f"2026-01-31T12:0{minute}:00.034Z", "seen": "31.01.2026 12:00:00+0000", "tags": None}
        )
    events = client.table(Event)
    found = await events.query(Event.source == "js", Event.at > NOON + timedelta(minutes=1)).all()
    assert [event.at.minute for event in found] == [2, 3]
    assert found[0].tags == []
    assert found[0].seen == datetime(2026, 1, 31, 12, tzinfo=UTC)
    changed = await events.update(source="js", at=found[0].at).set(Event.tags, ["a"]).when(Event.seen == found[0].seen)
    assert changed.tags == ["a"]
    row = await raw.get_one(source="js", at="2026-01-31T12:02:00.034Z")
    assert row["updated"] == "2096-10-02T07:06:40.000Z"


async def test_a_converter_reads_and_writes_the_client_s_items(client, shifts):
    """What a converter gives without a client is what the client stores."""
    converter = make_converter()
    shift = await shifts.get_one(host=IPv4Address("10.0.0.1"), begins=time(9, 5))
    item = converter.unstructure(shift)
    description = client.table(Shift).put(shift).to_wire()["Item"]
    assert item == description
    assert converter.structure(item, Shift) == shift


class Origin(Role):
    """The program that wrote an item: a role of this test's own."""

    keyword = "origin"
    is_automatic = True

    def on_new(self, attribute: RoleAttribute, item: Any, write: WriteContext) -> None:
        """Name the program in a new item."""
        item[attribute.name] = {"S": "importer"}

    on_put = on_new


@entity("imports")
class Import:
    number: PartitionKey[int]
    origin: Attribute[str] = attribute(default="", role=Origin())


async def test_a_role_takes_part_in_loads(client):
    """Items of put_many, of a writer and of put have the role's value alike."""
    await client.ensure_tables(Import)
    imports = client.table(Import)
    await imports.put(Import(number=1))
    await imports.put_many([Import(number=2)])
    async with client.writer() as writer:
        await writer.put(Import(number=3))
    assert {each.origin for each in await imports.scan().all()} == {"importer"}
