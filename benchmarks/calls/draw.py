"""Draw results.json as chart.svg: the headline case, each operation a panel. ``run.py`` does it at its end."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the folder is no installed package

from harness.chart import Bar, Panel, draw

TITLES = {
    "get_item": "GetItem",
    "put_item": "PutItem",
    "update_item": "UpdateItem, SET and ADD, with a condition",
    "batch_write": "BatchWriteItem of 25",
    "query": "Query, a page of 100",
    "batch_get": "BatchGetItem of 100",
    "delete_cond": "DeleteItem with a condition",
    "insert": "PutItem of an absent item",
    "upsert": "UpdateItem that may create",
    "patch": "UpdateItem of the difference between two instances",
    "query_first": "Query with a filter, the first item",
    "query_10": "Query with a filter, a page of 10",
    "transact_write4": "TransactWriteItems of 4",
    "transact_get4": "TransactGetItems of 4",
    "get_many10": "BatchGetItem of 10",
    "count": "Query with a filter, counted",
    "update_ver": "UpdateItem of a versioned item",
    "put_nest": "PutItem, three levels and ten documents",
    "get_nest": "GetItem, three levels and ten documents",
    "put_wide": "PutItem of 40 attributes",
    "get_wide": "GetItem of 40 attributes",
    "query_proj": "Query, three attributes of 100 items",
    "scan": "Scan, a page of 100",
    "put_vec": "PutItem of 1,536 floats",
    "get_vec": "GetItem of 1,536 floats",
}


def kind(name: str) -> str:
    """Say how a client's bar is coloured."""
    return "ours" if name.startswith("mizzle_async") else "floor" if name.startswith("floor") else ""


def draw_calls(outcome: dict[str, Any], path: Path) -> None:
    """Draw the first case (plain, asyncio) at the highest concurrency."""
    case = outcome["cases"][0]
    results = case["results"][max(case["results"], key=int)]
    panels = []
    for operation, measured in results.items():
        figures = {name: found.get("cpu_us") for name, found in measured.items()}
        figures |= {name: None for name, why in case["failures"].items() if operation in why}
        ranked = sorted(figures, key=lambda name: figures[name] or float("inf"))
        bars = tuple(Bar(name, figures[name], kind(name)) for name in ranked)
        panels.append(Panel(TITLES[operation], "client CPU, µs per call; less is better", bars))
    draw(panels, path)


if __name__ == "__main__":
    draw_calls(json.loads((HERE / "results.json").read_text()), HERE / "chart.svg")
