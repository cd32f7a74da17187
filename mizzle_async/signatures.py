"""Wrong arguments, in the library's own sentences.

Python says "got an unexpected keyword argument": that names neither the entity nor the option that was meant. A verb
that is `explained` keeps its signature for type checkers and for `help`. Only where Python cannot bind the arguments,
another error is raised in place of Python's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import wraps
from typing import Any, Final, ParamSpec, TypeAlias, TypeVar

from mizzle_async.errors import ExpressionError

P = ParamSpec("P")
R = TypeVar("R")

Hint: TypeAlias = Callable[[Any, Sequence[Any], Mapping[str, Any]], str]
"""Returns advice about wrong arguments, by position and by name, of an object's verb, or an empty text for none."""

SYNONYMS: Final[Mapping[str, str]] = {
    "consistent": "consistent_read",
    "desc": "reverse",
    "endpoint": "endpoint_url",
    "limit": "max_items",
    "max_results": "max_items",
    "prefix": "table_prefix",
    "profile": "profile_name",
    "region": "region_name",
    "retries": "retry",
    "scan_index_forward": "reverse",
    "url": "endpoint_url",
}
"""Names of other libraries for options of this one."""

_NAMED_OPTIONS = 12
_OPEN = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
_VARIABLE = frozenset({inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD})


def explained(
    hint: Hint | None = None, *, error: type[Exception] = ExpressionError
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator for a method whose arguments may be wrong.

    Args:
        hint: Gives advice about them.
        error: The class to raise.
    """

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        if _takes_anything(method):
            return method

        @wraps(method)
        def call(*arguments: P.args, **named: P.kwargs) -> R:
            try:
                return method(*arguments, **named)
            except TypeError as raised:
                traceback = raised.__traceback__
                if traceback is None or traceback.tb_next is not None:  # raised inside the method
                    raise
            raise error(_sentence(method, arguments, named, hint))

        return call

    return decorate


def _takes_anything(method: Any) -> bool:
    """Tell whether Python binds any arguments of a method, so that the method itself looks at them."""
    code = method.__code__  # as `inspect.signature`, which would take a millisecond of our import
    by_position = code.co_argcount - len(method.__defaults__ or ()) <= 1 and code.co_posonlyargcount == code.co_argcount
    by_name = code.co_kwonlyargcount == len(method.__kwdefaults__ or ())
    return bool(by_position and by_name and code.co_flags & _OPEN == _OPEN)


def _sentence(method: Callable[..., Any], arguments: Sequence[Any], named: Mapping[str, Any], hint: Hint | None) -> str:
    """Return a sentence that names the wrong arguments, and the right ones."""
    owner, *positional = arguments
    parameters = dict(list(inspect.signature(method).parameters.items())[1:])
    by_position = [each for each in parameters.values() if each.kind not in {each.KEYWORD_ONLY, each.VAR_KEYWORD}]
    takes_any = any(each.kind is each.VAR_POSITIONAL for each in by_position)
    unknown = [name for name in named if name not in parameters]
    verb = type(owner).__name__ if method.__name__ == "__init__" else f".{method.__name__}"
    if len(positional) > len(by_position) and not takes_any:
        count = f"{len(by_position)} argument{'' if len(by_position) == 1 else 's'}" if by_position else "no argument"
        problem = f"takes {count} by position, not {len(positional)}"
    elif unknown:
        problem = f"has no option {', '.join(f'{name}=' for name in unknown)}"
    else:
        rest = [*by_position[len(positional) :], *(each for each in parameters.values() if each not in by_position)]
        required = [each for each in rest if each.default is each.empty and each.kind not in _VARIABLE]
        missing = [
            f"{each.name}=" if each.kind is each.KEYWORD_ONLY else each.name
            for each in required
            if each.name not in named
        ]
        problem = f"lacks {', '.join(missing) or 'an argument'}"
    advice = (hint(owner, positional, named) if hint is not None else "") or _meant(unknown, parameters)
    return f"{_subject(owner)}{verb}() {problem}" + (f": {advice}" if advice else "")


def _subject(owner: object) -> str:
    """Return the beginning of a message, the entity of an object, or an empty text where it has none."""
    holder: Any = getattr(owner, "_target", owner)
    entity = getattr(getattr(holder, "schema", None), "entity", None)
    return f"{entity}: " if entity is not None else ""


def _meant(unknown: Sequence[str], parameters: Mapping[str, inspect.Parameter]) -> str:
    """Name the options that were probably meant, or else those that there are."""
    options = [name for name, each in parameters.items() if each.kind is each.KEYWORD_ONLY]
    meant = [
        name
        for each in unknown
        for name in ([SYNONYMS[each]] if SYNONYMS.get(each) in options else get_close_matches(each, options, n=1))
    ]
    if meant:
        return f"did you mean {', '.join(f'{name}=' for name in dict.fromkeys(meant))}?"
    shown = ", ".join(f"{name}=" for name in options[:_NAMED_OPTIONS])
    more = " and more" if len(options) > _NAMED_OPTIONS else ""
    return f"its options are {shown}{more}" if unknown and options else ""
