"""Errors say where and what to do; warnings come where they help."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    GlobalSecondaryIndex,
    MizzleError,
    PartitionKey,
    SortKey,
    UnindexedFilterWarning,
    attribute,
    entity,
)
from mizzle_async.testing import StubCaller


@entity("messages")
class E:
    pk: PartitionKey[str]
    sk: SortKey[str]
    a: Attribute[int] = attribute(default=1)
    b: Attribute[int] = attribute(default=1)
    words: Attribute[list[str]] = attribute(factory=list)


@entity("counted")
class Counted:
    pk: PartitionKey[str]
    version: Attribute[int] = attribute(default=0, version=True)


@entity("nowhere")
class Nowhere:
    pk: PartitionKey[str]


BY_A = GlobalSecondaryIndex("by-a", partition_key=E.a)


async def test_a_versioned_delete_of_what_is_gone_says_that_it_is_gone(client: Client) -> None:
    """Nobody wrote the item since: it is not there."""
    await client.ensure_tables(Counted)
    table = client.table(Counted)
    item = await table.insert(Counted(pk="gone"))
    await table.delete(item)
    with pytest.raises(MizzleError) as caught:
        await table.delete(item)
    assert "wrote this item" not in str(caught.value)
    assert any(word in str(caught.value) for word in ("no such item", "not there", "deleted", "gone", "does not exist"))


OPERATORS: dict[str, Callable[[Any], Any]] = {
    "a sum of three": lambda e: e.a + e.b + 1,
    "a product": lambda e: e.a * 2,
    "a quotient": lambda e: e.a / 2,
    "a sign": lambda e: -e.b,
    "a reflected product": lambda e: 2 * e.a,
    "a remainder": lambda e: e.a % 2,
    "a whole quotient": lambda e: 7 // e.a,
    "a power": lambda e: e.a**2,
    "a plus sign": lambda e: +e.a,
    "an absolute value": lambda e: abs(e.a),
    "a sum with a size": lambda e: e.words.size() + 1,
    "a difference with a size": lambda e: e.a - 1 - e.words.size(),
    "a negation of a path": lambda e: ~e.a,
    "a comparison of a sum": lambda e: e.a + e.b > 3,
    "a comparison of a default": lambda e: e.a.if_not_exists(0) <= 3,
}


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_that_dynamodb_lacks_has_a_sentence(name: str) -> None:
    """Python's own words about operand types say nothing about DynamoDB."""
    with pytest.raises((TypeError, MizzleError)) as caught:
        OPERATORS[name](E)
    pythons = ("unsupported operand type", "bad operand type", "not supported between instances")
    assert [words for words in pythons if words in str(caught.value)] == []


CALLS: dict[str, Callable[[], Any]] = {
    "query by keyword": lambda: Client().table(E).query(pk="a"),
    "a key in two positions": lambda: Client().table(E).get("a", "b"),
    "another client's name for the region": lambda: Client(region="eu-west-1"),
    "a filter by keyword": lambda: Client().table(E).scan(a=1),
    "two items in two positions": lambda: Client().table(E).put_many(E(pk="a", sk="b"), E(pk="a", sk="c")),
    "two keys in two positions": lambda: Client().table(E).get_many("a", "b"),
    "deletions in two positions": lambda: Client().table(E).delete_many("a", "b"),
    "another library's option": lambda: Client().table(E).get_many([], consistent=True),
    "a put of keywords": lambda: Client().table(E).put(pk="a", sk="b"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_of_a_verb_says_what_to_write(name: str) -> None:
    """Python's own words about arguments name no way out."""
    with pytest.raises((TypeError, MizzleError)) as caught:
        CALLS[name]()
    message = str(caught.value)
    assert "unexpected keyword argument" not in message
    assert "positional argument" not in message


@pytest.mark.parametrize("index", [False, True], ids=["table", "index"])
async def test_a_missing_table_or_index_is_named_with_its_place_and_the_remedy(client: Client, *, index: bool) -> None:
    """Region, host and `ensure_tables` stand in the error."""
    if index:
        await client.ensure_tables(Counted)
        by_version = GlobalSecondaryIndex("by-version", partition_key=Counted.version)
        work = client.table(Counted).query(by_version.partition_key == 1).all()
    else:
        work = client.table(Nowhere).get(pk="a").send()
    with pytest.raises(MizzleError) as caught:
        await work
    message = str(caught.value)
    assert [word for word in ("127.0.0.1", "ensure_tables", "us-east-1") if word not in message] == []


@pytest.mark.parametrize("name", ["ab", "x" * 256, "with space", "", "ü" * 4])
async def test_a_table_name_is_checked_before_anything_is_sent(name: str) -> None:
    """A name that DynamoDB does not take never reaches the service."""
    caller = StubCaller({"GetItem": {}})
    async with Client(caller=caller) as client:
        with pytest.raises((MizzleError, ValueError)):
            await client.table(name, partition_key="pk").get(pk="a")
    assert caller.requests == []


async def test_an_unknown_operation_of_the_control_plane_is_named(client: Client) -> None:
    """An operation of another service is an error of the library."""
    with pytest.raises(MizzleError, match="ListStacks"):
        await client.control("ListStacks", {})


async def test_a_vector_index_is_part_of_a_table_s_description() -> None:
    """A table that was made elsewhere does not look as if it had none."""
    vectors = {"IndexName": "by-meaning", "IndexStatus": "ACTIVE", "Dimensions": 3}
    table = {
        "TableName": "messages",
        "TableStatus": "ACTIVE",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "VectorIndexes": [vectors],
    }
    async with Client(caller=StubCaller({"DescribeTable": {"Table": table}})) as client:
        description = await client.describe_table(E)
    assert "by-meaning" in repr(description)


def test_a_filter_that_no_index_serves_is_explained() -> None:
    """`explain()` says that a filtered query reads more than it returns, always."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnindexedFilterWarning)
        text = str(Client().table(E).query(E.pk == "x").filter(E.b == 1).explain())
    assert "filter" in text.lower()
    assert "index" in text


def test_a_filter_on_a_query_that_no_index_would_serve_does_not_warn() -> None:
    """The warning stays for scans, and for queries that a declared index would serve."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnindexedFilterWarning)
        Client().table(E).query(E.pk == "x").filter(E.b == 1).to_wire()


async def test_a_query_that_drops_nine_tenths_of_what_it_reads_warns_once() -> None:
    """At least a thousand evaluated items, of which a tenth or fewer pass the filter."""
    item = {"pk": {"S": "x"}, "sk": {"S": "y"}}
    answers = [
        {"Items": [item], "Count": 1, "ScannedCount": 700, "LastEvaluatedKey": {**item, "sk": {"S": f"k{number}"}}}
        for number in range(5)
    ]
    caller = StubCaller({"Query": [*answers, {"Items": [], "Count": 0, "ScannedCount": 10}]})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with Client(caller=caller) as client:
            await client.table(E).query(E.pk == "x").filter(E.b == 1).all()
    assert [warning.category for warning in caught] == [UnindexedFilterWarning]


async def test_an_append_to_a_default_can_be_written_as_in_the_guide_of_aws() -> None:
    """`list_append(if_not_exists(words, []), …)` has its own spelling, or the error names `.append`."""
    caller = StubCaller({"UpdateItem": {"Attributes": {"pk": {"S": "a"}, "sk": {"S": "b"}}}})
    async with Client(caller=caller) as client:
        update = client.table(E).update(pk="a", sk="b")
        default: Any = E.words.if_not_exists([])
        if not hasattr(default, "list_append"):
            update.set(E.a, 1).to_wire()
            pytest.fail("an append to a default has no spelling")
        wire = update.set(E.words, default.list_append(["x"])).to_wire()
    assert "list_append(if_not_exists(" in wire["UpdateExpression"]
