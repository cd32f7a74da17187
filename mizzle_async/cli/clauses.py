"""Clauses of updates in the shell: ``--set PATH=VALUE``, ``--add``, ``--remove`` and ``--discard``."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias, TypeVar

import click
from attrs import frozen

from mizzle_async.cli.conditions import filter_condition
from mizzle_async.cli.files.rows import STORED_TYPES
from mizzle_async.cli.files.typed import typed_value
from mizzle_async.cli.handles import Opened
from mizzle_async.cli.values import parse_path
from mizzle_async.errors import MarshallingError
from mizzle_async.expressions import AttributePath
from mizzle_async.handles.table import Table
from mizzle_async.marshalling import decode_any

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

Step: TypeAlias = tuple[str, tuple[Any, ...]]
"""The name of a method of a write, and its arguments."""

ASSIGNMENT: Final = re.compile(r"(?P<path>(?:\\.|[^\\=])+)=(?P<value>.*)", re.DOTALL)
TYPED_PATH: Final = re.compile(rf"(?P<path>.+):(?P<type>{'|'.join(STORED_TYPES)})")

SET_HELP: Final = (
    "Assign a value. Where no type is declared it is JSON if it can be, so '\"5\"' is the text 5; PATH:TYPE=VALUE names"
    " a stored type, such as tags:SS='[\"a\"]'."
)
WHEN_HELP: Final = "Write only if this is true of the stored item; may be given again. As --filter of `query`."


@frozen
class Clauses:
    """The clauses of an update, as the user writes them.

    Attributes:
        assignments: ``PATH=VALUE`` of each ``--set``.
        additions: ``PATH=VALUE`` of each ``--add``: a number, or elements of a set.
        removals: The paths of ``--remove``.
        discards: ``PATH=VALUE`` of each ``--discard``: elements of a set.
        conditions: Path, operator and value of each ``--when``.
    """

    assignments: tuple[str, ...] = ()
    additions: tuple[str, ...] = ()
    removals: tuple[str, ...] = ()
    discards: tuple[str, ...] = ()
    conditions: tuple[tuple[str, str, str], ...] = ()

    def __attrs_post_init__(self) -> None:
        """Check that there is something to do.

        Raises:
            click.UsageError: If there is nothing.
        """
        if not (self.assignments or self.additions or self.removals or self.discards):
            raise click.UsageError("say what to change: --set PATH=VALUE, --add PATH=NUMBER, --remove PATH")

    def check(self, opened: Opened) -> None:
        """Check the clauses before an item is read.

        Raises:
            MizzleError: If a value does not fit, or the service would refuse the update.
        """
        examples: dict[str, Any] = {"S": "x", "N": 1, "B": b"x"}
        key = {name: examples[opened.description.attribute_types[name]] for name in opened.key_names}
        steps = self.steps(opened, opened.table)
        built(opened.table.update(opened.table.key(**key)), steps).to_wire()

    def steps(self, opened: Opened, handle: Table[Any]) -> list[Step]:
        """Return the steps that give an update the clauses and the conditions.

        All of them are read before an update is built, so that none is left half built.

        Args:
            opened: The table.
            handle: The handle that makes the update.

        Raises:
            click.UsageError: If a clause cannot be read.
            MarshallingError: If a value does not fit its attribute.
        """
        steps: list[Step] = [("set", _assignment(opened, handle, text)) for text in self.assignments]
        steps += [("add", _assignment(opened, handle, text, is_summand=True)) for text in self.additions]
        steps += [("remove", _place(opened, handle, text)[:1]) for text in self.removals]
        steps += [("discard", _assignment(opened, handle, text, is_summand=True)) for text in self.discards]
        return steps + condition_steps(opened, handle, self.conditions)


def condition_steps(opened: Opened, handle: Table[Any], conditions: tuple[tuple[str, str, str], ...]) -> list[Step]:
    """Return the steps that give a write the conditions of ``--when``."""
    return [("when", (filter_condition(opened, *words, handle=handle),)) for words in conditions]


def built(operation: Any, steps: Sequence[Step]) -> Any:
    """Return a write with steps."""
    for name, arguments in steps:
        operation = getattr(operation, name)(*arguments)
    return operation


def _assignment(opened: Opened, handle: Table[Any], text: str, *, is_summand: bool = False) -> tuple[Any, Any]:
    """Return path and value of ``PATH=VALUE``."""
    match = ASSIGNMENT.fullmatch(text)
    if match is None:
        raise click.UsageError(f"{text!r} is not PATH=VALUE")
    path = match["path"]
    typed = TYPED_PATH.fullmatch(path)
    if typed is not None and opened.model is None:
        place, _ = _place(opened, handle, typed["path"])
        try:
            return place, decode_any(typed_value(match["value"], typed["type"], is_text=True))
        except (TypeError, ValueError) as error:
            raise MarshallingError(f"{typed['path']}: {error}", path=typed["path"]) from None
    place, segments = _place(opened, handle, path)
    value = opened.python_value(match["value"], segments)
    if is_summand and opened.model is None:
        value = _summand(path, value)
    return place, value


def _place(opened: Opened, handle: Table[Any], text: str) -> tuple[AttributePath[Any, Any], tuple[str | int, ...]]:
    try:
        first, *inside = parse_path(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    name = opened.stored_name(str(first))
    return handle.attribute(name, *inside), (name, *inside)


def _summand(path: str, value: Any) -> Any:
    """Return a value of ``--add``: a number, or the elements of a set."""
    if isinstance(value, list | set | frozenset):
        return set(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return value
    raise click.UsageError(f"{path}: expected a number, or a JSON array of the elements of a set")


def changing(command: CommandT) -> CommandT:
    """Add the options of an update's clauses to a command, as its argument ``clauses``."""

    @click.option("--set", "assignments", multiple=True, metavar="PATH=VALUE", help=SET_HELP)
    @click.option(
        "--add", "additions", multiple=True, metavar="PATH=VALUE", help="Add to a number, or a JSON array to a set."
    )
    @click.option("--remove", "removals", multiple=True, metavar="PATH", help="Remove an attribute, or a part of one.")
    @click.option("--discard", "discards", multiple=True, metavar="PATH=VALUE", help="Take a JSON array out of a set.")
    @conditional
    @functools.wraps(command)
    def wrapped(*arguments: Any, conditions: tuple[tuple[str, str, str], ...], **options: Any) -> Any:
        names = ("assignments", "additions", "removals", "discards")
        chosen = {name: options.pop(name) for name in names}
        return command(*arguments, clauses=Clauses(**chosen, conditions=conditions), **options)

    return wrapped  # type: ignore[return-value]  # functools.wraps hides the type


def conditional(command: CommandT) -> CommandT:
    """Add the option ``--when`` to a command, as its argument ``conditions``."""
    return click.option("--when", "conditions", nargs=3, multiple=True, metavar="PATH OPERATOR VALUE", help=WHEN_HELP)(
        command
    )
