"""The lamp of a codec: it shows how many items were not of the common kind that generated code is for."""

from __future__ import annotations


class Lamp:
    """Counts the items that took the careful way, which costs several times as much.

    Attributes:
        encoded: Instances that were encoded carefully.
        decoded: Items that were decoded carefully.
    """

    __slots__ = ("decoded", "encoded")

    def __init__(self) -> None:
        self.encoded: int = 0
        self.decoded: int = 0

    def __str__(self) -> str:
        counts = {"encoded": self.encoded, "decoded": self.decoded}
        shown = [f"{count:,} {word}" for word, count in counts.items() if count]
        return f"{' and '.join(shown)} carefully" if shown else ""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self) or 'off'}>"

    def __bool__(self) -> bool:
        return bool(self.encoded or self.decoded)
