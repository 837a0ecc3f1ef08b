"""Seeded randomness that gives the same stream on every Python version.

Relies on `random.Random.random` and `getrandbits` alone, the two draws whose sequence Python promises to
keep. Must never use `choice`, `shuffle` and the like (their use of the stream has changed between versions),
since recorded match counts would change with them.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import TypeVar

__all__ = ["Chance", "identifier", "weighted"]

T = TypeVar("T")
_MASK = (1 << 64) - 1


class Chance:
    """The draws that the generators need, over one seeded stream."""

    def __init__(self, seed: int | str) -> None:
        stream = random.Random(seed)
        self.random: Callable[[], float] = stream.random
        self.bits: Callable[[int], int] = stream.getrandbits

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        return int(self.random() * limit)

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self.random() * (high - low + 1))

    def one(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely."""
        return options[int(self.random() * len(options))]

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """`count` different options, in random order."""
        left = list(options)
        return [left.pop(int(self.random() * len(left))) for _ in range(count)]

    def hexadecimal(self, digits: int) -> str:
        """Lower-case hexadecimal digits."""
        return f"{self.bits(4 * digits):0{digits}x}"


def weighted(options: Iterable[tuple[T, float]], chance: Chance) -> Callable[[], T]:
    """A function that draws one of the options according to their weights."""
    values, weights = zip(*options, strict=True)
    bounds = list(accumulate(weights))
    total, last, draw = bounds[-1], len(bounds) - 1, chance.random
    return lambda: values[min(bisect(bounds, draw() * total), last)]


def identifier(tag: int, number: int) -> int:
    """64 bits that look random and depend on the two numbers only (SplitMix64's finaliser).

    SOURCE: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    z = (number * 0x9E3779B97F4A7C15 + tag * 0xD1342543DE82EF95 + 0x632BE59BD9B4E019) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)
