"""The target of operations, given by their table handle: entity, table, encoding of values, and sender."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeAlias, TypeVar

from attrs import evolve, field, frozen

from mizzle_async.errors import ExpressionError, StoredLoader
from mizzle_async.expressions import AttributePath, Checker, Compiler, Condition, Encoded, Facet, Predicate
from mizzle_async.expressions.terms import Term, owner_name
from mizzle_async.marshalling import EntityCodec, Marshaller, PathRules
from mizzle_async.model import EntitySchema, UsageCheck
from mizzle_async.model.scalars.misfit import DEFINED_TWICE
from mizzle_async.operations.assigned import assignments
from mizzle_async.operations.known_clauses import KnownClauses
from mizzle_async.operations.statement_cache import StatementCache
from mizzle_async.types import AttributeValue, Sender

ModelT = TypeVar("ModelT")

WHOLE: Final = Facet.WHOLE


@frozen(eq=False, repr=False)
class Target(Generic[ModelT]):
    """One entity in one table, made once per handle and shared by its operations.

    Attributes:
        codec: Turns instances into items and back.
        table: The table's name at the service, prefix included.
        sender: Sends operations, or None after pickling.
        load: How an error reads a stored item as an instance.
        report_capacity: Whether requests ask for the capacity that they consume.
        new_token: Makes client request tokens, or None after pickling.
        schema: The entity's schema.
        owner: The owner of its paths.
        checker: Checks expressions, and knows the uses of attributes that it has found right.
        present: The condition that the item exists.
        absent: The condition that the item does not exist.
        assigned: Functions that values pass through before they are assigned, by the attribute's stored name.
        rules: The rules of its update clauses.
        known: Its update clauses that were found right.
        statements: Its compiled writes, by shape.
    """

    codec: EntityCodec[ModelT]
    table: str
    sender: Sender | None = None
    load: StoredLoader | None = None
    report_capacity: bool = False
    new_token: Callable[[], str] | None = None
    schema: EntitySchema = field(init=False)
    owner: Any = field(init=False)
    checker: Checker = field(init=False)
    present: Condition[Any] = field(init=False)
    absent: Condition[Any] = field(init=False)
    assigned: dict[str, Callable[[Any], Any]] = field(init=False)
    rules: PathRules = field(init=False)
    known: KnownClauses = field(init=False)
    statements: StatementCache = field(init=False)
    _reporting: Target[ModelT] | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        """Keep the schema at hand: every operation asks for it."""
        object.__setattr__(self, "schema", self.codec.schema)
        object.__setattr__(self, "owner", self.schema.owner)
        object.__setattr__(self, "present", self.schema.partition_key_path.exists())
        object.__setattr__(self, "absent", self.schema.partition_key_path.not_exists())
        object.__setattr__(self, "assigned", assignments(self.schema))
        object.__setattr__(self, "rules", self.codec.rules)
        object.__setattr__(self, "known", KnownClauses(self.codec, self.assigned))
        object.__setattr__(self, "checker", self._make_checker())
        object.__setattr__(self, "statements", StatementCache(self.compiler, self.schema.entity))

    @property
    def reporting(self) -> Target[ModelT]:
        """The same target with requests that ask for the capacity that they consume: one, with one cache."""
        made = self._reporting
        if made is None:
            made = evolve(self, report_capacity=True)
            object.__setattr__(self, "_reporting", made)
        return made

    def compiler(self) -> Compiler:
        """Return a compiler for the expressions of one request."""
        return Compiler(self.encode, self.schema.entity)

    def _make_checker(self) -> Checker:
        schema, usage = self.schema, UsageCheck(self.schema)
        find = self.codec.operand_writer
        return Checker(
            self.encode, schema.entity, key_names=schema.key_names, check=usage, rules=self.rules, writer=find
        )

    def checked(self, condition: Condition[Any], expression: str = "ConditionExpression") -> Condition[Any]:
        """Return a condition with its values encoded.

        Args:
            condition: The tree.
            expression: The request member that it is for: ``ConditionExpression`` or ``FilterExpression``.

        Raises:
            ExpressionError: It is no condition, is about another entity, or DynamoDB would refuse it.
            MarshallingError: A value does not fit its attribute.
            LimitError: It is nested too deeply, or IN has too many operands.
        """
        known = self.checker.known(condition)
        if known is not None:
            return known
        if not isinstance(condition, Condition):  # pyright: ignore[reportUnnecessaryIsInstance]  # types may be unchecked
            raise ExpressionError(
                f"{self.schema.entity}: a condition is made from attributes, such as `Order.status == Status.OPEN`, "
                f"not from {type(condition).__name__}"
            )
        if not self.owns(condition):
            self.check_owners(condition.owners, condition)
        return self.checker.condition(condition, expression)

    def checked_key(
        self, partition: Condition[Any], sort: Condition[Any] | None
    ) -> tuple[Condition[Any], Condition[Any] | None]:
        """Return the key condition of a query with its values encoded.

        Args:
            partition: The equality of the partition key.
            sort: The comparison of the sort key, or None.

        Raises:
            ExpressionError: It is about another entity, or no key condition of one index.
            MarshallingError: A value does not fit its attribute.
        """
        known = self.checker.known(partition) if sort is None else None
        if known is not None:
            return known, None
        if not self.owns(partition):
            self.check_owners(partition.owners, partition)
        return self.checker.key_condition(partition, sort)

    def owns(self, condition: Condition[Any]) -> bool:
        """Tell whether a condition compares an own path with one value. Of others `check_owners` decides."""
        if not isinstance(condition, Predicate) or len(condition.arguments) != 1:
            return False
        left = condition.left
        is_own = isinstance(left, AttributePath) and left.owner is self.owner
        return is_own and not isinstance(condition.arguments[0], Term)

    def encode(self, value: Any, path: AttributePath[Any, Any] | None, facet: Facet) -> AttributeValue | None:
        """Encode a value of an expression, unless it was encoded before."""
        if type(value) is Encoded:
            return value.value
        return self.codec.encode_operand(value, path, facet)

    def assign(self, value: Any, path: AttributePath[Any, Any]) -> Encoded:
        """Encode a value that is assigned to a path. A whole attribute passes the demands of its class first."""
        if isinstance(value, Encoded) or len(path.segments) != 1:
            return Encoded(self.encode(value, path, WHOLE))
        name = str(path.segments[0])
        demanded = self.assigned.get(name)
        encoded = self.encode(value if demanded is None else demanded(value), path, WHOLE)
        if encoded is not None:
            self.codec.check_assigned(name, encoded)
        return Encoded(encoded)

    def check_owners(self, owners: Iterable[Any], subject: object) -> None:
        """Refuse paths of another entity.

        Args:
            owners: Whose the paths are.
            subject: The condition or clause, for the message.

        Raises:
            ExpressionError: A path belongs to a class that this entity is not, and does not inherit from.
        """
        schema = self.schema
        for owner in owners:
            if not schema.owns(owner):
                name = owner_name(owner)
                if name == schema.entity:
                    raise ExpressionError(
                        f"{subject} is about another class {name} than this table holds: {DEFINED_TWICE}"
                    )
                raise ExpressionError(
                    f"{subject} is about {name}, but this table holds {schema.entity}: use attributes of"
                    f" {schema.entity}"
                )

    def detached(self) -> Target[ModelT]:
        """Return the same table without its client, as it comes out of a pickle."""
        return DetachedTarget(self.schema, self.table, False)  # noqa: FBT003  (as pickle passes it)

    def __repr__(self) -> str:
        return f"<Target {self.schema.entity} in {self.table!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the table without its client: the client that sends later encodes and decodes."""
        return DetachedTarget, (self.schema, self.table, self.report_capacity)


class DetachedTarget(Target[ModelT]):
    """A target that came out of a pickle and has no client yet: `bind_target` gives it that of the client that sends.

    Until then it shows itself with the default converter, whose codec is made when it is first asked for: unpickling
    needs none.
    """

    __slots__ = ("_codec",)
    _codec: EntityCodec[ModelT] | None

    def __init__(self, schema: EntitySchema, table: str, report_capacity: bool) -> None:  # noqa: FBT001  (pickle passes by position)
        values = {
            "table": table,
            "sender": None,
            "load": None,
            "report_capacity": report_capacity,
            "new_token": None,
            "schema": schema,
            "owner": schema.owner,
            "present": schema.partition_key_path.exists(),
            "absent": schema.partition_key_path.not_exists(),
            "assigned": assignments(schema),
            "statements": StatementCache(self.compiler, schema.entity),
            "_codec": None,
            "_reporting": None,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def checker(self) -> Checker:  # pyright: ignore[reportIncompatibleVariableOverride]  # made late, as the codec
        """A checker of expressions."""
        return self._make_checker()

    @property
    def codec(self) -> EntityCodec[ModelT]:  # pyright: ignore[reportIncompatibleVariableOverride]  # made late
        """The entity's codec with the default converter."""
        made = self._codec
        if made is None:
            made = Marshaller().codec(self.schema)
            object.__setattr__(self, "_codec", made)
        return made

    @property
    def known(self) -> KnownClauses:  # pyright: ignore[reportIncompatibleVariableOverride]  # made late, as the codec
        """Its update clauses that were found right: none."""
        return KnownClauses(self.codec, self.assigned)

    @property
    def rules(self) -> PathRules:  # pyright: ignore[reportIncompatibleVariableOverride]  # the same
        """The rules of its update clauses."""
        return self.codec.rules


BindTarget: TypeAlias = Callable[[Target[Any]], Target[Any]]
"""Returns a client's own target in place of one that came out of a pickle. Others stay as they are."""
