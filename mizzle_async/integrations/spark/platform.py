"""Spark itself, as far as frames need it: its types, its pickles, its parallelism. pyspark is imported when used."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from importlib import import_module
from inspect import signature
from typing import Any, TypeVar

from mizzle_async.errors import ExpressionError, ModelError
from mizzle_async.integrations.arrow.library import pa

ResultT = TypeVar("ResultT")


def _types() -> Any:
    return import_module("pyspark.sql.pandas.types")


def spark_schema(schema: Any, entity: str) -> Any:
    """Return the Spark schema of an Arrow schema.

    Raises:
        ModelError: Spark has no type for a column, or takes two names for one.
    """
    _check_names(schema.names, entity)
    from_arrow = _types().from_arrow_schema
    for field in schema:
        try:
            from_arrow(pa.schema([field]))
        except Exception as error:
            raise ModelError(
                f"{entity}.{field.name}: Spark has no type for {field.type}: project the other attributes"
            ) from error
    return from_arrow(schema)


def _check_names(names: Sequence[str], entity: str) -> None:
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(name.lower(), name)
        if other != name:
            raise ModelError(
                f"{entity}: Spark takes {other!r} and {name!r} for one column, because it ignores case: project one of "
                "them"
            )


def arrow_schema_of(schema: Any) -> Any:
    """Return the Arrow schema in which Spark gives and takes data of its own schema, with times in UTC."""
    to_arrow = _types().to_arrow_schema
    needs_zone = "timezone" in signature(to_arrow).parameters  # of Spark 4.1 and newer
    whole = to_arrow(schema, timezone="UTC") if needs_zone else to_arrow(schema)
    return pa.schema([_in_utc(field) for field in whole])


def _in_utc(field: Any) -> Any:
    is_zoned = pa.types.is_timestamp(field.type) and field.type.tz is not None
    return field.with_type(pa.timestamp("us", "UTC")) if is_zoned else field


def pickled(value: Any) -> bytes:
    """Return a value as bytes, as Spark pickles functions: what a notebook defines travels by value.

    Raises:
        ExpressionError: It cannot be pickled.
    """
    try:
        data: bytes = import_module("pyspark.cloudpickle").dumps(value)
    except Exception as error:
        raise ExpressionError(f"this does not travel to Spark's workers: {type(error).__name__}: {error}") from error
    return data


def tasks_at_once(spark: Any, parts: int) -> int:
    """Return how many tasks may run at once, or the number of parts where Spark does not say: too slow, never too fast.

    Spark Connect has no context to ask.
    """
    try:
        parallelism = int(spark.sparkContext.defaultParallelism)
    except Exception:  # noqa: BLE001  (Spark Connect and serverless platforms have errors of their own for it)
        return parts
    return max(1, min(parts, parallelism))


def share_of(limit: float | None, tasks: int, verb: str) -> float | None:
    """Return one task's share of a limit.

    Raises:
        ExpressionError: It is no rate.
    """
    if limit is not None and not limit > 0:
        raise ExpressionError(f"{verb}: units a second must be more than 0, or None for no limit, not {limit!r}")
    return None if limit is None else limit / tasks


def run_aside(work: Callable[[], Coroutine[Any, Any, ResultT]]) -> ResultT:
    """Run a coroutine to its end on a loop of its own, in a thread: a notebook runs one already."""
    results: list[ResultT] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(asyncio.run(work()))
        except BaseException as error:  # noqa: BLE001  (raised where it was asked for)
            errors.append(error)

    thread = threading.Thread(target=run, name="mizzle-async")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
