import threading
from pathlib import Path

import pytest

from mizzle_async.testing import _cache
from mizzle_async.testing._cache import cache_folder, cached


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache folder that does not exist yet."""
    monkeypatch.setenv("MIZZLE_ASYNC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_variable_of_ours_wins(monkeypatch, tmp_path):
    """MIZZLE_ASYNC_CACHE names the folder, whatever else is set."""
    monkeypatch.setenv("MIZZLE_ASYNC_CACHE", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == tmp_path


def test_xdg_folder_is_honoured_if_absolute(monkeypatch, tmp_path):
    """XDG_CACHE_HOME holds our folder; a relative one is ignored, as its specification demands."""
    monkeypatch.delenv("MIZZLE_ASYNC_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/elsewhere/mizzle_async")
    monkeypatch.setattr(_cache.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / ".cache" / "mizzle_async"
    monkeypatch.setattr(_cache.sys, "platform", "darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "mizzle_async"


def test_entry_is_built_once(folder):
    """The second caller gets what the first one built."""
    built = []

    def build(path: Path) -> None:
        built.append(path)
        path.mkdir()
        (path / "content").write_text("x")

    assert cached("thing-1.0", build) == cached("thing-1.0", build) == folder / "thing-1.0"
    assert (folder / "thing-1.0" / "content").read_text() == "x"
    assert len(built) == 1


def test_failed_build_leaves_nothing(folder):
    """What a builder made before it failed is gone, and the next caller builds anew."""

    def fail(path: Path) -> None:
        path.mkdir()
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        cached("thing", fail)
    assert [path.name for path in folder.iterdir()] == ["thing.lock"]
    assert cached("thing", Path.mkdir).is_dir()


def test_leftovers_of_a_killed_builder_are_removed(folder):
    """A scratch folder without an owner goes with the next build of its entry; other entries' stay."""
    (folder / ".thing-dead" / "entry").mkdir(parents=True)
    (folder / ".other-alive").mkdir(parents=True)
    cached("thing", Path.mkdir)
    assert sorted(path.name for path in folder.iterdir()) == [".other-alive", "thing", "thing.lock"]


def test_simultaneous_callers_wait_for_the_builder(folder):
    """While one builds, others wait, then use the same entry."""
    started, go_on = threading.Event(), threading.Event()
    built: list[Path] = []
    results: list[Path] = []

    def build(path: Path) -> None:
        built.append(path)
        started.set()
        go_on.wait()
        path.mkdir()

    threads = [threading.Thread(target=lambda: results.append(cached("thing", build))) for _ in range(4)]
    for thread in threads:
        thread.start()
    started.wait()
    assert results == []
    go_on.set()
    for thread in threads:
        thread.join()
    assert results == [folder / "thing"] * 4
    assert len(built) == 1
