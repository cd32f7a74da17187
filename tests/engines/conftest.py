"""Tests here share engines for the whole session: each makes tables of its own, under names that nobody else has."""

import itertools
from collections.abc import Callable

import pytest

_numbers = itertools.count(1)


@pytest.fixture
def new_table_name(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Give a table name that no other test uses, with the test's name in it."""

    def name() -> str:
        letters = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in request.node.name)
        return f"{letters[:200]}-{next(_numbers)}"

    return name
