import pytest

from mizzle_async.cli.aside import MOST_AHEAD, Aside


async def test_items_come_in_order():
    """What a blocking iterator gives comes through in order, more of it than is read ahead, and then the end."""
    aside = Aside(iter(range(3 * MOST_AHEAD)))
    assert [item async for item in aside] == list(range(3 * MOST_AHEAD))
    with pytest.raises(StopAsyncIteration):
        await anext(aside)


async def test_error_of_the_iterator_comes_through():
    """What the iterator raises is raised where its items are wanted, after those that came before."""

    def items():
        yield 1
        raise ValueError("mine")

    aside = aiter(Aside(items()))
    assert await anext(aside) == 1
    with pytest.raises(ValueError, match="mine"):
        await anext(aside)
