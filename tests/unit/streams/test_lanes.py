from hypothesis import given
from hypothesis import strategies as st

from mizzle_async.streams.lanes import Lanes


def lanes(refuse=frozenset()):
    """Make lanes of texts by their first letter, with the list of those that were passed over."""
    refused = []
    return Lanes(lambda entry: entry[0], lambda entry: entry in refuse, refused.append), refused


def test_entries_of_one_lane_follow_one_another():
    """The second change of a key waits until the first is done; other keys go side by side."""
    queue, _ = lanes()
    assert [queue.add(entry) for entry in ("a1", "a2", "b1", "a3")] == [True, False, True, False]
    assert queue.take() == ("a", "a1")
    assert queue.take() == ("b", "b1")
    assert queue.take() is None
    queue.finish("a")
    assert queue.take() == ("a", "a2")
    queue.finish("b")
    assert queue.take() is None
    queue.finish("a")
    assert not queue.is_empty
    assert queue.take() == ("a", "a3")
    queue.finish("a")
    assert queue.is_empty


def test_oldest_entry_is_the_next():
    """Whatever lane it is in: with one worker, entries are handled in the order in which they came."""
    queue, _ = lanes()
    for entry in ("a1", "a2", "b1", "a3", "c1", "b2"):
        queue.add(entry)
    order = []
    while (taken := queue.take()) is not None:
        order.append(taken[1])
        queue.finish(taken[0])
    assert order == ["a1", "a2", "b1", "a3", "c1", "b2"]


def test_lane_is_forgotten_when_it_is_empty():
    """Memory holds the keys that are under way, not those that were."""
    queue, _ = lanes()
    for number in range(1000):
        queue.add(f"{chr(number + 300)}")
        lane, _entry = queue.take()
        queue.finish(lane)
    assert repr(queue) == "<Lanes 0 busy or waiting, 0 ready>"


def test_refused_entries_are_passed_over_in_their_turn():
    """A lost shard's changes are not handled, and those behind them in the lane are."""
    queue, refused = lanes({"a1", "a2", "b1"})
    for entry in ("a1", "a2", "a3", "b1"):
        queue.add(entry)
    assert queue.take() == ("a", "a3")
    assert queue.take() is None
    assert refused == ["a1", "a2", "b1"]
    queue.finish("a")
    assert queue.is_empty


@given(st.lists(st.sampled_from("abc"), max_size=30), st.randoms(use_true_random=False))
def test_each_lane_keeps_its_order_and_never_overlaps(keys, random):
    """Whatever the order of ends, every entry is taken once, in its lane's order, one at a time."""
    queue, _ = lanes()
    entries = [f"{key}{number}" for number, key in enumerate(keys)]
    busy, taken = {}, []
    left = list(entries)
    while left or busy or not queue.is_empty:
        if left and random.random() < 0.5:
            queue.add(left.pop(0))
        if (found := queue.take()) is not None:
            lane, entry = found
            assert lane not in busy
            busy[lane] = entry
            taken.append(entry)
        if busy and random.random() < 0.5:
            lane = random.choice(sorted(busy))
            del busy[lane]
            queue.finish(lane)
    assert sorted(taken) == sorted(entries)
    for key in "abc":
        mine = [int(each[1:]) for each in taken if each[0] == key]
        assert mine == sorted(mine)
