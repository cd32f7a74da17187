"""Parts of queries on the engines: each item once, whatever the kind of part."""

from collections import Counter

from mizzle_async import Attribute, Client, GlobalSecondaryIndex, PartitionKey, SortKey, attribute, entity, evolve


@entity("readings")
class Reading:
    sensor: PartitionKey[str]
    second: SortKey[str]
    celsius: Attribute[int] = attribute(default=0)


BY_CELSIUS = GlobalSecondaryIndex("by-celsius", partition_key=Reading.sensor, sort_key=Reading.celsius)


@entity("events")
class Event:
    device: PartitionKey[str] = attribute(shards=4)
    at: SortKey[int]


async def fill(client: Client) -> None:
    """Store 300 readings of three sensors, with many of the same celsius, and 100 events of one device."""
    await client.ensure_tables(Reading, Event)
    rows = [Reading(sensor=f"s{n % 3}", second=f"{n:04}", celsius=n % 10) for n in range(300)]
    await client.table(Reading).put_many(rows)
    await client.table(Event).put_many(Event(device="d", at=n) for n in range(100))


async def test_each_item_is_in_one_part(client: Client):
    """Segments, ranges of a sort key of text, ranges of an index with many equal keys, partitions of a spread key."""
    await fill(client)
    readings, events = client.table(Reading), client.table(Event)
    segments = [row.second for part in readings.scan().split(9) for row in await part.all()]
    assert sorted(segments) == [f"{n:04}" for n in range(300)]
    own = Reading.sensor == "s0"
    ranges = [row for part in readings.query(own).split(at=["0033", "0100", "0200"]) for row in await part.all()]
    assert ranges == await readings.query(own).all()
    by_index = readings.query(BY_CELSIUS.partition_key == "s1", page_size=7)
    parts = [await part.all() for part in by_index.split(at=[2, 5, 7])]
    assert Counter(row.second for part in parts for row in part) == Counter(
        [row.second for row in await by_index.all()]
    )
    assert [sorted({row.celsius for row in part}) for part in parts] == [[0, 1], [2, 3, 4], [5, 6], [7, 8, 9]]
    spread = events.query(Event.device == "d")
    shards = [[event.at for event in await part.all()] for part in spread.split(4)]
    assert sorted(at for shard in shards for at in shard) == list(range(100))
    assert sum([len(await part.all()) for part in spread.split(at=[20, 50])]) == 100


async def test_more_parts_than_items(client: Client):
    """Most of them are empty, and none fails."""
    await client.ensure_tables(Reading)
    readings = client.table(Reading)
    assert [await part.all() for part in readings.scan().split(40)] == [[]] * 40
    await readings.put(Reading(sensor="s", second="1"))
    assert sorted([len(await part.all()) for part in readings.scan().split(40)]) == [0] * 39 + [1]


async def test_parts_are_rewritten_and_deleted_apart(client: Client):
    """Writing verbs of a part touch its own items only."""
    await fill(client)
    readings = client.table(Reading)
    first, *others = readings.query(Reading.sensor == "s0").split(at=["0099"])
    report = await first.rewrite(lambda row: evolve(row, celsius=row.celsius + 100))
    assert report.written == 33
    assert all([row.celsius < 100 for part in others for row in await part.all()])  # noqa: C419  (it awaits)
    middle = readings.query(Reading.sensor == "s1").split(at=["0001", "0100"])[1]
    assert (await middle.delete_where()).written == 33
    assert (await readings.get_one(sensor="s1", second="0100")).second == "0100"
