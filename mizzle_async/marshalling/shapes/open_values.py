"""How values are stored whose type is not the library's to say: undeclared, with the user's hooks, or None."""

# ruff: noqa: D102  (Shape documents the methods of shapes)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mizzle_async.marshalling.shapes.by_value import decode_value, encode_value
from mizzle_async.marshalling.shapes.hooks import UserHooks
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.shapes.scalars import Scalar
from mizzle_async.marshalling.shapes.shape import Levels, Shape
from mizzle_async.model.scalars.misfit import Misfit, wire_name
from mizzle_async.types import AttributeValue

NULL = '{"NULL": True}'


class AnyShape(Shape):
    """A value without a declared type: stored and read by its own."""

    python = "Any"

    def encode(self, value: Any, levels: int) -> AttributeValue:
        return encode_value(value, levels)

    def decode(self, stored: AttributeValue) -> Any:
        return decode_value(stored)

    def encode_source(self, program: Program, value: str, levels: Levels) -> str:
        return f"{program.bind(encode_value, 'encode')}({value}, {levels})"

    def decode_source(self, program: Program, stored: str) -> str:
        return f"{program.bind(decode_value, 'decode')}({stored})"

    def depth(self, above: tuple[Shape, ...] = ()) -> int | None:
        del above
        return None

    def member(self, segment: str | int) -> Shape | None:
        del segment
        return self

    def element(self) -> Shape | None:
        return self


class HookShape(Shape):
    """A type with functions of the user's: a converter's hooks, or those of one attribute.

    Attributes:
        python: The type as messages name it.
        target: The type, which a structure hook is given as well. None for an attribute's function, which is not.
        hooks: The user's. Where one is missing, ``ours`` does it.
        ours: How the library would store the type, or None if it cannot.
        of: How the plain values of the user's functions are stored.
    """

    def __init__(
        self, python: str, target: Any, hooks: UserHooks, ours: Shape | None, *, of: Shape | None = None
    ) -> None:
        self.python = python
        self.target = target
        self.hooks = hooks
        self.ours = ours
        self.of: Shape = AnyShape() if of is None else of

    @property
    def tags(self) -> frozenset[str]:  # type: ignore[override]  # derived here
        return self.of.tags

    def encode(self, value: Any, levels: int) -> AttributeValue:
        if self.hooks.unstructure is None:
            assert self.ours is not None  # noqa: S101  (the resolver refuses a type that lacks both)
            return self.ours.encode(value, levels)
        return self.of.encode(self.to_plain(value), levels)

    def decode(self, stored: AttributeValue) -> Any:
        if self.hooks.structure is None:
            assert self.ours is not None  # noqa: S101  (as above)
            return self.ours.decode(stored)
        return self.of_plain(self.of.decode(stored))

    def to_plain(self, value: Any) -> Any:
        """Return the plain value that the user's function makes of a value.

        Raises:
            Misfit: The function refuses it.
        """
        assert self.hooks.unstructure is not None  # noqa: S101  (callers ask for it first)
        return _ask_user(self.hooks.unstructure, self._called("unstructure hook", "encode"), value)

    def of_plain(self, plain: Any) -> Any:
        """Return the value that the user's function makes of a plain one.

        Raises:
            Misfit: The function refuses it.
        """
        assert self.hooks.structure is not None  # noqa: S101  (callers ask for it first)
        arguments = () if self.target is None else (self.target,)
        return _ask_user(self.hooks.structure, self._called("structure hook", "decode"), plain, *arguments)

    def _called(self, hook: str, option: str) -> str:
        return f"{option}= of {self.python}" if self.target is None else f"{hook} of {self.python}"

    def encode_source(self, program: Program, value: str, levels: Levels) -> str:
        if self.hooks.unstructure is None and self.ours is not None:
            return self.ours.encode_source(program, value, levels)
        hook, plain = program.bind(self.hooks.unstructure, "unstructure"), program.fresh()
        return f"({plain} := {hook}({value}), {self.of.encode_source(program, plain, levels)})[1]"

    def payload_parts(self, program: Program, value: str, levels: Levels, *, as_json: bool) -> tuple[str, str] | None:
        if self.hooks.unstructure is None:
            return None
        plain = program.fresh()
        parts = self.of.payload_parts(program, plain, levels, as_json=as_json)
        if parts is None:
            return None
        tag, payload = parts
        hook = program.bind(self.hooks.unstructure, "unstructure")
        return tag, f"({plain} := {hook}({value}), {payload})[1]"

    def decode_source(self, program: Program, stored: str) -> str:
        if self.hooks.structure is None and self.ours is not None:
            return self.ours.decode_source(program, stored)
        hook, plain = program.bind(self.hooks.structure, "structure"), self.of.decode_source(program, stored)
        return f"{hook}({plain})" if self.target is None else f"{hook}({plain}, {program.bind(self.target, 'target')})"

    def depth(self, above: tuple[Shape, ...] = ()) -> int | None:
        return self.of.depth(above)

    def member(self, segment: str | int) -> Shape | None:
        return self.of.member(segment)

    def element(self) -> Shape | None:
        return self.of.element()


def hooked_name(shape: HookShape) -> Scalar:
    """Return how values of a type with hooks are stored as names of a map: as the text that the hooks give.

    Args:
        shape: How the values are stored elsewhere.
    """

    def write(value: Any) -> Any:
        stored = shape.encode(value, 0)
        if "S" not in stored:
            raise Misfit("a name that is text", f"one stored as {wire_name(stored)}", f"as hooks of {shape.python} say")
        return stored["S"]

    return Scalar(shape.python, "S", write, lambda name: shape.decode({"S": name}))


def _ask_user(hook: Callable[..., Any], called: str, *arguments: Any) -> Any:
    try:
        return hook(*arguments)
    except Exception as error:
        raise Misfit(f"what the {called} takes", type(error).__name__) from error


class OptionalShape(Shape):
    """A value, or None, where absence has no place: inside lists, tuples and maps None is stored as ``NULL``."""

    def __init__(self, inner: Shape) -> None:
        self.inner = inner

    @property
    def python(self) -> str:  # type: ignore[override]  # derived here
        return f"{self.inner.python} | None"

    @property
    def tags(self) -> frozenset[str]:  # type: ignore[override]  # derived here
        return self.inner.tags | {"NULL"}

    def encode(self, value: Any, levels: int) -> AttributeValue:
        return {"NULL": True} if value is None else self.inner.encode(value, levels)

    def decode(self, stored: AttributeValue) -> Any:
        return None if "NULL" in stored else self.inner.decode(stored)

    def encode_source(self, program: Program, value: str, levels: Levels) -> str:
        return f"({NULL} if {value} is None else {self.inner.encode_source(program, value, levels)})"

    def decode_source(self, program: Program, stored: str) -> str:
        name = program.fresh()
        return f'(None if "NULL" in ({name} := {stored}) else {self.inner.decode_source(program, name)})'

    def depth(self, above: tuple[Shape, ...] = ()) -> int | None:
        return self.inner.depth(above)

    def member(self, segment: str | int) -> Shape | None:
        return self.inner.member(segment)

    def element(self) -> Shape | None:
        return self.inner.element()
