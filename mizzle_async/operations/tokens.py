"""Client request tokens: what makes two sendings of a transaction the same transaction."""

from __future__ import annotations

from attrs import define, field

from mizzle_async.errors import LimitError
from mizzle_async.limits import CLIENT_REQUEST_TOKEN_LENGTH, CLIENT_REQUEST_TOKEN_SECONDS


@define(eq=False, repr=False)
class ClientRequestToken:
    """The token of one transaction. It belongs to the operation, so awaiting that again is the same transaction.

    Attributes:
        value: 1 to 36 characters.
        given: Whether the caller gave it, and so answers for its age.
        first_sent: When it was first sent, in seconds since the epoch; None before.
    """

    value: str
    given: bool = False
    first_sent: float | None = field(default=None, init=False)

    def use(self, now: float) -> None:
        """Note a sending.

        Args:
            now: The time in seconds since the epoch.

        Raises:
            LimitError: The service may have forgotten the first sending: this one would be another transaction.
        """
        if self.first_sent is None:
            self.first_sent = now
        elif not self.given and now - self.first_sent > CLIENT_REQUEST_TOKEN_SECONDS:
            raise LimitError(
                f"this transaction was first sent more than {CLIENT_REQUEST_TOKEN_SECONDS / 60:g} minutes ago: the "
                "service no longer knows its token, and would apply it again. Find out what became of it, and build a "
                "new one"
            )

    def __repr__(self) -> str:
        return f"<ClientRequestToken {'not sent' if self.first_sent is None else 'sent'}>"


def given_token(token: str) -> ClientRequestToken:
    """Return the caller's own token.

    Raises:
        LimitError: It is empty or too long.
    """
    if not 1 <= len(token) <= CLIENT_REQUEST_TOKEN_LENGTH:
        raise LimitError(
            f"a client request token has 1 to {CLIENT_REQUEST_TOKEN_LENGTH} characters, this one has {len(token)}"
        )
    return ClientRequestToken(token, given=True)
