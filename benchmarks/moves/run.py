"""Compare calls and moves between files of one operation: this tree beside other trees of the project."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def counts(tree: Path) -> dict[str, dict[str, int]]:
    """Return the counts of one tree, from a process of its own."""
    result = subprocess.run(
        [sys.executable, str(HERE / "probe.py")],
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, dict[str, int]] = json.loads(result.stdout)
    return found


def main() -> None:
    """Print a table, and keep the figures of this tree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trees", nargs="*", type=Path, help="checkouts to compare with, such as one of an older commit")
    trees = [HERE.parents[1], *parser.parse_args().trees]
    found = [counts(tree.resolve()) for tree in trees]
    for verb in found[0]:
        figures = (f"{each[verb]['calls']:6} calls {each[verb]['moves']:6} moves" for each in found)
        print(f"{verb:16}", *figures)
    (HERE / "results.json").write_text(json.dumps(found[0], indent=2) + "\n", encoding="utf-8")


main()
