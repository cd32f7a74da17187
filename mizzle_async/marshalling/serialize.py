"""Items straight to JSON, as a load writes a million of them, without an item in between.

Making an item of dicts and writing it as JSON a moment later costs as much for the dicts as for all the rest. So each
load has a function of its own that keeps *one* item, puts the next instance's payloads into it, and writes it::

    def make_serializer(wrap):
        d0 = {"S": None}
        d1 = {"N": None}
        item = {"customer_id": d0, "rating": d1}
        whole = wrap(item)
        def serialize(self):
            absent = []
            v0 = self.customer_id
            v1 = self.rating
            d0["S"] = p0 = v0 if type(v0) is str else write_1(v0)
            if v1 is None:
                absent.append("rating")
            else:
                d1["N"] = str(v1)
            if absent: …
            return dumps(whole, None, 2), p0
        return serialize

It is the load's alone because of that one item: nothing else may run between the first payload and the JSON. An
instance that is not common is done again the usual way, by the item's own encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeAlias

from mizzle_async.marshalling.index_limits import IndexKeyLimit
from mizzle_async.marshalling.lamp import Lamp
from mizzle_async.marshalling.shapes.by_value import ATTRIBUTE_LEVELS
from mizzle_async.marshalling.shapes.fields import Field
from mizzle_async.marshalling.shapes.generated_classes import INDENT, ClassShape, indented, no_set_test
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.shapes.scalars import UTF8_BYTES
from mizzle_async.marshalling.shapes.sets import SetShape
from mizzle_async.model import EntitySchema
from mizzle_async.model.scalars.temporal import UTC_AS_Z, dumps
from mizzle_async.types import Item

Wrap: TypeAlias = Callable[[Item], Any]
"""Puts an item where it stands in a request."""

Serialized: TypeAlias = tuple[bytes, Hashable]
"""The JSON, and the identity of the item's key."""

Serialize: TypeAlias = Callable[[Any], Serialized]
MakeSerializer: TypeAlias = Callable[[Wrap], Serialize]


def careful_serializer(encode: Callable[[Any], Item], identify: Callable[[Item], Hashable]) -> MakeSerializer:
    """Return the maker of serializers that encode an item, and write that."""

    def make(wrap: Wrap) -> Serialize:
        def serialize(instance: Any) -> Serialized:
            item = encode(instance)
            return dumps(wrap(item)), identify(item)

        return serialize

    return make


def serializer_maker(
    schema: EntitySchema,
    shape: ClassShape,
    limits: Mapping[str, IndexKeyLimit],
    identify: Callable[[Item], Hashable],
    careful: MakeSerializer,
    *,
    lamp: Lamp,
) -> MakeSerializer:
    """Write and compile the maker of an entity's serializers.

    Args:
        schema: The entity's.
        shape: How its instances are stored.
        limits: The limits of attributes as keys of indexes, by their stored names.
        identify: Returns the identity of an item's key.
        careful: Makes the functions for instances that are not of the common kind.
        lamp: Counts such instances.
    """
    program = Program(schema.entity)
    write, as_z = program.bind(dumps, "dumps"), program.bind(UTC_AS_Z, "utc_as_z")
    fields = [
        _SerializedField(program, field, position, limit=limits.get(field.wire), is_key=field.wire in schema.key_names)
        for position, field in enumerate(shape.fields)
    ]
    lines = [f"if type(self) is not {program.bind(shape.cls, 'class')}:", f"{INDENT}raise TypeError"]
    lines += [f"{field.value} = self.{field.name}" for field in fields]
    may_be_absent = any(field.may_be_absent for field in fields)
    if may_be_absent:
        lines.append("absent = []")
    for field in fields:
        lines += field.lines()
    key = _key_source(program, schema, fields, identify)
    if may_be_absent:
        lines += [
            "if absent:",
            f"{INDENT}part = item.copy()",
            f"{INDENT}for name in absent:",
            f"{INDENT * 2}del part[name]",
            f"{INDENT}return {write}(wrap(part), None, {as_z}), {key}",
        ]
    lines.append(f"return {write}(whole, None, {as_z}), {key}")
    body = [
        f"carefully = {program.bind(careful, 'careful')}(wrap)",
        *(field.slot for field in fields if field.slot),
        "item = {",
        *(f"{INDENT}{field.entry}," for field in fields),
        "}",
        "whole = wrap(item)",
        "def serialize(self):",
        f"{INDENT}try:",
        *(f"{INDENT * 2}{line}" for line in lines),
        f"{INDENT}except Exception:",
        f"{INDENT * 2}{program.bind(lamp, 'lamp')}.encoded += 1",
        f"{INDENT}return carefully(self)",
        "return serialize",
    ]
    program.add(f"def make_serializer(wrap):\n{indented(body)}")
    made: MakeSerializer = program.compile()["make_serializer"]
    return made


def _key_source(
    program: Program,
    schema: EntitySchema,
    fields: Sequence[_SerializedField],
    identify: Callable[[Item], Hashable],
) -> str:
    """Return an expression for the identity of the key: of keys of text, it is their texts."""
    by_wire = {field.wire: field for field in fields}
    keys = [by_wire[name] for name in schema.key_names]
    if all(field.tag == "S" for field in keys):
        texts = ", ".join(field.payload for field in keys)
        return f"({texts})" if len(keys) > 1 else texts
    return f"{program.bind(identify, 'identify')}(item)"


class _SerializedField:
    """The lines about one attribute.

    Attributes:
        name: Its name in Python.
        wire: Its stored name.
        may_be_absent: Whether it is left out where it is None, or an empty set.
        value: The variable of its value.
        payload: The variable of its payload, where another line reads it.
        tag: The descriptor of its type, nothing where that depends on the value.
        slot: The line that makes the one dict of descriptor and payload, nothing without a descriptor.
        entry: Its entry in the one item.
    """

    def __init__(
        self, program: Program, field: Field, position: int, *, limit: IndexKeyLimit | None, is_key: bool
    ) -> None:
        self._program = program
        self._field = field
        self._limit = limit
        self.name = field.name
        self.wire = field.wire
        self.may_be_absent: bool = field.optional or field.is_set
        self.value = f"v{position}"
        self.payload = f"p{position}"
        slot = f"d{position}"
        # A key of an index is measured as it is stored, so its payload must be the text itself.
        parts = field.shape.payload_parts(program, self.value, ATTRIBUTE_LEVELS, as_json=limit is None)
        if parts is None:
            self.tag, self.slot, self.entry = "", "", f"{self.wire!r}: None"
            source = field.shape.encode_source(program, self.value, ATTRIBUTE_LEVELS)
            self._store = f"item[{self.wire!r}] = {source}"
        else:
            self.tag, source = parts
            self.slot, self.entry = f'{slot} = {{"{self.tag}": None}}', f"{self.wire!r}: {slot}"
            keep = f"{self.payload} = " if is_key or limit is not None else ""
            self._store = f'{slot}["{self.tag}"] = {keep}{source}'

    def lines(self) -> list[str]:
        """Return the lines that put its payload into the item, or note that it is absent."""
        present = [self._store, *self._check_lines()]
        if not self.may_be_absent:
            return present
        field, absent = self._field, [f"absent.append({self.wire!r})"]
        if isinstance(field.shape, SetShape):
            test = self.value
            is_empty = self._program.bind(field.shape.is_empty, "is_empty")
            absent = [f"if {no_set_test(field, self.value)}:", f"{INDENT}{is_empty}({self.value})", *absent]
        else:
            test = f"{self.value} is not None"
        return [
            f"if {test}:",
            *(f"{INDENT}{line}" for line in present),
            "else:",
            *(f"{INDENT}{line}" for line in absent),
        ]

    def _check_lines(self) -> list[str]:
        """Return the lines that measure it, where it is a key of an index."""
        if self._limit is None or self.tag == "N":
            return []
        check = f"{self._program.bind(self._limit.check, 'check')}(item)"
        if self.tag != "S":
            return [check]
        return [f"if not 0 < len({self.payload}) <= {self._limit.limit // UTF8_BYTES}:", f"{INDENT}{check}"]
