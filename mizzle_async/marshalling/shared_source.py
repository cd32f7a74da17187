"""Generated functions of entities of shared tables: the common case of writing and checking their keys.

::

    def encode(self):
        try:
            item = attributes(self)
            v0 = self.customer_id
            if type(v0) is not str or not v0 or '#' in v0:
                raise ValueError
            k0 = f'CUSTOMER#{v0}'
            if len(k0) > 512:
                raise ValueError
            return {'PK': {'S': k0}, '_type': {'S': 'Customer'}, **item}
        except Exception:
            pass
        return carefully(self)

Where the common case raises, for any reason, the careful function does all of it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final, Protocol

from mizzle_async.expressions import Condition
from mizzle_async.marshalling.records import KeyCheck
from mizzle_async.marshalling.shapes.generated_classes import INDENT, indented
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.model import EntitySchema
from mizzle_async.model.annotations import without_none
from mizzle_async.model.shared.conditions import holds
from mizzle_async.model.shared.formats import KeyFormat, KeyPart
from mizzle_async.model.shared.parts import BUCKET_WIDTHS, DATETIME_WIDTHS
from mizzle_async.model.shared.texts import CASES, write_part
from mizzle_async.types import Item

STORED_AS_TEXT: Final = frozenset({"datetime", "bucket", "date", "uuid"})
"""Kinds of parts whose text is the stored text of their attribute, or a piece of it."""

UNUSUAL: Final = "raise ValueError"
FRACTION: Final = slice(19, 26)
BYTES_PER_CHARACTER: Final = 4


class IndexKey(Protocol):
    """A key attribute of an index, as the generated functions need it."""

    @property
    def name(self) -> str:
        """Its stored name."""
        ...

    @property
    def ways(self) -> Sequence[tuple[KeyFormat, Condition[Any] | None]]:
        """The formats that it may have, each with its condition."""
        ...

    @property
    def limit(self) -> int:
        """How many bytes it may have."""
        ...

    def text(self, entity: str, values: Mapping[str, Any]) -> str | None:
        """Return its text for an item's values, None where the item has none."""
        ...


class SharedSource:
    """Writes the functions of one entity.

    Args:
        schema: The entity's.
        hooked: The attributes that the user's converter stores, by stored name.
        limits: How many bytes each key of the table may have.
        program: The program that is written, None for one of its own.
        place: Returns the expression of a stored value in ``item``, by its stored name and its descriptor.
    """

    def __init__(
        self,
        schema: EntitySchema,
        hooked: frozenset[str],
        limits: Sequence[int] = (),
        *,
        program: Program | None = None,
        place: Callable[[str, str], str] = lambda name, tag: f"item[{name!r}]['{tag}']",
    ) -> None:
        assert schema.shared is not None  # noqa: S101  (made for entities of shared tables only)
        self._schema = schema
        self._keys = schema.shared
        self._hooked = hooked
        self._limits = limits
        self._program = program or Program(schema.entity)
        self._place = place
        self._variables: dict[tuple[str, str, str], str] = {}
        self._texts: dict[str, str] = {}
        self._value: Callable[[str], str] = lambda field: f"self.{field}"
        self._has_item = True

    def compile(
        self,
        index_keys: Sequence[IndexKey],
        attributes: tuple[Callable[[Any], Item], Callable[[Item], Any]],
        carefully: tuple[Callable[[Any], Item], Callable[[Item], Any]],
    ) -> tuple[Callable[[Any], Item], Callable[[Item], Any]]:
        """Return the encoder and the decoder of items.

        Args:
            index_keys: The index key attributes that are written.
            attributes: The encoder and the decoder of the entity's attributes alone.
            carefully: The encoder and the decoder whose errors name the misfit.
        """
        encode = self._guarded(self._encoder(index_keys, attributes[0]), "self", carefully[0])
        self._program.add(f"def encode(self):\n{encode}")
        lines = self._decoder(attributes[1])
        if lines is None:
            return self._program.compile()["encode"], carefully[1]
        self._program.add(f"def decode(item):\n{self._guarded(lines, 'item', carefully[1])}")
        names = self._program.compile()
        return names["encode"], names["decode"]

    def compile_keys(
        self, encode_key: Callable[[Mapping[str, Any]], Item], key_of: Callable[[Any], Item]
    ) -> tuple[Callable[[Mapping[str, Any]], Item], Callable[[Any], Item]]:
        """Return the functions of keys alone: of values by Python name, and of an instance.

        Args:
            encode_key: The first one, whose errors name the misfit.
            key_of: The second one, likewise.
        """
        self._has_item = False
        lines = self._key("self.{}".format)
        self._program.add(f"def key_of(self):\n{self._guarded(lines, 'self', key_of)}")
        count = len(self._keys.fields)
        lines = [f"if len(values) != {count}:", f"{INDENT}raise KeyError", *self._key("values[{!r}]".format)]
        self._program.add(f"def encode_key(values):\n{self._guarded(lines, 'values', encode_key)}")
        names = self._program.compile()
        return names["encode_key"], names["key_of"]

    def _guarded(self, lines: Sequence[str], argument: str, carefully: Callable[[Any], Any]) -> str:
        again = f"return {self._program.bind(carefully, 'carefully')}({argument})"
        return indented(["try:", *(f"{INDENT}{line}" for line in lines), "except Exception:", f"{INDENT}pass", again])

    # ── writing ──

    def _encoder(self, index_keys: Sequence[IndexKey], encode: Callable[[Any], Item]) -> list[str]:
        lines, entries = self._key_entries()
        lines.insert(0, f"item = {self._program.bind(encode, 'attributes')}(self)")
        if self._keys.table.type_attribute is not None:
            entries.append(f"{self._keys.table.type_attribute!r}: {{'S': {self._keys.type_names[0]!r}}}")
        lines.append(f"result = {{{', '.join(entries)}, **item}}")
        lines += [f"del result[{each.name!r}]" for each in self._schema.attributes if each.key_only]
        for index_key in index_keys:
            lines += self._index_key(index_key)
        return [*lines, "return result"]

    def _key(self, value: Callable[[str], str]) -> list[str]:
        """Return the lines that return a key.

        Args:
            value: Returns the expression of an attribute's value, by its name in Python.
        """
        self._variables, self._value = {}, value
        lines, entries = self._key_entries()
        return [*lines, f"return {{{', '.join(entries)}}}"]

    def _key_entries(self) -> tuple[list[str], list[str]]:
        """Return lines, and the entries of the key after them."""
        lines: list[str] = []
        entries: list[str] = []
        names = self._keys.table.key_names
        for number, (name, form, limit) in enumerate(zip(names, self._keys.formats, self._limits, strict=False)):
            lines += [
                *self._parts_written(form),
                f"k{number} = {self._text(form)}",
                f"if len(k{number}) > {limit // BYTES_PER_CHARACTER}:",
                f"{INDENT}{UNUSUAL}",
            ]
            entries.append(f"{name!r}: {{'S': k{number}}}")
        return lines, entries

    def _index_key(self, index_key: IndexKey) -> list[str]:
        if len(index_key.ways) > 1:
            text = self._program.bind(index_key.text, "text")
            return [
                f"k = {text}({self._schema.entity!r}, self.__dict__)",
                "if k is not None:",
                f"{INDENT}result[{index_key.name!r}] = {{'S': k}}",
            ]
        ((form, where),) = index_key.ways
        tests = [f"self.{field} is not None" for field in form.fields if self._schema.by_field[field].optional]
        if where is not None:
            tests.append(f"{self._program.bind(holds, 'holds')}({self._program.bind(where, 'where')}, self.__dict__)")
        known = dict(self._variables)
        body = [
            *self._parts_written(form),
            f"k = {self._text(form)}",
            f"if len(k) > {index_key.limit // BYTES_PER_CHARACTER}:",
            f"{INDENT}{UNUSUAL}",
            f"result[{index_key.name!r}] = {{'S': k}}",
        ]
        if not tests:
            return body
        self._variables = known  # what was computed under a condition is not known after it
        return [f"if {' and '.join(tests)}:", *(f"{INDENT}{line}" for line in body)]

    def _parts_written(self, form: KeyFormat) -> list[str]:
        """Return the lines that put the texts of a format's parts into variables, where they are not there yet."""
        lines: list[str] = []
        for part in form.parts:
            identity = self._identity(part)
            if identity not in self._variables:
                self._variables[identity] = variable = f"v{len(self._variables)}"
                lines += self._part_written(part, variable)
        return lines

    def _part_written(self, part: KeyPart, variable: str) -> list[str]:
        value = self._value(part.field)
        if part.is_text and not part.escape:
            case = f".{part.spec}()" if part.spec in CASES else ""
            tests = [f"not {variable}", *(f"{character!r} in {variable}" for character in part.forbidden)]
            return [
                f"{variable} = {value}",
                f"if type({variable}) is not str:",
                f"{INDENT}{UNUSUAL}",
                *([f"{variable} = {variable}{case}"] if case else []),
                f"if {' or '.join(tests)}:",
                f"{INDENT}{UNUSUAL}",
            ]
        if part.choices is not None:
            return [f"{variable} = {self._program.bind(self._choices(part), 'texts')}[{value}]"]
        if part.kind == "integer" and part.spec:
            return [
                f"{variable} = {value}",
                f"if type({variable}) is not int or not 0 <= {variable} < {10 ** int(part.spec)}:",
                f"{INDENT}{UNUSUAL}",
                f"{variable} = f'{{{variable}:{part.spec}}}'",
            ]
        if self._has_item and part.kind in STORED_AS_TEXT and self._is_stored_as_text(part):
            return self._piece(part, variable)
        return [f"{variable} = {self._program.bind(write_part, 'write')}({self._program.bind(part, 'part')}, {value})"]

    # ── reading ──

    def _decoder(self, decode: Callable[[Item], Any]) -> list[str] | None:
        """Return the lines that decode an item whose keys are right. None where only values can tell."""
        found = self.key_checks()
        if found is None:
            return None
        attributes = "item"
        if self._schema.unknown == "raise":
            added = self._program.bind(self._added_names(), "added")
            attributes = f"{{name: stored for name, stored in item.items() if name not in {added}}}"
        decoded = f"{self._program.bind(decode, 'attributes')}({attributes})"
        return [*found.lines, f"if {found.test}:", f"{INDENT}return {decoded}"]

    def key_checks(self) -> KeyCheck | None:
        """Return the check that an item's keys and its type agree with its attributes.

        None where only the values can tell.
        """
        self._variables, self._texts = {}, {}
        lines: list[str] = []
        for form in self._keys.formats:
            for part in form.parts:
                identity = self._identity(part)
                if identity in self._variables:
                    continue
                self._variables[identity] = variable = f"v{len(self._variables)}"
                read = self._part_read(part, variable)
                if read is None:
                    return None
                lines += read
        tests = [
            f"{self._place(name, 'S')} == {self._text(form)}"
            for name, form in zip(self._keys.table.key_names, self._keys.formats, strict=True)
        ]
        if self._keys.table.type_attribute is not None:
            own = self._keys.type_names
            is_own = f"== {own[0]!r}" if len(own) == 1 else f"in {own!r}"
            tests.append(f"{self._place(self._keys.table.type_attribute, 'S')} {is_own}")
        return KeyCheck(lines, " and ".join(tests), self._texts)

    def _part_read(self, part: KeyPart, variable: str) -> list[str] | None:
        attribute = self._schema.by_field[part.field]
        if attribute.name in self._hooked or part.escape or attribute.key_only:
            return None
        text = self._place(attribute.name, "S")
        if part.is_text:
            case = f".{part.spec}()" if part.spec in CASES else ""
            tests = [f"{character!r} in {variable}" for character in part.forbidden]
            check = [f"if {' or '.join(tests)}:", f"{INDENT}{UNUSUAL}"] if tests else []
            if not case:
                self._texts[attribute.name] = variable
            return [f"{variable} = {text}{case}", *check]
        if part.choices is not None:
            return [f"{variable} = {text}"]
        if part.kind == "integer":
            form = f":{part.spec}" if part.spec else ""
            number = self._place(attribute.name, "N")
            return [f'{variable} = f"{{int({number}){form}}}"']
        if part.kind in STORED_AS_TEXT and self._is_stored_as_text(part):
            lines = self._piece(part, variable)
            if len(lines) == 1:
                self._texts[attribute.name] = variable
            return lines
        return None

    # ── both ──

    def _identity(self, part: KeyPart) -> tuple[str, str, str]:
        return part.field, part.spec, part.forbidden

    def _text(self, form: KeyFormat) -> str:
        """Return the expression of a format's text."""
        pieces = [
            piece.replace("{", "{{").replace("}", "}}")
            if isinstance(piece, str)
            else f"{{{self._variables[self._identity(piece)]}}}"
            for piece in form.pieces
        ]
        return f"f{''.join(pieces)!r}" if form.parts else repr(form.text.replace("{{", "{").replace("}}", "}"))

    def _piece(self, part: KeyPart, variable: str) -> list[str]:
        """Return the lines that take a part's text out of the stored text of its attribute."""
        lines = [f"{variable} = {self._place(self._schema.by_field[part.field].name, 'S')}"]
        if part.kind == "bucket":
            return [*lines, f"{variable} = {variable}[:{BUCKET_WIDTHS[part.spec]}]"]
        if part.kind == "datetime" and part.spec != "microseconds":
            end = DATETIME_WIDTHS[part.spec] - 1
            zeros = ".000000"[end - FRACTION.start :]
            lines += [f"if {variable}[{end}:{FRACTION.stop}] != {zeros!r}:", f"{INDENT}{UNUSUAL}"]
            return [*lines, f"{variable} = f'{{{variable}[:{end}]}}Z'"]
        return lines

    def _is_stored_as_text(self, part: KeyPart) -> bool:
        attribute = self._schema.by_field[part.field]
        plain = attribute.storage_format in {None, "iso"} or part.kind in {"date", "uuid"}
        return plain and attribute.name not in self._hooked

    def _choices(self, part: KeyPart) -> Mapping[Any, str]:
        """Return the text of each listed value, by the value that instances have."""
        (kind,) = without_none(self._schema.by_field[part.field].type)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return {member: member.value for member in kind}
        return {text: text for text in part.choices or ()}

    def _added_names(self) -> frozenset[str]:
        table = self._keys.table
        index_keys = {name for index in table.indexes.values() for name in index.key_names}
        return frozenset({*table.key_names, *index_keys, *filter(None, [table.type_attribute])})
