"""What the benchmarks of this folder found: ratios beside their targets, and a file of figures."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def show(ratios: Mapping[str, float], targets: Mapping[str, tuple[str, float]]) -> None:
    """Print ratios beside their targets.

    Args:
        ratios: The ratios by name.
        targets: Those that have one: ``at most`` or ``at least``, and a number.
    """
    for name, value in ratios.items():
        word, target = targets.get(name, ("", 0.0))
        is_met = not word or (value <= target if word == "at most" else value >= target)
        print(f"{value:6.2f}  {name}{f'  ({word} {target})' if word else ''}{'' if is_met else '  MISSED'}")


def write(path: Path, figures: Mapping[str, Any]) -> None:
    """Write figures to a file, with the day."""
    content = {"measured_at": time.strftime("%Y-%m-%d", time.gmtime()), **figures}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
