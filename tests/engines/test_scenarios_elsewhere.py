"""The scenarios once more, unchanged: on uvloop, and through a proxy instead of over our own connections."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCENARIOS = [HERE / f"test_scenarios_{name}.py" for name in ("expiry", "reading", "tables", "writing")]


@pytest.mark.parametrize(("setting", "value"), [("MIZZLE_TEST_LOOP", "uvloop"), ("MIZZLE_TEST_TRANSPORT", "fallback")])
def test_scenarios_hold_there_too(setting: str, value: str) -> None:
    """Every scenario of reading, writing, expiry and tables passes on another loop, and on the other transport."""
    if value == "uvloop":
        pytest.importorskip("uvloop", reason="uvloop comes with the extra `speed`, which not every platform has")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--dynamodb-engine", "embedded"]
    done = subprocess.run(
        [*command, *SCENARIOS],
        check=False,
        env=os.environ | {setting: value},
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout
