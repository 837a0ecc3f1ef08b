"""A clock that stands until a test moves it, and tells those who wait.

Relies on nothing. Thread-safe: tests move it from one thread while a bus waits in others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["FakeClock"]


class FakeClock:
    """Both kinds of time, in a test's hand.

    >>> clock = FakeClock(now=1_000.0)
    >>> clock.advance(5)
    >>> clock.now(), clock.monotonic()
    (1005.0, 5.0)
    >>> clock.jump(-3_600)  # The wall clock was set back; nothing that waits in the process notices.
    >>> clock.now(), clock.monotonic()
    (-2595.0, 5.0)
    """

    def __init__(self, now: float = 1_767_225_600.0, monotonic: float = 0.0) -> None:
        self._now = now
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> float:
        """Seconds since 1970, as the test says."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that the test let pass."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Lets time pass, and wakes who waits for a moment that has come."""
        if seconds < 0:
            raise ValueError(
                f"time passes forward: advance() takes no {seconds!r}; jump() sets the wall clock back"
            )
        with self._lock:
            self._now += seconds
            self._monotonic += seconds
        self._tell()

    def jump(self, seconds: float) -> None:
        """Sets the wall clock forward or back, as an administrator or a time server does."""
        with self._lock:
            self._now += seconds
        self._tell()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls `listener` after each move. What waits on this clock asks for it; gives a function that ends it."""
        with self._lock:
            self._listeners.append(listener)

        def end() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return end

    def _tell(self) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()
