"""Durations as ISO 8601 writes them."""

from datetime import timedelta

import pytest

from mizzle_async.marshalling.json_forms.durations import read_duration, write_duration
from mizzle_async.model.scalars.misfit import Misfit


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "PT0S"),
        (timedelta(days=365), "P365D"),
        (timedelta(days=1, hours=2, minutes=3, seconds=4, microseconds=500_000), "P1DT2H3M4.5S"),
        (timedelta(seconds=-90), "-PT1M30S"),
        (timedelta(microseconds=1), "PT0.000001S"),
        (timedelta.max, "P999999999DT23H59M59.999999S"),
    ],
)
def test_duration_has_one_text(duration, text):
    """A duration is written in days, hours, minutes and seconds, and read from that."""
    assert write_duration(duration) == text
    assert read_duration(text) == duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("P2W", timedelta(weeks=2)),
        ("P1Y2M3D", timedelta(days=365 + 60 + 3)),
        ("+PT1,5S", timedelta(seconds=1.5)),
        ("PT36H", timedelta(hours=36)),
    ],
)
def test_durations_of_other_programs_are_read(text, duration):
    """Weeks, years, months and a comma are read too."""
    assert read_duration(text) == duration


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "1H", "PT1.1234567S", "P-1D", "PT1H ", "P999999999Y"])
def test_text_that_is_no_duration_is_refused(text):
    """A text that is no duration, or one that a timedelta cannot hold, is a misfit."""
    with pytest.raises(Misfit):
        read_duration(text)
