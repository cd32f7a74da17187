"""Show that each mended fault has a test that fails on the commit in which it was found, and passes now.

The tests of `tests/faults` run twice, each time in a process of its own: against the library of an old commit, and
against this one. `faults.toml` names the commit, and says which tests prove which fault.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
REASON_LENGTH = 120

NAME_ERROR = re.compile(
    r"(ImportError|ModuleNotFoundError|NameError)\b"
    r"|AttributeError: (module|type object) "
    r"|TypeError: .*(unexpected keyword argument|positional argument)"
)
"""Reasons that say only that a name or an argument did not exist yet. They prove no fault."""


@dataclass(frozen=True)
class Fault:
    """A row of the table.

    Attributes:
        id: The fault's number in the reports.
        promise: What holds now.
        tests: Node ids below `tests/faults`, without their cases.
        reason: Why no test can fail on the old commit, where there is none.
    """

    id: str
    promise: str
    tests: tuple[str, ...] = ()
    reason: str = ""


@dataclass
class Cases:
    """What became of the cases of a fault's tests in one tree.

    Attributes:
        passed: How many passed.
        failed: The first line of the reason of each that failed.
        unproven: The same of those that failed for a name that did not exist.
    """

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)


def read_table() -> tuple[str, list[Fault]]:
    """Return the commit on which the tests must fail, and the faults."""
    table: dict[str, Any] = tomllib.loads((HERE / "faults.toml").read_text(encoding="utf-8"))
    return table["commit"], [Fault(**{**row, "tests": tuple(row.get("tests", ()))}) for row in table["fault"]]


def write_library(commit: str, folder: Path) -> None:
    """Write the library of a commit into a folder."""
    command = ["git", "-C", str(ROOT), "archive", commit, "mizzle_async"]
    archive = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")


def run_tests(tree: Path, chosen: list[str]) -> ET.Element:
    """Run the tests of this checkout against the library of a tree; return pytest's report."""
    with tempfile.TemporaryDirectory() as folder:
        # Away from this checkout, so that only PYTHONPATH says which library is imported.
        copy = Path(folder)
        shutil.copytree(ROOT / "tests" / "faults", copy / "tests" / "faults")
        shutil.copy(ROOT / "tests" / "conftest.py", copy / "tests")
        shutil.copy(ROOT / "pyproject.toml", copy)
        environment = {**os.environ, "PYTHONPATH": str(tree)}
        where = [sys.executable, "-c", "import mizzle_async; print(mizzle_async.__file__)"]
        imported = subprocess.run(where, cwd=copy, env=environment, capture_output=True, text=True, check=True).stdout
        if not Path(imported.strip()).is_relative_to(tree):
            sys.exit(f"{imported.strip()} is imported, not the library in {tree}")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "60", "--tb", "line"]
        command += ["-p", "no:randomly", "--junitxml", "report.xml", *(f"tests/faults/{name}" for name in chosen)]
        # Without a terminal: the old library asks for an MFA code on it, and would wait.
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, cwd=copy, env=environment, start_new_session=True, check=False, **quiet)
        return ET.parse(copy / "report.xml").getroot()  # noqa: S314  (pytest wrote it)


def reason_of(message: str) -> str:
    """Return the first line of pytest's message about a failure; of a text that does not match, the text.

    The folder of temporary files is left out: it is another one on each machine.
    """
    first, *rest = message.splitlines() or [""]
    said = next((line.strip() for line in rest if line.strip().startswith(("Actual message:", "Input:"))), "")
    return (said or first).replace(tempfile.gettempdir(), "…")[:REASON_LENGTH]


def cases_of(report: ET.Element, tests: tuple[str, ...]) -> Cases:
    """Return what became of the cases of some tests."""
    cases = Cases()
    for case in report.iter("testcase"):
        module = case.get("classname", "").rpartition(".")[2]
        if f"{module}.py::{case.get('name', '').partition('[')[0]}" not in tests or case.find("skipped") is not None:
            continue
        failure = case.find("failure")
        error = case.find("error")
        if failure is not None:
            message = failure.get("message", "")
            (cases.unproven if NAME_ERROR.match(message) else cases.failed).append(reason_of(message))
        elif error is not None:
            cases.unproven.append(reason_of(error.get("message", "")))
        else:
            cases.passed += 1
    return cases


def judge(fault: Fault, before: Cases, now: Cases) -> str:
    """Return ``proven``, ``no test`` or what is missing."""
    if not fault.tests:
        return "no test"
    if now.failed or now.unproven or not now.passed:
        return "fails here"
    if before.failed:
        return "proven"
    return "fails there for a name only" if before.unproven else "passes there"


def describe(fault: Fault, verdict: str, before: Cases, now: Cases) -> str:
    """Return the lines about one fault."""
    lines = [f"{fault.id:12} {verdict:10} {fault.promise}"]
    if verdict == "no test":
        lines.append(f"{'':24}{fault.reason}")
    else:
        count = before.passed + len(before.failed) + len(before.unproven)
        reason = (before.failed or before.unproven or ["nothing failed"])[0]
        lines.append(f"{'':24}there: {len(before.failed)} of {count} cases fail: {reason}")
        if before.failed and before.unproven:
            lines.append(f"{'':24}       by name only: {before.unproven[0]}")
        reason = f": {(now.failed or now.unproven)[0]}" if now.failed or now.unproven else ""
        lines.append(f"{'':24}here:  {now.passed} of {now.passed + len(now.failed + now.unproven)} cases pass{reason}")
    return "\n".join(lines)


def main() -> None:
    """Print the proof of each fault, and keep it as `results.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only the faults whose number begins so, such as A1")
    arguments = parser.parse_args()
    commit, faults = read_table()
    faults = [fault for fault in faults if fault.id.startswith(arguments.only)]
    chosen = sorted({name for fault in faults for name in fault.tests})
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder).resolve()
        write_library(commit, old)
        before = run_tests(old, chosen)
    now = run_tests(ROOT, chosen)
    results, verdicts = [], []
    for fault in faults:
        there, here = cases_of(before, fault.tests), cases_of(now, fault.tests)
        verdict = judge(fault, there, here)
        print(describe(fault, verdict, there, here))
        verdicts.append(verdict)
        results.append({**asdict(fault), "verdict": verdict, "there": asdict(there), "here": asdict(here)})
    counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    if not arguments.only:
        text = json.dumps({"commit": commit, "faults": results}, indent=2, ensure_ascii=False)
        (HERE / "results.json").write_text(text + "\n", encoding="utf-8")
    if counts.keys() - {"proven", "no test"}:
        sys.exit(1)


if __name__ == "__main__":
    main()
