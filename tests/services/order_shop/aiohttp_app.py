"""The shop as an aiohttp application: ``python -m order_shop.aiohttp_app FILE_DESCRIPTOR TABLE_PREFIX``."""

import json
import socket
import sys
from collections.abc import AsyncGenerator
from functools import partial

from aiohttp import web
from aiohttp.typedefs import Handler

from mizzle_async import MizzleError, from_json, to_json

from .models import Order
from .work import Shop, make_client, status_of

SHOP = web.AppKey("shop", Shop)

routes = web.RouteTableDef()
answer = partial(web.json_response, dumps=to_json)


def place(request: web.Request) -> tuple[str, int]:
    """Return the key in a request's path."""
    return request.match_info["customer"], int(request.match_info["number"])


@routes.post("/orders")
async def create(request: web.Request) -> web.Response:
    """Store an order."""
    order = from_json(await request.text(), Order)
    return answer(await request.app[SHOP].create(order), status=201)


@routes.get("/statistics")
async def statistics(request: web.Request) -> web.Response:
    """Return the pool's numbers."""
    return answer(request.app[SHOP].statistics())


@routes.get("/orders/{customer}/{number}")
async def read(request: web.Request) -> web.Response:
    """Return an order."""
    return answer(await request.app[SHOP].read(*place(request)))


@routes.post("/orders/{customer}/{number}/views")
async def view(request: web.Request) -> web.Response:
    """Count a view."""
    await request.app[SHOP].view(*place(request))
    return web.Response(status=204)


@routes.patch("/orders/{customer}/{number}")
async def change(request: web.Request) -> web.Response:
    """Change some attributes."""
    return answer(await request.app[SHOP].change(*place(request), json.loads(await request.text())))


@routes.get("/orders/{customer}")
async def browse(request: web.Request) -> web.Response:
    """Return a page of a customer's orders."""
    page = await request.app[SHOP].browse(request.match_info["customer"], request.query.get("cursor"))
    return answer({"items": list(page.items), "cursor": page.cursor})


@web.middleware
async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer an error of the library, in the words that it has."""
    try:
        return await handler(request)
    except MizzleError as error:
        return answer({"error": str(error)}, status=status_of(error))


async def lifespan(app: web.Application) -> AsyncGenerator[None]:
    """Hold the client open for the application's lifetime."""
    async with app[SHOP].client:
        yield


def make_app(shop: Shop) -> web.Application:
    """Make the application."""
    app = web.Application(middlewares=[explain])
    app[SHOP] = shop
    app.cleanup_ctx.append(lifespan)
    app.add_routes(routes)
    return app


if __name__ == "__main__":
    # A handler is cancelled when its caller goes away: what the library must survive.
    web.run_app(
        make_app(Shop(make_client(sys.argv[2]))),
        sock=socket.socket(fileno=int(sys.argv[1])),
        handler_cancellation=True,
        print=None,
    )
