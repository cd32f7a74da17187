"""Expressions: paths, conditions, key conditions, updates, projections, and their compiler."""

from mizzle_async.expressions.checker import Checker
from mizzle_async.expressions.compiler import Compiler
from mizzle_async.expressions.conditions import (
    Condition,
    Conjunction,
    Disjunction,
    Negation,
    PartitionChoice,
    PartitionKeyCondition,
    Predicate,
    SortKeyCondition,
)
from mizzle_async.expressions.operands import Arithmetic, Comparand, IfNotExists, ListAppend, Operand, Size
from mizzle_async.expressions.paths import (
    AttributePath,
    CompositePartitionKeyPath,
    CompositeSortKeyPath,
    PartitionKeyPath,
    SortKeyPath,
)
from mizzle_async.expressions.raw import Raw, raw
from mizzle_async.expressions.terms import Documents, Encoded, Facet, Place, Segments
from mizzle_async.expressions.updates import ClauseKind, UpdateClause, UpdateClauses
from mizzle_async.expressions.uses import ClauseRules, PathCheck, Use
from mizzle_async.expressions.writer import Encode

__all__ = [
    "Arithmetic",
    "AttributePath",
    "Checker",
    "ClauseKind",
    "ClauseRules",
    "Comparand",
    "Compiler",
    "CompositePartitionKeyPath",
    "CompositeSortKeyPath",
    "Condition",
    "Conjunction",
    "Disjunction",
    "Documents",
    "Encode",
    "Encoded",
    "Facet",
    "IfNotExists",
    "ListAppend",
    "Negation",
    "Operand",
    "PartitionChoice",
    "PartitionKeyCondition",
    "PartitionKeyPath",
    "PathCheck",
    "Place",
    "Predicate",
    "Raw",
    "Segments",
    "Size",
    "SortKeyCondition",
    "SortKeyPath",
    "UpdateClause",
    "UpdateClauses",
    "Use",
    "raw",
]
