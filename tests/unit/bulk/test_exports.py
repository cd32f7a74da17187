import inspect
from pathlib import Path

import pytest

import mizzle_async


def isort_order(name: str) -> tuple[int, str]:
    """Order names as ruff orders `__all__`: constants, classes, the rest."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2, name)


def test_exports_are_sorted_and_unique():
    """`__all__` is in order and names everything once."""
    assert list(mizzle_async.__all__) == sorted(set(mizzle_async.__all__), key=isort_order)


@pytest.mark.parametrize("name", mizzle_async.__all__)
def test_export_calls_the_package_its_home(name):
    """What is exported exists, and a class or function says that it lives in `mizzle_async`."""
    exported = getattr(mizzle_async, name)
    if inspect.isclass(exported) or inspect.isfunction(exported):
        assert exported.__module__ == "mizzle_async"
        assert exported.__qualname__ == exported.__name__


def test_nothing_else_is_public():
    """What the package's own names do not list is a module of the package, or private."""
    unlisted = {
        name
        for name, value in vars(mizzle_async).items()
        if not name.startswith("_") and name not in mizzle_async.__all__ and not inspect.ismodule(value)
    }
    assert unlisted == set()


def test_errors_are_all_exported():
    """Every error of the tree is imported from the package."""
    errors = {
        name
        for name, value in vars(mizzle_async.errors).items()
        if inspect.isclass(value) and issubclass(value, mizzle_async.MizzleError) and not name.startswith("_")
    }
    assert errors <= set(mizzle_async.__all__)


def test_types_are_declared():
    """The marker that makes type checkers read the package's annotations is installed with it."""
    assert (Path(mizzle_async.__path__[0]) / "py.typed").is_file()
