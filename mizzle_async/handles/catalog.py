"""The catalog of a client: the handle of each table, and the schema and the codec of each model."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from mizzle_async.errors import ModelError
from mizzle_async.handles.runtime import Runtime
from mizzle_async.handles.table import Table
from mizzle_async.marshalling import EntityCodec, marshaller_of
from mizzle_async.model import EntitySchema, dict_schema, is_entity, map_class, schema_of
from mizzle_async.operations import Target
from mizzle_async.operations.missing import check_table_name
from mizzle_async.operations.target import DetachedTarget
from mizzle_async.types import Item


class Catalog:
    """Makes the handle of each table once, and finds the schema and the codec of a model.

    Args:
        runtime: Given to every handle.
        converter: The caller's own cattrs converter.
        prefix: Put before every table name.
        names: The whole name at the service for some tables, by the name in the model.
    """

    def __init__(self, runtime: Runtime, converter: Any, prefix: str, names: Mapping[str, str]) -> None:
        self._runtime = runtime
        self._marshaller = marshaller_of(converter)
        self._prefix = prefix
        self._names = dict(names)
        self._tables: dict[Any, Table[Any]] = {}
        self._mapped: dict[type[Any], EntitySchema] = {}
        self._spanning: Target[dict[str, Any]] | None = None
        self._bound: dict[Any, Target[Any]] = {}

    def table(
        self,
        model: Any,
        /,
        *,
        name: str | None = None,
        partition_key: str | None = None,
        sort_key: str | None = None,
        partition_key_type: type[Any] = str,
        sort_key_type: type[Any] = str,
        shards: int | None = None,
    ) -> Table[Any]:
        """Return the handle of a table. `Client.table` explains the arguments.

        Raises:
            ModelError: The class cannot be an entity, or an attribute has a type that cannot be stored.
            LimitError: DynamoDB takes no such table name.
        """
        identity = (model, name, partition_key, sort_key, partition_key_type, sort_key_type, shards)
        # An instance, or a list of classes, has no hash; its schema says what is wrong with it.
        known = self._tables.get(identity) if isinstance(model, Hashable) else None
        if known is not None:
            return known
        if isinstance(model, str):
            if partition_key is None:
                raise ModelError(
                    f"table {model!r}: say which attribute is its key: partition_key=…, and sort_key=… if it has one"
                )
            schema = dict_schema(
                model,
                partition_key=partition_key,
                sort_key=sort_key,
                partition_key_type=partition_key_type,
                sort_key_type=sort_key_type,
                shards=shards,
            )
        else:
            schema = self._class_schema(model, name, partition_key, sort_key)
        stored = name or schema.table
        called = self._names.get(stored) or f"{self._prefix}{stored}"
        check_table_name(called, schema.entity)
        target = self._target(schema, called)
        table = self._tables[identity] = Table(self._runtime, target)
        return table

    def target(self, schema: EntitySchema) -> Target[Any]:
        """Return the target of an entity in the table that it names."""
        return self._target(schema, self._names.get(schema.table) or f"{self._prefix}{schema.table}")

    @property
    def spanning_target(self) -> Target[dict[str, Any]]:
        """The target for operations that span tables: transactions and statements."""
        spanning = self._spanning
        if spanning is None:
            spanning = self._spanning = self._target(dict_schema("items", partition_key="key"), "")
        return spanning

    def bound(self, target: Target[Any]) -> Target[Any]:
        """Return this client's own target in place of one that came out of a pickle; others stay as they are.

        The client that sends an operation encodes and decodes it, with its own converter.
        """
        if type(target) is not DetachedTarget:
            return target
        if not target.table:
            return self.spanning_target
        schema = target.schema
        identity = (target.table, schema.cls, schema.entity, schema.key_names)
        known = self._bound.get(identity)
        if known is None:
            known = self._bound[identity] = self._target(schema, target.table)
        return known

    def schema_of(self, model: type[Any]) -> EntitySchema:
        """Return the schema of an entity, or of a class that was mapped from outside."""
        return self._mapped.get(model) or schema_of(model)

    def codec(self, schema: EntitySchema) -> EntityCodec[Any]:
        """Return the codec of an entity."""
        codec: EntityCodec[Any] = self._marshaller.codec(schema)
        return codec

    def __len__(self) -> int:
        return len(self._tables)

    def _class_schema(
        self, model: Any, name: str | None, partition_key: str | None, sort_key: str | None
    ) -> EntitySchema:
        if is_entity(model) and partition_key is None and sort_key is None:
            return schema_of(model)
        if partition_key is None:
            return schema_of(model)  # says what is wrong with the class
        if name is None:
            raise ModelError(f"{getattr(model, '__name__', model)}: say which table it is stored in: name=…")
        schema = self._mapped[model] = map_class(model, name=name, partition_key=partition_key, sort_key=sort_key)
        return schema

    def _target(self, schema: EntitySchema, table: str) -> Target[Any]:
        runtime = self._runtime
        return Target(
            self.codec(schema),
            table,
            runtime,
            load=self._load,
            report_capacity=runtime.reports_capacity,
            new_token=runtime.new_token,
        )

    def _load(self, model: type[Any], item: Item) -> Any:
        """Read a stored item as an instance, for an error that carries one."""
        if model is dict:
            return self.codec(dict_schema("item", partition_key=next(iter(item)))).decode(item)
        return self.codec(self.schema_of(model)).decode(item)
