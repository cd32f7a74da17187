"""One attribute of a class: its stored form, and the meaning of its absence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import NOTHING, Converter, Factory

from mizzle_async.marshalling.shapes.sets import SetShape
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.types import AttributeValue


class Field:
    """One attribute of a class.

    Attributes:
        name: Its name in Python.
        wire: Its stored name.
        shape: How it is stored when it is there.
        optional: Whether None is one of its values: it is absent then, and None when absent, in spite of a default.
        default: Its value when absent: a value, an ``attrs.Factory``, or ``attrs.NOTHING``.
        converter: The function that ``__init__`` puts a value through, a default too. None for none.
        null_as_default: Whether a stored NULL is read as the default, as absence is.
    """

    __slots__ = ("converter", "default", "name", "null_as_default", "optional", "shape", "wire")

    def __init__(
        self,
        name: str,
        wire: str,
        shape: Shape,
        *,
        optional: bool,
        default: Any,
        converter: Any = None,
        null_as_default: bool = False,
    ) -> None:
        self.name: Final[str] = name
        self.wire: Final[str] = wire
        self.shape: Final[Shape] = shape
        self.optional: Final[bool] = optional
        self.default: Final[Any] = default
        self.converter: Final[Any] = converter
        self.null_as_default: Final[bool] = null_as_default

    @property
    def is_set(self) -> bool:
        """Whether it is absent when it is empty, and empty when it is absent."""
        return isinstance(self.shape, SetShape)

    @property
    def takes_null(self) -> bool:
        """Whether reading a stored NULL is no error."""
        return self.optional or self.null_as_default

    @property
    def may_be_absent(self) -> bool:
        """Whether reading an item without it is no error."""
        return self.optional or self.is_set or self.default is not NOTHING

    def encode(self, value: Any, levels: int) -> AttributeValue | None:
        """Return the value as it is stored, or None where it is absent then.

        Raises:
            Misfit: The value does not fit.
        """
        if value is None and self.optional:
            return None
        if isinstance(self.shape, SetShape) and self.shape.is_empty(value):
            return None
        return self.shape.encode(value, levels)

    def decode(self, stored: AttributeValue) -> Any:
        """Return the value of a stored one.

        Raises:
            Misfit: If the stored value does not fit.
        """
        if self.takes_null and "NULL" in stored:
            return self.assumed() if self.null_as_default else None
        return self.shape.decode(stored)

    def when_absent(self, instance: Any) -> Any:
        """Return the value of an item that lacks it.

        Args:
            instance: The instance as far as it is made, for a default that is made of it.

        Raises:
            Misfit: It must not be absent.
        """
        if self.optional:
            return None
        if isinstance(self.shape, SetShape):
            return self.shape.build()
        if self.default is NOTHING:
            raise Misfit(self.shape.stored_as, "no such attribute")
        return make_default(self.default, instance)

    def assumed(self) -> Any:
        """Return an instance's value where nothing is stored, or None where only an instance decides."""
        factory = factory_of(self.default)
        takes_self = factory is not None and factory.takes_self and not (self.optional or self.is_set)
        if not self.may_be_absent or takes_self or isinstance(self.converter, Converter):
            return None
        value = self.when_absent(None)
        return value if self.converter is None else self.converter(value)

    def converted(self, value: Any) -> Any:
        """Return a value as ``__init__`` converts it, where the value alone decides.

        Raises:
            Misfit: The converter refuses it.
        """
        if self.converter is None or isinstance(self.converter, Converter):
            return value
        try:
            return self.converter(value)
        except Exception as error:
            raise Misfit("a value that its converter takes", type(error).__name__) from error


def make_default(default: Any, instance: Any) -> Any:
    """Return a default's value, made anew where it is a factory."""
    factory = factory_of(default)
    if factory is None:
        return default
    return factory.make(instance) if factory.takes_self else factory.make()


class DefaultFactory:
    """The maker of a default, called anew for every instance.

    Attributes:
        make: Makes it.
        takes_self: Whether it is made of the instance.
    """

    __slots__ = ("make", "takes_self")

    def __init__(self, make: Callable[..., Any], *, takes_self: bool) -> None:
        self.make: Final[Callable[..., Any]] = make
        self.takes_self: Final[bool] = takes_self


def factory_of(default: Any) -> DefaultFactory | None:
    """Return the maker of a default, or None if it is a plain value."""
    kind: Any = Factory  # to type checkers it is a function
    return DefaultFactory(default.factory, takes_self=default.takes_self) if isinstance(default, kind) else None
