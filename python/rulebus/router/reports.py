"""What is wrong with lines, told to people: a few a minute in full, the rest by number.

A producer that went mad must not fill the disk with complaints, nor a run of months fall silent after the first of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Reports"]

_WINDOW_S = 60.0
_MOST = 20


class Reports:
    """Says lines, at most twenty a minute.

    >>> said = []
    >>> report = Reports(said.append, clock=lambda: 0.0)
    >>> for number in range(30):
    ...     report(f"line {number} is bad")
    >>> len(said), said[-1]
    (21, 'more than 20 lines were refused within a minute; more of them are only counted')
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self._begun, self._count = clock(), 0

    def __call__(self, line: str) -> None:
        now = self._clock()
        if now - self._begun >= _WINDOW_S:
            if self._count > _MOST:
                self._say(f"{self._count - _MOST:,} more lines were refused meanwhile")
            self._begun, self._count = now, 0
        self._count += 1
        if self._count <= _MOST:
            self._say(line)
        elif self._count == _MOST + 1:
            self._say(f"more than {_MOST} lines were refused within a minute; more of them are only counted")
