"""The shop as an aiohttp application: ``python aiohttp_service.py FILE_DESCRIPTOR TABLE_PREFIX``."""

import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from shop import Shop, status_of

from mizzle_async import MizzleError


def application(shop: Shop) -> web.Application:  # noqa: C901  (one function per route)
    """Make the application: a route per verb, the client open for its lifetime."""

    @web.middleware
    async def explain(request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
        except MizzleError as error:
            return web.json_response({"error": str(error)}, status=status_of(error))
        return response

    async def lifespan(_: web.Application) -> AsyncIterator[None]:
        await shop.open()
        yield
        await shop.client.aclose()

    def place(request: web.Request) -> tuple[str, int]:
        return request.match_info["customer"], int(request.match_info["number"])

    async def create(request: web.Request) -> web.Response:
        body = await request.json()
        return web.json_response(await shop.create(*place(request), body["total"]), status=201)

    async def statistics(_: web.Request) -> web.Response:
        return web.json_response(shop.statistics())

    async def read(request: web.Request) -> web.Response:
        return web.json_response(await shop.read(*place(request)))

    async def view(request: web.Request) -> web.Response:
        return web.json_response(await shop.view(*place(request)))

    async def change(request: web.Request) -> web.Response:
        return web.json_response(await shop.change(*place(request), await request.json()))

    async def browse(request: web.Request) -> web.Response:
        return web.json_response(await shop.browse(request.match_info["customer"], request.query.get("cursor")))

    app = web.Application(middlewares=[explain])
    app.cleanup_ctx.append(lifespan)
    app.add_routes(
        [
            web.get("/statistics", statistics),
            web.get("/{customer}", browse),
            web.get("/{customer}/{number}", read),
            web.post("/{customer}/{number}", create),
            web.patch("/{customer}/{number}", change),
            web.post("/{customer}/{number}/views", view),
        ]
    )
    return app


if __name__ == "__main__":
    # A handler is cancelled when its caller goes away: what the library must survive.
    web.run_app(
        application(Shop(sys.argv[2])),
        sock=socket.socket(fileno=int(sys.argv[1])),
        handler_cancellation=True,
        print=None,
    )
