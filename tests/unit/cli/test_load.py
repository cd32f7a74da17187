"""A load's progress counts the items that are settled."""

from types import SimpleNamespace

import pytest

from mizzle_async.cli.load import progress_of
from mizzle_async.flow.report import BatchReport


@pytest.mark.parametrize(
    ("read", "report", "bad", "expected"),
    [
        (0, BatchReport(), 0, 0.0),
        (200, BatchReport(written=20), 0, 100.0),
        (200, BatchReport(written=20), 30, 250.0),
        (200, BatchReport(written=100, rejected=50), 100, 1000.0),
        (200, BatchReport(skipped=200), 0, 1000.0),
    ],
)
def test_progress_is_that_of_settled_items(read, report, bad, expected):
    """Of the bytes that were read, those count whose items are written, rejected or skipped, not those read ahead."""
    source = SimpleNamespace(size=2_000, position=1_000)
    incoming = SimpleNamespace(read=read, rejects=SimpleNamespace(count=bad))
    done = progress_of(incoming, source)
    assert done(report) == expected


def test_progress_without_an_end():
    """Of a pipe the size is not known: items are counted."""
    assert progress_of(SimpleNamespace(), SimpleNamespace(size=None)) is None
