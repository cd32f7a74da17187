"""Use aioboto3 and this package in one process, on one engine, at the same time."""

import asyncio
import os
from importlib.metadata import version

import aioboto3

from mizzle_async import Attribute, Client, PartitionKey, entity
from mizzle_async.testing import EmbeddedEngine

ITEMS = 20


@entity("notes")
class Note:
    """An item that both write and both read."""

    id: PartitionKey[str]
    text: Attribute[str]


async def main() -> None:
    """Write with one and read with the other, both ways, interleaved."""
    async with Client() as client, aioboto3.Session().resource("dynamodb") as resource:
        await client.ensure_tables(Note)
        notes, table = client.table(Note), await resource.Table("notes")
        async with asyncio.TaskGroup() as tasks:
            for number in range(ITEMS):
                tasks.create_task(table.put_item(Item={"id": f"theirs-{number}", "text": "aioboto3"}))
                tasks.create_task(notes.put(Note(id=f"ours-{number}", text="mizzle_async")).send())
        for number in range(ITEMS):
            note = await notes.get_one(id=f"theirs-{number}")
            answer = await table.get_item(Key={"id": f"ours-{number}"})
            if (note.text, answer["Item"]["text"]) != ("aioboto3", "mizzle_async"):
                raise SystemExit(f"item {number} is not what was written: {note}, {answer}")


if __name__ == "__main__":
    with EmbeddedEngine() as engine:
        os.environ.update(engine.environment)
        asyncio.run(main())
    versions = (f"{name} {version(name)}" for name in ("aioboto3", "aiobotocore", "botocore"))
    print("in one process with", ", ".join(versions))
