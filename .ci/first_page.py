"""Run a page's Python from its first line: `python .ci/first_page.py PAGE`.

Needs this package and nothing else: it stops at the first block that imports another library. Blocks may await; the
page starts an engine of its own.
"""

import ast
import asyncio
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType


def programs(page: Path) -> list[str]:
    """Return the page's blocks of Python up to the first that needs a library beside this one."""
    known = sys.stdlib_module_names | {"mizzle_async"}
    chosen: list[str] = []
    for code in re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
        if not imported(code) <= known:
            break
        chosen.append(code)
    return chosen


def imported(code: str) -> set[str]:
    """Return the top-level packages that some code imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


async def execute(page: Path) -> int:
    """Run the blocks one after the other in one module, and return how many there were."""
    module = ModuleType("page")
    sys.modules["page"] = module
    codes = programs(page)
    for code in codes:
        compiled = compile(code, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        result = eval(compiled, module.__dict__)  # noqa: S307 - the code is our own page
        if inspect.iscoroutine(result):
            await result
    await module.__dict__["client"].aclose()
    module.__dict__["engine"].stop()
    return len(codes)


if __name__ == "__main__":
    count = asyncio.run(execute(Path(sys.argv[1])))
    print(f"{count} blocks of {sys.argv[1]} ran")
