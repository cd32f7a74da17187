"""What public bug threads of other libraries report, tried here: each test names its thread."""

from typing import Any

import orjson
import pytest

from mizzle_async import Attribute, Client, PartitionKey, SortKey, attribute, entity
from mizzle_async.testing.stub import StubCaller
from mizzle_async.types import WireRequest


@entity("odd-names")
class Odd:
    key: PartitionKey[str] = attribute(name="_key")
    sort: SortKey[str] = attribute(name="sort.key")
    a: Attribute[int | None] = attribute(default=None)
    a_2: Attribute[int | None] = attribute(default=None)
    dashed: Attribute[int] = attribute(name="a-2", default=0)
    hashed: Attribute[int] = attribute(name="#a", default=0)
    spaced: Attribute[int] = attribute(name="a 2", default=0)
    umlaut: Attribute[int] = attribute(name="größe", default=0)
    values: Attribute[dict[str, int]] = attribute(factory=dict)


async def test_names_of_every_kind_work_in_every_expression(client: Client) -> None:
    """Dynamoid 808, onetable 242, powertools 693: underscores, dots, hyphens, signs and reserved words in names."""
    await client.ensure_tables(Odd)
    odds = client.table(Odd)
    await odds.insert(Odd(key="k", sort="s", dashed=1, hashed=2, spaced=3, umlaut=4, values={"a.b": 1, "size": 2}))
    changed = await (
        odds.update(key="k", sort="s")
        .add(Odd.dashed, 1)
        .add(Odd.values["a.b"], 5)
        .set(Odd.hashed, Odd.spaced)
        .when((Odd.umlaut == 4) & (Odd.values["size"] == 2))
    )
    assert (changed.dashed, changed.hashed, changed.values) == (2, 3, {"a.b": 6, "size": 2})
    found = await odds.query(Odd.key == "k", Odd.sort >= "s").filter((Odd.spaced == 3) & (Odd.hashed < 4)).all()
    assert found == [changed]
    assert await odds.query(Odd.key == "k").project(Odd.umlaut, Odd.values["a.b"]).all() == [(4, 6)]


async def test_placeholders_of_similar_names_never_meet(client: Client) -> None:
    """boto3 4843, dynoexpr 46: the second value of `a` and the first of `a_2` would have one name."""
    await client.ensure_tables(Odd)
    odds = client.table(Odd)
    await odds.put(Odd(key="k", sort="s", a=1, a_2=2))
    condition = ((Odd.a == 1) | (Odd.a == 7)) & (Odd.a_2 == 2) & (Odd.a != Odd.a_2)
    wire = odds.query(Odd.key == "k").filter(condition).to_wire()
    assert sorted(each["N"] for each in wire["ExpressionAttributeValues"].values() if "N" in each) == ["1", "2", "7"]
    assert await odds.query(Odd.key == "k").filter(condition).count() == 1
    assert await odds.query(Odd.key == "k").filter(condition & (Odd.a_2 == 7)).count() == 0


async def test_keys_with_swapped_values_are_two_items(client: Client) -> None:
    """Risingwave 25985: ("a", "b") and ("b", "a") are two keys in one batch, and none is dropped as a duplicate."""
    await client.ensure_tables(Odd)
    odds = client.table(Odd)
    report = await odds.put_many([Odd(key="a", sort="b"), Odd(key="b", sort="a")])
    assert report.written == 2
    found = await odds.get_many([odds.key(key="a", sort="b"), odds.key(key="b", sort="a")])
    assert [(each.key, each.sort) for each in found if each] == [("a", "b"), ("b", "a")]


async def test_empty_last_key_is_the_end() -> None:
    """PynamoDB 1307, async-aws 1810: an empty map in place of an absent key ends the read, and is never sent back."""
    page: dict[str, Any] = {
        "Items": [{"_key": {"S": "k"}, "sort.key": {"S": "s"}}],
        "Count": 1,
        "ScannedCount": 1,
        "LastEvaluatedKey": {},
    }
    caller = StubCaller({"Query": page, "Scan": page})
    async with Client(caller=caller) as client:
        odds = client.table(Odd)
        assert len(await odds.query(Odd.key == "k").all()) == 1
        assert len(await odds.scan().all()) == 1
        assert (await odds.query(Odd.key == "k").page()).cursor is None
        assert await odds.query(Odd.key == "k").count() == 1
    assert all("ExclusiveStartKey" not in payload for payload in caller.payloads)


async def test_page_without_items_is_not_the_end(client: Client) -> None:
    """dynamodb-paginator 6: every item of a page is filtered out, and the next page has one."""
    await client.ensure_tables(Odd)
    odds = client.table(Odd)
    await odds.put_many(Odd(key="k", sort=f"{number:02}", a=number) for number in range(20))
    assert [each.a for each in await odds.query(Odd.key == "k", page_size=3).filter(Odd.a == 19).all()] == [19]
    first = await odds.query(Odd.key == "k", page_size=3).filter(Odd.a == 19).first()
    assert first is not None
    assert first.a == 19


async def test_cursor_stands_after_the_last_returned_item(client: Client) -> None:
    """PynamoDB 406, guregu/dynamo 186: a page cut by `max_items` goes on after its last item."""
    await client.ensure_tables(Odd)
    odds = client.table(Odd)
    await odds.put_many(Odd(key="k", sort=f"{number:02}") for number in range(10))
    query = odds.query(Odd.key == "k", page_size=4)
    seen, cursor = [], None
    while True:
        page = await query.page(cursor, max_items=3)
        seen += [each.sort for each in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [f"{number:02}" for number in range(10)]


async def test_whole_batch_that_comes_back_is_written_all_the_same() -> None:
    """boto3 1424 and 2867: a full batch is unprocessed, and the items after it must not be dropped."""
    written: list[str] = []
    calls = 0

    def answer(request: WireRequest) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        payload = orjson.loads(request.body)
        if calls <= 2:
            return {"UnprocessedItems": payload["RequestItems"]}
        written.extend(each["PutRequest"]["Item"]["sort.key"]["S"] for each in payload["RequestItems"]["odd-names"])
        return {"UnprocessedItems": {}}

    async with Client(caller=StubCaller({"BatchWriteItem": answer})) as client:
        report = await client.table(Odd).put_many(Odd(key="k", sort=f"{number:03}") for number in range(77))
    assert report.written == 77
    assert sorted(written) == [f"{number:03}" for number in range(77)]


async def test_item_that_no_table_takes_leaves_the_others_written(client: Client) -> None:
    """mapbox/dyno 82: one bad item among good ones; every good one is written or accounted for."""
    await client.ensure_tables(Odd)
    odds = client.table(Odd)
    undone: list[Any] = []
    items = [Odd(key="k", sort=f"{number:02}") for number in range(36)]
    items[25] = Odd(key="k", sort="x" * 2000)
    report = await odds.put_many(items, on_error=undone.append)
    assert (report.written, len(undone)) == (35, 1)
    assert await odds.query(Odd.key == "k").count() == 35


@pytest.mark.parametrize("path", ["a.b", "a-b", "0", "ключ"])
async def test_entry_of_a_map_is_reached_by_any_name(client: Client, path: str) -> None:
    """Moto 1342, floci 374 and 1756, aws-sdk-go-v2 196: a dotted name is one entry, never a path or a new attribute."""
    await client.ensure_tables(Odd)
    odds = client.table(Odd)
    await odds.put(Odd(key="k", sort="s", values={"x": 1}))
    changed = await odds.update(key="k", sort="s").set(Odd.values[path], 3)
    assert changed.values == {"x": 1, path: 3}
    raw = client.table("odd-names", partition_key="_key", sort_key="sort.key")
    (item,) = await raw.scan().all()
    assert set(item) == {"_key", "sort.key", "values", "a-2", "#a", "a 2", "größe"}
