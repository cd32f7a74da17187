import json
import math

import pytest

from mizzle_async.errors import ClientStateError, ResumeError
from mizzle_async.streams.checkpoints import Checkpoints, SavedPositions, ShardProgress
from mizzle_async.streams.stores import FileCheckpoints, MemoryCheckpoints

STREAM = "arn:aws:dynamodb:eu-west-1:000000000000:table/orders/stream/2026-11-28T08:00:00.000"
LATER = "arn:aws:dynamodb:eu-west-1:000000000000:table/orders/stream/2026-11-28T09:00:00.000"
OTHER = "arn:aws:dynamodb:eu-west-1:000000000000:table/customers/stream/2026-11-28T08:00:00.000"
NUMBER = "0" * 9 + "9" * 30


@pytest.fixture(params=["memory", "file"])
def reopened(request, tmp_path):
    """A function that returns the store, as a new process would open it where it is a file."""
    memory = MemoryCheckpoints()
    return (lambda: memory) if request.param == "memory" else lambda: FileCheckpoints(tmp_path / "positions.json")


async def test_progress_is_there_after_a_restart(reopened):
    """Positions, the origin and the time of the end come back exactly, a number's leading zeros included."""
    store = reopened()
    assert isinstance(store, Checkpoints)
    member = await store.join("search", STREAM)
    assert await member.read() is None
    assert await member.begin(1_800_000_000.0) == SavedPositions(STREAM, 1_800_000_000.0)
    progress = ShardProgress("a", NUMBER), ShardProgress("b", None, 1_800_000_300.5, ("c", "d"))
    assert await member.save(progress[:1]) == frozenset()
    assert await member.save(progress[1:]) == frozenset()
    await member.close()
    again = await reopened().join("search", LATER)
    assert await again.read() == SavedPositions(STREAM, 1_800_000_000.0, {"a": progress[0], "b": progress[1]})


async def test_first_start_keeps_its_origin(reopened):
    """The origin does not move while the stream is the same, and begins anew with another one."""
    member = await reopened().join("search", STREAM)
    await member.begin(5.0)
    await member.save([ShardProgress("a", "1")])
    assert (await member.begin(7.0)).origin == 5.0
    await member.close()
    member = await reopened().join("search", LATER)
    assert await member.begin(None) == SavedPositions(LATER, None)


async def test_consumers_and_tables_do_not_meet(reopened):
    """Each consumer of each table has positions of its own in one store."""
    store = reopened()
    members = [await store.join(*each) for each in (("a", STREAM), ("b", STREAM), ("a", OTHER))]
    for number, member in enumerate(members):
        await member.begin(None)
        await member.save([ShardProgress("s", str(number))])
    for member in members:
        await member.close()
    store = reopened()
    for number, each in enumerate((("a", STREAM), ("b", STREAM), ("a", OTHER))):
        saved = await (await store.join(*each)).read()
        assert saved is not None
        assert saved.shards == {"s": ShardProgress("s", str(number))}


async def test_every_ready_shard_is_held_for_ever(reopened):
    """A process that has the store for itself holds what is ready, with no end, and knows all progress."""
    member = await reopened().join("search", STREAM)
    await member.begin(None)
    await member.save([ShardProgress("a", "1", 2.0), ShardProgress("b", "4")])
    holding = await member.turn(["b", "c"])
    assert holding.shards == {"b": 0, "c": 0}
    assert holding.wanted == frozenset()
    assert member.valid_until == math.inf
    assert holding.progress["a"].done_at == 2.0
    assert member.interval is None
    await member.release(["b"])
    await member.forget(["a"])
    assert (await member.turn([])).progress == {"b": ShardProgress("b", "4")}


async def test_one_consumer_runs_once(reopened):
    """A second run of one consumer is refused until the first has left; leaving twice does nothing."""
    store = reopened()
    member = await store.join("search", STREAM)
    with pytest.raises(ClientStateError, match=r"'search' .* is running already"):
        await store.join("search", LATER)
    other = await store.join("mail", STREAM)
    await member.close()
    await member.close()
    member = await store.join("search", STREAM)
    await other.close()
    with pytest.raises(ClientStateError, match="is running already"):
        await store.join("search", STREAM)


async def test_file_is_locked_against_others(tmp_path):
    """A file serves one process at a time: until its last consumer has left, others are refused."""
    path = tmp_path / "positions.json"
    first, second = FileCheckpoints(path), FileCheckpoints(path)
    members = [await first.join(name, STREAM) for name in ("a", "b")]
    await members[0].close()
    with pytest.raises(ClientStateError, match="another process"):
        await second.join("a", STREAM)
    await members[1].close()
    await (await second.join("a", STREAM)).close()
    await (await first.join("a", STREAM)).close()


async def test_file_is_read_again_by_each_first_join(tmp_path):
    """What another process saved in between is seen."""
    path = tmp_path / "positions.json"
    first, second = FileCheckpoints(path), FileCheckpoints(path)
    for store, number in ((first, 1), (second, 2), (first, 3)):
        member = await store.join("a", STREAM)
        await member.begin(None)
        saved = await member.read()
        assert saved is not None
        assert [each.position for each in saved.shards.values()] == ([str(number - 1)] if number > 1 else [])
        await member.save([ShardProgress("s", str(number))])
        await member.close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no state file"),
        ('{"format": 1, "kind": "load"}', "is the state of other work"),
        ('{"format": 1, "kind": "changes", "positions": [{}]}', "is damaged"),
        (
            json.dumps({"format": 1, "kind": "changes", "positions": [{"consumer": "a", "table": "t", "stream": "s"}]}),
            "is damaged",
        ),
    ],
)
async def test_file_that_is_none_is_refused(tmp_path, content, message):
    """A file of other work, or a damaged one, is never overwritten, and does not stay locked."""
    path = tmp_path / "positions.json"
    path.write_text(content)
    store = FileCheckpoints(path)
    for _ in range(2):
        with pytest.raises(ResumeError, match=message):
            await store.join("a", STREAM)
    assert path.read_text() == content


async def test_missing_folder_is_refused(tmp_path):
    """A file in a folder that is not there is refused before anything is read."""
    with pytest.raises(ResumeError, match="there is no folder"):
        await FileCheckpoints(tmp_path / "none" / "positions.json").join("a", STREAM)


async def test_file_is_its_owner_s_alone(tmp_path):
    """Only the owner can read the file: it is private, and so is its lock."""
    path = tmp_path / "positions.json"
    store = FileCheckpoints(path)
    member = await store.join("a", STREAM)
    await member.begin(None)
    assert path.stat().st_mode & 0o077 == 0
    assert path.with_name("positions.json.lock").stat().st_mode & 0o077 == 0
    assert repr(store) == f"<FileCheckpoints {str(path)!r}, 1 running>"
    await member.close()
