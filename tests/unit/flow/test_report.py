import pickle

import pytest

from mizzle_async import BatchReport, LimitError, UndoneWrite


def undone(position, *, uncertain=False):
    """Return an item that was not done."""
    return UndoneWrite("put", "rows", {"id": position}, LimitError("too large"), position, uncertain)


def test_reports_add_up():
    """Every number is added, and every item that was not done is kept; neither report changes."""
    first = BatchReport(written=2, taken=3, read_units=1.5, read_requests=1, unprocessed=4, not_taken=2)
    first.note(undone(0))
    second = BatchReport(written=5, taken=7, write_units=2.5, write_requests=2, skipped=1, evaluated=9, not_taken=1)
    second.note(undone(1, uncertain=True))
    whole = first + second
    assert (whole.written, whole.taken, whole.skipped, whole.evaluated, whole.unprocessed) == (7, 10, 1, 9, 4)
    assert (whole.read_units, whole.write_units, whole.read_requests, whole.write_requests) == (1.5, 2.5, 1, 2)
    assert ([each.position for each in whole.failed], [each.position for each in whole.unknown]) == ([0], [1])
    assert whole.not_taken == 3
    assert (first.written, first.unknown, second.failed) == (2, [], [])


def test_reports_of_parts_are_summed():
    """`sum` adds reports up, also after a pickle; where one input has no length, the whole has none."""
    parts = [pickle.loads(pickle.dumps(BatchReport(written=number))) for number in range(4)]
    assert sum(parts).written == 6
    assert sum([], start=BatchReport()).written == 0
    assert sum([BatchReport(not_taken=1), BatchReport(not_taken=None)]).not_taken is None


def test_only_reports_add_up():
    """Anything else is refused."""
    with pytest.raises(TypeError):
        BatchReport() + 1
    with pytest.raises(TypeError):
        1 + BatchReport()
