"""Amazon Ion, as exports to S3 have it."""

import gzip
import sys

import click
import pytest

from mizzle_async.cli.files.source import Source

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 14), reason="amazon-ion has no wheels for Python 3.14 yet")

ITEM = (
    '$ion_1_0 {Item:{id:"1",n:5.,f:1.25d2,tiny:1d-130,big:12345678901234567890123456789012345678.,b:{{AAEC}},yes:true,'
    'nothing:null,ss:$dynamodb_SS::["a","b"],ns:$dynamodb_NS::[1.,2.5],bs:$dynamodb_BS::[{{AA==}}],'
    'l:[1.,"x",{a:1.},null,false],m:{k:"v",\'x.y\':{{}}}}}\n'
)


def rows_of(tmp_path, text, name="a.ion.gz"):
    """Return the rows of a file."""
    (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    source = Source((str(tmp_path / name),))
    source.check()
    return list(source)


def test_every_type_of_an_item(tmp_path):
    """Every type of DynamoDB is read, sets by their annotations, and numbers with every digit."""
    (row, other) = rows_of(tmp_path, ITEM + '$ion_1_0 {Item:{id:"2"}}\n')
    assert row.problem == ""
    assert row.values == {
        "id": {"S": "1"},
        "n": {"N": "5"},
        "f": {"N": "125"},
        "tiny": {"N": "1E-130"},
        "big": {"N": "12345678901234567890123456789012345678"},
        "b": {"B": "AAEC"},
        "yes": {"BOOL": True},
        "nothing": {"NULL": True},
        "ss": {"SS": ["a", "b"]},
        "ns": {"NS": ["1", "2.5"]},
        "bs": {"BS": ["AA=="]},
        "l": {"L": [{"N": "1"}, {"S": "x"}, {"M": {"a": {"N": "1"}}}, {"NULL": True}, {"BOOL": False}]},
        "m": {"M": {"k": {"S": "v"}, "x.y": {"B": ""}}},
    }
    assert (other.line, other.values) == (2, {"id": {"S": "2"}})


def test_name_does_not_count(tmp_path):
    """Ion is seen by its first bytes; a value that is no item is a bad row."""
    rows = rows_of(tmp_path, "$ion_1_0 [1]\n" + ITEM, name="a.json")
    assert [bool(row.problem) for row in rows] == [True, False]


def test_incremental_export_of_ion(tmp_path):
    """A change in Ion is its new image with its time, or a deletion."""
    text = (
        '$ion_1_0 {Metadata:{WriteTimestampMicros:5.},Keys:{id:"1"},NewImage:{id:"1",n:1.}}\n'
        '$ion_1_0 {Metadata:{WriteTimestampMicros:6.},Keys:{id:"2"},OldImage:{id:"2"}}\n'
    )
    assert [(row.values, row.written_at, row.is_deletion) for row in rows_of(tmp_path, text)] == [
        ({"id": {"S": "1"}, "n": {"N": "1"}}, 5, False),
        ({"id": {"S": "2"}}, 6, True),
    ]


def test_ion_that_is_damaged_is_told(tmp_path):
    """A file that ends in the middle of an item is a bad file."""
    with pytest.raises(click.ClickException, match="cannot be read to its end"):
        rows_of(tmp_path, ITEM[:60])
