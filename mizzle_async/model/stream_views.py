"""The views of a table's stream: what its records hold beside the key of the item that changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

StreamView: TypeAlias = Literal["new_and_old_images", "new_image", "old_image", "keys_only"]
"""The contents of a stream's records: both images of an item, one of them, or its key alone."""

WIRE_VIEWS: Final[Mapping[str, str]] = {
    "new_and_old_images": "NEW_AND_OLD_IMAGES",
    "new_image": "NEW_IMAGE",
    "old_image": "OLD_IMAGE",
    "keys_only": "KEYS_ONLY",
}
"""The service's names of the views, by ours."""


def is_view(view: object) -> bool:
    """Return whether this is a view."""
    return isinstance(view, str) and view in WIRE_VIEWS


def view_of(wire: str) -> str:
    """Return our name of a view, by the service's. A view that is new to us keeps the service's name."""
    return next((name for name, each in WIRE_VIEWS.items() if each == wire), wire)


def view_advice(setting: str, view: object) -> str:
    """Return the message about something else in the place of a view.

    Args:
        setting: The setting, such as ``stream=``.
        view: The argument.
    """
    hint = f": write {view.lower()!r}" if isinstance(view, str) and is_view(view.lower()) else ""
    names = ", ".join(map(repr, WIRE_VIEWS))
    return f"{setting}{view!r} is no view of a stream{hint or f': there are {names}'}"
