"""Tables and indexes that do not exist: the commonest of all refusals, in words that say where they were looked for."""

from __future__ import annotations

import re
from typing import Final

from mizzle_async.errors import LimitError, MizzleError, ResourceNotFoundError, ValidationError
from mizzle_async.limits import TABLE_NAME_PATTERN

_NO_INDEX: Final = re.compile(r"does not have the specified index:? ?'?([\w.-]*)")
_ARN: Final = "arn:"
_OF_STREAMS: Final = frozenset({"DescribeStream", "GetRecords", "GetShardIterator"})
"""Operations whose service names the stream or the shard that does not exist: their table may well be there."""


def explain_missing(error: MizzleError, entities: str | None) -> None:
    """Put the place and the remedy of a missing table, or index, into its error. Other errors stay as they are.

    Args:
        error: The service's refusal, whose message is replaced.
        entities: The entities that were asked for, or None where none is known.
    """
    if isinstance(error, ResourceNotFoundError) and error.operation in _OF_STREAMS:
        _replace(error, f"{error.message}{_place(error)}: a stream or a shard does not exist, or not any more")
    elif isinstance(error, ResourceNotFoundError) and error.table:
        many = ", " in error.table
        name = f"one of the tables {error.table}" if many else f"table {error.table!r}"
        made = f"create it with `await client.ensure_tables({entities})`" if _are_classes(entities, error.table) else ""
        advice = ", or ".join(each for each in (made, "check region, credentials and table_prefix") if each)
        _replace(error, f"{name} does not exist{_place(error)}: {advice}")
    elif isinstance(error, ValidationError) and (named := _NO_INDEX.search(error.message)) is not None:
        name = f" {named[1]!r}" if named[1] else ""
        made = f"`await client.ensure_tables({entities or '…'})` adds the global indexes that are declared"
        _replace(error, f"table {error.table!r} has no index{name}{_place(error)}: {made}")


def check_table_name(name: object, entity: str) -> None:
    """Refuse a name that no table can have, before it is sent.

    Args:
        name: The table's name at the service, prefix included, or its Amazon Resource Name.
        entity: The entity, for the message.

    Raises:
        LimitError: It is not of 3 to 255 letters, digits, underscores, hyphens and dots.
    """
    text = name if isinstance(name, str) else ""
    if not text.startswith(_ARN) and re.fullmatch(TABLE_NAME_PATTERN, text) is None:
        raise LimitError(
            f"{entity}: {name!r} is not a table name: DynamoDB takes 3 to 255 letters, digits, underscores, hyphens and"
            " dots; table_prefix= and table_names= of the client count too"
        )


def _are_classes(entities: str | None, tables: str) -> bool:
    """Return whether entities are classes: a table of dicts is called by its name."""
    return entities is not None and entities != tables


def _place(error: ResourceNotFoundError | ValidationError) -> str:
    where = [f"in {error.region}" if error.region else "", f"at {error.host}" if error.host else ""]
    return "".join(f" {each}" for each in where if each)


def _replace(error: MizzleError, message: str) -> None:
    error.message = message
    error.args = (message,)
