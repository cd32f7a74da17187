"""Batches against a service that does what it likes: every item is reported as what became of it."""

import asyncio
import random
from collections import defaultdict
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle_async import Attribute, BatchError, BatchReport, Client, PartitionKey, TransportError, entity
from mizzle_async.errors import MizzleError
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.stub import StubTransport
from mizzle_async.types import Outcome
from mizzle_async.wire.exchange import Exchange


@entity("rows")
class Row:
    """One write is told from another by its number."""

    name: PartitionKey[str]
    number: Attribute[int]


class Service:
    """Applies batches, or does not, and tells the truth about it, or loses its answer."""

    def __init__(self, seed: int, faults: dict[str, float]) -> None:
        self.random = random.Random(seed)
        self.faults = faults
        self.applied: list[int] = []
        self.stored: dict[str, int] = {}
        self.transport = StubTransport(self.answer)

    async def answer(self, exchange: Exchange) -> Reply | Exception:
        await asyncio.sleep(self.random.random() * 0.02)
        requests = orjson.loads(exchange.body)["RequestItems"]["rows"]
        names = [request["PutRequest"]["Item"]["name"]["S"] for request in requests]
        assert len(names) == len(set(names)) <= 25
        fault = self.random.choices([*self.faults, "none"], [*self.faults.values(), 1.0])[0]
        if fault == "throttled":
            return Reply.throttled()
        if fault == "failed":
            return Reply.error("InternalServerError", status=500)
        if fault == "lost before":
            return TransportError("lost", outcome=Outcome.UNKNOWN)
        if fault == "refused":
            return Reply.error("ValidationException")
        left = []
        if fault != "none":
            share = {"all": 1.0, "some": 0.4}.get(fault, 0.2)
            left = [request for request in requests if self.random.random() < share]
        for request in requests:
            if request not in left:
                self.apply(request["PutRequest"]["Item"])
        if fault == "lost after":
            return TransportError("lost", outcome=Outcome.UNKNOWN)
        self.random.shuffle(left)
        return Reply({"UnprocessedItems": {"rows": left} if left else {}})

    def apply(self, item: dict[str, Any]) -> None:
        number = int(item["number"]["N"])
        self.applied.append(number)
        self.stored[item["name"]["S"]] = number


FAULTS = st.dictionaries(
    st.sampled_from(["throttled", "failed", "lost before", "lost after", "refused", "all", "some"]),
    st.sampled_from([0.1, 0.5, 5.0, 1000.0]),
    max_size=4,
)


def judge(service: Service, rows: list[Row], report: BatchReport) -> None:
    """Hold a report against what really happened."""
    failed = {undone.position for undone in report.failed}
    unknown = {undone.position for undone in report.unknown}
    taken = set(range(report.taken))
    assert not failed & unknown
    assert failed | unknown <= taken
    assert report.written + len(report.failed) + len(report.unknown) == report.taken
    assert all(rows[undone.position] is undone.item for undone in (*report.failed, *report.unknown))
    applied = set(service.applied)
    written = taken - failed - unknown
    assert written <= applied
    assert not failed & applied
    assert applied <= taken
    by_name = defaultdict(list)
    for row in rows[: report.taken]:
        by_name[row.name].append(row.number)
    for name, numbers in by_name.items():
        order = [number for number in dict.fromkeys(service.applied) if number in numbers]
        assert order == sorted(order), "a later write to an item was applied before an earlier one"
        if written.issuperset(numbers):
            assert service.stored[name] == numbers[-1]


@settings(deadline=None, max_examples=150)
@given(
    count=st.integers(0, 160),
    names=st.sampled_from([1, 3, 40, 1000]),
    concurrency=st.integers(1, 6),
    seed=st.integers(0, 2**32),
    faults=FAULTS,
    cancelled_at=st.none() | st.floats(0.0, 2.0),
    is_async=st.booleans(),
)
def test_report_is_what_happened(count, names, concurrency, seed, faults, cancelled_at, is_async):  # noqa: PLR0917  (Hypothesis gives them by name)
    """Written is applied, failed is not, the rest is unknown; one item's writes stay in order; cancelled or not."""
    service = Service(seed, faults)
    rows = [Row(name=f"n{service.random.randrange(names)}", number=number) for number in range(count)]

    async def source():
        for row in rows:
            await asyncio.sleep(0)
            yield row

    async def main():
        client = Client(transport=service.transport, timeout=3.0)
        async with client:
            load = client.table(Row).put_many(source() if is_async else iter(rows), concurrency=concurrency)
            task = asyncio.create_task(load.send())
            if cancelled_at is not None:
                asyncio.get_running_loop().call_later(cancelled_at, task.cancel)
            try:
                report = await task
            except BatchError:
                assert not load.report.is_complete
            except asyncio.CancelledError:
                assert cancelled_at is not None
            else:
                assert report.is_complete
                assert report.written == count
        return load.report

    judge(service, rows, run_virtual(main()))


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(1, 350),
    names=st.integers(1, 300),
    concurrency=st.integers(1, 4),
    seed=st.integers(0, 2**32),
    share=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
)
def test_keys_come_back_in_their_order_or_are_named(count, names, concurrency, seed, share):
    """Whatever the service leaves unprocessed, `get_many` gives every key's item in order, or names the unread keys."""
    chance = random.Random(seed)
    asked_of_service = []

    def answer(exchange: Exchange) -> Reply:
        keys = orjson.loads(exchange.body)["RequestItems"]["rows"]["Keys"]
        assert len(keys) <= 100
        assert len({key["name"]["S"] for key in keys}) == len(keys)
        asked_of_service.extend(key["name"]["S"] for key in keys)
        left = [key for key in keys if chance.random() < share]
        items = [{**key, "number": {"N": key["name"]["S"]}} for key in keys if key not in left]
        found = [item for item in items if int(item["number"]["N"]) % 3]
        chance.shuffle(found)
        return Reply({"Responses": {"rows": found}, "UnprocessedKeys": {"rows": {"Keys": left}} if left else {}})

    wanted = [str(chance.randrange(names)) for _ in range(count)]

    async def main():
        async with Client(transport=StubTransport(answer), timeout=2.0) as client:
            try:
                return await client.table(Row).get_many(wanted, concurrency=concurrency)
            except BatchError as error:
                return error

    result = run_virtual(main())
    if isinstance(result, MizzleError):
        assert share > 0
        assert {undone.item["name"]["S"] for undone in result.report.failed} <= set(wanted)
        return
    assert [None if row is None else row.number for row in result] == [
        int(name) if int(name) % 3 else None for name in wanted
    ]
    if not share:
        assert len(asked_of_service) == len(set(wanted))
