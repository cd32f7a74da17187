"""Items from JSON into records, for reads of many items, without dicts in between.

Parsed as any JSON is, a page of a hundred items of ten attributes becomes eleven hundred dicts, and making, reading and
freeing them is half of what the page costs. So an entity tells msgspec its stored form, and each attribute becomes an
object with one slot, each item one with a slot for each attribute::

    class S:                  class N:                  class Record:
        S: str                    N: str                    a0: S
                                                            a1: N = UNSET

    def decode(item):
        self = new(Order)
        self.customer_id = item.a0.S
        self.rating = int(item.a1.N) if item.a1 is not UNSET else 0
        return self

It is for the common case: where one item of an answer is not as its class declares it (another descriptor, an attribute
missing), all of the answer is parsed as any JSON is, and its items are dicts. A value that is stored as anything but
text, number, truth value, bytes or a set of them is a dict within its record in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, TypeAlias, TypedDict

import orjson
from attrs import frozen
from msgspec import UNSET, DecodeError, Struct, UnsetType, defstruct, to_builtins
from msgspec.json import Decoder

from mizzle_async.marshalling.lamp import Lamp
from mizzle_async.marshalling.shapes.construct import Construction
from mizzle_async.marshalling.shapes.fields import Field
from mizzle_async.marshalling.shapes.generated_classes import (
    INDENT,
    ClassShape,
    absent_source,
    indented,
    instance_lines,
    is_made_of_instance,
)
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.shapes.scalars import Scalar
from mizzle_async.marshalling.shapes.sets import ScalarSetShape
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.model import EntitySchema
from mizzle_async.types import AttributeValue, Item
from mizzle_async.values import Record

ItemRecord: TypeAlias = Struct
"""An item in the form of its entity's record."""


@frozen(eq=False, repr=False)
class KeyCheck(Record):
    """The source of a check that the keys of an item agree with its attributes.

    Attributes:
        lines: Lines before the test.
        test: The test.
        texts: Variables that hold the stored text of an attribute after those lines, by its stored name.
    """

    lines: Sequence[str]
    test: str
    texts: Mapping[str, str]


CheckSource: TypeAlias = Callable[[Program, Callable[[str, str], str]], KeyCheck]
"""Writes a check. It takes the program, and a function that writes the place of a stored value."""

_PAYLOADS: Final[dict[str, Any]] = {
    **dict.fromkeys(("S", "N", "B"), str),
    "BOOL": bool,
    **dict.fromkeys(("SS", "NS", "BS"), list[str]),
}
_STORED: Final = {tag: defstruct(tag, [(tag, payload)], gc=False) for tag, payload in _PAYLOADS.items()}
_STORED_OR_NULL: Final = {
    tag: defstruct(
        f"{tag}OrNull",
        [(tag, payload | UnsetType, UNSET), ("NULL", bool | UnsetType, UNSET)],
        forbid_unknown_fields=True,
        gc=False,
    )
    for tag, payload in _PAYLOADS.items()
}


class RecordForm:
    """The parsing of answers whose items are records.

    Args:
        cls: The records' class.
        slots: The slot of each attribute, by its stored name.

    Attributes:
        cls: The records' class.
    """

    __slots__ = ("_decoder", "_payloads", "_slots", "cls")

    def __init__(self, cls: type[ItemRecord], slots: Mapping[str, str]) -> None:
        self._slots = slots
        self._payloads: dict[tuple[str, str], Callable[[Sequence[ItemRecord]], list[Any]]] = {}
        self._decoder: Decoder[Any] = Decoder(_answer_type(cls))
        self.cls: Final[type[ItemRecord]] = cls

    def parse(self, body: bytes) -> Any:
        """Return the parsed answer, whose items are records where all of them fit, else dicts.

        Raises:
            ValueError: It is not JSON.
        """
        try:
            return self._decoder.decode(body)
        except (DecodeError, UnicodeDecodeError, RecursionError):
            return orjson.loads(body)

    def holds(self, names: Iterable[str]) -> bool:
        """Tell whether records have all of these names: of a shared table they lack what other entities have."""
        return all(name in self._slots for name in names)

    def stored(self, record: ItemRecord, name: str) -> AttributeValue | None:
        """Return the stored value of a record's attribute, by its stored name, None where it is absent."""
        found = getattr(record, self._slots[name])
        return None if found is UNSET else to_builtins(found)

    def unlike(self, records: Sequence[ItemRecord], name: str, value: AttributeValue) -> list[AttributeValue | None]:
        """Return the stored values of an attribute that differ from a text, a number, or bytes.

        Args:
            records: The records.
            name: The attribute's stored name.
            value: The value.

        Returns:
            The values of those records alone that have another one, or the same in another form, None where it is
            absent.
        """
        ((tag, payload),) = value.items()
        try:
            if self._payloads_of(name, tag)(records).count(payload) == len(records):
                return []  # as almost always
        except AttributeError:
            pass  # another descriptor, or none
        values = [self.stored(record, name) for record in records]
        return [each for each in values if each != value]

    def _payloads_of(self, name: str, tag: str) -> Callable[[Sequence[ItemRecord]], list[Any]]:
        """Return a function for the payloads that many records have of an attribute under one descriptor."""
        read = self._payloads.get((name, tag))
        if read is None:
            program = Program(self.cls.__name__)
            program.add(_list_of("payloads", f"item.{self._slots[name]}.{tag}"))
            read = self._payloads[name, tag] = program.compile()["payloads"]
        return read


class ItemRecords(RecordForm):
    """The records of one entity's whole items.

    Attributes:
        decode: Returns the instance of a record, or raises as the decoder of items does.
        identify: Returns the identity of a record's key, as `EntityCodec.identify` does.
        identify_all: Returns the identities of many records' keys.
    """

    __slots__ = ("decode", "identify", "identify_all")

    def __init__(
        self,
        cls: type[ItemRecord],
        decode: Callable[[ItemRecord], Any],
        identify: Callable[[ItemRecord], Hashable],
        identify_all: Callable[[Sequence[ItemRecord]], list[Hashable]],
        slots: Mapping[str, str],
    ) -> None:
        super().__init__(cls, slots)
        self.decode: Final[Callable[[ItemRecord], Any]] = decode
        self.identify: Final[Callable[[ItemRecord], Hashable]] = identify
        self.identify_all: Final[Callable[[Sequence[ItemRecord]], list[Hashable]]] = identify_all


def item_of(record: ItemRecord) -> Item:
    """Return the item that a record holds: of its entity's attributes, those that are stored."""
    item: Item = to_builtins(record)
    return item


def fits_records(shape: ClassShape, added: Iterable[str] = ()) -> bool:
    """Tell whether a class can have records: its instances need not see an item whole, or half of it.

    Args:
        shape: The class's.
        added: Names that items have beside its attributes.
    """
    names = (*shape.by_wire, *added)
    if shape.refuses_unknown or any(orjson.dumps(name)[1:-1] != name.encode() for name in names):
        return False  # msgspec takes no name that JSON escapes
    return shape.construction is not Construction.CALL or not any(is_made_of_instance(field) for field in shape.fields)


def item_records(
    schema: EntitySchema,
    shape: ClassShape,
    decode: Callable[[Item], Any],
    identify: Callable[[Item], Hashable],
    lamp: Lamp,
    *,
    added: Mapping[str, str] | None = None,
    check: CheckSource | None = None,
) -> ItemRecords:
    """Write and compile the records of an entity.

    Args:
        schema: The entity's.
        shape: How its instances are stored.
        decode: Returns the instance of an item, where a record is not of the common kind.
        identify: Tells items apart by their keys.
        lamp: Counts the records that are decoded as items.
        added: Names that items have beside the attributes of the class, all of them text, with their slots.
        check: Writes the test that a record is the entity's, where it need not be.
    """
    slots = {**(added or {}), **slots_of(shape)}
    cls = record_class(schema, shape, slots)
    program = Program(schema.entity)
    known: Mapping[str, str] = {}
    before: list[str] = []
    if check is not None:
        checked = check(program, lambda name, tag: f"item.{slots[name]}.{tag}")
        known = checked.texts
        before = [*checked.lines, f"if not ({checked.test}):", f"{INDENT}raise KeyError"]

    def value(program: Program, field: Field) -> str:
        if field.wire in known and isinstance(field.shape, Scalar) and not field.may_be_absent:
            return field.shape.value_source(program, known[field.wire])
        return value_source(program, field, slots[field.wire])

    lines = [*before, *instance_lines(program, shape, value)]
    whole = f"{program.bind(decode, 'decode')}({program.bind(item_of, 'item_of')}(item))"
    count = f"{program.bind(lamp, 'lamp')}.decoded += 1"
    body = ["try:", *(f"{INDENT}{line}" for line in lines), "except Exception:", f"{INDENT}{count}", f"return {whole}"]
    program.add(f"def decode_record(item):\n{indented(body)}")
    tags = {name: _tag(shape.by_wire[name]) if name in shape.by_wire else "S" for name in schema.key_names}
    keys = {name: (slots[name], tag) for name, tag in tags.items()}
    of_record = _identifier(keys, identify)
    texts = [f"item.{slot}.S" for slot, tag in keys.values() if tag == "S"]
    is_text = len(texts) == len(keys)
    identity = f"({', '.join(texts)})" if is_text else f"{program.bind(of_record, 'identify')}(item)"
    program.add(_list_of("identify_records", identity))
    functions = program.compile()
    return ItemRecords(cls, functions["decode_record"], of_record, functions["identify_records"], slots)


def _list_of(name: str, value: str) -> str:
    """Return the source of a function that makes a list of a value of each record, which is named ``item``."""
    return f"def {name}(items):\n{INDENT}return [{value} for item in items]"


def slots_of(shape: ClassShape) -> dict[str, str]:
    """Return the slot of each attribute of a class, by its stored name."""
    return {field.wire: f"a{position}" for position, field in enumerate(shape.fields)}


def record_class(
    schema: EntitySchema, shape: ClassShape, slots: Mapping[str, str], *, is_partial: bool = False
) -> type[ItemRecord]:
    """Make the class of an entity's records.

    Args:
        schema: The entity's.
        shape: How its instances are stored.
        slots: The slot of each attribute, by its stored name.
        is_partial: Whether every attribute may be absent, or only those that an item may lack.
    """
    members: list[Any] = [
        (slot, _STORED["S"] | UnsetType, UNSET) for name, slot in slots.items() if name not in shape.by_wire
    ]
    members += [_member(field, slots[field.wire], is_partial=is_partial) for field in shape.fields]
    names = {slot: wire for wire, slot in slots.items()}
    return defstruct(f"{schema.entity}Record", members, rename=names, kw_only=True, gc=False)


def _answer_type(cls: type[ItemRecord]) -> Any:
    """Return the type of the answers to Query, Scan and BatchGetItem whose items are such records."""
    members: dict[str, Any] = {
        "Items": list[cls],  # type: ignore[valid-type]  # made at run time, as its attributes are
        "Responses": dict[str, list[cls]],  # type: ignore[valid-type]  # the same
        "Count": int,
        "ScannedCount": int,
        "LastEvaluatedKey": dict[str, Any],
        "UnprocessedKeys": dict[str, Any],
        "ConsumedCapacity": Any,
    }
    make: Any = TypedDict  # type checkers want to read its members
    return make("Answer", members, total=False)


def _tag(field: Field) -> str | None:
    """Return the one descriptor that a value's payload stands under, or None where it is stored otherwise."""
    shape = field.shape
    return shape.tag if isinstance(shape, Scalar | ScalarSetShape) else None


def _member(field: Field, slot: str, *, is_partial: bool) -> tuple[str, Any] | tuple[str, Any, Any]:
    tag = _tag(field)
    kind: Any = dict[str, Any]
    if tag is not None:
        kind = (_STORED_OR_NULL if field.takes_null else _STORED)[tag]
    return (slot, kind | UnsetType, UNSET) if is_partial or field.may_be_absent else (slot, kind)


def value_source(program: Program, field: Field, slot: str, *, is_partial: bool = False) -> str:
    """Return an expression for an attribute's value in a record that is named ``item``, there or absent.

    Args:
        program: The program that is written.
        field: The attribute.
        slot: Its slot.
        is_partial: Whether it may be absent without having a value then, which is None.
    """
    shape, found = field.shape, f"item.{slot}"
    if not field.may_be_absent and not is_partial:
        return _present_source(program, shape, found)
    unset, stored = program.bind(UNSET, "unset"), program.fresh()
    is_absent = f"({stored} := {found}) is {unset}"
    has_value = field.may_be_absent and not field.optional and not (is_partial and is_made_of_instance(field))
    absent = absent_source(program, field) if has_value else "None"
    if not field.takes_null:
        return f"{absent} if {is_absent} else {_present_source(program, shape, stored)}"
    if not isinstance(shape, Scalar | ScalarSetShape):
        return f'{absent} if {is_absent} or "NULL" in {stored} else {shape.decode_source(program, stored)}'
    payload, null = program.fresh(), program.bind(_null, "null")
    present = f"({shape.value_source(program, payload)}) if ({payload} := {stored}.{shape.tag}) is not {unset}"
    is_null = f"{null}({stored})" if field.optional else f"({null}({stored}), {absent})[1]"
    return f"{absent} if {is_absent} else {present} else {is_null}"


def _present_source(program: Program, shape: Shape, stored: str) -> str:
    if isinstance(shape, Scalar | ScalarSetShape):
        return shape.value_source(program, f"{stored}.{shape.tag}")
    return shape.decode_source(program, stored)


def _null(stored: Any) -> None:
    """Return None for a stored NULL. Anything else is for the item's own decoder to refuse."""
    if stored.NULL is UNSET:
        raise KeyError


def _identifier(
    keys: Mapping[str, tuple[str, str | None]], identify: Callable[[Item], Hashable]
) -> Callable[[ItemRecord], Hashable]:
    """Return a function for the identity of a record's key: of text, the texts themselves."""
    if all(tag == "S" for _, tag in keys.values()):
        return attrgetter(*(f"{slot}.S" for slot, _ in keys.values()))

    def by_key(record: ItemRecord) -> Hashable:
        found = {name: (getattr(record, slot), tag) for name, (slot, tag) in keys.items()}
        return identify(
            {name: stored if tag is None else {tag: getattr(stored, tag)} for name, (stored, tag) in found.items()}
        )

    return by_key
