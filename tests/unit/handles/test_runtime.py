import asyncio
import inspect

import pytest

from mizzle_async import Attribute, Client, ClientStateError, PartitionKey, RetryPolicy, Throughput, attribute, entity
from mizzle_async.flow.ports import PacingPort, SendingPort, TaskPort
from mizzle_async.handles.client_part import ClientPart
from mizzle_async.handles.runtime import Runtime, RuntimeSettings
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.stub import StubCaller
from mizzle_async.wire.settings import WireSettings
from mizzle_async.writing.table_part import TablePart, target_of


@entity("notes")
class Note:
    note_id: PartitionKey[str]
    text: Attribute[str] = attribute(default="")


def test_the_runtime_has_every_name_of_the_ports():
    """Each port includes the one before it, and the runtime is all three."""
    runtime = Runtime(RuntimeSettings())
    asked = [{name for name in dir(port) if not name.startswith("_")} for port in (SendingPort, PacingPort, TaskPort)]
    assert asked[0] < asked[1] < asked[2]
    assert [name for name in sorted(asked[2]) if not hasattr(runtime, name)] == []


def test_it_is_made_of_its_settings():
    """Clock, randomness, limits and the timeout are those of the settings."""
    settings = RuntimeSettings(
        wire=WireSettings(timeout=3.0, retry=RetryPolicy(randomness=lambda: 0.25)),
        throughput=Throughput(read_units_per_second=5.0),
        clock=lambda: 17.0,
    )
    runtime = Runtime(settings)
    assert (runtime.timeout, runtime.random(), runtime.now()) == (3.0, 0.25, 17.0)
    assert (repr(runtime.read_limiter), runtime.write_limiter) == ("<RateLimiter 5 units a second, 0.0 left>", None)
    assert runtime.new_token() != runtime.new_token()
    assert repr(runtime) == "<Runtime new>"


def test_handles_and_operations_are_given_the_runtime_not_the_client():
    """A table, a query and an operation hold the runtime; the client keeps its users' words."""
    client = Client()
    notes = client.table(Note)
    assert target_of(notes).sender is client._runtime
    assert notes.scan()._runtime is client._runtime
    machinery = {"now", "random", "pause", "start", "tasks", "cursors", "new_token", "new_write_id", "read_limiter"}
    assert machinery.isdisjoint(dir(Client))
    assert machinery <= set(dir(client._runtime))


@pytest.mark.parametrize(("handle", "part"), [(Client, ClientPart), (type(Client().table(Note)), TablePart)])
def test_no_part_of_a_handle_knows_another_one(handle, part):
    """The parts stand side by side: each inherits from the common base alone, and asks for nothing abstract."""
    parts = [cls for cls in handle.__mro__ if issubclass(cls, part) and cls not in {handle, part}]
    assert len(parts) >= 2
    for each in parts:
        assert [cls for cls in each.__mro__ if issubclass(cls, part)] == [each, part]
        assert not inspect.isabstract(each)


def test_tasks_end_with_the_runtime_and_need_it_open():
    """A task of a closed runtime is refused, and its coroutine closed; one of an open runtime ends with it."""

    async def main():
        runtime = Runtime(RuntimeSettings(caller=StubCaller({})))
        coroutine = asyncio.sleep(1)
        with pytest.raises(ClientStateError, match="not open yet"):
            runtime.start(coroutine)
        assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
        await runtime.open()
        task = runtime.start(asyncio.sleep(3_600))
        assert len(runtime.tasks) == 1
        await runtime.aclose()
        assert task.cancelled()

    run_virtual(main())
