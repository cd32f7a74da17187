"""A shop in one table: the model that the lines about shared tables are written on."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from mizzle_async import (
    Attribute,
    Client,
    GlobalSecondaryIndex,
    PartitionKey,
    SharedTable,
    SortKey,
    attribute,
    entity,
    key_template,
)

app = SharedTable("app", partition_key="PK", sort_key="SK")
GSI1 = app.index("GSI1", partition_key="GSI1PK", sort_key="GSI1SK")


class Status(StrEnum):
    OPEN = "open"
    PAID = "paid"
    SHIPPED = "shipped"


@entity(app, partition_key="CUSTOMER#{customer_id}", sort_key="PROFILE")
class Customer:
    customer_id: PartitionKey[str]
    name: Attribute[str]


@entity(app, partition_key="CUSTOMER#{customer_id}", sort_key="ORDER#{placed_at}#{order_id}")
class Order:
    customer_id: PartitionKey[str]
    placed_at: SortKey[datetime]
    order_id: SortKey[str]
    total: Attribute[Decimal]
    status: Attribute[Status] = attribute(default=Status.OPEN)
    depot: Attribute[str | None] = attribute(default=None)


@entity(app, partition_key="ORDER#{order_id}", sort_key="LINE#{number:04}")
class Line:
    order_id: PartitionKey[str]
    number: SortKey[int]
    sku: Attribute[str]


BY_STATUS = GlobalSecondaryIndex(
    GSI1,
    partition_key=key_template("STATUS#{}", Order.status),
    sort_key=key_template("{}#{}", Order.placed_at, Order.order_id),
)

client = Client()
orders = client.table(Order)
customers = client.table(Customer)
lines = client.table(Line)
shop = client.collection(Customer, Order)
