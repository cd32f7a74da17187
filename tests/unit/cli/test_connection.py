"""How a command reaches the service."""

import getpass
import sys

import pytest

from mizzle_async.cli import connection


@pytest.mark.parametrize(("terminal", "prompt"), [(True, getpass.getpass), (False, None)])
def test_an_mfa_code_is_asked_for_at_a_terminal_only(monkeypatch, terminal, prompt):
    """A command asks its user for the code of a role; one that runs without a terminal cannot."""
    options = {}
    monkeypatch.setattr(connection, "Client", lambda **given: options.update(given))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    connection.Connection(None, "role", None).client()
    assert (options["profile_name"], options["mfa_prompt"]) == ("role", prompt)
