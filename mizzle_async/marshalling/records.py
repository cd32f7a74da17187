"""Items from JSON into records, without dicts in between.

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
missing), all of the answer is parsed as any JSON is, and its items are dicts.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, TypeAlias, TypedDict

import orjson
from attrs import frozen
from msgspec import UNSET, DecodeError, Raw, to_builtins
from msgspec.json import Decoder

from mizzle_async.marshalling.lamp import Lamp
from mizzle_async.marshalling.record_values import ItemRecord, descriptor_of, record_class, slots_of, value_source
from mizzle_async.marshalling.shapes.fields import Field
from mizzle_async.marshalling.shapes.generated_classes import INDENT, ClassShape, indented, instance_lines
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.shapes.scalars import Scalar
from mizzle_async.model import EntitySchema
from mizzle_async.types import AttributeValue, Item
from mizzle_async.values import Record


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


class _Found(TypedDict, total=False):
    """The answer to one read of a transaction."""

    Item: Raw


class _Transaction(TypedDict, total=False):
    """The answer to a transaction of reads."""

    Responses: list[_Found]
    ConsumedCapacity: Any


_TRANSACTION: Final[Decoder[Any]] = Decoder(_Transaction)


class RecordForm:
    """The parsing of answers whose items are records.

    Args:
        cls: The records' class.
        slots: The slot of each attribute, by its stored name.

    Attributes:
        cls: The records' class.
    """

    __slots__ = ("_decoder", "_item_decoder", "_payloads", "_slots", "cls")

    def __init__(self, cls: type[ItemRecord], slots: Mapping[str, str]) -> None:
        self._slots = slots
        self._payloads: dict[tuple[str, str], Callable[[Sequence[ItemRecord]], list[Any]]] = {}
        self._decoder: Decoder[Any] = Decoder(_answer_type(cls))
        self._item_decoder: Decoder[Any] = Decoder(cls)
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

    def parse_item(self, body: bytes | Raw) -> Any:
        """Return a parsed item: a record where it fits, else a dict.

        Raises:
            ValueError: It is not JSON.
        """
        try:
            return self._item_decoder.decode(body)
        except (DecodeError, UnicodeDecodeError, RecursionError):
            return orjson.loads(memoryview(body))

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
        agrees: Tells whether a record is the entity's, or raises any exception. None where each is.
        decode: Returns the instance of a record, or raises as the decoder of items does.
        identify: Returns the identity of a record's key, as `EntityCodec.identify` does.
        identify_all: Returns the identities of many records' keys.
        lies_under: Tells whether a record has a key, which is given as an item. It says no where another text is the
            same number.
    """

    __slots__ = ("agrees", "decode", "identify", "identify_all", "lies_under")

    def __init__(
        self,
        cls: type[ItemRecord],
        slots: Mapping[str, str],
        identify: Callable[[ItemRecord], Hashable],
        functions: Mapping[str, Callable[..., Any]],
    ) -> None:
        super().__init__(cls, slots)
        self.identify: Final[Callable[[ItemRecord], Hashable]] = identify
        self.agrees: Final[Callable[[ItemRecord], bool] | None] = functions.get("agrees")
        self.decode: Final[Callable[[ItemRecord], Any]] = functions["decode_record"]
        self.identify_all: Final[Callable[[Sequence[ItemRecord]], list[Hashable]]] = functions["identify_records"]
        self.lies_under: Final[Callable[[ItemRecord, Item], bool]] = functions["lies_under"]


def parse_items(body: bytes, forms: Sequence[RecordForm | None]) -> Any:
    """Return the parsed answer to a transaction of reads.

    Args:
        body: The answer.
        forms: The form in which each item is read, None where it is a dict.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        answer: Any = _TRANSACTION.decode(body)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return orjson.loads(body)
    for each, form in zip(answer.get("Responses", ()), forms, strict=False):
        raw: Raw | None = each.get("Item")
        if raw is not None:
            each["Item"] = orjson.loads(memoryview(raw)) if form is None else form.parse_item(raw)
    return answer


def item_of(found: Item | ItemRecord) -> Item:
    """Return an item itself, or that which a record holds: of its entity's attributes, those that are stored."""
    if isinstance(found, dict):
        return found
    item: Item = to_builtins(found)
    return item


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
    cls = record_class(f"{schema.entity}Record", shape, slots)
    program = Program(schema.entity)
    known: Mapping[str, str] = {}
    before: list[str] = []
    if check is not None:
        checked = check(program, lambda name, tag: f"item.{slots[name]}.{tag}")
        known = checked.texts
        before = [*checked.lines, f"if not ({checked.test}):", f"{INDENT}raise KeyError"]
        program.add(f"def agrees(item):\n{indented([*checked.lines, f'return {checked.test}'])}")

    def value(program: Program, field: Field) -> str:
        if field.wire in known and isinstance(field.shape, Scalar) and not field.may_be_absent:
            return field.shape.value_source(program, known[field.wire])
        return value_source(program, field, slots[field.wire])

    lines = [*before, *instance_lines(program, shape, value)]
    whole = f"{program.bind(decode, 'decode')}({program.bind(item_of, 'item_of')}(item))"
    decoded = f"{program.bind(lamp, 'lamp')}.decoded"
    body = ["try:", *(f"{INDENT}{line}" for line in lines), "except Exception:", f"{INDENT}count = {decoded} + 1"]
    body += [
        "try:",
        f"{INDENT}return {whole}",
        "finally:",
        f"{INDENT}{decoded} = count",
    ]  # once, though its decoder counts too
    program.add(f"def decode_record(item):\n{indented(body)}")
    fields = shape.by_wire
    tags = [descriptor_of(fields[name].shape) if name in fields else "S" for name in schema.key_names]
    keys = {name: (slots[name], tag) for name, tag in zip(schema.key_names, tags, strict=True)}
    of_record = _identifier(keys, identify)
    texts = [f"item.{slot}.S" for slot, tag in keys.values() if tag == "S"]
    is_text = len(texts) == len(keys)
    identity = f"({', '.join(texts)})" if is_text else f"{program.bind(of_record, 'identify')}(item)"
    program.add(_list_of("identify_records", identity))
    same = (
        f"item.{slot} == key[{name!r}]" if tag is None else f"item.{slot}.{tag} == key[{name!r}][{tag!r}]"
        for name, (slot, tag) in keys.items()
    )
    program.add(f"def lies_under(item, key):\n{INDENT}return {' and '.join(same)}")
    return ItemRecords(cls, slots, of_record, program.compile())


def _list_of(name: str, value: str) -> str:
    """Return the source of a function that makes a list of a value of each record, which is named ``item``."""
    return f"def {name}(items):\n{INDENT}return [{value} for item in items]"


def _answer_type(cls: type[ItemRecord]) -> Any:
    """Return the type of the answers whose items are such records. Of other members an operation may say more."""
    members: dict[str, Any] = {
        "Item": cls,
        "Attributes": cls,
        "Items": list[cls],  # type: ignore[valid-type]  # made at run time, as its attributes are
        "Responses": dict[str, list[cls]],  # type: ignore[valid-type]  # the same
        "Count": int,
        "ScannedCount": int,
        "LastEvaluatedKey": dict[str, Any],
        "UnprocessedKeys": dict[str, Any],
        **dict.fromkeys(("ConsumedCapacity", "ItemCollectionMetrics"), Any),
        **dict.fromkeys(("NextToken", "Table", "TableNames", "UnprocessedItems"), Any),
    }
    make: Any = TypedDict  # type checkers want to read its members
    return make("Answer", members, total=False)


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
