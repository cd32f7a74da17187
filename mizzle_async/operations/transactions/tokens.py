"""Client request tokens: they make two sendings of a transaction the same transaction."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field

from mizzle_async.errors import ClientStateError, ExpressionError, LimitError
from mizzle_async.limits import CLIENT_REQUEST_TOKEN_LENGTH, CLIENT_REQUEST_TOKEN_SECONDS


@define(eq=False, repr=False)
class ClientRequestToken:
    """The token of one transaction. It belongs to the operation, so awaiting that again is the same transaction.

    Attributes:
        value: 1 to 36 characters.
        given: Whether the caller gave it, and so answers for its age.
        first_sent: When it was first sent, in seconds since the epoch, or None before.
        age: Seconds from its first sending to its last. Retries must end before the service forgets it.
    """

    value: str
    given: bool = False
    first_sent: float | None = field(default=None, init=False)
    age: float = field(default=0.0, init=False)

    def use(self, now: float) -> None:
        """Note a sending.

        Args:
            now: The time in seconds since the epoch.

        Raises:
            LimitError: The service may have forgotten the first sending: this one would be another transaction.
        """
        if self.first_sent is None:
            self.first_sent = now
        if self.given:
            return
        self.age = max(now - self.first_sent, 0.0)
        if self.age > CLIENT_REQUEST_TOKEN_SECONDS:
            raise LimitError(
                f"this transaction was first sent more than {CLIENT_REQUEST_TOKEN_SECONDS / 60:g} minutes ago: the "
                "service no longer knows its token, and would apply it again. Find out what became of it, and build a "
                "new one"
            )

    def __repr__(self) -> str:
        return f"<ClientRequestToken {'not sent' if self.first_sent is None else 'sent'}>"


def request_token(given: str | None, new_token: Callable[[], str] | None, operation: object) -> ClientRequestToken:
    """Return the token of an operation that is built: the caller's own, or a new one.

    Args:
        given: The caller's, or None for a new one.
        new_token: Makes new ones, or None where no client is at hand.
        operation: The operation, for messages.

    Raises:
        ClientStateError: No client is at hand that could make one.
        ExpressionError: The caller's is no text.
        LimitError: The caller's is empty or too long.
    """
    if given is not None:
        return given_token(given)
    if new_token is None:
        raise ClientStateError(
            f"{operation} came out of a pickle and has no client to make its token: give one to `.exactly_once("
            "token=…)`, or build it anew from a client's table"
        )
    return ClientRequestToken(new_token())


def given_token(token: str) -> ClientRequestToken:
    """Return the caller's own token.

    Raises:
        ExpressionError: It is no text.
        LimitError: It is empty or too long.
    """
    if not isinstance(token, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # types may be unchecked
        raise ExpressionError(
            f"token= takes text of 1 to {CLIENT_REQUEST_TOKEN_LENGTH} characters, not {type(token).__name__}"
        )
    if not 1 <= len(token) <= CLIENT_REQUEST_TOKEN_LENGTH:
        raise LimitError(
            f"a client request token has 1 to {CLIENT_REQUEST_TOKEN_LENGTH} characters, this one has {len(token)}"
        )
    return ClientRequestToken(token, given=True)
