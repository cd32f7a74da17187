from hypothesis import given
from hypothesis import strategies as st

from mizzle_async.streams.watermark import Watermark


def test_position_is_the_highest_number_below_which_all_is_done():
    """A change that is not done holds the position back, however many after it are."""
    mark = Watermark("000")
    assert mark.position == "000"
    for number in ("001", "002", "003", "004"):
        mark.begin(number)
    assert mark.position == "000"
    assert mark.end("002")
    assert mark.end("004")
    assert mark.position == "000"
    assert mark.end("001")
    assert mark.position == "002"
    assert not mark.is_clear
    assert mark.end("003")
    assert mark.position == mark.last == "004"
    assert mark.is_clear


def test_end_is_noted_once():
    """Ending a change twice, or one that never began, changes nothing and says so."""
    mark = Watermark()
    mark.begin("1")
    assert not mark.end("2")
    assert mark.end("1")
    assert not mark.end("1")
    assert mark.position == "1"


def test_numbers_are_compared_as_integers():
    """Sequence numbers differ in length: as text, 9 is more than 10."""
    mark = Watermark()
    mark.begin("9")
    mark.begin("10")
    mark.end("9")
    assert mark.is_done_up_to(9)
    assert not mark.is_done_up_to(10)
    mark.end("10")
    assert mark.is_done_up_to(10)


@given(st.permutations(range(1, 9)), st.integers(0, 8))
def test_every_order_of_ends_gives_the_same_rule(order, count):
    """After any ends in any order, the position is the last number before the first one that is not done."""
    mark = Watermark("0")
    for number in range(1, 9):
        mark.begin(str(number))
    for number in order[:count]:
        mark.end(str(number))
    left = sorted(order[count:])
    assert mark.position == (str(left[0] - 1) if left else "8")
    assert len(mark) == len(left)
    assert all(mark.is_done_up_to(number) == (not left or number < left[0]) for number in range(1, 9))
