"""Time, passed in: whatever waits or stamps asks a clock, so that tests drive time instead of sleeping.

Relies on the standard library alone. Must never be asked for a global clock: every owner gets its own.
"""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """The two kinds of time. `rulebus.testing.FakeClock` is one that tests move."""

    def now(self) -> float:
        """Seconds since 1970, UTC; for stamps and for due times that outlive the process. May jump."""

    def monotonic(self) -> float:
        """Seconds since some moment; for durations and waits. Never goes back."""


class SystemClock:
    """The machine's clock.

    >>> SystemClock().now() > 1_700_000_000
    True
    """

    __slots__ = ()

    def now(self) -> float:
        """Seconds since 1970, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()
