"""Where decorated classes meet libraries that this package does not depend on."""

from __future__ import annotations

from typing import Any, Final

PYDANTIC_HOOK: Final = "__get_pydantic_core_schema__"
"""The method that Pydantic looks for on a class that it does not know."""


def get_pydantic_core_schema(_cls: type[Any], source: Any, handler: Any) -> Any:
    """Return how Pydantic validates and writes instances of a class. Called by Pydantic alone.

    Args:
        _cls: The class that has the method.
        source: The class, or a generic one with its arguments.
        handler: Pydantic's, for the types of attributes.
    """
    from mizzle_async.integrations.pydantic import core_schema_of  # noqa: PLC0415  (Pydantic is no dependency)

    return core_schema_of(source, handler)
