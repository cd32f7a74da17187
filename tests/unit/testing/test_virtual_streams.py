"""Shards of the facade before an engine: each assumption about AWS is a test.

``[model]`` is written in the service's own model of the API, ``[docs]`` on a page of AWS, ``[guess]`` nowhere.
"""

import itertools
import math

import orjson
import pytest

from mizzle_async.testing._virtual_streams import (
    FIRST_NUMBER,
    HASHES,
    PAGE_BYTES,
    StreamRefusedError,
    VirtualStream,
    key_hash,
)

NOW = 1_800_000_000.9


def record(name, size=0):
    """Return a record of the engine."""
    body = {
        "Keys": {"id": {"S": name}},
        "SequenceNumber": "000000000000000000001",
        "NewImage": {"x": {"S": "x" * size}},
    }
    return {"eventName": "INSERT", "dynamodb": body}


def filled(count, shards=1, now=NOW):
    """Return a stream with records of so many keys."""
    stream = VirtualStream(shards, now)
    for number in range(count):
        stream.add(record(f"k{number}"), now)
    return stream


def numbers(page):
    """Return the numbers of a page's records, counted from one."""
    return [each.number - FIRST_NUMBER for each in page[0]]


def read(stream, shard, request, limit=1000, now=NOW):
    """Return the numbers of the page at a position, and whether another one follows."""
    page = stream.page(shard, stream.position(shard, request, now), limit)
    return numbers(page), page[1] is not None


OLDEST = {"ShardIteratorType": "TRIM_HORIZON"}
LATEST = {"ShardIteratorType": "LATEST"}


def after(number):
    """Return the request for a position after a number, counted from one."""
    return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": str(FIRST_NUMBER + number)}


def at(number):
    """Return the request for a position at a number, counted from one."""
    return {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": str(FIRST_NUMBER + number)}


# ── shards ──


def test_ranges_of_shards_cover_every_hash_once():
    """[docs] A key's records lie in one shard at a time."""
    stream = VirtualStream(7, NOW)
    stream.cut(stream.open_shards[::2], 2, NOW, NOW)
    ranges = sorted((shard.low, shard.high) for shard in stream.open_shards)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == HASHES
    assert all(one[1] == two[0] for one, two in itertools.pairwise(ranges))


def test_records_of_a_key_follow_its_shard_and_its_children():
    """[docs] Within the lineage of a shard, a key's numbers grow."""
    stream = VirtualStream(2, NOW)
    seen = {}
    for turn in range(4):
        for number in range(40):
            shard = stream.add(record(f"k{number}"), NOW)
            assert shard.low <= key_hash({"id": {"S": f"k{number}"}}) < shard.high
            seen.setdefault(f"k{number}", []).append(shard)
        stream.cut(stream.open_shards, 1 + turn % 2, NOW, NOW)
    for shards in seen.values():
        assert all(child.parent == parent.id for parent, child in itertools.pairwise(shards))
        assert all(child.first > parent.last for parent, child in itertools.pairwise(shards))


def test_numbers_grow_in_length():
    """[model] They have 21 to 40 digits: a comparison of their texts is wrong where the length changes."""
    (shard,) = filled(60).shards
    texts = [str(each.number) for each in shard.records]
    assert {len(text) for text in texts} == {21, 22}
    assert sorted(texts) != texts
    assert [orjson.loads(each.json)["dynamodb"]["SequenceNumber"] for each in shard.records] == texts


def test_a_cut_closes_a_shard_and_opens_its_children():
    """[model] A closed shard has an EndingSequenceNumber; a split has two children, a roll one."""
    stream = filled(10)
    (parent,) = stream.open_shards
    first, second = stream.cut([parent], 2, NOW, NOW)
    assert parent.described()["SequenceNumberRange"]["EndingSequenceNumber"] == str(FIRST_NUMBER + 10)
    assert [shard.id for shard in stream.open_shards] == [first, second]
    assert {shard.parent for shard in stream.open_shards} == {parent.id}
    assert "EndingSequenceNumber" not in stream.open_shards[0].described()["SequenceNumberRange"]
    assert len(stream.cut(stream.open_shards[:1], 1, NOW, NOW)) == 1
    assert stream.cut([parent], 2, NOW, NOW) == []


def test_names_of_shards_are_as_long_as_the_service_s():
    """[model] 28 to 65 characters."""
    assert all(28 <= len(shard.id) <= 65 for shard in filled(0, shards=3).shards)


def test_shards_are_listed_in_pages():
    """[model] LastEvaluatedShardId is where the next page begins; without it there is none."""
    stream = VirtualStream(5, NOW)
    names = [shard.id for shard in stream.shards]
    page, last = stream.listing(NOW, 2)
    assert ([shard.id for shard in page], last) == (names[:2], names[1])
    page, last = stream.listing(NOW, 2, after=names[3])
    assert ([shard.id for shard in page], last) == (names[4:], None)
    assert stream.listing(NOW, 2, after=names[4]) == ([], None)


def test_children_are_listed_alone_and_when_they_are_visible():
    """[docs] CHILD_SHARDS gives the children of one shard; they may not be visible when it is closed [guess]."""
    stream = VirtualStream(2, NOW)
    first, second = stream.open_shards
    stream.add(record("k0"), NOW)
    made = stream.cut([first], 2, NOW, NOW + 5)
    assert stream.listing(NOW, 100, children_of=first.id) == ([], None)
    assert [shard.id for shard in stream.listing(NOW + 5, 100, children_of=first.id)[0]] == made
    assert stream.listing(NOW + 5, 100, children_of=second.id) == ([], None)
    assert len(stream.listing(NOW, 100)[0]) in {1, 2}


def test_a_shard_that_was_closed_without_a_record_is_listed():
    """[guess] Two cuts may follow one another; a trimming takes it."""
    stream = filled(0)
    (parent,) = stream.open_shards
    stream.cut([parent], 1, NOW, NOW)
    assert parent in stream.shards
    assert read(stream, parent, OLDEST) == ([], False)
    assert stream.trim(parent, keep=0) == 0
    assert parent not in stream.shards


def test_a_closed_shard_goes_when_its_last_record_does():
    """[guess] AWS lists it for 24 hours, which is when its last record goes; its children go on naming it."""
    stream = filled(10)
    (parent,) = stream.open_shards
    stream.cut([parent], 1, NOW, NOW)
    stream.trim(parent, keep=1)
    assert parent in stream.shards
    assert stream.trim(parent, keep=0) == 1
    assert parent not in stream.shards
    assert stream.open_shards[0].parent == parent.id
    with pytest.raises(StreamRefusedError) as refused:
        stream.shard(parent.id)
    assert refused.value.code == "ResourceNotFoundException"


# ── reading ──


def test_an_open_shard_always_has_a_next_page():
    """[model] An empty page is no end."""
    stream = filled(3)
    (shard,) = stream.shards
    assert read(stream, shard, OLDEST) == ([1, 2, 3], True)
    assert read(stream, shard, LATEST) == ([], True)


def test_the_last_page_of_a_closed_shard_has_records_and_no_iterator():
    """[model] And so has the page of a position at its end."""
    stream = filled(3)
    (shard,) = stream.shards
    stream.close(shard)
    assert read(stream, shard, OLDEST) == ([1, 2, 3], False)
    assert read(stream, shard, OLDEST, limit=2) == ([1, 2], True)
    assert read(stream, shard, LATEST) == ([], False)
    assert read(stream, shard, after(3)) == ([], False)


def test_positions_are_at_and_after_a_number():
    """[model] At it, or right after it."""
    stream = filled(5)
    (shard,) = stream.shards
    assert read(stream, shard, at(2))[0] == [2, 3, 4, 5]
    assert read(stream, shard, after(2))[0] == [3, 4, 5]


def test_latest_is_resolved_when_the_iterator_is_made():
    """[guess] Records that are written before it is used are read."""
    stream = filled(2)
    (shard,) = stream.shards
    position = stream.position(shard, LATEST, NOW)
    stream.add(record("k9"), NOW)
    assert numbers(stream.page(shard, position, 1000)) == [3]


@pytest.mark.parametrize("number", [0, 6, 99])
def test_a_number_that_the_shard_cannot_hold_is_refused(number):
    """[guess] With a ValidationException."""
    stream = filled(5)
    (shard,) = stream.shards
    for request in (at(number), after(number)):
        with pytest.raises(StreamRefusedError) as refused:
            stream.position(shard, request, NOW)
        assert refused.value.code == "ValidationException"


def test_a_position_before_a_trimmed_record_is_refused():
    """[model] When the iterator is asked for, and when one from before the trimming is used.

    [guess] A number that was trimmed itself is refused although everything after it is there.
    """
    stream = filled(5)
    (shard,) = stream.shards
    early, fine = (stream.position(shard, request, NOW) for request in (OLDEST, after(3)))
    stream.trim(shard, keep=2)
    for attempt in (
        lambda: stream.position(shard, after(1), NOW),
        lambda: stream.position(shard, after(3), NOW),
        lambda: stream.position(shard, at(3), NOW),
        lambda: stream.page(shard, early, 1000),
    ):
        with pytest.raises(StreamRefusedError) as refused:
            attempt()
        assert refused.value.code == "TrimmedDataAccessException"
    assert numbers(stream.page(shard, fine, 1000)) == [4, 5]
    assert read(stream, shard, OLDEST)[0] == [4, 5]
    assert read(stream, shard, after(4))[0] == [5]


def test_times_are_whole_seconds_and_positions_by_time_are_at_or_after():
    """[model] Rounded down; older than the trim horizon is the horizon; the future is refused."""
    stream = VirtualStream(1, NOW)
    (shard,) = stream.shards
    for second in range(5):
        stream.add(record("k"), NOW + second)
    assert [each.at for each in shard.records] == [math.floor(NOW) + second for second in range(5)]

    def since(stamp):
        return read(stream, shard, {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": stamp}, now=NOW + 9)[0]

    whole = math.floor(NOW)
    assert since(whole + 2) == [3, 4, 5]
    # The record of this very moment has an earlier time: a client must floor what it asks for.
    assert since(NOW + 2) == [4, 5]
    assert since(whole - 10**6) == [1, 2, 3, 4, 5]
    assert since(whole + 8) == []
    stream.trim(shard, keep=2)
    assert since(whole) == [4, 5]
    for wrong in (NOW + 10, None, "now"):
        with pytest.raises(StreamRefusedError, match="Timestamp"):
            since(wrong)


def test_a_page_has_a_thousand_records_or_a_megabyte():
    """[model] At most, and one record at least."""
    (shard,) = (stream := filled(1200)).shards
    assert len(read(stream, shard, OLDEST)[0]) == 1000
    stream = VirtualStream(1, NOW)
    (shard,) = stream.shards
    for _ in range(12):
        stream.add(record("k", 300_000), NOW)
    assert read(stream, shard, OLDEST) == ([1, 2, 3], True)
    stream.add(record("k", 2 * PAGE_BYTES), NOW)
    assert read(stream, shard, after(12)) == ([13], True)


@pytest.mark.parametrize("kind", [None, "EARLIEST"])
def test_another_kind_of_position_is_refused(kind):
    """[model] There are five."""
    stream = filled(1)
    with pytest.raises(StreamRefusedError, match="ShardIteratorType"):
        stream.position(stream.shards[0], {"ShardIteratorType": kind}, NOW)
