# pyright: reportUnnecessaryTypeIgnoreComment=true
"""Indexes infer their key types from paths: every line is accepted, or refused where an ignore says so."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Never, assert_type

from conditions import query
from entities import Customer, Order, SpecialOrder, Status

from mizzle_async.expressions import PartitionKeyCondition, PartitionKeyPath, SortKeyCondition, SortKeyPath
from mizzle_async.model import GlobalSecondaryIndex, LocalSecondaryIndex

YESTERDAY = datetime(2026, 1, 1, tzinfo=UTC)

BY_STATUS = GlobalSecondaryIndex("by-status", partition_key=Order.status, sort_key=Order.placed_at)
BY_NOTE = GlobalSecondaryIndex("by-note", partition_key=Order.note, projection=[Order.total])
BY_PLACE = GlobalSecondaryIndex(
    "by-place", partition_key=(Order.note, Order.order_id), sort_key=(Order.status, Order.total, Order.count)
)
BY_TOTAL = LocalSecondaryIndex("by-total", sort_key=Order.total, projection="keys_only")

assert_type(BY_STATUS, GlobalSecondaryIndex[Order, Status, datetime])
assert_type(BY_NOTE, GlobalSecondaryIndex[Order, str | None, Never])
assert_type(BY_STATUS.partition_key, PartitionKeyPath[Order, Status])
assert_type(BY_STATUS.sort_key, SortKeyPath[Order, datetime])
assert_type(BY_PLACE.partition_key, PartitionKeyPath[Order, tuple[str | None, str]])
assert_type(BY_TOTAL.sort_key, SortKeyPath[Order, Decimal])

query(BY_STATUS.partition_key == Status.OPEN, BY_STATUS.sort_key > YESTERDAY)
query(BY_STATUS.partition_key == "open")  # type: ignore[arg-type]
query(BY_STATUS.partition_key == Status.OPEN, BY_STATUS.sort_key > "2026")  # type: ignore[operator]
query(BY_STATUS.sort_key == YESTERDAY)  # type: ignore[arg-type]

# Several attributes compare with tuples; a shorter tuple on the sort side names the leading parts.
assert_type(BY_PLACE.partition_key == ("nl", "1"), PartitionKeyCondition[Order])
assert_type(BY_PLACE.sort_key >= (Status.OPEN,), SortKeyCondition[Order])
query(BY_PLACE.partition_key == ("nl", "1"))
query(BY_PLACE.partition_key == ("nl", "1"), BY_PLACE.sort_key == (Status.OPEN,))
query(BY_PLACE.partition_key == ("nl", "1"), BY_PLACE.sort_key > (Status.OPEN, Decimal(1)))
query(BY_PLACE.partition_key == ("nl", "1"), BY_PLACE.sort_key > (Status.OPEN, Decimal(1), 3))
query(
    BY_PLACE.partition_key == ("nl", "1"),
    BY_PLACE.sort_key.between((Status.OPEN, Decimal(1)), (Status.OPEN, Decimal(2))),
)
query(BY_PLACE.partition_key == ("nl",))  # type: ignore[arg-type]
query(BY_PLACE.partition_key == "nl")  # type: ignore[arg-type]
query(BY_PLACE.partition_key == ("nl", "1"), BY_PLACE.sort_key > (Decimal(1),))  # type: ignore[operator]
query(BY_PLACE.partition_key == ("nl", "1"), BY_PLACE.sort_key > (Status.OPEN, "x"))  # type: ignore[operator]

# A local index takes the table's partition key, which the index does not know the type of.
query(Order.customer_id == "c1", BY_TOTAL.sort_key > Decimal(1))
query(BY_TOTAL.partition_key == "c1", BY_TOTAL.sort_key > Decimal(1))
query(Order.customer_id == "c1", BY_TOTAL.sort_key > "x")  # type: ignore[operator]

# What an index of an entity selects, it selects of those that inherit from it.
special: PartitionKeyCondition[SpecialOrder] = BY_STATUS.partition_key == Status.OPEN

GlobalSecondaryIndex("bad", partition_key=Order.status, sort_key=Customer.name)  # type: ignore[misc]
GlobalSecondaryIndex("bad", partition_key="status")  # type: ignore[call-overload]
GlobalSecondaryIndex("bad", partition_key=Order.status, projection="some")  # type: ignore[arg-type]
