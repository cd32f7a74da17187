import decimal
from collections.abc import Iterator
from decimal import Decimal

import pytest

from mizzle_async.marshalling import canonical_key, decode_any, encode_any, value_size

CONTEXT = decimal.Context()  # a variable: since Python 3.14 the flags live only as long as their context
EVERY_TRAP = list(CONTEXT.flags)
CONTEXTS = [
    pytest.param(decimal.Context(prec=1, Emax=1, Emin=-1, traps=EVERY_TRAP), id="narrow, every trap"),
    pytest.param(decimal.Context(prec=3, capitals=0, traps=[]), id="small letters, no trap"),
    pytest.param(decimal.Context(rounding=decimal.ROUND_UP, clamp=1), id="rounding up"),
]
NUMBERS = [
    Decimal("1" + "0" * 38),
    Decimal("1E+100"),
    Decimal("-1E-130"),
    Decimal("0." + "1" * 38),
    Decimal("9" * 38),
    Decimal("129.950"),
    Decimal(0),
]


@pytest.fixture(params=CONTEXTS)
def _context(request: pytest.FixtureRequest) -> Iterator[None]:
    with decimal.localcontext(request.param):
        yield


@pytest.mark.usefixtures("_context")
@pytest.mark.parametrize("number", NUMBERS)
def test_the_caller_s_decimal_context_does_not_matter(stored, number):
    """Every valid number is stored and read exactly, whatever precision, range and traps the caller has set."""
    found = encode_any(number)
    assert decode_any(found) == number
    attribute = stored(Decimal)
    assert attribute.write(number) == found
    assert attribute.read(found) == number
    assert stored(int | Decimal).read(found) == number
    whole = stored(int)
    if number == int(number):
        assert whole.read(found) == int(number)
        assert whole.write(int(number)) == found
    assert value_size(found) > 0
    assert canonical_key({"n": found}) == canonical_key({"n": {"N": str(number)}})


@pytest.mark.usefixtures("_context")
@pytest.mark.parametrize("number", [1.5, 1e22, 1e-7, 0.1])
def test_floats_do_not_depend_on_the_context(stored, number):
    """Floats are exact in any context too."""
    attribute = stored(float)
    assert attribute.read(attribute.write(number)) == number
