"""Frames: items as Arrow tables and back, exact or an error. The extra ``arrow`` brings pyarrow."""

from mizzle_async.integrations.arrow.inference import infer_schema
from mizzle_async.integrations.arrow.lines import arrow_batches_from_lines, import_lines, write_import_file
from mizzle_async.integrations.arrow.reader import read_batches
from mizzle_async.integrations.arrow.schemas import arrow_schema

__all__ = [
    "arrow_batches_from_lines",
    "arrow_schema",
    "import_lines",
    "infer_schema",
    "read_batches",
    "write_import_file",
]
