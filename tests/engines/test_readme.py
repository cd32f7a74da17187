"""The README is a program: its Python blocks run, in order, on an engine; its JSON blocks are what is really sent."""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import httpx
import pytest
from aiohttp.test_utils import TestClient, TestServer

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)


def blocks() -> list[tuple[int, str, str]]:
    """Return line, language and code of each fenced block."""
    text = README.read_text(encoding="utf-8")
    found = BLOCK.finditer(text)
    return [(text.count("\n", 0, match.start("code")), match["language"], match["code"]) for match in found]


async def execute(code: str, line: int, names: dict[str, Any]) -> None:
    """Run one block, whose top level may await; a last bare expression is kept as ``_``."""
    tree = ast.parse(code)
    last = tree.body[-1]
    if isinstance(last, ast.Expr):
        tree.body[-1] = ast.copy_location(ast.Assign([ast.Name("_", ast.Store())], last.value), last)
        ast.fix_missing_locations(tree)
    ast.increment_lineno(tree, line)
    compiled = compile(tree, str(README), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    result = eval(compiled, names)  # noqa: S307  (the code is our own README)
    if inspect.iscoroutine(result):
        await result


async def check_services(names: dict[str, Any]) -> None:
    """Ask both of the README's applications for an order that its blocks have stored."""
    app = names["app"]
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://fastapi") as web,
    ):
        order = (await web.get("/orders/c3/2026-0001")).json()
        assert (order["status"], order["total"]) == ("open", "20")
        assert (await web.get("/orders/c3/none")).status_code == httpx.codes.NOT_FOUND
        assert (await web.get("/orders/c3?cursor=none")).status_code == httpx.codes.BAD_REQUEST
        assert (await web.get("/orders/c3")).json() == {"orders": [order], "cursor": None}
    async with TestClient(TestServer(names["application"])) as web:
        answer = await web.post("/orders/c3/2026-0001/pay")
        assert await answer.json() == {"status": "paid"}


def test_every_block_runs_and_sends_what_it_shows(
    embedded_engine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Python blocks run one after the other, a JSON block is what the block above it sends, and the services answer."""
    monkeypatch.chdir(tmp_path)  # one of them writes files
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", embedded_engine.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "readme")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "readme")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    module = ModuleType("readme")
    monkeypatch.setitem(sys.modules, "readme", module)
    names = module.__dict__

    async def everything() -> None:
        for line, language, code in blocks():
            if language == "python":
                await execute(code, line, names)
            elif language == "json":
                assert names["_"].to_wire() == json.loads(code), f"README.md:{line}: this is not what is sent"
        await check_services(names)
        await names["client"].aclose()

    anyio.run(everything)


def test_first_screen_shows_the_two_commands() -> None:
    """The two commands that do all the set-up stand before the first section."""
    first = SECTION.split(README.read_text(encoding="utf-8"))[0]
    assert "python3 noxfile.py -s demo" in first
    assert "python3 noxfile.py -s tests" in first
