"""The operation of every verb: an immutable, typed request that can be shown, priced, awaited, or handed on.

An operation knows its table and its encoded parts. It knows neither loop nor clock: its sender comes from the table
handle.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Coroutine, Generator, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, NoReturn, TypeVar

import orjson
from attrs import field, fields
from attrs.validators import optional

from mizzle_async.errors import ClientStateError, MizzleError, UnawaitedOperationWarning
from mizzle_async.expressions.misuse import is_at_misuse, is_refusal_of_asyncio
from mizzle_async.operations.answers import ITEM_ANSWER_BYTES, checked_payload
from mizzle_async.operations.arguments import check_timeout
from mizzle_async.operations.explain import Capacity, Explanation, explain_nothing, explain_request, outline
from mizzle_async.operations.sending import Sending
from mizzle_async.operations.target import BindTarget, DetachedTarget, Target
from mizzle_async.types import MYPY, RepeatSafety, WirePayload, WireRequest, WireResponse
from mizzle_async.values import altered, transient

ResultT_co = TypeVar("ResultT_co", covariant=True)
OperationT = TypeVar("OperationT", bound="Operation[Any]")

READ: Final = RepeatSafety.READ


def _check_timeout(operation: Operation[Any], _attribute: object, timeout: float) -> None:
    try:
        check_timeout(timeout)
    except BaseException:
        use(operation)  # it will not be handed out, so it was not forgotten
        raise


@transient(eq=False, repr=False)
class Operation(Generic[ResultT_co]):
    """A request to the service, built and checked, not yet sent.

    ``await`` sends it and gives its result. It may be awaited again, and is then sent again. Sending costs one request,
    retries aside. Nothing public of it can be changed.
    """

    api: ClassVar[str]
    """The API's name, such as ``GetItem``."""

    _answer_bytes: ClassVar[int] = ITEM_ANSWER_BYTES
    """The largest answer that is believed."""

    _target: Target[Any]
    _timeout: float | None = field(default=None, kw_only=True, alias="timeout", validator=optional(_check_timeout))
    _used: bool = field(default=False, init=False)

    @property
    def timeout(self) -> float | None:
        """Seconds for the whole call, or None for the client's."""
        return self._timeout

    # ── what an operation is for ──

    def __await__(self) -> Generator[Any, Any, ResultT_co]:
        return self.send().__await__()

    # Not `Coroutine[Any, Any, …]`: on that, mypy gives up choosing among the overloads of `asyncio.gather`.
    def send(self) -> Coroutine[None, None, ResultT_co]:
        """Return a coroutine that sends this operation and returns its result: for ``create_task`` and task groups."""
        use(self)
        sender = self._target.sender
        if sender is None:
            raise ClientStateError(
                f"{self} came out of a pickle and has no client: send it with `await client.send(operation)`"
            )
        return sender.send(self)

    def to_wire(self) -> WirePayload:
        """Return the request's exact DynamoDB JSON, as a plain dict of its own: empty where nothing is to be sent."""
        use(self)
        wire: WirePayload = {} if self._settled else orjson.loads(orjson.dumps(self._body()))
        return wire

    def explain(self) -> Explanation:
        """Return the request in words, with its estimated cost and the values of attributes. Nothing is sent."""
        use(self)
        if self._settled:
            return explain_nothing(self.api, self._target.table)
        return explain_request(
            self.api,
            self.to_wire(),
            index=self._index(),
            capacity=self._capacity(),
            warnings=self._warnings(),
            then=self._then(),
        )

    @property
    def sending(self) -> Sending[ResultT_co]:
        """How the client sends this operation. Asking for it counts as using the operation."""
        return Sending(self)

    # ── what each verb fills in; `Sending` explains the first of them ──

    @property
    def _entity_names(self) -> str | None:
        """Return the entity, or the entities, that this is about, for errors, or None where none is known."""
        return self._target.schema.entity

    def _bound(self, bind: BindTarget) -> Operation[ResultT_co]:
        """Return this operation with the targets of the client that sends it, after it came out of a pickle."""
        return derive(self, _target=bind(self._target))

    @property
    def _safety(self) -> RepeatSafety:
        return READ

    @property
    def _settled(self) -> bool:
        return False

    def _result(self) -> ResultT_co:
        raise NotImplementedError

    def _begin(self, now: float, /) -> None:
        pass

    def _to_request(self) -> WireRequest:
        return WireRequest(
            self.api,
            orjson.dumps(self._body()),
            self._target.table,
            self._safety,
            self._index(),
            self._timeout,
            self._parse,
            self._answer_bytes,
        )

    def _parse(self, body: bytes, /) -> WirePayload:
        """Read the JSON of an answer of success, and check that it can be the answer to this request.

        Raises:
            ValueError: It is not JSON.
            CorruptResponseError: It is of the wrong shape, or about something else than was asked.
        """
        return checked_payload(self.api, self._json(body), self._check)

    def _from_wire(self, response: WireResponse, now: float, /) -> ResultT_co:
        raise NotImplementedError

    def _recover(self, error: Exception, now: float, /) -> ResultT_co:  # noqa: ARG002  (writes judge with the time)
        raise error

    def _follow_up(self, error: Exception, now: float, /) -> Operation[Any] | None:  # noqa: ARG002  (as above)
        return None

    def _look(self, error: Exception, /) -> Operation[Any] | None:  # noqa: ARG002  (as above)
        return None

    def _revised(self, error: Exception, item: Any, now: float, /) -> Operation[ResultT_co] | None:  # noqa: ARG002  (as above)
        return None

    @property
    def _is_whole(self) -> bool:
        """Return whether this can be sent as it is: one that cannot was not forgotten, an error ended its building."""
        return True

    def _body(self) -> WirePayload:
        raise NotImplementedError

    def _index(self) -> str | None:
        return None

    def _json(self, body: bytes) -> Any:
        """Read JSON. An operation may know a lighter form for its answer."""
        return orjson.loads(body)

    def _check(self, payload: WirePayload) -> None:
        """Raise an error for an answer that cannot be the one to this request.

        Any other exception means the same, so that no shape needs to be foreseen.
        """

    def _capacity(self) -> Capacity:
        return Capacity()

    def _warnings(self) -> tuple[str, ...]:
        return ()

    def _then(self) -> tuple[str, ...]:
        return ()

    # ── a forgotten await, and other accidents ──

    def __str__(self) -> str:
        if self._settled:
            return f"{self.api} {self._target.table!r}: nothing to send"
        try:
            return outline(self.api, self._body())
        except MizzleError:  # it is not complete, or not right: its description must not fail for that
            return outline(self.api, {"TableName": self._target.table})

    def __repr__(self) -> str:
        if not is_refusal_of_asyncio(1):
            use(self)  # a prompt or a notebook has shown it: a warning at another line would accuse that one
        return f"<{self}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the sender. A pickled operation counts as used."""
        use(self)
        return _restore, (type(self), _state(self))

    def __del__(self) -> None:
        # A constructor that raised leaves slots unset: nothing was forgotten then.
        if (
            not getattr(self, "_used", True)
            and self._is_whole
            and not sys.is_finalizing()
            and not is_at_misuse(depth=1)
        ):
            warnings.warn(
                f"{self} was built and never used: was an `await` forgotten? A task needs a coroutine:"
                " `create_task(operation.send())`",
                UnawaitedOperationWarning,
                stacklevel=2,
                source=self,  # with tracemalloc on, Python says where it was built
            )

    if not MYPY:

        def __bool__(self) -> NoReturn:
            raise self._forgotten("has no truth value")

    if not TYPE_CHECKING:  # so that type checkers refuse these uses themselves

        def __len__(self) -> NoReturn:
            raise self._forgotten("has no length")

        def __iter__(self) -> NoReturn:
            raise self._forgotten("cannot be iterated")

        def __getitem__(self, key: object) -> NoReturn:
            raise self._forgotten("holds no items")

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):  # what copying and pickling ask for, perhaps before anything is set
                raise AttributeError(name=name, obj=self)
            raise AttributeError(f"{self._forgotten(f'has no {name!r}')}", name=name, obj=self)

    def _forgotten(self, what: str) -> TypeError:
        use(self)
        return TypeError(f"{self} {what}: it is an operation that was not sent; did you forget `await`?")


def is_detached(operation: Operation[Any]) -> bool:
    """Tell whether an operation came out of a pickle, and has no client's targets yet. It is not used by that."""
    return type(operation._target) is DetachedTarget  # noqa: SLF001  (a sending would be made for it)


def use(operation: Operation[Any]) -> None:
    """Mark an operation as used: it was sent, shown, or handed on."""
    operation._used = True  # type: ignore[misc]  # noqa: SLF001  # frozen for type checkers only


def derive(operation: OperationT, /, **changes: Any) -> OperationT:
    """Return a copy with changed attributes, by their names in the object. The original counts as used."""
    operation._used = True  # type: ignore[misc]  # noqa: SLF001  # as above
    return altered(operation, **changes)


def promote(operation: Operation[Any], cls: type[OperationT], **more: Any) -> OperationT:
    """Return an operation of a class that adds to another's attributes. The original counts as used.

    Args:
        operation: The operation whose attributes are taken over.
        cls: The class, which has all of them.
        **more: Its further attributes, and those that differ.
    """
    use(operation)
    kept = {each.alias: getattr(operation, each.name) for each in fields(type(operation)) if each.init}
    return cls(**{**kept, **more})


def use_all(given: Iterable[object]) -> None:
    """Note that operations were handed on, before anything can be wrong with one of them."""
    for each in given:
        if isinstance(each, Operation):
            use(each)


def _slots(cls: type[Operation[Any]]) -> list[str]:
    return [attribute.name for attribute in fields(cls) if attribute.name != "_used"]


def _state(operation: Operation[Any]) -> dict[str, Any]:
    return {name: getattr(operation, name) for name in _slots(type(operation))}


def _restore(cls: type[Operation[Any]], state: dict[str, Any]) -> Operation[Any]:
    operation = cls.__new__(cls)
    for name, value in state.items():
        setattr(operation, name, value)
    use(operation)
    return operation
