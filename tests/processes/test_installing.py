"""Engines that are installed ahead, for machines without a network."""

import os
import subprocess
import sys

import pytest

from mizzle_async.testing import EmbeddedEngine, EngineError, install_engine
from mizzle_async.testing._cache import cache_folder

COMMAND = "import sys; from mizzle_async.cli import main; sys.exit(main())"
NO_NETWORK = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_EXTRA_INDEX_URL": "", "PIP_RETRIES": "0"}


def test_an_engine_that_was_installed_ahead_starts_without_a_network(monkeypatch):
    """`local --install` fills the folder that the environment names, and an engine starts from there alone."""
    install_engine("embedded")
    environment = os.environ | NO_NETWORK | {"MIZZLE_ASYNC_CACHE": str(cache_folder())}
    command = [sys.executable, "-c", COMMAND, "local", "--install"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    version = EmbeddedEngine().version
    assert done.stderr == f"embedded {version} is installed in {cache_folder()}\n"
    monkeypatch.setenv("MIZZLE_ASYNC_CACHE", str(cache_folder()))
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)
    with EmbeddedEngine() as engine:
        assert engine.call("ListTables", {}) == {"TableNames": []}


def test_a_machine_without_a_network_is_told_how_to_install_ahead(monkeypatch, tmp_path):
    """Where the engine is not in the cache and the package index cannot be reached, the error names the way."""
    monkeypatch.setenv("MIZZLE_ASYNC_CACHE", str(tmp_path))
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    advice = (
        r"could not install ministack(.|\n)*`mizzle-async local --install --engine embedded`, with MIZZLE_ASYNC_CACHE"
    )
    with pytest.raises(EngineError, match=advice):
        EmbeddedEngine().start()
