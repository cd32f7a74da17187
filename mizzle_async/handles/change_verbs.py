"""The changes of a table's items, from its stream: of one entity, or of those of a collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from mizzle_async.flow.ports import TaskPort
from mizzle_async.operations import Target
from mizzle_async.operations.hints import start_hint
from mizzle_async.signatures import explained

if TYPE_CHECKING:
    from mizzle_async.model import StreamView
    from mizzle_async.operations.streams import Change, PartialChange
    from mizzle_async.streams.change_stream import ChangeStream
    from mizzle_async.streams.checkpoints import Checkpoints
    from mizzle_async.streams.delivering import Decoder
    from mizzle_async.streams.settings import Acknowledge, ConsumerSettings, OnGap, OnPoison
    from mizzle_async.streams.starts import Start

ModelT_co = TypeVar("ModelT_co", covariant=True)
ChangeT = TypeVar("ChangeT")


class ChangeVerbs(Generic[ModelT_co]):
    """The part of a table handle, or of a collection, that reads the table's stream."""

    _runtime: TaskPort
    _target: Target[Any]

    @overload
    def changes(
        self,
        *,
        start: Start,
        consumer: str | None = None,
        checkpoints: Checkpoints | None = None,
        view: Literal["new_and_old_images"] = "new_and_old_images",
        on_error: OnPoison = "raise",
        on_gap: OnGap = "raise",
        acknowledge: Acknowledge = "next",
        idle: float = 1.0,
        buffer_bytes: int = 16 * 1024 * 1024,
        drain_seconds: float = 10.0,
        checkpoint_seconds: float = 5.0,
    ) -> ChangeStream[Change[ModelT_co]]: ...
    @overload
    def changes(
        self,
        *,
        start: Start,
        view: Literal["new_image", "old_image", "keys_only"],
        consumer: str | None = None,
        checkpoints: Checkpoints | None = None,
        on_error: OnPoison = "raise",
        on_gap: OnGap = "raise",
        acknowledge: Acknowledge = "next",
        idle: float = 1.0,
        buffer_bytes: int = 16 * 1024 * 1024,
        drain_seconds: float = 10.0,
        checkpoint_seconds: float = 5.0,
    ) -> ChangeStream[PartialChange[ModelT_co]]: ...
    @explained(start_hint)
    def changes(
        self,
        *,
        start: Start,
        consumer: str | None = None,
        checkpoints: Checkpoints | None = None,
        view: StreamView = "new_and_old_images",
        on_error: OnPoison = "raise",
        on_gap: OnGap = "raise",
        acknowledge: Acknowledge = "next",
        idle: float = 1.0,
        buffer_bytes: int = 16 * 1024 * 1024,
        drain_seconds: float = 10.0,
        checkpoint_seconds: float = 5.0,
    ) -> Any:
        """Read the changes of the items, from the table's stream: each at least once, those of a key in their order.

        The service keeps them for 24 hours.

        Args:
            start: Where a consumer begins that has no position yet: ``"oldest"``, ``"latest"``, an aware datetime, or a
                timedelta back from now.
            consumer: The name whose position it is. It belongs to ``checkpoints``.
            checkpoints: Where positions are kept: `FileCheckpoints`, `MemoryCheckpoints`, or a state table, by which
                several processes share the work. Without it, every run begins at ``start``.
            view: The contents of the stream's records. Unless they hold both images, changes are `PartialChange`.
            on_error: The fate of a change whose image does not fit its class: it raises, is skipped, or goes to a
                function.
            on_gap: ``"raise"``, or ``"continue"`` with the oldest changes that there are, where changes are gone before
                they were read.
            acknowledge: In ``async for``, a change is done when the ``"next"`` one is asked for, or when
                `Inserted.done` says so, ``"explicit"``.
            idle: Seconds between two requests for a shard in which nothing happens, at most.
            buffer_bytes: Bytes of changes that are read and not yet delivered. Each shard may pass it by one page.
            drain_seconds: Seconds for handlers that have begun, when `ChangeStream.stop` ends the work.
            checkpoint_seconds: Seconds between two writings of positions.

        Raises:
            ExpressionError: An option is not possible.

        Cost: one GetRecords request for each page of up to 1,000 changes, and one in ``idle`` seconds for each shard in
            which nothing happens.
        """
        from mizzle_async.operations.streams import ChangeDecoder
        from mizzle_async.streams.change_stream import ChangeStream
        from mizzle_async.streams.settings import ConsumerSettings

        settings = ConsumerSettings(
            start=start,
            consumer=consumer,
            checkpoints=checkpoints,
            on_error=on_error,
            on_gap=on_gap,
            acknowledge=acknowledge,
            idle=idle,
            buffer_bytes=buffer_bytes,
            drain_seconds=drain_seconds,
            checkpoint_seconds=checkpoint_seconds,
        )
        decoder: ChangeDecoder[Any] = ChangeDecoder(self._target, view)
        return ChangeStream(self._runtime, decoder, table=self._target.table, view=view, settings=settings)


def decoded_changes(
    table: ChangeVerbs[Any], decoder: Decoder[ChangeT], settings: ConsumerSettings
) -> ChangeStream[ChangeT]:
    """Return the changes of a table as another decoder makes them, with any view of its stream."""
    from mizzle_async.streams.change_stream import ChangeStream

    # A user has no use for these members.
    return ChangeStream(table._runtime, decoder, table=table._target.table, view=None, settings=settings)  # noqa: SLF001
