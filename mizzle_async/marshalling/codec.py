"""Codecs: instances to items and back, for one entity.

`Marshaller.codec` finds out how every attribute is stored, writes the entity's functions and compiles them. All of
that happens once for each entity. The compiled functions are the codec's attributes: calling one costs no dispatch.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from mizzle_async.errors import ExpressionError, ModelError
from mizzle_async.expressions import AttributePath, Documents, Facet, Segments
from mizzle_async.marshalling.dicts import dict_functions, dict_key_shapes
from mizzle_async.marshalling.entities import (
    entity_functions,
    entity_shape,
    key_identifier,
    key_of_item,
    keys_identifier,
    own_decoder,
)
from mizzle_async.marshalling.index_limits import index_key_limits, limited_encoder
from mizzle_async.marshalling.lamp import Lamp
from mizzle_async.marshalling.path_rules import PathRules
from mizzle_async.marshalling.path_values import Operands, StoredValue
from mizzle_async.marshalling.record_values import fits_records
from mizzle_async.marshalling.records import ItemRecords, RecordForm, item_records
from mizzle_async.marshalling.resolve import Resolver
from mizzle_async.marshalling.row_records import RowRecords
from mizzle_async.marshalling.serialize import (
    MakeSerializer,
    Serialize,
    Wrap,
    careful_serializer,
    serializer_maker,
)
from mizzle_async.marshalling.shapes.fields import Field
from mizzle_async.marshalling.shapes.generated_classes import ClassShape
from mizzle_async.marshalling.shapes.hooks import HookSource, NoHooks
from mizzle_async.marshalling.shapes.open_values import AnyShape, HookShape, OptionalShape
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.marshalling.shards import Sharding, sharding_of
from mizzle_async.marshalling.shared_items import SharedItems
from mizzle_async.marshalling.standalone import Standalone
from mizzle_async.marshalling.stored_defaults import check_stored_defaults
from mizzle_async.marshalling.timestamps import encode_timestamp
from mizzle_async.model import AttributeSchema, EntitySchema, schema_of
from mizzle_async.model.scalars.temporal import from_epoch
from mizzle_async.types import AttributeValue, Item

ModelT = TypeVar("ModelT")


CodecOf = Callable[[EntitySchema], "EntityCodec[Any]"]


class EntityCodec(Generic[ModelT]):
    """Turns the instances of one entity into items and back: made by `Marshaller.codec`.

    Attributes:
        schema: The entity's.
        lamp: Counts the items that took the careful way. The codec's repr shows it.
        encode: Returns the item of an instance, and changes nothing. Raises `MarshallingError` or `LimitError` for a
            value that does not fit.
        encode_new: As ``encode``, for an item that is to be written: the limits of indexes' keys are checked as well.
        decode: Returns the instance of an item. Raises `MarshallingError`, with the item's key, for one that does not
            fit.
        encode_key: Returns the key of its values by Python name. Raises `ExpressionError` if they are not exactly the
            key's.
        key_of: Returns the key of an instance.
        sharding: How the partition key is spread over several partitions, or None where it is not.
        shared: The keys and names that items have beside their attributes in a shared table, None elsewhere.
        hooked: The attributes that the user's hooks store, by their stored names.
        rules: The rules of update clauses, for the expression compiler.
        identify: Returns the identity of an item's key: equal for two exactly when they are the same to the service.
            Raises `MarshallingError` where a key attribute is missing.
    """

    __slots__ = (
        "_decode_own",
        "_identify_items",
        "_limits",
        "_make_serializer",
        "_operands",
        "_records",
        "_row_records",
        "_shape",
        "decode",
        "encode",
        "encode_key",
        "encode_new",
        "hooked",
        "identify",
        "key_of",
        "lamp",
        "rules",
        "schema",
        "sharding",
        "shared",
    )

    schema: EntitySchema
    encode: Callable[[ModelT], Item]
    encode_new: Callable[[ModelT], Item]
    decode: Callable[[Item], ModelT]
    encode_key: Callable[[Mapping[str, Any]], Item]
    key_of: Callable[[ModelT], Item]
    identify: Callable[[Item], Hashable]

    def __init__(self, schema: EntitySchema, resolver: Resolver, codec_of: CodecOf) -> None:
        """Find out how the entity is stored, and compile its functions.

        Args:
            schema: The entity's.
            resolver: Finds out how types are stored.
            codec_of: Returns the codec of another entity, for the items of its family.

        Raises:
            ModelError: A type cannot be mapped.
        """
        self.schema = schema
        self.lamp: Lamp = Lamp()
        members: Mapping[str, Field | Shape]
        self._shape: ClassShape | None = None
        self._make_serializer: MakeSerializer | None = None
        self._decode_own: Callable[[Item], ModelT] | None = None
        self._records: ItemRecords | None = None
        self._row_records: RowRecords | None = None
        if schema.is_open:
            members = keys = dict_key_shapes(schema, resolver)
            functions = dict_functions(schema, keys)
        else:
            shape = self._shape = entity_shape(schema, resolver)
            members = shape.by_wire
            functions = entity_functions(schema, shape, self.lamp)
        self._operands = Operands(members)
        self.rules: PathRules = PathRules(schema, self._operands)
        self.hooked: frozenset[str] = frozenset(name for name, member in members.items() if _is_hooked(member))
        self.sharding: Sharding | None = sharding_of(schema)
        self.encode = functions.encode
        self.decode = functions.decode
        self.encode_key = functions.encode_key
        self.key_of = functions.key_of
        if self.sharding is not None:
            self.encode = self.sharding.encoder(functions.encode)
            self.decode = self.sharding.decoder(functions.decode)
            self.encode_key = self.sharding.key_encoder(functions.encode_key)
            self.key_of = self.sharding.encoder(functions.key_of)
        self.shared: SharedItems | None = None
        if schema.shared is not None and self._shape is not None:
            shared = self.shared = SharedItems(
                schema,
                self._shape,
                functions.encode,
                functions.decode,
                self.hooked,
                decoder_of=lambda cls: codec_of(schema_of(cls)).decode,
            )
            self.encode = shared.encode
            self.decode = shared.decode
            self.encode_key = shared.encode_key
            self.key_of = shared.key_of
        self._limits = index_key_limits(schema)
        self.encode_new = limited_encoder(self.encode, self._limits)
        self.identify = key_identifier(schema)
        self._identify_items = keys_identifier(schema, self.identify)

    def serializer(self, wrap: Wrap) -> Serialize:
        """Return a function that writes instances as JSON: `encode_new` and `identify` in one, for many of them.

        It belongs to one caller: it must not be called in two threads at once.

        Args:
            wrap: Puts an item where it stands in a request.

        Returns:
            A function that takes an instance, and returns the JSON around its item, and the key's identity. It raises
            as `encode_new` does.
        """
        make = self._make_serializer
        if make is None:
            make = careful_serializer(self.encode_new, self.identify)
            if self._shape is not None and self.sharding is None and self.shared is None:
                make = serializer_maker(self.schema, self._shape, self._limits, self.identify, make, lamp=self.lamp)
            self._make_serializer = make
        return make(wrap)

    @property
    def foreign(self) -> Callable[[Item], bool] | None:
        """A function that says which stored items belong to another entity; None where all are the entity's."""
        return None if self.shared is None else self.shared.is_foreign

    def are_own(self, items: Sequence[Any]) -> bool:
        """Return whether no item of many is `foreign`, seen at one look: False where it takes a look at each."""
        return self.shared is not None and self.shared.are_own(items)

    @property
    def records(self) -> ItemRecords | None:
        """The lighter form of items in answers that hold many, made when first asked for, None where there is none."""
        shape, shared = self._shape, self.shared
        if self._records is None and shape is not None:
            if self._has_records:
                self._records = item_records(self.schema, shape, self.decode, self.identify, self.lamp)
            elif shared is not None and self.sharding is None:
                self._records = shared.records(self.identify, self.lamp)
        return self._records

    @property
    def row_records(self) -> RowRecords | None:
        """The lighter form of projected items, made when first asked for, None where there is none."""
        if self._row_records is None and self._has_records and self._shape is not None:
            self._row_records = RowRecords(self.schema, self._shape)
        return self._row_records

    @property
    def _has_records(self) -> bool:
        shape = self._shape
        return shape is not None and self.sharding is None and self.shared is None and fits_records(shape)

    @property
    def class_shape(self) -> ClassShape:
        """How instances of the entity's class are stored.

        Raises:
            ModelError: It has no class: its items are dicts.
        """
        if self._shape is None:
            raise ModelError(f"{self.schema.entity}: its items are dicts, whose columns are declared nowhere: schema=…")
        return self._shape

    @property
    def decode_own(self) -> Callable[[Item], ModelT]:
        """The decoder of items that `encode` has made: as ``decode``, but that it checks neither types nor keys."""
        own = self._decode_own
        if own is None:
            shape = self._shape if self.sharding is None else None
            own = self._decode_own = own_decoder(self.schema, shape, self.decode)
        return own

    def decode_one(self, item: Any) -> ModelT:
        """Return the instance of an item, dict or record. It raises as ``decode`` does."""
        records = self._records
        if records is None or type(item) is not records.cls:
            return self.decode(item)
        return cast("ModelT", records.decode(item))

    def decode_all(self, items: Iterable[Any]) -> list[ModelT | None]:
        """Return the instances of many items, dicts or records, and None for None. It raises as ``decode`` does."""
        decode, records = self.decode, self._records
        if records is None:
            return [None if item is None else decode(item) for item in items]
        cls, of_record = records.cls, records.decode
        return [of_record(item) if type(item) is cls else None if item is None else decode(item) for item in items]

    def stored(self, item: Any, name: str) -> AttributeValue | None:
        """Return an attribute of an item, dict or record, as it is stored, None where it is absent."""
        kind = type(item)
        forms: tuple[RecordForm | None, ...] = (self._records, self._row_records)
        form = None if kind is dict else next((each for each in forms if each is not None and each.cls is kind), None)
        found: AttributeValue | None = item.get(name) if form is None else form.stored(item, name)
        return found

    def identify_all(self, items: Sequence[Any]) -> list[Hashable]:
        """Return the identity of each of many items, dicts or records."""
        records = self._records
        kinds = set(map(type, items))
        if records is None or records.cls not in kinds:
            return self._identify_items(items)
        if len(kinds) == 1:
            return records.identify_all(items)
        identify, cls, of_record = self.identify, records.cls, records.identify
        return [of_record(item) if type(item) is cls else identify(item) for item in items]

    def key_of_item(self, item: Item) -> Item:
        """Return the key attributes of an item, as they are stored.

        Raises:
            MarshallingError: One is missing.
        """
        return key_of_item(self.schema, item)

    def check_new(self, item: Item) -> None:
        """Check the limits of indexes' keys in an item that is to be written and was not made by `encode_new`.

        Raises:
            LimitError: An attribute is a key of an index, and too long or empty for one.
        """
        for limit in self._limits.values():
            limit.check(item)

    def check_assigned(self, name: str, stored: AttributeValue) -> None:
        """Check the limits of an attribute that is assigned on its own, without the item.

        Args:
            name: The attribute's stored name.
            stored: The assigned value.

        Raises:
            LimitError: It is a key of an index, and too long or empty for one.
        """
        limit = self._limits.get(name)
        if limit is not None:
            limit.check({name: stored})

    @property
    def has_limits(self) -> bool:
        """Whether any attribute's values have a limit of their own."""
        return bool(self._limits)

    def is_limited(self, name: str) -> bool:
        """Return whether the values of an attribute have a limit of their own: it is a key of an index."""
        return name in self._limits

    def shape_of(self, name: str) -> Shape | None:
        """Return how a top-level attribute is stored, by its stored name, None where it is stored by value."""
        member = self._operands.members.get(name)
        return member.shape if isinstance(member, Field) else member

    def encode_operand(self, value: Any, path: AttributePath[Any, Any] | None, facet: Facet) -> AttributeValue | None:
        """Return a value as it is stored at a path, for the expression compiler.

        Args:
            value: The value, or a `StoredValue`, which goes in as it is.
            path: The path that it stands beside, or None to store it by value.
            facet: How it relates to the path.

        Returns:
            The stored value, or None where absence is stored: for None of an optional, and for an empty set.

        Raises:
            MarshallingError: It does not fit.
            LimitError: It breaks one of the service's limits.
        """
        sharding = self.sharding
        if (
            sharding is not None
            and path is not None
            and path.segments == (sharding.partition_name,)
            and not isinstance(value, StoredValue)
        ):
            raise ExpressionError(
                f"{path} is spread over {sharding.shards} partitions, so no one value is stored there: it can be "
                "compared in the key condition of a query of the table only"
            )
        return self._operands.encode(value, path, facet)

    def operand_writer(self, name: str, facet: Facet) -> Callable[[Any], AttributeValue] | None:
        """Return the function that encodes the values of an operand, as `encode_operand` does.

        Args:
            name: The attribute's stored name.
            facet: How the values relate to it.

        Returns:
            The function, which raises any exception for a value that `encode_operand` has to look at. None where the
            value decides how it is encoded.
        """
        if self.sharding is not None and name == self.sharding.partition_name:
            return None
        return self._operands.writer(name, facet)

    def partition_values(self, value: Any) -> list[AttributeValue]:
        """Return the values that a partition key is stored as in each of the partitions that it is spread over.

        Args:
            value: The partition key's value.

        Raises:
            MarshallingError: It does not fit.
        """
        stored = self._operands.encode(value, self.schema.partition_key_path, Facet.WHOLE)
        assert stored is not None  # noqa: S101  (no key is stored as absence)
        sharding = self.sharding
        return [stored] if sharding is None else [sharding.value(stored, shard) for shard in range(sharding.shards)]

    def encode_timestamp(self, attribute: AttributeSchema, epoch_seconds: float) -> AttributeValue:
        """Return a point in time as an attribute of this entity stores it.

        Args:
            attribute: An attribute of type ``datetime``.
            epoch_seconds: Seconds since 1970, as ``time.time()`` gives them.

        Raises:
            MarshallingError: The attribute's type is another one.
        """
        if attribute.name not in self.hooked:
            return encode_timestamp(attribute, epoch_seconds)
        stored = self._operands.encode(from_epoch(epoch_seconds), self.schema.path(attribute.field), Facet.WHOLE)
        assert stored is not None  # noqa: S101  (no datetime is stored as absence)
        return stored

    def decode_at(self, segments: Segments, stored: AttributeValue, documents: Documents = ()) -> Any:
        """Return the value of a stored one at a path, for projections.

        Args:
            segments: Stored names and positions.
            stored: The stored value.
            documents: Which classes the path came from.

        Raises:
            MarshallingError: It does not fit the path's type.
        """
        if self.sharding is not None and segments == (self.sharding.partition_name,):
            stored = self.sharding.joined(stored)
        return self._operands.decode(segments, documents, stored, self.schema.entity)

    def assumed_at(self, segments: Segments, documents: Documents = (), *, held: bool = True) -> Any:
        """Return an instance's value at a path where nothing is stored: a default, an empty set, or else None.

        Args:
            segments: Stored names and positions.
            documents: Which classes the path came from.
            held: Whether there is a map that could hold it: without one its class has no say.
        """
        return self._operands.assumed(segments, documents, held=held)

    def target_at(self, segments: Segments, documents: Documents = ()) -> Field | Shape:
        """Return how the values at a path are stored.

        Args:
            segments: Stored names and positions.
            documents: Which classes the path came from.
        """
        return self._operands.find(segments, documents)

    def tag_at(self, segments: Segments, stored: AttributeValue) -> tuple[str, AttributeValue] | None:
        """Return the member that names the class of a stored value, with its value, None outside unions of classes."""
        return self._operands.tag_of(segments, stored)

    def changes_inside(self, segments: Segments, old: AttributeValue, new: AttributeValue) -> bool:
        """Whether the change of the value at a path may be written as changes inside it, or else as a whole."""
        return self._operands.changes_inside(segments, old, new)

    def __repr__(self) -> str:
        seen = f", {self.lamp}" if self.lamp else ""
        return f"<{type(self).__name__} of {self.schema.entity}{seen}>"


def _is_hooked(member: Field | Shape) -> bool:
    """Return whether the user's hooks alone say how an attribute is stored."""
    shape = member.shape if isinstance(member, Field) else member
    shape = shape.inner if isinstance(shape, OptionalShape) else shape
    return isinstance(shape, HookShape) and isinstance(shape.of, AnyShape)


class Marshaller:
    """Makes codecs, each once, with the hooks of one converter.

    Args:
        hooks: The user's hooks, which win over the library's.

    Attributes:
        resolver: Finds out how types are stored.
        json_forms: How JSON has them, once `mizzle_async.marshalling.json_functions` was asked.
    """

    __slots__ = ("_codecs", "_standalone", "json_forms", "resolver")

    def __init__(self, hooks: HookSource | None = None) -> None:
        self.resolver: Resolver = Resolver(NoHooks() if hooks is None else hooks)
        self._codecs: dict[EntitySchema, EntityCodec[Any]] = {}
        self._standalone: dict[Any, Standalone] = {}
        self.json_forms: Any = None

    def codec(self, schema: EntitySchema) -> EntityCodec[Any]:
        """Return the codec of an entity.

        Args:
            schema: The entity's.

        Raises:
            ModelError: If the type of an attribute cannot be mapped, with the type to write, or a default cannot be
                stored.
        """
        codec = self._codecs.get(schema)
        if codec is None:
            codec = EntityCodec(schema, self.resolver, self.codec)
            check_stored_defaults(codec._shape, schema.entity)  # noqa: SLF001  (both are this module's)
            self._codecs[schema] = codec
        return codec

    def standalone(self, target: Any) -> Standalone:
        """Return the functions of a type outside of any entity.

        Args:
            target: The type.

        Raises:
            ModelError: If it cannot be mapped.
        """
        functions = self._standalone.get(target)
        if functions is None:
            functions = self._standalone[target] = Standalone(target, self.resolver)
        return functions

    def __repr__(self) -> str:
        return f"<{type(self).__name__} with {len(self._codecs)} codecs>"
