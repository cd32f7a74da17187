from mizzle_async.operations.streams import Shard
from mizzle_async.streams.checkpoints import ShardProgress
from mizzle_async.streams.shard_tree import ShardTree

DAY = 86_400.0


def shard(name, parent=None, last=None):
    """Make a shard."""
    return Shard(name, parent, 1, last)


def listed(*shards):
    """Make a tree of one listing."""
    tree = ShardTree()
    tree.list(shards)
    return tree


def test_child_waits_for_its_parent():
    """A shard is ready when its parent is done, so that a key's changes stay in order across a split."""
    tree = listed(shard("c", "b"), shard("b", "a"), shard("d", "b"), shard("a"))
    assert tree.ready() == {"a"}
    tree.finish("a")
    assert tree.ready() == {"b"}
    tree.finish("b")
    assert tree.ready() == {"c", "d"}
    assert not tree.is_finished
    tree.finish("c")
    tree.finish("d")
    assert tree.ready() == frozenset()
    assert tree.is_finished


def test_shard_whose_parent_is_gone_is_ready():
    """A parent that was never listed is no reason to wait."""
    assert listed(shard("b", "gone")).ready() == {"b"}


def test_known_shard_stays_known_when_it_is_not_listed_any_more():
    """A shard that vanished unread still has to be read, before its children: its reading tells of the gap."""
    tree = listed(shard("a"), shard("b", "a"))
    tree.list([shard("b", "a")])
    assert not tree.is_listed("a")
    assert tree.ready() == {"a"}


def test_news_are_told_once():
    """A listing says whether it has a shard that was not known, or the parent of one that was."""
    tree = ShardTree()
    assert tree.list([shard("a")])
    assert not tree.list([shard("a")])
    assert tree.see([shard("b", "a")])
    assert not tree.see([shard("b", "a")])
    assert tree.children("a") == ("b",)
    tree.restore({"y": ShardProgress("y", "1")})
    assert tree.see([shard("y", "a")])
    assert tree.ready() == {"a"}


def test_done_shards_of_a_store_are_not_read_again():
    """The progress of a store tells what is done, by this process or another."""
    tree = listed(shard("a"), shard("b", "a"))
    tree.restore({"a": ShardProgress("a", "7", 100.0, ("b",))})
    assert tree.is_done("a")
    assert tree.ready() == {"b"}


def test_saved_shard_that_is_not_listed_is_read():
    """Changes of a shard that is gone are lost: it is ready, so that its reading tells so."""
    tree = listed(shard("c", "b"))
    tree.restore({"b": ShardProgress("b", "7")})
    assert tree.ready() == {"b"}


def test_child_that_is_known_by_its_parent_alone_is_read():
    """A consumer that was away for more than a day finds neither the next shard nor a position: that is a gap."""
    tree = listed(shard("f", "e"))
    tree.restore({"a": ShardProgress("a", "7", 100.0, ("b",))})
    assert tree.ready() == {"b", "f"}
    assert not tree.is_listed("b")


def test_progress_is_kept_while_it_is_needed():
    """It goes away when the shard is gone, was done long ago, and the progress of each child is saved."""
    tree = listed(shard("a"), shard("b", "a"), shard("c", "a"))
    tree.restore({"a": ShardProgress("a", "7", 100.0, ("b", "c")), "b": ShardProgress("b", "9")})
    assert tree.outdated(DAY) == frozenset()
    tree.list([shard("b", "a"), shard("c", "a")])
    assert tree.outdated(DAY) == frozenset()
    tree.restore({"c": ShardProgress("c", "9")})
    assert tree.outdated(100.0) == frozenset()
    assert tree.outdated(DAY) == {"a"}
    tree.forget("a")
    assert tree.outdated(DAY) == frozenset()
    assert tree.ready() == {"b", "c"}
    assert len(tree) == 2


def test_passed_over_shard_is_done_for_this_process_alone():
    """A shard that is passed over has no time at which it was done, until a store tells one."""
    tree = listed(shard("a"))
    tree.finish("a")
    tree.list([])
    assert tree.is_finished
    assert tree.outdated(DAY) == frozenset()
    tree.finish("a", 5.0)
    assert tree.outdated(DAY) == {"a"}
    assert repr(tree) == "<ShardTree 1 shards, 1 done, 0 ready>"
