"""Defaults that cannot be stored, found when the codec of their entity is made, and not by the first write.

`model.defaults` judges a default by its annotation when the class is made. Here it is encoded, as its attribute is: a
naive datetime, a tuple of another length and an element of another type are values of the annotated class.
"""

from __future__ import annotations

from attrs import NOTHING

from mizzle_async.errors import ModelError
from mizzle_async.marshalling.shapes.by_value import ATTRIBUTE_LEVELS
from mizzle_async.marshalling.shapes.classes import CarefulClassShape
from mizzle_async.marshalling.shapes.fields import factory_of
from mizzle_async.model.scalars.misfit import Misfit


def check_stored_defaults(shape: object, entity: str) -> None:
    """Check that the defaults of an entity's attributes can be stored. Those that a converter makes are left to it.

    Args:
        shape: How the entity's instances are stored.
        entity: Its name.

    Raises:
        ModelError: A default does not fit.
    """
    if not isinstance(shape, CarefulClassShape):
        return
    for field in shape.fields:
        default = field.default
        if default is NOTHING or default is None or field.converter is not None or factory_of(default) is not None:
            continue
        try:
            field.encode(default, ATTRIBUTE_LEVELS)
        except Misfit as misfit:
            raise ModelError(f"{entity}.{field.name}: its default cannot be stored: {misfit.sentence()}") from misfit
