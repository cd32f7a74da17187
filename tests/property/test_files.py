"""Files of any bytes: rows, or one error of the command line, and nothing else."""

import bz2
import gzip
import io
import json
import lzma
from decimal import Decimal

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mizzle_async.cli.files import json_cursor
from mizzle_async.cli.files.json_cursor import JsonCursor
from mizzle_async.cli.files.rows import ReadOptions
from mizzle_async.cli.files.source import Source

ITEM = {"id": {"S": "1"}, "n": {"N": "1.5"}, "s": {"SS": ["a"]}, "l": {"L": [{"M": {"k": {"NULL": True}}}]}}
CHANGE = {"Metadata": {"WriteTimestampMicros": {"N": "5"}}, "Keys": {"id": {"S": "1"}}, "NewImage": ITEM}
REJECT = {"file": "a", "line": 1, "attribute": None, "problem": "x", "content": "1,2", "columns": ["id", "n"]}
SEEDS = [
    json.dumps({"id": "1", "n": 1.5}).encode() * 2,
    "\n".join(json.dumps(each) for each in ({"Item": ITEM}, ITEM)).encode(),
    json.dumps({"Items": [ITEM, ITEM], "Count": 2}, indent=1).encode(),
    json.dumps({"t": [{"PutRequest": {"Item": ITEM}}, {"DeleteRequest": {"Key": {"id": {"S": "1"}}}}]}).encode(),
    json.dumps({"DataModel": [{"TableName": "t", "TableData": [ITEM]}]}, indent=2).encode(),
    json.dumps(CHANGE).encode(),
    json.dumps(REJECT).encode(),
    b'id,n\n1,2\n"2","a\nb"\n',
    b"sep=;\nid;n\n1;2\n",
    b"id (S),n (N)\n1,2\n",
    b"$ion_1_0 {Item:{id:1}}",
    b"PAR1....PAR1",
    b"\x28\xb5\x2f\xfd\x00\x00",
]
WRAPS = [bytes, gzip.compress, bz2.compress, lzma.compress, lambda content: content.decode().encode("utf-16")]


@st.composite
def contents(draw):
    """Return the bytes of a file: any, or those of a good one with some of them changed, cut and repeated."""
    seed = draw(st.sampled_from(SEEDS))
    wrap = draw(st.sampled_from(WRAPS))
    try:
        content = bytearray(wrap(seed))
    except UnicodeDecodeError:
        content = bytearray(seed)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 5))] = draw(st.binary(max_size=5))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content)


OPTIONS = st.builds(
    ReadOptions,
    format=st.sampled_from([None, None, "jsonl", "dynamodb", "csv"]),
    encoding=st.sampled_from([None, None, "cp1252", "utf-16"]),
    strip=st.booleans(),
    short_rows=st.booleans(),
)


@given(
    content=st.binary(max_size=200) | contents(),
    name=st.sampled_from(["a.json", "a.jsonl.gz", "a.csv", "a.tsv", "a", "a.ion"]),
    options=OPTIONS,
    needed=st.sampled_from([(), (("id",),)]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=500, deadline=None)
def test_any_bytes_are_rows_or_one_error(tmp_path, content, name, options, needed):
    """Whatever a file has, it is read, or refused by an error that the command line shows in one line."""
    (tmp_path / name).write_bytes(content)
    source = Source((str(tmp_path / name),), options, needed=needed, target="t", say=lambda text: None)
    try:
        source.check()
        rows = list(source)
    except click.ClickException:
        return
    for row in rows:
        assert row.line > 0
        assert (row.values is None) == bool(row.problem)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def as_text(value, indent):
    """Return JSON with every digit."""
    return json.dumps(value, indent=indent, default=float)


@given(values=st.lists(VALUES, max_size=5), chunk=st.integers(1, 40), indent=st.sampled_from([None, 1]))
@settings(max_examples=300, deadline=None)
def test_document_is_the_same_in_any_pieces(values, chunk, indent):
    """An array that is read piece by piece has the values that it has when it is read as a whole."""
    text = as_text(values, indent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_cursor, "CHUNK", chunk)
        found = list(JsonCursor(io.BytesIO(text.encode())).elements())
    assert found == json.loads(text, parse_float=Decimal)
