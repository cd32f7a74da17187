"""The shop as a FastAPI application: ``python -m order_shop.fastapi_app FILE_DESCRIPTOR TABLE_PREFIX``."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import uvicorn
from fastapi import APIRouter, Body, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from mizzle_async import MizzleError

from .models import Order
from .work import Shop, make_client, status_of

routes = APIRouter()


class OrderPage(BaseModel):
    """A page of orders, and where the next one begins."""

    items: list[Order]
    cursor: str | None


def shop_of(request: Request) -> Shop:
    """Return the application's shop."""
    shop: Shop = request.app.state.shop
    return shop


TheShop = Annotated[Shop, Depends(shop_of)]


@routes.post("/orders", status_code=201)
async def create(order: Order, shop: TheShop) -> Order:
    """Store an order."""
    return await shop.create(order)


@routes.get("/statistics")
async def statistics(shop: TheShop) -> dict[str, int]:
    """Return the pool's numbers."""
    return shop.statistics()


@routes.get("/orders/{customer}/{number}")
async def read(customer: str, number: int, shop: TheShop) -> Order:
    """Return an order."""
    return await shop.read(customer, number)


@routes.post("/orders/{customer}/{number}/views", status_code=204)
async def view(customer: str, number: int, shop: TheShop) -> None:
    """Count a view."""
    await shop.view(customer, number)


@routes.patch("/orders/{customer}/{number}")
async def change(customer: str, number: int, changes: Annotated[dict[str, Any], Body()], shop: TheShop) -> Order:
    """Change some attributes."""
    return await shop.change(customer, number, changes)


@routes.get("/orders/{customer}")
async def browse(customer: str, shop: TheShop, cursor: str | None = None) -> OrderPage:
    """Return a page of a customer's orders."""
    page = await shop.browse(customer, cursor)
    return OrderPage(items=list(page.items), cursor=page.cursor)


async def explain(_: Request, error: Exception) -> JSONResponse:
    """Answer an error of the library, in the words that it has."""
    status = status_of(error) if isinstance(error, MizzleError) else 500
    return JSONResponse({"error": str(error)}, status)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Hold the client open for the application's lifetime."""
    async with app.state.shop.client:
        yield


def make_app(shop: Shop) -> FastAPI:
    """Make the application."""
    app = FastAPI(lifespan=lifespan, exception_handlers={MizzleError: explain})
    app.state.shop = shop
    app.include_router(routes)
    return app


if __name__ == "__main__":
    uvicorn.run(make_app(Shop(make_client(sys.argv[2]))), fd=int(sys.argv[1]), log_level="warning")
