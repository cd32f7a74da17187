"""Handling an event: order, failures, and the one record that is reported."""

import asyncio
import logging

import pytest

from mizzle_async import Attribute, Client, PartitionKey, attribute, entity
from mizzle_async.errors import ExpressionError
from mizzle_async.testing.clock import run_virtual


@entity("orders")
class Order:
    order_id: PartitionKey[str]
    version: Attribute[int] = attribute(default=0)
    email: Attribute[str | None] = attribute(default=None, unique=True)


ORDERS = Client().table(Order)
EMPTY = {"batchItemFailures": []}


def record(order_id, number, **image):
    """Return a record of an order."""
    keys = {"order_id": {"S": order_id}}
    body = {
        "Keys": keys,
        "NewImage": keys | {"version": {"N": str(number)}} | image,
        "SequenceNumber": f"{number:021d}",
    }
    return {"eventName": "INSERT", "dynamodb": body}


def event(*records):
    """Return an event."""
    return {"Records": list(records)}


def reported(number):
    """Return the answer that reports one record."""
    return {"batchItemFailures": [{"itemIdentifier": f"{number:021d}"}]}


class Handler:
    """Takes a second for each change, and fails at some."""

    def __init__(self, *failing, seconds=1.0, slow=None):
        self.failing = failing
        self.seconds = seconds
        self.slow = slow or {}
        self.begun = []
        self.done = []
        self.running = 0
        self.most = 0

    async def __call__(self, change):
        """Handle one change."""
        number = change.sequence_number
        self.begun.append(number)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.slow.get(number, self.seconds))
            if number in self.failing:
                raise RuntimeError(f"no {number}")
            self.done.append(number)
        finally:
            self.running -= 1


def run(records, handler, **options):
    """Handle an event on the virtual clock; return the answer and the seconds."""

    async def main():
        began = asyncio.get_running_loop().time()
        answer = await ORDERS.handle_records(event(*records), handler, **options)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return answer, asyncio.get_running_loop().time() - began

    return run_virtual(main())


def test_all_done_is_an_empty_list():
    """Different items are handled side by side."""
    handler = Handler()
    answer, seconds = run([record(each, number) for number, each in enumerate("abcdef", 1)], handler)
    assert (answer, seconds, handler.most) == (EMPTY, 1.0, 6)
    assert run([], Handler()) == (EMPTY, 0.0)


def test_changes_of_one_item_follow_one_another():
    """In the order of the event, whatever else runs."""
    handler = Handler()
    answer, seconds = run([record("ab"[number % 2], number) for number in range(1, 7)], handler)
    assert (answer, seconds, handler.most) == (EMPTY, 3.0, 2)
    assert [number for number in handler.begun if number % 2] == [1, 3, 5]
    assert [number for number in handler.begun if not number % 2] == [2, 4, 6]


def test_so_many_are_handled_at_once_at_most():
    """`concurrency` bounds all of them together; one handles them strictly in order."""
    handler = Handler()
    assert run([record(str(n), n) for n in range(1, 10)], handler, concurrency=4)[0] == EMPTY
    assert handler.most == 4
    handler = Handler()
    run([record(str(n), n) for n in range(1, 10)], handler, concurrency=1)
    assert handler.done == list(range(1, 10))
    with pytest.raises(ExpressionError, match="concurrency"):
        run([record("a", 1)], Handler(), concurrency=0)


def test_nothing_begins_after_a_failure_and_what_has_begun_is_finished(caplog):
    """The lowest record that is not done is reported, alone: Lambda repeats from the lowest."""
    handler = Handler(2, slow={1: 5.0, 2: 1.0, 3: 3.0})
    answer, seconds = run([record(str(n), n) for n in range(1, 9)], handler, concurrency=3)
    assert handler.begun == [1, 2, 3]
    assert handler.done == [3, 1]
    assert (answer, seconds) == (reported(2), 5.0)
    (failure,) = caplog.records
    assert failure.levelno == logging.ERROR
    assert "table orders: record 000000000000000000002 of an event, at place 1, failed" in failure.getMessage()
    assert failure.exc_info[1].args == ("no 2",)


def test_the_lowest_one_not_done_is_reported_although_a_later_one_failed():
    """A change that waits behind another of its item has not begun when a later one fails."""
    handler = Handler(3, slow={1: 2.0, 3: 1.0})
    answer, _ = run([record("a", 1), record("a", 2), record("b", 3), record("c", 4)], handler)
    assert handler.done == [4, 1]
    assert answer == reported(2)


def test_a_failure_below_the_first_one_counts():
    """Two fail: the lower one is reported, whichever failed first."""
    answer, _ = run([record(str(n), n) for n in range(1, 5)], Handler(2, 3, slow={2: 5.0}))
    assert answer == reported(2)


def test_an_image_that_does_not_fit_is_a_failure_at_its_place(caplog):
    """Everything before it is done, nothing after it begins."""
    handler = Handler()
    poison = record("c", 3, version={"S": "a secret"})
    answer, _ = run([record("a", 1), record("b", 2), poison, record("d", 4)], handler)
    assert (handler.done, answer) == ([1, 2], reported(3))
    assert "secret" not in caplog.text


def test_guards_and_foreign_items_are_done(caplog):
    """A record that is none of the entity's business holds nothing up."""
    handler = Handler()
    answer, _ = run([record("_unique#email#S#x", 1), record("a", 2)], handler)
    assert (handler.done, answer, caplog.records) == ([2], EMPTY, [])


def test_an_event_of_something_else_is_never_a_success():
    """The function fails, and Lambda repeats the whole event."""
    for wrong in ({}, {"Records": [{"eventSource": "aws:sqs"}]}, {"Records": [record("a", 1), {"dynamodb": {}}]}):
        handler = Handler()
        with pytest.raises(ExpressionError):
            asyncio.run(ORDERS.handle_records(wrong, handler))
        assert handler.begun == []


def test_a_stream_with_another_view_fails_the_whole_event():
    """No record can ever be handled: that is a mistake of the configuration."""
    held = record("a", 1)
    del held["dynamodb"]["NewImage"]
    held["dynamodb"]["StreamViewType"] = "KEYS_ONLY"
    with pytest.raises(ExpressionError, match="view='keys_only'"):
        run([held], Handler())
    handler = Handler()
    assert run([held], handler, view="keys_only")[0] == EMPTY
    assert handler.done == [1]


def test_a_cancelled_caller_cancels_its_handlers():
    """As when a function's time is up: nothing goes on behind the caller's back."""

    async def main():
        handler = Handler(seconds=60.0)
        task = asyncio.ensure_future(ORDERS.handle_records(event(record("a", 1), record("b", 2)), handler))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (handler.begun, handler.done, handler.running) == ([1, 2], [], 0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(main())


def test_a_handler_that_awaited_something_cancelled_has_failed():
    """Its own cancellation is an error as any other: the caller was not cancelled."""

    async def handler(change):
        if change.sequence_number == 2:
            other = asyncio.ensure_future(asyncio.sleep(9))
            other.cancel()
            await other

    answer, _ = run([record("a", 1), record("b", 2), record("c", 3)], handler, concurrency=1)
    assert answer == reported(2)


def test_an_exit_is_no_failure_of_a_record():
    """What ends a process ends the event as well."""

    async def handler(change):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([record("a", 1)], handler)


class Marks:
    """A store of marks, in memory, that fails as it is told."""

    def __init__(self):
        self.applied = {}

    async def apply_once(self, consumer, event_id, operations, /):
        """Apply operations once for a consumer and an event."""
        await asyncio.sleep(0)
        known = (consumer, event_id) in self.applied
        self.applied.setdefault((consumer, event_id), operations)
        return not known


def test_effects_are_applied_once_by_the_event_s_identity():
    """A repeated event applies nothing again; another consumer has marks of its own."""
    marks = Marks()
    outcomes = []

    async def handler(change):
        outcomes.append(await change.apply("an operation"))
        if change.sequence_number == 2 and len(outcomes) < 3:
            raise RuntimeError

    records = [record(str(n), n) | {"eventID": f"e{n}"} for n in (1, 2)]
    options = {"consumer": "search", "state": marks}
    assert run(records, handler, concurrency=1, **options)[0] == reported(2)
    assert run(records, handler, concurrency=1, **options)[0] == EMPTY
    assert outcomes == [True, True, False, False]
    assert marks.applied == {("search", "e1"): ("an operation",), ("search", "e2"): ("an operation",)}
    run(records, handler, consumer="mail", state=marks)
    assert outcomes[4:] == [True, True]


def test_marks_need_a_consumer_and_a_place(caplog):
    """Half of it is refused before anything is handled; without them apply() says what it takes."""
    for half in ({"consumer": "search"}, {"state": Marks()}):
        handler = Handler()
        with pytest.raises(ExpressionError, match="belong together"):
            run([record("a", 1)], handler, **half)
        assert handler.begun == []

    async def handler(change):
        await change.apply()

    assert run([record("a", 1)], handler)[0] == reported(1)
    assert "handle_records() takes consumer= and state= for change.apply()" in caplog.text

    async def another(change):
        change.done()

    assert run([record("a", 1)], another)[0] == reported(1)
    assert "only decoded" in caplog.text
    assert run([record("a", 1)], another, consumer="search", state=Marks())[0] == reported(1)
    assert "done when its handler returns" in caplog.text
