"""The two items that every codec is given, as Python values and as DynamoDB's JSON.

Imported by every codec in its own environment: standard library only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from harness import workload

LINES = 10


@dataclass(frozen=True)
class Codec:
    """Both directions, and what goes in.

    Attributes:
        encode: From what the program works with to DynamoDB's JSON.
        decode: The way back.
        value: What is encoded.
        stored: What is decoded.
    """

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    value: Any
    stored: dict[str, Any]

    def verify(self) -> None:
        """Refuse a codec that does not give back what it was given: its figures would mean nothing."""
        if self.decode(self.encode(self.value)) != self.value:
            message = "what was encoded is not what is decoded"
            raise workload.WrongAnswerError(message)
        self.decode(self.stored)


def flat(*, with_times: bool = True) -> dict[str, Any]:
    """The ten-attribute item; a codec without classes gets its time as text."""
    return workload.native(0) if with_times else workload.text_native(0)


def flat_wire() -> dict[str, Any]:
    """The ten-attribute item as DynamoDB's JSON."""
    return workload.wire(0)


def nested() -> dict[str, Any]:
    """An item with a list of ten lines and two maps."""
    return {
        "customer_id": workload.PARTITION,
        "order_id": workload.order_id(0),
        "address": {"street": "1 St James's Square", "city": "London", "country": "GB"},
        "labels": {"channel": "web", "campaign": "autumn"},
        "lines": [{"sku": f"sku-{n:04d}", "price": Decimal("9.99") + n, "quantity": n + 1} for n in range(LINES)],
    }


def nested_wire() -> dict[str, Any]:
    """The nested item as DynamoDB's JSON."""
    values = nested()
    return {
        "customer_id": {"S": values["customer_id"]},
        "order_id": {"S": values["order_id"]},
        "address": {"M": {name: {"S": text} for name, text in values["address"].items()}},
        "labels": {"M": {name: {"S": text} for name, text in values["labels"].items()}},
        "lines": {
            "L": [
                {
                    "M": {
                        "sku": {"S": line["sku"]},
                        "price": {"N": str(line["price"])},
                        "quantity": {"N": str(line["quantity"])},
                    }
                }
                for line in values["lines"]
            ]
        },
    }
