"""Queries that came out of a pickle: they have no client until `Query.on` gives them one."""

from __future__ import annotations

from functools import cache
from typing import Any, NoReturn

from attrs import fields

from mizzle_async.errors import ClientStateError
from mizzle_async.handles.runtime import Runtime, RuntimeSettings
from mizzle_async.operations.reads.options import ReadOptions
from mizzle_async.operations.reads.plan import ReadPlan


class NoClient(Runtime):
    """The runtime of a query that has no client: it shows its requests, and sends nothing."""

    def opened(self) -> NoReturn:
        """Raise an error: there is no client.

        Raises:
            ClientStateError: In any case.
        """
        raise ClientStateError("this query came out of a pickle and has no client: query.on(client) gives it one")


@cache
def no_client() -> NoClient:
    """Return the runtime of all queries that have no client."""
    return NoClient(RuntimeSettings())


LAYOUT = (1, *(each.name for kind in (ReadPlan, ReadOptions) for each in fields(kind)))
"""The form of a pickled query: the version of the pickle, and the members of its plan."""


def restored(kind: type[Any], layout: tuple[Any, ...], plan: ReadPlan[Any, Any]) -> Any:
    """Return a query that was pickled.

    Args:
        kind: Its class.
        layout: The form of the pickle.
        plan: Its plan.

    Raises:
        ClientStateError: It was pickled by a version of the library whose queries have other members.
    """
    if layout != LAYOUT:
        other = ", ".join(map(str, set(layout) ^ set(LAYOUT)))
        raise ClientStateError(
            f"this query was pickled by another version of mizzle_async, whose queries differ in {other}: install the "
            "same version in the process that makes queries and in the one that reads them"
        )
    return kind(no_client(), plan, set())
