"""When a failed delivery is tried again, and when it is given up.

A policy is a value: it says the wait before an attempt, and whether there is another one; it knows no queue and no
clock, and draws no chance itself (the caller passes a number between 0 and 1). Relies on `errors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["CLASSIC", "V2", "WEBHOOKS", "Exhausted", "RetryPolicy"]

Exhausted: TypeAlias = Literal["MaximumRetryAttempts", "MaximumEventAgeInSeconds"]
"""Which bound of a policy ended a delivery, in AWS's words."""

_MOST_ATTEMPTS = 185
_LEAST_AGE_S, _MOST_AGE_S = 60, 86_400
_MOST_AGE_OF_LIST_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long a delivery is tried again.

    >>> policy = RetryPolicy(maximum_retry_attempts=3)
    >>> [policy.wait_s(retry, chance=1.0) for retry in (1, 2, 3)]
    [1.0, 2.0, 4.0]
    >>> policy.exhausted(retries=3, age_s=10.0)
    'MaximumRetryAttempts'

    Whichever bound is met first ends the delivery: `maximum_retry_attempts` (0-185) tries after the first, or
    `maximum_event_age_in_seconds` (60-86,400) since the bus accepted the event. The wait before retry n is a random
    share of ``base_s * factor ** (n - 1)``, at most `cap_s` (full jitter); or, when `waits_s` is given, exactly its
    n-th member (the list's length then bounds the retries, too). A wait that the target asked for (``Retry-After``)
    counts instead where it is longer.

    A list of waits is its own bound: with `waits_s` the age may be up to 30 days, and is that unless it is given.
    """

    maximum_retry_attempts: int = _MOST_ATTEMPTS
    """Tries after the first."""
    maximum_event_age_in_seconds: float = -1.0
    """Age at which no further try begins. -1, the default, stands for the most: 86,400, with `waits_s` 30 days."""
    base_s: float = 1.0
    """Longest wait before the first retry."""
    factor: float = 2.0
    """How much longer each next one may be."""
    cap_s: float = 512.0
    """Longest wait of all."""
    waits_s: tuple[float, ...] | None = None
    """Exact waits, instead of the three above."""

    def __post_init__(self) -> None:
        if not 0 <= self.maximum_retry_attempts <= _MOST_ATTEMPTS:
            raise ValueError(
                f"maximum_retry_attempts is from 0 to {_MOST_ATTEMPTS}, not {self.maximum_retry_attempts!r}"
            )
        most = _MOST_AGE_S if self.waits_s is None else _MOST_AGE_OF_LIST_S
        if self.maximum_event_age_in_seconds == -1.0:
            object.__setattr__(self, "maximum_event_age_in_seconds", most)
        if not _LEAST_AGE_S <= self.maximum_event_age_in_seconds <= most:
            raise ValueError(
                f"maximum_event_age_in_seconds is from {_LEAST_AGE_S} to {most}, "
                f"not {self.maximum_event_age_in_seconds!r}"
            )
        if self.base_s < 0 or self.factor < 1 or self.cap_s < 0:
            raise ValueError("base_s and cap_s are not negative and factor is at least 1")
        if self.waits_s is not None and any(wait < 0 for wait in self.waits_s):
            raise ValueError("waits_s has no negative member")

    def wait_s(self, retry: int, *, chance: float, asked_s: float = 0.0) -> float:
        """Seconds before retry number `retry` (from 1); `chance` in 0..1 spreads it, `asked_s` is the target's wish."""
        if self.waits_s is not None:
            own = self.waits_s[retry - 1] if retry <= len(self.waits_s) else self.cap_s
        else:
            # The exponent is bounded: 2.0 ** 1100 would overflow.
            own = chance * min(self.cap_s, self.base_s * self.factor ** min(retry - 1, 64))
        return max(own, asked_s)

    def exhausted(self, *, retries: int, age_s: float) -> Exhausted | None:
        """Which bound forbids another try after `retries` retries at that age of the event; None if none does."""
        most = self.maximum_retry_attempts
        if self.waits_s is not None:
            most = min(most, len(self.waits_s))
        if retries >= most:
            return "MaximumRetryAttempts"
        if age_s >= self.maximum_event_age_in_seconds:
            return "MaximumEventAgeInSeconds"
        return None


CLASSIC = RetryPolicy()
"""EventBridge's: 185 retries, 24 hours. The default."""
V2 = RetryPolicy(maximum_retry_attempts=5, maximum_event_age_in_seconds=300)
"""For what is worthless after five minutes."""
_M, _H = 60.0, 3600.0
WEBHOOKS = RetryPolicy(
    waits_s=(0.0, 5.0, 5 * _M, 30 * _M, 2 * _H, 5 * _H, 10 * _H, 14 * _H, 20 * _H, 24 * _H)
)
"""For other people's servers: quickly once, then ever more patiently."""
