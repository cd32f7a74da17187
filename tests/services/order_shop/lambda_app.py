"""The shop as a Lambda function behind a function URL (payload format 2.0)."""

import json
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from mizzle_async import MizzleError, from_json, to_json
from mizzle_async.integrations.aws_lambda import lambda_handler

from .models import Order
from .work import Shop, make_client, status_of

Event: TypeAlias = dict[str, Any]
Answer: TypeAlias = dict[str, Any]

client = make_client(os.environ["TABLE_PREFIX"])
shop = Shop(client)


async def create(event: Event) -> tuple[int, object]:
    """Store an order."""
    return 201, await shop.create(from_json(event["body"], Order))


async def read(_: Event, customer: str, number: str) -> tuple[int, object]:
    """Return an order."""
    return 200, await shop.read(customer, int(number))


async def view(_: Event, customer: str, number: str, _views: str) -> tuple[int, object]:
    """Count a view."""
    await shop.view(customer, int(number))
    return 204, None


async def change(event: Event, customer: str, number: str) -> tuple[int, object]:
    """Change some attributes."""
    return 200, await shop.change(customer, int(number), json.loads(event["body"]))


async def browse(event: Event, customer: str) -> tuple[int, object]:
    """Return a page of a customer's orders."""
    page = await shop.browse(customer, event.get("queryStringParameters", {}).get("cursor"))
    return 200, {"items": list(page.items), "cursor": page.cursor}


ROUTES: dict[tuple[str, int], Callable[..., Awaitable[tuple[int, object]]]] = {
    ("POST", 0): create,
    ("GET", 1): browse,
    ("GET", 2): read,
    ("PATCH", 2): change,
    ("POST", 3): view,
}
"""By method, and by the number of parts of the path after ``/orders``."""


@lambda_handler(client)
async def handler(event: Event, context: object) -> Answer:
    """Answer one request."""
    _, *parts = event["rawPath"].strip("/").split("/")
    route = ROUTES.get((event["requestContext"]["http"]["method"], len(parts)))
    if route is None:
        return {"statusCode": 404, "body": to_json({"error": "no such path"})}
    try:
        status, content = await route(event, *parts)
    except MizzleError as error:
        status, content = status_of(error), {"error": str(error)}
    body = "" if content is None else to_json(content)
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": body}
