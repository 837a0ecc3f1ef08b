"""Numbers as section 4 of the language sees them: by exact decimal value, if they are comparable at all.

Relies on Python's `repr(float)` being the shortest decimal that reads back as the same double (it is, since 3.1).
Must never compare two doubles whose texts do not both survive the round trip.
"""

from __future__ import annotations

import functools
import math
import re

__all__ = ["comparable", "decimal_value"]

_PARTS = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")

Decimal = tuple[bool, str, int]
ZERO: Decimal = (False, "", 0)


def decimal_value(text: str) -> Decimal | None:
    """The exact value as (negative, digits without outer zeros, power of ten); None if the exponent is absurd.

    >>> decimal_value("300") == decimal_value("3.00e2") == (False, "3", 2)
    True
    >>> decimal_value("-0.0e7")
    (False, '', 0)
    """
    found = _PARTS.fullmatch(text)
    assert found is not None  # the reader passed it
    sign, whole, fraction, exponent = found.groups(default="")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return ZERO
    short_exponent = exponent.lstrip("+-").lstrip("0")
    if len(short_exponent) > 18:
        return None  # no text that fits in memory brings such a number back among the doubles
    power = int(short_exponent or "0") * (-1 if exponent.startswith("-") else 1) - len(fraction)
    stripped = digits.rstrip("0")
    return sign == "-", stripped, power + len(digits) - len(stripped)


@functools.lru_cache(maxsize=100_000)
def comparable(text: str) -> float | None:
    """The double that stands for this number text, or None if the number is not comparable.

    Comparable means: finite as a double d, and exactly equal to the shortest decimal that round-trips to d.

    >>> comparable("3.0e2"), comparable("9007199254740993"), comparable("1e400")
    (300.0, None, None)
    """
    exact = decimal_value(text)
    if exact is None:
        return None
    nearest = float(text)
    if not math.isfinite(nearest) or decimal_value(repr(nearest)) != exact:
        return None
    return nearest
