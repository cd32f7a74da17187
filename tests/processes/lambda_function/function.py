"""A Lambda function as a user writes it: it counts views of a page."""

import asyncio
import os
from contextvars import ContextVar

from mizzle_async import Attribute, Client, PartitionKey, attribute, entity
from mizzle_async.integrations.aws_lambda import lambda_handler


@entity("pages")
class Page:
    name: PartitionKey[str]
    views: Attribute[int] = attribute(default=0)


client = Client(table_prefix=os.environ["TABLE_PREFIX"])
pages = client.table(Page)
visitor: ContextVar[str] = ContextVar("visitor", default="new")
loops: set[int] = set()


@lambda_handler(client)
async def handler(event: dict[str, str], context: dict[str, str]) -> dict[str, object]:
    """Count a view. Tell where it ran, and what an earlier invocation left in this context."""
    seen = visitor.get()
    visitor.set("seen")
    loops.add(id(asyncio.get_running_loop()))
    page = await pages.upsert(event["page"]).add(Page.views, 1)
    pool = client.statistics().pool
    return {
        "views": page.views,
        "opened": sum(host.opened for host in pool.hosts),
        "loops": len(loops),
        "visitor": seen,
        "request": context["request"],
    }
