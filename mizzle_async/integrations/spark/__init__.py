"""Spark: queries and exports as data frames, and data frames as items, on `mapInArrow` (Spark 3.3 and newer)."""

from mizzle_async.integrations.spark.exports import read_export, write_import
from mizzle_async.integrations.spark.reading import read_query
from mizzle_async.integrations.spark.writing import write_frame

__all__ = ["read_export", "read_query", "write_frame", "write_import"]
