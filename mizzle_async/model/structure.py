"""The structure of a class: rules for its attributes together, of any type.

Every error names class and attribute and the way to write it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from mizzle_async.errors import ExpressionError, LimitError, ModelError
from mizzle_async.expressions.names import check_name
from mizzle_async.limits import KEY_ATTRIBUTE_NAME_BYTES
from mizzle_async.model.declarations import KEY_WORDS, Declaration
from mizzle_async.model.defaults import check_shared_default
from mizzle_async.model.scalars import DATETIME_FORMATS, is_datetime_format
from mizzle_async.model.schema import KeyRole

KEY_OPTION_NAMES: Final = frozenset({"attempts", "change", "consistent_read", "include_expired", "timeout"})
"""Keywords of ``get``, ``update``, ``delete``, ``modify`` and ``check``, which take the key by keywords too."""

MIN_SHARDS: Final = 2


def check_names(model: str, declarations: Collection[Declaration]) -> None:
    """Check the stored names.

    Raises:
        ModelError: If two attributes share one, or DynamoDB would refuse one.
    """
    seen: dict[str, Declaration] = {}
    for declaration in declarations:
        name: Any = declaration.name
        if not isinstance(name, str):
            raise ModelError(f"{declaration.where}: its stored name must be text, not {type(name).__name__}")
        try:
            check_name(name)
        except (ExpressionError, LimitError) as error:
            raise ModelError(f"{declaration.where}: {error.message}") from None
        limits = [role.name_bytes for role in declaration.options.roles if role.name_bytes is not None]
        limit = min([KEY_ATTRIBUTE_NAME_BYTES, *limits] if declaration.key else limits, default=None)
        if limit is not None and len(name.encode()) > limit:
            raise ModelError(
                f"{declaration.where}: the name of a key or of the time to live has at most {limit} bytes, this one "
                f"has {len(name.encode())}"
            )
        other = seen.setdefault(name, declaration)
        if other is not declaration:
            raise ModelError(
                f"{model}: {other.field} and {declaration.field} are both stored as {name!r}: "
                f'give one of them another name, `attribute(name="…")`'
            )


def check_keys(model: str, declarations: Collection[Declaration]) -> None:
    """Check the key of an entity.

    Raises:
        ModelError: If there is no partition key, two of one kind, or one that cannot be one.
    """
    check_key_names(declarations)
    keys: dict[KeyRole, Declaration] = {}
    for declaration in declarations:
        if declaration.key is None:
            continue
        other = keys.setdefault(declaration.key, declaration)
        if other is not declaration:
            word = KEY_WORDS[declaration.key]
            raise ModelError(
                f"{model} has two {word}s, {other.field} and {declaration.field}: "
                "make one of them an Attribute, or both one key by an index"
            )
    if "partition" not in keys:
        raise ModelError(
            f"{model} has no partition key: annotate one attribute with PartitionKey, `id: PartitionKey[str]`"
        )


def check_no_keys(declarations: Collection[Declaration]) -> None:
    """Check that a document has no key.

    Raises:
        ModelError: If it has one.
    """
    for declaration in declarations:
        if declaration.key is not None:
            raise ModelError(
                f"{declaration.where}: a document has no key, because it is stored inside items: "
                "write Attribute[…], or decorate the class with @entity"
            )


def check_options(model: str, declarations: Collection[Declaration]) -> None:
    """Check the arguments of ``attribute()``.

    Raises:
        ModelError: If a role is given twice, to a key, or together with one it excludes.
    """
    holders: dict[str, Declaration] = {}
    for declaration in declarations:
        options = declaration.options
        where = declaration.where
        roles = options.roles
        if len(roles) > 1:
            names = " and ".join(role.keyword for role in roles)
            raise ModelError(f"{where} cannot be {names} at once: make an attribute for each")
        for role in roles:
            if declaration.key is not None:
                raise ModelError(f"{where} is the {KEY_WORDS[declaration.key]}: it cannot be {role.keyword} too")
            other = holders.setdefault(role.keyword, declaration)
            if other is not declaration and not role.may_repeat:
                raise ModelError(f"{model}: {other.field} and {declaration.field} are both {role.keyword}: keep one")
        if options.datetime_format is not None and not is_datetime_format(options.datetime_format):
            raise ModelError(
                f"{where}: datetime_format is one of {', '.join(DATETIME_FORMATS)}, a strftime format, or a pair of "
                "functions that write and read text"
            )
        _check_storing(declaration)
        check_shared_default(declaration.where, declaration.default)


def check_key_names(declarations: Collection[Declaration]) -> None:
    """Check that no key attribute has the name of an option of the verbs that take keys by name.

    Raises:
        ModelError: One has.
    """
    for declaration in declarations:
        if declaration.key is not None and declaration.field in KEY_OPTION_NAMES:
            raise ModelError(
                f"{declaration.where}: get(…) and the other verbs have an option of that name: "
                f'rename the attribute and keep the stored name, `attribute(name="{declaration.name}")`'
            )


def _check_storing(declaration: Declaration) -> None:
    """Check the options that say how an attribute is stored, and whether it changes."""
    options = declaration.options
    if options.encode is not None:
        _check_encoded(declaration)
    if options.shards is not None:
        if declaration.key != "partition":
            raise ModelError(f"{declaration.where}: shards= spreads a partition key: take it off this attribute")
        check_shards(declaration.where, options.shards)
    if options.immutable:
        _check_immutable(declaration)


def _check_encoded(declaration: Declaration) -> None:
    """Check that an attribute with functions of its own has no role whose values the library makes itself."""
    role = next((role for role in declaration.options.roles if role.is_automatic or role.needs_time), None)
    if role is not None:
        raise ModelError(
            f"{declaration.where}: {role.keyword} is stored in the library's own way: leave encode= and decode= out"
        )


def _check_immutable(declaration: Declaration) -> None:
    """Check that an immutable attribute is none that never changes anyhow, and none that the library changes."""
    if declaration.key is not None:
        raise ModelError(
            f"{declaration.where} is the {KEY_WORDS[declaration.key]}, which no write changes: leave immutable= out"
        )
    role = next((role for role in declaration.options.roles if role.is_automatic), None)
    if role is not None:
        raise ModelError(f"{declaration.where}: the library itself writes {role.keyword}: leave immutable= out")


def check_shards(where: str, shards: Any) -> None:
    """Check the number of partitions to spread a key over.

    Raises:
        ModelError: It is none.
    """
    if not isinstance(shards, int) or isinstance(shards, bool) or shards < MIN_SHARDS:
        raise ModelError(f"{where}: shards= takes an int of at least {MIN_SHARDS}")
