"""Loads numbered rows with a state file until it is killed: run by test_bulk.py in a process of its own."""

# ruff: noqa: T201  (its lines say how far it is)

import asyncio
import sys

from mizzle_async import Attribute, BatchReport, Client, PartitionKey, SortKey, entity


@entity("rows")
class Row:
    """One row."""

    name: PartitionKey[str]
    number: SortKey[int]
    text: Attribute[str]


async def main(endpoint_url: str, table: str, count: int, state: str) -> None:
    """Load the rows, saying how far it is."""

    def progress(report: BatchReport) -> None:
        print(report.written + report.skipped, flush=True)

    async with Client(
        endpoint_url=endpoint_url, region_name="eu-west-1", credentials=("local", "local"), timeout=60.0
    ) as client:
        rows = client.table(Row, name=table)
        source = (Row(name=f"n{number % 97}", number=number, text="x" * 50) for number in range(count))
        report = await rows.put_many(source, concurrency=8, resume=state, checkpoint_batches=20, progress=progress)
    print(f"done {report.written} {report.skipped}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
