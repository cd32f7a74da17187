"""`modify` against a scripted service: what is read, what is written, when it goes on and when it gives up."""

import asyncio

import orjson
import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    DeadlineExceededError,
    ExpressionError,
    ItemNotFoundError,
    OutcomeUnknownError,
    PartitionKey,
    RetryPolicy,
    TransactionCanceledError,
    TransactionConflictError,
    VersionConflictError,
    attribute,
    entity,
    evolve,
)
from mizzle_async.errors import CancellationReason
from mizzle_async.testing.clock import run_virtual
from mizzle_async.types import WireResponse


@entity("orders")
class Order:
    order_id: PartitionKey[str]
    total: Attribute[int] = attribute(default=0)
    version: Attribute[int] = attribute(default=0, version=True)


@entity("plain")
class Plain:
    plain_id: PartitionKey[str]


@entity("users")
class User:
    user_id: PartitionKey[str]
    email: Attribute[str] = attribute(default="", unique=True)
    version: Attribute[int] = attribute(default=0, version=True)


def stored(version, total=0):
    """Return a stored order."""
    return {
        "order_id": {"S": "o"},
        "total": {"N": str(total)},
        "version": {"N": str(version)},
        "_write_id": {"S": "theirs"},
    }


class Service:
    """One order at version 1, and what goes wrong with the writes, in order."""

    def __init__(self, *failures, item=None):
        self.item = stored(1) if item is None else item
        self.failures = list(failures)
        self.requests = []
        self.delay = 0.0

    async def call(self, request):
        self.requests.append(request)
        await asyncio.sleep(self.delay)
        if request.operation == "GetItem":
            return WireResponse({"Item": self.item} if self.item else {})
        if self.failures:
            failure = self.failures.pop(0)
            if failure is not None:
                if isinstance(failure, ConditionalCheckFailedError):
                    self.item = failure.item
                raise failure
        body = orjson.loads(request.body)
        total = next(iter(body["ExpressionAttributeValues"].values()))
        return WireResponse({"Attributes": {**stored(2), "total": total}})

    async def aclose(self):
        """Hold nothing open."""

    @property
    def operations(self):
        """What was asked for, in order."""
        return [request.operation for request in self.requests]


def conflict(version, total=0):
    """Return the service's word for a version that is another one."""
    return ConditionalCheckFailedError("The conditional request failed", item=stored(version, total))


def modify(service, *arguments, chance=0.5, client_timeout=10.0, model=Order, **options):
    """Modify the order on a virtual clock; return the result or the error, and the seconds it took."""

    async def scenario():
        retry = RetryPolicy(randomness=lambda: chance)
        async with Client(caller=service, retry=retry, timeout=client_timeout) as client:
            loop = asyncio.get_running_loop()
            started = loop.time()
            try:
                result = await client.table(model).modify(*arguments, **options)
            except Exception as error:  # noqa: BLE001  (the test looks at it)
                result = error
            return result, loop.time() - started

    return run_virtual(scenario())


def more(order):
    """Add one to the total."""
    return evolve(order, total=order.total + 1)


def test_read_change_write():
    """One consistent read, one update on condition of the version."""
    service = Service()
    result, _ = modify(service, "o", more)
    assert result == Order(order_id="o", total=1, version=2)
    assert service.operations == ["GetItem", "UpdateItem"]
    read, write = (orjson.loads(request.body) for request in service.requests)
    assert read["ConsistentRead"] is True
    assert write["ConditionExpression"].startswith("attribute_exists(#order_id) AND #version = ")


def test_asynchronous_change():
    """The change may be a coroutine function."""

    async def slowly(order):
        await asyncio.sleep(1)
        return more(order)

    result, seconds = modify(Service(), "o", slowly)
    assert (result.total, seconds) == (1, 1.0)


def test_keys_by_name():
    """The key may be given by name, then the change by name too."""
    result, _ = modify(Service(), change=more, order_id="o")
    assert result.total == 1


def test_change_in_place():
    """A change that alters the instance and returns it is seen all the same."""

    def alter(order):
        order.total = 7
        return order

    result, _ = modify(Service(), "o", alter)
    assert result.total == 7


def test_no_difference():
    """A change that changes nothing writes nothing."""
    service = Service(item=stored(1, 5))
    result, _ = modify(service, "o", lambda order: order)
    assert result == Order(order_id="o", total=5, version=1)
    assert service.operations == ["GetItem"]


def test_first_conflict_needs_no_read():
    """The conflict has just told what is stored: the change is applied to that, at once."""
    service = Service(conflict(2, 10))
    result, seconds = modify(service, "o", more)
    assert (result.total, seconds) == (11, 0.0)
    assert service.operations == ["GetItem", "UpdateItem", "UpdateItem"]


def test_further_conflicts_pause_and_read():
    """Later conflicts pause, longer each time and by chance, and read again."""
    service = Service(conflict(2), conflict(3), conflict(4), conflict(5, 50))
    result, seconds = modify(service, "o", more)
    assert result.total == 51
    assert service.operations == ["GetItem", "UpdateItem", "UpdateItem", *["GetItem", "UpdateItem"] * 3]
    assert seconds == pytest.approx(0.5 * (0.04 + 0.08 + 0.16))


def test_attempts_are_bounded():
    """`attempts` bounds the writes, and the conflict is raised with what is stored."""
    service = Service(conflict(2), conflict(3, 30), conflict(4))
    result, _ = modify(service, "o", more, attempts=2)
    assert type(result) is VersionConflictError
    assert result.item == stored(3, 30)
    assert service.operations.count("UpdateItem") == 2


def test_time_is_bounded():
    """A pause that would pass the deadline is not begun: the conflict is raised at once."""
    service = Service(*[conflict(version) for version in range(2, 99)])
    result, seconds = modify(service, "o", more, timeout=1.0, chance=1.0)
    assert type(result) is VersionConflictError
    assert seconds < 1.0


def test_requests_share_the_time():
    """Every request gets what is left, and the error names the caller's own number."""
    service = Service(conflict(2))
    service.delay = 3.0
    modify(service, "o", more, timeout=8.0)
    assert [request.timeout for request in service.requests] == pytest.approx([8.0, 5.0, 2.0])
    service = Service(DeadlineExceededError("timeout of 0.7 seconds exceeded", timeout=0.7))
    result, _ = modify(service, "o", more, timeout=8.0)
    assert type(result) is DeadlineExceededError
    assert result.timeout == 8.0
    assert "8 seconds" in str(result)


def test_change_shares_the_time():
    """A change that takes too long ends with the deadline, and nothing was written."""

    async def forever(order):
        await asyncio.sleep(100)
        return order

    service = Service()
    result, seconds = modify(service, "o", forever, client_timeout=2.0)
    assert type(result) is DeadlineExceededError
    assert (result.timeout, seconds) == (2.0, 2.0)
    assert service.operations == ["GetItem"]


def test_changes_own_errors():
    """What the change raises comes out as it is, a timeout of its own included."""

    async def late(order):
        async with asyncio.timeout(1.0):
            await asyncio.sleep(100)
        return order

    def broken(_order):
        raise ZeroDivisionError

    assert type(modify(Service(), "o", broken)[0]) is ZeroDivisionError
    assert type(modify(Service(), "o", late)[0]) is TimeoutError


@pytest.mark.parametrize(
    "own",
    [
        VersionConflictError("theirs", item={"user_id": {"S": "u"}}),
        TransactionConflictError("theirs"),
        TransactionCanceledError("theirs", reasons=[CancellationReason(None, "TransactionConflict")]),
        DeadlineExceededError("theirs", timeout=0.5),
    ],
)
def test_conflicts_within_the_change(own):
    """A conflict or a deadline of what the change itself calls is not the modification's: it comes out as it is."""

    def change(_order):
        raise own

    service = Service()
    result, seconds = modify(service, "o", change)
    assert result is own
    assert (result.message, seconds) == ("theirs", 0.0)
    assert service.operations == ["GetItem"]


def test_conflicts_of_transactions():
    """Another transaction at work is a conflict too."""
    service = Service(TransactionConflictError("busy"))
    result, _ = modify(service, "o", more)
    assert result.total == 1
    assert service.operations == ["GetItem", "UpdateItem", "GetItem", "UpdateItem"]


@pytest.mark.parametrize(("code", "again"), [("TransactionConflict", True), ("ValidationError", False)])
def test_conflicts_of_its_own_transaction(code, again):
    """A unique entity's write is a transaction: one that met another is tried again, others are not."""
    item = {"user_id": {"S": "u"}, "email": {"S": "a"}, "version": {"N": "1"}}
    reasons = [CancellationReason(None, code), CancellationReason(None, None)]

    class Users(Service):
        async def call(self, request):
            if request.operation == "GetItem":
                return WireResponse({"Item": item})
            if not self.requests:
                self.requests.append(request)
                raise TransactionCanceledError("cancelled", reasons=reasons)
            return WireResponse({})

    result, _ = modify(Users(), "u", lambda user: evolve(user, email="b"), model=User)
    if again:
        assert result == User(user_id="u", email="b", version=2)
    else:
        assert type(result) is TransactionCanceledError


def test_unknown_outcome():
    """A lost answer that nothing judges is told, not tried again."""
    service = Service(OutcomeUnknownError("lost"))
    result, _ = modify(service, "o", more)
    assert type(result) is OutcomeUnknownError
    assert service.operations == ["GetItem", "UpdateItem"]


def test_missing_item():
    """There is nothing to modify where there is no item."""
    service = Service()
    service.item = {}
    assert type(modify(service, "o", more)[0]) is ItemNotFoundError


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("o",), {}, "needs a function"),
        (("o", more), {"attempts": 0}, "must be 1 or more"),
        (("o", more), {"attempts": 2.5}, "must be 1 or more"),
        (("o", more), {"attempts": "3"}, "must be 1 or more"),
        (("o", more), {"timeout": "5"}, "seconds as a number"),
        (("o", 5), {}, "needs a function"),
        (("o", lambda _order: None), {}, "returned NoneType"),
        (("o", lambda order: evolve(order, order_id="other")), {}, "key cannot change"),
        (("o", more), {"model": Plain}, "declare one"),
    ],
)
def test_mistakes(arguments, options, words):
    """Each mistake says what to write."""
    result, _ = modify(Service(), *arguments, **options)
    assert type(result) is ExpressionError
    assert words in str(result)
