"""The schedule of an address that refuses: when it is tried again, and which failures are worth waiting for."""

import errno
import random
import ssl

import pytest

from mizzle_async.errors import TransportError
from mizzle_async.wire.pool.reconnects import Reconnects, UnreachableError, may_pass


class Highest(random.Random):
    """Draws the highest number there is."""

    def uniform(self, a, b):
        """Return the upper bound."""
        del a
        return b


def test_pauses_grow_to_a_second():
    """An address is tried after 0.1, 0.2, 0.4, 0.8 seconds, and then every second, however long it is away."""
    schedule = Reconnects(Highest())
    now, pauses = 0.0, []
    for _ in range(8):
        schedule.failed(UnreachableError("refused"), now)
        pauses.append(schedule.pause(now))
        now += pauses[-1]
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0])


def test_jitter_takes_at_most_half_of_a_pause():
    """The clients of a service that restarts do not come back together."""
    generator = random.Random(3)
    pauses = set()
    for _ in range(100):
        schedule = Reconnects(generator)
        schedule.failed(UnreachableError("refused"), 0.0)
        pauses.add(schedule.pause(0.0))
    assert len(pauses) == 100
    assert 0.05 <= min(pauses) < max(pauses) <= 0.1


def test_connections_that_fail_together_count_once():
    """Fifty openings that were tried at once and refused are one failure of the schedule."""
    schedule = Reconnects(Highest())
    for _ in range(50):
        schedule.failed(UnreachableError("refused"), 0.0)
    assert schedule.pause(0.0) == pytest.approx(0.1)
    assert repr(schedule) == "<Reconnects after 1 failures>"


def test_a_success_forgets_the_failures():
    """Once it was reached, an address has no obstacle, and its next failure is its first."""
    schedule = Reconnects(Highest())
    error = UnreachableError("refused")
    for moment in range(5):
        schedule.failed(error, float(moment))
    assert schedule.obstacle is error
    schedule.reached()
    assert schedule.obstacle is None
    assert schedule.pause(9.0) < 0
    schedule.failed(error, 9.0)
    assert schedule.pause(9.0) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), True),
        (ConnectionResetError(errno.ECONNRESET, "reset"), True),
        (TimeoutError(), True),
        (OSError(errno.EHOSTUNREACH, "unreachable"), True),
        (OSError(errno.ENETUNREACH, "unreachable"), True),
        (OSError(errno.EMFILE, "too many open files"), True),
        (PermissionError(errno.EACCES, "permission denied"), False),
        (OSError(errno.EINVAL, "invalid"), False),
        (ssl.SSLError(1, "wrong version number"), False),
    ],
    ids=str,
)
def test_which_failures_pass(error, passes):
    """A host that restarts, a network that is down, a full table of files: what waiting mends, and nothing else."""
    assert may_pass(error) is passes


def test_it_is_an_error_of_the_transport():
    """A caller that catches `TransportError` catches it, and knows that nothing was sent."""
    assert issubclass(UnreachableError, TransportError)
    assert UnreachableError("refused").outcome.value == "not sent"
