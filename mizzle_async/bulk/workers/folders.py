"""The folder of an export by several processes: a file for each part, and a manifest when all of them are there."""

from __future__ import annotations

import re
from typing import Final

MANIFEST: Final = "_manifest.json"

_PART: Final = re.compile(r"part-[0-9]{5,}\.jsonl")


def part_name(number: int) -> str:
    """Return the name of the file of a part."""
    return f"part-{number:05}.jsonl"


def is_part(name: str) -> bool:
    """Return whether a file is that of a part, by its name."""
    return _PART.fullmatch(name) is not None
