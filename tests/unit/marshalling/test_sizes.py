import pytest

from mizzle_async import LimitError
from mizzle_async.marshalling import check_item_size, item_size, value_size


@pytest.mark.parametrize(
    ("found", "size"),
    [
        ({"S": ""}, 0),
        ({"S": "aä𝄞"}, 7),
        ({"B": ""}, 0),
        ({"B": "AA=="}, 1),
        ({"B": "AAE="}, 2),
        ({"B": "AAEC"}, 3),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"L": []}]}, 3 + 1 + 2 + 1 + 3),
        ({"M": {}}, 3),
        ({"M": {"ä": {"BOOL": True}}}, 3 + 1 + 2 + 1),
        ({"SS": ["a", "bc", ""]}, 3),
        ({"NS": ["1", "-1.5", "0"]}, 2 + 4 + 1),
        ({"BS": ["AA==", "AAEC"]}, 4),
        # numbers: as measured on DynamoDB Local
        ({"N": "0"}, 1),
        ({"N": "1"}, 2),
        ({"N": "12"}, 2),
        ({"N": "100"}, 2),
        ({"N": "1" + "0" * 100}, 2),
        ({"N": "1E+100"}, 2),
        ({"N": "0.12"}, 2),
        ({"N": "0.0012"}, 2),
        ({"N": "0.012"}, 3),
        ({"N": "123"}, 3),
        ({"N": "1.5"}, 3),
        ({"N": "1.50"}, 3),
        ({"N": "-1"}, 3),
        ({"N": "10.01"}, 3),
        ({"N": "9" * 38}, 20),
        ({"N": "1." + "1" * 37}, 21),
    ],
)
def test_sizes_of_values(found, size):
    """Every type takes what DynamoDB counts for it."""
    assert value_size(found) == size


def test_the_size_of_an_item_counts_names():
    """An item takes its names and its values, names in UTF-8."""
    assert item_size({"id": {"S": "abc"}, "ä": {"N": "1"}}) == 2 + 3 + 2 + 2


def test_an_item_of_the_greatest_size_passes():
    """409,600 bytes are accepted."""
    check_item_size({"id": {"S": "x" * (409_600 - 2)}}, "Order")


def test_a_larger_item_is_refused_with_its_largest_attributes():
    """One byte more raises, naming the three largest attributes with their sizes and no value."""
    item = {"id": {"S": "canary"}, "small": {"S": "x"}, "b": {"S": "x" * 100_000}, "a": {"S": "x" * 100_000}}
    item["payload"] = {"S": "x" * 300_000}
    with pytest.raises(LimitError) as caught:
        check_item_size(item, "Order")
    assert str(caught.value) == (
        "Order: the item takes 500,023 bytes, an item may take 409,600; "
        "its largest attributes: 'payload' (300,007), 'a' (100,001), 'b' (100,001)"
    )
