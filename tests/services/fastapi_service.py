"""The shop as a FastAPI application: ``python fastapi_service.py FILE_DESCRIPTOR TABLE_PREFIX``."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import uvicorn
from fastapi import Body, FastAPI, Request
from fastapi.responses import JSONResponse
from shop import Shop, status_of

from mizzle_async import MizzleError


def application(shop: Shop) -> FastAPI:
    """Make the application: a route per verb, the client open for its lifetime."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await shop.open()
        yield
        await shop.client.aclose()

    app = FastAPI(lifespan=lifespan)

    @app.exception_handler(MizzleError)
    async def explain(_: Request, error: MizzleError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status_of(error))

    @app.post("/{customer}/{number}", status_code=201)
    async def create(customer: str, number: int, total: Annotated[str, Body(embed=True)]) -> dict[str, Any]:
        return await shop.create(customer, number, total)

    @app.get("/statistics")
    async def statistics() -> dict[str, int]:
        return shop.statistics()

    @app.get("/{customer}/{number}")
    async def read(customer: str, number: int) -> dict[str, Any]:
        return await shop.read(customer, number)

    @app.post("/{customer}/{number}/views")
    async def view(customer: str, number: int) -> dict[str, Any]:
        return await shop.view(customer, number)

    @app.patch("/{customer}/{number}")
    async def change(customer: str, number: int, changes: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        return await shop.change(customer, number, changes)

    @app.get("/{customer}")
    async def browse(customer: str, cursor: str | None = None) -> dict[str, Any]:
        return await shop.browse(customer, cursor)

    return app


if __name__ == "__main__":
    uvicorn.run(application(Shop(sys.argv[2])), fd=int(sys.argv[1]), log_level="warning")
