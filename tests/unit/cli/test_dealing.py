"""Rows of files on their way to workers: one lane for one key, in order, and nothing lost or added."""

import gzip
import json
from decimal import Decimal
from itertools import chain

import pytest

from mizzle_async import Attribute, Client, PartitionKey, ResumeError, SortKey, attribute, entity
from mizzle_async.cli import dealing
from mizzle_async.cli.dealing import NO_KEY, Dealing, KeyReader
from mizzle_async.cli.dealt_rows import DealtRows, packed, unpacked
from mizzle_async.cli.files.json_rows import RawLine
from mizzle_async.cli.files.rows import ReadOptions, Row
from mizzle_async.cli.files.source import Source
from mizzle_async.cli.formats import Format
from mizzle_async.cli.handles import Opened
from mizzle_async.cli.incoming import Incoming
from mizzle_async.cli.rejects import NotedRejects, Rejects
from mizzle_async.operations.tables.definition import TableDescription


@entity("events")
class Event:
    day: PartitionKey[str]
    number: SortKey[Decimal]
    text: Attribute[str] = attribute(name="t")


@entity("events")
class Sharded:
    day: PartitionKey[str] = attribute(shards=4)
    number: SortKey[Decimal]
    text: Attribute[str] = attribute(name="t")


DESCRIPTION = TableDescription("events", (("day", "HASH"), ("number", "RANGE")), {"day": "S", "number": "N"}, {})


@pytest.fixture
def open_as():
    """Return the table of a command, by a model or without one."""
    client = Client(region_name="eu-west-1", credentials=("id", "secret"))

    def opened(model=None):
        raw = client.table("events", partition_key="day", sort_key="number", sort_key_type=Decimal)
        return Opened(raw, None if model is None else client.table(model), DESCRIPTION)

    return opened


@pytest.fixture
def small_parts(monkeypatch):
    """Make a block of a few rows."""
    monkeypatch.setattr(dealing, "PART_ROWS", 10)


def stored(day, number, text="x"):
    """Return an item in DynamoDB's JSON."""
    return {"day": {"S": day}, "number": {"N": number}, "t": {"S": text}}


def change(at, day, number, image):
    """Return a line of an incremental export."""
    keys = {"day": {"S": day}, "number": {"N": number}}
    line = {"Metadata": {"WriteTimestampMicros": {"N": str(at)}}, "Keys": keys}
    return {**line, "NewImage": stored(day, number, image)} if image else line


def lines(*values):
    """Return lines of JSON."""
    return "".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in values)


FILES = {
    "stored.jsonl": lines(
        *({"Item": stored(f"d{n % 3}", str(n % 7), str(n))} for n in range(60)),
        "{broken",
        "",
        {"Item": {"day": {"S": "no number"}}},
        {"Item": stored("d0", "1.0", "the same as 1")},
        {"Item": stored("d0", "1e0", "and once more")},
    ),
    "plain.jsonl": lines(
        *({"day": f"d{n % 3}", "number": n % 7, "t": str(n)} for n in range(60)),
        '{"day": "d0", "number": 1.0, "t": "the same as 1"}',
        '{"day": "d0", "number": "1", "t": "and once more"}',
        '{"day": "\\ud800", "number": 1, "t": "x"}',
        "[1]",
    ),
    "a.csv": "day,number,t\n" + "".join(f"d{n % 3},{n % 7},{n}\n" for n in range(60)) + "d0,01,same\nd0,,none\n",
    "document.json": json.dumps({"Items": [stored(f"d{n % 3}", str(n % 7), str(n)) for n in range(60)]}, indent=1),
    "changes.json": lines(
        change(5, "d0", "1", "five"),
        change(3, "d0", "1", "three"),
        change(4, "d1", "1", None),
        change(6, "d2", "2", None),
        change(7, "d2", "2", "seven"),
        *(change(n + 10, f"d{n % 3}", str(n % 7), str(n)) for n in range(20)),
        {**change(1, "d0", "9", None), "Keys": {"day": {"S": "d0"}}},
    ),
}


def raw(content, *, is_stored):
    """Return a line that is not read."""
    return RawLine("a", 7, content, is_stored)


def outcome(incoming):
    """Return the items that an input leaves in an empty table, by key."""
    encode, items = incoming.opened.codec.encode, {}
    for value in incoming.values():
        item = encode(value)
        items[item["day"]["S"], Decimal(item["number"]["N"])] = item
    return items


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("model", [None, Event, Sharded], ids=["no model", "model", "shards"])
@pytest.mark.parametrize("name", FILES)
@pytest.mark.usefixtures("small_parts")
def test_lanes_together_are_the_input(tmp_path, open_as, name, model, lanes):
    """Items, deletions and rejects are those of one process, in any layout; the rows of a key are in one lane."""
    path = tmp_path / f"{name}.gz"
    path.write_bytes(gzip.compress(FILES[name].encode()))
    opened = open_as(model)
    rejects = []
    alone = Incoming(opened, Source((str(path),)), NotedRejects(note=rejects.append))
    expected = outcome(alone)

    source = Source((str(path),))
    parent = Incoming(opened, source, Rejects(None))
    blocks = list(Dealing(parent, source, lanes).blocks(0, ""))
    rejected, items, rows = [], {}, 0
    for lane in range(lanes):
        dealt = list(chain.from_iterable(block.lanes.get(lane, ()) for block in blocks))
        rows += len(dealt)
        made = outcome(Incoming(opened, DealtRows(dealt, ReadOptions()), NotedRejects(note=rejected.append)))
        assert not items.keys() & made.keys()
        items |= made
    assert items == expected
    assert sorted(each.entry for each in rejected) == sorted(each.entry for each in rejects)
    assert parent.deletions == alone.deletions
    assert parent.superseded == alone.superseded
    assert blocks[-1].rows == parent.read >= rows
    assert len({lane for block in blocks for lane in block.lanes}) == (lanes if items else 1)


def test_a_row_travels_as_it_is():
    """Every member of a row arrives, and a line of JSON is read by the worker alone."""
    row = Row(
        file="a.csv",
        line=3,
        values={"n": Decimal("1.50"), "b": b"\x00"},
        format=Format.CSV,
        types={"n": "N"},
        columns=("n", "b"),
        written_at=5,
    )
    assert unpacked(packed(row)) == row
    bad = Row(file="a", line=1, problem="bad", attribute="x", content={"x": [1]})
    assert unpacked(packed(bad)) == bad
    line = raw(b'{"Item": {"day": {"S": "x"}}}', is_stored=True)
    assert packed(line) == tuple(line)
    assert unpacked(packed(line)).values == {"day": {"S": "x"}}


def test_keys_that_are_equal_have_one_identity(tmp_path, open_as):
    """A number has many spellings, and each layout has its own form of a key."""
    (tmp_path / "a.jsonl").touch()
    keys = KeyReader(Incoming(open_as(), Source((str(tmp_path / "a.jsonl"),)), Rejects(None)))
    spellings = [
        raw(b'{"day": "x", "number": 10}', is_stored=False),
        raw(b'{"day": "x", "number": 1e1}', is_stored=False),
        raw(b'{"day": "\\u0078", "number": "10.0"}', is_stored=False),
        raw(b'{"Item": {"day": {"S": "x"}, "number": {"N": "1E+1"}}}', is_stored=True),
        Row(file="a", line=1, values={"day": "x", "number": "010"}, format=Format.CSV),
    ]
    assert len({keys.identity(each) for each in spellings}) == 1
    others = [
        raw(b'{"day": "x", "number": 11}', is_stored=False),
        raw(b'{"day": "y", "number": 10}', is_stored=False),
    ]
    assert len({keys.identity(each) for each in [*others, spellings[0]]}) == 3
    wrong = [b"{", b"[]", b"7", b'{"day": 1, "number": true}', b'{"day": {"S": "x"}}', b'{"Item": {"day": "x"}}']
    for content in wrong:
        assert keys.identity(raw(content, is_stored=False)) == NO_KEY
        assert keys.identity(raw(content, is_stored=True)) == NO_KEY


def test_a_key_with_the_suffix_of_a_shard_is_that_of_its_class(tmp_path, open_as):
    """An item as it is stored, and the same item as the class has it, are in one lane."""
    (tmp_path / "a.jsonl").touch()
    opened = open_as(Sharded)
    keys = KeyReader(Incoming(opened, Source((str(tmp_path / "a.jsonl"),)), Rejects(None)))
    item = opened.codec.sharding.spread(stored("x", "1"))
    assert item["day"] != {"S": "x"}
    identity = keys.identity(raw(json.dumps(item).encode(), is_stored=True))
    assert identity == keys.identity(raw(b'{"day": "x", "number": 1}', is_stored=False)) != NO_KEY


@pytest.mark.usefixtures("small_parts")
def test_another_run_begins_behind_the_rows_that_are_done(tmp_path, open_as):
    """By any number of lanes; an input with other keys, or with fewer rows, is refused."""
    path = tmp_path / "a.jsonl"

    def blocks(content, lanes, done=0, digest=""):
        path.write_text(content)
        source = Source((str(path),))
        return list(Dealing(Incoming(open_as(), source, Rejects(None)), source, lanes).blocks(done, digest))

    whole = lines(*({"Item": stored(f"d{n % 5}", str(n))} for n in range(100)))
    second = blocks(whole, 2)[1]
    assert second.rows == 40
    rest = blocks(whole, 3, second.rows, second.digest)
    assert sum(len(rows) for block in rest for rows in block.lanes.values()) == 60
    assert rest[-1].digest == blocks(whole, 1)[-1].digest
    assert blocks(whole, 2, 100, rest[-1].digest) == []
    with pytest.raises(ResumeError, match="first 40 items of the input are not those"):
        blocks(whole.replace("d1", "d9"), 2, second.rows, second.digest)
    with pytest.raises(ResumeError, match="the input has 3 items, and item number 40"):
        blocks("".join(whole.splitlines(keepends=True)[:3]), 2, second.rows, second.digest)
