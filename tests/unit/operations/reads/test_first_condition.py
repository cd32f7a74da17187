"""The error for a query whose first argument is no comparison of a partition key."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    GlobalSecondaryIndex,
    PartitionKey,
    SharedTable,
    SortKey,
    attribute,
    entity,
    key_template,
)


@entity("parcels")
class Parcel:
    sender: PartitionKey[str]
    number: SortKey[int]
    depot: Attribute[str] = attribute(default="")
    weight: Attribute[int] = attribute(default=0)
    at: Attribute[datetime] = attribute(default=datetime(2026, 1, 1, tzinfo=UTC))


BY_DEPOT = GlobalSecondaryIndex("by-depot", partition_key=Parcel.depot, sort_key=Parcel.weight)

store = SharedTable("first-conditions", partition_key="PK", sort_key="SK")
GSI1 = store.index("GSI1", partition_key="GSI1PK", sort_key="GSI1SK")


@entity(store, partition_key="SENDER#{sender}", sort_key="LETTER#{number:06}")
class Letter:
    sender: PartitionKey[str]
    number: SortKey[int]
    status: Attribute[str] = attribute(default="open")


BY_STATUS = GlobalSecondaryIndex(
    GSI1, partition_key=key_template("STATUS#{}", Letter.status), sort_key=key_template("{:06}", Letter.number)
)


@pytest.mark.parametrize(
    ("model", "condition", "index"),
    [(Parcel, Parcel.depot == "north", "by-depot"), (Letter, Letter.status == "open", "GSI1")],
)
def test_the_index_that_has_the_attribute_as_its_key_is_named(model: Any, condition: Any, index: str):
    """A query by the attribute of an index is asked of the index's own paths: its name is the way there."""
    with pytest.raises(ExpressionError) as caught:
        Client().table(model).query(condition)
    assert f"index '{index}' is queried by its own `.partition_key == value`, other conditions go to .filter()" in str(
        caught.value
    )


@pytest.mark.parametrize("condition", [Parcel.weight == 5, Parcel.at >= datetime(2026, 1, 1, tzinfo=UTC), None, "c1"])
def test_no_index_is_named_where_none_begins_with_the_attribute(condition: Any):
    """The sort key of an index alone selects no items."""
    with pytest.raises(ExpressionError) as caught:
        Client().table(Parcel).query(condition)
    assert "index" not in str(caught.value)
    assert ": other conditions go to .filter(), and .scan() reads everything" in str(caught.value)
