"""A PartiQL statement as the caller holds it, which is read page after page."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from attrs import frozen

from mizzle_async.expressions import AttributePath
from mizzle_async.flow.ports import TaskPort
from mizzle_async.operations import Explanation, Target
from mizzle_async.operations.partiql import StatementPlan
from mizzle_async.operations.reads.options import ReadOptions
from mizzle_async.reading.rows import Rows
from mizzle_async.reading.statement_selection import StatementSelection
from mizzle_async.types import WirePayload

ModelT = TypeVar("ModelT")
ValueT = TypeVar("ValueT")
RowT = TypeVar("RowT")
RowT_co = TypeVar("RowT_co", covariant=True)


@frozen(eq=False, repr=False)
class Statement(Rows[RowT_co], Generic[RowT_co]):
    """A PartiQL statement with its parameters, made by `Client.execute`.

    Cost: as the operation that it amounts to. A SELECT whose condition does not fix the partition key reads the whole
        table.
    """

    _runtime: TaskPort
    _target: Target[Any]
    _plan: StatementPlan[RowT_co]
    _options: ReadOptions

    @property
    def _selection(self) -> StatementSelection[RowT_co]:
        return StatementSelection(self._runtime, self._target, self._plan, self._options)

    def to_wire(self) -> WirePayload:
        """Return the first request's exact DynamoDB JSON."""
        return self._selection.request().to_wire()

    def explain(self) -> Explanation:
        """Explain the first request, with the values of parameters. Nothing is sent."""
        return self._selection.request().explain()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle its plan, for errors that name it. A plan alone has no client to be read with."""
        return _unpickled, (self._plan,)

    def __str__(self) -> str:
        return str(self._plan)

    def __repr__(self) -> str:
        return f"<Statement: {self}>"


def plan_of(statement: Statement[RowT]) -> StatementPlan[RowT]:
    """Return the text of a statement with its parameters, as batches and transactions send it."""
    return statement._plan  # noqa: SLF001  (the plan is for this room alone)


def _unpickled(plan: StatementPlan[Any]) -> StatementPlan[Any]:
    return plan


@frozen(eq=False, repr=False)
class Parameter:
    """A value that is stored as an attribute of an entity is, for a statement.

    Attributes:
        path: The attribute.
        value: The value.
    """

    path: AttributePath[Any, Any]
    value: Any

    def __repr__(self) -> str:
        return f"<Parameter {self.path}>"


def parameter(path: AttributePath[Any, ValueT], value: ValueT, /) -> Parameter:
    """Return a parameter of a statement that is stored as an attribute is.

    Without it a value is stored by its own type, which does not know how an entity stores its datetimes, for example.

    Args:
        path: The attribute, such as ``Order.placed_at``.
        value: The value.
    """
    return Parameter(path, value)
