import asyncio
from datetime import UTC, datetime

import orjson
import pytest

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    InvalidCursorError,
    ItemNotFoundError,
    MultipleItemsError,
    PartitionKey,
    Throughput,
    attribute,
    entity,
    parameter,
)
from mizzle_async.types import WireResponse

NOW = 1_700_000_000.0


@entity("sessions")
class Session:
    token: PartitionKey[str]
    expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)
    made: Attribute[datetime | None] = attribute(default=None)


class Service:
    """A service that holds numbered sessions and pages through them, two at a time unless asked for fewer."""

    def __init__(self, count, *, expired=()):
        self.items = [{"token": {"S": str(number)}} for number in range(count)]
        for number in expired:
            self.items[number]["expires"] = {"N": str(int(NOW) - 1)}
        self.requests = []

    async def call(self, request):
        body = orjson.loads(request.body)
        self.requests.append(body)
        await asyncio.sleep(0)
        start = int(body.get("NextToken", "0"))
        end = start + min(body.get("Limit", 2), 2)
        answer = {"Items": self.items[start:end]}
        if end < len(self.items):
            answer["NextToken"] = str(end)
        return WireResponse(answer)

    async def aclose(self):
        """Hold nothing open."""


@pytest.fixture
async def client_of():
    """Open clients on services."""
    clients = []

    async def opened(service):
        client = await Client(clock=lambda: NOW, caller=service).open()
        clients.append(client)
        return client

    yield opened
    for client in clients:
        await client.aclose()


def numbers(sessions):
    """Return the numbers of sessions."""
    return [int(session.token) for session in sessions]


async def test_all_pages(client_of):
    """Every page is read, whichever way rows are asked for."""
    service = Service(5)
    statement = (await client_of(service)).execute("SELECT * FROM sessions", into=Session)

    async def loop():
        return [session async for session in statement]

    assert numbers(await statement.all()) == [0, 1, 2, 3, 4]
    assert numbers(await loop()) == [0, 1, 2, 3, 4]
    assert await statement.count() == 5
    assert [body.get("NextToken") for body in service.requests[:3]] == [None, "2", "4"]


async def test_tasks_may_share_an_iterator(client_of):
    """Of several tasks that read one iterator each row goes to one, whoever asked for its page."""
    iterator = aiter((await client_of(Service(9))).execute("SELECT * FROM sessions", into=Session))
    taken = []

    async def work():
        async for session in iterator:
            taken.append(session)
            await asyncio.sleep(0)

    await asyncio.gather(*(work() for _ in range(4)))
    assert numbers(taken) == list(range(9))


async def test_dicts(client_of):
    """Without a class, rows are dicts."""
    assert await (await client_of(Service(1))).execute("SELECT * FROM sessions").all() == [{"token": "0"}]


async def test_as_many_as_asked_for(client_of):
    """`max_items` ends the reading, and no request asks for more than is wanted."""
    service = Service(5)
    statement = (await client_of(service)).execute("SELECT * FROM sessions", into=Session, max_items=3)
    assert numbers(await statement.all()) == [0, 1, 2]
    assert [body["Limit"] for body in service.requests] == [3, 1]
    none = (await client_of(service)).execute("SELECT * FROM sessions", max_items=0)
    assert await none.all() == []


async def test_first_and_one(client_of):
    """`first` takes one row or None, `one` insists on exactly one."""
    client = await client_of(Service(3))
    assert await client.execute("SELECT * FROM sessions", into=Session).first() == Session(token="0")
    with pytest.raises(MultipleItemsError):
        await client.execute("SELECT * FROM sessions").one()
    empty = await client_of(Service(0))
    assert await empty.execute("SELECT * FROM sessions").first() is None
    with pytest.raises(ItemNotFoundError):
        await empty.execute("SELECT * FROM sessions").one()
    assert await (await client_of(Service(1))).execute("SELECT * FROM sessions", into=Session).one() == Session(
        token="0"
    )


async def test_expired_items_do_not_exist(client_of):
    """Expired items are no rows, unless they are asked for."""
    client = await client_of(Service(4, expired=[1]))
    assert numbers(await client.execute("SELECT * FROM sessions", into=Session).all()) == [0, 2, 3]
    shown = client.execute("SELECT * FROM sessions", into=Session, include_expired=True)
    assert numbers(await shown.all()) == [0, 1, 2, 3]


async def test_pages_with_cursors(client_of):
    """A page's cursor continues after it, in another process too; the last page has none."""
    client = await client_of(Service(5))
    statement = client.execute("SELECT * FROM sessions", into=Session)
    found, cursor = [], None
    while True:
        page = await statement.page(cursor, max_items=3)
        found.append(numbers(page.items))
        cursor = page.cursor
        if cursor is None:
            break
    assert found == [[0, 1, 2], [3, 4]]

    async def pages():
        return [numbers(page.items) async for page in statement.pages()]

    assert await pages() == [[0, 1], [2, 3], [4]]
    assert numbers((await statement.page()).items) == [0, 1]


async def test_empty_pages_are_skipped(client_of):
    """Without a number, `page` gives the first page that has something."""
    statement = (await client_of(Service(4, expired=[0, 1]))).execute("SELECT * FROM sessions", into=Session)
    page = await statement.page()
    assert numbers(page.items) == [2, 3]
    assert page.evaluated == 4


async def test_foreign_cursor(client_of):
    """A cursor belongs to its statement and its parameters."""
    client = await client_of(Service(5))
    cursor = (await client.execute("SELECT * FROM sessions WHERE a = ?", 1).page(max_items=1)).cursor
    with pytest.raises(InvalidCursorError):
        await client.execute("SELECT * FROM sessions WHERE a = ?", 2).page(cursor)


def test_parameter_of_an_attribute():
    """A value is stored as the attribute that it is compared with."""
    client = Client()
    when = datetime(2026, 1, 2, tzinfo=UTC)
    statement = client.execute(
        "SELECT * FROM sessions WHERE made > ? AND expires < ? AND x = ?",
        parameter(Session.made, when),
        parameter(Session.expires, when),
        parameter(Session.made, None),
    )
    assert statement.to_wire()["Parameters"] == [
        {"S": "2026-01-02T00:00:00.000000Z"},
        {"N": "1767312000"},
        {"NULL": True},
    ]
    assert repr(parameter(Session.made, when)) == "<Parameter Session.made>"


async def test_next_page_is_on_its_way(client_of):
    """While the rows of a page are consumed the next page is requested, and no more than that."""
    service = Service(6)
    iterator = aiter((await client_of(service)).execute("SELECT * FROM sessions", into=Session))
    await anext(iterator)
    for _ in range(10):
        await asyncio.sleep(0)
    assert [body.get("NextToken") for body in service.requests] == [None, "2"]
    assert iterator.evaluated == 2


async def test_stream_has_ended_when_its_context_has(client_of):
    """Behind `stream()` of a statement nothing is under way."""
    client = await client_of(Service(6))
    statement = client.execute("SELECT * FROM sessions", into=Session)
    async with statement.stream() as rows:
        assert (await anext(rows)).token == "0"
    with pytest.raises(StopAsyncIteration):
        await anext(rows)
    async with statement.stream() as rows:
        assert numbers([row async for row in rows]) == list(range(6))


async def test_write_is_one_request(client_of):
    """A write takes no limit, and is sent once, whichever way its rows are asked for."""
    service = Service(1)
    client = await client_of(service)
    await client.execute("UPDATE sessions SET x = ? WHERE token = ? RETURNING ALL NEW *", 1, "0").first()
    await client.execute("DELETE FROM sessions WHERE token = ?", "0").all()
    assert ["Limit" in body for body in service.requests] == [False, False]


class Sparse(Service):
    """A service whose statement matches only one item, number 500: other pages are empty."""

    async def call(self, request):
        """Evaluate as many items as the request allows."""
        body = orjson.loads(request.body)
        self.requests.append(body)
        start = int(body.get("NextToken", "0"))
        end = start + body.get("Limit", 1000)
        answer = {"Items": self.items[500:501] if start <= 500 < end else []}
        if end < len(self.items):
            answer["NextToken"] = str(end)
        return WireResponse(answer)


async def test_rare_match_takes_few_requests(client_of):
    """Where pages come back empty, each request evaluates twice as many items as the one before."""
    service = Sparse(1000)
    statement = (await client_of(service)).execute("SELECT * FROM sessions WHERE x = ?", 1, into=Session)
    assert await statement.first() == Session(token="500")
    assert len(service.requests) == 9


async def test_reading_a_statement_is_held_back():
    """The client's throughput limit holds the pages of a statement back, as those of a query; not those of `first`."""
    slept = []

    async def sleep(seconds):
        slept.append(seconds)
        await asyncio.sleep(0)

    class Metered(Service):
        async def call(self, request):
            response = await super().call(request)
            if self.requests[-1].get("ReturnConsumedCapacity") == "TOTAL":
                response.payload["ConsumedCapacity"] = {"TableName": "sessions", "CapacityUnits": 50.0}
            return response

    client = Client(caller=Metered(6), sleep=sleep, throughput=Throughput(read_units_per_second=10))
    async with client:
        statement = client.execute("SELECT * FROM sessions", into=Session)
        await statement.first()
        assert slept == []
        assert len(await statement.all()) == 6
        assert slept[0] == pytest.approx(5, abs=0.5)


async def test_pages_of_a_statement_are_refused_where_they_make_no_sense(client_of):
    """A page has at least one row."""
    statement = (await client_of(Service(3))).execute("SELECT * FROM sessions")
    for wrong in (0, -1, "3"):
        with pytest.raises(ExpressionError, match="an integer of 1 or more"):
            await statement.page(max_items=wrong)


async def test_it_is_not_awaitable():
    """A statement may take several requests: awaiting it, or asking for its truth, says what to write."""
    statement = Client().execute("SELECT * FROM sessions")

    async def await_it():
        await statement

    with pytest.raises(TypeError, match=r"\.all\(\)"):
        await await_it()
    with pytest.raises(TypeError, match="truth value"):
        bool(statement)
