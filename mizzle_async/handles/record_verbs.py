"""Images and records of streams that come by another way than our own consumer: a Lambda function's events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from mizzle_async.operations import Target
from mizzle_async.types import Item

if TYPE_CHECKING:
    from mizzle_async.model import StreamView
    from mizzle_async.operations.streams import Change, PartialChange
    from mizzle_async.streams.checkpoints import EventMarks
    from mizzle_async.streams.events import BatchItemFailures

ModelT_co = TypeVar("ModelT_co", covariant=True)


class RecordVerbs(Generic[ModelT_co]):
    """The part of a table handle, or of a collection, that decodes what a stream tells."""

    _target: Target[Any]

    def decode(self, image: Item, /) -> ModelT_co:
        """Return the instance of an item in DynamoDB's JSON, such as an image of a stream's record. Nothing is sent.

        Args:
            image: The item, in the service's JSON: ``{"order_id": {"S": "7"}}``, binary as base64 text.

        Raises:
            MarshallingError: It does not fit its class.
        """
        from mizzle_async.operations.streams import ChangeDecoder

        decoder: ChangeDecoder[ModelT_co] = ChangeDecoder(self._target)
        return decoder.image(image)

    @overload
    def decode_records(
        self, event: object, /, *, view: Literal["new_and_old_images"] = "new_and_old_images"
    ) -> list[Change[ModelT_co]]: ...
    @overload
    def decode_records(
        self, event: object, /, *, view: Literal["new_image", "old_image", "keys_only"]
    ) -> list[PartialChange[ModelT_co]]: ...
    def decode_records(self, event: object, /, *, view: StreamView = "new_and_old_images") -> Any:
        """Return the changes of an event, in its order. Nothing is sent.

        Records of guard items, and of other entities of a shared table, are left out.

        Args:
            event: The event of a Lambda function, ``{"Records": […]}``, or a list of records. They are records of the
                table's stream, or of a Kinesis stream that the table writes to.
            view: The contents of the records. Unless they hold both images, changes are `PartialChange`.

        Raises:
            ExpressionError: It is no event of this table, or its records hold other images.
            MarshallingError: An image does not fit its class. ``error.key`` is its key.
        """
        from mizzle_async.operations.streams import ChangeDecoder, records_of

        decoder: ChangeDecoder[Any] = ChangeDecoder(self._target, view)
        changes = (decoder.decode(each.record, each.number) for each in records_of(event, self._target.table))
        return [change for change in changes if change is not None]

    @overload
    async def handle_records(
        self,
        event: object,
        handle: Callable[[Change[ModelT_co]], Awaitable[object]],
        /,
        *,
        concurrency: int = 16,
        consumer: str | None = None,
        state: EventMarks | None = None,
        view: Literal["new_and_old_images"] = "new_and_old_images",
    ) -> BatchItemFailures: ...
    @overload
    async def handle_records(
        self,
        event: object,
        handle: Callable[[PartialChange[ModelT_co]], Awaitable[object]],
        /,
        *,
        view: Literal["new_image", "old_image", "keys_only"],
        concurrency: int = 16,
        consumer: str | None = None,
        state: EventMarks | None = None,
    ) -> BatchItemFailures: ...
    async def handle_records(
        self,
        event: object,
        handle: Callable[[Any], Awaitable[object]],
        /,
        *,
        concurrency: int = 16,
        consumer: str | None = None,
        state: EventMarks | None = None,
        view: StreamView = "new_and_old_images",
    ) -> BatchItemFailures:
        """Handle the changes of a Lambda function's event, and return the answer that reports the first failure.

        Changes of one key are handled in their order, different keys side by side. After a failure nothing new begins,
        and what has begun is finished. Lambda repeats the event from the reported record, so that later ones may come
        again: an effect in DynamoDB that must not happen twice is sent by ``change.apply(…)``. The event source needs
        ``ReportBatchItemFailures``. Each failure is logged.

        Args:
            event: The event, as for `decode_records`.
            handle: Handles one change. A change that it raises for has failed.
            concurrency: Changes that are handled at once at most.
            consumer: The name whose marks ``change.apply`` writes. It belongs to ``state``.
            state: The state table of the marks, ``client.state(STATE)``, or None where ``change.apply`` is not called.
            view: The contents of the records, as for `decode_records`.

        Returns:
            ``{"batchItemFailures": []}`` where all are done, otherwise with the number of the lowest one that is not.
            A record that does not fit its class is one that failed.

        Raises:
            ExpressionError: It is no event of this table, or its records hold other images, or one of ``consumer`` and
                ``state`` is missing.
        """
        from mizzle_async.operations.streams import ChangeDecoder
        from mizzle_async.streams.events import EventReceipt, handle_event

        decoder: ChangeDecoder[Any] = ChangeDecoder(self._target, view)
        return await handle_event(decoder, event, handle, concurrency, EventReceipt.of(consumer, state))
