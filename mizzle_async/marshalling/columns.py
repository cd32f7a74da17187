"""Items into columns: for each attribute a list of its values, without an instance and, of records, without a dict.

A table library takes columns, and casts text to numbers and times in its own code, many times faster than Python makes
the values. So an entity's program has one comprehension for each attribute, which takes payloads as they are::

    def of_records(items):
        return [
            [item.a0.S for item in items],
            [default_1 if (t0 := item.a1) is unset else t0.N for item in items],
            [() if (t1 := item.a2) is unset else ((t2 := t1.SS).sort() or t2) for item in items],
        ]

The program is pure: which library makes arrays of the lists is not known here. A failure in it is found by the
careful way, attribute by attribute, which names the item and the attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, Generic, TypeAlias, TypeVar

from attrs import Converter
from msgspec import UNSET, to_builtins

from mizzle_async.errors import MizzleError
from mizzle_async.expressions import AttributePath
from mizzle_async.marshalling.codec import EntityCodec
from mizzle_async.marshalling.differences import value_at
from mizzle_async.marshalling.forms import FieldForm, Form, TextForm, form_of
from mizzle_async.marshalling.record_values import ItemRecord, descriptor_of, is_null_alone
from mizzle_async.marshalling.records import item_of
from mizzle_async.marshalling.shapes.by_value import ATTRIBUTE_LEVELS
from mizzle_async.marshalling.shapes.fields import Field, factory_of
from mizzle_async.marshalling.shapes.generated_classes import is_made_of_instance
from mizzle_async.marshalling.shapes.one_type import single
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.shapes.scalars import STR, Scalar
from mizzle_async.marshalling.shapes.sets import ScalarSetShape
from mizzle_async.marshalling.wellformed import NO_ITEM, unreadable
from mizzle_async.types import Item

ModelT = TypeVar("ModelT")
Lists = list[list[Any]]


class Column:
    """One attribute as a column.

    Attributes:
        name: Its name in Python.
        wire: Its stored name.
        form: Its columnar form.
        is_nullable: Whether a value may be null.
        text: How the entries of its list are read: as texts of this form, or as they are where it is empty.
    """

    __slots__ = ("_codec", "_field_form", "_reads_instances", "form", "is_nullable", "name", "text", "wire")

    def __init__(self, codec: EntityCodec[Any], field: Field) -> None:
        self._codec = codec
        self._field_form = FieldForm(field)
        self._reads_instances = is_made_of_instance(field) or isinstance(field.converter, Converter)
        self.name: Final[str] = field.name
        self.wire: Final[str] = field.wire
        self.form: Final[Form] = self._field_form.form
        self.is_nullable: Final[bool] = self._field_form.is_nullable
        self.text: Final[TextForm] = self.form.text

    @property
    def field(self) -> Field:
        """The attribute."""
        return self._field_form.field

    def value(self, item: Item | ItemRecord) -> Any:
        """Return the value of an item, carefully.

        Raises:
            Misfit: It does not fit.
        """
        stored = item_of(item)
        if self._reads_instances and self.wire not in stored:
            return self.of_instance(stored)
        return self._field_form.read(stored)

    def of_instance(self, item: Item | ItemRecord) -> Any:
        """Return the value that an instance of an item has: its default may be made of the other attributes."""
        instance = self._codec.decode(item_of(item))
        return self._of_value(getattr(instance, self.name))

    def _of_value(self, value: Any) -> Any:
        stored = self.field.encode(value, ATTRIBUTE_LEVELS)
        return self._field_form.when_absent() if stored is None else self.form.read(stored)

    def stored_payload(self, value: Any) -> Any:
        """Return the entry of the column's value in a list that `EntityColumns.items` takes.

        Raises:
            Misfit: It does not fit.
        """
        stored = self._field_form.write(value)
        tag = self._tag
        return stored if stored is None or not tag else stored[tag]

    def absent_source(self, program: Program) -> str:
        """Return an expression for the entry of an item that lacks the attribute, which stands in ``item``."""
        field = self.field
        if field.optional:
            return "None"
        if field.is_set:
            return "()"
        if self._reads_instances:
            return f"{program.bind(self._entry_of_instance, 'of_instance')}(item)"
        if factory_of(field.default) is None:
            return program.bind(self._default(), "default")
        return f"{program.bind(self._default, 'make_default')}()"

    def _default(self) -> Any:
        stored = self._field_form.stored_default()
        if stored is None:
            return None
        return stored[self._tag] if self.text else self.form.read(stored)

    def _entry_of_instance(self, item: Item | ItemRecord) -> Any:
        if not self.text:
            return self.of_instance(item)
        instance = self._codec.decode(item_of(item))
        stored = self.field.encode(getattr(instance, self.name), ATTRIBUTE_LEVELS)
        return None if stored is None else stored[self._tag]

    @property
    def _tag(self) -> str:
        shape = self.field.shape
        return shape.tag if isinstance(shape, Scalar | ScalarSetShape) else ""

    def present_source(self, program: Program, payload: str | None, stored: str, *, of_record: bool = False) -> str:
        """Return an expression for the entry of a stored value.

        Args:
            program: The program that is written.
            payload: An expression for its payload, where it has one descriptor.
            stored: An expression for the stored value.
            of_record: Whether it is a record's, whose lists are only read here: a set is sorted where it is.
        """
        if payload is None or self.form.payload is None:
            return f"{program.bind(self.form.read, 'read')}({stored})"
        if self.text:
            return payload
        if isinstance(self.field.shape, ScalarSetShape) and self.field.shape.of is STR:
            elements = program.fresh()
            return f"(({elements} := {payload}).sort() or {elements})" if of_record else f"sorted({payload})"
        return f"{program.bind(self.form.payload, 'read')}({payload})"

    def item_source(self, program: Program, _number: int) -> str:
        """Return an expression for the entry of an item, which stands in ``item``."""
        field, shape = self.field, self.field.shape
        tag = f'["{shape.tag}"]' if isinstance(shape, Scalar | ScalarSetShape) else ""
        if not field.may_be_absent:
            stored = f"item[{self.wire!r}]"
            return self.present_source(program, stored + tag if tag else None, stored)
        stored = program.fresh()
        present = self.present_source(program, stored + tag if tag else None, stored)
        is_null = f' or "NULL" in {stored}' if field.takes_null else ""
        absent = self.absent_source(program)
        return f"{absent} if ({stored} := item.get({self.wire!r})) is None{is_null} else {present}"

    def record_source(self, program: Program, number: int) -> str:
        """Return an expression for the entry of a record, which stands in ``item``.

        Args:
            program: The program that is written.
            number: The position of the attribute in its class.
        """
        field, shape, slot = self.field, self.field.shape, f"item.a{number}"
        tag = f".{shape.tag}" if isinstance(shape, Scalar | ScalarSetShape) else ""

        def present(found: str) -> str:
            return self.present_source(
                program, found + tag if tag else None, found if tag else one(found), of_record=True
            )

        def one(found: str) -> str:
            plain = f"{program.bind(to_builtins, 'plain')}({found})" if descriptor_of(shape) else found
            return f"{program.bind(single, 'single')}({plain})"

        if not field.may_be_absent:
            return present(slot)
        unset, stored, absent = program.bind(UNSET, "unset"), program.fresh(), self.absent_source(program)
        is_absent = f"({stored} := {slot}) is {unset}"
        if not field.takes_null:
            return f"{absent} if {is_absent} else {present(stored)}"
        if not tag:
            is_null = f'"NULL" in ({stored} := {one(stored)})'
            return f"{absent} if {is_absent} or {is_null} else {self.present_source(program, None, stored)}"
        payload, null = program.fresh(), program.bind(is_null_alone, "is_null")
        is_value = f"({payload} := {stored}{tag}) is not {unset} and {stored}.NULL is {unset}"
        is_null = f"not ({is_value}) and {null}({stored}, {payload})"
        present_payload = self.present_source(program, payload, payload, of_record=True)
        return f"{absent} if {is_absent} or {is_null} else {present_payload}"


class PathColumn:
    """A path of a projection as a column: what stands inside an attribute, or may be made of the instance.

    Attributes:
        name: The path in Python, without the entity.
        form: Its columnar form.
        is_nullable: A value may always be null: that which holds it may be absent.
        text: Its list holds values.
    """

    __slots__ = ("_codec", "_field_form", "_path", "form", "name")
    is_nullable = True
    text: TextForm = ""

    def __init__(self, codec: EntityCodec[Any], path: AttributePath[Any, Any]) -> None:
        target = codec.target_at(path.segments, path.documents)
        self._codec = codec
        self._path = path
        self._field_form = FieldForm(target) if isinstance(target, Field) else None
        self.name: Final[str] = str(path).partition(".")[2]
        self.form: Final[Form] = form_of(target) if self._field_form is None else self._field_form.form  # type: ignore[arg-type]  # no field, so a shape

    def value(self, item: Item | ItemRecord) -> Any:
        """Return the value of an item, None where nothing is stored.

        Raises:
            Misfit: It does not fit.
        """
        stored = item_of(item)
        segments = self._path.segments
        for length in range(1, len(segments) + 1):
            single(value_at(stored, segments[:length]) or {})
        found = value_at(stored, segments)
        if found is not None and "NULL" not in found:
            return self.form.read(found)
        is_held = found is not None or value_at(stored, segments[:-1]) is not None
        if self._field_form is None or not is_held or not self._field_form.field.may_be_absent:
            return None
        return None if is_made_of_instance(self._field_form.field) else self._field_form.when_absent()

    def item_source(self, program: Program, _number: int) -> str:
        """Return an expression for the entry of an item."""
        return f"{program.bind(self.value, 'value')}(item)"


AnyColumn: TypeAlias = Column | PathColumn


class EntityColumns(Generic[ModelT]):
    """The columns of an entity.

    Args:
        codec: The entity's.
        paths: The paths of a projection, None for every attribute.

    Attributes:
        codec: The entity's.
        columns: One for each attribute, in the order of the class, or one for each path.
    """

    def __init__(self, codec: EntityCodec[ModelT], paths: Sequence[AttributePath[Any, Any]] | None = None) -> None:
        shape = codec.class_shape
        self.codec: Final[EntityCodec[ModelT]] = codec
        self._is_whole = paths is None
        self._make_items: Callable[..., list[Item]] | None = None
        self._record: type[ItemRecord] | None = None
        self._of_records: Callable[[Sequence[ItemRecord]], Lists] | None = None
        self._agrees: Callable[[ItemRecord], bool] | None = None
        columns: list[AnyColumn]
        if paths is None:
            whole = [Column(codec, field) for field in shape.fields]
            columns = [*whole]
            if codec.records is not None:
                self._record, self._agrees = codec.records.cls, codec.records.agrees
                self._of_records = _program(codec.schema.entity, "of_records", whole, Column.record_source)
        else:
            columns = [_projected(codec, path) for path in paths]
        self.columns: Final[tuple[AnyColumn, ...]] = tuple(columns)
        self._of_items = _program(codec.schema.entity, "of_items", columns, _item_source)

    def lists(self, items: Sequence[Any]) -> tuple[Lists, bool]:
        """Return a list for each column, with None for null.

        Args:
            items: Items, or records of them.

        Returns:
            The lists, and whether those of columns that read texts hold texts. The others hold values.

        Raises:
            MarshallingError: An item does not fit.
        """
        try:
            of_records = self._of_records if items and type(items[0]) is self._record else None
            if of_records is not None and (self._agrees is None or all(map(self._agrees, items))):
                return of_records(items), True
            plain = [self._plain(item) for item in items]
            if all(sum(map(len, item.values())) == len(item) for item in plain):  # else a value is of two types
                return self._of_items(plain), True
        except MizzleError:
            raise
        except Exception:  # noqa: BLE001, S110  (the careful way says what it was)
            pass
        return [self.careful(column, items) for column in self.columns], False

    def items(self, lists: Sequence[Sequence[Any]]) -> list[Item]:
        """Return the items of a list for each attribute, as their class stores them.

        Args:
            lists: Of an attribute with one descriptor payloads, of others stored values, and None for absence.
        """
        maker = self._make_items
        if maker is None:
            whole = [column for column in self.columns if isinstance(column, Column)]
            maker = self._make_items = _items_maker(self.codec.schema.entity, whole)
        return maker(*lists)

    def _plain(self, item: Any) -> Item:
        """Return an item whose attributes are those of the class."""
        codec = self.codec
        if codec.shared is not None and self._is_whole:
            return codec.class_shape.encode_fields(codec.decode(item_of(item)), ATTRIBUTE_LEVELS)
        return item if codec.sharding is None else codec.sharding.collect(item)

    def careful(self, column: AnyColumn, items: Sequence[Any]) -> list[Any]:
        """Return the list of one column, of values in place of texts.

        Raises:
            MarshallingError: An item does not fit.
        """
        values: list[Any] = []
        for item in items:
            try:
                values.append(column.value(self._plain(item)))
            except NO_ITEM as error:
                raise self.misread(error, item) from error.__cause__
        return values

    def misread(self, error: Exception, item: Any) -> MizzleError:
        """Return the error of an item that does not fit, with its key."""
        stored = item_of(item)
        names = self.codec.schema.key_names
        return unreadable(self.codec.schema.entity, error, {name: stored[name] for name in names if name in stored})


@lru_cache(maxsize=128)
def columns_of(codec: EntityCodec[ModelT]) -> EntityColumns[ModelT]:
    """Return the columns of an entity, which are made once."""
    return EntityColumns(codec)


def _projected(codec: EntityCodec[Any], path: AttributePath[Any, Any]) -> AnyColumn:
    field = codec.class_shape.by_wire.get(str(path.segments[0])) if len(path.segments) == 1 else None
    if field is None or is_made_of_instance(field) or not (field.may_be_absent or field.wire in codec.schema.key_names):
        return PathColumn(codec, path)
    return Column(codec, field)


def _program(
    entity: str, name: str, columns: Sequence[Any], source: Callable[[Any, Program, int], str]
) -> Callable[[Any], Lists]:
    """Write and compile the function that returns the lists of items.

    Args:
        entity: The entity's name.
        name: The function's.
        columns: The columns.
        source: Returns the expression for the entry of a column, of ``item``.
    """
    program = Program(entity)
    lists = "".join(
        f"        [{source(column, program, number)} for item in items],\n" for number, column in enumerate(columns)
    )
    program.add(f"def {name}(items):\n    return [\n{lists}    ]\n")
    function: Callable[[Any], Lists] = program.compile()[name]
    return function


def _item_source(column: AnyColumn, program: Program, number: int) -> str:
    return column.item_source(program, number)


def _items_maker(entity: str, columns: Sequence[Column]) -> Callable[..., list[Item]]:
    """Write and compile the function that returns the items of lists: payloads where there is one descriptor."""
    program = Program(entity)
    always: list[str] = []
    perhaps: list[str] = []
    for number, column in enumerate(columns):
        shape, value = column.field.shape, f"v{number}"
        tag = shape.tag if isinstance(shape, Scalar | ScalarSetShape) else ""
        stored = f"{{{tag!r}: {value}}}" if tag else value
        if column.field.optional or column.field.is_set:
            perhaps += [f"if {value} is not None:", f"    item[{column.wire!r}] = {stored}"]
        else:
            always.append(f"{column.wire!r}: {stored}")
    names = "".join(f"v{number}, " for number in range(len(columns)))
    lines = [f"item = {{{', '.join(always)}}}", *perhaps, "items.append(item)"]
    body = "".join(f"        {line}\n" for line in lines)
    program.add(f"def items(*lists):\n    items = []\n    for {names}in zip(*lists):\n{body}    return items\n")
    function: Callable[..., list[Item]] = program.compile()["items"]
    return function
