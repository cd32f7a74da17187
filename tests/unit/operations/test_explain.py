import pytest

from mizzle_async import Capacity
from mizzle_async.operations.explain import explain_request, fill_expression, outline, show_value

BODY = {
    "TableName": "orders",
    "Key": {"pk": {"S": "a"}, "sk": {"N": "7"}},
    "UpdateExpression": "SET #a = :a",
    "ConditionExpression": "#b.#c = :b",
    "ExpressionAttributeNames": {"#a": "a", "#b": "b.c", "#c": "c"},
    "ExpressionAttributeValues": {":a": {"S": 'x"y'}, ":b": {"N": "1.5"}},
    "ReturnValues": "ALL_NEW",
}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"S": 'a"b'}, r'"a\"b"'),
        ({"N": "1.50"}, "1.50"),
        ({"B": "AAE="}, '<binary, base64 "AAE=">'),
        ({"BOOL": True}, "true"),
        ({"BOOL": False}, "false"),
        ({"NULL": True}, "null"),
        ({"L": [{"N": "1"}, {"S": "a"}]}, '[1, "a"]'),
        ({"M": {"a": {"N": "1"}}}, '{"a": 1}'),
        ({"NS": ["1", "2"]}, "{1, 2}"),
        ({"SS": ["a", "b"]}, '{"a", "b"}'),
    ],
)
def test_values_are_shown_like_json(value, shown):
    """Each of DynamoDB's types has a short, readable form."""
    assert show_value(value) == shown


def test_explanation_shows_everything():
    """An explanation names operation, table, key, expressions with values, options, cost and warnings."""
    explanation = explain_request(
        "UpdateItem",
        BODY,
        index="by-x",
        capacity=Capacity(write_units=1, at_least=True, note="more"),
        warnings=("slow",),
    )
    assert str(explanation).splitlines() == [
        "UpdateItem on 'orders', index 'by-x'",
        '  key: pk = "a", sk = 7',
        r'  update: SET a = "x\"y"',
        '  condition: "b.c".c = 1.5',
        "  ReturnValues: ALL_NEW",
        "  estimated capacity: at least 1 write unit (more)",
        "  warning: slow",
    ]


def test_outline_hides_values():
    """The one-line form has names only."""
    assert outline("UpdateItem", {**BODY, "IndexName": "i"}) == (
        "UpdateItem 'orders' index 'i' key (pk, sk) update SET a = ? condition \"b.c\".c = ?"
    )


def test_unknown_placeholders_stay():
    """What is not substituted is shown as it stands."""
    assert fill_expression("#x = :y", {}, {}) == "#x = :y"


@pytest.mark.parametrize(
    ("capacity", "text"),
    [
        (Capacity(), "none"),
        (Capacity(read_units=0.5), "0.5 read units"),
        (Capacity(read_units=1, write_units=2), "1 read unit and 2 write units"),
    ],
)
def test_capacity_as_text(capacity, text):
    """Units are counted as people count."""
    assert str(capacity) == text
