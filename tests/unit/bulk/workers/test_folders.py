"""The files of an export by several processes."""

import pytest

from mizzle_async.bulk.workers.folders import MANIFEST, is_part, part_name


@pytest.mark.parametrize("number", [0, 63, 99_999, 100_000, 999_999])
def test_parts_are_known_by_their_names(number: int):
    """A query has up to a million parts: the names of the last ones have a sixth digit."""
    assert is_part(part_name(number))


@pytest.mark.parametrize(
    "name", [MANIFEST, "part-1.jsonl", "part-list.jsonl", "part-00001.jsonl.gz", "a-part-00001.jsonl"]
)
def test_other_files_are_no_parts(name: str):
    """What a user keeps beside the parts is neither read as one nor removed."""
    assert not is_part(name)
