"""Where a type stands, and the errors and names that say so."""

from __future__ import annotations

from typing import Annotated, Any, Final, NewType, get_args, get_origin

from mizzle_async.errors import ModelError
from mizzle_async.marshalling.shapes.members import substitute
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.model import AttributeSchema
from mizzle_async.model.annotations import is_alias

ADVICE: Final[tuple[tuple[str, str], ...]] = (
    ("deque", "write list[…]"),
    ("defaultdict", "write dict[str, …]"),
    ("OrderedDict", "write dict[str, …]"),
    ("Counter", "write dict[str, int]"),
    ("complex", "store its parts as two numbers"),
    ("range", "write list[int]"),
    ("Iterable", "write list[…]"),
    ("Iterator", "write list[…]"),
)


class Place:
    """Where a type stands.

    Attributes:
        where: Class and attribute, for messages.
        datetime_format: How datetimes are stored there.
    """

    __slots__ = ("datetime_format", "where")

    def __init__(self, where: str, datetime_format: str | None = None) -> None:
        self.where: Final[str] = where
        self.datetime_format: Final[str | None] = datetime_format


def written(kind: Any, *inside: Shape) -> str:
    """Return a collection's type as messages name it."""
    return f"{kind.__name__}[{', '.join(shape.python for shape in inside)}]"


def check_roles(document: type[Any], members: tuple[AttributeSchema, ...]) -> None:
    """Check that a nested class has no roles: inside another item the library does not fill them in.

    Raises:
        ModelError: It has one, or an attribute that is immutable.
    """
    for member in members:
        if member.immutable:
            raise ModelError(
                f"{document.__name__}.{member.field}: immutable=True is for attributes of items: make the attribute "
                f"immutable that holds the {document.__name__}"
            )
        if member.role is not None:
            raise ModelError(
                f"{document.__name__}.{member.field}: {member.role.keyword}=True is for attributes of items, and "
                f"{document.__name__} is stored inside one: take it off, or let an entity inherit from the document"
            )


def unwrap(annotation: Any) -> Any:
    """Return the type that Annotated, NewType, Final or a type alias stands for, any other as it is."""
    origin = get_origin(annotation)
    if origin is Annotated or origin is Final:
        return get_args(annotation)[0]
    if isinstance(annotation, NewType):
        return annotation.__supertype__
    alias = origin if is_alias(origin) else annotation
    if is_alias(alias):
        return substitute(alias.__value__, dict(zip(alias.__type_params__, get_args(annotation), strict=False)))
    return annotation


def unmappable(name: str, place: Place) -> ModelError:
    """Return the error for a type that cannot be stored."""
    for start, advice in ADVICE:
        if name == start or name.startswith((f"{start}[", f"collections.{start}", f"collections.abc.{start}")):
            return ModelError(f"{place.where}: {name} has no place in DynamoDB: {advice}")
    return ModelError(
        f"{place.where}: {name} has no place in DynamoDB: write a type that has one, make it a dataclass, a model or a "
        "@document, or register its hooks on Client(converter=…)"
    )
