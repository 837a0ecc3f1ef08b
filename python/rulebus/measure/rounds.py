"""Timing in rounds that alternate between what is compared, and what may be said from them: a median and how far
the rounds lay apart.

Alternation gives every variant the same share of a neighbour's load and of a changing clock rate. The spread is the
middle half of the rounds (quartiles), which one disturbed round does not widen. Must never return a single
measurement as if it were a figure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Spread", "alternate", "differences", "quantile"]


@dataclass(frozen=True, slots=True)
class Spread:
    """What rounds gave."""

    median: float
    low: float
    """A quarter of the rounds lay below this."""
    high: float
    """A quarter of the rounds lay above this."""
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float], scale: float = 1.0) -> Spread:
        """The spread of some values, each multiplied by `scale`.

        >>> Spread.of([5, 1, 2, 3, 4], scale=10)
        Spread(median=30.0, low=20.0, high=40.0, rounds=5)
        """
        ordered = sorted(value * scale for value in values)
        return cls(quantile(ordered, 0.5), quantile(ordered, 0.25), quantile(ordered, 0.75), len(ordered))

    @property
    def noise(self) -> float:
        """Half of the middle half, as a share of the median; 0 when the median is 0."""
        return abs((self.high - self.low) / (2 * self.median)) if self.median else 0.0


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value below which `part` of the sorted values lie, interpolated.

    >>> quantile([1, 2, 3, 4], 0.5)
    2.5
    """
    at = part * (len(ordered) - 1)
    lower = int(at)
    upper = min(lower + 1, len(ordered) - 1)
    return float(ordered[lower] + (ordered[upper] - ordered[lower]) * (at - lower))


def alternate(
    variants: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    tick: Callable[[], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each variant in each round, after one round of warming up.

    Within a round every variant runs once; every other round goes backwards, so that none always follows the same.

    >>> taken = alternate({"a": lambda: None, "b": lambda: None}, rounds=3)
    >>> {name: len(seconds) for name, seconds in taken.items()}
    {'a': 3, 'b': 3}
    """
    order = list(variants.items())
    for _, run in order:
        run()
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds):
        for name, run in order if number % 2 == 0 else reversed(order):
            begin = clock()
            run()
            taken[name].append(clock() - begin)
        if tick:
            tick()
    return taken


def differences(larger: Sequence[float], smaller: Sequence[float], scale: float = 1.0) -> Spread:
    """How much more `larger` took, round by round: neighbours in time share the same disturbance.

    >>> differences([5, 6, 7], [4, 4, 4]).median
    2.0
    """
    return Spread.of([a - b for a, b in zip(larger, smaller, strict=True)], scale)
