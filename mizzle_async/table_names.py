"""Names of tables: a request may name a table by its Amazon Resource Name, and an answer by its name alone.

DynamoDB keys an answer by the text that the request had. Engines differ, and consumed capacity may be reported under
either.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

_RESOURCE: Final = re.compile(r"arn:[^:]+:dynamodb:[^:]*:([^:]*):table/([^/:]+)(?:/.*)?", re.DOTALL)
"""The resource name of a table or of a part of it, such as an index, in any partition of AWS: account and table."""


def name_of_table(table: str) -> str:
    """Return the name of a table.

    Args:
        table: Its name, its resource name, or that of a part of it: an index, a stream.
    """
    return _account_and_name(table)[1]


def asked_table(answered: str, asked: Iterable[str]) -> str | None:
    """Return the table that an answer is about, as its request names it.

    A replica in another region is the same table. Tables of one name in two accounts are told apart by their resource
    names alone: an answer that gives no more than the name is about neither.

    Args:
        answered: The table in the answer.
        asked: The tables of the request.

    Returns:
        One of ``asked``, or None where the answer is about another table.
    """
    tables = list(asked)
    if answered in tables:
        return answered
    account, name = _account_and_name(answered)
    same = [
        table
        for table, (owner, known) in zip(tables, map(_account_and_name, tables), strict=True)
        if known == name and (account is None or owner is None or account == owner)
    ]
    return same[0] if len(same) == 1 else None


@lru_cache(maxsize=1024)
def _account_and_name(table: str) -> tuple[str | None, str]:
    resource = _RESOURCE.fullmatch(table) if table.startswith("arn:") else None
    return (None, table) if resource is None else (resource[1], resource[2])
