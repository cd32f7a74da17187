"""The selection of items: the options that queries, scans, counts, exports and deletions share."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click
from attrs import frozen

from mizzle_async.cli.conditions import FILTER_HELP, filter_conditions, sort_condition
from mizzle_async.cli.handles import TABLE_VARIABLE, Opened
from mizzle_async.cli.where import WHERE_HELP, parse_where, where_condition
from mizzle_async.errors import ItemCollectionLimitWarning, UnindexedFilterWarning
from mizzle_async.expressions import Condition, PartitionKeyCondition, SortKeyCondition
from mizzle_async.handles.query import Query
from mizzle_async.model import GlobalSecondaryIndex, LocalSecondaryIndex, SecondaryIndex

CommandT = TypeVar("CommandT", bound=Callable[..., Any])
Rows = Query[dict[str, Any]]

MOST_SEGMENTS: Final = 1_000
SORT_HELP: Final = "Compare the sort key: eq lt le gt ge begins-with, or between with a JSON array of two."


@frozen(kw_only=True)
class Selection:
    """A selection of a table's items.

    Attributes:
        index: The index to read, or None for the table.
        partition: The partition key, one text for each of its attributes. Empty selects all items.
        sort: An operator and a value of the sort key.
        filters: Path, operator and value of each filter.
        where: The conditions of ``--where``, or None.
        reverse: Whether the order is descending.
        limit: The maximum number of items.
        consistent_read: Whether to read consistently.
        segments: The number of parts of a scan that are read at the same time.
    """

    index: str | None = None
    partition: tuple[str, ...] = ()
    sort: tuple[str, str] | None = None
    filters: tuple[tuple[str, str, str], ...] = ()
    where: str | None = None
    reverse: bool = False
    limit: int | None = None
    consistent_read: bool = False
    segments: int = 1

    @property
    def is_everything(self) -> bool:
        """Whether it is the whole table."""
        return not self.partition and not self.is_filtered and self.limit is None and self.index is None

    @property
    def is_filtered(self) -> bool:
        """Whether there are conditions on the items."""
        return bool(self.filters) or self.where is not None

    @property
    def selects(self) -> bool:
        """Whether it says which items are meant."""
        return bool(self.partition or self.is_filtered or self.index or self.limit)

    @property
    def words(self) -> dict[str, Any]:
        """Return the selection for a state file."""
        return {
            "index": self.index,
            "partition": list(self.partition),
            "sort": None if self.sort is None else list(self.sort),
            "filters": [list(words) for words in self.filters],
            **({} if self.where is None else {"where": self.where}),
        }

    def conditions(self, opened: Opened) -> list[Condition[Any]]:
        """Return the conditions on the items.

        Raises:
            click.UsageError: If they make no sense.
            MarshallingError: If a value does not fit its attribute.
        """
        conditions = filter_conditions(opened, self.filters)
        return conditions if self.where is None else [*conditions, where_condition(opened, parse_where(self.where))]

    def rows(self, opened: Opened) -> Rows:
        """Return the query, or the scan.

        Args:
            opened: The table.

        Raises:
            click.UsageError: If the options do not go together.
            MizzleError: If a value does not fit, or DynamoDB would refuse it.
        """
        index = None if self.index is None else _index(opened, self.index)
        if self.partition:
            partition, sort = self._keys(opened, index)
            rows = opened.table.query(
                partition,
                *(() if sort is None else (sort,)),
                reverse=self.reverse,
                max_items=self.limit,
                consistent_read=self.consistent_read,
                include_expired=True,
            )
        else:
            if self.sort is not None or self.reverse:
                raise click.UsageError("--sort and --reverse need --partition: a scan has no order")
            rows = opened.table.scan(
                index=index,
                segments=self.segments,
                max_items=self.limit,
                consistent_read=self.consistent_read,
                include_expired=True,
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnindexedFilterWarning)  # `explain` shows it
            for condition in self.conditions(opened):
                rows = rows.filter(condition)
        return rows

    def _keys(
        self, opened: Opened, index: SecondaryIndex[Any, Any, Any] | None
    ) -> tuple[PartitionKeyCondition[Any], SortKeyCondition[Any] | None]:
        source: Any = opened.table if index is None else index
        names = (
            opened.key_names[:1] if index is None else tuple(str(path.segments[0]) for path in index.partition_paths)
        )
        if len(names) != len(self.partition):
            raise click.UsageError(
                f"the partition key is {', '.join(names)}: give --partition {len(names)} times, not"
                f" {len(self.partition)} times"
            )
        values = tuple(opened.key_value(text, name) for name, text in zip(names, self.partition, strict=True))
        partition: PartitionKeyCondition[Any] = source.partition_key == (values[0] if len(values) == 1 else values)
        return partition, None if self.sort is None else sort_condition(opened, source.sort_key, *self.sort)


def _index(opened: Opened, name: str) -> SecondaryIndex[Any, Any, Any]:
    """Return the service's description of an index."""
    indexes = opened.description.indexes
    if name not in indexes:
        known = ", ".join(indexes) or "none"
        raise click.UsageError(f"table {opened.table.name!r} has no index {name!r}; its indexes: {known}")
    described = indexes[name]
    paths: dict[str, list[Any]] = {"HASH": [], "RANGE": []}
    for attribute, kind in described.key:
        paths[kind].append(opened.table.attribute(attribute))
    partition, sort = (_one_or_many(paths[kind]) for kind in ("HASH", "RANGE"))
    if described.is_local:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ItemCollectionLimitWarning)  # the table has it already
            return LocalSecondaryIndex(name, sort_key=sort)
    if sort is None:
        return GlobalSecondaryIndex(name, partition_key=partition)
    return GlobalSecondaryIndex(name, partition_key=partition, sort_key=sort)


def _one_or_many(paths: list[Any]) -> Any:
    return (paths[0] if len(paths) == 1 else tuple(paths)) if paths else None


def table_named(command: CommandT) -> CommandT:
    """Add the options that name a table to a command: ``table`` and ``model``."""
    for option in (
        click.option(
            "--model",
            metavar="MODULE:CLASS",
            help="An entity: its table, and the types of its attributes; or a SharedTable.",
        ),
        click.option(
            "-t",
            "--table",
            metavar="NAME",
            help=f"The table.  [default: that of --model, or the one in {TABLE_VARIABLE}]",
        ),
    ):
        command = option(command)
    return command


def selecting(command: CommandT) -> CommandT:
    """Add the options that select items to a command, as its argument ``selection``."""

    @click.option("--index", metavar="NAME", help="Read this index instead of the table.")
    @click.option(
        "-p",
        "--partition",
        multiple=True,
        metavar="VALUE",
        help="The partition key. Repeat it for each of its attributes.",
    )
    @click.option("-s", "--sort", nargs=2, metavar="OPERATOR VALUE", help=SORT_HELP)
    @click.option("-f", "--filter", "filters", nargs=3, multiple=True, metavar="PATH OPERATOR VALUE", help=FILTER_HELP)
    @click.option("-w", "--where", metavar="CONDITIONS", help=WHERE_HELP)
    @click.option("--limit", type=click.IntRange(min=1), help="Maximum number of items.")
    @click.option(
        "--consistent",
        "consistent_read",
        is_flag=True,
        help="Read consistently: every finished write, at twice the cost.",
    )
    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        names = ("index", "partition", "sort", "filters", "where", "limit", "consistent_read", "reverse", "segments")
        chosen = {name: options.pop(name) for name in names if name in options}
        if chosen["where"] is not None:
            parse_where(chosen["where"])  # a fault is told before anything is sent
        return command(*arguments, selection=Selection(**chosen), **options)

    return wrapped  # type: ignore[return-value]  # functools.wraps hides the type


def segmented(command: CommandT) -> CommandT:
    """Add the option for the parts of a scan to a command, below `selecting`."""
    return click.option(
        "--segments",
        type=click.IntRange(1, MOST_SEGMENTS),
        default=1,
        show_default=True,
        help="The number of parts of a scan that are read at the same time.",
    )(command)
