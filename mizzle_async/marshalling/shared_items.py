"""Items of shared tables: keys, type and index keys are written beside the attributes, and checked against them.

The common case is generated for each entity. An item that is unusual, or wrong, is done again by the careful functions
here, whose errors name the misfit.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Final

from msgspec import UNSET

from mizzle_async.errors import MarshallingError
from mizzle_async.marshalling.entities import known_key, refuse_key_names
from mizzle_async.marshalling.lamp import Lamp
from mizzle_async.marshalling.record_values import fits_records
from mizzle_async.marshalling.records import ItemRecords, KeyCheck, item_of, item_records
from mizzle_async.marshalling.shapes.by_value import ATTRIBUTE_LEVELS
from mizzle_async.marshalling.shapes.generated_classes import ClassShape
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.shared_source import SharedSource
from mizzle_async.marshalling.wellformed import NO_ITEM, unreadable
from mizzle_async.marshalling.written_keys import KEY_LIMITS, WrittenKey, checked_key, written_keys
from mizzle_async.model import EntitySchema, SharedKeys, mappings_of
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.model.shared.texts import read_key, write_key, write_part
from mizzle_async.types import AttributeValue, Item

TYPE_SLOT: Final = "kind"
"""The slot of records for the name of an item's entity, as `SharedItems.is_foreign` reads it."""


class SharedItems:
    """Writes and checks keys, type and index keys of an entity of a shared table.

    Attributes:
        schema: The entity's.
        keys: Its keys in the table.
    """

    def __init__(
        self,
        schema: EntitySchema,
        shape: ClassShape,
        encode: Callable[[Any], Item],
        decode: Callable[[Item], Any],
        hooked: frozenset[str],
        *,
        decoder_of: Callable[[type[Any]], Callable[[Item], Any]],
    ) -> None:
        """Take the functions of the entity's own attributes.

        Args:
            schema: The entity's.
            shape: How its instances are stored.
            encode: Returns the attributes of an instance.
            decode: Returns the instance of an item's attributes.
            hooked: The attributes that the user's converter stores, by stored name.
            decoder_of: Returns the function that decodes items of another entity.
        """
        assert schema.shared is not None  # noqa: S101  (made for entities of shared tables only)
        self.schema: Final = schema
        self.keys: Final[SharedKeys] = schema.shared
        self._shape = shape
        self._encode = encode
        self._decode = decode
        self._hooked = hooked
        self._decoder_of = decoder_of
        self._type: AttributeValue = {"S": self.keys.type_names[0]}
        self._key_only = tuple(each.name for each in schema.attributes if each.key_only)
        self._written: tuple[WrittenKey, ...] | None = None
        self._fast_encode: Callable[[Any], Item] | None = None
        self._fast_decode: Callable[[Item], Any] | None = None
        self._fast_keys: tuple[Callable[[Mapping[str, Any]], Item], Callable[[Any], Item]] | None = None
        self._judged: tuple[Mapping[type[Any], SharedKeys], Callable[[Any], bool]] | None = None
        self._has_records: bool | None = None

    @property
    def written(self) -> tuple[WrittenKey, ...]:
        """The index key attributes that the library writes. After the first look the entity takes no more indexes."""
        found = self._written
        if found is None:
            self.keys.table.seal(self.schema.cls)
            found = self._written = written_keys(self.keys, mappings_of(self.schema.cls))
        return found

    @property
    def added_names(self) -> frozenset[str]:
        """The stored names of everything that is not an attribute of the class."""
        table = self.keys.table
        index_keys = (name for index in table.indexes.values() for name in index.key_names)
        kind = () if table.type_attribute is None else (table.type_attribute,)
        return frozenset((*table.key_names, *kind, *index_keys))

    # ── keys ──

    def encode_key(self, values: Mapping[str, Any]) -> Item:
        """Return the key of values by Python name.

        Raises:
            ExpressionError: They are not exactly the key's.
            MarshallingError: A value does not fit.
        """
        return (self._fast_keys or self._compiled_keys())[0](values)

    def encode_key_carefully(self, values: Mapping[str, Any]) -> Item:
        """Return the key of values by Python name, or raise the error that names the misfit."""
        if set(values) != set(self.keys.fields):
            refuse_key_names(self.schema, values)
        return self._key(values)

    def key_of(self, instance: Any) -> Item:
        """Return the key of an instance.

        Raises:
            MarshallingError: A value does not fit.
        """
        return (self._fast_keys or self._compiled_keys())[1](instance)

    def key_of_carefully(self, instance: Any) -> Item:
        """Return the key of an instance, or raise the error that names the misfit."""
        return self._key(vars(instance))

    def _key(self, values: Mapping[str, Any]) -> Item:
        names = self.keys.table.key_names
        texts = [write_key(form, values) for form in self.keys.formats]
        for name, text, limit in zip(names, texts, KEY_LIMITS, strict=False):
            checked_key(self.schema.entity, name, text, limit)
        return {name: {"S": text} for name, text in zip(names, texts, strict=True)}

    def parts_of(self, values: Mapping[str, Any]) -> Item:
        """Return the parts of a key as they are stored beside it, from values by Python name."""
        parts: Item = {}
        for name in self.keys.fields:
            attribute = self.schema.by_field[name]
            if not attribute.key_only:
                parts[attribute.name] = self._shape.by_name[name].shape.encode(values[name], ATTRIBUTE_LEVELS)
        return parts

    def values_of_key(self, key: Item) -> dict[str, Any]:
        """Return the values that a stored key has, by name in Python: those that it has whole.

        Raises:
            MarshallingError: The key has another format.
        """
        values: dict[str, Any] = {}
        for name, form in zip(self.keys.table.key_names, self.keys.formats, strict=True):
            where = f"{self.schema.entity}.{name}"
            stored = key.get(name, {}).get("S")
            if not isinstance(stored, str):
                raise MarshallingError(f"{where}: expected a key of the format {form.text}, found none", path=where)
            for field, value in read_key(form, stored, where).items():
                if values.setdefault(field, value) != value:
                    raise MarshallingError(f"{where}: {field} has two values in one key", path=where)
        return values

    def decode_part(self, field: str, stored: AttributeValue) -> Any:
        """Return the value of an attribute as it is stored.

        Raises:
            MarshallingError: It does not fit the attribute's type.
        """
        try:
            return self._shape.by_name[field].decode(stored)
        except Misfit as misfit:
            raise misfit.at_field(field).to_error(self.schema.entity) from None

    # ── writing ──

    @property
    def type_item(self) -> Item:
        """The type attribute as it is stored. Empty where the table has none."""
        name = self.keys.table.type_attribute
        return {} if name is None else {name: self._type}

    def encode(self, instance: Any) -> Item:
        """Return the item of an instance: keys, type, attributes and index keys."""
        fast = self._fast_encode
        if fast is None:
            fast = self._fast_encode = self._compiled()[0]
        return fast(instance)

    def encode_carefully(self, instance: Any) -> Item:
        """Return the item of an instance, or raise the error that names the misfit."""
        attributes = self._encode(instance)
        values = vars(instance)
        item = {**self._key(values), **self.type_item, **attributes}
        for name in self._key_only:
            item.pop(name, None)
        item.update(self.index_keys(values))
        return item

    def index_keys(self, values: Mapping[str, Any]) -> Item:
        """Return the index key attributes of an item's values by Python name. An absent one is left out.

        Raises:
            ModelError: The item fills an index in two ways.
            MarshallingError: A value does not fit.
            LimitError: A key is too long.
        """
        keys: Item = {}
        for written in self.written:
            text = written.text(self.schema.entity, values)
            if text is not None:
                keys[written.name] = {"S": text}
        return keys

    def renew(self, item: Item) -> None:
        """Write the index keys of an item anew, after roles have given its attributes their values."""
        if not any(self.schema.by_field[field].is_automatic for each in self.written for field in each.fields):
            return
        values = {
            field: self._value_in(item, field) for field in {name for each in self.written for name in each.fields}
        }
        for written in self.written:
            item.pop(written.name, None)
        item.update(self.index_keys(values))

    def _value_in(self, item: Item, field: str) -> Any:
        attribute = self.schema.by_field[field]
        stored = item.get(attribute.name)
        if stored is not None:
            return self.decode_part(field, stored)
        if attribute.key_only:
            return self.values_of_key(item).get(field)
        return None

    # ── reading ──

    @property
    def is_foreign(self) -> Callable[[Any], bool]:
        """A function that says whether a stored item, dict or record, belongs to another entity, or to none.

        Its type decides where the item has it. Otherwise its key does. It is the same function until the table has
        another entity.
        """
        members = self.keys.table.members
        if self._judged is None or self._judged[0] is not members:
            self._judged = members, self._foreign_test()
        return self._judged[1]

    def are_own(self, items: Sequence[Any]) -> bool:
        """Return whether many items are records whose types say that all of them are the entity's.

        False where items have to be looked at one by one.
        """
        if not items or isinstance(items[0], dict):
            return False
        try:
            return {item.kind.S for item in items}.issubset(self.keys.family_names)
        except AttributeError:  # an item that is known by its key alone
            return False

    def _foreign_test(self) -> Callable[[Any], bool]:
        name, own, fits = self.keys.table.type_attribute, self.keys.family_names, self.keys.fits
        key_names = self.keys.table.key_names

        def is_foreign(item: Any) -> bool:
            if not isinstance(item, dict):
                if name is not None and item.kind is not UNSET:
                    return item.kind.S not in own
                item = item_of(item)
            try:
                stored = None if name is None else item.get(name)
                if stored is not None:
                    return stored.get("S") not in own
                return not fits([item.get(each, {}).get("S") for each in key_names])
            except NO_ITEM as error:  # the answer may hold anything
                raise unreadable(self.schema.entity, error, known_key(self.schema, item)) from error

        return is_foreign

    def decode(self, item: Item, _target: Any = None) -> Any:
        """Return the instance of an item. The argument beside it is for cattrs."""
        fast = self._fast_decode
        if fast is None:
            fast = self._fast_decode = self._compiled()[1]
        return fast(item)

    def decode_carefully(self, item: Item) -> Any:
        """Return the instance of an item, or raise the error that names the misfit.

        An item of an entity that inherits from this one gives an instance of that class.

        Raises:
            MarshallingError: The item is of another entity, its key has another form, or disagrees with an attribute.
        """
        relative = self._relative(item)
        if relative is not None:
            return self._decoder_of(relative.cls)(item)
        self._check_type(item)
        known = known_key(self.schema, item)
        try:
            values = self.values_of_key(item)
            attributes = self._with_parts(item, values)
        except MarshallingError as error:
            raise MarshallingError(error.message, path=error.path, key=known) from None
        instance = self._decode(attributes)
        self._check_key(item, instance, known)
        return instance

    def _relative(self, item: Item) -> SharedKeys | None:
        """Return the entity that inherits from this one and that an item is of, None where the item is of no such."""
        name = self.keys.table.type_attribute
        stored = None if name is None else item.get(name)
        if stored is None:
            return None
        kind = stored.get("S")
        return next((each for each in self.keys.family[1:] if kind in each.type_names), None)

    def _check_type(self, item: Item) -> None:
        name = self.keys.table.type_attribute
        stored = None if name is None else item.get(name)
        if stored is None or stored.get("S") in self.keys.type_names:
            return
        where = f"{self.schema.entity}.{name}"
        expected = " or ".join(map(repr, self.keys.type_names))
        raise MarshallingError(
            f"{where}: expected an item of type {expected}, found one of another type",
            path=where,
            key=known_key(self.schema, item),
        )

    def _with_parts(self, item: Item, values: Mapping[str, Any]) -> Item:
        """Return an item's attributes without the names that the table adds, and with parts that its key alone has."""
        added = self.added_names
        attributes = {name: stored for name, stored in item.items() if name not in added}
        for field, value in values.items():
            attribute = self.schema.by_field[field]
            if attribute.name not in attributes:
                try:
                    stored = self._shape.by_name[field].shape.encode(value, ATTRIBUTE_LEVELS)
                except Misfit as misfit:
                    raise misfit.at_field(field).to_error(self.schema.entity) from None
                attributes[attribute.name] = stored
        return attributes

    def _check_key(self, item: Item, instance: Any, known: Item) -> None:
        values = vars(instance)
        for name, form in zip(self.keys.table.key_names, self.keys.formats, strict=True):
            stored = item[name]["S"]
            if write_key(form, values) == stored:
                continue
            match = form.pattern.fullmatch(stored)
            groups = match.groups() if match is not None else ()
            part = next(
                (
                    part
                    for part, group in zip(form.parts, groups, strict=False)
                    if write_part(part, values[part.field]) != group
                ),
                None,
            )
            where = f"{self.schema.entity}.{name if part is None else part.field}"
            raise MarshallingError(
                f"{where}: the attribute and its part of the key {name!r} disagree", path=where, key=known
            )

    # ── generated functions ──

    def records(self, identify: Callable[[Item], Hashable], lamp: Lamp) -> ItemRecords | None:
        """Return the lighter form of items, None where only the values of an item can tell whether its key is right.

        Args:
            identify: Tells items apart by their keys.
            lamp: Counts the records that are decoded as items.
        """
        added = sorted(self.added_names)
        # Items of entities that inherit from this one have attributes that its records lack.
        if self._has_records is False or len(self.keys.family) > 1 or not fits_records(self._shape, added):
            return None

        def check(program: Program, place: Callable[[str, str], str]) -> KeyCheck:
            found = SharedSource(self.schema, self._hooked, program=program, place=place).key_checks()
            if found is None:
                raise LookupError
            return found

        kind = self.keys.table.type_attribute
        slots = {name: TYPE_SLOT if name == kind else f"k{number}" for number, name in enumerate(added)}
        try:
            made = item_records(self.schema, self._shape, self.decode, identify, lamp, added=slots, check=check)
        except LookupError:
            made = None
        self._has_records = made is not None
        return made

    def _compiled_keys(self) -> tuple[Callable[[Mapping[str, Any]], Item], Callable[[Any], Item]]:
        source = SharedSource(self.schema, self._hooked, KEY_LIMITS)
        fast = self._fast_keys = source.compile_keys(self.encode_key_carefully, self.key_of_carefully)
        return fast

    def _compiled(self) -> tuple[Callable[[Any], Item], Callable[[Item], Any]]:
        source = SharedSource(self.schema, self._hooked, KEY_LIMITS)
        return source.compile(
            self.written, (self._encode, self._decode), (self.encode_carefully, self.decode_carefully)
        )
