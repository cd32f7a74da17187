"""Models of Pydantic's, dataclasses and structs as tables' own classes and as documents: every verb, on each engine."""

import dataclasses
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import attrs
import msgspec
import pydantic
import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    GlobalSecondaryIndex,
    ItemExistsError,
    PartitionKey,
    Table,
    attribute,
    entity,
    evolve,
    from_json,
    path,
    to_json,
)


@dataclasses.dataclass
class DataAddress:
    city: str
    zip: str | None = None


@dataclasses.dataclass
class DataLine:
    sku: str
    price: Decimal = Decimal(0)


@dataclasses.dataclass(frozen=True)
class DataTask:
    tenant: str
    number: int
    total: Decimal = Decimal(0)
    status: Literal["open", "done"] = "open"
    address: DataAddress | None = None
    lines: list[DataLine] = dataclasses.field(default_factory=list)
    tags: set[str] = dataclasses.field(default_factory=set)
    due: datetime | None = None
    raw: bytes = b""


class StructAddress(msgspec.Struct):
    city: str
    zip: str | None = None


class StructLine(msgspec.Struct, frozen=True):
    sku: str
    price: Decimal = Decimal(0)


class StructTask(msgspec.Struct, kw_only=True, rename="camel"):
    tenant: str
    number: int
    total: Decimal = Decimal(0)
    status: Literal["open", "done"] = "open"
    address: StructAddress | None = None
    lines: list[StructLine] = []
    tags: set[str] = set()
    due: datetime | None = None
    raw: bytes = b""


class ModelAddress(pydantic.BaseModel):
    city: str
    zip: str | None = pydantic.Field(default=None, alias="zipCode")


class ModelLine(pydantic.BaseModel, frozen=True):
    sku: str
    price: Decimal = pydantic.Field(default=Decimal(0), ge=0)


class ModelTask(pydantic.BaseModel):
    tenant: str
    number: int
    total: Decimal = Decimal(0)
    status: Literal["open", "done"] = "open"
    address: ModelAddress | None = None
    lines: list[ModelLine] = []
    tags: set[str] = pydantic.Field(default_factory=set)
    due: datetime | None = None
    raw: bytes = b""


@pydantic.dataclasses.dataclass
class CheckedTask:
    tenant: str
    number: int = pydantic.Field(ge=0)
    total: Decimal = Decimal(0)
    status: Literal["open", "done"] = "open"
    address: DataAddress | None = None
    lines: list[DataLine] = pydantic.Field(default_factory=list)
    tags: set[str] = pydantic.Field(default_factory=set)
    due: datetime | None = None
    raw: bytes = b""


@attrs.frozen
class AttrsTask:
    tenant: str
    number: int
    total: Decimal = Decimal(0)
    status: Literal["open", "done"] = "open"
    address: DataAddress | None = None
    lines: list[DataLine] = attrs.field(factory=list)
    tags: set[str] = attrs.field(factory=set)
    due: datetime | None = None
    raw: bytes = b""


def address_of(kind: Any) -> Any:
    """Return an address of the class that a task's class has."""
    if kind is ModelTask:
        return ModelAddress(city="Ulm", zipCode="1")
    return StructAddress("Ulm", "1") if kind is StructTask else DataAddress("Ulm", "1")


def line_of(kind: Any) -> Any:
    """Return the class of a task's lines."""
    return {ModelTask: ModelLine, StructTask: StructLine}.get(kind, DataLine)


KINDS = [DataTask, StructTask, ModelTask, CheckedTask, AttrsTask]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
async def tasks(request: pytest.FixtureRequest, client: Client) -> Table[Any]:
    """A table of each kind of class."""
    table = client.table(request.param, name="tasks", partition_key="tenant", sort_key="number")
    await client.ensure_tables(table)
    return table


def full(kind: Any, number: int = 1, **changes: Any) -> Any:
    """Return a task with a value in every attribute."""
    values = {
        "tenant": "t",
        "number": number,
        "total": Decimal("12.5"),
        "address": address_of(kind),
        "lines": [line_of(kind)(sku="a", price=Decimal(2)), line_of(kind)(sku="b")],
        "tags": {"x", "y"},
        "due": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        "raw": b"\x00\xff",
    }
    return kind(**values | changes)


def kind_of(tasks: Table[Any]) -> Any:
    """Return the class of a table's items."""
    return tasks.__dict__["_target"].schema.cls


async def test_instances_are_written_and_read(tasks: Table[Any]) -> None:
    """Insert, get, put, replace and delete take and give instances of the class, equal to what was written."""
    kind = kind_of(tasks)
    task = full(kind)
    assert await tasks.insert(task) == task
    found = await tasks.get_one(tenant="t", number=1)
    assert found == task
    assert type(found) is kind
    with pytest.raises(ItemExistsError):
        await tasks.insert(task)
    small = kind(tenant="t", number=1)
    assert await tasks.put(small) == small
    assert await tasks.get(task) == small
    assert await tasks.replace(task) == task
    assert await tasks.delete(tenant="t", number=1) == task
    assert await tasks.get(tenant="t", number=1) is None


async def test_queries_and_projections_take_typed_paths(tasks: Table[Any]) -> None:
    """Key conditions of the table, filters and projections by typed paths, nested ones too."""
    kind = kind_of(tasks)
    await tasks.put_many([full(kind, number, total=Decimal(number)) for number in range(1, 6)])
    total = path(kind, lambda task: task.total)
    query = tasks.query(tasks.partition_key == "t", tasks.sort_key > 1)
    assert [task.number for task in await query.filter(total >= Decimal(4)).all()] == [4, 5]
    in_ulm = path(kind, lambda task: task.address.city) == "Ulm"
    assert await query.filter(in_ulm).count() == 4
    rows = await query.project(total, path(kind, lambda task: task.lines[0].sku)).all()
    assert rows == [(Decimal(number), "a") for number in range(2, 6)]
    page = await query.page(max_items=2)
    assert [task.number for task in page.items] == [2, 3]
    assert [task.number for task in (await query.page(page.cursor)).items] == [4, 5]


async def test_updates_take_typed_paths(tasks: Table[Any]) -> None:
    """Update clauses and conditions by typed paths, inside documents and lists too; by names as well."""
    kind = kind_of(tasks)
    task = await tasks.insert(full(kind))
    total, tags = path(kind, lambda task: task.total), path(kind, lambda task: task.tags)
    changed = await (
        tasks.update(task)
        .set(path(kind, lambda task: task.address.city), "Bonn")
        .set(path(kind, lambda task: task.lines[1].price), Decimal(7))
        .add(total, Decimal("0.5"))
        .add(tags, {"z"})
        .remove(path(kind, lambda task: task.due))
        .when(path(kind, lambda task: task.status) == "open")
    )
    assert (changed.total, changed.address.city, changed.lines[1].price) == (13, "Bonn", 7)
    assert (changed.tags, changed.due) == ({"x", "y", "z"}, None)
    assert (await tasks.update(task).set({"status": "done", "total": Decimal(1)})).status == "done"
    with pytest.raises(ConditionalCheckFailedError):
        await tasks.update(task).set(total, Decimal(9)).when(total > Decimal(5))
    upserted = await tasks.upsert(tenant="t", number=9).set(total, Decimal(3))
    assert upserted == kind(tenant="t", number=9, total=Decimal(3))


async def test_patches_write_the_difference(tasks: Table[Any]) -> None:
    """A patch writes the difference of two instances, made by `evolve`, and names only what changed."""
    kind = kind_of(tasks)
    task = await tasks.insert(full(kind))
    new = evolve(task, total=Decimal(20), lines=[task.lines[0], evolve(task.lines[1], price=Decimal(5))])
    operation = tasks.patch(task, to=new)
    assert "tags" not in str(operation.to_wire())
    assert await operation == new
    with pytest.raises(TypeError):
        evolve(task, nope=1)


async def test_many_and_transactions(tasks: Table[Any], client: Client) -> None:
    """Batches, transactions, sweeps and PartiQL carry instances of the class."""
    kind = kind_of(tasks)
    many = [full(kind, number) for number in range(30)]
    report = await tasks.put_many(many)
    assert report.written == 30
    assert await tasks.get_many([tasks.key(tenant="t", number=number) for number in (3, 99)]) == [many[3], None]
    total = path(kind, lambda task: task.total)
    await client.transact_write(
        tasks.insert(full(kind, 50)),
        tasks.update(tenant="t", number=1).set(total, Decimal(1)),
        tasks.check(tenant="t", number=2).when(path(kind, lambda task: task.status) == "open"),
        tasks.delete(tenant="t", number=3),
    )
    one, gone = await client.transact_get(tasks.get(tenant="t", number=1), tasks.get(tenant="t", number=3))
    assert (one, gone) == (evolve(many[1], total=Decimal(1)), None)
    assert sorted(task.number for task in await tasks.scan().all()) == [*(n for n in range(30) if n != 3), 50]
    await tasks.scan().rewrite(lambda task: evolve(task, total=Decimal(99)))
    assert {task.total for task in await tasks.scan().all()} == {99}


async def test_json_of_instances_comes_back(tasks: Table[Any]) -> None:
    """An instance of the class becomes JSON and comes back from it."""
    kind = kind_of(tasks)
    task = full(kind, raw=b"abc")
    assert from_json(to_json(task), kind) == task


class Doctor(pydantic.BaseModel):
    kind: Literal["doctor"] = "doctor"
    name: str


class Nurse(msgspec.Struct):
    name: str
    kind: Literal["nurse"] = "nurse"


@dataclasses.dataclass
class Guest:
    name: str
    kind: Literal["guest"] = "guest"


@entity("visits")
class Visit:
    id: PartitionKey[str]
    doctor: Attribute[Doctor]
    guests: Attribute[dict[str, Guest]] = attribute(factory=dict)
    others: Attribute[list[Doctor | Nurse | Guest]] = attribute(factory=list)


async def test_documents_of_others_inside_entities(client: Client) -> None:
    """Models, structs and dataclasses are documents of an entity, also in unions; paths lead into them."""
    await client.ensure_tables(Visit)
    visits = client.table(Visit)
    visit = Visit(
        id="1",
        doctor=Doctor(name="Ada"),
        guests={"a": Guest("Bo")},
        others=[Nurse("Cy"), Guest("Di"), Doctor(name="Ed")],
    )
    assert await visits.insert(visit) == visit
    assert await visits.get_one("1") == visit
    changed = await (
        visits.update("1")
        .set(Visit.doctor[path(Doctor, lambda doctor: doctor.name)], "Eve")
        .set(path(Visit, lambda visit: visit.guests["a"].name), "Flo")
        .when(path(Visit, lambda visit: visit.doctor.name) == "Ada")
    )
    assert (changed.doctor.name, changed.guests["a"].name) == ("Eve", "Flo")
    new = evolve(changed, doctor=Doctor(name="Gil"))
    assert await visits.patch(changed, to=new) == new


async def test_indexes_of_others(client: Client) -> None:
    """An index is declared on typed paths of a class, and queried."""
    by_status = GlobalSecondaryIndex("by-status", partition_key=path(ModelTask, lambda task: task.status))
    tasks = client.table(ModelTask, name="indexed", partition_key="tenant", sort_key="number")
    await client.ensure_tables(tasks)
    await tasks.put_many([full(ModelTask, number) for number in range(3)])
    await tasks.update(tenant="t", number=1).set(path(ModelTask, lambda task: task.status), "done")
    assert [task.number for task in await tasks.query(by_status.partition_key == "done").all()] == [1]
