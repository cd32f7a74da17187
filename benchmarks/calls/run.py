"""Measure the CPU time of one call, for every client, in turns. See README.md beside this file.

Run: ``python benchmarks/calls/run.py``, or ``--help``.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the folder is no installed package

from calls.contestants import CONTESTANTS, Contestant
from calls.draw import draw_calls
from harness import environments, workload
from harness.measure import Settings
from harness.processes import Client, Server

OURS = "mizzle_async, model"
LEADING = (OURS, "floor: bare protocol", "dynamoxy, model", "aiodynamo", "aiobotocore + TypeDeserializer")
BASELINES = ("floor: bare protocol", "dynamoxy, model", "aiobotocore + TypeDeserializer")


def report(text: str) -> None:
    """Tell whoever watches."""
    print(text, file=sys.stderr, flush=True)


def start(contestant: Contestant, settings: Settings, errors: Path | None) -> Client | str:
    """Start one client, or say why it cannot be."""
    try:
        python = contestant.interpreter()
    except environments.InstallationError as error:
        return str(error)
    log = errors / f"{contestant.name.replace(' ', '_').replace(':', '')}.log" if errors else None
    return Client(python, contestant.script, settings, log)


def measure(
    clients: dict[str, Client], operation: str, concurrency: int, rounds: int, seconds: float
) -> dict[str, Any]:
    """Measure one operation for every client in turns, round by round.

    Returns:
        For each client the median of each figure over the rounds, and the CPU figures of all rounds.
    """
    orders = {
        name: {"operation": operation, "concurrency": concurrency, "seconds": seconds}
        for name, client in clients.items()
        if operation in client.ready
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in orders}
    errors: dict[str, str] = {}
    for _ in range(rounds):
        for name, order in orders.items():
            if name in errors:
                continue
            answer = clients[name].order(order)
            if "error" in answer:
                errors[name] = answer["error"]
                continue
            order["count"] = answer["count"]
            found[name].append(answer)
    medians: dict[str, Any] = {name: {"failed": error} for name, error in errors.items()}
    for name, answers in found.items():
        if answers and name not in errors:
            medians[name] = {key: round(statistics.median(one[key] for one in answers), 1) for key in answers[0]}
            medians[name]["rounds_cpu_us"] = [round(one["cpu_us"], 1) for one in answers]
    return medians


def run_case(chosen: list[Contestant], given: argparse.Namespace, *, tls: bool, loop: str) -> dict[str, Any]:
    """Measure all operations with one transport and one event loop."""
    case: dict[str, Any] = {"tls": tls, "loop": loop, "results": {}, "failures": {}}
    with ExitStack() as stack:
        server = stack.enter_context(Server(tls=tls))
        clients: dict[str, Client] = {}
        for contestant in chosen:
            settings = Settings(server.endpoint, server.certificates, contestant.variant, loop)
            client = start(contestant, settings, given.logs)
            if isinstance(client, str):
                case["failures"][contestant.name] = {"installation": client}
                continue
            stack.enter_context(client)
            if client.failures:
                case["failures"][contestant.name] = client.failures
                report(f"  {contestant.name}: not measured: {client.failures}")
            clients[contestant.name] = client
        for concurrency in given.concurrency:
            for operation in given.operations:
                measured = measure(clients, operation, concurrency, given.rounds, given.seconds)
                case["results"].setdefault(str(concurrency), {})[operation] = measured
                report(f"  {'TLS' if tls else 'plain'}, {loop}, {concurrency} at once, {operation}: done")
    return case


def table(case: dict[str, Any]) -> str:
    """Lay one case out for reading: a row for each verb, CPU of the process and, in brackets, of the loop's thread."""
    lines = []
    for concurrency, operations in case["results"].items():
        names = list(dict.fromkeys(name for measured in operations.values() for name in measured))
        transport = "TLS" if case["tls"] else "plain"
        lines += [f"\n{transport}, {case['loop']}, {concurrency} at once: CPU µs per call, process (loop's thread)", ""]
        lines += [f"{number:>4} {name}" for number, name in enumerate(names, 1)]
        lines.append("\n" + " " * 16 + "".join(f"{f'({number})':>15}" for number in range(1, len(names) + 1)))
        for operation, measured in operations.items():
            cells = [cell(measured.get(name, {})) for name in names]
            lines.append(f"{operation:16}" + "".join(f"{text:>15}" for text in cells) + ratios(measured))
    return "\n".join(lines)


def cell(figures: dict[str, Any]) -> str:
    """Return one client's figures for one verb."""
    if "cpu_us" not in figures:
        return "fails" if figures else "-"
    return f"{figures['cpu_us']:,.0f} ({figures['loop_us']:,.0f})"


def ratios(measured: dict[str, Any]) -> str:
    """Return what our process's CPU is of each baseline's."""
    parts = []
    for baseline in BASELINES:
        ours, theirs = (measured.get(name, {}).get("cpu_us") for name in (OURS, baseline))
        if ours and theirs:
            parts.append(f"{ours / theirs:.2f} of {baseline.partition(',')[0].partition(':')[0].partition(' ')[0]}")
    return "   " + ", ".join(parts)


def main() -> None:
    """Run what was asked for, and write it down."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", nargs="+", metavar="WORD", help="clients whose name contains one of these words")
    options.add_argument("--operations", nargs="+", choices=workload.OPERATIONS, default=workload.OPERATIONS)
    options.add_argument("--concurrency", nargs="+", type=int, default=[1, 64])
    options.add_argument("--transport", nargs="+", choices=("plain", "tls"), default=["plain", "tls"])
    options.add_argument("--loop", nargs="+", choices=("asyncio", "uvloop"), default=["asyncio", "uvloop"])
    options.add_argument(
        "--everybody", action="store_true", help="all clients over TLS and on uvloop too, not the leading ones"
    )
    options.add_argument(
        "--beside", type=Path, metavar="CHECKOUT", help="measure another commit of ours in the same run"
    )
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=0.3, help="CPU time of one round")
    options.add_argument("--output", type=Path, default=HERE / "results.json")
    options.add_argument("--logs", type=Path, help="a folder for what the clients write to standard error")
    given = options.parse_args()
    given.logs = given.logs and given.logs.resolve()
    contestants = CONTESTANTS
    if given.beside is not None:
        other = Contestant(f"{OURS}, {given.beside.name}", "mizzle_client", "mizzle", "model", given.beside.resolve())
        contestants = (*CONTESTANTS, other)
    chosen = [one for one in contestants if not given.only or any(word in one.name for word in given.only)]
    outcome: dict[str, Any] = {
        "measured_at": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rounds": given.rounds,
        "seconds_per_round": given.seconds,
        "cases": [],
    }
    for transport in given.transport:
        for loop in given.loop:
            headline = transport == "plain" and loop == "asyncio"
            names = chosen if headline or given.everybody else [one for one in chosen if one.name in LEADING]
            case = run_case(names, given, tls=transport == "tls", loop=loop)
            print(table(case), flush=True)
            outcome["cases"].append(case)
            given.output.write_text(json.dumps(outcome, indent=1) + "\n")  # an interrupted run keeps what it has
    draw_calls(outcome, given.output.with_name("chart.svg"))


if __name__ == "__main__":
    main()
