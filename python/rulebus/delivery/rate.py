"""How many deliveries may begin now: a token bucket that never sleeps and is told the time.

Relies on nothing. In any span of T seconds at most ``burst + rate * T`` begin.
"""

from __future__ import annotations

__all__ = ["Bucket"]

_SLACK = 1e-6  # Sums of floats fall short of whole tokens by less than this.


class Bucket:
    """Tokens that come at a steady rate and are spent one a delivery.

    >>> bucket = Bucket(rate_per_s=10, burst=2, now=0.0)
    >>> bucket.spend(bucket.available(0.0), 0.0)
    >>> bucket.available(0.05), round(bucket.due(0.05), 3), bucket.available(0.1)
    (0, 0.1, 1)
    """

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate_per_s: float, burst: float, now: float) -> None:
        if not rate_per_s > 0:
            raise ValueError(f"rate_per_s is more than 0 deliveries a second, not {rate_per_s!r}")
        self._rate = rate_per_s
        self._burst = max(1.0, burst)
        self._tokens = self._burst
        self._at = now

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now

    def available(self, now: float) -> int:
        """How many may begin now."""
        self._fill(now)
        return int(self._tokens + _SLACK)

    def spend(self, count: int, now: float) -> None:
        """So many begin."""
        self._fill(now)
        self._tokens -= count

    def due(self, now: float) -> float:
        """When the next ones may begin, on the clock that `now` is of."""
        self._fill(now)
        # Of fast rates a millisecond's worth at once, so that nobody wakes for each.
        missing = max(1.0, min(self._burst, self._rate * 0.001)) - self._tokens
        return now if missing <= _SLACK / 2 else now + missing / self._rate
