"""Pages of a stream whose images are records of their entity.

A page is read twice: once to find where each of its records ends, and then record by record into what a consumer
needs, which is half the work of parsing all of it. The JSON of a record is kept beside it, for those who ask for more::

    {"eventName": "INSERT", "dynamodb": {"Keys": {…}, "NewImage": OrderRecord(…), …}, "Json": b"…"}

A record that does not fit is parsed as any JSON is, and its images are dicts.
"""

from __future__ import annotations

from typing import Any, Final, TypedDict

import orjson
from msgspec import DecodeError, Raw
from msgspec.json import Decoder

from mizzle_async.marshalling.records import ItemRecords

JSON: Final = "Json"
"""The member that holds the JSON of a record which is not parsed whole: the service answers no such member."""


class _Page(TypedDict, total=False):
    """The answer to GetRecords."""

    Records: list[Raw]
    NextShardIterator: Any


_PAGE: Final[Decoder[Any]] = Decoder(_Page)
_MISFITS: Final = (DecodeError, UnicodeDecodeError, RecursionError)


class StreamForm:
    """The parsing of pages of a stream.

    Args:
        records: The records of the entity whose items the stream is about.
    """

    __slots__ = ("_decoder",)

    def __init__(self, records: ItemRecords) -> None:
        body: dict[str, Any] = {
            "Keys": dict[str, dict[str, str]],
            "SequenceNumber": str,
            "ApproximateCreationDateTime": Any,
            "NewImage": records.cls,
            "OldImage": records.cls,
        }
        make: Any = TypedDict  # type checkers want to read its members
        record = make("StreamRecord", {"eventName": str, "dynamodb": make("Change", body, total=False)}, total=False)
        self._decoder: Decoder[Any] = Decoder(record)

    def parse(self, body: bytes) -> Any:
        """Return the parsed answer to GetRecords.

        Raises:
            ValueError: It is not JSON.
        """
        try:
            page: Any = _PAGE.decode(body)
            if "Records" in page:
                page["Records"] = list(map(self._record, page["Records"]))
        except _MISFITS:
            return orjson.loads(body)
        return page

    def _record(self, raw: Raw) -> Any:
        try:
            record: Any = self._decoder.decode(raw)
        except _MISFITS:
            return orjson.loads(memoryview(raw))
        record[JSON] = bytes(raw)  # a copy, so that the page does not live as long as one of its changes
        return record


def is_light(record: dict[str, Any]) -> bool:
    """Tell whether a record was parsed into a lighter form."""
    return JSON in record


def whole_record(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record of a stream in the service's JSON, whichever way it was parsed."""
    kept: bytes | None = record.get(JSON)
    whole: dict[str, Any] = record if kept is None else orjson.loads(kept)
    return whole
