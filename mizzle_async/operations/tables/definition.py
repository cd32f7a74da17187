"""Tables as the control plane describes them: those that entities need, those that exist, and differences. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import field, frozen

from mizzle_async.errors import ModelError
from mizzle_async.limits import GLOBAL_SECONDARY_INDEXES, LOCAL_SECONDARY_INDEXES
from mizzle_async.model import (
    WIRE_VIEWS,
    AttributeSchema,
    EntitySchema,
    SecondaryIndex,
    SharedTable,
    StreamView,
    indexes_of,
    is_view,
    scalar_code,
    schema_of,
    view_advice,
    view_of,
)
from mizzle_async.model.annotations import type_name
from mizzle_async.operations.answers import mismatch
from mizzle_async.values import Value

KeyElement: TypeAlias = tuple[str, str]
"""A key attribute: its stored name, and ``HASH`` or ``RANGE``."""


@frozen(eq=False, repr=False, kw_only=True)
class TableOptions(Value):
    """How a table is made, beside its keys and indexes.

    Attributes:
        read_units: Provisioned read units a second, or None for a table that is billed on demand.
        write_units: Provisioned write units a second, or None for a table that is billed on demand.
        stream: The view of its stream, or None for no stream.
        tags: Tags of the table.
        deletion_protection: Whether deleting it is refused.
    """

    read_units: int | None = None
    write_units: int | None = None
    stream: StreamView | None = None
    tags: Mapping[str, str] = field(factory=dict)
    deletion_protection: bool = False

    def __attrs_post_init__(self) -> None:
        """Refuse half a provision, and a view that does not exist."""
        if self.stream is not None and not is_view(self.stream):
            raise ModelError(view_advice("stream=", self.stream))
        if (self.read_units is None) != (self.write_units is None):
            raise ModelError(
                "a provisioned table needs both read_units= and write_units=; leave both out for billing on demand"
            )

    @property
    def throughput(self) -> dict[str, int] | None:
        """Return the provision, as CreateTable names it."""
        if self.read_units is None or self.write_units is None:
            return None
        return {"ReadCapacityUnits": self.read_units, "WriteCapacityUnits": self.write_units}


@frozen(eq=False, repr=False)
class IndexDescription(Value):
    """An index as it exists, or shall.

    Attributes:
        name: Its name.
        key: Its key attributes, partition key first.
        projection: ``ALL``, ``KEYS_ONLY`` or ``INCLUDE``.
        included: The names of the attributes that it holds beside keys, sorted.
        is_local: Whether it is a local one.
        status: ``ACTIVE`` and so on, empty for a local index, which has none.
    """

    name: str
    key: tuple[KeyElement, ...]
    projection: str
    included: tuple[str, ...] = ()
    is_local: bool = False
    status: str = ""


@frozen(eq=False, repr=False)
class TableDescription(Value):
    """A table as it exists, or shall.

    Attributes:
        name: Its name at the service.
        key: Its key attributes, partition key first.
        attribute_types: ``S``, ``N`` or ``B`` of each attribute that is part of a key.
        indexes: Its indexes by name.
        status: ``ACTIVE``, ``CREATING`` and so on.
        item_count: Items, as counted by the service every six hours or so.
        size_bytes: Their size, as above.
        on_demand: Whether it is billed on demand.
        read_units: Provisioned read units a second, 0 on demand.
        write_units: Provisioned write units a second, 0 on demand.
        stream: The view of its stream, such as ``"new_and_old_images"``, or None where it has none.
        deletion_protection: Whether deleting it is refused.
        arn: Its Amazon Resource Name.
        stream_arn: The Amazon Resource Name of its latest stream, empty where it never had one. A stream that was
            switched off can be read for another day.
        vector_indexes: The names of its vector indexes, which this library neither makes nor searches.
    """

    name: str
    key: tuple[KeyElement, ...]
    attribute_types: Mapping[str, str]
    indexes: Mapping[str, IndexDescription]
    status: str = ""
    item_count: int = 0
    size_bytes: int = 0
    on_demand: bool = True
    read_units: int = 0
    write_units: int = 0
    stream: str | None = None
    deletion_protection: bool = False
    arn: str = ""
    stream_arn: str = ""
    vector_indexes: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Tell whether the table and its indexes can be used."""
        return self.status == "ACTIVE" and all(index.status in {"", "ACTIVE"} for index in self.indexes.values())


# ── what an entity needs ──


def definition_of(schema: EntitySchema, name: str, *, hooked: Container[str] = ()) -> TableDescription:
    """Return the table that an entity needs.

    Args:
        schema: The entity's.
        name: The table's name at the service.
        hooked: Attributes that the user's hooks store.

    Raises:
        ModelError: A key attribute has a type of which only the converter knows how it is stored, or there are too many
            indexes.
    """
    if schema.shared is not None:
        return shared_definition(schema.shared.table, name)
    indexes = () if schema.is_open else indexes_of(schema.cls)
    described = {index.name: _described(schema, index) for index in indexes}
    _check_numbers(schema.entity, described)
    key = _key_elements(schema.key_names[:1], schema.key_names[1:])
    names = dict.fromkeys(
        each for elements in (key, *(index.key for index in described.values())) for each, _ in elements
    )
    types = {each: _type_of(schema, each, hooked) for each in names}
    return TableDescription(name, key, types, described, stream=schema.stream)


def shared_definition(table: SharedTable, name: str) -> TableDescription:
    """Return the table that all entities of a shared table need.

    Args:
        table: The shared table.
        name: The table's name at the service.

    Raises:
        ModelError: An index of one entity has a key that another entity stores as another type, or there are too many
            indexes.
    """
    key = _key_elements(table.key_names[:1], table.key_names[1:])
    types = dict.fromkeys(table.key_names, "S")
    described: dict[str, IndexDescription] = {}
    for index in table.indexes.values():
        elements = _key_elements(index.key_names[:1], index.key_names[1:])
        typed = () if table.type_attribute is None else (table.type_attribute,)
        held = index.projection if index.projection in {"all", "keys_only"} else (*index.projection, *typed)
        projection, included = _projection(held, {*table.key_names, *index.key_names})
        described[index.name] = IndexDescription(index.name, elements, projection, included)
        types.update(dict.fromkeys(index.key_names, "S"))
    for cls in table.members:
        schema = schema_of(cls)
        for own in indexes_of(cls):
            if own.mapping is not None:
                continue
            made = _described(schema, own)
            if described.setdefault(own.name, made) != made:
                raise ModelError(f"{schema.entity}: table {table.name!r} has another index {own.name!r} already")
            for each, _ in made.key:
                code = _type_of(schema, each, ())
                if types.setdefault(each, code) != code:
                    raise ModelError(f"{schema.entity}: {each!r} is a key of type {types[each]} for another entity")
    _check_numbers(f"table {table.name!r}", described)
    return TableDescription(name, key, types, described, stream=table.stream)


def lifetime_of(schema: EntitySchema) -> str | None:
    """Return the stored name of a table's time to live, None where it has none: of any entity in a shared table."""
    if schema.shared is None:
        return None if schema.time_to_live is None else schema.time_to_live.name
    lifetimes = (schema_of(cls).time_to_live for cls in schema.shared.table.members)
    return next((each.name for each in lifetimes if each is not None), None)


def _check_numbers(owner: str, indexes: Mapping[str, IndexDescription]) -> None:
    locals_ = sum(index.is_local for index in indexes.values())
    if locals_ > LOCAL_SECONDARY_INDEXES or len(indexes) - locals_ > GLOBAL_SECONDARY_INDEXES:
        raise ModelError(
            f"{owner} has {locals_} local and {len(indexes) - locals_} global indexes; a table takes "
            f"{LOCAL_SECONDARY_INDEXES} and {GLOBAL_SECONDARY_INDEXES}"
        )


def _described(schema: EntitySchema, index: SecondaryIndex[Any, Any, Any]) -> IndexDescription:
    partition = (
        schema.key_names[:1] if index.is_local else tuple(str(path.segments[0]) for path in index.partition_paths)
    )
    sort = tuple(str(path.segments[0]) for path in index.sort_paths)
    projection, included = _projection(index.projection, {*schema.key_names, *partition, *sort})
    return IndexDescription(index.name, _key_elements(partition, sort), projection, included, index.is_local)


def _projection(held: str | tuple[str, ...], keys: set[str]) -> tuple[str, tuple[str, ...]]:
    """Return the type of an index's projection, and the attributes that it includes beside keys."""
    if held == "all":
        return "ALL", ()
    named: tuple[str, ...] = () if isinstance(held, str) else held
    included = tuple(sorted(name for name in named if name not in keys))
    return ("INCLUDE" if included else "KEYS_ONLY"), included


def _key_elements(partition: Sequence[str], sort: Sequence[str]) -> tuple[KeyElement, ...]:
    return (*((name, "HASH") for name in partition), *((name, "RANGE") for name in sort))


def _type_of(schema: EntitySchema, name: str, hooked: Container[str]) -> str:
    attribute: AttributeSchema | None = schema.by_name.get(name)
    if attribute is None:
        raise ModelError(f"{schema.entity} does not declare {name!r}, so its type as a key is not known")
    code = scalar_code(attribute.storage_type, attribute.storage_format)
    if code is None or name in hooked:
        raise ModelError(
            f"{schema.entity}.{attribute.field} is part of a key, and only the converter knows how"
            f" {type_name(attribute.type)} is stored: create the table yourself, or use str, int, Decimal or bytes"
        )
    return code


def create_parameters(table: TableDescription, options: TableOptions) -> dict[str, Any]:
    """Return the parameters of CreateTable; the stream is the description's.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
    """
    throughput = options.throughput
    parameters: dict[str, Any] = {
        "TableName": table.name,
        "KeySchema": _wire_key(table.key),
        "AttributeDefinitions": _definitions(table, table.attribute_types),
        "BillingMode": "PAY_PER_REQUEST" if throughput is None else "PROVISIONED",
    }
    if throughput is not None:
        parameters["ProvisionedThroughput"] = throughput
    for member, is_local in (("GlobalSecondaryIndexes", False), ("LocalSecondaryIndexes", True)):
        entries = [_wire_index(index, throughput) for index in table.indexes.values() if index.is_local is is_local]
        if entries:
            parameters[member] = entries
    if table.stream is not None:
        parameters["StreamSpecification"] = stream_specification(table.stream)
    if options.tags:
        parameters["Tags"] = [{"Key": key, "Value": value} for key, value in options.tags.items()]
    if options.deletion_protection:
        parameters["DeletionProtectionEnabled"] = True
    return parameters


def stream_specification(view: str) -> dict[str, Any]:
    """Return the parameter of CreateTable and UpdateTable that switches a stream on."""
    return {"StreamEnabled": True, "StreamViewType": WIRE_VIEWS[view]}


def add_index_parameters(
    table: TableDescription, index: IndexDescription, existing: TableDescription
) -> dict[str, Any]:
    """Return the parameters of UpdateTable that make a missing global index, provisioned as its table is."""
    throughput = (
        None
        if existing.on_demand
        else {"ReadCapacityUnits": existing.read_units, "WriteCapacityUnits": existing.write_units}
    )
    return {
        "TableName": table.name,
        "AttributeDefinitions": _definitions(table, (name for name, _ in (*table.key, *index.key))),
        "GlobalSecondaryIndexUpdates": [{"Create": _wire_index(index, throughput)}],
    }


def _definitions(table: TableDescription, names: Iterable[str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": table.attribute_types[name]} for name in dict.fromkeys(names)]


def _wire_key(key: Iterable[KeyElement]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in key]


def _wire_index(index: IndexDescription, throughput: Mapping[str, int] | None) -> dict[str, Any]:
    projection: dict[str, Any] = {"ProjectionType": index.projection}
    if index.included:
        projection["NonKeyAttributes"] = list(index.included)
    entry: dict[str, Any] = {"IndexName": index.name, "KeySchema": _wire_key(index.key), "Projection": projection}
    if throughput is not None and not index.is_local:
        entry["ProvisionedThroughput"] = dict(throughput)
    return entry


# ── what exists ──


def described(answer: Mapping[str, Any]) -> TableDescription:
    """Return the table that DescribeTable, or another operation about one, answers.

    Raises:
        CorruptResponseError: The answer lacks a part that every table has.
    """
    try:
        return read_description(answer["Table"])
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise mismatch(f"it describes no table ({type(error).__name__})") from error


def read_description(table: Mapping[str, Any]) -> TableDescription:
    """Return the answer to DescribeTable as a record."""
    indexes = [
        _read_index(entry, is_local=is_local)
        for member, is_local in (("GlobalSecondaryIndexes", False), ("LocalSecondaryIndexes", True))
        for entry in table.get(member) or ()
    ]
    throughput = table.get("ProvisionedThroughput") or {}
    read_units, write_units = throughput.get("ReadCapacityUnits", 0), throughput.get("WriteCapacityUnits", 0)
    stream = table.get("StreamSpecification") or {}
    billing = (table.get("BillingModeSummary") or {}).get("BillingMode")
    return TableDescription(
        name=table["TableName"],
        key=_read_key(table["KeySchema"]),
        attribute_types={
            each["AttributeName"]: each["AttributeType"] for each in table.get("AttributeDefinitions") or ()
        },
        indexes={index.name: index for index in indexes},
        status=table.get("TableStatus", ""),
        item_count=table.get("ItemCount", 0),
        size_bytes=table.get("TableSizeBytes", 0),
        on_demand=billing == "PAY_PER_REQUEST" if billing else not read_units,
        read_units=read_units,
        write_units=write_units,
        stream=view_of(stream.get("StreamViewType", "")) if stream.get("StreamEnabled") else None,
        deletion_protection=bool(table.get("DeletionProtectionEnabled")),
        arn=table.get("TableArn", ""),
        stream_arn=table.get("LatestStreamArn", ""),
        vector_indexes=tuple(each["IndexName"] for each in table.get("VectorIndexes") or ()),
    )


def _read_key(key: Iterable[Mapping[str, str]]) -> tuple[KeyElement, ...]:
    elements = [(each["AttributeName"], each["KeyType"]) for each in key]
    return tuple(sorted(elements, key=lambda element: element[1] != "HASH"))


def _read_index(entry: Mapping[str, Any], *, is_local: bool) -> IndexDescription:
    projection = entry.get("Projection") or {}
    return IndexDescription(
        entry["IndexName"],
        _read_key(entry["KeySchema"]),
        projection.get("ProjectionType", "ALL"),
        tuple(sorted(projection.get("NonKeyAttributes") or ())),
        is_local,
        "" if is_local else entry.get("IndexStatus", ""),
    )


# ── where they differ ──


def missing_indexes(wanted: TableDescription, existing: TableDescription, entity: str) -> list[IndexDescription]:
    """Return the global indexes that must be added.

    Args:
        wanted: The table that the entity needs.
        existing: The table that exists.
        entity: For messages.

    Raises:
        ModelError: A key differs, or an index does, or a local index is missing: none of it can be changed in a table
            that exists.
    """
    differences = _differences("its key", wanted.key, existing.key, wanted, existing)
    missing = []
    for index in wanted.indexes.values():
        other = existing.indexes.get(index.name)
        if other is None and index.is_local:
            differences.append(f"the local index {index.name!r} is missing, and can only be made with the table")
        elif other is None:
            missing.append(index)
        else:
            label = f"index {index.name!r}"
            differences += _differences(f"{label}: its key", index.key, other.key, wanted, existing)
            if (index.projection, index.included) != (other.projection, other.included):
                differences.append(f"{label} holds {_held(other)}, not {_held(index)}")
    if differences:
        raise ModelError(
            f"{entity}: table {wanted.name!r} exists and differs, and cannot be changed in place:"
            f" {'; '.join(differences)}. Use another table, or make the class say what the table is"
        )
    return missing


def _differences(
    label: str,
    key: tuple[KeyElement, ...],
    other: tuple[KeyElement, ...],
    wanted: TableDescription,
    existing: TableDescription,
) -> list[str]:
    mine, theirs = _spelled(key, wanted.attribute_types), _spelled(other, existing.attribute_types)
    return [] if mine == theirs else [f"{label} is {theirs}, not {mine}"]


def _spelled(key: tuple[KeyElement, ...], types: Mapping[str, str]) -> str:
    return ", ".join(
        f"{name} ({types.get(name, '?')}, {'partition' if kind == 'HASH' else 'sort'})" for name, kind in key
    )


def _held(index: IndexDescription) -> str:
    return index.projection if index.projection != "INCLUDE" else f"keys and {', '.join(index.included)}"
