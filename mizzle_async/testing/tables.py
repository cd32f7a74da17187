"""Tables for one test, by the classes that they hold."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from mizzle_async.handles.client import Client
from mizzle_async.handles.table import Table

ModelT = TypeVar("ModelT")
SecondT = TypeVar("SecondT")
ThirdT = TypeVar("ThirdT")
FourthT = TypeVar("FourthT")


class Tables:
    """Creates tables and returns their handles: ``orders, customers = await tables(Order, Customer)``.

    Args:
        client: An open client.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    @overload
    async def __call__(self, first: type[ModelT], /) -> Table[ModelT]: ...
    @overload
    async def __call__(self, first: type[ModelT], second: type[SecondT], /) -> tuple[Table[ModelT], Table[SecondT]]: ...
    @overload
    async def __call__(
        self, first: type[ModelT], second: type[SecondT], third: type[ThirdT], /
    ) -> tuple[Table[ModelT], Table[SecondT], Table[ThirdT]]: ...
    @overload
    async def __call__(
        self, first: type[ModelT], second: type[SecondT], third: type[ThirdT], fourth: type[FourthT], /
    ) -> tuple[Table[ModelT], Table[SecondT], Table[ThirdT], Table[FourthT]]: ...
    @overload
    async def __call__(self, first: type[Any], second: type[Any], /, *more: type[Any]) -> tuple[Table[Any], ...]: ...
    async def __call__(self, first: type[Any], /, *more: type[Any]) -> Any:
        """Create the tables of entities with their indexes, where they do not exist, and return the handles.

        Args:
            first: An entity.
            *more: Others. Entities of a `SharedTable` may be among them.

        Returns:
            The handle of one entity, or a tuple of handles in the order of the entities.

        Raises:
            ModelError: A class is no entity.
            ServiceError: The engine refuses a table.
        """
        models = (first, *more)
        await self._client.ensure_tables(*models)
        handles = tuple(self._client.table(model) for model in models)
        return handles if more else handles[0]

    def __repr__(self) -> str:
        return f"<Tables of {self._client!r}>"
