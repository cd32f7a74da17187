"""Attributes as a class declares them: the annotations, the field specifier, and the descriptor that gives paths.

`Attribute`, `PartitionKey` and `SortKey` exist for type checkers, which see typed descriptors. At run time the class
carries `AttributeDescriptor`s, which have no ``__set__``: an instance's values live in its ``__dict__`` and are read
natively.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, overload

import attrs
from attrs import NOTHING, frozen

from mizzle_async.errors import ModelError
from mizzle_async.expressions import AttributePath, PartitionKeyPath, SortKeyPath
from mizzle_async.model.roles import ROLES, Role
from mizzle_async.model.scalars import DatetimeFormat
from mizzle_async.values import Value

ValueT = TypeVar("ValueT")
OwnerT = TypeVar("OwnerT")

METADATA_KEY: Final = "mizzle_async"
"""Where the options lie in an attrs field's metadata."""

Validator: TypeAlias = Callable[[Any, "attrs.Attribute[Any]", Any], Any]
"""An attrs validator: called with the instance, the field and the value."""


class Attribute(Generic[ValueT]):
    """An attribute of an entity or a document: ``total: Attribute[Decimal]``.

    On the class it is an `AttributePath`, on an instance the value.
    """

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type[OwnerT]) -> AttributePath[OwnerT, ValueT]: ...
        @overload
        def __get__(self, instance: object, owner: Any) -> ValueT: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...
        def __set__(self, instance: object, value: ValueT) -> None: ...


class PartitionKey(Generic[ValueT]):
    """The attribute that is the table's partition key: ``customer_id: PartitionKey[str]``.

    On the class it is a `PartitionKeyPath`, on an instance the value.
    """

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type[OwnerT]) -> PartitionKeyPath[OwnerT, ValueT]: ...
        @overload
        def __get__(self, instance: object, owner: Any) -> ValueT: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...
        def __set__(self, instance: object, value: ValueT) -> None: ...


class SortKey(Generic[ValueT]):
    """The attribute that is the table's sort key: ``order_id: SortKey[str]``.

    On the class it is a `SortKeyPath`, on an instance the value.
    """

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type[OwnerT]) -> SortKeyPath[OwnerT, ValueT]: ...
        @overload
        def __get__(self, instance: object, owner: Any) -> ValueT: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...
        def __set__(self, instance: object, value: ValueT) -> None: ...


if TYPE_CHECKING:

    class AttributeDefault(Attribute[ValueT], PartitionKey[ValueT], SortKey[ValueT]):
        """The result of ``attribute(default=…)`` to type checkers: it may be assigned to any kind of attribute."""

        def __get__(self, instance: Any, owner: Any) -> Any: ...


@frozen(eq=False, repr=False)
class AttributeOptions(Value):
    """The arguments of ``attribute()`` that attrs does not know.

    Attributes:
        name: The stored name; None for the name in Python.
        datetime_format: How datetimes are stored; None for the usual way.
        roles: The roles, of which an attribute may have one.
        shards: Over how many partitions the partition key is spread.
        key_only: Whether it is stored in the key of a shared table alone.
        encode: Makes a value of type ``stored_as`` of the attribute's; None where it is stored by its own type.
        decode: Makes the attribute's value of one of type ``stored_as``.
        stored_as: The type of the stored value, None where each value decides.
        null_as_default: Whether a stored NULL is read as the default.
        is_converted: Whether attrs converts values before they are of the attribute's type, a default too.
        immutable: Whether no write may change it.
        description: Its meaning, for JSON schemas.
        examples: Values, for JSON schemas.
    """

    name: str | None = None
    datetime_format: DatetimeFormat | None = None
    roles: tuple[Role, ...] = ()
    shards: int | None = None
    key_only: bool = False
    encode: Callable[[Any], Any] | None = None
    decode: Callable[[Any], Any] | None = None
    stored_as: Any = None
    null_as_default: bool = False
    is_converted: bool = False
    immutable: bool = False
    description: str | None = None
    examples: tuple[Any, ...] = ()


NO_OPTIONS: Final = AttributeOptions()


class AttributeDescriptor:
    """Gives an attribute's path where it is read on the class.

    It has no ``__set__``, so that an instance's own value is found first, without a call.
    """

    __slots__ = ("_owner", "_path")

    def __init__(self, owner: type[Any], path: AttributePath[Any, Any]) -> None:
        self._owner = owner
        self._path = path

    def __get__(self, instance: Any, owner: type[Any]) -> AttributePath[Any, Any]:
        if instance is not None:
            name = str(self._path.labels[0])
            raise AttributeError(f"this {owner.__name__} has no value for {name!r}", name=name, obj=instance)
        if owner is self._owner:
            return self._path
        # A subclass that is not decorated: its paths are its own all the same.
        path = self._path
        return type(path)(owner, path.segments, labels=path.labels)


@overload
def attribute(
    *,
    default: ValueT,
    name: str | None = None,
    datetime_format: DatetimeFormat | None = None,
    version: bool = False,
    time_to_live: bool = False,
    created_at: bool = False,
    updated_at: bool = False,
    unique: bool = False,
    role: Role | None = None,
    shards: int | None = None,
    key_only: bool = False,
    validator: Validator | Sequence[Validator] | None = None,
    converter: Callable[[Any], Any] | None = None,
    encode: Callable[[Any], Any] | None = None,
    decode: Callable[[Any], Any] | None = None,
    stored_as: Any = None,
    null_as_default: bool = False,
    immutable: bool = False,
    description: str | None = None,
    examples: Sequence[Any] = (),
) -> AttributeDefault[ValueT]: ...
@overload
def attribute(
    *,
    factory: Callable[[], ValueT],
    name: str | None = None,
    datetime_format: DatetimeFormat | None = None,
    version: bool = False,
    time_to_live: bool = False,
    created_at: bool = False,
    updated_at: bool = False,
    unique: bool = False,
    role: Role | None = None,
    shards: int | None = None,
    key_only: bool = False,
    validator: Validator | Sequence[Validator] | None = None,
    converter: Callable[[Any], Any] | None = None,
    encode: Callable[[Any], Any] | None = None,
    decode: Callable[[Any], Any] | None = None,
    stored_as: Any = None,
    null_as_default: bool = False,
    immutable: bool = False,
    description: str | None = None,
    examples: Sequence[Any] = (),
) -> AttributeDefault[ValueT]: ...
@overload
def attribute(
    *,
    name: str | None = None,
    datetime_format: DatetimeFormat | None = None,
    version: bool = False,
    time_to_live: bool = False,
    created_at: bool = False,
    updated_at: bool = False,
    unique: bool = False,
    role: Role | None = None,
    shards: int | None = None,
    key_only: bool = False,
    validator: Validator | Sequence[Validator] | None = None,
    converter: Callable[[Any], Any] | None = None,
    encode: Callable[[Any], Any] | None = None,
    decode: Callable[[Any], Any] | None = None,
    stored_as: Any = None,
    null_as_default: bool = False,
    immutable: bool = False,
    description: str | None = None,
    examples: Sequence[Any] = (),
) -> Any: ...
def attribute(
    *,
    default: Any = NOTHING,
    factory: Callable[[], Any] | None = None,
    name: str | None = None,
    datetime_format: DatetimeFormat | None = None,
    version: bool = False,
    time_to_live: bool = False,
    created_at: bool = False,
    updated_at: bool = False,
    unique: bool = False,
    role: Role | None = None,
    shards: int | None = None,
    key_only: bool = False,
    validator: Validator | Sequence[Validator] | None = None,
    converter: Callable[[Any], Any] | None = None,
    encode: Callable[[Any], Any] | None = None,
    decode: Callable[[Any], Any] | None = None,
    stored_as: Any = None,
    null_as_default: bool = False,
    immutable: bool = False,
    description: str | None = None,
    examples: Sequence[Any] = (),
) -> Any:
    """Describe an attribute: its default, its stored name and its role.

    Args:
        default: The value of instances that are made without one.
        factory: Called for the default of each instance. Lists, sets and dicts need one, because none may be shared.
        name: The name in the table, where it is not the name in Python.
        datetime_format: How datetimes are stored: ``"iso"`` text (the default), ``"iso_ms"`` as JavaScript writes it,
            ``"epoch"`` seconds, ``"epoch_ms"``, a strftime format, or a pair of functions that write and read text.
        version: Count the writes, for optimistic locking: an ``int`` with ``default=0``.
        time_to_live: The item expires at this datetime, which is stored as epoch seconds.
        created_at: Set when the item is made.
        updated_at: Set by every write.
        unique: No two items may have the same value.
        role: Another role than these: an object with methods that are called when items are made, put or updated.
        shards: Spread the partition key over this many partitions, by a suffix that the sort key decides: for a key
            that is too hot for one. Queries read all of them, and merge.
        key_only: Store a part of a shared table's key in that key alone, and read it from there.
        validator: attrs' validator or validators.
        converter: attrs' converter.
        encode: Called with a value for the value to store, of the type ``stored_as``: for an attribute that is stored
            in a way of its own. ``decode`` must undo it.
        decode: Called with a stored value for the attribute's value.
        stored_as: The type of the results of ``encode``: it decides how they are stored, whether the attribute can be
            a key, and which expressions take it. Without it each result is stored by its own type.
        null_as_default: Read a stored NULL as the default, where another program writes NULL for an absent value.
        immutable: Refuse every write that changes the attribute of an item that exists.
        description: The attribute's meaning, for JSON schemas such as OpenAPI's.
        examples: Values for JSON schemas.

    Raises:
        ModelError: If it has both a default and a factory, or only one of ``encode`` and ``decode``.
    """
    if factory is not None:
        if default is not NOTHING:
            raise ModelError("attribute() takes `default=` or `factory=`, not both")
        default = attrs.Factory(factory)
    if (encode is None) is not (decode is None) or (encode is None and stored_as is not None):
        raise ModelError("attribute() takes `encode=` and `decode=` together, and `stored_as=` only with them")
    by_keyword = {
        "version": version,
        "time_to_live": time_to_live,
        "created_at": created_at,
        "updated_at": updated_at,
        "unique": unique,
    }
    options = AttributeOptions(
        name=name,
        datetime_format=datetime_format,
        roles=(*(one for one in ROLES if by_keyword[one.keyword]), *(() if role is None else (role,))),
        shards=shards,
        key_only=key_only,
        encode=encode,
        decode=decode,
        stored_as=stored_as,
        null_as_default=null_as_default,
        is_converted=converter is not None,
        immutable=immutable,
        description=description,
        examples=tuple(examples),
    )
    return attrs.field(
        default=default,
        validator=validator,
        converter=converter,
        metadata={METADATA_KEY: options},
    )
