"""Classes with attributes as JSON has them: an object, each attribute by its name in Python."""

# ruff: noqa: D102  (Form documents the methods of forms)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen

from mizzle_async.marshalling.json_forms.form import OBJECT, Form, not_json
from mizzle_async.model.scalars.misfit import Misfit, not_a
from mizzle_async.values import Record


@frozen(eq=False, repr=False)
class Member(Record):
    """One attribute of a class, or one key of a ``TypedDict``.

    Attributes:
        name: Its name in Python, which JSON has too.
        argument: Its name where the class is called.
        form: How its value is written.
        is_required: Whether an object must have it.
    """

    name: str
    argument: str
    form: Form
    is_required: bool


class ClassForm(Form):
    """An instance of a class with attributes. It is made before its attributes are known: `define` gives them.

    Attributes:
        cls: The class.
        members: Its attributes.
    """

    kinds: frozenset[str] = frozenset({OBJECT})

    def __init__(self, cls: type[Any]) -> None:
        self.cls = cls
        self.python: str = cls.__name__
        self.members: Mapping[str, Member] = {}
        self._refuses_unknown = False

    def define(self, members: Sequence[Member], *, refuses_unknown: bool) -> None:
        """Set the attributes.

        Args:
            members: The attributes.
            refuses_unknown: Whether a name that the class does not declare is an error, or left out.
        """
        self.members = {member.name: member for member in members}
        self._refuses_unknown = refuses_unknown

    def write(self, value: Any) -> Any:
        if type(value) is not self.cls:
            raise not_a(self.python, value)
        written: dict[str, Any] = {}
        for name, member in self.members.items():
            try:
                written[name] = member.form.write(getattr(value, name))
            except Misfit as misfit:
                raise misfit.at_field(name) from misfit.__cause__
            except AttributeError:
                raise Misfit(member.form.python, "an attribute that was never set").at_field(name) from None
        return written

    def read(self, data: Any) -> Any:
        if type(data) is self.cls:
            return data
        if not isinstance(data, Mapping):
            raise not_json(OBJECT, data)
        values = self.read_members(data, refuses_unknown=self._refuses_unknown)
        for name, member in self.members.items():
            if member.is_required and name not in values:
                raise Misfit(member.form.python, "no such attribute").at_field(name)
        try:
            return self.cls(**{self.members[name].argument: value for name, value in values.items()})
        except Exception as error:
            raise Misfit(
                f"attributes that {self.python} accepts", type(error).__name__, "it is the cause of this error"
            ) from error

    def read_members(self, data: Mapping[Any, Any], *, refuses_unknown: bool) -> dict[str, Any]:
        """Return the values of the attributes that an object has.

        Args:
            data: The object.
            refuses_unknown: Whether a name that the class does not declare is an error, or left out.

        Raises:
            Misfit: A value does not fit, or a name is not declared.
        """
        values: dict[str, Any] = {}
        for name, value in data.items():
            member = self.members.get(name)
            if member is not None:
                try:
                    values[name] = member.form.read(value)
                except Misfit as misfit:
                    raise misfit.at_field(name) from misfit.__cause__
            elif refuses_unknown:
                raise Misfit(f"an attribute of {self.python}", "another", f"it has {', '.join(self.members)}").at_entry(
                    name
                )
        return values


class ModelForm(ClassForm):
    """A model of Pydantic's: as it writes and reads JSON itself, by its own aliases."""

    def write(self, value: Any) -> Any:
        if type(value) is not self.cls:
            raise not_a(self.python, value)
        try:
            return value.model_dump(mode="json", by_alias=True)
        except Exception as error:
            raise Misfit(f"a {self.python} that JSON can have", type(error).__name__, "see its cause") from error

    def read(self, data: Any) -> Any:
        if type(data) is self.cls:
            return data
        if not isinstance(data, Mapping):
            raise not_json(OBJECT, data)
        model: Any = self.cls
        try:
            return model.model_validate(data)
        except ValueError as error:
            raise _of_pydantic(self.python, error) from error

    def read_members(self, data: Mapping[Any, Any], *, refuses_unknown: bool) -> dict[str, Any]:
        """Return the values of the attributes that an object has, by their names or their aliases."""
        names = {member.argument: name for name, member in self.members.items()}
        own = {name if name in self.members else names.get(name, name): value for name, value in data.items()}
        return super().read_members(own, refuses_unknown=refuses_unknown)


def _of_pydantic(python: str, error: ValueError) -> Misfit:
    """Return the misfit of an error of validation: its first place, and no value."""
    details: Any = getattr(error, "errors", None)
    first: Mapping[str, Any] = {"type": type(error).__name__, "loc": ()}
    if details is not None:
        first = details(include_url=False, include_input=False)[0]
    misfit = Misfit(f"what {python} accepts", str(first["type"]), "see its cause")
    for step in reversed(first["loc"]):
        misfit = misfit.at_position(step) if isinstance(step, int) else misfit.at_field(str(step))
    return misfit


class TypedDictForm(Form):
    """A dict with declared keys. It is made before its keys are known: `define` gives them."""

    kinds: frozenset[str] = frozenset({OBJECT})

    def __init__(self, python: str) -> None:
        self.python: str = python
        self._members: Mapping[str, Member] = {}

    def define(self, members: Sequence[Member]) -> None:
        """Set the keys."""
        self._members = {member.name: member for member in members}

    def write(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise not_a(self.python, value)
        return self._each(lambda form: form.write, value, refuses_unknown=True)

    def read(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise not_json(OBJECT, data)
        return self._each(lambda form: form.read, data, refuses_unknown=False)

    def _each(
        self, convert: Callable[[Form], Callable[[Any], Any]], values: Mapping[Any, Any], *, refuses_unknown: bool
    ) -> dict[str, Any]:
        undeclared = next((name for name in values if name not in self._members), None)
        if undeclared is not None and refuses_unknown:
            raise Misfit("declared keys only", "one more", "it would not be read").at_entry(undeclared)
        converted: dict[str, Any] = {}
        for name, member in self._members.items():
            if name in values:
                try:
                    converted[name] = convert(member.form)(values[name])
                except Misfit as misfit:
                    raise misfit.at_entry(name) from misfit.__cause__
            elif member.is_required:
                raise Misfit(member.form.python, "no such key").at_entry(name)
        return converted


class TaggedForm(Form):
    """An instance of one of several classes.

    Args:
        python: The union as messages name it.
        choices: The classes, each with the name of the member that names it, and with that member's value.
        is_declared: Whether the classes declare that member.
    """

    kinds: frozenset[str] = frozenset({OBJECT})

    def __init__(self, python: str, choices: Sequence[tuple[str, str, ClassForm]], *, is_declared: bool) -> None:
        self.python: str = python
        self._choices = choices
        self._is_declared = is_declared

    def write(self, value: Any) -> Any:
        for name, tag, form in self._choices:
            if type(value) is form.cls:
                written = form.write(value)
                return written if self._is_declared else {name: tag, **written}
        raise not_a(self.python, value)

    def read(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            if any(type(data) is form.cls for _, _, form in self._choices):
                return data
            raise not_json(OBJECT, data)
        for name, tag, form in self._choices:
            if data.get(name) == tag:
                own = data if self._is_declared else {other: value for other, value in data.items() if other != name}
                return form.read(own)
        names = sorted({name for name, _, _ in self._choices})
        tags = " or ".join(tag for _, tag, _ in self._choices)
        is_there = any(name in data for name in names)
        raise Misfit(
            f"an object with {' or '.join(map(repr, names))} naming {tags}",
            "one naming something else" if is_there else "one without it",
        )
