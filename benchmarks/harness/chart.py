"""Horizontal bars as an SVG, readable on a light and on a dark page: enough for a README, and no dependency."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH = 880
LABEL = 230
FIGURE = 90
BAR = 16
STEP = 22
HEAD = 34
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 14px }
.note { fill: #57606a }
.ours text { font-weight: 600 }
rect { fill: #b6bec8 }
.ours rect { fill: #1a7f64 }
.floor rect { fill: #dfe3e8 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .note { fill: #9198a1 }
  rect { fill: #57606a }
  .ours rect { fill: #3fb993 }
  .floor rect { fill: #30363d }
}
"""


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        label: What stands before it.
        value: Its length, or None where there is nothing to show but that.
        kind: ``ours``, ``floor``, or empty: how it is coloured.
    """

    label: str
    value: float | None
    kind: str = ""


@dataclass(frozen=True)
class Panel:
    """Bars on one scale, from zero.

    Attributes:
        title: What was measured.
        note: The unit, and whether less or more is better.
        bars: From top to bottom.
    """

    title: str
    note: str
    bars: tuple[Bar, ...]


def draw(panels: list[Panel], path: Path) -> None:
    """Write the panels below each other into one SVG."""
    top = 8
    parts: list[str] = []
    for panel in panels:
        parts.append(f'<text class="title" x="0" y="{top + 14}">{escape(panel.title)}</text>')
        parts.append(f'<text class="note" x="{LABEL}" y="{top + 14}">{escape(panel.note)}</text>')
        top += HEAD - 8
        longest = max((bar.value or 0.0 for bar in panel.bars), default=0.0) or 1.0
        for bar in panel.bars:
            length = (bar.value or 0.0) / longest * (WIDTH - LABEL - FIGURE)
            figure = "not measured" if bar.value is None else f"{bar.value:,.0f}"
            parts.append(
                f'<g class="{bar.kind}">'
                f'<text x="{LABEL - 8}" y="{top + 12}" text-anchor="end">{escape(bar.label)}</text>'
                f'<rect x="{LABEL}" y="{top}" width="{max(length, 1):.1f}" height="{BAR}" rx="2"/>'
                f'<text x="{LABEL + length + 6:.1f}" y="{top + 12}">{figure}</text></g>'
            )
            top += STEP
        top += 14
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}">'
        f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )
