"""The question whether an item exists: a GetItem that returns nothing but its key."""

from __future__ import annotations

from mizzle_async.expressions import AttributePath
from mizzle_async.operations.reads.get import GetItem
from mizzle_async.types import Item, WirePayload, WireResponse


class Exists(GetItem[bool]):
    """Read whether an item lies under a key. An expired item does not, nor one of another entity of a shared table."""

    __slots__ = ()

    def _body(self) -> WirePayload:
        target = self._target
        schema, compiler = target.schema, target.compiler()
        names = list(self.key)
        if schema.time_to_live is not None and not self.include_expired:
            names.append(schema.time_to_live.name)
        if schema.shared is not None and schema.shared.table.type_attribute is not None:
            names.append(schema.shared.table.type_attribute)
        paths = [AttributePath[object, object](schema.owner, (name,)) for name in dict.fromkeys(names)]
        text = compiler.projection(paths)
        return {**super()._body(), "ProjectionExpression": text, **compiler.finish()}

    def _from_item(self, item: Item | None, now: float, response: WireResponse) -> bool:
        del response
        if item is None or self._is_hidden(item, now):
            return False
        foreign = self._target.codec.foreign
        return foreign is None or not foreign(item)
