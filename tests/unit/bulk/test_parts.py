"""Parts of queries: each item once, whatever process reads it."""

import pickle
from decimal import Decimal

import orjson
import pytest

import mizzle_async.handles.detached as detached_module
from mizzle_async import (
    Attribute,
    Client,
    ClientStateError,
    ExpressionError,
    GlobalSecondaryIndex,
    InvalidCursorError,
    MarshallingError,
    PartitionKey,
    ResumeError,
    SortKey,
    attribute,
    entity,
)
from mizzle_async.testing.stub import StubCaller


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    number: SortKey[int]
    cents: Attribute[int] = attribute(default=0)


BY_CENTS = GlobalSecondaryIndex("by-cents", partition_key=Order.customer_id, sort_key=Order.cents)


@entity("events")
class Event:
    device: PartitionKey[str] = attribute(shards=4)
    at: SortKey[int]


class Items(StubCaller):
    """A table of one partition that answers queries by their sort key's range, and scans by segment."""

    def __init__(self, numbers):
        super().__init__({"Query": self.query, "Scan": self.scan})
        self.numbers = list(numbers)
        self.bodies = []

    def query(self, request):
        body = orjson.loads(request.body)
        self.bodies.append(body)
        values = {
            name: Decimal(next(iter(value.values())))
            for name, value in body["ExpressionAttributeValues"].items()
            if "N" in value
        }
        sort = body["KeyConditionExpression"].partition(" AND ")[2]
        words = sort.split()
        match words[1:]:
            case ["BETWEEN", low, "AND", high]:
                shown = [n for n in self.numbers if values[low] <= n <= values[high]]
            case ["<", high]:
                shown = [n for n in self.numbers if n < values[high]]
            case ["<=", high]:
                shown = [n for n in self.numbers if n <= values[high]]
            case [">", low]:
                shown = [n for n in self.numbers if n > values[low]]
            case [">=", low]:
                shown = [n for n in self.numbers if n >= values[low]]
        if body.get("ScanIndexForward") is False:
            shown.reverse()
        return self.answer(shown)

    def scan(self, request):
        body = orjson.loads(request.body)
        self.bodies.append(body)
        segment, total = body.get("Segment", 0), body.get("TotalSegments", 1)
        return self.answer([n for n in self.numbers if n % total == segment])

    def answer(self, numbers):
        items = [{"customer_id": {"S": "c"}, "number": {"N": str(n)}} for n in numbers]
        return {"Items": items, "Count": len(items), "ScannedCount": len(items)}


async def numbers(query):
    """Read the numbers of a query's rows."""
    return [order.number for order in await query.all()]


ORDERS = Client().table(Order)
ALL = Order.customer_id == "c"


async def test_parts_of_a_scan_are_its_items():
    """A scan in seven parts, each pickled and read by another client, has each item once; nothing is sent to split."""
    caller = Items(range(100))
    async with Client(caller=caller) as client:
        parts = client.table(Order).scan().split(7)
        assert caller.bodies == []
        travelled = [pickle.loads(pickle.dumps(part)) for part in parts]
        async with Client(caller=caller) as other:
            read = [await numbers(part.on(other)) for part in travelled]
    assert sorted(number for part in read for number in part) == list(range(100))
    assert [body["Segment"] for body in caller.bodies] == list(range(7))


async def test_a_worker_builds_its_part_itself():
    """`part(3, of=7)` is the fourth query of `split(7)`."""
    assert ORDERS.scan().part(3, of=7).to_wire() == ORDERS.scan().split(7)[3].to_wire()
    assert ORDERS.scan(segments=9).part(3, of=7).to_wire()["TotalSegments"] == 7
    assert str(ORDERS.scan().part(3, of=7)).startswith("part 3 of 7 of Scan")
    assert ORDERS.scan().part(999_999, of=1_000_000).to_wire()["Segment"] == 999_999


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("sort", "inside"),
    [
        (None, range(50)),
        (Order.number > 4, range(5, 50)),
        (Order.number >= 4, range(4, 50)),
        (Order.number < 40, range(40)),
        (Order.number <= 40, range(41)),
        (Order.number.between(4, 40), range(4, 41)),
    ],
    ids=str,
)
async def test_ranges_of_a_query_have_no_gap_and_no_overlap(sort, inside, reverse):
    """The ranges between values, read one after the other, are the rows of the query, in its order."""
    async with Client(caller=Items(range(50))) as client:
        conditions = [ALL] if sort is None else [ALL, sort]
        parts = client.table(Order).query(*conditions, reverse=reverse).split(at=[5, 17, 39])
        rows = [number for part in parts for number in await numbers(part)]
        counted = sum([await part.count() for part in parts])
        again = [number for part in parts[1].split(at=[30 if reverse else 10]) for number in await numbers(part)]
        middle = await numbers(parts[1])
    assert rows == sorted(inside, reverse=reverse)
    assert counted == len(inside)
    assert again == middle


async def test_a_range_shows_neither_of_its_open_ends():
    """DynamoDB has no range with open ends: the item at an end is read, and belongs to the next part."""
    async with Client(caller=Items(range(50))) as client:
        part = client.table(Order).query(ALL, Order.number > 4).split(at=[9])[0]
        assert await numbers(part) == [5, 6, 7, 8]
        assert (await part.first()).number == 5
        page = await part.page(max_items=2)
        assert [row.number for row in page.items] == [5, 6]


def test_an_index_is_divided_by_its_own_sort_key():
    """The boundaries are of the key that the rows are ordered by."""
    first, second = ORDERS.query(BY_CENTS.partition_key == "c").split(at=[100])
    assert first.to_wire()["KeyConditionExpression"] == "#customer_id = :customer_id AND #cents < :cents"
    assert second.to_wire()["KeyConditionExpression"] == "#customer_id = :customer_id AND #cents >= :cents"


def test_a_spread_key_is_divided_by_its_partitions():
    """Each part has whole partitions: one each, or several where there are fewer parts."""
    query = Client().table(Event).query(Event.device == "d")
    assert [part._plan.parts for part in query.split(4)] == [1, 1, 1, 1]
    assert [len(part._plan.split()) for part in query.split(3)] == [2, 1, 1]
    keys = [each.partition_key() for part in query.split(3) for each in part._plan.split()]
    assert len({str(key) for key in keys}) == 4
    ranged = query.split(at=[7])
    assert [len(part._plan.split()) for part in ranged] == [4, 4]
    assert all("#at < :at" in each.compile(0.0)["KeyConditionExpression"] for each in ranged[0]._plan.split())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ORDERS.scan().split(0), "1 to 1,000,000 parts, not 0"),
        (lambda: ORDERS.scan().split(-1), "not -1"),
        (lambda: ORDERS.scan().split(True), "not True"),  # noqa: FBT003  (a wrong argument)
        (lambda: ORDERS.scan().split("8"), "not '8'"),
        (lambda: ORDERS.scan().split(1_000_001), "not 1000001"),
        (lambda: ORDERS.scan().split(), "a number of parts, or at="),
        (lambda: ORDERS.scan().split(3, at=[4]), "a number of parts, or at="),
        (lambda: ORDERS.scan().split(at=[4]), "a scan has no order"),
        (lambda: ORDERS.scan().part(7, of=7), r"there is no part 7 of 7: they count from 0 to 6"),
        (lambda: ORDERS.scan().part(-1, of=7), "there is no part -1"),
        (lambda: ORDERS.scan(max_items=5).split(3), "max_items= counts over the whole query"),
        (lambda: ORDERS.scan(max_evaluated=5).split(3), "max_evaluated= counts over the whole query"),
        (lambda: ORDERS.scan().part(1, of=3).split(3), "this is part 1 of 3 already"),
        (lambda: ORDERS.query(ALL).split(3), r"divide it by values of its sort key, \.split\(at="),
        (lambda: ORDERS.query(ALL).split(at=[]), "one value of Order.number or more"),
        (lambda: ORDERS.query(ALL).split(at=[3, 3]), "in ascending order"),
        (lambda: ORDERS.query(ALL).split(at=[4, 3]), "in ascending order"),
        (lambda: ORDERS.query(ALL, Order.number > 4).split(at=[4]), "within the query's own range"),
        (lambda: ORDERS.query(ALL, Order.number < 4).split(at=[5]), "within the query's own range"),
        (lambda: ORDERS.query(ALL, Order.number == 4).split(at=[4]), "is no range with ends"),
        (lambda: ORDERS.query(Order.customer_id.is_in(["a", "b"])).split(3), "at most 2 parts"),
        (lambda: Client().table("bare", partition_key="k").query(
            Client().table("bare", partition_key="k").partition_key == "v").split(at=["x"]), "needs a sort key of one"),
        (lambda: ORDERS.scan().on(None), "takes a Client, not NoneType"),
    ],
)  # fmt: skip
def test_a_division_that_would_lose_or_repeat_items_is_refused(make, message):
    """Before anything is sent, with the way out."""
    with pytest.raises(ExpressionError, match=message):
        make()


def test_a_boundary_of_another_type_is_refused():
    """It is encoded as a value of the sort key."""
    with pytest.raises(MarshallingError, match="expected int"):
        ORDERS.query(ALL).split(at=["x"])


async def test_a_query_without_a_client_shows_itself_and_sends_nothing():
    """It came out of a pickle: `on` gives it a client, and until then it says so."""
    arrived = pickle.loads(pickle.dumps(ORDERS.scan().part(1, of=2)))
    assert arrived.to_wire() == ORDERS.scan().part(1, of=2).to_wire()
    assert "TotalSegments: 2" in str(arrived.explain())
    for attempt in (arrived.all(), arrived.count(), arrived.page(max_items=3)):
        with pytest.raises(ClientStateError, match=r"query\.on\(client\)"):
            await attempt


async def test_the_table_keeps_the_prefix_of_the_client_that_split():
    """A worker's own prefix is not put before it again, and its converter is the one that decodes."""
    made = Client(table_prefix="dev-").table(Order).scan().part(0, of=1)
    arrived = pickle.loads(pickle.dumps(made))
    assert arrived.on(Client(table_prefix="other-")).to_wire()["TableName"] == "dev-orders"


async def test_a_part_of_a_closed_client_says_so():
    """As every handle of it."""
    async with Client(caller=Items(range(3))) as client:
        part = client.table(Order).scan().part(0, of=2)
    with pytest.raises(ClientStateError, match="closed"):
        await part.all()


async def test_positions_belong_to_one_part(tmp_path):
    """Cursors and state files of one part are refused by another part, and by another number of parts."""
    async with Client(caller=Items(range(10))) as client:
        scan = client.table(Order).scan()
        cursor = (await scan.part(1, of=2).page(max_items=2)).cursor
        assert cursor is not None
        assert (await scan.part(1, of=2).page(cursor, max_items=2)).items
        for other in (scan, scan.part(0, of=2), scan.part(1, of=3)):
            with pytest.raises(InvalidCursorError):
                await other.page(cursor, max_items=2)
        state = tmp_path / "part.json"
        report = await scan.part(1, of=2).export(tmp_path / "part.jsonl", resume=state)
        assert report.written == 5
        for other in (scan, scan.part(0, of=2), scan.part(1, of=3)):
            with pytest.raises(ResumeError, match="state of other work"):
                await other.export(tmp_path / "other.jsonl", resume=state)


def test_a_query_of_another_version_is_refused_by_name(monkeypatch):
    """A pickle whose members are others than this version's names them."""
    pickled = pickle.dumps(ORDERS.scan())
    monkeypatch.setattr(detached_module, "LAYOUT", (*detached_module.LAYOUT, "novelty"))
    with pytest.raises(ClientStateError, match="another version of mizzle_async, whose queries differ in novelty"):
        pickle.loads(pickled)
