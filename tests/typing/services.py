# pyright: reportUnnecessaryTypeIgnoreComment=true
"""Lambda functions, usage and the test kit, for type checkers only: what each gives, and what each refuses."""

from typing import assert_type

from mizzle_async import Attribute, Client, PartitionKey, Table, Usage, entity
from mizzle_async.integrations.aws_lambda import LambdaHandler, lambda_handler
from mizzle_async.testing import Tables


@entity("notes")
class Note:
    name: PartitionKey[str]
    text: Attribute[str]


@entity("tags")
class Tag:
    name: PartitionKey[str]


client = Client()


@lambda_handler(client)
async def handler(event: dict[str, str], context: object) -> int:
    return len(event)


assert_type(handler, LambdaHandler[dict[str, str], object, int])
assert_type(handler({"a": "b"}, None), int)
handler("a", None)  # type: ignore[arg-type]
handler({"a": "b"})  # type: ignore[call-arg]


@lambda_handler(client)  # type: ignore[arg-type]
def synchronous(event: dict[str, str], context: object) -> int:
    return len(event)


async def awaited() -> None:
    assert_type(await handler.function({"a": "b"}, None), int)


async def counted() -> None:
    with client.usage(max_read_units=5, max_requests=2) as used:
        assert_type(used, Usage)
        assert_type(used.read_units, float)
        assert_type(used.tables["notes"].calls, int)
    client.usage(max_read_units="5")  # type: ignore[arg-type]


async def prepared(tables: Tables) -> None:
    assert_type(await tables(Note), Table[Note])
    assert_type(await tables(Note, Tag), tuple[Table[Note], Table[Tag]])
    await tables("notes")  # type: ignore[call-overload]
