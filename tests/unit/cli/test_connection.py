"""How a command reaches the service."""

import getpass
import sys

import pytest

from mizzle_async.cli import connection
from mizzle_async.errors import ResourceNotFoundError
from mizzle_async.operations.missing import explain_missing


@pytest.mark.parametrize(("terminal", "prompt"), [(True, getpass.getpass), (False, None)])
def test_an_mfa_code_is_asked_for_at_a_terminal_only(monkeypatch, terminal, prompt):
    """A command asks its user for the code of a role; one that runs without a terminal cannot."""
    options = {}
    monkeypatch.setattr(connection, "Client", lambda **given: options.update(given))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    connection.Connection(None, "role", None).client()
    assert (options["profile_name"], options["mfa_prompt"]) == ("role", prompt)


def test_advice_names_options_of_the_shell():
    """A prefix of tables is an argument of a client, and no command has it."""
    error = ResourceNotFoundError("no such table", operation="DescribeTable", table="orders")
    explain_missing(error, None)
    text = connection.in_options(error.message)
    assert text == "table 'orders' does not exist: check its name, --region and --profile"
