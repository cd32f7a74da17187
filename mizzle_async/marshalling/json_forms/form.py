"""Forms: how values of one type are written as values of JSON, and read.

A form stands beside the shape of its type. It has the type's own checks: a value that could not be stored is neither
written nor read.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from mizzle_async.model.scalars.misfit import Misfit, python_name

TEXT: Final = "text"
NUMBER: Final = "a number"
BOOLEAN: Final = "true or false"
NULL: Final = "null"
LIST: Final = "a list"
OBJECT: Final = "an object"
ALL_KINDS: Final = frozenset({TEXT, NUMBER, BOOLEAN, NULL, LIST, OBJECT})
"""The kinds of values that JSON has."""


class Form:
    """How values of one type are written as values of JSON.

    Attributes:
        python: The type as messages name it.
        kinds: The kinds of JSON values that it is written as, or read from.
    """

    python: str = ""
    kinds: frozenset[str] = ALL_KINDS

    @property
    def expected(self) -> str:
        """The kinds, as messages name them."""
        return " or ".join(sorted(self.kinds))

    @abstractmethod
    def write(self, value: Any) -> Any:
        """Return a value as JSON has it.

        Raises:
            Misfit: It is not of this type.
        """

    @abstractmethod
    def read(self, data: Any) -> Any:
        """Return the value that a value of JSON stands for. A value of the type itself is taken too.

        Raises:
            Misfit: It stands for none of this type.
        """


class FunctionForm(Form):
    """A form of two functions."""

    def __init__(
        self, python: str, kinds: frozenset[str], write: Callable[[Any], Any], read: Callable[[Any], Any]
    ) -> None:
        self.python = python
        self.kinds = kinds
        self._write = write
        self._read = read

    def write(self, value: Any) -> Any:  # noqa: D102  (Form documents it)
        return self._write(value)

    def read(self, data: Any) -> Any:  # noqa: D102  (as above)
        return self._read(data)


class LaterForm(Form):
    """A form that is made when it is first asked for: that of a type that contains itself."""

    def __init__(self, python: str, kinds: frozenset[str], make: Callable[[], Form]) -> None:
        self.python = python
        self.kinds = kinds
        self._make = make

    def write(self, value: Any) -> Any:  # noqa: D102  (Form documents it)
        return self._make().write(value)

    def read(self, data: Any) -> Any:  # noqa: D102  (as above)
        return self._make().read(data)


def kind_of(data: object) -> str | None:
    """Return which kind of JSON value a value is, None where it is none."""
    if isinstance(data, str):
        return TEXT
    if isinstance(data, bool):
        return BOOLEAN
    if isinstance(data, int | float | Decimal):
        return NUMBER
    if data is None:
        return NULL
    if isinstance(data, list | tuple | set | frozenset):
        return LIST
    return OBJECT if isinstance(data, Mapping) else None


def not_json(expected: str, data: object, advice: str = "") -> Misfit:
    """Return the misfit of a value of JSON."""
    return Misfit(expected, kind_of(data) or python_name(data), advice)
