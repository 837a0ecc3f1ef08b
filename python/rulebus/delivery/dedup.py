"""Which event ids were delivered lately: the window in which a second delivery of an event is skipped.

Relies on the standard library. Bounded: beyond `MOST` ids the oldest are forgotten first, and the window is shorter.
Kept in memory alone: it starts empty with each process.
"""

from __future__ import annotations

from collections import deque

__all__ = ["MOST", "Window"]

MOST = 1_000_000
"""Ids that one window remembers at most; about 200 bytes each."""


class Window:
    """Ids and when they were delivered, on a monotonic clock.

    >>> window = Window(seconds=60)
    >>> window.add("a", now=0.0)
    >>> window.has("a", now=59.0), window.has("a", now=60.0), window.has("b", now=0.0)
    (True, False, False)
    """

    __slots__ = ("_at", "_most", "_order", "seconds")

    def __init__(self, seconds: float, most: int = MOST) -> None:
        self.seconds = seconds
        self._most = most
        self._at: dict[str, float] = {}
        self._order: deque[tuple[float, str]] = deque()

    def __len__(self) -> int:
        return len(self._at)

    def add(self, id: str, now: float) -> None:
        """It was delivered now."""
        self._at[id] = now
        self._order.append((now, id))
        self._forget(now)

    def has(self, id: str, now: float) -> bool:
        """Whether it was delivered within the window before now."""
        at = self._at.get(id)
        return at is not None and now - at < self.seconds

    def _forget(self, now: float) -> None:
        order, at = self._order, self._at
        while order and (now - order[0][0] >= self.seconds or len(order) > self._most):
            when, id = order.popleft()
            if at.get(id) == when:
                del at[id]
