"""Key templates: the key of an index as text with typed holes, ``key_template("STATUS#{}", Order.status)``."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, overload

from mizzle_async.errors import ModelError
from mizzle_async.expressions import AttributePath
from mizzle_async.limits import INDEX_KEY_ATTRIBUTES

EntityT = TypeVar("EntityT")
FullT = TypeVar("FullT")
LeadingT = TypeVar("LeadingT")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")

if TYPE_CHECKING:
    # A sort key is compared with its leading parts, a partition key with all of them.
    Template2: TypeAlias = "KeyTemplate[EntityT, tuple[A, B], tuple[A] | tuple[A, B]]"
    Template3: TypeAlias = "KeyTemplate[EntityT, tuple[A, B, C], tuple[A] | tuple[A, B] | tuple[A, B, C]]"
    Template4: TypeAlias = (
        "KeyTemplate[EntityT, tuple[A, B, C, D], tuple[A] | tuple[A, B] | tuple[A, B, C] | tuple[A, B, C, D]]"
    )


class KeyTemplate(Generic[EntityT, FullT, LeadingT]):
    """A key of an index as text with typed holes. Made by `key_template`.

    Attributes:
        text: The text, ``{}`` for each hole.
        paths: The attribute of each hole, in order.
    """

    __slots__ = ("paths", "text")

    def __init__(self, text: str, paths: tuple[AttributePath[Any, Any], ...]) -> None:
        self.text: Final = text
        self.paths: Final = paths

    def __repr__(self) -> str:
        return f"key_template({', '.join([repr(self.text), *map(str, self.paths)])})"


@overload
def key_template(text: str, /) -> KeyTemplate[Any, tuple[()], tuple[()]]: ...
@overload
def key_template(text: str, one: AttributePath[EntityT, A], /) -> KeyTemplate[EntityT, A, A]: ...
@overload
def key_template(
    text: str, one: AttributePath[EntityT, A], two: AttributePath[EntityT, B], /
) -> Template2[EntityT, A, B]: ...
@overload
def key_template(
    text: str, one: AttributePath[EntityT, A], two: AttributePath[EntityT, B], three: AttributePath[EntityT, C], /
) -> Template3[EntityT, A, B, C]: ...
@overload
def key_template(
    text: str,
    one: AttributePath[EntityT, A],
    two: AttributePath[EntityT, B],
    three: AttributePath[EntityT, C],
    four: AttributePath[EntityT, D],
    /,
) -> Template4[EntityT, A, B, C, D]: ...
def key_template(text: str, /, *paths: AttributePath[Any, Any]) -> Any:
    """Return the format of an index's key: literals, and ``{}`` for each attribute in turn.

    Args:
        text: The format. ``{:010}`` writes a number with ten digits, ``{:day}`` the day of a datetime, and so on.
        *paths: Up to four attributes of one entity.

    Raises:
        ModelError: A hole has no path, or the other way round.
    """
    untyped: tuple[Any, ...] = (text, *paths)
    if not isinstance(untyped[0], str):
        raise ModelError(f"key_template() takes the text of a key first, not {type(untyped[0]).__name__}")
    for path in untyped[1:]:
        if not isinstance(path, AttributePath) or len(path.segments) != 1 or path.composite:
            shown = path if isinstance(path, AttributePath) else type(path).__name__
            raise ModelError(
                f"key_template({text!r}): a hole takes an attribute's path, such as Order.status, not {shown}"
            )
    if len(paths) > INDEX_KEY_ATTRIBUTES:
        raise ModelError(f"key_template({text!r}): a key has at most {INDEX_KEY_ATTRIBUTES} holes, not {len(paths)}")
    _check_holes(text, len(paths))
    return KeyTemplate(text, paths)


def _check_holes(text: str, paths: int) -> None:
    """Check that a format has a hole for each path.

    Raises:
        ModelError: It has more or fewer, or is not a format.
    """
    try:
        holes = sum(name is not None for _, name, _, _ in string.Formatter().parse(text))
    except ValueError as error:
        raise ModelError(f"key_template({text!r}): {error}") from None
    if holes != paths:
        raise ModelError(f"key_template({text!r}): the text has {holes} holes, and {paths} paths fill them")
