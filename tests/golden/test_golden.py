"""What is stored is an interface: every version reads what every earlier one has left in tables, cursors and files."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from mizzle_async import Client, InvalidCursorError, ResumeError
from mizzle_async.testing.stub import StubCaller

HERE = Path(__file__).parent
VERSIONS = sorted(folder.name for folder in HERE.iterdir() if (folder / "guards.json").exists())
FORMATS = {
    "cursors": 1,
    "guards": 1,
    "keys": 1,
    "lifetimes": 1,
    "shards": 1,
    "states": 1,
    "versions": 1,
}
"""The format of each thing that this version leaves. A new one needs a new number, and readers of the old one."""


def load_recorder() -> Any:
    """Import the script that recorded everything."""
    spec = importlib.util.spec_from_file_location("mizzle_golden_record", HERE / "record.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


record = load_recorder()
Entry: Any = record.Entry


def golden(version: str, thing: str) -> dict[str, Any]:
    """What a version has left."""
    content: dict[str, Any] = json.loads((HERE / version / f"{thing}.json").read_text())
    return content


def test_the_first_version_is_kept():
    """Its files are data: nothing records them again."""
    assert "0.1.0" in VERSIONS
    assert {file.stem for file in (HERE / "0.1.0").iterdir()} == set(FORMATS)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_file_has_a_format_number_that_is_read(version: str):
    """A number that this version does not know would be data that it cannot read."""
    for file in (HERE / version).iterdir():
        assert 1 <= json.loads(file.read_text())["format"] <= FORMATS[file.stem]


@pytest.mark.parametrize("thing", sorted(FORMATS.keys() - {"cursors"}))
async def test_this_version_leaves_what_the_newest_recorded_one_left(thing: str, monkeypatch: pytest.MonkeyPatch):
    """Guard items, ids of writes, keys and their suffixes, times and state files are byte for byte the same."""
    record.steady(monkeypatch.setattr)
    assert await getattr(record, thing)() | {"format": 1} == {
        name: value for name, value in golden(VERSIONS[-1], thing).items() if name != "thing"
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["plain", "authenticated", "expiring"])
async def test_cursors_of_every_version_are_read(version: str, kind: str):
    """Each goes on exactly where it ended, in the query that it was made by, and in no other one."""
    left = golden(version, "cursors")
    options = {"plain": {}, "authenticated": {}, "expiring": {"cursor_max_age": 1e9}}[kind]
    if kind != "plain":
        options["cursor_key"] = record.CURSOR_KEY
    nothing = {"Items": [], "Count": 0, "ScannedCount": 0}
    caller = StubCaller({"Query": nothing, "Scan": nothing, "ExecuteStatement": {"Items": []}})
    async with Client(caller=caller, clock=lambda: record.NOW + 1, **options) as client:
        entries = client.table(Entry)
        dicts = client.table("golden-entries", partition_key="key", sort_key="number", sort_key_type=int)
        queries = {
            "query": entries.query(Entry.key == "a"),
            "reverse": entries.query(Entry.key == "a", reverse=True),
            "range": entries.query(Entry.key == "a", Entry.number > 0),
            "scan": entries.scan(),
            "dicts": dicts.scan(),
            "statement": client.execute('SELECT * FROM "golden-entries"'),
        }
        for name, query in queries.items():
            page = await query.page(left[kind][name], max_items=1)
            assert page.cursor is None
            request = caller.payloads[-1]
            start = request["NextToken"] if name == "statement" else request["ExclusiveStartKey"]
            assert start == ("the service's own token" if name == "statement" else left["key"])
        for name in ("reverse", "range", "scan", "statement"):
            with pytest.raises(InvalidCursorError):
                await queries["query"].page(left[kind][name], max_items=1)


@pytest.mark.parametrize("version", VERSIONS)
async def test_state_files_of_every_version_are_resumed(version: str, tmp_path: Path):
    """Reading, an export and a load go on after the last page, or the last item, that was done."""
    left = golden(version, "states")
    rest = {"Items": [{"key": {"S": "a"}, "number": {"N": "1"}}], "Count": 1, "ScannedCount": 1}
    first = {"key": {"S": "a"}, "number": {"N": "0"}}
    caller = StubCaller({"Query": rest, "Scan": rest, "BatchWriteItem": {}})
    for name in ("resumable", "export", "load"):
        (tmp_path / name).write_text(json.dumps(left[name]))
    async with Client(caller=caller) as client:
        entries = client.table(Entry)
        rows = [row async for row in entries.query(Entry.key == "a").resumable(tmp_path / "resumable")]
        assert rows == [Entry(key="a", number=1)]
        assert caller.payloads[0]["ExclusiveStartKey"] == first
        (tmp_path / "lines").write_bytes(b'{"Item":{"key":{"S":"a"},"number":{"N":"0"}}}\nhalf a li')
        await entries.scan().export(tmp_path / "lines", resume=tmp_path / "export")
        assert caller.payloads[1]["ExclusiveStartKey"] == first
        lines = (tmp_path / "lines").read_bytes().splitlines()
        assert [orjson.loads(line)["Item"]["number"]["N"] for line in lines] == ["0", "1"]
        report = await entries.put_many(record.ENTRIES, resume=tmp_path / "load")
        done = left["load"]["done"]
        assert report.written == len(record.ENTRIES) - done
        written = [
            int(each["PutRequest"]["Item"]["number"]["N"])
            for payload in caller.payloads[2:]
            for each in payload["RequestItems"]["golden-entries"]
        ]
        assert sorted(written) == list(range(done, len(record.ENTRIES)))
        with pytest.raises(ResumeError):
            await entries.scan().export(tmp_path / "lines", resume=tmp_path / "load")
