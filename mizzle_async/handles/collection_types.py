"""The types of collections: of so many classes, the unions of their conditions and a list for each."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

from mizzle_async.expressions import Condition, PartitionKeyCondition, SortKeyCondition
from mizzle_async.handles.collection import Collection

RowT = TypeVar("RowT")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")

AnyCollection: TypeAlias = Collection[
    RowT, PartitionKeyCondition[Any], SortKeyCondition[Any], Condition[Any], tuple[list[Any], ...]
]
Collection1: TypeAlias = Collection[
    A,
    PartitionKeyCondition[A],
    SortKeyCondition[A],
    Condition[A],
    tuple[list[A]],
]
Collection2: TypeAlias = Collection[
    A | B,
    PartitionKeyCondition[A] | PartitionKeyCondition[B],
    SortKeyCondition[A] | SortKeyCondition[B],
    Condition[A] | Condition[B],
    tuple[list[A], list[B]],
]
Collection3: TypeAlias = Collection[
    A | B | C,
    PartitionKeyCondition[A] | PartitionKeyCondition[B] | PartitionKeyCondition[C],
    SortKeyCondition[A] | SortKeyCondition[B] | SortKeyCondition[C],
    Condition[A] | Condition[B] | Condition[C],
    tuple[list[A], list[B], list[C]],
]
Collection4: TypeAlias = Collection[
    A | B | C | D,
    (PartitionKeyCondition[A] | PartitionKeyCondition[B] | PartitionKeyCondition[C] | PartitionKeyCondition[D]),
    SortKeyCondition[A] | SortKeyCondition[B] | SortKeyCondition[C] | SortKeyCondition[D],
    Condition[A] | Condition[B] | Condition[C] | Condition[D],
    tuple[list[A], list[B], list[C], list[D]],
]
Collection5: TypeAlias = Collection[
    A | B | C | D | E,
    PartitionKeyCondition[A]
    | PartitionKeyCondition[B]
    | PartitionKeyCondition[C]
    | PartitionKeyCondition[D]
    | PartitionKeyCondition[E],
    (SortKeyCondition[A] | SortKeyCondition[B] | SortKeyCondition[C] | SortKeyCondition[D] | SortKeyCondition[E]),
    Condition[A] | Condition[B] | Condition[C] | Condition[D] | Condition[E],
    tuple[list[A], list[B], list[C], list[D], list[E]],
]
Collection6: TypeAlias = Collection[
    A | B | C | D | E | F,
    PartitionKeyCondition[A]
    | PartitionKeyCondition[B]
    | PartitionKeyCondition[C]
    | PartitionKeyCondition[D]
    | PartitionKeyCondition[E]
    | PartitionKeyCondition[F],
    SortKeyCondition[A]
    | SortKeyCondition[B]
    | SortKeyCondition[C]
    | SortKeyCondition[D]
    | SortKeyCondition[E]
    | SortKeyCondition[F],
    Condition[A] | Condition[B] | Condition[C] | Condition[D] | Condition[E] | Condition[F],
    tuple[list[A], list[B], list[C], list[D], list[E], list[F]],
]
