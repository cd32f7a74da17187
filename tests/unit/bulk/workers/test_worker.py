"""A worker in its process: its messages to the parent, and its end without one."""

import pytest

from mizzle_async.bulk.workers import worker
from mizzle_async.bulk.workers.messages import Noted, Ready
from mizzle_async.bulk.workers.worker import ORPHANED, Setup, Worker


class Pipe:
    """A pipe whose other end is closed."""

    def send(self, message: object) -> None:
        """Refuse a message."""
        raise BrokenPipeError


def test_a_worker_whose_parent_is_gone_ends_without_a_word(monkeypatch: pytest.MonkeyPatch, capfd):
    """A parent that was killed while its worker started hears nothing: no traceback is printed over its terminal."""

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(worker.os, "_exit", leave)
    for message in (Ready(), Noted("a note")):
        with pytest.raises(SystemExit) as left:
            Worker(Pipe(), Setup(dict, dict))._send(message)
        assert left.value.code == ORPHANED
    assert capfd.readouterr() == ("", "")
