"""The values of records: their types for msgspec, and the expressions that read them.

A value whose type says how it is stored is an object with one slot, which is named as its descriptor. msgspec refuses
another descriptor there, and a second one. A document is a record itself, and a list or a map holds such objects::

    class L:                  class M:                  class Line:
        L: list[M]                M: Line                   a0: S
                                                            a1: N = UNSET

A value that may be stored in several ways is a dict, as in an item.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import orjson
from msgspec import UNSET, Struct, UnsetType, defstruct

from mizzle_async.marshalling.shapes.construct import Construction
from mizzle_async.marshalling.shapes.containers import ListShape, MapShape, TupleShape
from mizzle_async.marshalling.shapes.fields import Field
from mizzle_async.marshalling.shapes.float_lists import FloatListShape, read_float_texts
from mizzle_async.marshalling.shapes.generated_classes import (
    ClassShape,
    absent_source,
    indented,
    instance_lines,
    is_made_of_instance,
)
from mizzle_async.marshalling.shapes.one_type import single
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.shapes.scalars import Scalar
from mizzle_async.marshalling.shapes.sets import ScalarSetShape
from mizzle_async.marshalling.shapes.shape import Shape

ItemRecord: TypeAlias = Struct
"""An item in the form of its entity's record."""

_PAYLOADS: Final[dict[str, Any]] = {
    **dict.fromkeys(("S", "N", "B"), str),
    "BOOL": bool,
    **dict.fromkeys(("SS", "NS", "BS"), list[str]),
}


def _holder(tag: str, payload: Any) -> type[Struct]:
    """Make the class of values that have a payload under one descriptor."""
    return defstruct(tag, [(tag, payload)], forbid_unknown_fields=True, gc=False)


def _holder_or_null(tag: str, payload: Any) -> type[Struct]:
    """Make the class of such values where a stored NULL may stand in their place."""
    members: list[Any] = [(tag, payload | UnsetType, UNSET), ("NULL", bool | UnsetType, UNSET)]
    return defstruct(f"{tag}OrNull", members, forbid_unknown_fields=True, gc=False)


_STORED: Final = {tag: _holder(tag, payload) for tag, payload in _PAYLOADS.items()}
_STORED_OR_NULL: Final = {tag: _holder_or_null(tag, payload) for tag, payload in _PAYLOADS.items()}

TEXT: Final = _STORED["S"]
"""The class of stored texts."""


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


def descriptor_of(shape: Shape) -> str | None:
    """Return the one descriptor that values have in a record, or None where they are dicts there."""
    match shape:
        case Scalar() | ScalarSetShape():
            return shape.tag
        case ListShape():
            return "L" if _is_element(shape.of) else None
        case TupleShape():
            return "L" if shape.of and all(map(_is_element, shape.of)) and not _holds_document(shape) else None
        case MapShape():
            return "M" if _is_element(shape.of) else None
        case ClassShape():
            return "M" if not (shape.is_deep or _is_json(shape)) and fits_records(shape) else None
        case _:
            return None


def _is_element(shape: Shape) -> bool:
    """Tell whether a list or a map holds values of one descriptor: an empty set is a list there."""
    return descriptor_of(shape) is not None and not isinstance(shape, ScalarSetShape)


def _is_json(shape: ClassShape) -> bool:
    """Tell whether columns show a document as it is stored, with what its class does not declare: a record lacks it."""
    return not shape.fields or any(is_made_of_instance(field) for field in shape.fields)


def _holds_document(shape: Shape) -> bool:
    """Tell whether a value holds documents: those inside of tuples are shown as they are stored, as above."""
    match shape:
        case ListShape() | MapShape():
            return _holds_document(shape.of)
        case TupleShape():
            return any(map(_holds_document, shape.of))
        case _:
            return isinstance(shape, ClassShape)


def slots_of(shape: ClassShape) -> dict[str, str]:
    """Return the slot of each attribute of a class, by its stored name."""
    return {field.wire: f"a{position}" for position, field in enumerate(shape.fields)}


def record_class(
    name: str, shape: ClassShape, slots: Mapping[str, str], *, is_partial: bool = False
) -> type[ItemRecord]:
    """Make the class of the records of a class's items, or documents.

    Args:
        name: The name of the class.
        shape: How its instances are stored.
        slots: The slot of each attribute, by its stored name. One that is not of the class is text.
        is_partial: Whether every attribute may be absent, or only those that an item may lack.
    """
    members: list[Any] = [(slot, TEXT | UnsetType, UNSET) for wire, slot in slots.items() if wire not in shape.by_wire]
    members += [_member(field, slots[field.wire], is_partial=is_partial) for field in shape.fields]
    names = {slot: wire for wire, slot in slots.items()}
    return defstruct(name, members, rename=names, kw_only=True, gc=False)


def _member(field: Field, slot: str, *, is_partial: bool) -> tuple[str, Any] | tuple[str, Any, Any]:
    kind = _type_of(field.shape, or_null=field.takes_null)
    return (slot, kind | UnsetType, UNSET) if is_partial or field.may_be_absent else (slot, kind)


def _type_of(shape: Shape, *, or_null: bool = False) -> Any:
    """Return the type of stored values in a record."""
    tag = descriptor_of(shape)
    if tag is None:
        return dict[str, Any]
    if isinstance(shape, Scalar | ScalarSetShape):
        return (_STORED_OR_NULL if or_null else _STORED)[tag]
    return (_holder_or_null if or_null else _holder)(tag, _payload_type(shape))


def _payload_type(shape: Shape) -> Any:
    match shape:
        case ListShape():
            return list[_type_of(shape.of)]  # type: ignore[misc]  # made at run time, as its attributes are
        case TupleShape():
            # A tuple of msgspec's would be one in the item too, where JSON has a list.
            members = [(f"e{position}", _type_of(each)) for position, each in enumerate(shape.of)]
            return defstruct("Elements", members, array_like=True, forbid_unknown_fields=True, gc=False)
        case MapShape():
            return dict[str, _type_of(shape.of)]  # type: ignore[misc]  # the same
        case _:
            pass
    assert isinstance(shape, ClassShape)  # noqa: S101  (`descriptor_of` has said so)
    return record_class(f"{shape.python}Record", shape, slots_of(shape))


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
        return present_source(program, shape, found)
    unset, stored = program.bind(UNSET, "unset"), program.fresh()
    is_absent = f"({stored} := {found}) is {unset}"
    has_value = field.may_be_absent and not field.optional and not (is_partial and is_made_of_instance(field))
    absent = absent_source(program, field) if has_value else "None"
    if not field.takes_null:
        return f"{absent} if {is_absent} else {present_source(program, shape, stored)}"
    tag = descriptor_of(shape)
    if tag is None:
        one = f"{program.bind(single, 'single')}({stored})"
        return f'{absent} if {is_absent} or "NULL" in {one} else {shape.decode_source(program, stored)}'
    payload, null = program.fresh(), program.bind(is_null_alone, "is_null")
    is_value = f"({payload} := {stored}.{tag}) is not {unset} and {stored}.NULL is {unset}"
    is_null = f"not ({is_value}) and {null}({stored}, {payload})"
    return f"{absent} if {is_absent} or {is_null} else {payload_source(program, shape, payload)}"


def present_source(program: Program, shape: Shape, stored: str) -> str:
    """Return an expression for the value of an expression of a stored one in a record."""
    tag = descriptor_of(shape)
    if tag is None:
        return shape.decode_source(program, f"{program.bind(single, 'single')}({stored})")
    return payload_source(program, shape, f"{stored}.{tag}")


def payload_source(program: Program, shape: Shape, payload: str) -> str:
    """Return an expression for the value of a payload in a record, which it evaluates as scalars do."""
    match shape:
        case Scalar() | ScalarSetShape():
            return shape.value_source(program, payload)
        case FloatListShape():
            element = program.fresh()
            decoded = f"{program.bind(read_float_texts, 'read_floats')}([{element}.N for {element} in {payload}])"
            return decoded if shape.build is list else f"tuple({decoded})"
        case ListShape():
            element = program.fresh()
            decoded = f"[{present_source(program, shape.of, element)} for {element} in {payload}]"
            return decoded if shape.build is list else f"tuple({decoded})"
        case TupleShape():
            found = program.fresh()
            inner = "".join(
                f"{present_source(program, each, f'{found}.e{position}')}, " for position, each in enumerate(shape.of)
            )
            build = "" if shape.build is tuple else program.bind(shape.build, "class")
            return f"({found} := {payload}, {build}({inner}))[1]"
        case MapShape():
            key, element = program.fresh(), program.fresh()
            inner = present_source(program, shape.of, element)
            return f"{{{shape.key.value_source(program, key)}: {inner} for {key}, {element} in {payload}.items()}}"
        case _:
            pass
    assert isinstance(shape, ClassShape)  # noqa: S101  (`descriptor_of` has said so)
    hint = f"decode_{shape.python}_record"
    return f"{program.function_of(shape, hint, lambda name: _write_decoder(program, shape, name))}({payload})"


def _write_decoder(program: Program, shape: ClassShape, name: str) -> None:
    """Write the function that returns the instance of a document's record."""
    slots = slots_of(shape)
    lines = instance_lines(program, shape, lambda program, field: value_source(program, field, slots[field.wire]))
    program.add(f"def {name}(item):\n{indented(lines)}")


def is_null_alone(stored: Any, payload: object) -> bool:
    """Return that a NULL is stored. Neither or both is for the item's own decoder to refuse."""
    if payload is not UNSET or stored.NULL is UNSET:
        raise KeyError
    return True
