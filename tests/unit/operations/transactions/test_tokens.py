import pytest

from mizzle_async import LimitError
from mizzle_async.operations.transactions.tokens import ClientRequestToken, given_token


def test_use_remembers_the_first_sending():
    """The first sending counts, not the last."""
    token = ClientRequestToken("t")
    assert repr(token) == "<ClientRequestToken not sent>"
    token.use(100.0)
    token.use(400.0)
    assert token.first_sent == 100.0
    assert repr(token) == "<ClientRequestToken sent>"
    with pytest.raises(LimitError):
        token.use(700.0)


def test_clock_that_is_set_back():
    """A clock that was set back is no reason to refuse."""
    token = ClientRequestToken("t")
    token.use(100.0)
    token.use(50.0)


@pytest.mark.parametrize("length", [1, 36])
def test_given_token(length):
    """One to thirty-six characters are a token."""
    assert given_token("x" * length).given


@pytest.mark.parametrize("length", [0, 37])
def test_given_token_of_wrong_length(length):
    """Any other number is refused."""
    with pytest.raises(LimitError, match=f"has {length}"):
        given_token("x" * length)
