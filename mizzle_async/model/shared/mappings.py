"""Mappings: how one entity fills an index of its shared table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from mizzle_async.errors import ModelError
from mizzle_async.expressions import Condition
from mizzle_async.model.schema import SCHEMA_ATTRIBUTE, EntitySchema, schema_of
from mizzle_async.model.shared.conditions import check_where, fields_of
from mizzle_async.model.shared.entities import attribute_part
from mizzle_async.model.shared.formats import KeyFormat
from mizzle_async.model.shared.parsing import parse_format
from mizzle_async.model.shared.tables import SharedIndex
from mizzle_async.model.shared.templates import KeyTemplate
from mizzle_async.values import Record

PACKAGE = __name__.partition(".")[0]


@frozen(eq=False, repr=False, slots=False)
class IndexMapping(Record):
    """How one entity fills an index of its shared table.

    Attributes:
        index: The index.
        owner: The entity.
        templates: The keys as they were written, partition key first.
        where: The condition of an item that is in the index. None for every item.
    """

    index: SharedIndex
    owner: type[Any]
    templates: tuple[KeyTemplate[Any, Any, Any], ...]
    where: Condition[Any] | None = None

    @property
    def identity(self) -> str:
        """A name that no other mapping of the entity has."""
        return f"{self.index.name}: {', '.join(map(repr, self.templates))}"

    @property
    def formats(self) -> tuple[KeyFormat, ...]:
        """The formats of the index's keys, partition key first.

        Raises:
            ModelError: An attribute cannot be part of a key.
        """
        made: tuple[KeyFormat, ...] | None = vars(self).get("_formats")
        if made is None:
            made = self._make_formats(schema_of(self.owner))
            vars(self)["_formats"] = made
        return made

    @property
    def fields(self) -> tuple[str, ...]:
        """The attributes that decide about an item's keys in the index, by name in Python."""
        return tuple(
            dict.fromkeys((*(field for each in self.formats for field in each.fields), *fields_of(self.where)))
        )

    def _make_formats(self, schema: EntitySchema) -> tuple[KeyFormat, ...]:
        shared = schema.shared
        if shared is None or shared.table is not self.index.table:
            raise ModelError(
                f"index {self.index.name!r} is of table {self.index.table.name!r}, and {schema.entity} is not in it"
            )
        formats = tuple(self._format(schema, each) for each in self.templates)
        for name, each in zip(self.index.key_names, formats, strict=True):
            if name in shared.table.key_names:
                own = shared.formats[shared.table.key_names.index(name)]
                if own.shape != each.shape:
                    raise ModelError(
                        f"index {self.index.name!r}: {name} is a key of the table too, so its template is that of"
                        f" {schema.entity}: {own.text!r}"
                    )
        return formats

    def _format(self, schema: EntitySchema, template: KeyTemplate[Any, Any, Any]) -> KeyFormat:
        holes = iter(template.paths)

        def part(_name: str, spec: str) -> Any:
            path = next(holes, None)
            if path is None:
                raise ModelError(f"{template!r}: it has more holes than paths")
            return attribute_part(schema.entity, schema.by_field, self.index.table, str(path.labels[0]), spec)

        table = self.index.table
        made = parse_format(
            f"index {self.index.name!r}", template.text, part, separator=table.separator, allow_empty_names=True
        )
        if next(holes, None) is not None:
            raise ModelError(f"{template!r}: it has more paths than holes")
        return made


def make_mapping(index: SharedIndex, partition_key: Any, sort_key: Any, where: Any, common_owner: Any) -> IndexMapping:
    """Return how an entity fills an index.

    Args:
        index: The index.
        partition_key: A template.
        sort_key: A template, or None.
        where: A condition of the entity, or None.
        common_owner: Returns the owner of paths.

    Raises:
        ModelError: The templates are not of one entity, or not those that the index needs.
    """
    templates: Sequence[Any] = (partition_key,) if sort_key is None else (partition_key, sort_key)
    for template in templates:
        if not isinstance(template, KeyTemplate):
            raise ModelError(
                f"index {index.name!r} of a shared table takes key_template(…) for its keys, not"
                f" {type(template).__name__}"
            )
    if len(templates) != len(index.key_names):
        raise ModelError(
            f"index {index.name!r} has the key {', '.join(index.key_names)}: give "
            f"{'partition_key= alone' if len(index.key_names) == 1 else 'partition_key= and sort_key='}"
        )
    named: list[Any] = [path for template in templates for path in template.paths]
    if not named and isinstance(where, Condition):
        named.extend(where.places())
    if not named:
        raise ModelError(f"index {index.name!r}: its templates name no attribute, so no entity is known")
    owner = common_owner(index.name, tuple(named))
    if where is not None:
        if not isinstance(where, Condition):
            raise ModelError(f"index {index.name!r}: where= takes a condition, not {type(where).__name__}")
        check_where(index.name, where)
        if any(not issubclass(owner, other) for other in where.owners):
            raise ModelError(f"index {index.name!r}: where= is about another entity than {owner.__name__}")
    mapping = IndexMapping(index, owner, tuple(templates), where)
    _check_place(mapping)
    return mapping


def _check_place(mapping: IndexMapping) -> None:
    """Check that a mapping is made beside its class, and before an item of it is encoded.

    A process that imports the class alone would else write items without the keys of the index.

    Raises:
        ModelError: It is not.
    """
    owner = mapping.owner
    frame = sys._getframe(1)  # noqa: SLF001  (as attrs and typing do)
    while frame.f_back is not None and _is_own(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    module = frame.f_globals.get("__name__", "")
    if module != owner.__module__:
        raise ModelError(
            f"index {mapping.index.name!r} of {owner.__name__} is made in {module}: make it in {owner.__module__},"
            " beside the class, so that each process that imports the class has the index too"
        )
    source: Any = vars(owner).get(SCHEMA_ATTRIBUTE)
    schema = source.schema() if source is not None and source.is_resolvable() else None
    if schema is not None:
        _ = mapping.formats
        if mapping.index.table.is_sealed(owner):
            raise ModelError(
                f"index {mapping.index.name!r}: items of {owner.__name__} were written without it already: make it"
                " right below the class"
            )


def _is_own(module: str) -> bool:
    return module == PACKAGE or module.startswith(f"{PACKAGE}.")
