"""The README and each page of the guide is a program: Python blocks run in order, JSON blocks are the requests sent."""

from __future__ import annotations

import ast
import asyncio
import codeop
import inspect
import json
import re
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

import mizzle_async
from mizzle_async import Client
from mizzle_async.testing import EmbeddedEngine, Tables

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
GUIDE = Path(mizzle_async.__file__).parent / "guide"
PAGES = {"README.md": README} | {page.name: page for page in sorted(GUIDE.glob("*.md"))}

BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)#]+)\)")
SECTION = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)

LONGEST_README = 200


def blocks(page: Path) -> list[tuple[int, str, str]]:
    """Return line, language and code of each fenced block of a page."""
    text = page.read_text(encoding="utf-8")
    matches = BLOCK.finditer(text)
    return [(text.count("\n", 0, match.start("code")), match["language"], match["code"]) for match in matches]


async def execute(page: Path, code: str, line: int, names: dict[str, Any]) -> None:
    """Run one block, whose top level may await; the value of a last bare expression is kept as ``_``."""
    tree = ast.parse(code)
    last = tree.body[-1]
    if isinstance(last, ast.Expr):
        tree.body[-1] = ast.copy_location(ast.Assign([ast.Name("_", ast.Store())], last.value), last)
        ast.fix_missing_locations(tree)
    ast.increment_lineno(tree, line)
    compiled = compile(tree, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    result = eval(compiled, names)  # noqa: S307  (the code is our own page)
    if inspect.iscoroutine(result):
        await result
    if isinstance(last, ast.Expr):
        repr(names["_"])  # as a prompt shows it


async def check_readme(names: dict[str, Any]) -> None:
    """Run the README's test, and ask its service for the order that the tour stored."""
    await names["test_order_is_stored"](names["engine"])
    app = names["app"]
    with pytest.MonkeyPatch.context() as patch:  # the service's `Client()` takes the engine from the environment
        for variable, value in names["engine"].environment.items():
            patch.setenv(variable, value)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://fastapi") as web,
        ):
            order = (await web.get("/orders/c1/2026-0001")).json()
    assert (order["status"], order["total"]) == ("paid", "12.5")


async def check_services(names: dict[str, Any]) -> None:
    """Open the page's client on two loops, one after the other, beside this one."""
    await asyncio.to_thread(names["run_twice"])
    async with names["database"] as database:
        assert await database.table(names["Note"]).scan().count() == 1


async def check_fastapi(names: dict[str, Any]) -> None:
    """Drive every endpoint of the page's application, and meet each of its errors."""
    app = names["app"]
    async with names["database"] as database:
        await database.ensure_tables(names["Order"])
    path, wrong = "/orders/c1/1", {"total": "dear"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://fastapi") as web,
    ):
        body = {"customer_id": "c1", "order_id": "1", "total": "12.5"}
        assert (await web.post("/orders", json=body)).json() == {**body, "status": "open", "version": 1}
        assert (await web.post("/orders", json=body)).status_code == httpx.codes.CONFLICT
        assert (await web.post("/orders", json={**body, **wrong})).status_code == httpx.codes.UNPROCESSABLE_ENTITY
        changed = await web.patch(path, json={"status": "paid"}, headers={"If-Match": "1"})
        assert changed.json() == {**body, "status": "paid", "version": 2}
        late = await web.patch(path, json={"status": "open"}, headers={"If-Match": "1"})
        assert late.status_code == httpx.codes.PRECONDITION_FAILED
        assert (await web.patch(path, json=wrong)).status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert (await web.get("/orders/c1")).json() == {"items": [changed.json()], "cursor": None, "previous": None}
        assert (await web.get("/orders/c1?cursor=none")).status_code == httpx.codes.BAD_REQUEST
        assert (await web.get("/orders/c1/2")).status_code == httpx.codes.NOT_FOUND
        schema = app.openapi()["components"]["schemas"]
        assert schema["Order-Output"]["properties"]["total"]["description"] == "with tax"


async def check_aiohttp(names: dict[str, Any]) -> None:
    """Drive every handler of the page's application, and meet its errors."""
    async with names["make_client"]() as database:
        await database.ensure_tables(names["Order"])
    async with TestClient(TestServer(names["application"])) as web:
        body = {"customer_id": "c1", "order_id": "1", "total": "12.5"}
        stored = {**body, "note": None}
        assert await (await web.post("/orders", json=body)).json() == stored
        assert (await web.post("/orders", json=body)).status == httpx.codes.CONFLICT
        assert (await web.post("/orders", json={**body, "total": "dear"})).status == httpx.codes.UNPROCESSABLE_ENTITY
        changed = await (await web.patch("/orders/c1/1", json={"note": "fragile"})).json()
        assert changed == {**stored, "note": "fragile"}
        assert await (await web.get("/orders/c1/1")).json() == changed
        assert await (await web.get("/orders/c1")).json() == {"items": [changed], "cursor": None}
        assert (await web.get("/orders/c1/2")).status == httpx.codes.NOT_FOUND


async def check_scripts(names: dict[str, Any]) -> None:
    """Run the script beside this loop, the tasks on it, and what a worker of a task queue does in a thread."""
    await asyncio.to_thread(names["run"])
    client = names["client"]
    assert await client.table(names["Counter"]).scan().count() == len(range(100))
    await client.table(names["Counter"]).update("3").add(names["Counter"].value, 5)
    assert await names["add_up"](client) == len("five!")
    assert repr(names["page"]).startswith("Page(items=[Counter(")

    def work() -> list[int]:
        names["start"]()
        try:
            return [names["count"]("9") for _ in range(2)]
        finally:
            names["stop"]()

    assert await asyncio.to_thread(work) == [1, 2]


async def check_lambda(names: dict[str, Any]) -> None:
    """Store an order from a queue, run the page's tests, and find the two views that they counted."""
    handler, consume = names["handler"], names["consume"]
    async with names["database"] as database:
        await database.ensure_tables(names["Order"])

    def invoke() -> Any:
        good = {"messageId": "1", "body": '{"customer": "c1", "order": "1", "total": "5"}'}
        bad = {"messageId": "2", "body": '{"customer": "", "order": "1", "total": "5"}'}
        failed = consume({"Records": [good, bad]}, None)
        consume.close()
        names["test_views_are_counted"]()
        return failed

    assert await asyncio.to_thread(invoke) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    await names["test_views_are_counted_in_a_loop"]()
    assert repr(handler) == "<LambdaHandler of handler, 0 open>"


async def check_observability(names: dict[str, Any]) -> None:
    """Ask the page's application for a total, and for the units that it took."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(names["app"]), base_url="http://fastapi") as web:
        answer = await web.get("/customers/c1/total")
    assert (answer.json(), float(answer.headers["X-Read-Units"]) > 0) == (str(sum(range(60))), True)


async def check_json(names: dict[str, Any]) -> None:
    """Ask both applications of the page for the order that its blocks have stored."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(names["app"]), base_url="http://fastapi") as web:
        (order,) = (await web.get("/orders/c1")).json()["items"]
        assert (order["total"], order["payment"]) == ("20", None)
        made = await web.post("/orders", json=order | {"order_id": "8", "version": 0})
        assert made.json() == order | {"order_id": "8", "version": 1}
        refused = await web.post("/orders", json=order | {"total": "x"})
        assert refused.json()["detail"][0]["loc"] == ["body", "total"]
    application = web_application({"GET": names["read_order"], "PUT": names["write_order"]})
    async with TestClient(TestServer(application)) as server:
        stored = await (await server.get("/orders/c1/8")).json()
        assert stored["version"] == 1
        assert await (await server.put("/orders/c1/8", json=stored | {"total": 3})).json() == stored | {
            "total": "3",
            "version": 2,
        }


def web_application(handlers: dict[str, Any]) -> web.Application:
    """Make an application of aiohttp with handlers for one order."""
    application = web.Application()
    for method, handler in handlers.items():
        application.router.add_route(method, "/orders/{customer_id}/{order_id}", handler)
    return application


async def check_testing(names: dict[str, Any]) -> None:
    """Run the page's tests as pytest would, with the fixtures that they take."""
    assert names["pytest_plugins"] == ["mizzle_async.testing.plugin"]
    async with EmbeddedEngine() as engine:
        for test in [value for name, value in names.items() if name.startswith("test_")]:
            make = partial(
                Client,
                endpoint_url=engine.endpoint_url,
                region_name=engine.region_name,
                credentials=engine.credentials,
                table_prefix=f"{test.__name__}-",
            )
            wanted = inspect.signature(test).parameters
            async with make() as client:
                fixtures: dict[str, Any] = {"client": client, "tables": Tables(client), "make_client": make}
                fixtures["client_engine"] = engine
                await test(**{name: fixtures[name] for name in wanted})


CHECKS: dict[str, Callable[[dict[str, Any]], Awaitable[None]]] = {
    "README.md": check_readme,
    "aiohttp.md": check_aiohttp,
    "fastapi.md": check_fastapi,
    "lambda.md": check_lambda,
    "observability.md": check_observability,
    "json.md": check_json,
    "scripts.md": check_scripts,
    "services.md": check_services,
    "testing.md": check_testing,
}


def programs() -> list[str]:
    """Name the pages that have Python in them."""
    return [name for name, page in PAGES.items() if any(language == "python" for _, language, _ in blocks(page))]


@pytest.mark.parametrize("name", programs())
def test_page_runs_and_sends_what_it_shows(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A page's Python runs from its first line, and a JSON block is the request of the block above it."""
    page = PAGES[name]
    monkeypatch.chdir(tmp_path)  # some pages write files
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    names = module.__dict__

    async def everything() -> None:
        try:
            for line, language, code in blocks(page):
                if language == "python":
                    await execute(page, code, line, names)
                elif language == "json":
                    assert names["_"].to_wire() == json.loads(code), f"{name}:{line}: another request is sent"
            if name in CHECKS:
                await CHECKS[name](names)
        finally:
            if "client" in names:
                await names["client"].aclose()
            if "engine" in names:
                names["engine"].stop()

    anyio.run(everything)


@pytest.mark.parametrize("name", programs())
def test_page_can_be_pasted_into_a_prompt(name: str) -> None:
    """Each block is valid when it is typed line by line, which also old prompts end with an empty line."""
    page = PAGES[name]
    for line, language, code in blocks(page):
        if language != "python":
            continue
        compiler = codeop.CommandCompiler()
        compiler.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        typed: list[str] = []
        for number, text in enumerate([*code.splitlines(), ""], start=line + 1):
            typed.append(text)
            try:
                complete = compiler("\n".join(typed), symbol="single") is not None
            except SyntaxError as error:
                pytest.fail(f"{name}:{number}: {error.msg}: {text!r}")
            if complete:
                typed.clear()
        assert "".join(typed).strip() == "", f"{name}:{line}: the block does not end"


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files(name: str) -> None:
    """Every relative link and picture of a page is there."""
    page = PAGES[name]
    folder = ROOT if page == README else ROOT / "mizzle_async" / "guide"
    targets = [match["target"] for match in LINK.finditer(page.read_text(encoding="utf-8"))]
    missing = [target for target in targets if "://" not in target and not (folder / target).exists()]
    assert missing == []


def test_index_names_every_page() -> None:
    """The guide's first page links every other one."""
    index = (GUIDE / "index.md").read_text(encoding="utf-8")
    assert [name for name in PAGES if name not in {"README.md", "index.md"} and f"]({name})" not in index] == []


def test_readme_is_short_and_shows_the_two_commands() -> None:
    """The README stays within its length, and names the commands for the demo and for the tests before its tour."""
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_README
    before_the_tour = text.partition("## Five minutes")[0]
    assert "python3 noxfile.py -s demo" in before_the_tour
    assert "python3 noxfile.py -s tests" in before_the_tour
