import subprocess
import sys

import pytest

CONFTEST = """
pytest_plugins = ["mizzle_async.testing.plugin"]
"""

TESTS = """
def test_engine(engine):
    pass

def test_other():
    pass
"""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["test_engine[embedded]", "test_engine[dynamodb-local]", "test_other"]),
        (["--dynamodb-engine=embedded"], ["test_engine[embedded]", "test_other"]),
        (
            ["--dynamodb-engine=dynamodb-local", "--dynamodb-engine=embedded"],
            ["test_engine[dynamodb-local]", "test_engine[embedded]", "test_other"],
        ),
    ],
)
def test_engine_fixture_stands_for_each_engine(tmp_path, options, expected):
    """A test that uses `engine` is collected once per engine, or once per engine that is asked for."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, *options], check=True, cwd=tmp_path, capture_output=True, text=True)
    collected = [line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line]
    assert sorted(collected) == sorted(expected)


def test_unknown_engine_is_refused(tmp_path):
    """An engine that does not exist is a usage error of pytest."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    command = [sys.executable, "-m", "pytest", "--dynamodb-engine=dynalite", "-p", "no:cacheprovider"]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "invalid choice: 'dynalite'" in done.stderr
