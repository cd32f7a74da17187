"""The explanation of an operation before it is sent: expressions with their values, estimated capacity, warnings.

It reads a request's wire form only, so that the request that is explained is the one that is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
from attrs import field, frozen

from mizzle_async.types import AttributeValue, WirePayload
from mizzle_async.values import Value

EXPRESSIONS = {
    "KeyConditionExpression": "key condition",
    "FilterExpression": "filter",
    "UpdateExpression": "update",
    "ConditionExpression": "condition",
    "ProjectionExpression": "projection",
}
"""The expressions of a request, and their names in explanations."""

_PLACEHOLDER = re.compile(r"[#:][A-Za-z0-9_]+")


@frozen(eq=False, repr=False)
class Capacity(Value):
    """An estimate of a request's consumption, in units. DynamoDB's own sizes of numbers are approximate.

    Attributes:
        read_units: Read units, a half for an eventually consistent read of up to 4 KB.
        write_units: Write units, one for each KB of the larger of the old and the new item.
        at_least: Whether the real figure may be larger, for reasons that only the service knows.
        note: The quantity that it depends on.
    """

    read_units: float = 0.0
    write_units: float = 0.0
    at_least: bool = False
    note: str = ""

    def __str__(self) -> str:
        parts = [
            f"{units:g} {kind} unit{'' if units == 1 else 's'}"
            for units, kind in ((self.read_units, "read"), (self.write_units, "write"))
            if units
        ]
        text = " and ".join(parts) or "none"
        text = f"at least {text}" if self.at_least else text
        return f"{text} ({self.note})" if self.note else text


@frozen(eq=False, repr=False)
class Explanation(Value):
    """The result of `Operation.explain`. It shows values of attributes, because that is its purpose.

    Attributes:
        operation: The API's name.
        table: The table or tables.
        index: The index that is read, or None.
        key: The key, in DynamoDB's JSON, or None.
        expressions: Each kind of expression to its text, with names and values in place of placeholders.
        capacity: The estimated cost.
        warnings: Likely surprises, each with a remedy.
        request: The whole request, in DynamoDB's JSON.
        then: Requests that follow where the service refuses this one for the stored item, each with its reason.
    """

    operation: str
    table: str
    index: str | None
    key: Mapping[str, AttributeValue] | None
    expressions: Mapping[str, str]
    capacity: Capacity
    warnings: tuple[str, ...] = ()
    request: WirePayload = field(factory=dict, repr=False)
    then: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.operation} on {self.table!r}" + (f", index {self.index!r}" if self.index else "")]
        if self.key is not None:
            lines.append(f"  key: {show_item(self.key)}")
        if "Item" in self.request:
            lines.append(f"  item: {show_item(self.request['Item'])}")
        lines += [f"  {kind}: {text}" for kind, text in self.expressions.items()]
        lines += [f"  {name}: {self.request[name]}" for name in _OPTIONS if name in self.request]
        lines.append(f"  estimated capacity: {self.capacity}")
        lines += [f"  then: {text}" for text in self.then]
        lines += [f"  warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)


_OPTIONS = ("ConsistentRead", "Limit", "ScanIndexForward", "Select", "Segment", "TotalSegments", "ReturnValues")


def explain_request(
    operation: str,
    body: WirePayload,
    *,
    index: str | None = None,
    capacity: Capacity | None = None,
    warnings: tuple[str, ...] = (),
    then: tuple[str, ...] = (),
) -> Explanation:
    """Explain a request of one table.

    Args:
        operation: The API's name.
        body: The request in DynamoDB's JSON.
        index: The index it reads.
        capacity: The estimate, where there is one.
        warnings: Likely surprises.
        then: Requests that may follow.
    """
    names: Mapping[str, str] = body.get("ExpressionAttributeNames", {})
    values: Mapping[str, AttributeValue] = body.get("ExpressionAttributeValues", {})
    expressions = {
        kind: fill_expression(body[name], names, values) for name, kind in EXPRESSIONS.items() if name in body
    }
    return Explanation(
        operation=operation,
        table=body.get("TableName", ""),
        index=index,
        key=body.get("Key"),
        expressions=expressions,
        capacity=capacity or Capacity(),
        warnings=warnings,
        request=body,
        then=then,
    )


def explain_nothing(operation: str, table: str) -> Explanation:
    """Explain an operation that changes nothing, so that no request is sent.

    Args:
        operation: The API's name.
        table: The table or tables.
    """
    capacity = Capacity(note="there is nothing to change, so nothing is sent")
    return Explanation(operation, table, index=None, key=None, expressions={}, capacity=capacity)


def outline(operation: str, body: WirePayload) -> str:
    """Describe a request in one line, by names only: no value of an attribute appears."""
    names: Mapping[str, str] = body.get("ExpressionAttributeNames", {})
    parts = [operation, repr(body.get("TableName", ""))]
    if "IndexName" in body:
        parts.append(f"index {body['IndexName']!r}")
    if "Key" in body:
        parts.append(f"key ({', '.join(body['Key'])})")
    parts += [
        f"{kind} {fill_expression(body[name], names, None)}" for name, kind in EXPRESSIONS.items() if name in body
    ]
    return " ".join(parts)


def fill_expression(expression: str, names: Mapping[str, str], values: Mapping[str, AttributeValue] | None) -> str:
    """Return an expression as it reads: names and values in place of placeholders, question marks without values."""

    def filled(match: re.Match[str]) -> str:
        placeholder = match[0]
        if placeholder.startswith("#"):
            return _show_name(names[placeholder]) if placeholder in names else placeholder
        return "?" if values is None else show_value(values[placeholder]) if placeholder in values else placeholder

    return _PLACEHOLDER.sub(filled, expression)


def show_item(item: Mapping[str, AttributeValue]) -> str:
    """Show attributes by their names, with their values."""
    return ", ".join(f"{name} = {show_value(value)}" for name, value in item.items())


def show_value(value: AttributeValue) -> str:  # noqa: PLR0911  (one line for each of DynamoDB's types)
    """Show an attribute value the way JSON would, numbers bare, sets in braces, binary by its length."""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return _quote(content)
        case "N":
            return str(content)
        case "B":
            return f"<binary, base64 {_quote(content)}>"
        case "BOOL":
            return "true" if content else "false"
        case "NULL":
            return "null"
        case "L":
            return f"[{', '.join(map(show_value, content))}]"
        case "M":
            return f"{{{', '.join(f'{_quote(name)}: {show_value(entry)}' for name, entry in content.items())}}}"
        case "NS":
            return f"{{{', '.join(content)}}}"
        case _:
            return f"{{{', '.join(map(_quote, content))}}}"


def _quote(text: Any) -> str:
    return orjson.dumps(text).decode()


def _show_name(name: str) -> str:
    return name if name.isidentifier() else _quote(name)
