"""The Arrow schema of an entity."""

from __future__ import annotations

from functools import cache
from typing import Any

from mizzle_async.handles.query import Read
from mizzle_async.handles.table import Table
from mizzle_async.integrations.arrow.batches import plan_framer
from mizzle_async.integrations.arrow.framing import entity_schema
from mizzle_async.marshalling import EntityCodec, Marshaller, marshaller_of
from mizzle_async.marshalling.columns import columns_of
from mizzle_async.model import schema_of


def arrow_schema(source: type[Any] | Table[Any] | Read[Any, Any], /) -> Any:
    """Return the Arrow schema of an entity's items, or of a query's rows. Nothing is read.

    Columns have the attributes' names in Python. A field whose type does not say all has metadata ``mizzle``: ``set``
    for a list without order and repetitions, ``json`` for a text of JSON.

    Args:
        source: An entity, a table, or a query, projected or not. An entity's types are stored as without a converter.

    Returns:
        A ``pyarrow.Schema``.

    Raises:
        ModelError: The items are dicts, or the class is no entity.
    """
    if isinstance(source, Read):
        return plan_framer(source._plan).schema  # noqa: SLF001  (frames are the other half of queries)
    if isinstance(source, Table):
        return plan_framer(source.scan()._plan).schema  # noqa: SLF001  (as above)
    return entity_schema(columns_of(codec_of(source)))


def codec_of(entity: type[Any]) -> EntityCodec[Any]:
    """Return the codec of an entity without a client, and so without a converter."""
    return _marshaller().codec(schema_of(entity))


@cache
def _marshaller() -> Marshaller:
    return marshaller_of(None)
