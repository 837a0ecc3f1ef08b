"""The wait that a server asks for in a Retry-After header, in both of its forms. Relies on the standard library."""

from __future__ import annotations

import math
import re
from email.utils import parsedate_to_datetime

__all__ = ["LONGEST_WAIT_S", "wait_of"]

LONGEST_WAIT_S = 86_400.0
"""A longer wait counts as this: no event is kept longer."""


def wait_of(text: str | None, now: float) -> float:
    """The seconds that a Retry-After header asks for: a number, or a date. 0 for none, a past one, or nonsense.

    >>> wait_of("120", 0.0), wait_of("Wed, 21 Oct 2015 07:28:00 GMT", 1445412470.0), wait_of("soon", 0.0)
    (120.0, 10.0, 0.0)
    """
    if not text:
        return 0.0
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        wait = float(text)
    else:
        try:
            wait = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, TypeError, OverflowError, IndexError):
            return 0.0
    return min(max(wait, 0.0), LONGEST_WAIT_S) if math.isfinite(wait) else 0.0
